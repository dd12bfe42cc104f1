"""Write the pins of the golden runs: `python -m tests.golden.write [--because "…"]`.

Adds what is new and rewrites what a raised revision explains. Any other number that moved is
refused, unless a reason is given, which is kept beside the numbers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from tests.golden.pins import (
    FOLDER,
    Comparison,
    Measurement,
    Pin,
    compare,
    read_pins,
    write_pins,
)
from tests.golden.subjects import KINDS, measure, subjects


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every pin agrees with the code afterwards, 1 if some were refused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--because", help="why numbers moved without a raised revision")
    because = parser.parse_args(arguments).because
    torch.set_num_threads(1)  # as the tests; tiny batches only wait for a second thread
    refused = []
    for kind in KINDS:
        measured = [measure(subject) for subject in subjects() if subject.kind == kind]
        refused += update(kind, measured, because)
    for comparison in refused:
        print(f"refused: {comparison.sentence}", file=sys.stderr)
    return 1 if refused else 0


def update(
    kind: str, measured: Iterable[Measurement], because: str | None, folder: Path = FOLDER
) -> list[Comparison]:
    """Bring the file of a kind up to date; what is refused keeps its pin and is returned."""
    before = read_pins(kind, folder)
    after: dict[str, Pin] = {}
    refused = []
    for measurement in measured:
        name = measurement.subject.name
        comparison = compare(measurement, before.get(name))
        if not (because or comparison.may_be_written):
            refused.append(comparison)
        # Rounding within the tolerance is no reason to rewrite a pin.
        keeps = comparison.agrees or comparison in refused
        after[name] = before[name] if keeps else _pin(comparison, before.get(name), because)
    if after != before:
        write_pins(kind, after, folder)
    return refused


def _pin(comparison: Comparison, before: Pin | None, because: str | None) -> dict[str, Any]:
    """The new pin; what had a pin and did not move keeps its very digits."""
    pin = comparison.measurement.pin
    if comparison.may_be_written and not comparison.is_revised and before:
        for label, run in before["runs"].items():
            pin["runs"][label]["figures"].update(run["figures"])
        because = before.get("because")
    elif comparison.may_be_written:
        because = None
    return {"because": because, **pin} if because else pin


if __name__ == "__main__":
    sys.exit(main())
