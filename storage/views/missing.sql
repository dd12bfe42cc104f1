-- Planned cells that no result answers, each with the reason.
create view missing as
select planned_rows.*, coalesce(reason, standing) as reason
from planned_rows
join standing_rows using (study, position)
where standing not in ('done', 'skipped');
