"""The verbs that train nothing, as text: calibrate, check-loss, check-architecture, theory.

Turns the values of `trainables.early_learning`, `calibration` and `contracts` into columns beside
the published numbers. Prints nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.calibration import calibrate, initial_error, numeric_parameters
from trainables.config import Choice
from trainables.early_learning import (
    MEAN_ACTIVATION,
    MeanError,
    logit_bias,
    mean_activation,
    weighting_variance,
)
from trainables.losses import LOSSES
from trainables.registry import ParameterError

if TYPE_CHECKING:
    from trainables.calibration import Calibration
    from trainables.contracts import Finding

PUBLISHED_VARIANCES = {16: 354.113, 8: 4.546, 4: 0.299, 2: 0.040, 1: 0.007, 0.5: 0.002, 0: 0}
"""T → variance of the weights, Wang et al. (arXiv 1903.12141), Table 4."""

YARDSTICKS = ("ce", "mae")
"""What a loss is compared with: one that learns at any K, and one that does not."""


SHOWN_EXACTLY = 1e-6
"""Relative standard error below which all five digits hold."""


def calibration_of(
    name: str,
    from_classes: int,
    to_classes: int,
    parameter: str | None,
    origin: Mapping[str, Any],
    fixed: Mapping[str, Any],
) -> Calibration:
    """The calibration that the command line asks for.

    Args:
        parameter: None takes the only numeric parameter of the loss.
        origin: parameters at `from_classes` that differ from the defaults.
        fixed: parameters at `to_classes` that differ from those of the origin.

    Raises ComponentError.
    """
    start = Choice.of(name, origin)
    declared = numeric_parameters(start)
    if parameter is None and len(declared) != 1:
        raise ParameterError(
            f"{name} has {len(declared)} numeric parameters ({', '.join(declared) or 'none'}); "
            "name the one to calibrate with --parameter",
            key="parameter",
        )
    wanted = Choice.of(name, {**origin, **fixed})
    return calibrate(start, wanted, parameter or next(iter(declared)), from_classes, to_classes)


def calibration_lines(found: Calibration) -> Iterator[str]:
    """The parameter, what it keeps, and what would happen without it."""
    yield f"{found.parameter} = {found.value:g}"
    yield ""
    unchanged = initial_error(found.origin, found.to_classes)
    yield from columns(
        ("loss", "classes", "⟨δ_k⟩(0)"),
        [
            (described(found.origin), str(found.from_classes), shown(found.target)),
            (described(found.origin), str(found.to_classes), shown(unchanged)),
            (described(found.result), str(found.to_classes), shown(found.reached)),
        ],
    )


def check_lines(loss: Choice, findings: Sequence[Finding]) -> Iterator[str]:
    """What was found about a loss, and how strongly it pulls at first beside CE and MAE."""
    yield described(LOSSES.resolve(loss))
    yield ""
    yield from finding_lines(findings)
    yield ""
    yield "Average backpropagation error ⟨δ_k⟩(0) at initialisation"
    try:
        yield from error_lines([loss, *map(Choice, YARDSTICKS)], (10, 100, 1000))
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        yield f"raised {type(error).__name__}: {error}"


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """A row a property."""
    words = {True: "ok", False: "FAILED", None: "-"}
    yield from columns(
        ("property", "", "seen"),
        [(item.name, words[item.passed], item.detail) for item in findings],
    )


def theory_lines(class_counts: Sequence[int]) -> Iterator[str]:
    """ε(K), ⟨δ_k⟩(0) of every built-in loss, and IMAE's weighting variances."""
    yield f"Logit bias ε(K): the labelled class starts at a mean activation of {MEAN_ACTIVATION:g}"
    yield from columns(
        ("classes", "ε", "mean activation without ε"),
        [
            (str(count), f"{logit_bias(count):.3f}", f"{mean_activation(count, 0.0):.2g}")
            for count in class_counts
        ],
    )
    yield ""
    yield "Average backpropagation error ⟨δ_k⟩(0) at initialisation, default parameters"
    yield from error_lines([Choice(name) for name in LOSSES.names()], class_counts)
    yield ""
    yield "Variance of IMAE's weights for uniform a_k (Wang et al., Table 4)"
    yield from columns(
        ("T", "integrated", "published"),
        [
            (f"{temperature:g}", f"{imae_variance(temperature):.3f}", f"{published:g}")
            for temperature, published in PUBLISHED_VARIANCES.items()
        ],
    )


def imae_variance(temperature: float) -> float:
    """Variance of the weights of IMAE at temperature T >= 0."""
    return weighting_variance(LOSSES.build(Choice.of("imae", temperature=float(temperature))))


def error_lines(losses: Sequence[Choice], class_counts: Sequence[int]) -> Iterator[str]:
    """⟨δ_k⟩(0), a row a loss and a column a class count."""
    rows = [
        (described(loss), *(shown(initial_error(loss, count)) for count in class_counts))
        for loss in losses
    ]
    yield from columns(("loss", *(f"K = {count}" for count in class_counts)), rows)


def component_name(given: str) -> str:
    """`path/to/file.py[:name]` → an import path, with the file's folder made importable."""
    path, _, name = given.partition(":")
    if not path.endswith(".py"):
        return given
    sys.path.insert(0, str(Path(path).resolve().parent))
    return f"{Path(path).stem}:{name}" if name else Path(path).stem


def described(loss: Choice) -> str:
    """gce(q=0.7): the parameters that were given, but for a bias of 0."""
    given = {
        name: value
        for name, value in loss.as_dict().items()
        if name != "logit_bias_epochs" and (name, value) != ("logit_bias", 0.0)
    }
    inside = ", ".join(f"{name}={value}" for name, value in given.items())
    return f"{loss.name}({inside})" if inside else loss.name


def shown(error: MeanError) -> str:
    """A mean, with its standard error where that reaches the digits that are shown."""
    if error.standard_error < SHOWN_EXACTLY * abs(error.value):
        return f"{error.value:.5g}"
    return f"{error.value:.5g} ± {error.standard_error:.1g}"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as aligned text."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, ["─" * width for width in widths], *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
