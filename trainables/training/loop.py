"""The state of a run, or of a stack of runs, as it goes from epoch to epoch."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainables.augment import AUGMENTATIONS, centred
from trainables.components import sources
from trainables.config import EpochRecord, TrainingConfig, TrainingResult
from trainables.images.resident import ResidentData, resident_data
from trainables.isolation.attestation import ContradictionError
from trainables.isolation.global_random import seed_globals, set_torch_generators, torch_generators
from trainables.noise.measure import labels_sha256, realized_rate, transition_matrix
from trainables.normalization import NORMALIZATIONS
from trainables.optimizers import OPTIMIZERS
from trainables.optimizers.sgd import SGD
from trainables.registry import ParameterError
from trainables.training import checkpoint
from trainables.training.batches import TrainingData
from trainables.training.cuda_graph import RecordedStep, recorder_for
from trainables.training.evaluate import TestFigures, evaluate
from trainables.training.gradients import Shaping
from trainables.training.member import Member
from trainables.training.optimizer_step import LoneUpdates, MemberState, StackedUpdates, Updates
from trainables.training.pruning_pass import kept_samples
from trainables.training.stack_contract import IMAGES, require_same_logits
from trainables.training.stackable import StackError, require_one_stack
from trainables.training.stacked import LoneNetwork, Network, StackedNetwork, as_one
from trainables.training.step import (
    Learner,
    MemberLosses,
    Preprocessing,
    TrainingSums,
    arithmetic_of,
)
from trainables.training.tracklets import rank_tracklets


class Run:
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
        saved = _checkpoints(configs, self.data, checkpoint_paths)
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
        self._seconds_before: float = begun[0]["epoch_seconds"] if begun else 0.0
        self._generators: list[Tensor] | None = begun[0].get("generators") if begun else None
        sums = [s["sums"] if s else torch.zeros(len(TrainingSums.NAMES)) for s in saved]
        states = [state["optimizer"] if state else None for state in saved]
        network = self._as_one(networks)
        self.learner = self._learner(network.to(device), torch.stack(sums), states)
        recorder = recorder_for(device)
        self._step = RecordedStep(self.learner.step, recorder) if recorder else self.learner.step

    def _as_one(self, networks: Sequence[nn.Module]) -> Network:
        """Raises StackError for a stack that would compute something else than its members."""
        try:
            network = as_one(networks)
            if isinstance(network, StackedNetwork):
                first = torch.arange(min(IMAGES, len(self.data.train_images)))
                (images,) = self.data.train_images.batches([first.to(self.device)])
                images = centred(images.cpu(), self.augmentations)
                inputs = self._preprocessing(network, "cpu")(images)
                require_same_logits(networks, network, inputs)
        except StackError as error:
            name = self.config.architecture.name
            raise StackError(f"{name} cannot be stacked: {error}", key="architecture") from error
        return network

    def _preprocessing(self, network: Network, device: str) -> Preprocessing:
        statistics = NORMALIZATIONS.build(self.config.normalization)(self.data.info)
        return Preprocessing.of(statistics, network, device)

    def _learner(
        self, network: Network, sums: Tensor, states: Sequence[MemberState | None]
    ) -> Learner:
        preprocess = self._preprocessing(network, self.device)
        network.to(memory_format=preprocess.memory_format)
        names = [m.config.loss.replace(logit_bias=0.0, logit_bias_epochs=1) for m in self.members]
        return Learner(
            network,
            _updates(network, self.config, states),
            MemberLosses([m.loss for m in self.members], names, self.device),
            MemberLosses([m.objective for m in self.members], names, self.device),
            self._biases(),
            TrainingSums(sums.double().to(self.device)),
            preprocess,
            arithmetic_of(self.config.precision, self.device),
            self.augmentations,
            self.config.micro_batch,
        )

    def _biases(self) -> Tensor | None:
        if not any(member.has_logit_bias for member in self.members):
            return None
        return torch.zeros(len(self.members), 1, device=self.device)

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
        after_step: Callable[[Run], None],
    ) -> None:
        """Train and test one epoch of each member, or what is left of it."""
        self._started = time.perf_counter()
        self._train(after_step)
        self._check_generators()
        sums = self.learner.sums.read()
        self._prune()
        tests = self._test()
        is_finite = self.learner.network.finite_members().tolist()
        seconds = self._epoch_seconds / len(self.members)
        self.steps_done, self._seconds_before = 0, 0.0
        self.learner.sums.clear()
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
        return rank_tracklets(self.learner, data.test_images, data.test_labels, data.retrieval)

    @property
    def _epoch_seconds(self) -> float:
        """Time in the present epoch, by all members and attempts."""
        return self._seconds_before + time.perf_counter() - self._started

    def _train(self, after_step: Callable[[Run], None]) -> None:
        rates = self._learning_rates()
        self.learner.begin_epoch(rates, [member.logit_bias for member in self.members])
        is_gradual = any(member.rate_is_gradual for member in self.members)
        seed_globals(self.config.seed, self.members[0].epoch)
        epoch = self._epoch()
        if self._generators:  # of the checkpoint within this epoch
            set_torch_generators(self._generators, self.device)
        self._generators = torch_generators(self.device)
        with closing(epoch.batches(self.config.batch_size, self.steps_done)) as batches:
            for batch in batches:
                if is_gradual:
                    rates = self._follow_schedules(rates)
                self._step(batch)
                self.steps_done += 1
                if len(self.members) == 1:
                    after_step(self)

    def _follow_schedules(self, rates: list[float]) -> list[float]:
        """The rates of the next step, set where they differ from those of the last one."""
        now = self._learning_rates()
        if now != rates:
            self.learner.updates.set_learning_rates(now)
        return now

    def _learning_rates(self) -> list[float]:
        """Of each member, for the next step."""
        return [member.learning_rate_after(self.steps_done) for member in self.members]

    def _check_generators(self) -> None:
        """Members share torch's generators, so a stack is refused that draws from them."""
        before, self._generators = self._generators, None
        if before is None or len(self.members) == 1:
            return
        now = torch_generators(self.device)
        if not all(torch.equal(*pair) for pair in zip(before, now, strict=True)):
            losses = ", ".join(dict.fromkeys(m.config.loss.name for m in self.members))
            raise StackError(f"cells of {losses} cannot be stacked: torch's random state is used")

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

    def states(self) -> Iterator[dict[str, Any]]:
        """For each member, everything that its next step depends on, of use until that step."""
        for position, member in enumerate(self.members):
            yield {
                **member.state(),
                "origin": origin_of(member.config, self.data),
                "steps": self.steps_done,
                "sums": self.learner.sums.values[position].clone(),
                "epoch_seconds": self._epoch_seconds if self.steps_done else 0.0,
                "generators": torch_generators(self.device) if self.steps_done else None,
                "network": self.learner.network.member_state(position),
                "optimizer": self.learner.updates.member_state(position),
            }

    def results(self) -> list[TrainingResult]:
        """The whole runs as values.

        Raises:
            ContradictionError: the data or labels are no longer those that the runs began with.
        """
        self._attest()
        return [self._result(*numbered) for numbered in enumerate(self.members)]

    def _attest(self) -> None:
        changed = self.data.changes()
        for member in self.members:
            if labels_sha256(member.given.cpu()) != member.noisy_label_sha256:
                changed.append(f"labels that {member.config.loss.name} is trained on")
        if changed:
            raise ContradictionError(
                f"the {' and the '.join(changed)} were written to during this run"
            )

    def _result(self, position: int, member: Member) -> TrainingResult:
        true, given = self.data.train_labels.cpu(), member.given.cpu()
        num_classes, is_known = self.data.info.num_classes, self.data.info.labels_are_true
        return TrainingResult(
            config=member.config,
            epochs=tuple(member.records),
            diverged_epoch=member.diverged_epoch,
            num_parameters=member.num_parameters,
            num_classes=num_classes,
            noisy_label_sha256=member.noisy_label_sha256,
            realized_noise_rate=realized_rate(true, given) if is_known else None,
            transition_matrix=transition_matrix(true, given, num_classes) if is_known else None,
            initial_weights_sha256=member.initial_weights_sha256,
            labels_are_true=is_known,
            device=_device_name(self.device),
            seconds=member.seconds,
            peak_memory_bytes=_peak_memory_bytes(self.device),
            num_broken_images=self.data.num_broken_images,
            resumed_from_epoch=member.resumed_from_epoch,
            train_data_sha256=self.data.train_content.sha256,
            test_data_sha256=self.data.test_content.sha256,
            num_threads=torch.get_num_threads(),
            stack_size=len(self.members),
            stack_position=position,
        )


