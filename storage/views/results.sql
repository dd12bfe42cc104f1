-- The one result of each cell that has one.
create view results as
select *
from attempt_rows
where outcome in ('finished', 'diverged');
