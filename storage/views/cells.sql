-- One row per cell that has a result, the newest that counts, with its last and best figures.
create view cells as
select
    * exclude (error_class, error_type, error_message, error_trace),
    attempt in (select attempt from guesses) as at_chance
from results
qualify row_number() over (partition by key order by edition desc, attempt) = 1;
