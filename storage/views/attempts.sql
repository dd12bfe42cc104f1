-- Every try at every cell, without the curves.
create view attempts as
select * exclude (
    epoch, epoch_learning_rate, train_loss, train_accuracy_noisy, train_accuracy_clean,
    memorization, test_accuracy, test_top5_accuracy, test_loss, epoch_seconds
)
from attempt_rows;
