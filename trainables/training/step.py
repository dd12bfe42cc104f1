"""The step, and an epoch of steps: everything on the device, read back once per epoch.

Everything has a leading member axis S, 1 for a lone run. Sums are kept in device tensors, and
nothing in an epoch waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.augment import Augmentation, centred
from trainables.config import Precision
from trainables.losses import Loss
from trainables.losses.logit_bias import add_logit_bias
from trainables.normalization import Statistics
from trainables.training.batches import Batch
from trainables.training.optimizer_step import Updates
from trainables.training.stacked import Network


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
        # In place: a new tensor for each step of it costs more than the arithmetic.
        normalized = images.to(torch.float32, copy=True).sub_(self.offset).mul_(self.scale)
        return normalized.contiguous(memory_format=self.memory_format)


class TrainingSums:
    """Running sums over an epoch, float64 [S, 6] on the device, in one place throughout.

    Args:
        start: sums of the part of the epoch that is done.
    """

    NAMES = ("loss", "noisy", "clean", "memorized", "wrong", "images")

    def __init__(self, start: Tensor) -> None:
        self.values = start

    def add(self, losses: Tensor, predicted: Tensor, batch: Batch) -> None:
        """losses [S, B], predicted classes int64 [S, B]."""
        is_given, is_wrong = predicted == batch.given, batch.given != batch.true
        figures = (
            losses,
            is_given,
            predicted == batch.true,
            is_given & is_wrong,
            is_wrong,
            torch.ones_like(losses),
        )
        self.values += torch.stack([x.sum(dim=1, dtype=torch.float64) for x in figures], dim=1)

    def read(self) -> list[dict[str, float]]:
        """The sums of each member on the host: the one wait of an epoch."""
        return [dict(zip(self.NAMES, row, strict=True)) for row in self.values.tolist()]

    def clear(self) -> None:
        """For the next epoch."""
        self.values.zero_()


class MemberLosses:
    """The loss of each member on its own logits; members with the same loss share a call.

    Args:
        losses: one per member.
        names: equal for members whose losses are the same function.
    """

    def __init__(self, losses: Sequence[Loss], names: Sequence[Hashable], device: str) -> None:
        groups: dict[Hashable, list[int]] = {}
        for member, name in enumerate(names):
            groups.setdefault(name, []).append(member)
        self._groups = [
            (losses[members[0]], torch.tensor(members, device=device))
            for members in groups.values()
        ]
        order = torch.cat([members for _, members in self._groups])
        self._position = order.argsort()

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [S, B, K], labels int64 [S, B] (or [1, B] for all) → losses [S, B]."""
        labels = labels.expand(logits.shape[:2])
        if len(self._groups) == 1:
            return _flat(self._groups[0][0], logits, labels)
        parts = [_flat(loss, logits[members], labels[members]) for loss, members in self._groups]
        return torch.cat(parts)[self._position]


def _flat(loss: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    """A loss knows one batch axis; samples are independent, so members may follow one another.

    It may be anyone's, and write into what it is given: its labels are a copy.
    """
    return loss(logits.flatten(0, 1), labels.flatten().clone()).view(labels.shape)


@dataclass(frozen=True)
class Learner:
    """Networks under training: what a step needs besides its batch.

    All that a step reads or writes stays where it is in memory, so that steps can be recorded.

    Args:
        losses: as defined, also measured on test data.
        objectives: what a step minimises; other functions than `losses` only for a pruning loss.
        biases: ε of each member in this epoch, float32 [S, 1]; None if no member ever has one.
        sums: of this epoch.
        augmentations: of the training images, some of which also say how test images are cut.
        micro_batch: images of a member that pass through the network at once; None for all.
    """

    network: Network
    updates: Updates
    losses: MemberLosses
    objectives: MemberLosses
    biases: Tensor | None
    sums: TrainingSums
    preprocess: Preprocessing
    arithmetic: Callable[[], AbstractContextManager[object]]
    augmentations: Sequence[Augmentation]
    micro_batch: int | None

    def test_logits(self, images: Tensor) -> Tensor:
        """Test images uint8 [B, C, H, W], the same for all members → float32 [S, B, K]."""
        return self.logits(centred(images, self.augmentations).unsqueeze(0))

    def logits(self, images: Tensor) -> Tensor:
        """uint8 [S, B, C, H, W] ([1, B, …]: the same images for all) → float32 [S, B, K]."""
        with self.arithmetic():
            inputs = self.preprocess(images.flatten(0, 1))
            logits: Tensor = self.network(inputs.view(images.shape))
        return logits.float()

    def begin_epoch(self, learning_rates: Sequence[float], biases: Sequence[float]) -> None:
        """Of each member, for the steps that follow."""
        self.updates.set_learning_rates(learning_rates)
        if self.biases is not None:
            self.biases.copy_(torch.tensor(biases).unsqueeze(1))

    def step(self, batch: Batch) -> None:
        """One update; nothing in it waits for the device."""
        self.updates.zero_grad()
        for part in batch.split(self.micro_batch):
            self._add_gradient(part, part.given.shape[1] / batch.given.shape[1])
        self.updates.step()

    def _add_gradient(self, batch: Batch, share: float) -> None:
        """Of the batch's mean loss, times its share of the step; ε enters the loss alone."""
        logits = self.logits(batch.images)
        # Before a loss may write into its logits. The `argmax` of NaN is a class: counts stay
        # finite.
        predicted = logits.argmax(dim=-1)
        biased = logits
        if self.biases is not None:
            biased = add_logit_bias(logits, batch.given, self.biases)
        losses = self.objectives(biased, batch.given)
        if batch.weights is not None:
            losses = losses * batch.weights
        # A sum over members keeps their gradients apart.
        torch.autograd.backward(share * losses.mean(dim=1).sum())
        self.sums.add(losses.detach(), predicted, batch)


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
