"""Report → JSON: every number with what it stands on, per seed. Safe to embed in a web page."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite
from typing import Any

from storage.attempt import PickRecord
from storage.reporting.caption import caption
from storage.reporting.reference import Comparison, notes
from storage.reporting.report import PhaseTally, Report
from storage.reporting.table import Table


def render(report: Report) -> str:
    """The whole report; keys are documented by the values they come from."""
    tree = {
        "study": report.study,
        "title": report.title,
        "tables": [_table(table) for table in report.tables],
        "figures": [_without_nan(asdict(picture)) for picture in report.pictures],
        "comparisons": [_comparison(comparison) for comparison in report.comparisons],
        "picks": [_pick(pick) for pick in report.picks],
        "phases": [_tally(tally) for tally in report.tallies],
        "failures": [asdict(failure) for failure in report.failures],
        "problems": [asdict(problem) for problem in report.problems],
        "damaged": list(report.damaged),
        "provenance": asdict(report.provenance),
    }
    text = json.dumps(tree, indent=2, ensure_ascii=True, allow_nan=False)
    for char in "<>&":
        # Only strings hold these characters, and there the escape means the same.
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text + "\n"


def _without_nan(value: Any) -> Any:
    """A tree in which numbers that are none, such as gaps of a plane, are null."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _table(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title,
        "metric": table.spec.value,
        "unit": table.facts.unit,
        "caption": " ".join(caption(table)),
        "rows": list(table.spec.rows),
        "columns": list(table.spec.columns),
        "entries": [
            {
                "row": list(row),
                "column": list(column),
                "mean": entry.mean,
                "sem": entry.sem,
                "n": entry.n,
                "n_planned": entry.num_planned,
                "statuses": {status.value: count for status, count in entry.counts.items()},
                "n_at_chance": entry.num_at_chance,
                "n_undefined": entry.num_undefined,
                "skipped": list(entry.skipped),
                "mixed": list(entry.mixed),
                "made_by": [asdict(one) for one in entry.made_by],
                "n_conflicting": entry.num_conflicting,
                "is_bold": entry.is_bold,
                "values": {str(seed): value for seed, value in entry.values.items()},
            }
            for (row, column), entry in table.entries.items()
        ],
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    agreement = comparison.agreement
    return {
        "table": comparison.table.name,
        "source": comparison.source,
        "agreement": asdict(agreement) if agreement else None,
        "notes": list(notes(comparison.pairs)),
        "unknown": list(comparison.unknown),
        "pairs": [
            {
                "row": list(pair.row),
                "column": list(pair.column),
                "ours": {"mean": pair.ours.mean, "sem": pair.ours.sem, "n": pair.ours.n},
                "published": {"mean": pair.mean, "sem": pair.sem},
                "difference": pair.difference,
                "combined_sem": pair.combined_sem,
                "z": pair.z,
            }
            for pair in comparison.pairs
        ],
        "only_ours": [[list(row), list(column)] for row, column in comparison.only_ours],
        "only_published": list(comparison.only_published),
    }


def _pick(pick: PickRecord) -> dict[str, Any]:
    return {
        **asdict(pick),
        # A value with an undefined run scores infinitely badly, which JSON cannot say.
        "score": _finite(pick.score),
        "runner_up_score": _finite(pick.runner_up_score),
        "group": dict(pick.group),
        "picked_at": pick.picked_at.isoformat(),
    }


def _finite(score: float | None) -> float | None:
    return score if score is not None and isfinite(score) else None


def _tally(tally: PhaseTally) -> dict[str, Any]:
    return {
        "phase": tally.phase,
        "n_planned": tally.num_planned,
        "statuses": {status.value: count for status, count in tally.counts.items()},
    }
