"""One training run: a configuration in, per-epoch records and a result out.

Runs from a plain script on any device; knows nothing of Ray, studies or the store. All randomness
comes from generators of (seed, purpose, epoch), drawn on the CPU, so a run is the same alone or
after another one in the same process, interrupted or not.
"""

from __future__ import annotations

import hashlib
import math
import resource
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from trainables import catalog, checkpoint
from trainables.architectures import ARCHITECTURES
from trainables.augment import AUGMENTATIONS
from trainables.config import EpochRecord, TrainingConfig, TrainingResult
from trainables.datasets import default_data_root
from trainables.engine import (
    Learner,
    Preprocessing,
    TrainingSums,
    arithmetic_of,
    epoch_batches,
    matrix_precision,
)
from trainables.evaluate import TOP, TestFigures, evaluate
from trainables.losses import LOSSES, PruningLoss
from trainables.losses.logit_bias import logit_bias_at
from trainables.noise import NOISES, NoiseContext
from trainables.noise.measure import labels_sha256, realized_rate, transition_matrix
from trainables.normalization import NORMALIZATIONS
from trainables.optimization import OPTIMIZERS, SCHEDULES
from trainables.pruning import Pruning
from trainables.registry import ParameterError
from trainables.resident import ResidentData, resident_data
from trainables.seeding import generator


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
        should_stop: asked after each epoch; True writes a checkpoint and stops.

    Raises:
        TrainingInterrupted: `should_stop` said so.
        DatasetError: the data set is not here.
        ComponentError: the configuration does not fit the data set or the device.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    with matrix_precision(config.precision):
        run = _Run(catalog.resolve(config), data_root or default_data_root(), device)
        resumed_from = run.restore(checkpoint_path) if checkpoint_path else None
        last_saved = time.monotonic()
        while not run.is_over:
            on_epoch(run.next_epoch())
            stop = should_stop() and not run.is_over
            due = time.monotonic() - last_saved >= checkpoint_seconds and not run.is_over
            if checkpoint_path and (due or stop):
                run.save(checkpoint_path)
                last_saved = time.monotonic()
            if stop:
                raise TrainingInterrupted(len(run.records) if checkpoint_path else 0)
        return run.result(resumed_from)


class _Run:
    """The state of a run between two epochs."""

    def __init__(self, config: TrainingConfig, data_root: Path, device: str) -> None:
        _check(config, device)
        self.config, self.device = config, device
        self.data = resident_data(config.dataset, data_root, device)
        self.given = _noisy_labels(config, self.data, data_root)
        self.network = _network(config, self.data, device)
        self.initial_weights_sha256 = _weights_sha256(self.network)
        self.learner = _learner(config, self.data, self.network, device)
        self.pruning = _pruning(self.learner, self.given)
        self.schedule = SCHEDULES.build(config.schedule)
        self.augmentations = [AUGMENTATIONS.build(choice) for choice in config.augmentation]
        self.records: list[EpochRecord] = []
        self.diverged_epoch: int | None = None
        self.seconds = 0.0

    @property
    def is_over(self) -> bool:
        return len(self.records) >= self.config.epochs

    def next_epoch(self) -> EpochRecord:
        """Train and test one epoch. A divergence also fills all epochs that are left."""
        started = time.perf_counter()
        epoch = len(self.records) + 1
        learning_rate = self.config.learning_rate * self.schedule(epoch)
        sums = self._train(epoch, learning_rate)
        if self.pruning:
            self.pruning.after(epoch, self.learner, self.data.train_images, self.given)
        test = evaluate(self.learner, self.data.test_images, self.data.test_labels)
        seconds = time.perf_counter() - started
        self.seconds += seconds
        if not (math.isfinite(sums["loss"] + test.loss) and self.learner.is_finite()):
            self._diverge(epoch, seconds)
            return self.records[epoch - 1]
        self.records.append(_record(epoch, learning_rate, sums, test, seconds))
        return self.records[-1]

    def _train(self, epoch: int, learning_rate: float) -> dict[str, float]:
        seed, count = self.config.seed, len(self.given)
        order = torch.randperm(count, generator=generator(seed, "order", epoch))
        draws = generator(seed, "augmentation", epoch)
        augmentations = [(a, a.draw(count, draws).to(self.device)) for a in self.augmentations]
        bias = logit_bias_at(self.config.loss, epoch)
        sums = TrainingSums(self.device)
        self.learner.set_learning_rate(learning_rate)
        for batch in epoch_batches(
            self.data.train_images,
            self.given,
            self.data.train_labels,
            order.to(self.device),
            self.config.batch_size,
            self.pruning.weights if self.pruning else None,
            augmentations,
        ):
            self.learner.step(batch, bias, sums)
        return sums.read()

    def _diverge(self, epoch: int, seconds: float) -> None:
        """From here on the network answers at chance, so that a mean over seeds stays a mean."""
        self.diverged_epoch = epoch
        num_classes = self.data.info.num_classes
        for filled in range(epoch, self.config.epochs + 1):
            self.records.append(
                EpochRecord(
                    epoch=filled,
                    learning_rate=self.config.learning_rate * self.schedule(filled),
                    train_loss=None,
                    train_accuracy_noisy=1 / num_classes,
                    train_accuracy_clean=1 / num_classes,
                    memorization=None,
                    test_accuracy=1 / num_classes,
                    test_top5_accuracy=min(TOP, num_classes) / num_classes,
                    test_loss=None,
                    seconds=seconds if filled == epoch else 0.0,
                )
            )

    def save(self, path: Path) -> None:
        """Write everything that the next epoch depends on."""
        state = {
            "config": self.config.to_dict(),
            "network": self.network.state_dict(),
            "optimizer": self.learner.optimizer.state_dict(),
            "sample_weights": self.pruning.weights if self.pruning else None,
            "records": [asdict(record) for record in self.records],
            "seconds": self.seconds,
        }
        checkpoint.save(path, state)

    def restore(self, path: Path) -> int | None:
        """Go on from a checkpoint. Returns its epoch, None if there is none for this run."""
        state = checkpoint.load(path, self.config.to_dict())
        if state is None:
            return None
        self.network.load_state_dict(state["network"])
        self.learner.optimizer.load_state_dict(state["optimizer"])
        if self.pruning:
            self.pruning.weights = state["sample_weights"].to(self.device)
        self.records = [EpochRecord(**record) for record in state["records"]]
        self.seconds = state["seconds"]
        return len(self.records)

    def result(self, resumed_from_epoch: int | None) -> TrainingResult:
        """The whole run as a value."""
        true, given = self.data.train_labels.cpu(), self.given.cpu()
        num_classes = self.data.info.num_classes
        return TrainingResult(
            config=self.config,
            epochs=tuple(self.records),
            diverged_epoch=self.diverged_epoch,
            num_parameters=sum(p.numel() for p in self.network.parameters() if p.requires_grad),
            num_classes=num_classes,
            noisy_label_sha256=labels_sha256(given),
            realized_noise_rate=realized_rate(true, given),
            transition_matrix=transition_matrix(true, given, num_classes),
            initial_weights_sha256=self.initial_weights_sha256,
            device=_device_name(self.device),
            seconds=self.seconds,
            peak_memory_bytes=_peak_memory_bytes(self.device),
            resumed_from_epoch=resumed_from_epoch,
        )


