-- One row per planned cell: what the study asks for, where it stands, and the result that answers.
-- The axes of the studies that no column below holds are put in at the end when a store opens.
-- A cell that is skipped or waits for a pick has no configuration yet: its axes speak for it.
create view runs as
select
    planned_rows.study,
    planned_rows.phase,
    planned_rows.position,
    axes['loss'] as label,
    standing,
    reason,
    coalesce(planned_rows.config->>'$.dataset.name', axes['dataset']) as dataset,
    coalesce(
        axes['noise.kind'], axes['noise'], planned_rows.config->>'$.noise.name', 'none'
    ) as noise,
    coalesce(
        try_cast(axes['noise.rate'] as double),
        (planned_rows.config->>'$.noise.rate')::double,
        case
            when coalesce(
                planned_rows.config->>'$.noise.name', axes['noise.kind'], axes['noise'], 'none'
            ) = 'none' then 0
        end
    ) as noise_rate,
    coalesce(planned_rows.config->>'$.architecture.name', axes['architecture']) as architecture,
    planned_rows.config->>'$.loss.name' as loss,
    json_merge_patch(planned_rows.config->'$.loss', '{"name": null}')::varchar as loss_parameters,
    coalesce(
        (planned_rows.config->>'$.learning_rate')::double,
        try_cast(axes['learning_rate'] as double)
    ) as learning_rate,
    coalesce(
        (planned_rows.config->>'$.batch_size')::bigint, try_cast(axes['batch_size'] as bigint)
    ) as batch_size,
    coalesce(
        (planned_rows.config->>'$.epochs')::bigint, try_cast(axes['epochs'] as bigint)
    ) as num_epochs,
    coalesce(planned_rows.config->>'$.precision', axes['precision']) as precision,
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
