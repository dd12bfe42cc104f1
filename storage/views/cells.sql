-- One row per cell that has a result, with its last and best figures.
create view cells as
select
    * exclude (error_class, error_type, error_message, error_trace),
    coalesce(
        outcome = 'finished' and test_accuracy <= 1.0 / num_classes + 0.005, false
    ) as at_chance
from results;
