"""Parameters from the class count alone: what a loss needs so that learning starts as elsewhere.

A parameter that works at one class count starts with ⟨δ_k⟩(0), the average backpropagation error of
an undecided network. `calibrate` finds the value that gives the same error at another class count;
`settle` replaces the requests for such values in a study by numbers, before a cell gets its key.
No network is trained.

Source: Staats, Thamm & Rosenow (arXiv 2306.05497), sec. 3.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trainables.config import Choice
from trainables.losses import LOSSES, Loss, PruningLoss, build_loss
from trainables.losses.logit_bias import BiasedLoss
from trainables.registry import Parameter, ParameterError, nearest
from trainables.theory.early_learning import (
    SAMPLED_LOGITS,
    MeanError,
    logit_bias,
    mean_error,
    root,
)

AUTO = "auto"
"""Value of `logit_bias` that asks for ε(K)."""

CALIBRATE = "calibrate"
"""Key of a mapping that asks for a calibrated parameter."""

REQUEST_KEYS = ("from_classes", "from")
"""What a request may say: the known class count, and the parameters known there."""

SEARCHED = (1e-3, 1e3)
"""Where a parameter is searched, within its range."""

SIGNIFICANT_DIGITS = 3

FACTORS = tuple(10 ** (step / 2) for step in range(-4, 5))
"""Multiples of the origin's value that a further parameter is tried at: a hundredth to a hundred
times as much."""

MOST_PARAMETERS = 3
"""That are sought together: each one after the first takes nine times as long."""

SKETCHED_LOGITS = 100_000
"""Drawn for a loss that has to be sampled while solutions are compared. The draws are the same for
all, so that this is enough to tell which is better; the one that is taken is solved anew."""

PEAK_LOGITS = 200_000
PEAK_POINTS = 41


@dataclass(frozen=True)
class Calibration:
    """A parameter that starts learning at one class count as another set does at another.

    Args:
        origin: the loss at the class count where its parameters are known.
        result: the loss with the calibrated parameter, rounded to three digits.
        parameter: which one.
        from_classes, to_classes: K of both.
        target: ⟨δ_k⟩(0) of the origin.
        reached: ⟨δ_k⟩(0) of the result.
        searched: other parameters that were sought with it.
    """

    origin: Choice
    result: Choice
    parameter: str
    from_classes: int
    to_classes: int
    target: MeanError
    reached: MeanError
    searched: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        return float(self.result.get(self.parameter))

    @property
    def values(self) -> dict[str, float]:
        """Every parameter that was sought."""
        return {name: float(self.result.get(name)) for name in (*self.searched, self.parameter)}


@dataclass(frozen=True)
class Peak:
    """The strongest that a loss pulls on average, ⟨δ_k⟩ of largest size, and the z_k it is at."""

    value: float
    logit: float


@functools.cache
def calibrate(
    origin: Choice, wanted: Choice, parameter: str, from_classes: int, to_classes: int
) -> Calibration:
    """The `parameter` with which `wanted` keeps the ⟨δ_k⟩(0) of `origin`.

    Args:
        origin: a loss with known parameters at `from_classes`.
        wanted: the same loss for `to_classes`; its own value of `parameter` is ignored. Of several
            solutions the one nearest to the origin's value (in ratio) is taken.

    Raises:
        ParameterError: no such numeric parameter, or no value of it reaches the error.
    """
    origin = LOSSES.resolve(origin)
    target = initial_error(origin, from_classes)
    value = _solution(origin, wanted, parameter, to_classes, target, SAMPLED_LOGITS)
    if value is None:
        raise ParameterError(
            f"no '{parameter}' keeps ⟨δ_k⟩(0) = {target.value:.4g} at {to_classes} classes",
            key=parameter,
        )
    result = LOSSES.resolve(wanted.replace(**{parameter: rounded(value)}))
    reached = initial_error(result, to_classes)
    return Calibration(origin, result, parameter, from_classes, to_classes, target, reached)


def calibrate_together(
    origin: Choice,
    wanted: Choice,
    parameters: Sequence[str],
    from_classes: int,
    to_classes: int,
) -> Calibration:
    """Of all `parameters` that keep the ⟨δ_k⟩(0) of `origin`, those with the smallest peak.

    One equation leaves many solutions. Each parameter but the last is tried at `FACTORS` of its
    value in the origin, the last one is solved for, and of these solutions the one is taken whose
    largest |⟨δ_k⟩(z_k)| is smallest: it starts as strongly, and pulls least hard later.

    Raises:
        ParameterError: as `calibrate`; more than `MOST_PARAMETERS`; a parameter named twice.
    """
    *others, last = parameters
    if not others:
        return calibrate(origin, wanted, last, from_classes, to_classes)
    _check_together(parameters)
    origin = LOSSES.resolve(origin)
    target = initial_error(origin, from_classes, SKETCHED_LOGITS)
    found: list[tuple[float, Choice]] = []
    for given in _grid(origin, wanted, others):
        trial = wanted.replace(**given)
        value = _solution(origin, trial, last, to_classes, target, SKETCHED_LOGITS)
        if value is not None:
            solution = trial.replace(**{last: value})
            found.append((abs(peak(solution, to_classes, SKETCHED_LOGITS).value), trial))
    if not found:
        raise ParameterError(
            f"no {' and '.join(parameters)} keep ⟨δ_k⟩(0) = {target.value:.4g} at {to_classes} "
            "classes",
            key=last,
        )
    _, best = min(found, key=lambda one: one[0])
    solved = calibrate(origin, best, last, from_classes, to_classes)
    return replace(solved, searched=tuple(others))


def peak(loss: Choice, num_classes: int, sampled_logits: int = PEAK_LOGITS) -> Peak:
    """The largest ⟨δ_k⟩(z_k) by size, between undecided and sure of the label."""
    built = build_loss(loss, num_classes)
    # The rivals weigh some 1.65 (K - 1) together: from there on a_k goes from 1/2 to 1.
    sure = math.log(1.65 * (num_classes - 1)) + 8
    logits = [-4 + (sure + 4) * step / (PEAK_POINTS - 1) for step in range(PEAK_POINTS)]
    errors = [mean_error(built, num_classes, z, sampled_logits).value for z in logits]
    value, logit = max(zip(errors, logits, strict=True), key=lambda pair: abs(pair[0]))
    return Peak(value, logit)


def initial_error(
    loss: Choice, num_classes: int, sampled_logits: int = SAMPLED_LOGITS
) -> MeanError:
    """⟨δ_k⟩(0) of a loss with its logit bias.

    A loss that prunes samples counts as what it trains with before its first pass.
    """
    return mean_error(_at_first(loss, num_classes), num_classes, 0.0, sampled_logits)


def auto_logit_bias(num_classes: int) -> float:
    """ε(K) rounded to a tenth, as the published values are: 0.5, 3.0, 5.4 for 10, 100, 1000."""
    return round(logit_bias(num_classes), 1)


def asks_for_numbers(loss: Mapping[str, Any]) -> bool:
    """Whether a study's loss leaves a parameter to the class count."""
    return loss.get("logit_bias") == AUTO or any(map(_is_request, loss.values()))


