"""What a component does to others: nothing, or its run has no result and is undone."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainables.curves import curve
from trainables.architectures import ARCHITECTURES
from trainables.augment import AUGMENTATIONS
from trainables.components import build_config
from trainables.config import Choice, TrainingConfig, TrainingResult
from trainables.images.resident import resident_data
from trainables.isolation.attestation import ContradictionError
from trainables.isolation.isolation import GlobalStateError
from trainables.isolation.state import ProcessState
from trainables.losses import LOSSES
from trainables.noise import NOISES
from trainables.registry import Registry
from trainables.training import loop as run_module
from trainables.training.train import TrainingInterrupted, train, train_stack

TINY = {
    "dataset": {"name": "synthetic", "like": "mnist", "images": 60},
    "architecture": {"name": "mlp", "hidden": [8]},
    "loss": "ce",
    "learning_rate": 0.05,
    "epochs": 2,
    "batch_size": 20,
    "noise": {"kind": "symmetric", "rate": 0.4},
}


def config(**changes: object) -> TrainingConfig:
    return build_config({**TINY, **changes})


def run(**changes: object) -> TrainingResult:
    return train(config(**changes), device="cpu")


@pytest.fixture
def offer() -> Iterator[Callable[..., str]]:
    """Registers a component under the name `foreign` for one test."""
    offered: list[Registry] = []

    def register(registry: Registry, target: object) -> str:
        offered.append(registry)
        registry.register("foreign")(target)  # type: ignore[arg-type]
        return "foreign"

    yield register
    for registry in offered:
        registry._components.pop("foreign", None)


@pytest.fixture(autouse=True)
def fresh_data() -> Iterator[None]:
    resident_data.cache_clear()
    yield
    resident_data.cache_clear()


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, labels, reduction="none")


def rewriting(logits: Tensor, labels: Tensor) -> Tensor:
    """Reads other labels than it is given, and leaves them so."""
    labels[labels > 3] = 0
    with torch.no_grad():
        logits[:, 0] = 100
    return cross_entropy(logits, labels)


def test_a_loss_that_writes_into_its_arguments_changes_no_figure_of_others(offer) -> None:
    alone = run()
    foreign = run(loss=offer(LOSSES, rewriting))
    assert curve(run()) == curve(alone)
    assert foreign.noisy_label_sha256 == alone.noisy_label_sha256
    assert foreign.test_data_sha256 == alone.test_data_sha256


def reading(logits: Tensor, labels: Tensor) -> Tensor:
    """The same loss without a write."""
    change = torch.zeros_like(logits)
    change[:, 0] = 100 - logits.detach()[:, 0]
    return cross_entropy(logits + change, labels.where(labels <= 3, 0))


def test_its_own_figures_are_those_of_the_network_and_of_the_given_labels(offer) -> None:
    writing = curve(run(loss=offer(LOSSES, rewriting)))
    polite = curve(run(loss=offer(LOSSES, reading)))
    for ours, theirs in zip(writing, polite, strict=True):
        assert ours == pytest.approx(theirs)


def test_so_it_is_in_micro_batches_and_in_a_stack(offer) -> None:
    name = offer(LOSSES, rewriting)
    alone = run(micro_batch=7)
    run(loss=name, micro_batch=7)
    assert curve(run(micro_batch=7)) == curve(alone)
    undisturbed = train_stack([config(seed=s) for s in range(3)], device="cpu")
    mixed = [config(seed=0), config(seed=1, loss=name), config(seed=2)]
    disturbed = train_stack(mixed, device="cpu")
    for member in (0, 2):
        assert curve(disturbed[member])[-1] == pytest.approx(curve(undisturbed[member])[-1])


class Pruning:
    """Writes into the labels that it decides about."""

    kept_loss = staticmethod(cross_entropy)

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(logits, labels)

    def keeps(self, logits: Tensor, labels: Tensor) -> Tensor:
        labels.fill_(0)
        return logits.argmax(1) >= 0

    def prunes_after(self, epoch: int) -> bool:
        return epoch == 1


def test_the_labels_of_a_pruning_pass_are_copies(offer) -> None:
    assert run(loss=offer(LOSSES, Pruning)).noisy_label_sha256 == run().noisy_label_sha256


def test_a_noise_model_gets_a_copy_of_the_labels(offer) -> None:
    kept: list[Tensor] = []

    def all_wrong(labels: Tensor, context: object) -> Tensor:
        kept.append(labels)
        return labels.add_(1).remainder_(10)

    alone = run()
    foreign = run(noise={"kind": offer(NOISES, all_wrong)})
    assert foreign.realized_noise_rate == 1
    assert curve(run()) == curve(alone)

    def late(logits: Tensor, labels: Tensor) -> Tensor:
        kept[-1].zero_()  # what the noise model has returned
        return cross_entropy(logits, labels)

    again = run(noise={"kind": "foreign"}, loss=offer(LOSSES, late))
    assert again.noisy_label_sha256 == foreign.noisy_label_sha256


class Blackening:
    def draw(self, num_images: int, generator: torch.Generator) -> Tensor:
        return torch.zeros(num_images)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        return images.zero_()


def test_an_augmentation_gets_a_copy_of_the_images(offer) -> None:
    alone = run()
    run(augmentation=[offer(AUGMENTATIONS, Blackening)])
    assert curve(run()) == curve(alone)


class Inverting(nn.Module):
    """Writes into its images."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.inner(images.neg_())
        return logits


