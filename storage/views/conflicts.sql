-- One row per stored result that contradicts the one of its cell, beside the one that stands.
create view conflicts as
select
    lost.key,
    coalesce(lost.edition, 0) as edition,
    lost.attempt,
    stands.attempt as standing_attempt,
    case when curves.key is not null then concat_ws(
        ', ',
        case when lost.epoch_learning_rate is distinct from curves.epoch_learning_rate
            then 'epoch_learning_rate' end,
        case when lost.train_loss is distinct from curves.train_loss then 'train_loss' end,
        case when lost.train_accuracy_noisy is distinct from curves.train_accuracy_noisy
            then 'train_accuracy_noisy' end,
        case when lost.train_accuracy_clean is distinct from curves.train_accuracy_clean
            then 'train_accuracy_clean' end,
        case when lost.memorization is distinct from curves.memorization
            then 'memorization' end,
        case when lost.test_accuracy is distinct from curves.test_accuracy
            then 'test_accuracy' end,
        case when lost.test_top5_accuracy is distinct from curves.test_top5_accuracy
            then 'test_top5_accuracy' end,
        case when lost.test_loss is distinct from curves.test_loss then 'test_loss' end,
        case when lost.test_cmc1 is distinct from curves.test_cmc1 then 'test_cmc1' end,
        case when lost.test_map is distinct from curves.test_map then 'test_map' end
    ) end as differing,
    list_max(
        [abs(pair[1] - pair[2]) for pair in list_zip(lost.test_accuracy, curves.test_accuracy)]
    ) as largest_difference,
    lost.test_accuracy[-1] as test_accuracy,
    stands.test_accuracy as standing_test_accuracy,
    lost.study, stands.study as standing_study,
    lost.launch, stands.launch as standing_launch,
    lost.committed_at at time zone 'UTC' as committed_at,
    stands.committed_at as standing_committed_at,
    lost.host, stands.host as standing_host,
    lost.device, stands.device as standing_device,
    lost.code_version, stands.code_version as standing_code_version,
    try_cast(lost.packages as json)->>'$.torch' as torch,
    try_cast(stands.packages as json)->>'$.torch' as standing_torch,
    lost.num_threads, stands.num_threads as standing_num_threads,
    lost.stack_size, stands.stack_size as standing_stack_size
from conflict_rows as lost
left join results as stands
    on stands.key = lost.key and coalesce(stands.edition, 0) = coalesce(lost.edition, 0)
left join curve_rows as curves
    on curves.key = stands.key and curves.attempt = stands.attempt;
