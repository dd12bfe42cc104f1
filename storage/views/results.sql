-- Every result that counts: all but those that are to be run anew.
create view results as
select *
from attempt_rows
where outcome in ('finished', 'diverged')
  and attempt not in (select attempt from decision_rows where kind = 'redo');
