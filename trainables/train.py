"""Training runs: configurations in, per-epoch records and results out.

Runs from a plain script on any device; knows nothing of Ray, studies or the store. A lone run is a
stack of one: both are trained by the same code.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainables import catalog, checkpoint
from trainables.augment import AUGMENTATIONS
from trainables.config import EpochRecord, TrainingConfig, TrainingResult
from trainables.datasets import default_data_root
from trainables.engine import (
    Learner,
    MemberLosses,
    Preprocessing,
    TrainingData,
    TrainingSums,
    arithmetic_of,
    matrix_precision,
)
from trainables.evaluate import TestFigures, evaluate
from trainables.member import Member
from trainables.networks import LoneNetwork, Network, as_one
from trainables.noise.measure import labels_sha256, realized_rate, transition_matrix
from trainables.normalization import NORMALIZATIONS
from trainables.optimization import OPTIMIZERS, SGD
from trainables.pruning import kept_samples
from trainables.registry import ParameterError
from trainables.resident import resident_data
from trainables.stacking import require_one_stack
from trainables.tracklets import rank_tracklets
from trainables.updates import LoneUpdates, MemberState, StackedUpdates, Updates

LOOK_SECONDS = 1.0
"""Between two looks, within an epoch, at the clock and at what asks for a stop."""


class TrainingInterrupted(Exception):  # noqa: N818 - not an error: the run goes on later
    """The run stopped as asked; its checkpoint holds `epoch` finished epochs (0: nothing yet)."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"stopped after epoch {epoch}")
        self.epoch = epoch


