-- One row per planned cell: what the study asks for, where it stands, and the result that answers.
-- The axes of the studies that no column below holds are put in at the end when a store opens.
create view runs as
select
    planned_rows.study,
    planned_rows.phase,
    planned_rows.position,
    axes['loss'] as label,
    standing,
    reason,
    planned_rows.config->>'$.dataset.name' as dataset,
    coalesce(axes['noise.kind'], axes['noise'], planned_rows.config->>'$.noise.name') as noise,
    coalesce(
        try_cast(axes['noise.rate'] as double),
        (planned_rows.config->>'$.noise.rate')::double,
        case when planned_rows.config->>'$.noise.name' = 'none' then 0 end
    ) as noise_rate,
    planned_rows.config->>'$.architecture.name' as architecture,
    planned_rows.config->>'$.loss.name' as loss,
    json_merge_patch(planned_rows.config->'$.loss', '{"name": null}')::varchar as loss_parameters,
    (planned_rows.config->>'$.learning_rate')::double as learning_rate,
    (planned_rows.config->>'$.batch_size')::bigint as batch_size,
    (planned_rows.config->>'$.epochs')::bigint as num_epochs,
    planned_rows.config->>'$.precision' as precision,
    planned_rows.seed,
    planned_rows.key,
    standing_rows.attempt,
    answers.edition,
    answers.outcome,
    planned_rows.base_key,
    planned_rows.config,
    coalesce(answers.revisions, planned_rows.revisions) as revisions,
    answers.* exclude (
        key, base_key, attempt, edition, outcome, config, revisions, dataset, noise, noise_rate,
        architecture, loss, loss_parameters, learning_rate, batch_size, num_epochs, precision,
        seed, study, error_class, error_type, error_message, error_trace
    ),
    answers.attempt in (select attempt from guesses) as at_chance$axes
from planned_rows
join standing_rows using (study, position)
left join results as answers on answers.attempt = standing_rows.attempt;