def _check(config: TrainingConfig, device: str) -> None:
    """Refuse what this device cannot do. Raises ParameterError."""
    if config.precision == "tf32" and torch.device(device).type != "cuda":
        raise ParameterError(f"precision tf32 needs a GPU, this is {device}", key="precision")


def _noisy_labels(config: TrainingConfig, data: ResidentData, data_root: Path) -> Tensor:
    """int64 [N] on the device of the data; depends on the noise seed and on nothing else."""
    seed = config.seed if config.noise_seed is None else config.noise_seed
    context = NoiseContext(data.info, generator(seed, "noise"), data_root)
    labels = NOISES.build(config.noise)(data.train_labels.cpu(), context)
    return labels.to(data.train_labels.device)


def _network(config: TrainingConfig, data: ResidentData, device: str) -> nn.Module:
    build = ARCHITECTURES.build(config.architecture)
    weights = generator(config.seed, "weights")
    return build(data.info.image_shape, data.info.num_classes, weights).to(device)


def _learner(
    config: TrainingConfig, data: ResidentData, network: nn.Module, device: str
) -> Learner:
    statistics = NORMALIZATIONS.build(config.normalization)(data.info)
    preprocess = Preprocessing.of(statistics, network, device)
    network.to(memory_format=preprocess.memory_format)
    optimizer = OPTIMIZERS.build(config.optimizer)(network.parameters(), config.learning_rate)
    arithmetic = arithmetic_of(config.precision, device)
    loss = LOSSES.build(config.loss)
    objective = loss.kept_loss if isinstance(loss, PruningLoss) else loss
    return Learner(network, optimizer, loss, objective, preprocess, arithmetic)


def _pruning(learner: Learner, given: Tensor) -> Pruning | None:
    if not isinstance(learner.loss, PruningLoss):
        return None
    return Pruning(learner.loss, torch.ones(len(given), device=given.device))


def _record(
    epoch: int, learning_rate: float, sums: dict[str, float], test: TestFigures, seconds: float
) -> EpochRecord:
    images, wrong = sums["images"], sums["wrong"]
    return EpochRecord(
        epoch=epoch,
        learning_rate=learning_rate,
        train_loss=sums["loss"] / images,
        train_accuracy_noisy=sums["noisy"] / images,
        train_accuracy_clean=sums["clean"] / images,
        memorization=sums["memorized"] / wrong if wrong else None,
        test_accuracy=test.accuracy,
        test_top5_accuracy=test.top5_accuracy,
        test_loss=test.loss,
        seconds=seconds,
    )


def _weights_sha256(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for weight in network.parameters():
        digest.update(weight.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "cpu"


def _peak_memory_bytes(device: str) -> int:
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
