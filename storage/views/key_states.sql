-- One row per key that was ever tried: its result, else its latest failure.
create view key_states as
with failure_counts as (
    select
        key,
        count(*) as num_failures,
        arg_max(attempt, (committed_at, attempt)) as latest
    from attempt_rows
    where outcome = 'failed'
    group by key
)
select
    tried.key, tried.base_key, tried.outcome, tried.revisions, tried.seconds,
    coalesce(num_failures, 0) as num_failures,
    case when tried.outcome = 'failed' then tried.error_class end as error_class,
    case when tried.outcome = 'failed' then tried.error_message end as error_message
from attempt_rows as tried
left join failure_counts on failure_counts.key = tried.key
where tried.outcome <> 'failed'
   or (tried.attempt = latest and tried.key not in (select key from results));
