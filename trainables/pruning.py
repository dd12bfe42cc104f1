"""Which training samples a pruning loss keeps, decided anew between epochs.

Source: Zhang & Sabuncu, Generalized Cross Entropy Loss (NeurIPS 2018), truncated L_q. The published
schedule decides with the network of best validation accuracy; here it is the current network, so
that nothing is selected on held-out data.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.engine import Learner
from trainables.evaluate import predictions
from trainables.losses import PruningLoss


@dataclass
class Pruning:
    """The samples that are kept.

    Args:
        loss: decides who stays and when.
        weights: float32 [N] on the device, 1 for a sample that is kept, else 0; all 1 at first.
    """

    loss: PruningLoss
    weights: Tensor

    @torch.no_grad()
    def after(self, epoch: int, learner: Learner, images: Tensor, given: Tensor) -> None:
        """Decide anew if a pass follows `epoch`: images uint8 [N, C, H, W], labels int64 [N]."""
        if self.loss.prunes_after(epoch):
            kept = [self.loss.keeps(z, given[part]) for part, z in predictions(learner, images)]
            self.weights = torch.cat(kept).float()
