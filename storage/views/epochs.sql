-- One row per cell and epoch.
create view epochs as
select
    key, dataset, noise, noise_rate, architecture, loss, seed,
    unnest(epoch) as epoch,
    unnest(epoch_learning_rate) as learning_rate,
    unnest(train_loss) as train_loss,
    unnest(train_accuracy_noisy) as train_accuracy_noisy,
    unnest(train_accuracy_clean) as train_accuracy_clean,
    unnest(memorization) as memorization,
    unnest(test_accuracy) as test_accuracy,
    unnest(test_top5_accuracy) as test_top5_accuracy,
    unnest(test_loss) as test_loss,
    unnest(epoch_seconds) as seconds
from results;
