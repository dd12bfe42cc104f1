"""The verbs that train nothing, as text: calibrate, check-loss, check-architecture, theory.

Turns the values of `trainables.theory` into columns beside the published numbers. Prints nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.config import Choice
from trainables.losses import LOSSES
from trainables.losses.published import published_of, written_out
from trainables.registry import ParameterError
from trainables.theory.calibration import (
    calibrate_together,
    initial_error,
    numeric_parameters,
    peak,
)
from trainables.theory.early_learning import (
    MEAN_ACTIVATION,
    MeanError,
    logit_bias,
    mean_activation,
    weighting_variance,
)

if TYPE_CHECKING:
    from trainables.theory.calibration import Calibration
    from trainables.theory.loss_contract import Finding

PUBLISHED_VARIANCES = {16: 354.113, 8: 4.546, 4: 0.299, 2: 0.040, 1: 0.007, 0.5: 0.002, 0: 0}
"""T → variance of the weights, Wang et al. (arXiv 1903.12141), Table 4."""

PUBLISHED_MAE_VARIANCE = "0.09"
"""Of MAE, in the text beside that table."""

YARDSTICKS = ("ce", "mae")
"""What a loss is compared with: one that learns at any K, and one that does not."""

FAR = 3
"""How many times as large the largest average error may become without a warning."""

CROSS_ENTROPY_PEAK = 1
"""Size of the largest average error of cross-entropy, at any class count."""


SHOWN_EXACTLY = 1e-6
"""Relative standard error below which all five digits hold."""


def calibration_of(
    name: str,
    from_classes: int,
    to_classes: int,
    parameters: Sequence[str],
    origin: Mapping[str, Any],
    fixed: Mapping[str, Any],
) -> Calibration:
    """The calibration that the command line asks for.

    Args:
        parameters: sought together; none takes the only numeric parameter of the loss.
        origin: parameters at `from_classes` that differ from the defaults.
        fixed: parameters at `to_classes` that differ from those of the origin.

    Raises ComponentError.
    """
    start = Choice.of(name, origin)
    declared = numeric_parameters(start)
    if not parameters and len(declared) != 1:
        raise ParameterError(
            f"{name} has {len(declared)} numeric parameters ({', '.join(declared) or 'none'}); "
            "name the one to calibrate with --parameter",
            key="parameter",
        )
    wanted = Choice.of(name, {**origin, **fixed})
    return calibrate_together(start, wanted, parameters or list(declared), from_classes, to_classes)


def calibration_lines(found: Calibration) -> Iterator[str]:
    """The parameter, what it keeps, and what would happen without it."""
    yield ", ".join(f"{name} = {value:g}" for name, value in found.values.items())
    if found.searched:
        yield "of many solutions the one with the smallest peak, on a grid of the others"
    yield ""
    losses = (
        (found.origin, found.from_classes, found.target),
        (found.origin, found.to_classes, initial_error(found.origin, found.to_classes)),
        (found.result, found.to_classes, found.reached),
    )
    peaks = [peak(loss, count) for loss, count, _ in losses]
    yield from columns(
        ("loss", "classes", "⟨δ_k⟩(0)", "largest ⟨δ_k⟩(z_k)", "at z_k"),
        [
            (described(loss), str(count), shown(error), f"{top.value:.3g}", f"{top.logit:.1f}")
            for (loss, count, error), top in zip(losses, peaks, strict=True)
        ],
    )
    yield from _peak_warning(before=peaks[0].value, after=peaks[2].value)


def _peak_warning(*, before: float, after: float) -> Iterator[str]:
    """Where the loss will pull much harder later on than it does where it is known."""
    if abs(after) <= max(FAR * abs(before), CROSS_ENTROPY_PEAK):
        return
    yield ""
    yield (
        f"warning: the largest average error rises from {before:.3g} to {after:.3g}, "
        f"{after / before:.0f} times as much, and beyond that of cross-entropy "
        f"(-{CROSS_ENTROPY_PEAK:g}): the loss is mostly rescaled. Seek a second parameter with "
        "another --parameter, or change one with --fix."
    )


def check_lines(loss: Choice, findings: Sequence[Finding]) -> Iterator[str]:
    """What was found about a loss, and how strongly it pulls at first beside CE and MAE."""
    yield described(LOSSES.resolve(written_out(loss)))
    yield ""
    yield from finding_lines(findings)
    yield ""
    yield from published_lines(loss.name)
    yield "Average backpropagation error ⟨δ_k⟩(0) at initialisation"
    try:
        beside = (other for other in map(Choice, YARDSTICKS) if other != loss)
        yield from error_lines([loss, *beside], (10, 100, 1000))
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        yield f"raised {type(error).__name__}: {error}"


def published_lines(name: str) -> Iterator[str]:
    """Parameters that a loss was published with, a row a data set; nothing if none are known."""
    if (published := published_of(name)) is None:
        return
    yield f"Published parameters, for `defaults`: {published.source}"
    yield from columns(
        ("defaults", "parameters"),
        [
            (dataset, ", ".join(f"{key}={value}" for key, value in parameters.items()))
            for dataset, parameters in published.by_dataset.items()
        ],
    )
    yield ""


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
    yield "Average backpropagation error ⟨δ_k⟩(0) at initialisation, default parameters;"
    yield "a loss that prunes samples counts as what it trains with before its first pass"
    yield from error_lines([Choice(name) for name in LOSSES.names()], class_counts)
    yield ""
    yield "Variance of a sample's weight for uniform a_k (Wang et al., Table 4 and its text)"
    yield from columns(("loss", "integrated", "published"), variance_rows())


def variance_rows() -> list[tuple[str, str, str]]:
    """IMAE at each published T, MAE and cross-entropy; the last without a published number."""
    imae = [
        (f"IMAE, T = {temperature:g}", f"{imae_variance(temperature):.3f}", f"{published:g}")
        for temperature, published in PUBLISHED_VARIANCES.items()
    ]
    mae, ce = (weighting_variance(LOSSES.build(Choice(name))) for name in ("mae", "ce"))
    return [*imae, ("MAE", f"{mae:.3f}", PUBLISHED_MAE_VARIANCE), ("CCE", f"{ce:.3f}", "")]


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
