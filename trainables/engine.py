"""The step, and an epoch of steps: everything on the device, read back once per epoch.

Batches are index vectors into resident images; augmentation parameters of a whole epoch are drawn
beforehand; sums are kept in device tensors. Nothing in an epoch waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainables.augment import Augmentation
from trainables.config import Precision
from trainables.losses import Loss
from trainables.losses.logit_bias import add_logit_bias
from trainables.normalization import Statistics


@dataclass(frozen=True)
class Preprocessing:
    """uint8 images → normalised float images in the layout the network likes best.

    Args:
        offset, scale: float32 [1, C, 1, 1] on the device; (x - offset) · scale.
        memory_format: channels last for convolutional networks.
    """

    offset: Tensor
    scale: Tensor
    memory_format: torch.memory_format

    @classmethod
    def of(cls, statistics: Statistics, network: nn.Module, device: str) -> Preprocessing:
        """From statistics of images scaled to [0, 1]."""
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) * 255 for values in statistics)
        return cls(mean.to(device), (1 / std).to(device), memory_format_of(network))

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 [B, C, H, W] → float32 [B, C, H, W]."""
        normalized = (images.float() - self.offset) * self.scale
        return normalized.contiguous(memory_format=self.memory_format)


@dataclass(frozen=True)
class Batch:
    """One step's data.

    Args:
        images: uint8 [B, C, H, W].
        given, true: labels trained on and true labels, int64 [B].
        weights: float32 [B] on the samples' losses; None for 1 throughout.
    """

    images: Tensor
    given: Tensor
    true: Tensor
    weights: Tensor | None


class TrainingSums:
    """Running sums over an epoch, on the device."""

    NAMES = ("loss", "noisy", "clean", "memorized", "wrong", "images")

    def __init__(self, device: str) -> None:
        self._sums = torch.zeros(len(self.NAMES), dtype=torch.float64, device=device)

    def add(self, losses: Tensor, logits: Tensor, batch: Batch) -> None:
        """losses [B], logits [B, K]. `argmax` of NaN logits is a class, so counts stay finite."""
        predicted = logits.argmax(dim=1)
        is_given, is_wrong = predicted == batch.given, batch.given != batch.true
        self._sums += torch.stack(
            [
                losses.sum(dtype=torch.float64),
                is_given.sum(),
                (predicted == batch.true).sum(),
                (is_given & is_wrong).sum(),
                is_wrong.sum(),
                torch.tensor(len(losses), device=losses.device),
            ]
        )

    def read(self) -> dict[str, float]:
        """The sums on the host: the one wait of an epoch."""
        return dict(zip(self.NAMES, self._sums.tolist(), strict=True))


@dataclass(frozen=True)
class Learner:
    """A network under training: what a step needs besides its batch.

    Args:
        loss: the loss as defined, also measured on test data.
        objective: what a step minimises; another function than `loss` only for a pruning loss.
    """

    network: nn.Module
    optimizer: Optimizer
    loss: Loss
    objective: Loss
    preprocess: Preprocessing
    arithmetic: Callable[[], AbstractContextManager[object]]

    def step(self, batch: Batch, bias: float, sums: TrainingSums) -> None:
        """One update; the logit bias enters the loss and nothing else."""
        with self.arithmetic():
            logits = self.network(self.preprocess(batch.images))
        logits = logits.float()
        biased = add_logit_bias(logits, batch.given, bias) if bias else logits
        losses = self.objective(biased, batch.given)
        if batch.weights is not None:
            losses = losses * batch.weights
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(losses.mean())
        self.optimizer.step()
        sums.add(losses.detach(), logits.detach(), batch)

    def set_learning_rate(self, learning_rate: float) -> None:
        """For all parameters, from the next step on."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate

    def is_finite(self) -> bool:
        """Whether every weight is finite."""
        return all(bool(weight.isfinite().all()) for weight in self.network.parameters())


def epoch_batches(
    images: Tensor,
    given: Tensor,
    true: Tensor,
    order: Tensor,
    batch_size: int,
    weights: Tensor | None,
    augmentations: Sequence[tuple[Augmentation, Tensor]],
) -> Iterator[Batch]:
    """Batches in `order` (int64 [N]), the last one as short as it comes; draws per image [N]."""
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        augmented = images[chosen]
        for augmentation, draws in augmentations:
            augmented = augmentation.apply(augmented, draws[start : start + batch_size])
        kept = None if weights is None else weights[chosen]
        yield Batch(augmented, given[chosen], true[chosen], kept)


def memory_format_of(network: nn.Module) -> torch.memory_format:
    """Channels last where there are convolutions, which run faster so; plain otherwise."""
    convolutional = any(isinstance(module, nn.Conv2d) for module in network.modules())
    return torch.channels_last if convolutional else torch.contiguous_format


def arithmetic_of(
    precision: Precision, device: str
) -> Callable[[], AbstractContextManager[object]]:
    """Context of the forward pass: bf16 autocast, or nothing."""
    kind = torch.device(device).type
    if precision == "bf16":
        return lambda: torch.autocast(kind, dtype=torch.bfloat16)
    return nullcontext


@contextmanager
def matrix_precision(precision: Precision) -> Iterator[None]:
    """TF32 products on a GPU for `tf32`, true fp32 otherwise; restored afterwards."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    former = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = former
