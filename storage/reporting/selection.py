"""A curve → the one number that a table shows, and the words that say how it was taken.

Knows each metric's split, unit and direction, and the rules of selection over epochs. Knows
nothing of cells and seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from storage.attempt import PickRecord
from storage.reporting.spec import TableSpec

Curve = Sequence[float | None]
"""One metric per epoch, in order; None where it is undefined or not finite."""


@dataclass(frozen=True)
class MetricFacts:
    """What a table must know and say about a metric.

    Args:
        words: what it measures, on which split.
        short: the same where there is little room, such as beside an axis.
        is_test: whether it is measured on test data.
        is_fraction: whether the store holds a fraction, shown in per cent.
        higher_is_better: direction of the bold rule and of `best`.
    """

    words: str
    short: str
    is_test: bool
    is_fraction: bool
    higher_is_better: bool

    @property
    def unit(self) -> str:
        return "%" if self.is_fraction else ""

    @property
    def decimals(self) -> int:
        return 2 if self.is_fraction else 4


METRIC_FACTS = {
    "test_accuracy": MetricFacts(
        "Top-1 accuracy on the test split", "test accuracy", True, True, True
    ),
    "test_top5_accuracy": MetricFacts(
        "Top-5 accuracy on the test split", "top-5 test accuracy", True, True, True
    ),
    "test_loss": MetricFacts("Loss on the test split", "test loss", True, False, False),
    "test_cmc1": MetricFacts("CMC-1 of the test tracklets", "test CMC-1", True, True, True),
    "test_map": MetricFacts(
        "Mean average precision of the test tracklets", "test mAP", True, True, True
    ),
    "train_loss": MetricFacts("Loss on the training split", "training loss", False, False, False),
    "train_accuracy_noisy": MetricFacts(
        "Accuracy on the training split against the noisy labels",
        "training accuracy, noisy labels",
        False,
        True,
        True,
    ),
    "train_accuracy_clean": MetricFacts(
        "Accuracy on the training split against the true labels",
        "training accuracy, true labels",
        False,
        True,
        True,
    ),
    "memorization": MetricFacts(
        "Share of the wrong training labels that the network reproduces",
        "memorised wrong labels",
        False,
        True,
        False,
    ),
}


def axis_words(metric: str) -> str:
    """A metric with its unit, as it stands beside an axis."""
    facts = METRIC_FACTS[metric]
    return f"{facts.short} {facts.unit}".rstrip()


def countable(curve: Curve, *, is_diverged: bool) -> Curve:
    """The epochs that a rule may take its number from.

    A diverged run has its last one only, whatever the rule: it counts with what it ended at, not
    with its best epoch before it broke.
    """
    return curve[-1:] if is_diverged else curve


def picked_metric(pick: PickRecord) -> str | None:
    """The metric that a pick compared; None for one that this version does not know."""
    if pick.metric is not None:
        return pick.metric if pick.metric in METRIC_FACTS else None
    # Records of older versions name it in the words of their rule alone.
    named = set(pick.rule.split())
    return next((name for name in METRIC_FACTS if name in named), None)


def select(curve: Curve, spec: TableSpec) -> float | None:
    """The table's number for the countable epochs of one run, in the table's unit (per cent for
    fractions).

    `best` passes over undefined epochs; the other rules are undefined if one of theirs is.
    """
    facts = METRIC_FACTS[spec.value]
    if spec.select == "best":
        values = [value for value in curve if value is not None]
        taken = [max(values) if facts.higher_is_better else min(values)] if values else []
    else:
        tail = curve[-(spec.last_k or 1) :]
        taken = [value for value in tail if value is not None]
        if len(taken) < len(tail):
            return None
    if not taken:
        return None
    return fmean(taken) * (100 if facts.is_fraction else 1)


def selection_words(spec: TableSpec) -> str:
    """Which epoch the number comes from; says so if test data chose it."""
    if spec.select == "last":
        return "at the last epoch"
    if spec.select == "mean_of_last":
        return f"averaged over the last {spec.last_k} epochs"
    if METRIC_FACTS[spec.value].is_test:
        return "at its best epoch (oracle: the epoch is selected on test data)"
    return "at its best epoch"
