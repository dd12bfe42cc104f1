"""Label-distributionally robust loss with Kullback-Leibler regularisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch

from trainables.losses import LOSSES
from trainables.losses.gradient import at_least_float32, with_gradient
from trainables.losses.softmax import LabelledSoftmax
from trainables.registry import Published, Range

if TYPE_CHECKING:
    from torch import Tensor

PUBLISHED_LDR = Published(
    "configurations of Wang et al. (NeurIPS 2024); the authors' code runs margin 0.1, lam 10",
    {
        "mnist": {"margin": 0.1, "lam": 10.0},
        "cifar10": {"margin": 0.1, "lam": 10.0},
        "cifar100": {"margin": 0.1, "lam": 1.0},
        "webvision": {"margin": 0.1, "lam": 1.0},
        "clothing1m": {"margin": 0.1, "lam": 1.0},
    },
)


@LOSSES.register("ldr_kl", published=PUBLISHED_LDR)
@dataclass(frozen=True)
class LabelDistributionallyRobust:
    """L(z, k) = lam log[(1/K) Σ_j exp((margin 1[j ≠ k] + u_j - u_k) / lam)].

    u = s / mean(s) with s = softplus(z), so that 0 <= u_j <= K: the logits enter by their size, and
    a shift changes the loss. Between -K - lam log K and K + margin, not symmetric; negative values
    are usual. With v = softmax((u + margin 1[j ≠ k]) / lam) and d_n = v_n - 1[n = k],
    ∂L/∂z_n = σ(z_n) / mean(s) (d_n - (1/K) Σ_j d_j u_j), which vanishes as u nears a certain class.

    Args:
        margin: >= 0, default 0.1.
        lam: > 0, default 10 (CIFAR-10 and MNIST; 1 for CIFAR-100); the published λ.

    Source: Zhu et al., Label Distributionally Robust Losses (ICML 2023, arXiv 2112.14869), LDR-KL
    as in the authors' code, softplus and scaling included.
    """

    sees_logit_size: ClassVar[bool] = True

    margin: Annotated[float, Range(0)] = 0.1
    lam: Annotated[float, Range(0, low_open=True)] = 10.0

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [N, K] of any float dtype, labels int64 [N] → [N]."""
        z = at_least_float32(logits)
        classes = z.shape[-1]
        log_s, slope = _log_softplus(z)
        shares = log_s.softmax(dim=-1)  # u / K
        pull = shares * (classes / self.lam)
        margin = torch.full_like(labels, self.margin / self.lam, dtype=z.dtype).unsqueeze(-1)
        pull.scatter_add_(-1, labels.unsqueeze(-1), -margin)
        v = LabelledSoftmax.of(pull.log_softmax(dim=-1), labels)
        value = -self.lam * (v.log_a_k + math.log(classes))
        # d = -v.error; the leading class is taken apart, since Σ_j d_j u_j / K tends to its d.
        top = log_s.argmax(dim=-1, keepdim=True)
        # In place from here: at 1000 classes fresh memory would cost more than the arithmetic.
        difference = v.error.sub_(v.error.gather(-1, top))  # d_top - d_j
        lead = torch.linalg.vecdot(difference, shares).unsqueeze(-1)
        change = difference.neg_().add_(lead).scatter_(-1, top, lead)
        return with_gradient(
            logits, value.squeeze(-1), change.mul_(shares).mul_(slope).mul_(classes)
        )


def _log_softplus(z: Tensor) -> tuple[Tensor, Tensor]:
    """log s and ∂(log s)/∂z of s = log(1 + e^z), finite for every finite z, [..., K] each.

    With x = e^-|z| and c = log(1 + x) / x, s = e^min(z, 0) t with t = max(z, 0) + c e^-max(z, 0),
    and the slope is 1 / ((1 + x) t). The quotient c keeps its digits although 1 + x is rounded, and
    is found without log1p, which takes ten times as long as a logarithm.
    """
    above = z.relu()
    one_more = z.abs().neg_().exp_().clamp_(min=4 * torch.finfo(z.dtype).eps).add_(1)
    t = one_more.log().div_(one_more - 1).mul_(above.neg().exp_()).add_(above)
    slope = one_more.mul_(t).reciprocal_()
    return t.log_().add_(z.clamp(max=0)), slope