def train(
    config: TrainingConfig,
    *,
    data_root: Path | None = None,
    device: str | None = None,
    checkpoint_path: Path | None = None,
    checkpoint_seconds: float = 60.0,
    on_epoch: Callable[[EpochRecord], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainingResult:
    """Train one network as `config` says.

    Args:
        config: the run; parameters left out take their defaults.
        data_root: folder of the data sets; default `ORCHESTRATOR_DATA` or the user's cache.
        device: torch device; default the first GPU, else the CPU.
        checkpoint_path: where to write checkpoints, and to go on from one that is there.
        checkpoint_seconds: least time between two checkpoints.
        on_epoch: called with each new record.
        should_stop: asked after each epoch, and about once a second within long ones; True writes
            a checkpoint and stops.

    Raises:
        TrainingInterrupted: `should_stop` said so.
        DatasetError: the data set is not here.
        ComponentError: the configuration does not fit the data set or the device.
    """
    (result,) = train_stack(
        [config],
        data_root=data_root,
        device=device,
        checkpoint_paths=[checkpoint_path] if checkpoint_path else None,
        checkpoint_seconds=checkpoint_seconds,
        on_epoch=lambda _, record: on_epoch(record),
        should_stop=should_stop,
    )
    return result


def train_stack(
    configs: Sequence[TrainingConfig],
    *,
    data_root: Path | None = None,
    device: str | None = None,
    checkpoint_paths: Sequence[Path] | None = None,
    checkpoint_seconds: float = 60.0,
    on_epoch: Callable[[int, EpochRecord], None] = lambda _member, _record: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[TrainingResult]:
    """Train several networks at once as one batched model; each ends as if it were trained alone.

    Results agree with lone runs within floating-point tolerance; a member that diverges leaves the
    others unchanged. `seconds` is a member's share of the time. The arguments are those of `train`,
    with one checkpoint per member, and `on_epoch` is also given the member's position.

    Raises:
        As `train`; ParameterError if the runs cannot be trained together.
    """
    configs = [catalog.resolve(config) for config in configs]
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    root = data_root or default_data_root()
    pauses = _Pauses(checkpoint_paths, checkpoint_seconds, should_stop)
    with matrix_precision(configs[0].precision):
        if len(configs) > 1:
            _end_begun_epochs(configs, root, device, checkpoint_paths)
        run = _Run(configs, root, device, checkpoint_paths)
        while not run.is_over:
            run.next_epoch(on_epoch, pauses.after_step)
            if not run.is_over:
                pauses.look(run)
        return run.results()


class _Pauses:
    """When a run writes a checkpoint, and when it stops."""

    def __init__(
        self,
        paths: Sequence[Path] | None,
        checkpoint_seconds: float,
        should_stop: Callable[[], bool],
    ) -> None:
        self._paths, self._seconds, self._should_stop = paths, checkpoint_seconds, should_stop
        self._saved = self._looked = time.monotonic()

    def after_step(self, run: _Run) -> None:
        """Within an epoch, if the last look was a while ago."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self.look(run)

    def look(self, run: _Run) -> None:
        """Write a checkpoint if one is due. Raises TrainingInterrupted if it shall stop."""
        self._looked = time.monotonic()
        stop = self._should_stop()
        if self._paths and (stop or self._looked - self._saved >= self._seconds):
            run.save(self._paths)
            self._saved = time.monotonic()
        if stop:
            raise TrainingInterrupted(run.epochs_done if self._paths else 0)


def _end_begun_epochs(
    configs: Sequence[TrainingConfig],
    data_root: Path,
    device: str,
    paths: Sequence[Path] | None,
) -> None:
    """Members of a stack step together, so one that was stopped within an epoch ends it alone."""
    for config, path in zip(configs, paths or (), strict=False):
        state = checkpoint.load(path, config.to_dict())
        if state and state["steps"]:
            run = _Run([config], data_root, device, [path])
            run.next_epoch(lambda _member, _record: None, lambda _run: None)
            run.save([path])


class _Run:
    """The state of a stack between two epochs; that of a lone run also between two steps."""

    def __init__(
        self,
        configs: Sequence[TrainingConfig],
        data_root: Path,
        device: str,
        checkpoint_paths: Sequence[Path] | None,
    ) -> None:
        require_one_stack(configs)
        self.config, self.device = configs[0], device
        _check_precision(self.config, device)
        self.data = resident_data(self.config.dataset, data_root, device)
        self.augmentations = [AUGMENTATIONS.build(choice) for choice in self.config.augmentation]
        saved = _checkpoints(configs, checkpoint_paths)
        self.members = [
            Member(config, self.data, data_root, state)
            for config, state in zip(configs, saved, strict=True)
        ]
        networks = [member.initial_network() for member in self.members]
        for network, state in zip(networks, saved, strict=True):
            if state:
                network.load_state_dict(state["network"])
        begun = [state for state in saved if state and state["steps"]]
        self.steps_done: int = begun[0]["steps"] if begun else 0
        sums = [s["sums"] if s else torch.zeros(len(TrainingSums.NAMES)) for s in saved]
        self.sums = TrainingSums(torch.stack(sums).double().to(device))
        self._seconds_before: float = begun[0]["epoch_seconds"] if begun else 0.0
        states = [state["optimizer"] if state else None for state in saved]
        self.learner = self._learner(as_one(networks).to(device), states)

    def _learner(self, network: Network, states: Sequence[MemberState | None]) -> Learner:
        statistics = NORMALIZATIONS.build(self.config.normalization)(self.data.info)
        preprocess = Preprocessing.of(statistics, network, self.device)
        network.to(memory_format=preprocess.memory_format)
        names = [m.config.loss.replace(logit_bias=0.0, logit_bias_epochs=1) for m in self.members]
        return Learner(
            network,
            _updates(network, self.config, states),
            MemberLosses([m.loss for m in self.members], names, self.device),
            MemberLosses([m.objective for m in self.members], names, self.device),
            preprocess,
            arithmetic_of(self.config.precision, self.device),
            self.augmentations,
            self.config.micro_batch,
        )

    @property
    def is_over(self) -> bool:
        return all(member.is_over for member in self.members)

    @property
    def epochs_done(self) -> int:
        """By the member that is furthest behind."""
        return min(len(member.records) for member in self.members)

    def next_epoch(
        self,
        on_epoch: Callable[[int, EpochRecord], None],
        after_step: Callable[[_Run], None],
    ) -> None:
        """Train and test one epoch of each member, or what is left of it."""
        self._started = time.perf_counter()
        self._train(after_step)
        sums = self.sums.read()
        self._prune()
        tests = self._test()
        is_finite = self.learner.network.finite_members().tolist()
        seconds = self._epoch_seconds / len(self.members)
        self.steps_done, self._seconds_before = 0, 0.0
        self.sums = TrainingSums(torch.zeros_like(self.sums.values))
        for position, member in enumerate(self.members):
            if not member.is_over:
                figures = sums[position], tests[position], is_finite[position]
                on_epoch(position, member.record(*figures, seconds))

    def _test(self) -> list[TestFigures]:
        """A ranking takes longer than an epoch, so it is made of the last network only."""
        data = self.data
        if data.retrieval is None:
            return evaluate(self.learner, data.test_images, data.test_labels)
        if self.members[0].epoch < self.config.epochs:
            return [TestFigures() for _ in self.members]
        return rank_tracklets(self.learner, data.test_images, data.retrieval)

    @property
    def _epoch_seconds(self) -> float:
        """Time in the present epoch, by all members and attempts."""
        return self._seconds_before + time.perf_counter() - self._started

    def _train(self, after_step: Callable[[_Run], None]) -> None:
        biases = [member.logit_bias for member in self.members]
        on_device = torch.tensor(biases, device=self.device).unsqueeze(1) if any(biases) else None
        self.learner.updates.set_learning_rates([m.learning_rate for m in self.members])
        with closing(self._epoch().batches(self.config.batch_size, self.steps_done)) as batches:
            for batch in batches:
                self.learner.step(batch, on_device, self.sums)
                self.steps_done += 1
                if len(self.members) == 1:
                    after_step(self)

    def _epoch(self) -> TrainingData:
        """The next epoch with all its random draws."""
        draws = zip(*(member.draws(self.augmentations) for member in self.members), strict=True)
        stacked = [torch.stack(parts).to(self.device) for parts in draws]
        return TrainingData(
            self.data.train_images,
            self.data.train_labels,
            torch.stack([member.given for member in self.members]),
            self._sample_weights(),
            torch.stack([member.order() for member in self.members]).to(self.device),
            list(zip(self.augmentations, stacked, strict=True)),
        )

    def _sample_weights(self) -> Tensor | None:
        """Float32 [S, N]; None if no loss prunes."""
        if all(member.weights is None for member in self.members):
            return None
        ones = torch.ones_like(self.data.train_labels, dtype=torch.float32)
        return torch.stack([ones if m.weights is None else m.weights for m in self.members])

    def _prune(self) -> None:
        due = {
            position: (member.pruning_loss, member.given)
            for position, member in enumerate(self.members)
            if member.pruning_loss
        }
        for position, kept in kept_samples(self.learner, self.data.train_images, due).items():
            self.members[position].weights = kept

    def save(self, paths: Sequence[Path]) -> None:
        """Write, for each member, everything that its next step depends on."""
        for position, (member, path) in enumerate(zip(self.members, paths, strict=True)):
            state = {
                **member.state(),
                "steps": self.steps_done,
                "sums": self.sums.values[position].clone(),
                "epoch_seconds": self._epoch_seconds if self.steps_done else 0.0,
                "network": self.learner.network.member_state(position),
                "optimizer": self.learner.updates.member_state(position),
            }
            checkpoint.save(path, state)

    def results(self) -> list[TrainingResult]:
        """The whole runs as values."""
        return [self._result(member) for member in self.members]

    def _result(self, member: Member) -> TrainingResult:
        true, given = self.data.train_labels.cpu(), member.given.cpu()
        num_classes = self.data.info.num_classes
        return TrainingResult(
            config=member.config,
            epochs=tuple(member.records),
            diverged_epoch=member.diverged_epoch,
            num_parameters=member.num_parameters,
            num_classes=num_classes,
            noisy_label_sha256=labels_sha256(given),
            realized_noise_rate=realized_rate(true, given),
            transition_matrix=transition_matrix(true, given, num_classes),
            initial_weights_sha256=member.initial_weights_sha256,
            device=_device_name(self.device),
            seconds=member.seconds,
            peak_memory_bytes=_peak_memory_bytes(self.device),
            num_broken_images=self.data.num_broken_images,
            resumed_from_epoch=member.resumed_from_epoch,
        )


def _checkpoints(
    configs: Sequence[TrainingConfig], paths: Sequence[Path] | None
) -> list[dict[str, Any] | None]:
    """The saved state of each run, None where there is none."""
    if paths is None:
        return [None] * len(configs)
    pairs = zip(paths, configs, strict=True)
    return [checkpoint.load(path, config.to_dict()) for path, config in pairs]


def _check_precision(config: TrainingConfig, device: str) -> None:
    """Refuse what this device cannot do. Raises ParameterError."""
    if config.precision == "tf32" and torch.device(device).type != "cuda":
        raise ParameterError(f"precision tf32 needs a GPU, this is {device}", key="precision")


def _updates(
    network: Network, config: TrainingConfig, states: Sequence[MemberState | None]
) -> Updates:
    parameters: list[nn.Parameter] = list(network.parameters())
    rule = OPTIMIZERS.build(config.optimizer)
    if isinstance(network, LoneNetwork):
        return LoneUpdates(rule(parameters, config.learning_rate), states[0])
    if not isinstance(rule, SGD):
        raise ParameterError(f"{config.optimizer.name} cannot be stacked", key="optimizer")
    return StackedUpdates(parameters, rule, states)


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "cpu"


def _peak_memory_bytes(device: str) -> int:
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
