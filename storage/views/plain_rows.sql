-- Attempts whose columns plainly repeat what their configuration says, and whose configuration says
-- what their identity does. It may leave out a sound row, which is then judged by itself. Against
-- the rules it lets pass the order within a list and a field that is said twice; neither makes a
-- row of another cell.
create view plain_rows as
with said as materialized (
    select
        * exclude (config, identity),
        try(json_extract_string(config, [
            '$.seed', '$.epochs', '$.learning_rate', '$.batch_size', '$.precision',
            '$.dataset.name', '$.noise.name', '$.noise.rate', '$.architecture.name', '$.loss'
        ])) as fields,
        identity is null or try(json_contains(config, case
            when contains(identity, ',"revisions":')
            then regexp_replace(identity, ',"revisions":\{[^}]*\}', '')
            else identity
        end)) as is_identity_told
    from checked_rows
)
select position, fields[10] as said_loss
from said
where is_identity_told
  and try_cast(fields[1] as bigint) = seed
  and try_cast(fields[2] as bigint) = num_epochs
  and try_cast(fields[3] as double) = learning_rate
  and try_cast(fields[4] as bigint) = batch_size
  and fields[5] = precision
  and fields[6] = dataset
  and fields[7] = noise
  and (fields[8] is null or try_cast(fields[8] as double) = noise_rate)
  and fields[9] = architecture;
