"""One run's own part of a stack: its noisy labels, its random draws, its curve, its checkpoint.

All randomness comes from generators of (seed, purpose, epoch), drawn on the CPU, so a run is the
same alone, in a stack, or after another one in the same process, interrupted or not. Knows no
other member and no step.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from trainables.architectures import ARCHITECTURES
from trainables.augment import AUGMENTATIONS, Augmentation, input_shape
from trainables.config import EpochRecord, TrainingConfig
from trainables.images.resident import ResidentData
from trainables.isolation.global_random import seed_globals
from trainables.losses import LOSSES, Loss, PruningLoss
from trainables.losses.logit_bias import has_logit_bias, logit_bias_at
from trainables.noise import NOISES, NoiseContext
from trainables.noise.measure import labels_sha256
from trainables.schedules import SCHEDULES, Schedule, factor, is_gradual
from trainables.seeding import generator
from trainables.training.evaluate import TOP, TestFigures


class Member:
    """A run between two epochs.

    Args:
        config: resolved.
        data: of the whole stack.
        data_root: folder of the data sets, for noise models that read files.
        state: of a checkpoint of this run; None to start.
    """

    def __init__(
        self,
        config: TrainingConfig,
        data: ResidentData,
        data_root: Path,
        state: Mapping[str, Any] | None,
    ) -> None:
        self.config, self._info = config, data.info
        self.given = _noisy_labels(config, data, data_root)
        self.noisy_label_sha256 = labels_sha256(self.given.cpu())
        self.loss: Loss = LOSSES.build(config.loss)
        self._schedule: Schedule = SCHEDULES.build(config.schedule)
        self.weights = _sample_weights(self.loss, self.given, state)
        self.records = [EpochRecord(**record) for record in state["records"]] if state else []
        self.seconds: float = state["seconds"] if state else 0.0
        self.resumed_from_epoch = len(self.records) if state else None
        self.diverged_epoch = state["diverged_epoch"] if state else None

    @property
    def is_over(self) -> bool:
        return len(self.records) >= self.config.epochs

    @property
    def epoch(self) -> int:
        """The 1-based epoch that comes next; the last one again for a run that is over."""
        return min(len(self.records) + 1, self.config.epochs)

    @property
    def learning_rate(self) -> float:
        """At the start of the next epoch."""
        return self.learning_rate_after(0)

    @property
    def rate_is_gradual(self) -> bool:
        """Whether the learning rate may change within an epoch."""
        return is_gradual(self._schedule)

    def learning_rate_after(self, steps: int) -> float:
        """Of the step that follows so many steps of the next epoch."""
        steps_an_epoch = math.ceil(len(self.given) / self.config.batch_size)
        share = factor(self._schedule, self.epoch, steps, steps_an_epoch)
        return self.config.learning_rate * share

    @property
    def logit_bias(self) -> float:
        """ε of the next epoch."""
        return logit_bias_at(self.config.loss, self.epoch)

    @property
    def has_logit_bias(self) -> bool:
        """In any epoch."""
        return has_logit_bias(self.config.loss)

    @property
    def objective(self) -> Loss:
        """What a step minimises."""
        return self.loss.kept_loss if isinstance(self.loss, PruningLoss) else self.loss

    @property
    def pruning_loss(self) -> PruningLoss | None:
        """The loss if it decides anew, after the next epoch, which samples are kept."""
        if self.is_over or not isinstance(self.loss, PruningLoss):
            return None
        return self.loss if self.loss.prunes_after(self.epoch) else None

    def initial_network(self) -> nn.Module:
        """On the CPU."""
        seed_globals(self.config.seed)
        build = ARCHITECTURES.build(self.config.architecture)
        weights = generator(self.config.seed, "weights")
        augmentations = [AUGMENTATIONS.build(choice) for choice in self.config.augmentation]
        shape = input_shape(self._info.image_shape, augmentations)
        network = build(shape, self._info.num_classes, weights)
        self.initial_weights_sha256 = _weights_sha256(network)
        self.num_parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
        return network

    def order(self) -> Tensor:
        """Order of the training images in the next epoch, int64 [N]."""
        draws = generator(self.config.seed, "order", self.epoch)
        return torch.randperm(len(self.given), generator=draws)

    def draws(self, augmentations: Sequence[Augmentation]) -> list[Tensor]:
        """Random parameters of each augmentation for the next epoch, [N, …]."""
        draws = generator(self.config.seed, "augmentation", self.epoch)
        return [a.draw(len(self.given), draws) for a in augmentations]

    def record(
        self, sums: Mapping[str, float], test: TestFigures, is_finite: bool, seconds: float
    ) -> EpochRecord:
        """Take in what the next epoch measured. A divergence also fills all epochs left."""
        self.seconds += seconds
        epoch, rate = self.epoch, self.learning_rate
        if not (is_finite and math.isfinite(sums["loss"] + (test.loss or 0.0))):
            self._diverge(seconds)
        else:
            record = _record(epoch, rate, sums, test, seconds)
            self.records.append(record if self._info.labels_are_true else _without_truth(record))
        return self.records[epoch - 1]

    def _diverge(self, seconds: float) -> None:
        """From here on the network answers at chance, so that a mean over seeds stays a mean."""
        self.diverged_epoch = self.epoch
        num_classes = self._info.num_classes
        classifies = not self._info.is_retrieval  # chance in a ranking is not known here
        while not self.is_over:
            self.records.append(
                EpochRecord(
                    epoch=self.epoch,
                    learning_rate=self.learning_rate,
                    train_loss=None,
                    train_accuracy_noisy=1 / num_classes,
                    train_accuracy_clean=1 / num_classes if self._info.labels_are_true else None,
                    memorization=None,
                    test_accuracy=1 / num_classes if classifies else None,
                    test_top5_accuracy=min(TOP, num_classes) / num_classes if classifies else None,
                    test_loss=None,
                    seconds=seconds if self.epoch == self.diverged_epoch else 0.0,
                )
            )

    def state(self) -> dict[str, Any]:
        """What its next epoch depends on beside weights and optimizer."""
        return {
            "config": self.config.to_dict(),
            "sample_weights": self.weights,
            "records": [asdict(record) for record in self.records],
            "seconds": self.seconds,
            "diverged_epoch": self.diverged_epoch,
        }


def _noisy_labels(config: TrainingConfig, data: ResidentData, data_root: Path) -> Tensor:
    """int64 [N] on the device of the data; depends on the noise seed and on nothing else.

    Copies go in and out: a noise model may write into what it is given, or keep what it returns.
    """
    seed = config.seed if config.noise_seed is None else config.noise_seed
    seed_globals(seed)
    similar = MappingProxyType(dict(data.info.similar_classes))
    info = replace(data.info, similar_classes=similar)
    context = NoiseContext(info, generator(seed, "noise"), data_root)
    labels = NOISES.build(config.noise)(data.train_labels.cpu().clone(), context)
    return labels.to(data.train_labels.device, copy=True)


def _sample_weights(loss: Loss, given: Tensor, state: Mapping[str, Any] | None) -> Tensor | None:
    """Float32 [N] for a loss that prunes, all 1 at first; None for all others."""
    if not isinstance(loss, PruningLoss):
        return None
    if state:
        kept: Tensor = state["sample_weights"]
        return kept.to(given.device)
    return torch.ones(len(given), device=given.device)


def _record(
    epoch: int, learning_rate: float, sums: Mapping[str, float], test: TestFigures, seconds: float
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
        test_cmc1=test.cmc1,
        test_map=test.mean_average_precision,
    )


def _without_truth(record: EpochRecord) -> EpochRecord:
    """`record` without what is measured against true labels, for data where nobody knows them."""
    return replace(record, train_accuracy_clean=None, memorization=None)


def _weights_sha256(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for weight in network.parameters():
        digest.update(weight.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
