-- Launched studies, each with the launch that last recorded it.
create view studies as
select * from study_rows;
