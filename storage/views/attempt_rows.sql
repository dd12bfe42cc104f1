-- Every attempt, compacted or not. Times are shown in UTC, without a zone.
create view attempt_rows as
select * replace (
    started_at at time zone 'UTC' as started_at,
    committed_at at time zone 'UTC' as committed_at
)
from (
    select * from compacted_rows
    union all by name
    select * from landed_summaries
);
