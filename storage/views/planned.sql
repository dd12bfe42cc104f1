-- Every cell that the launched studies ask for.
create view planned as
select * from planned_rows;
