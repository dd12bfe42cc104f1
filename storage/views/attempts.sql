-- Every try at every cell, without the curves.
create view attempts as
select
    * exclude (
        train_loss, train_accuracy_noisy, train_accuracy_clean, memorization, test_accuracy,
        test_top5_accuracy, test_loss, test_cmc1, test_map, best_test_accuracy, best_epoch
    ),
    outcome in ('finished', 'diverged') and attempt not in (
        select attempt
        from results
        qualify row_number() over (partition by key order by edition desc, attempt) = 1
    ) as superseded
from attempt_rows;
