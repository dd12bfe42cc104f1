"""Recorded steps are the steps: to the bit, whatever changes between them, and with a way out.

A tape stands for the CUDA graph: it does the operations of a step again, in order and on the same
memory, without its Python. What a graph would freeze, the tape freezes; what a graph may not do,
such as reading a value back, it refuses. On a GPU the same is asked of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from loss_accuracy import SPECS
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import trainables.training.loop
from tests.trainables.curves import curve
from trainables.components import build_config
from trainables.config import Choice, TrainingConfig
from trainables.losses import LOSSES
from trainables.theory.host_reads import HostReads, host_read
from trainables.training.cuda_graph import Work
from trainables.training.train import TrainingInterrupted, train, train_stack

TINY: dict[str, object] = {
    "dataset": {"name": "synthetic", "like": "fashion-mnist", "images": 100},
    "architecture": {"name": "mlp", "hidden": [16, 8]},
    "optimizer": {"name": "sgd", "momentum": 0.9, "weight_decay": 1e-3},
    "loss": "ce",
    "learning_rate": 0.02,
    "schedule": {"name": "step", "milestones": [1, 2], "factor": 0.3},
    "epochs": 4,
    "batch_size": 16,
    "noise": {"kind": "symmetric", "rate": 0.4},
}
IN_COLOUR = {**TINY, "dataset": {"name": "synthetic", "like": "cifar10", "images": 40}, "epochs": 3}


class _Tape(TorchDispatchMode):
    """The operations that run while it is entered, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Mapping[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if name := host_read(func, args):
            raise RuntimeError(f"{name} waits for the device")
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result


class Tapes:
    """A recorder, which counts what is recorded and what is played."""

    def __init__(self) -> None:
        self.recorded = self.played = 0

    def __call__(self, work: Work) -> Work:
        with _Tape() as tape:
            work()
        self.recorded += 1

        def play() -> None:
            self.played += 1
            with torch.no_grad():
                for func, args, kwargs, result in tape.calls:
                    again = func(*args, **kwargs)
                    for place, value in zip(tree_leaves(result), tree_leaves(again), strict=True):
                        if isinstance(place, Tensor) and place.data_ptr() != value.data_ptr():
                            place.copy_(value)

        return play


@pytest.fixture
def tapes(monkeypatch: pytest.MonkeyPatch) -> Tapes:
    tapes = Tapes()
    monkeypatch.setattr(trainables.training.loop, "recorder_for", lambda _device: tapes)
    return tapes


def curves(configs: list[TrainingConfig], device: str = "cpu") -> list[list[dict[str, object]]]:
    return [curve(result) for result in train_stack(configs, device=device)]


def both(
    configs: list[TrainingConfig], monkeypatch: pytest.MonkeyPatch, device: str = "cpu"
) -> tuple[Any, Any]:
    """Curves with recorded steps, and without."""
    recorded = curves(configs, device)
    with monkeypatch.context() as without:
        without.setattr(trainables.training.loop, "recorder_for", lambda _device: None)
        return recorded, curves(configs, device)


CASES: dict[str, list[TrainingConfig]] = {
    **{
        f"{name}-{number}": [build_config({**TINY, "loss": Choice.of(name, parameters)})]
        for number, (name, parameters) in enumerate(SPECS)
    },
    "cycle of biases": [
        build_config(
            {
                **TINY,
                "loss": {"name": "mae", "logit_bias": [0.0, 2.0, 0.5], "logit_bias_epochs": 1},
            }
        )
    ],
    "pruning": [
        build_config(
            {**TINY, "loss": {"name": "tgce", "start_prune": 2, "prune_every": 1, "q": 0.3}}
        )
    ],
    "plain SGD": [build_config({**TINY, "optimizer": {"name": "sgd", "momentum": 0.0}})],
    "micro-batches": [build_config({**TINY, "micro_batch": 6})],
    "crop, flip, rotation": [
        build_config(
            {**IN_COLOUR, "augmentation": ["crop", "flip", {"name": "rotation", "degrees": 15}]}
        )
    ],
    "ResNet": [build_config({**IN_COLOUR, "architecture": "resnet20"})],
    "ResNet in bf16": [
        build_config({**IN_COLOUR, "architecture": "resnet20", "precision": "bf16"})
    ],
    "diverges": [build_config({**TINY, "learning_rate": 1e30})],
    "stack": [
        build_config(
            {
                **TINY,
                "loss": Choice.of(name, parameters),
                "seed": seed,
                "learning_rate": 0.01 * (seed + 1),
            }
        )
        for seed, (name, parameters) in enumerate(SPECS)
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_recorded_steps_are_the_steps(
    case: str, tapes: Tapes, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded, plain = both(CASES[case], monkeypatch)
    assert recorded == plain
    # Two shapes of batch a run, each done once as written; the tape does the rest.
    if case != "diverges":
        assert tapes.recorded == 2
        assert tapes.played


def test_a_run_goes_on_from_its_checkpoint(tapes: Tapes, tmp_path: Path) -> None:
    config = build_config({**TINY, "loss": {"name": "mae", "logit_bias": 2.0}})
    seen: list[object] = []
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(TrainingInterrupted):
        train(
            config,
            device="cpu",
            checkpoint_path=path,
            on_epoch=seen.append,
            should_stop=lambda: len(seen) == 2,
        )
    resumed = train(config, device="cpu", checkpoint_path=path)
    assert resumed.resumed_from_epoch == 2
    assert curve(resumed) == curve(train(config, device="cpu"))
    assert tapes.recorded == 6


def test_a_loss_that_reads_a_value_back_is_trained_as_it_is_written(
    tapes: Tapes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    written = LOSSES.build(Choice("ce"))

    def reads(logits: Tensor, labels: Tensor) -> Tensor:
        scale = 0.5 if logits.detach().abs().max().item() > 1 else 1.0
        return scale * written(logits, labels)

    monkeypatch.setattr(LOSSES, "build", lambda _choice: reads)
    recorded, plain = both([build_config(TINY)], monkeypatch)
    assert recorded == plain
    assert tapes.recorded == 0
    assert "cannot be recorded" in caplog.text
    assert "waits for the device" in caplog.text
    assert len(caplog.records) == 2  # one for each shape of batch, none for each step


def test_what_a_recording_cannot_hold_is_named() -> None:
    values = torch.tensor([1.0, -1.0], requires_grad=True)
    with HostReads() as reads:
        chosen = values[values > 0]
        if chosen.sum() > 0:
            chosen.sum().backward()
    assert reads.names == {"indexing by a mask", "item"}
    with HostReads() as reads:
        torch.where(values > 0, values, 0.0).sum().backward()
    assert not reads.names


def test_too_little_memory_is_no_reason_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def record(work: Work) -> Work:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(trainables.training.loop, "recorder_for", lambda _device: record)
    with pytest.raises(torch.OutOfMemoryError):
        train(build_config(TINY), device="cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("case", CASES)
def test_cuda_graphs_are_the_steps(
    case: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with torch.backends.cudnn.flags(enabled=True, deterministic=True):
        recorded, plain = both(CASES[case], monkeypatch, device="cuda")
    assert recorded == plain
    assert not caplog.records
