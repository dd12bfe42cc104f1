"""Definitions of the losses in 450-digit arithmetic, written apart from the ones that are trained.

Values are the formulas of the papers as they stand, with no care for cancellation; gradients are
central differences of those values, exact down to 1e-350. Only what has no value to differentiate
(IMAE, focal factors held fixed) is stated as a gradient. Used by the tests and `loss_accuracy.py`.

Source: Staats et al. (arXiv 2306.05497), Table 1; Wang et al. (arXiv 1903.12141), eq. 21-22; Amid
et al. (NeurIPS 2019); Zhang & Sabuncu (NeurIPS 2018); the other papers as named where each loss is
defined (`trainables/losses`).
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


def focal_factors(z: Logits, gamma: Any) -> list[Any]:
    return [(1 - a) ** gamma for a in softmax(z)]


def nfl(z: Logits, k: int, gamma: Any, factors: Any = None) -> Any:
    factors = factors or focal_factors(z, gamma)
    terms = [f * mp.log(a) for f, a in zip(factors, softmax(z), strict=True)]
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


def nfl_mae(z: Logits, k: int, alpha: Any, beta: Any, gamma: Any, factors: Any = None) -> Any:
    return alpha * nfl(z, k, gamma, factors) + beta * mae(z, k)


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


LOG_ZERO = mp.log(mpf("1e-4"))


def rce(z: Logits, k: int, log_zero: Any = LOG_ZERO) -> Any:
    return -mp.fsum(a * (0 if n == k else log_zero) for n, a in enumerate(softmax(z)))


def focal(z: Logits, k: int, gamma: Any, factors: Any = None) -> Any:
    factors = factors or focal_factors(z, gamma)
    return -factors[k] * mp.log(softmax(z)[k])


def aul(z: Logits, k: int, a: Any, q: Any) -> Any:
    return ((a - softmax(z)[k]) ** q - (a - 1) ** q) / q


def ael(z: Logits, k: int, a: Any) -> Any:
    return mp.exp(-softmax(z)[k] / a)


def phuber_ce(z: Logits, k: int, tau: Any) -> Any:
    p = softmax(z)[k]
    return -tau * p + mp.log(tau) + 1 if p <= 1 / tau else -mp.log(p)


def phuber_gce(z: Logits, k: int, tau: Any, q: Any) -> Any:
    p, edge = softmax(z)[k], tau ** (1 / (q - 1))
    return tau * (edge - p) + (1 - edge**q) / q if p <= edge else (1 - p**q) / q


def taylor_ce(z: Logits, k: int, order: Any) -> Any:
    p = softmax(z)[k]
    return mp.fsum((1 - p) ** i / i for i in range(1, int(order) + 1))


def js(z: Logits, k: int, pi1: Any) -> Any:
    a, pi2 = softmax(z), 1 - pi1
    m = [pi1 * (n == k) + pi2 * x for n, x in enumerate(a)]
    label = -mp.log(m[k])
    output = mp.fsum(x * mp.log(x / y) for x, y in zip(a, m, strict=True))
    return (pi1 * label + pi2 * output) / (-(1 - pi1) * mp.log(1 - pi1))


def ngce(z: Logits, k: int, q: Any) -> Any:
    terms = [(1 - a**q) / q for a in softmax(z)]
    return terms[k] / mp.fsum(terms)


def nnce(z: Logits, k: int, p_min: Any) -> Any:
    """1 minus the share of A - l_k, l the clamped cross-entropy and A its largest value."""
    terms = [mp.log(max(a, p_min)) - mp.log(p_min) for a in softmax(z)]
    return 1 - terms[k] / mp.fsum(terms)


def nnfl(z: Logits, k: int, gamma: Any, p_min: Any, factors: Any = None) -> Any:
    a = [max(x, p_min) for x in softmax(z)]
    given = factors or focal_factors(z, gamma)
    factors = [(1 - p_min) ** gamma if x == p_min else f for f, x in zip(given, a, strict=True)]
    largest = -((1 - p_min) ** gamma) * mp.log(p_min)
    terms = [largest + f * mp.log(x) for f, x in zip(factors, a, strict=True)]
    return 1 - terms[k] / mp.fsum(terms)


def anl_ce(z: Logits, k: int, alpha: Any, beta: Any, p_min: Any) -> Any:
    return alpha * nce(z, k) + beta * nnce(z, k, p_min)


def anl_fl(
    z: Logits, k: int, alpha: Any, beta: Any, gamma: Any, p_min: Any, factors: Any = None
) -> Any:
    return alpha * nfl(z, k, gamma, factors) + beta * nnfl(z, k, gamma, p_min, factors)


def nce_rce(z: Logits, k: int, alpha: Any, beta: Any) -> Any:
    return alpha * nce(z, k) + beta * rce(z, k)


def nfl_rce(z: Logits, k: int, alpha: Any, beta: Any, gamma: Any, factors: Any = None) -> Any:
    return alpha * nfl(z, k, gamma, factors) + beta * rce(z, k)


def nce_aul(z: Logits, k: int, alpha: Any, beta: Any, a: Any, q: Any) -> Any:
    return alpha * nce(z, k) + beta * aul(z, k, a, q)


def nce_ael(z: Logits, k: int, alpha: Any, beta: Any, a: Any) -> Any:
    return alpha * nce(z, k) + beta * ael(z, k, a)


def amse(z: Logits, k: int, a: Any) -> Any:
    return mp.fsum((x - a * (n == k)) ** 2 for n, x in enumerate(softmax(z))) / len(z)


def mse(z: Logits, k: int) -> Any:
    return amse(z, k, 1)


def jal_ce(z: Logits, k: int, alpha: Any, beta: Any, a: Any) -> Any:
    return alpha * nce(z, k) + beta * amse(z, k, a)


def jal_fl(
    z: Logits, k: int, alpha: Any, beta: Any, a: Any, gamma: Any, factors: Any = None
) -> Any:
    return alpha * nfl(z, k, gamma, factors) + beta * amse(z, k, a)


def eps_ce(z: Logits, k: int, m: Any, floor: Any) -> Any:
    leader = list(z).index(max(z))
    p = [(a + m * (n == leader)) / (1 + m) for n, a in enumerate(softmax(z))]
    return -mp.log(max(p[k], floor))


def eps_ce_mae(z: Logits, k: int, alpha: Any, beta: Any, m: Any, floor: Any) -> Any:
    return alpha * eps_ce(z, k, m, floor) + beta * mae(z, k)


def length(z: Logits) -> Any:
    return mp.sqrt(mp.fsum(x**2 for x in z))


def base(z: Logits, k: int, q: Any) -> Any:
    return gce(z, k, q) if q else ce(z, k)


def logit_clip(z: Logits, k: int, delta: Any, threshold: str, q: Any) -> Any:
    longest = delta if threshold == "delta" else 1 / delta
    return base([delta * x / length(z) for x in z] if length(z) > longest else z, k, q)


def sr(z: Logits, k: int, tau: Any, s: Any, weight: Any, q: Any, normalize: bool = True) -> Any:
    scaled = [x / (tau * (length(z) if normalize else 1)) for x in z]
    return base(scaled, k, q) + weight * mp.fsum(p**s for p in softmax(scaled))


def ldr_kl(z: Logits, k: int, margin: Any, lam: Any) -> Any:
    s = [mp.log1p(mp.exp(x)) for x in z]
    u = [x * len(z) / mp.fsum(s) for x in s]
    terms = [mp.exp((margin * (n != k) + x - u[k]) / lam) for n, x in enumerate(u)]
    return lam * mp.log(mp.fsum(terms) / len(z))


def label_smoothing(z: Logits, k: int, smoothing: Any) -> Any:
    target = [(1 - smoothing) * (n == k) + smoothing / len(z) for n in range(len(z))]
    return -mp.fsum(t * mp.log(a) for t, a in zip(target, softmax(z), strict=True))


def bootstrap_soft(z: Logits, k: int, weight: Any) -> Any:
    a = softmax(z)
    return -mp.fsum(((1 - weight) * (n == k) + weight * x) * mp.log(x) for n, x in enumerate(a))


def bootstrap_hard(z: Logits, k: int, weight: Any) -> Any:
    return (1 - weight) * ce(z, k) + weight * ce(z, list(z).index(max(z)))


def transition(classes: int, rate: Any, matrix: Any) -> Any:
    if matrix is not None:
        return mp.matrix(matrix)
    return mp.matrix(
        [
            [1 - rate if i == j else rate / (classes - 1) for j in range(classes)]
            for i in range(classes)
        ]
    )


def forward_correction(z: Logits, k: int, rate: Any = 0, matrix: Any = None) -> Any:
    noise = transition(len(z), rate, matrix)
    return -mp.log(mp.fsum(noise[i, k] * a for i, a in enumerate(softmax(z))))


def backward_correction(z: Logits, k: int, rate: Any = 0, matrix: Any = None) -> Any:
    """Its inverse is found in 40 digits: it is a constant, which no difference is taken of."""
    noise = transition(len(z), rate, matrix)
    with mp.workdps(60):
        undone = noise**-1
    return mp.fsum(-undone[k, j] * mp.log(a) for j, a in enumerate(softmax(z)))


VALUES: Mapping[str, Value] = {
    function.__name__: function
    for function in (
        *(ce, mae, gce, tgce, sce, nce, nfl, agce, bitempered),
        *(imae, nfl_mae, nce_mae, nce_agce),
        *(rce, focal, aul, ael, phuber_ce, phuber_gce, taylor_ce, js, ngce, nnce, nnfl),
        *(anl_ce, anl_fl, nce_rce, nfl_rce, nce_aul, nce_ael, mse, amse, jal_ce, jal_fl),
        *(eps_ce, eps_ce_mae, logit_clip, sr, ldr_kl),
        *(label_smoothing, bootstrap_soft, bootstrap_hard),
        *(forward_correction, backward_correction),
    )
}


def value_and_gradient(
    name: str, z: Sequence[float], k: int, parameters: Mapping[str, Any]
) -> tuple[Any, list[Any]]:
    """Value and ∂L/∂z [K] of one sample. Numbers among `parameters` are taken as exact.

    Focal factors that are held fixed are those at `z`.
    """
    logits = [mpf(x) for x in z]
    given = dict(parameters)
    is_detached = given.pop("focal_factors", "differentiated") == "detached"
    exact = {key: mpf(x) if isinstance(x, int | float) else x for key, x in given.items()}
    factors = {"factors": focal_factors(logits, exact["gamma"])} if is_detached else {}

    def value(at: Logits) -> Any:
        return VALUES[name](at, k, **exact)

    if name == "imae":
        return value(logits), imae_gradient(logits, k, **exact)
    return value(logits), gradient_of(lambda at: VALUES[name](at, k, **exact, **factors), logits)


def gradient_of(value: Callable[[Logits], Any], z: Logits) -> list[Any]:
    """Central differences."""

    def at(n: int, sign: int) -> Any:
        return value([x + sign * STEP if i == n else x for i, x in enumerate(z)])

    return [(at(n, 1) - at(n, -1)) / (2 * STEP) for n in range(len(z))]
