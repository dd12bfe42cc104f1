-- One row per key that has a result: the earliest one committed.
create view results as
select *
from attempt_rows
where outcome in ('finished', 'diverged')
qualify row_number() over (partition by key order by committed_at, attempt) = 1;
