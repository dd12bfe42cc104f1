"""How strongly a loss pulls before anything is learned: the logit law at initialisation.

Fresh networks have logits near independent N(0, 1), so the labelled class starts at a_k ≈ 1/K. With
many classes a bounded loss has next to no gradient there. This module averages over that law:
the activation of the labelled class (Eq. 4, which fixes the logit bias ε) and the backpropagation
error δ_k = ∂L/∂z_k (Eq. 3). Knows losses only as callables, and nothing of training.

A loss that is a function of a_k alone is integrated over the exact law of the other classes; for
the rest there are weighted draws with their standard error (see `rivals`).

Source: Staats, Thamm & Rosenow (arXiv 2306.05497), sec. 3, Eq. 3 and 4.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainables.theory.rivals import FloatArray, rival_nodes, weighted_draws

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.losses import Loss

MEAN_ACTIVATION = 0.15
"""c of Eq. 4, one constant for all class counts. Its value is lost in the text at hand; 0.15 gives
ε = 0.5, 3.0, 5.4 for K = 10, 100, 1000."""

SAMPLED_LOGITS = 100_000
"""Logits drawn for one mean: exact to a few millionths."""

CURVE_LOGITS = 20_000
"""Logits drawn for each z_k of a curve: exact to far less than the width of its line."""

BATCH_LOGITS = 400_000
"""Logits given to a loss at once."""

SEED = 230605497


@dataclass(frozen=True)
class MeanError:
    """⟨δ_k⟩(z_k) and its standard error, 0 where it was integrated exactly."""

    value: float
    standard_error: float


def mean_activation(num_classes: int, logit_bias: float) -> float:
    """⟨a_k⟩ over all K logits from N(0, 1), with ε on the labelled one (left side of Eq. 4)."""
    log_s, law = rival_nodes(num_classes)
    return sum(
        weight * float(law @ (1 / (1 + np.exp(log_s - logit - logit_bias))))
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
    return mean_errors(loss, num_classes, (logit,), sampled_logits)[0]


def mean_errors(
    loss: Loss, num_classes: int, logits: Sequence[float], sampled_logits: int = CURVE_LOGITS
) -> list[MeanError]:
    """⟨δ_k⟩(z_k) at each of the given z_k, as `mean_error` has it."""
    with _one_thread():
        if depends_on_labelled_alone(loss):
            # One rival with logit log S stands for all.
            log_s, law = rival_nodes(num_classes)
            errors = _errors_at(loss, log_s[:, np.newaxis], logits)
            return [MeanError(float(law @ row), 0.0) for row in errors]
        draws = weighted_draws(num_classes, sampled_logits)
        errors = _errors_at(loss, draws.logits, logits)
        return [MeanError(draws.mean(row), draws.standard_error(row)) for row in errors]


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
    nodes, weights = np.polynomial.legendre.leggauss(400)
    norms = sample_weights(loss, ((nodes + 1) / 2).tolist())
    mean = float(weights @ norms) / 2
    return float(weights @ (norms - mean) ** 2) / 2


def sample_weights(loss: Loss, probabilities: Sequence[float]) -> FloatArray:
    """A sample's weight Σ_n |δ_n| at each a_k in (0, 1), for losses as above: [len]."""
    import torch

    a_k = torch.tensor(probabilities, dtype=torch.float64)
    logits = torch.stack([a_k.log(), torch.log1p(-a_k)], dim=1)
    with _one_thread():
        norms: FloatArray = 2 * labelled_error(loss, logits).abs().numpy()
    return norms


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


def _errors_at(loss: Loss, rivals: FloatArray, logits: Sequence[float]) -> list[FloatArray]:
    """δ_k of every set of rivals [N, K-1] at each z_k: [N] each."""
    import torch

    others = torch.from_numpy(rivals)
    at_once = max(1, BATCH_LOGITS // others.numel())
    found: list[FloatArray] = []
    for start in range(0, len(logits), at_once):
        some = torch.tensor(logits[start : start + at_once], dtype=torch.float64)
        labelled = some.repeat_interleave(len(others)).unsqueeze(1)
        both = torch.cat([labelled, others.repeat(len(some), 1)], dim=1)
        found.extend(labelled_error(loss, both).reshape(len(some), -1).numpy())
    return found


@contextmanager
def _one_thread() -> Iterator[None]:
    """Arrays this small gain nothing from threads, and lose much where cores are busy."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@functools.cache
def _normal_nodes() -> tuple[tuple[float, float], ...]:
    """Gauss-Hermite nodes and weights of N(0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return tuple(zip(nodes.tolist(), (weights / weights.sum()).tolist(), strict=True))
