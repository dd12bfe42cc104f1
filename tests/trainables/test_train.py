"""One training run: exact, resumable, paired across losses, and honest about divergence."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
import torch

from tests.trainables.curves import curve
from trainables.components import build_config
from trainables.config import EpochRecord, TrainingConfig, TrainingResult
from trainables.registry import ParameterError
from trainables.training import checkpoint
from trainables.training.train import TrainingInterrupted, train

TINY = {
    "dataset": {"name": "synthetic", "like": "fashion-mnist", "images": 200},
    "architecture": {"name": "mlp", "hidden": [16]},
    "loss": "ce",
    "learning_rate": 0.05,
    "epochs": 4,
    "batch_size": 32,
    "noise": {"kind": "symmetric", "rate": 0.4},
}
NETWORKS = {
    "mlp": {},
    "resnet": {
        "architecture": "resnet20",
        "dataset": {"name": "synthetic", "like": "cifar10", "images": 64},
        "augmentation": [
            "flip",
            {"name": "crop", "padding": 2},
            {"name": "rotation", "degrees": 9},
        ],
        "schedule": {"name": "step", "milestones": [1, 2]},
        "epochs": 3,
    },
}


def config(**changes: object) -> TrainingConfig:
    return build_config({**TINY, **changes})


def run(given: TrainingConfig, **options) -> TrainingResult:
    return train(given, device="cpu", **options)


def test_it_learns_and_says_what_it_did() -> None:
    result = run(config(noise="none", epochs=6))
    assert result.epochs[-1].test_accuracy > 0.9
    assert [record.epoch for record in result.epochs] == [1, 2, 3, 4, 5, 6]
    assert result.num_parameters == 784 * 16 + 16 + 16 * 10 + 10
    assert result.realized_noise_rate == 0
    assert result.epochs[-1].memorization is None
    assert result.diverged_epoch is None
    assert result.epochs[-1].test_top5_accuracy >= result.epochs[-1].test_accuracy


def test_equal_configurations_give_equal_numbers_whatever_ran_before() -> None:
    first = run(config())
    run(config(seed=5, loss="mae", architecture={"name": "mlp", "hidden": [8]}))
    torch.rand(3)  # the global generator must not matter
    assert curve(run(config())) == curve(first)


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    run(config(augmentation=["flip"]))
    assert torch.equal(before, torch.get_rng_state())


def test_losses_meet_the_same_labels_weights_and_order() -> None:
    results = [run(config(loss=loss, epochs=1)) for loss in ("ce", "mae", {"name": "gce"})]
    assert len({r.noisy_label_sha256 for r in results}) == 1
    assert len({r.initial_weights_sha256 for r in results}) == 1
    other = run(config(seed=1, epochs=1))
    assert other.noisy_label_sha256 != results[0].noisy_label_sha256
    assert other.initial_weights_sha256 != results[0].initial_weights_sha256
    fixed = run(config(seed=1, noise_seed=0, epochs=1))
    assert fixed.noisy_label_sha256 == results[0].noisy_label_sha256


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "loss", ["ce", {"name": "mae", "logit_bias": [2.0, 0.5], "logit_bias_epochs": 1}]
)
@pytest.mark.parametrize("stop_after", [1, 2])
def test_resuming_changes_no_bit(network: str, loss, stop_after: int, tmp_path: Path) -> None:
    given = config(**NETWORKS[network], loss=loss)
    path = tmp_path / "run.pt"
    seen: list[EpochRecord] = []
    with pytest.raises(TrainingInterrupted) as stopped:
        run(
            given,
            checkpoint_path=path,
            on_epoch=seen.append,
            should_stop=lambda: len(seen) == stop_after,
        )
    assert stopped.value.epoch == stop_after
    resumed = run(given, checkpoint_path=path)
    assert resumed.resumed_from_epoch == stop_after
    assert curve(resumed) == curve(run(given))


class StopAt:
    """Asks for a stop at the n-th look; every step is one."""

    def __init__(self, look: int) -> None:
        self.left = look

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("stop_at", [1, 4, 9])
def test_resuming_within_an_epoch_changes_no_bit(
    network: str, stop_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.training.train.LOOK_SECONDS", 0.0)
    given = config(batch_size=16, **NETWORKS[network])
    path = tmp_path / "cell.pt"
    with pytest.raises(TrainingInterrupted):
        run(given, checkpoint_path=path, should_stop=StopAt(stop_at))
    state = checkpoint.load(path, given.to_dict())
    assert state is not None and state["steps"] > 0
    resumed = run(given, checkpoint_path=path)
    assert curve(resumed) == curve(run(given))
    assert resumed.resumed_from_epoch == len(state["records"])


def test_the_time_before_a_stop_within_an_epoch_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.training.train.LOOK_SECONDS", 0.0)
    path = tmp_path / "cell.pt"
    with pytest.raises(TrainingInterrupted):
        run(config(), checkpoint_path=path, should_stop=StopAt(3))
    state = checkpoint.load(path, config().to_dict())
    assert state is not None
    checkpoint.save(path, {**state, "epoch_seconds": 1000.0})
    first, second, *_ = run(config(), checkpoint_path=path).epochs
    assert first.seconds > 1000 > second.seconds


def test_gradients_of_micro_batches_add_up() -> None:
    whole, parts = run(config()), run(config(micro_batch=10))
    for ours, theirs in zip(parts.epochs, whole.epochs, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-4)
        assert ours.test_loss == pytest.approx(theirs.test_loss, rel=1e-4)
    assert curve(run(config(micro_batch=32))) == curve(whole)


def test_a_micro_batch_is_part_of_a_batch() -> None:
    with pytest.raises(ParameterError, match="33 images at once are more than a batch of 32"):
        config(micro_batch=33)


def test_a_checkpoint_of_another_run_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    with pytest.raises(TrainingInterrupted):
        run(config(), checkpoint_path=path, should_stop=lambda: True)
    assert run(config(learning_rate=0.04), checkpoint_path=path).resumed_from_epoch is None


def test_any_damage_to_a_checkpoint_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    state = {"config": {}, "weights": torch.arange(50.0)}
    checkpoint.save(path, state)
    sound = path.read_bytes()
    assert checkpoint.load(path, {}) is not None
    for cut in range(0, len(sound), 97):
        path.write_bytes(sound[:cut])
        assert checkpoint.load(path, {}) is None
    for bit in range(0, 8 * len(sound), 501):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(flipped)
        assert checkpoint.load(path, {}) is None
    checkpoint.discard(path)
    assert checkpoint.load(path, {}) is None


def test_training_goes_on_while_a_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, put, written = Event(), checkpoint._put, []

    def slow(path: Path, content: memoryview) -> bool:
        written.append(path)
        assert disk.wait(60)
        return put(path, content)

    monkeypatch.setattr(checkpoint, "_put", slow)
    path, seen = tmp_path / "run.pt", []

    def on_epoch(record: EpochRecord) -> None:
        seen.append(record)
        if record.epoch == 4:
            disk.set()

    result = run(config(), checkpoint_path=path, checkpoint_seconds=0, on_epoch=on_epoch)
    assert curve(result) == curve(run(config()))
    assert len(written) == 1  # the others were not due while the disk was busy
    state = checkpoint.load(path, config().to_dict())
    assert state is not None and len(state["records"]) == 1  # as it was, not as it became


def test_a_disk_that_fails_is_told_but_costs_no_finished_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path, content: memoryview) -> bool:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(checkpoint, "_put", fails)
    with checkpoint.Writer() as writer:
        writer.save(tmp_path / "run.pt", {})
    with checkpoint.Writer() as writer, pytest.raises(OSError, match="broken"):
        writer.save(tmp_path / "run.pt", {})
        writer.wait()
    with pytest.raises(OSError, match="broken"):
        run(config(), checkpoint_path=tmp_path / "run.pt", should_stop=lambda: True)


@pytest.mark.parametrize("loss", ["ce", "mae", "gce"])
def test_divergence_is_an_outcome_at_chance_accuracy(loss: str) -> None:
    result = run(config(loss=loss, learning_rate=1e30))
    assert result.diverged_epoch == 1
    assert len(result.epochs) == 4
    assert {record.test_accuracy for record in result.epochs} == {0.1}
    assert {record.test_top5_accuracy for record in result.epochs} == {0.5}
    assert {record.test_loss for record in result.epochs} == {None}


def test_memorization_counts_wrong_labels_that_are_reproduced() -> None:
    result = run(config(noise={"kind": "symmetric", "rate": 1.0}, epochs=1))
    last = result.epochs[-1]
    assert result.realized_noise_rate == 1.0
    assert last.memorization == pytest.approx(last.train_accuracy_noisy)


def test_the_logit_bias_is_dropped_at_test_time() -> None:
    plain, biased = (
        run(config(epochs=1)),
        run(config(epochs=1, loss={"name": "ce", "logit_bias": 5})),
    )
    assert biased.epochs[0].train_loss < plain.epochs[0].train_loss
    assert biased.epochs[0].test_loss > biased.epochs[0].train_loss


def test_bf16_runs_and_tf32_needs_a_gpu() -> None:
    assert run(config(precision="bf16", epochs=1)).diverged_epoch is None
    with pytest.raises(ParameterError, match="needs a GPU"):
        run(config(precision="tf32"))


def test_the_last_batch_is_kept() -> None:
    """201 images in batches of 100: one image makes a batch of its own."""
    dataset = {"name": "synthetic", "like": "fashion-mnist", "images": 201}
    whole = run(config(dataset=dataset, batch_size=100, epochs=1, noise="none"))
    assert whole.epochs[0].train_accuracy_noisy * 201 == pytest.approx(
        round(whole.epochs[0].train_accuracy_noisy * 201)
    )


PRUNING = {"name": "tgce", "start_prune": 3, "prune_every": 1}


def test_pruning_leaves_out_what_the_network_disbelieves() -> None:
    """Until the first pass truncated L_q is L_q; then wrong labels lose their weight."""
    settings = {"epochs": 8, "learning_rate": 0.02}
    plain = run(config(loss={"name": "gce", "q": 0.7}, **settings))
    pruned = run(config(loss=PRUNING, **settings))
    losses = [[r.train_loss for r in result.epochs] for result in (plain, pruned)]
    assert losses[0][:2] == losses[1][:2]
    assert losses[1][2] < losses[0][2]
    assert pruned.epochs[-1].memorization <= plain.epochs[-1].memorization


def test_resuming_keeps_the_pruned_samples(tmp_path: Path) -> None:
    given, seen = config(loss=PRUNING, epochs=5), []
    path = tmp_path / "run.pt"
    stop = {"checkpoint_path": path, "on_epoch": seen.append}
    with pytest.raises(TrainingInterrupted):
        run(given, **stop, should_stop=lambda: len(seen) == 3)
    assert curve(run(given, checkpoint_path=path)) == curve(run(given))


def test_a_configuration_survives_json() -> None:
    given = config(**NETWORKS["resnet"])
    assert TrainingConfig.from_dict(given.to_dict()) == given
    assert replace(given, seed=1) != given


def test_a_full_disk_costs_a_checkpoint_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "run.pt"
    undisturbed = run(config())
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_room)
        assert curve(run(config(), checkpoint_path=path, checkpoint_seconds=0)) == curve(
            undisturbed
        )
    assert list(tmp_path.iterdir()) == []
