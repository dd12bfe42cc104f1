-- Every recorded version of every study, with the launch that recorded it.
create view studies as
select * from study_rows;
