"""Plans, launches and statuses as lines of text. Decides nothing, prints nothing."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.guard.typed import resumes

if TYPE_CHECKING:
    from orchestrator.inspection.asked import AskedStudy
    from orchestrator.plan.plan import Plan
    from orchestrator.sweep.launch import LaunchReport
    from storage.store import Store

SHOWN_REASONS = 10


@dataclass(frozen=True)
class Typed:
    """What was typed to launch a study; a command that is suggested has to repeat it."""

    study: Path
    overrides: tuple[str, ...] = ()
    store: Path = Path("results")
    data_root: Path | None = None
    is_smoke: bool = False

    @property
    def at_store(self) -> list[str]:
        """Options of every verb."""
        return [] if self.store == Path("results") else ["--store", str(self.store)]

    @property
    def at(self) -> list[str]:
        """Options of verbs that look at data as well."""
        data = [] if self.data_root is None else ["--data-root", str(self.data_root)]
        return [*self.at_store, *data]


def plan_lines(plan: Plan) -> Iterator[str]:
    """Counts by phase, the reasons behind them, and what a launch would do."""
    from storage.standing.judgement import Standing

    phases = list(dict.fromkeys(entry.phase for entry, _ in plan.entries))
    for phase in phases:
        counts = plan.counts(phase)
        shown = ", ".join(f"{counts[word]} {word}" for word in Standing if counts[word])
        yield f"{phase}: {counts.total()} cells, {shown or 'none'}"
    reasons = Counter(
        (verdict.standing, verdict.reason) for _, verdict in plan.entries if verdict.reason
    )
    for (standing, reason), count in reasons.most_common(SHOWN_REASONS):
        yield f"  {count} {standing}: {reason}"
    if len(reasons) > SHOWN_REASONS:
        yield f"  … and {len(reasons) - SHOWN_REASONS} more reasons"
    for what, count in plan.unknown.items():
        yield f"  {count} done: their {what} cannot be compared (not recorded, or not at hand)"
    waiting = plan.counts()[Standing.PENDING]
    if plan.due:
        yield f"a launch runs {len(plan.due)} cells" + (f", then {waiting} more" if waiting else "")
    else:
        yield "nothing to run: every cell has its result"


def launch_lines(ended: LaunchReport, typed: Typed, pages: Sequence[Path]) -> Iterator[str]:
    """What a launch left undone, where its results are and what to type next.

    After a smoke run that is the launch of the study itself; after any other, more seeds.
    """
    from storage.reporting.queries import example_query
    from storage.standing.judgement import Standing

    name = ended.plan.planned[0].study
    counts = ended.plan.counts()
    if ended.num_due == 0:
        yield "nothing to run: every cell has its result"
    if ended.is_budget_spent:
        yield resumes("the budget is spent")
    for standing in (Standing.FAILED, Standing.NEW, Standing.STALE, Standing.PENDING):
        if counts[standing]:
            yield f"{counts[standing]} cells {standing}; see: {_command('status', name, *typed.at)}"
    yield f"results  {typed.store} (Parquet, one row a cell)"
    yield from (f"report   {page}" for page in pages)
    smoke = ["--smoke"] if typed.is_smoke else []
    words = [str(typed.study), *typed.overrides, *typed.at]
    fewer = [str(typed.study), *(one for one in typed.overrides if not one.startswith("seeds="))]
    further = words if typed.is_smoke else [*fewer, *typed.at, "seeds=5"]
    yield "next     " + _command("report", *words, *smoke, "--format", "latex")
    query = example_query(ended.plan.planned)
    yield "         " + f'{_command("sql", *typed.at_store)} "{query}"'
    yield "         " + _command("launch", *further)


def _command(*words: str) -> str:
    return shlex.join(["orchestrator", *words])


def status_lines(store: Store, studies: Sequence[AskedStudy]) -> Iterator[str]:
    """Progress and failures of studies."""
    if not studies:
        yield f"{store.root}: no study was launched into this store"
    for asked in studies:
        report = asked.report(store)
        yield asked.record.name
        for tally in report.tallies:
            counts = [f"{count} {status}" for status, count in tally.counts.items() if count]
            yield f"  {tally.phase}: {', '.join(counts)} of {tally.num_planned} cells"
        yield from (f"  {reason}: {count} stale" for reason, count in report.stale.items())
        for failure in report.failures[:SHOWN_REASONS]:
            yield f"  {failure.num_cells} failed ({failure.error_class}): {failure.error_message}"
            yield f"    such as {failure.example}"
        yield from (f"  {remark}" for remark in asked.remarks)
    if num_conflicting := len(store.conflicting_keys()):
        at = "" if store.root == Path("results") else f" --store {store.root}"
        yield f"cells with a contradicting result: {num_conflicting}; see: orchestrator verify{at}"
    yield from (f"damaged: {file.path.name}: {file.reason}" for file in store.damaged)
