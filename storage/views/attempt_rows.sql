-- Every attempt, compacted or not. Times are shown in UTC, without a zone.
-- Older versions wrote 0 where a kind of noise has no nominal rate, and no edition.
create view attempt_rows as
select * replace (
    started_at at time zone 'UTC' as started_at,
    committed_at at time zone 'UTC' as committed_at,
    coalesce(edition, 0) as edition,
    case
        when noise = 'none' then 0
        when not json_valid(config) then noise_rate
        when json_exists(config, '$.noise') and not json_exists(config, '$.noise.rate') then null
        else noise_rate
    end as noise_rate
)
from (
    select * from compacted_rows
    union all by name
    select * from landed_summaries
);
