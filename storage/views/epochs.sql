-- One row per result and epoch; a cell that was run anew has a result more.
create view epochs as
select
    results.key, results.attempt, dataset, noise, noise_rate, architecture, loss, seed,
    unnest(curve_rows.epoch) as epoch,
    unnest(curve_rows.epoch_learning_rate) as learning_rate,
    unnest(curve_rows.train_loss) as train_loss,
    unnest(curve_rows.train_accuracy_noisy) as train_accuracy_noisy,
    unnest(curve_rows.train_accuracy_clean) as train_accuracy_clean,
    unnest(curve_rows.memorization) as memorization,
    unnest(curve_rows.test_accuracy) as test_accuracy,
    unnest(curve_rows.test_top5_accuracy) as test_top5_accuracy,
    unnest(curve_rows.test_loss) as test_loss,
    unnest(curve_rows.test_cmc1) as test_cmc1,
    unnest(curve_rows.test_map) as test_map,
    unnest(curve_rows.epoch_seconds) as seconds
from results
join curve_rows on curve_rows.key = results.key and curve_rows.attempt = results.attempt;