def settle(loss: Mapping[str, Any], num_classes: int) -> dict[str, Any]:
    """A study's loss, a mapping with its `name`, with numbers for `auto` and `calibrate`.

    `logit_bias: auto` becomes ε(K). `q: {calibrate: {from_classes: 100}}` becomes the q that keeps
    ⟨δ_k⟩(0) of the same loss with the default q, or with the parameters under `from`, at 100
    classes.

    Raises ComponentError with the parameter as `key`.
    """
    LOSSES.component(loss["name"])
    settled = dict(loss)
    if settled.get("logit_bias") == AUTO:
        settled["logit_bias"] = auto_logit_bias(num_classes)
    requests = {name: value for name, value in settled.items() if _is_request(value)}
    if len(requests) > 1:
        raise ParameterError(
            "one parameter of a loss can be calibrated at a time", key=list(requests)[1]
        )
    for name, value in requests.items():
        settled[name] = _calibrated(settled, name, value[CALIBRATE], num_classes)
    return settled


def numeric_parameter(loss: Choice, name: str) -> Parameter:
    """The declaration of a real-valued parameter. Raises ParameterError."""
    declared = numeric_parameters(loss)
    if name not in declared:
        raise ParameterError(
            f"{loss.name} has no numeric parameter '{name}'; it has "
            f"{', '.join(declared) or 'none'}",
            key=name,
            nearest=nearest(name, declared),
        )
    return declared[name]


