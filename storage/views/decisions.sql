-- What people decided about results: to run a cell anew, or that other code gives its numbers.
create view decisions as
select * replace (decided_at at time zone 'UTC' as decided_at) from decision_rows;