def origin_of(config: TrainingConfig, data: ResidentData) -> dict[str, Any]:
    """The code and the data of a run: a checkpoint of others must not be gone on from."""
    code = {field: one.sha256 for field, one in sources(config, frozenset()).items()}
    return {"code": code, "data": [data.train_content.sha256, data.test_content.sha256]}


def _checkpoints(
    configs: Sequence[TrainingConfig], data: ResidentData, paths: Sequence[Path] | None
) -> list[dict[str, Any] | None]:
    """The saved state of each run, None where there is none."""
    if paths is None:
        return [None] * len(configs)
    pairs = zip(paths, configs, strict=True)
    return [checkpoint.load(p, config.to_dict(), origin_of(config, data)) for p, config in pairs]


def _check_precision(config: TrainingConfig, device: str) -> None:
    """Refuse what this device cannot do. Raises ParameterError."""
    if config.precision == "tf32" and torch.device(device).type != "cuda":
        raise ParameterError(f"precision tf32 needs a GPU, this is {device}", key="precision")


def _updates(
    network: Network, config: TrainingConfig, states: Sequence[MemberState | None]
) -> Updates:
    parameters: list[nn.Parameter] = list(network.parameters())
    rule = OPTIMIZERS.build(config.optimizer)
    shaping = Shaping(getattr(rule, "l1", 0.0), config.clip_norm)
    if isinstance(network, LoneNetwork):
        optimizer = rule(parameters, config.learning_rate)
        return LoneUpdates(optimizer, parameters, shaping, states[0])
    if not isinstance(rule, SGD):
        raise ParameterError(f"{config.optimizer.name} cannot be stacked", key="optimizer")
    return StackedUpdates(parameters, rule, shaping, states)


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "cpu"


def _peak_memory_bytes(device: str) -> int:
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
