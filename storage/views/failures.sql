-- Every failed attempt, latest first.
create view failures as
select
    key, attempt, dataset, noise, noise_rate, architecture, loss, loss_parameters, learning_rate,
    seed, error_class, error_type, error_message, error_trace, study, launch, started_at,
    committed_at, host, device
from attempt_rows
where outcome = 'failed'
order by committed_at desc;
