"""A spot check of results: some, chosen by chance, are trained again in clean processes."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.exit_codes import DAMAGED, DONE


def parse_share(text: str) -> float:
    """`2%` or `0.02` → 0.02. Raises ValueError."""
    number = text.strip().removesuffix("%")
    try:
        share = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise ValueError(f"'{text}' is not a share such as 2% or 0.02")
    return share


@dataclass(frozen=True)
class Audit:
    """What a spot check found.

    Args:
        num_equal: results that came out equal to the bit.
        differing: results that did not, by key and edition.
        unchecked: results that could not be trained again here as they were.
    """

    num_equal: int
    differing: tuple[str, ...]
    unchecked: tuple[str, ...]


def chosen(names: Iterable[str], share: float, seed: str) -> list[str]:
    """At least one of `names`, and at most all of them; equal for equal seeds."""
    known = sorted(set(names))
    count = min(len(known), max(1, math.ceil(share * len(known))))
    return sorted(random.Random(seed).sample(known, count))


def audit(names: Sequence[str], store: Path, data_root: Path, show: Callable[[str], None]) -> Audit:
    """Replay each of these results, by key and edition, in a process of its own."""
    codes: dict[str, int] = {}
    for name in names:
        command = [sys.executable, "-m", "orchestrator", "replay", name]
        command += ["--store", str(store), "--data-root", str(data_root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        show((done.stdout or done.stderr).rstrip())
        codes[name] = done.returncode
    return Audit(
        sum(code == DONE for code in codes.values()),
        tuple(name for name, code in codes.items() if code == DAMAGED),
        tuple(name for name, code in codes.items() if code not in (DONE, DAMAGED)),
    )


def audit_lines(found: Audit, num_results: int) -> Iterator[str]:
    """What a spot check says, and what it cannot say."""
    checked = found.num_equal + len(found.differing)
    yield f"audit: {found.num_equal} of {checked} replayed results equal to the bit"
    if found.num_equal == checked and checked:
        # No failure in n independent draws still allows this share of failures.
        bound = 0.0 if checked == num_results else 1 - 0.05 ** (1 / checked)
        yield f"  at 95 % confidence no more than {bound:.1%} of the {num_results} results differ"
    yield from (f"  differs: {name}" for name in found.differing)
    yield from (f"  not comparable here: {name}" for name in found.unchecked)
