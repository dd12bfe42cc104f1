"""Table 4 of Staats et al. as one view: which parameters a loss has on which data set.

The table in `studies/README.md` is what the studies say; a failure shows the text that belongs
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.plan.open import open_study
from trainables.config import Choice
from trainables.losses import LOSSES

STUDIES = Path(__file__).parents[2] / "studies"
DATASETS = {
    "fashion-mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "webvision": "WebVision",
}
LOSSES_OF_TABLE_4 = ("biTemp", "genCE", "AGCE", "NF-MAE", "NCE-MAE", "NCE-AGCE")
OWN = {
    "bitempered": ("t1", "t2"),
    "gce": ("q",),
    "agce": ("a", "q"),
    "nfl_mae": ("alpha", "beta"),
    "nce_mae": ("alpha", "beta"),
    "nce_agce": ("alpha", "beta", "a", "q"),
}
"""Loss → the parameters that the printed table has columns for, in its order."""


def in_words(loss: Choice) -> str:
    resolved = LOSSES.resolve(loss)
    return ", ".join(f"{name} {resolved.get(name):g}" for name in OWN[loss.name])


def parameters() -> Mapping[tuple[str, str], str]:
    """(loss, data set) → its parameters, of tables 2 and 3."""
    found = {
        (entry.axes["loss"], entry.axes["dataset"]): in_words(entry.cell.config.loss)
        for entry in open_study(STUDIES / "table2.yaml").expand({})
        if entry.cell and entry.axes["loss"] in LOSSES_OF_TABLE_4
    }
    written: Mapping[str, Any] = open_study(STUDIES / "table3.yaml").study.losses
    for label in LOSSES_OF_TABLE_4:
        if label in written:
            own = {key: value for key, value in written[label].items() if key != "name"}
            found[label, "webvision"] = in_words(Choice.of(written[label]["name"], own))
    return found


def as_text() -> str:
    found = parameters()
    lines = [
        f"| loss | {' | '.join(DATASETS.values())} |",
        f"|{'---|' * (len(DATASETS) + 1)}",
        *(
            f"| {loss} | {' | '.join(found.get((loss, data), '') for data in DATASETS)} |"
            for loss in LOSSES_OF_TABLE_4
        ),
    ]
    return "\n".join(lines)


def test_the_table_of_parameters_is_what_the_studies_say() -> None:
    assert as_text() in (STUDIES / "README.md").read_text(), f"it should read\n{as_text()}"
