-- Recorded selections between phases.
create view picks as
select * replace (picked_at at time zone 'UTC' as picked_at) from pick_rows;
