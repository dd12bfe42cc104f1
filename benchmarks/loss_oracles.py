"""Definitions of the losses in 450-digit arithmetic, written apart from the ones that are trained.

Values are the formulas of the papers as they stand, with no care for cancellation; gradients are
central differences of those values, exact down to 1e-350. Only what has no value to differentiate
(IMAE, focal factors held fixed) is stated as a gradient. Used by the tests and `loss_accuracy.py`.

Source: Staats et al. (arXiv 2306.05497), Table 1; Wang et al. (arXiv 1903.12141), eq. 21-22; Amid
et al. (NeurIPS 2019); Zhang & Sabuncu (NeurIPS 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mpmath import mp, mpf

mp.dps = 450
STEP = mpf(10) ** -40

Logits = Sequence[Any]
Value = Callable[..., Any]


def softmax(z: Logits) -> list[Any]:
    largest = max(z)
    weights = [mp.exp(x - largest) for x in z]
    total = mp.fsum(weights)
    return [weight / total for weight in weights]


def ce(z: Logits, k: int) -> Any:
    return -mp.log(softmax(z)[k])


def mae(z: Logits, k: int) -> Any:
    return mp.fsum(abs(a - (n == k)) for n, a in enumerate(softmax(z)))


def gce(z: Logits, k: int, q: Any) -> Any:
    return (1 - softmax(z)[k] ** q) / q


def tgce(z: Logits, k: int, q: Any, threshold: Any) -> Any:
    return (1 - max(softmax(z)[k], threshold) ** q) / q


def sce(z: Logits, k: int, alpha: Any, beta: Any, log_zero: Any) -> Any:
    a = softmax(z)
    reverse = -mp.fsum(x * (0 if n == k else log_zero) for n, x in enumerate(a))
    return -alpha * mp.log(a[k]) + beta * reverse


def nce(z: Logits, k: int) -> Any:
    logs = [mp.log(a) for a in softmax(z)]
    return logs[k] / mp.fsum(logs)


def nfl(z: Logits, k: int, gamma: Any) -> Any:
    terms = [(1 - a) ** gamma * mp.log(a) for a in softmax(z)]
    return terms[k] / mp.fsum(terms)


def agce(z: Logits, k: int, a: Any, q: Any) -> Any:
    return ((a + 1) ** q - (a + softmax(z)[k]) ** q) / q


def bitempered(z: Logits, k: int, t1: Any, t2: Any) -> Any:
    p = tempered_softmax(z, t2)
    log_p = mp.log(p[k]) if t1 == 1 else (p[k] ** (1 - t1) - 1) / (1 - t1)
    return -log_p - (1 - mp.fsum(x ** (2 - t1) for x in p)) / (2 - t1)


def tempered_softmax(z: Logits, t2: Any) -> list[Any]:
    """exp_t2(z_j - λ) with λ so that the sum is 1: Newton's method, monotone from max z."""
    if t2 == 1:
        return softmax(z)
    shift = max(z)
    for _ in range(200):
        powers = [(1 + (t2 - 1) * (shift - x)) ** (-1 / (t2 - 1)) for x in z]
        step = (mp.fsum(powers) - 1) / mp.fsum(p**t2 for p in powers)
        shift += step
        if abs(step) < mpf(10) ** (20 - mp.dps):
            break
    return [(1 + (t2 - 1) * (shift - x)) ** (-1 / (t2 - 1)) for x in z]


def imae(z: Logits, k: int, temperature: Any) -> Any:
    del temperature
    return mae(z, k)


def nfl_mae(z: Logits, k: int, alpha: Any, beta: Any, gamma: Any) -> Any:
    return alpha * nfl(z, k, gamma) + beta * mae(z, k)


def nce_mae(z: Logits, k: int, alpha: Any, beta: Any) -> Any:
    return alpha * nce(z, k) + beta * mae(z, k)


def nce_agce(z: Logits, k: int, alpha: Any, beta: Any, a: Any, q: Any) -> Any:
    return alpha * nce(z, k) + beta * agce(z, k, a, q)


def imae_gradient(z: Logits, k: int, temperature: Any) -> list[Any]:
    p = softmax(z)[k]
    weight = mp.exp(temperature * p * (1 - p))
    rest = softmax([x for n, x in enumerate(z) if n != k])
    rest.insert(k, None)
    return [-weight / 2 if n == k else weight * rest[n] / 2 for n in range(len(z))]


def detached_nfl_gradient(z: Logits, k: int, gamma: Any) -> list[Any]:
    """The factors (1 - a_j)^gamma are constants: derivative of their quotient of sums by log a."""
    factors = [(1 - a) ** gamma for a in softmax(z)]

    def value(logits: Logits) -> Any:
        terms = [f * mp.log(a) for f, a in zip(factors, softmax(logits), strict=True)]
        return terms[k] / mp.fsum(terms)

    return gradient_of(value, z)


VALUES: Mapping[str, Value] = {
    function.__name__: function
    for function in (
        *(ce, mae, gce, tgce, sce, nce, nfl, agce, bitempered),
        *(imae, nfl_mae, nce_mae, nce_agce),
    )
}


def value_and_gradient(
    name: str, z: Sequence[float], k: int, parameters: Mapping[str, Any]
) -> tuple[Any, list[Any]]:
    """Value and ∂L/∂z [K] of one sample. `parameters` are plain numbers, taken as exact."""
    logits = [mpf(x) for x in z]
    given = dict(parameters)
    factors = given.pop("focal_factors", "differentiated")
    exact = {key: mpf(number) for key, number in given.items()}

    def value(at: Logits) -> Any:
        return VALUES[name](at, k, **exact)

    if name == "imae":
        return value(logits), imae_gradient(logits, k, **exact)
    if name == "nfl" and factors == "detached":
        return value(logits), detached_nfl_gradient(logits, k, **exact)
    return value(logits), gradient_of(value, logits)


def gradient_of(value: Callable[[Logits], Any], z: Logits) -> list[Any]:
    """Central differences."""

    def at(n: int, sign: int) -> Any:
        return value([x + sign * STEP if i == n else x for i, x in enumerate(z)])

    return [(at(n, 1) - at(n, -1)) / (2 * STEP) for n in range(len(z))]
