"""How strongly a loss pulls before anything is learned: the logit law at initialisation.

Fresh networks have logits near independent N(0, 1), so the labelled class starts at a_k ≈ 1/K. With
many classes a bounded loss has next to no gradient there. This module averages over that law:
the activation of the labelled class (Eq. 4, which fixes the logit bias ε) and the backpropagation
error δ_k = ∂L/∂z_k (Eq. 3). Knows losses only as callables, and nothing of training.

All that the other classes do to a_k is done by S = Σ_{j≠k} exp(z_j), whose exact law is a
convolution power, taken by FFT. A loss that is a function of a_k alone therefore needs no sampling;
for the rest there is seeded Monte Carlo with its standard error.

Source: Staats, Thamm & Rosenow (arXiv 2306.05497), sec. 3, Eq. 3 and 4.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.losses import Loss

FloatArray = NDArray[np.float64]

MEAN_ACTIVATION = 0.15
"""c of Eq. 4, one constant for all class counts. Its value is lost in the text at hand; 0.15 gives
ε = 0.5, 3.0, 5.4 for K = 10, 100, 1000."""

GRID = 2**15
"""Points of the grid that holds the law of S; ε is exact to 1e-5 up to K = 1000."""

SAMPLED_LOGITS = 2_000_000
"""Logits drawn where Monte Carlo is needed: fewer samples of more classes, at equal cost."""

SEED = 230605497


@dataclass(frozen=True)
class MeanError:
    """⟨δ_k⟩(z_k) and its standard error, 0 where it was integrated exactly."""

    value: float
    standard_error: float


@functools.cache
def rival_law(num_classes: int) -> tuple[FloatArray, FloatArray]:
    """Law of S = Σ_{j≠k} exp(z_j) with z_j ~ N(0, 1): values [G] and their probabilities [G]."""
    count = num_classes - 1
    # Mean 1.65 and variance 4.67 of exp(z); e^6 covers its own heavy tail.
    end = 1.65 * count + 12 * math.sqrt(4.67 * count) + math.exp(6)
    step = end / GRID
    edges = np.log(step * (np.arange(GRID) + 0.5))
    below = np.array([0.5 * math.erfc(-edge / math.sqrt(2)) for edge in edges])
    one = np.diff(below, prepend=0.0)
    spectrum = np.fft.rfft(one, 2 * GRID) ** count
    law: FloatArray = np.fft.irfft(spectrum, 2 * GRID)[:GRID].clip(min=0.0)
    values: FloatArray = step * np.arange(GRID, dtype=np.float64)
    return values, law / law.sum()


def mean_activation(num_classes: int, logit_bias: float) -> float:
    """⟨a_k⟩ over all K logits from N(0, 1), with ε on the labelled one (left side of Eq. 4)."""
    values, law = rival_law(num_classes)
    return sum(
        weight * float(law @ (1 / (1 + values * math.exp(-logit - logit_bias))))
        for logit, weight in _normal_nodes()
    )


@functools.cache
def logit_bias(num_classes: int, activation: float = MEAN_ACTIVATION) -> float:
    """ε(K): the bias with which the labelled class starts at the mean activation c (Eq. 4).

    Args:
        num_classes: K >= 2.
        activation: c in (0, 1).

    Returns:
        ε, never below 0: where 1/K exceeds c already, nothing has to be added.
    """
    if mean_activation(num_classes, 0.0) >= activation:
        return 0.0
    return root(lambda bias: mean_activation(num_classes, bias) - activation, 0.0, 40.0)


def mean_error(
    loss: Loss, num_classes: int, logit: float, sampled_logits: int = SAMPLED_LOGITS
) -> MeanError:
    """⟨δ_k⟩(z_k) of Eq. 3: the labelled logit is held, all others are from N(0, 1).

    Args:
        loss: logits [N, K], labels [N] → [N]; its gradient is taken by backpropagation, so a
            gradient rule counts as such.
        num_classes: K >= 2.
        logit: z_k.
        sampled_logits: how many are drawn in all for a loss that has to be sampled.
    """
    if depends_on_labelled_alone(loss):
        return MeanError(_integrated_error(loss, num_classes, logit), 0.0)
    return _sampled_error(loss, num_classes, logit, sampled_logits)


def depends_on_labelled_alone(loss: Loss) -> bool:
    """Whether δ_k is a function of a_k, tried by merging nine rivals into one of equal S.

    From undecided logits on, where a class may lead with less than half of the softmax: the merged
    rival then takes the lead, which a loss may look at.
    """
    import torch

    generator = torch.Generator().manual_seed(SEED)
    scales = torch.linspace(0.05, 3, 64, dtype=torch.float64).unsqueeze(1)
    logits = torch.randn(64, 10, generator=generator, dtype=torch.float64) * scales
    rival = logits[:, 1:].logsumexp(dim=1)
    merged = torch.stack([logits[:, 0], rival], dim=1)
    return bool(torch.allclose(labelled_error(loss, logits), labelled_error(loss, merged)))


def labelled_error(loss: Loss, logits: Tensor) -> Tensor:
    """δ_k of samples whose label is class 0: logits float64 [N, K] → [N]."""
    import torch

    logits = logits.detach().requires_grad_()
    labels = torch.zeros(len(logits), dtype=torch.int64)
    (gradient,) = torch.autograd.grad(loss(logits, labels).sum(), logits)
    return gradient[:, 0]


def weighting_variance(loss: Loss) -> float:
    """Variance of a sample's weight Σ_n |δ_n| with a_k uniform on [0, 1] (IMAE, Table 4, eq. 26).

    For losses whose δ_k depends on a_k alone, where Σ_n |δ_n| = 2 |δ_k|. By Gauss-Legendre
    quadrature.

    Source: Wang et al., IMAE (arXiv 1903.12141), sec. 4.
    """
    import torch

    nodes, weights = np.polynomial.legendre.leggauss(400)
    a_k = torch.from_numpy((nodes + 1) / 2)
    logits = torch.stack([a_k.log(), torch.log1p(-a_k)], dim=1)
    norms = 2 * labelled_error(loss, logits).abs().numpy()
    mean = float(weights @ norms) / 2
    return float(weights @ (norms - mean) ** 2) / 2


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where `function` changes its sign between `low` and `high`, by bisection to a millionth.

    Raises ValueError if it has the same sign at both ends.
    """
    at_low = function(low)
    if at_low * function(high) > 0:
        raise ValueError(f"no solution between {low:g} and {high:g}")
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        if function(middle) * at_low > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _integrated_error(loss: Loss, num_classes: int, logit: float) -> float:
    """One rival with logit log S stands for all; S = 0 has no mass worth its name."""
    import torch

    values, law = rival_law(num_classes)
    heavy = (law > 0) & (values > 0)
    rivals = torch.from_numpy(np.log(values[heavy]))
    logits = torch.stack([torch.full_like(rivals, logit), rivals], dim=1)
    return float(torch.from_numpy(law[heavy]) @ labelled_error(loss, logits))


def _sampled_error(loss: Loss, num_classes: int, logit: float, sampled_logits: int) -> MeanError:
    """The same draws for every loss, parameter and z_k, so that differences are sharp."""
    logits = _initial_logits(num_classes, sampled_logits).clone()
    logits[:, 0] = logit
    errors = labelled_error(loss, logits)
    return MeanError(float(errors.mean()), float(errors.std()) / math.sqrt(len(errors)))


@functools.lru_cache(maxsize=2)
def _initial_logits(num_classes: int, sampled_logits: int) -> Tensor:
    """Draws from N(0, 1), float64 [N, K]."""
    import torch

    generator = torch.Generator().manual_seed(SEED)
    draws = max(2, sampled_logits // num_classes)
    return torch.randn(draws, num_classes, generator=generator, dtype=torch.float64)


@functools.cache
def _normal_nodes() -> tuple[tuple[float, float], ...]:
    """Gauss-Hermite nodes and weights of N(0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return tuple(zip(nodes.tolist(), (weights / weights.sum()).tolist(), strict=True))
