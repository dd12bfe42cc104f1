"""Which training samples a pruning loss keeps, decided anew between epochs.

Source: Zhang & Sabuncu, Generalized Cross Entropy Loss (NeurIPS 2018), truncated L_q. The published
schedule decides with the network of best validation accuracy; here it is the current network, so
that nothing is selected on held-out data.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from trainables.images.source import ImageSource
from trainables.losses import PruningLoss
from trainables.training.evaluate import predictions
from trainables.training.step import Learner


@torch.no_grad()
def kept_samples(
    learner: Learner, images: ImageSource, due: Mapping[int, tuple[PruningLoss, Tensor]]
) -> dict[int, Tensor]:
    """One pass over the training images, without augmentation.

    Args:
        due: member → its loss and the labels int64 [N] it is trained on.

    Returns:
        Member → weights of its samples, float32 [N]: 1 for a sample that is kept, else 0.
    """
    if not due:
        return {}
    kept: dict[int, list[Tensor]] = {member: [] for member in due}
    for part, logits in predictions(learner, images):
        for member, (loss, given) in due.items():
            # A copy: a loss may write into its labels, and these are trained on.
            kept[member].append(loss.keeps(logits[member], given[part].clone()))
    return {member: torch.cat(parts).float() for member, parts in kept.items()}