def test_a_network_gets_a_copy_of_the_images(offer) -> None:
    def inverting(shape, num_classes, generator) -> nn.Module:
        return Inverting(
            ARCHITECTURES.build(Choice.of("mlp", hidden=(8,)))(shape, num_classes, generator)
        )

    alone = run()
    run(architecture=offer(ARCHITECTURES, inverting))
    assert curve(run()) == curve(alone)


SETTINGS = {
    "float32 matmul precision from highest to medium": lambda: torch.set_float32_matmul_precision(
        "medium"
    ),
    "fp32 precision of cuda conv": lambda: setattr(torch.backends.cudnn, "allow_tf32", True),
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "default device from cpu to meta": lambda: torch.set_default_device("meta"),
    "gradients from True to False": lambda: torch.set_grad_enabled(False),
    "deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
    "number of torch's threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "denormal": lambda: torch.set_flush_denormal(True),
    "autocast on cpu": lambda: torch.set_autocast_enabled("cpu", True),
    "torch.backends.mkldnn.enabled": lambda: torch.backends.mkldnn.set_flags(False),
    "global forward hooks": lambda: nn.modules.module.register_module_forward_hook(lambda *_: None),
    "torch.nn.modules.activation.ReLU.forward": lambda: setattr(
        nn.ReLU, "forward", nn.Identity.forward
    ),
    "torch.nn.modules.linear.Linear.__call__": lambda: setattr(
        nn.Linear, "__call__", nn.Identity.forward
    ),
    "torch.nn.functional.relu": lambda: setattr(nn.functional, "relu", lambda x: x),
    "torch.Tensor.backward": lambda: setattr(torch.Tensor, "backward", lambda x: x),
    "numpy.argmax": lambda: setattr(np, "argmax", lambda x: x),
    "trainables.training.loop.evaluate": lambda: setattr(run_module, "evaluate", lambda *_: []),
}


@pytest.mark.parametrize("words", SETTINGS)
def test_what_a_loss_changes_ends_its_run_and_is_undone(words: str, offer) -> None:
    before = ProcessState.now()

    def changing(logits: Tensor, labels: Tensor) -> Tensor:
        losses = cross_entropy(logits, labels)
        SETTINGS[words]()
        return losses

    with pytest.raises(GlobalStateError) as refused:
        run(loss=offer(LOSSES, changing), epochs=1)
    assert str(refused.value).startswith("loss foreign changes ")
    assert words in str(refused.value)
    assert before.changes() == ()


