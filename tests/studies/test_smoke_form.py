"""What a smoke run keeps of a study: its kinds of noise, and a precision that any machine has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from orchestrator.plan.open import open_study
from trainables.datasets import dataset_info
from trainables.noise import NOISES, NoiseContext
from trainables.registry import ParameterError
from trainables.training.train import train

STUDIES = Path(__file__).parents[2] / "studies"


def smoke_configs(name: str) -> list:
    cells = open_study(STUDIES / f"{name}.yaml", smoke=True).expand({})
    return [entry.cell.config for entry in cells if entry.cell]


@pytest.mark.parametrize("name", ["table3", "clothing1m"])
def test_a_smoke_run_needs_no_gpu(name: str) -> None:
    whole = (entry.cell for entry in open_study(STUDIES / f"{name}.yaml").expand({}))
    assert {cell.config.precision for cell in whole if cell} == {"tf32"}
    assert {config.precision for config in smoke_configs(name)} == {"fp32"}


def test_human_noise_stays_human(tmp_path: Path) -> None:
    found = smoke_configs("human_noise")
    assert {config.noise.name for config in found} == {"human"}
    assert {config.noise.get("set") for config in found} == {
        "aggregate",
        "random1",
        "worst",
        "noisy",
    }
    result = train(found[0], data_root=tmp_path, device="cpu")
    assert result.realized_noise_rate is not None
    assert result.realized_noise_rate > 0


@pytest.mark.parametrize(
    ("like", "name", "rate"), [("cifar10", "worst", 0.402), ("cifar100", "noisy", 0.402)]
)
def test_stand_ins_have_as_many_wrong_labels(
    like: str, name: str, rate: float, tmp_path: Path
) -> None:
    from trainables.config import Choice

    info = dataset_info(Choice.of("synthetic", like=like))
    labels = torch.arange(10_000) % info.num_classes
    noise = NOISES.build(Choice.of("human", set=name))
    given = [
        noise(labels, NoiseContext(info, torch.Generator().manual_seed(seed), tmp_path))
        for seed in (0, 1)
    ]
    assert torch.equal(*given)
    assert float((given[0] != labels).double().mean()) == pytest.approx(rate, abs=1e-3)


def test_a_set_that_a_data_set_has_not_is_refused_for_its_stand_in_too(tmp_path: Path) -> None:
    from trainables.config import Choice

    info = dataset_info(Choice.of("synthetic", like="cifar100"))
    noise = NOISES.build(Choice.of("human", set="worst"))
    with pytest.raises(ParameterError, match="label sets of cifar100 are noisy"):
        noise(torch.zeros(4, dtype=torch.int64), NoiseContext(info, torch.Generator(), tmp_path))
