"""The logits of the other classes at initialisation: z_j ~ N(0, 1) for all j ≠ k.

All that they do to a_k = softmax(z)_k is done by S = Σ_{j≠k} exp(z_j), whose exact law is a
convolution power, taken by FFT. What depends on more than S is averaged over few draws, weighted so
that they have the exact moments of S and M = Σ_{j≠k} z_j; both sums hold nearly all that a loss
sees, so a few hundred such draws are worth hundreds of thousands of plain ones. Knows no losses.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

GRID = 2**15
"""Points of the grid that holds the law of S; ε is exact to 1e-5 up to K = 1000."""

BIN = 0.003
"""Width in log S of the cells that are merged for integration: exact to a millionth."""

NO_MASS = 1e-15

POWERS = ((0, 5), (1, 3), (2, 1))
"""Exact moments: M^i (log S)^j for each i up to its highest j."""

FEWEST = 60
"""Draws, however few logits are asked for: well over the number of exact moments."""

SEED = 230605497


@dataclass(frozen=True)
class WeightedDraws:
    """Draws of the other logits that average as the law itself does.

    Args:
        logits: [N, K-1].
        weights: [N], of sum 1; a few may be negative.
        features: [N, F], functions of each draw whose means are exact.
        projection: [F, N], what fits the features to values at the draws.
    """

    logits: FloatArray
    weights: FloatArray
    features: FloatArray
    projection: FloatArray

    def mean(self, values: FloatArray) -> float:
        """Of a value at each draw."""
        return float(self.weights @ values)

    def standard_error(self, values: FloatArray) -> float:
        """Of that mean: what the features leave unexplained."""
        left = values - self.features @ (self.projection @ values)
        freedom = max(1, len(values) - self.features.shape[1])
        return math.sqrt(float(left @ left) / freedom / len(values))


@functools.cache
def rival_law(num_classes: int) -> tuple[FloatArray, FloatArray]:
    """Law of S: values [G] and their probabilities [G]."""
    values, (law, _, _) = _laws(num_classes)
    positive = law.clip(min=0.0)
    return values, positive / positive.sum()


@functools.cache
def rival_nodes(num_classes: int) -> tuple[FloatArray, FloatArray]:
    """The same law for integration: log S [B] of merged cells and their weights [B]."""
    values, law = rival_law(num_classes)
    # S = 0 has no mass worth its name.
    kept = (law > NO_MASS) & (values > 0)
    values, law = values[kept], law[kept]
    bins = np.floor(np.log(values) / BIN).astype(np.int64)
    _, place = np.unique(bins, return_inverse=True)
    weights = np.bincount(place, law)
    return np.log(np.bincount(place, law * values) / weights), weights / weights.sum()


@functools.lru_cache(maxsize=8)
def weighted_draws(num_classes: int, num_logits: int) -> WeightedDraws:
    """The same draws for every loss, parameter and z_k, so that differences are sharp.

    Args:
        num_logits: drawn in all: fewer draws of more classes, at equal cost.
    """
    rivals, draws = num_classes - 1, max(FEWEST, num_logits // num_classes)
    logits = np.random.default_rng(SEED).standard_normal((draws, rivals))
    log_s, m = np.log(np.exp(logits).sum(axis=1)), logits.sum(axis=1) / math.sqrt(rivals)
    centre, spread, means = _exact_means(num_classes)
    t = (log_s - centre) / spread
    columns = [m**i * t**j for i, highest in POWERS for j in range(highest + 1)]
    columns.append(((logits**2).sum(axis=1) - rivals) / math.sqrt(2 * rivals))
    features = np.stack(columns, axis=1)
    projection = np.linalg.pinv(features)
    return WeightedDraws(logits, means @ projection, features, projection)


@functools.cache
def _exact_means(num_classes: int) -> tuple[float, float, FloatArray]:
    """Centre and spread of log S, and the means of all features."""
    values, laws = _laws(num_classes)
    kept = (laws[0] > NO_MASS) & (values > 0)
    log_s, (law, with_m, with_m2) = np.log(values[kept]), (one[kept] for one in laws)
    total, rivals = law.sum(), num_classes - 1
    centre = float(law @ log_s / total)
    spread = math.sqrt(float(law @ (log_s - centre) ** 2 / total))
    t = (log_s - centre) / spread
    scaled = (law / total, with_m / math.sqrt(rivals), with_m2 / rivals)
    means = [float(scaled[i] @ t**j) for i, highest in POWERS for j in range(highest + 1)]
    return centre, spread, np.array([*means, 0.0])


@functools.cache
def _laws(num_classes: int) -> tuple[FloatArray, tuple[FloatArray, FloatArray, FloatArray]]:
    """S [G], and the means of 1, M and M² over the draws of each S [G]."""
    count = num_classes - 1
    # Mean 1.65 and variance 4.67 of exp(z); e^6 covers its own heavy tail.
    end = 1.65 * count + 12 * math.sqrt(4.67 * count) + math.exp(6)
    step = end / GRID
    edges = np.log(step * (np.arange(GRID) + 0.5))
    below = np.array([0.5 * math.erfc(-edge / math.sqrt(2)) for edge in edges])
    density = np.exp(-(edges**2) / 2) / math.sqrt(2 * math.pi)
    # ∫ φ, ∫ z φ and ∫ z² φ over the cell of one rival.
    one, first, second = (
        np.fft.rfft(np.diff(integral, prepend=0.0), 2 * GRID)
        for integral in (below, -density, below - edges * density)
    )
    m2 = count * second * one ** (count - 1)
    if count > 1:
        m2 = m2 + count * (count - 1) * first**2 * one ** (count - 2)
    spectra = (one**count, count * first * one ** (count - 1), m2)
    law, with_m, with_m2 = (np.fft.irfft(one, 2 * GRID)[:GRID] for one in spectra)
    return step * np.arange(GRID, dtype=np.float64), (law, with_m, with_m2)