def test_the_message_says_what_to_do_instead(offer) -> None:
    def changing(logits: Tensor, labels: Tensor) -> Tensor:
        torch.set_float32_matmul_precision("medium")
        return cross_entropy(logits, labels)

    with pytest.raises(GlobalStateError) as refused:
        run(loss=offer(LOSSES, changing), epochs=1)
    assert str(refused.value) == (
        "loss foreign changes torch's float32 matmul precision from highest to medium "
        "(and 2 more); set `precision: tf32` or `precision: bf16` in the study instead"
    )


def test_a_long_run_ends_with_the_epoch_that_changed_a_setting(offer) -> None:
    def changing(logits: Tensor, labels: Tensor) -> Tensor:
        torch.set_flush_denormal(True)
        return cross_entropy(logits, labels)

    seen: list[int] = []
    with pytest.raises(GlobalStateError):
        train(
            config(loss=offer(LOSSES, changing), epochs=9),
            device="cpu",
            on_epoch=lambda record: seen.append(record.epoch),
        )
    assert seen == [1]


def test_an_import_that_changes_the_state_is_refused_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loss_of_another_dtype.py").write_text(
        "import torch\n"
        "from trainables.losses import LOSSES\n"
        "torch.set_default_dtype(torch.float64)\n"
        "@LOSSES.register('loss_of_another_dtype')\n"
        "def loss(logits, labels):\n"
        "    return torch.nn.functional.cross_entropy(logits, labels, reduction='none')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from dataclasses import replace

    given = replace(config(), loss=Choice("loss_of_another_dtype"))
    for _ in range(2):
        with pytest.raises(GlobalStateError) as refused:
            train(given, device="cpu")
        assert str(refused.value).startswith(
            "importing loss loss_of_another_dtype changes torch's default dtype from torch.float32"
        )
        assert torch.get_default_dtype() == torch.float32


def test_what_moves_no_numbers_is_undone_with_a_note(offer, tmp_path: Path) -> None:
    def wandering(logits: Tensor, labels: Tensor) -> Tensor:
        os.chdir(tmp_path)
        os.environ["LEFT_BEHIND"] = "1"
        return cross_entropy(logits, labels)

    notes: list[str] = []
    here = Path.cwd()
    train_stack([config(loss=offer(LOSSES, wandering))], device="cpu", on_note=notes.append)
    assert Path.cwd() == here and "LEFT_BEHIND" not in os.environ
    assert notes == [
        f"loss foreign changes the current folder from {here} to {tmp_path} (and 1 more); undone"
    ]


def test_an_error_on_the_way_is_told_as_the_change_that_made_it(offer) -> None:
    def breaking(logits: Tensor, labels: Tensor) -> Tensor:
        torch.set_default_device("meta")
        raise ValueError("out of ideas")

    with pytest.raises(GlobalStateError) as refused:
        run(loss=offer(LOSSES, breaking))
    assert isinstance(refused.value.__cause__, ValueError)


def test_digests_of_the_state_are_equal_where_the_settings_are() -> None:
    first, second = run(epochs=1), run(epochs=1, seed=3, precision="bf16")
    assert first.process_state_sha256 == second.process_state_sha256
    torch.backends.cudnn.benchmark = True
    try:
        assert run(epochs=1).process_state_sha256 != first.process_state_sha256
    finally:
        torch.backends.cudnn.benchmark = False


class WithDropout:
    def __call__(self, shape, num_classes, generator) -> nn.Module:
        inner = ARCHITECTURES.build(Choice.of("mlp", hidden=(8,)))(shape, num_classes, generator)
        return nn.Sequential(inner[0], nn.Dropout(0.5), *inner[1:])


def test_dropout_is_the_same_whatever_ran_before(offer, tmp_path: Path, monkeypatch) -> None:
    name = offer(ARCHITECTURES, WithDropout)
    first = run(architecture=name)
    torch.rand(5), np.random.rand(5), random.random()
    before = torch.get_rng_state(), np.random.get_state()[1].sum(), random.getstate()
    assert curve(run(architecture=name)) == curve(first)
    after = torch.get_rng_state(), np.random.get_state()[1].sum(), random.getstate()
    assert torch.equal(before[0], after[0]) and before[1:] == after[1:]
    monkeypatch.setattr("trainables.training.train.LOOK_SECONDS", 0.0)
    looks = iter([False, True])
    path = tmp_path / "state.pt"
    with pytest.raises(TrainingInterrupted):
        train(
            config(architecture=name),
            device="cpu",
            checkpoint_path=path,
            should_stop=lambda: next(looks),
        )
    resumed = train(config(architecture=name), device="cpu", checkpoint_path=path)
    assert curve(resumed) == curve(first)


