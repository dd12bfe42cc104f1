"""Plans, launches and statuses as lines of text. Decides nothing, prints nothing."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.typed import resumes

if TYPE_CHECKING:
    from orchestrator.inspection.asked import AskedStudy
    from orchestrator.launch import LaunchReport
    from orchestrator.plan import Plan
    from storage.store import Store

SHOWN_REASONS = 10


def plan_lines(plan: Plan) -> Iterator[str]:
    """Counts by phase, the reasons behind them, and what a launch would do."""
    from storage.standing import Standing

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


def launch_lines(
    ended: LaunchReport,
    study: Path,
    store: Path,
    pages: Sequence[Path],
    overrides: Sequence[str] = (),
) -> Iterator[str]:
    """What a launch left undone, where its results are and what to type next.

    Args:
        overrides: of this launch; a command that reads the file has to repeat them.
    """
    from orchestrator.hint import example_query
    from storage.standing import Standing

    at = "" if store == Path("results") else f" --store {store}"
    asked = shlex.join([str(study), *overrides])
    more = shlex.join([str(study), *(one for one in overrides if not one.startswith("seeds="))])
    name = shlex.quote(ended.plan.planned[0].study)
    counts = ended.plan.counts()
    if ended.num_due == 0:
        yield "nothing to run: every cell has its result"
    if ended.is_budget_spent:
        yield resumes("the budget is spent")
    for standing in (Standing.FAILED, Standing.NEW, Standing.STALE, Standing.PENDING):
        if counts[standing]:
            yield f"{counts[standing]} cells {standing}; see: orchestrator status {name}{at}"
    yield f"results  {store} (Parquet, one row a cell)"
    yield from (f"report   {page}" for page in pages)
    yield "next     " + f"orchestrator report {asked}{at} --format latex"
    yield "         " + f'orchestrator sql{at} "{example_query(ended.plan.planned)}"'
    yield "         " + f"orchestrator launch {more}{at} seeds=5"


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
