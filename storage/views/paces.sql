-- Seconds of an epoch by what decides them: the middle, and the range of the middle 80 %.
create view paces as
select
    config->'$.dataset' as dataset,
    config->'$.architecture' as architecture,
    batch_size,
    precision,
    device,
    count(*) as num_cells,
    quantile_cont(seconds / num_epochs, 0.1) as low,
    quantile_cont(seconds / num_epochs, 0.5) as middle,
    quantile_cont(seconds / num_epochs, 0.9) as high
from results
group by all
order by all;
