-- Every cell that the current versions of the launched studies ask for.
create view planned as
select * from planned_rows;