def numeric_parameters(loss: Choice) -> dict[str, Parameter]:
    """The real-valued parameters of a loss, but for its logit bias."""
    declared = LOSSES.component(loss.name).parameters
    return {
        name: item
        for name, item in declared.items()
        if isinstance(item.default, float) and name != "logit_bias"
    }


def rounded(value: float) -> float:
    """To three significant digits, so that the number that enters a key is one to be printed."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _at_first(loss: Choice, num_classes: int) -> Loss:
    """What a step minimises before any sample is pruned."""
    plain, resolved = LOSSES.build(loss), LOSSES.resolve(loss)
    if not isinstance(plain, PruningLoss):
        return build_loss(loss, num_classes)
    bias = resolved.get("logit_bias")
    return BiasedLoss(plain.kept_loss, bias) if bias else plain.kept_loss


def _solution(
    origin: Choice,
    wanted: Choice,
    parameter: str,
    num_classes: int,
    target: MeanError,
    sampled_logits: int,
) -> float | None:
    """Of all values that reach the target the one nearest to the origin's, in ratio."""
    declared = numeric_parameter(wanted, parameter)

    def excess(value: float) -> float:
        trial = wanted.replace(**{parameter: value})
        try:
            return initial_error(trial, num_classes, sampled_logits).value - target.value
        except OverflowError:  # far out, powers of a parameter leave the range of floats
            return math.nan

    known = float(origin.get(parameter))
    solutions = _roots(excess, _candidates(declared))
    return min(solutions, key=lambda found: abs(math.log(found / known)), default=None)


def _check_together(parameters: Sequence[str]) -> None:
    """Raises ParameterError for too many parameters, or one that is named twice."""
    if len(parameters) > MOST_PARAMETERS:
        raise ParameterError(
            f"no more than {MOST_PARAMETERS} parameters can be calibrated together",
            key="parameter",
        )
    for name in parameters:
        if parameters.count(name) > 1:
            raise ParameterError(f"'{name}' is named twice", key="parameter")


def _grid(origin: Choice, wanted: Choice, parameters: Sequence[str]) -> Iterator[dict[str, float]]:
    """Every combination of values that further parameters are tried at, within their ranges."""
    tried = []
    for name in parameters:
        declared = numeric_parameter(wanted, name)
        values = [rounded(float(origin.get(name)) * factor) for factor in FACTORS]
        tried.append([v for v in values if declared.range is None or v in declared.range])
    for combination in itertools.product(*tried):
        yield dict(zip(parameters, combination, strict=True))


def _calibrated(loss: Mapping[str, Any], name: str, request: Any, num_classes: int) -> float:
    if not isinstance(request, Mapping):
        raise ParameterError("'calibrate' must be a mapping with 'from_classes'", key=name)
    for key in request:
        if key not in REQUEST_KEYS:
            hint = nearest(str(key), REQUEST_KEYS)
            raise ParameterError(f"'calibrate' has no key '{key}'", key=name, nearest=hint)
    from_classes, origin = request.get("from_classes"), request.get("from", {})
    if not isinstance(from_classes, int) or from_classes < 2:
        raise ParameterError("'calibrate' needs 'from_classes', a class count >= 2", key=name)
    if not isinstance(origin, Mapping):
        raise ParameterError("'from' must be a mapping of parameters", key=name)
    others = {key: value for key, value in loss.items() if key not in ("name", name)}
    return calibrate(
        Choice.of(loss["name"], {**others, **origin}),
        Choice.of(loss["name"], others),
        name,
        from_classes,
        num_classes,
    ).value


def _is_request(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {CALIBRATE}


def _candidates(parameter: Parameter) -> list[float]:
    """Values at which a change of sign is looked for: log-spaced within the parameter's range."""
    low, high = SEARCHED
    spaced = [float(value) for value in np.geomspace(low, high, 25)]
    if parameter.range is not None:
        spaced = sorted({*spaced, parameter.range.high} - {float("inf")})
        spaced = [value for value in spaced if value in parameter.range]
    return spaced


def _roots(function: Callable[[float], float], candidates: list[float]) -> list[float]:
    values = [(value, function(value)) for value in candidates]
    return [
        root(function, low, high)
        for (low, at_low), (high, at_high) in itertools.pairwise(values)
        if at_low * at_high <= 0
    ]