def test_weights_from_the_global_generator_are_the_same_whatever_ran_before(offer) -> None:
    def careless(shape, num_classes, generator) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(784, num_classes))

    name = offer(ARCHITECTURES, careless)
    first = run(architecture=name)
    torch.rand(5)
    assert run(architecture=name).initial_weights_sha256 == first.initial_weights_sha256
    others = [run(architecture=name, seed=seed, noise_seed=7) for seed in (0, 1)]
    assert others[0].initial_weights_sha256 == first.initial_weights_sha256
    assert others[1].initial_weights_sha256 != first.initial_weights_sha256


def test_noise_from_the_global_generator_is_the_same_whatever_ran_before(offer) -> None:
    def careless(labels: Tensor, context: object) -> Tensor:
        return torch.from_numpy(np.random.permutation(labels.numpy()))

    noise = {"kind": offer(NOISES, careless)}
    first = run(noise=noise, epochs=1)
    np.random.rand(5)
    assert run(noise=noise, epochs=1).noisy_label_sha256 == first.noisy_label_sha256


@pytest.mark.parametrize("part", ["training labels", "training images", "test labels"])
def test_a_run_whose_data_changed_has_no_result_and_leaves_none_behind(part: str, offer) -> None:
    alone = run()

    def vandal(logits: Tensor, labels: Tensor) -> Tensor:
        given = config()
        data = resident_data(given.dataset, DATA, "cpu")
        if part == "training images":
            data.train_images._images[0] = 0  # type: ignore[attr-defined]
        else:
            {"training labels": data.train_labels, "test labels": data.test_labels}[part][:9] = 0
        return cross_entropy(logits, labels)

    from trainables.datasets import default_data_root

    DATA = default_data_root()
    with pytest.raises(ContradictionError) as found:
        run(loss=offer(LOSSES, vandal))
    assert str(found.value) == f"the {part} were written to during this run"
    assert curve(run()) == curve(alone)


def test_results_say_what_they_were_made_from() -> None:
    first, second = run(), run(seed=4, loss="mae")
    assert first.train_data_sha256 and first.test_data_sha256 != first.train_data_sha256
    assert first.train_data_sha256 == second.train_data_sha256
    other = run(dataset={"name": "synthetic", "like": "mnist", "images": 80})
    assert other.train_data_sha256 != first.train_data_sha256
    assert (first.num_threads, first.stack_size, first.stack_position) == (
        torch.get_num_threads(),
        1,
        0,
    )
    stacked = train_stack([config(seed=seed) for seed in range(2)], device="cpu")
    assert [(r.stack_size, r.stack_position) for r in stacked] == [(2, 0), (2, 1)]


def test_an_import_that_patches_a_component_not_used_before_is_refused(tmp_path: Path) -> None:
    """In a process of its own: here every component has been imported by now."""
    (tmp_path / "patching.py").write_text(
        "import trainables.losses.gce as gce\n"
        "from trainables.losses import LOSSES\n"
        "gce.GeneralizedCrossEntropy.__call__ = lambda self, logits, labels: logits.sum(1)\n"
        "@LOSSES.register('patching')\n"
        "def loss(logits, labels):\n"
        "    return logits.sum(1)\n"
    )
    code = (
        "from dataclasses import replace\n"
        "from trainables.components import build_config\n"
        "from trainables.config import Choice\n"
        "from trainables.training.train import train\n"
        f"given = replace(build_config({TINY!r}), loss=Choice('patching'))\n"
        "try: train(given, device='cpu')\n"
        "except Exception as error: print(error)\n"
    )
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=True,
    )
    assert done.stdout.startswith(
        "importing loss patching changes the code of "
        "trainables.losses.gce.GeneralizedCrossEntropy.__call__"
    )
