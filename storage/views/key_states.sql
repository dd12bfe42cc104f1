-- One row per key that was ever tried: its result, else its latest failure.
create view key_states as
select
    tried.*,
    count(*) filter (where tried.outcome = 'failed') over (partition by key) as num_failures
from attempt_rows as tried
qualify row_number() over (
    partition by key
    order by outcome = 'failed', case when outcome = 'failed' then -epoch_us(committed_at)
                                      else epoch_us(committed_at) end, attempt
) = 1;
