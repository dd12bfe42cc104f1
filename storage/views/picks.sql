-- Recorded selections between phases.
create view picks as
select * from pick_rows;
