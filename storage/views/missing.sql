-- Planned cells without a result, each with the reason.
create view missing as
select
    planned_rows.*,
    case
        when planned_rows.key is null then 'a pick is pending'
        when key_states.outcome = 'failed' then 'failed: ' || coalesce(key_states.error_message, '')
        when stale.base_key is not null then 'stale: a result of another revision is there'
        else 'not run'
    end as reason
from planned_rows
left join key_states on key_states.key = planned_rows.key
left join (select distinct base_key from results) as stale
    on stale.base_key = planned_rows.base_key
where planned_rows.skipped is null
  and (key_states.key is null or key_states.outcome = 'failed');
