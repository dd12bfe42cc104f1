"""Accuracy and loss on test data: evaluation mode, no logit bias, one read at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.images.source import ImageSource
from trainables.training.step import Learner

TOP = 5
BATCH_ON_GPU, BATCH_ON_CPU, BATCH_ON_CPU_CONVOLUTIONAL = 2000, 1000, 128
"""Measured: large batches help everywhere but for convolutions on a CPU."""


@dataclass(frozen=True)
class TestFigures:
    """What was measured on test data; None where it was not.

    Args:
        accuracy, top5_accuracy: shares of correct test images.
        loss: mean; not finite after an overflow.
        cmc1, mean_average_precision: of a retrieval.
    """

    __test__ = False

    accuracy: float | None = None
    top5_accuracy: float | None = None
    loss: float | None = None
    cmc1: float | None = None
    mean_average_precision: float | None = None


@torch.no_grad()
def evaluate(learner: Learner, images: ImageSource, labels: Tensor) -> list[TestFigures]:
    """Figures of each member on N images with true labels int64 [N]."""
    sums = torch.zeros(learner.network.num_members, 3, dtype=torch.float64, device=labels.device)
    for part, logits in predictions(learner, images):
        true = labels[part].expand(logits.shape[:2])
        figures = (  # the loss comes last: it may write into its logits
            logits.argmax(dim=-1) == true,
            rank_of(logits, true) < TOP,
            learner.losses(logits, true),
        )
        sums += torch.stack([x.sum(dim=1, dtype=torch.float64) for x in figures], dim=1)
    return [TestFigures(*row) for row in (sums / len(labels)).tolist()]


def predictions(learner: Learner, images: ImageSource) -> Iterator[tuple[slice, Tensor]]:
    """Logits float32 [S, B, K] part by part, in evaluation mode; training mode afterwards."""
    batch_size = _batch_size(learner)
    device = learner.preprocess.offset.device
    starts = range(0, len(images), batch_size)
    ends = [min(start + batch_size, len(images)) for start in starts]
    parts = [torch.arange(*pair, device=device) for pair in zip(starts, ends, strict=True)]
    learner.network.eval()
    for start, batch in zip(starts, images.batches(parts), strict=True):
        yield slice(start, start + len(batch)), learner.test_logits(batch)
    learner.network.train()


def rank_of(logits: Tensor, labels: Tensor) -> Tensor:
    """How many logits exceed the labelled one: logits [..., K], labels int64 [...] → int64."""
    labelled = logits.gather(-1, labels.unsqueeze(-1))
    return (logits > labelled).sum(dim=-1)


def _batch_size(learner: Learner) -> int:
    if learner.preprocess.offset.is_cuda:
        return BATCH_ON_GPU
    convolutional = any(isinstance(module, nn.Conv2d) for module in learner.network.modules())
    return BATCH_ON_CPU_CONVOLUTIONAL if convolutional else BATCH_ON_CPU
