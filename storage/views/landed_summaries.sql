-- Attempts from small files with the last and best figures of their curves.
create view landed_summaries as
select
    * exclude (
        epoch, epoch_learning_rate, train_loss, train_accuracy_noisy, train_accuracy_clean,
        memorization, test_accuracy, test_top5_accuracy, test_loss, test_cmc1, test_map,
        epoch_seconds
    ),
    train_loss[-1] as train_loss,
    train_accuracy_noisy[-1] as train_accuracy_noisy,
    train_accuracy_clean[-1] as train_accuracy_clean,
    memorization[-1] as memorization,
    test_accuracy[-1] as test_accuracy,
    test_top5_accuracy[-1] as test_top5_accuracy,
    test_loss[-1] as test_loss,
    test_cmc1[-1] as test_cmc1,
    test_map[-1] as test_map,
    list_max(test_accuracy) as best_test_accuracy,
    epoch[list_position(test_accuracy, list_max(test_accuracy))] as best_epoch
from landed_rows;
