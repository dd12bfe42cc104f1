"""Plans, launches and statuses as lines of text. Decides nothing, prints nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from storage.reporting.report import StudyNotFoundError

if TYPE_CHECKING:
    from orchestrator.launch import LaunchReport
    from orchestrator.plan import Plan
    from storage.store import Store

SHOWN_REASONS = 10
EXAMPLE_QUERY = "select loss, noise_rate, avg(test_accuracy) from cells group by all"

STATUS_QUERY = """
select phase,
    count(*) filter (where skipped is null) as asked,
    count(results.key) as done,
    count(*) filter (where results.outcome = 'diverged') as diverged,
    count(*) filter (where results.key is null and key_states.outcome = 'failed') as failed,
    count(*) filter (where skipped is not null) as skipped
from planned
left join results on results.key = planned.key and planned.skipped is null
left join key_states on key_states.key = planned.key
where study = $1
group by phase
order by min(position)
"""

FAILURES_QUERY = """
select failures.error_class, failures.error_message, count(distinct failures.key) as cells
from failures
join missing on missing.key = failures.key
where missing.study = $1
group by all
order by cells desc, failures.error_class
"""


def plan_lines(plan: Plan) -> Iterator[str]:
    """Counts by phase, the reasons behind them, and what a launch would do."""
    from orchestrator.plan import Standing

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
    due = {
        entry.cell.key for entry, verdict in plan.entries if verdict.standing.is_due and entry.cell
    }
    waiting = plan.counts()[Standing.PENDING]
    if due:
        yield f"a launch runs {len(due)} cells" + (f", then {waiting} more" if waiting else "")
    else:
        yield "nothing to run: every cell has its result"


def launch_lines(
    ended: LaunchReport, study: Path, store: Path, pages: Sequence[Path]
) -> Iterator[str]:
    """What a launch left undone, where its results are and what to type next."""
    from orchestrator.plan import Standing

    at = "" if store == Path("results") else f" --store {store}"
    counts = ended.plan.counts()
    if ended.num_due == 0:
        yield "nothing to run: every cell has its result"
    for standing in (Standing.FAILED, Standing.NEW, Standing.STALE, Standing.PENDING):
        if counts[standing]:
            yield f"{counts[standing]} cells {standing}; see: orchestrator status {study}{at}"
    yield f"results  {store} (Parquet, one row a cell)"
    yield from (f"report   {page}" for page in pages)
    yield "next     " + f"orchestrator report {study}{at} --format latex"
    yield "         " + f'orchestrator sql{at} "{EXAMPLE_QUERY}"'
    yield "         " + f"orchestrator launch {study}{at} seeds=5"


def status_lines(store: Store, names: Sequence[str]) -> Iterator[str]:
    """Progress and failures of the studies `names`, all if empty. Raises StudyNotFoundError."""
    known = store.studies()
    for name in names:
        if name not in known:
            raise StudyNotFoundError(name, known)
    if not known:
        yield f"{store.root}: no study was launched into this store"
    for name in names or known:
        yield name
        for phase, asked, done, diverged, failed, skipped in store.rows(STATUS_QUERY, [name]):
            parts = [f"{done}/{asked} cells done"]
            counts = (("diverged", diverged), ("failed", failed), ("skipped", skipped))
            parts += [f"{count} {word}" for word, count in counts if count]
            yield f"  {phase}: {', '.join(parts)}"
        for error_class, message, cells in store.rows(FAILURES_QUERY, [name])[:SHOWN_REASONS]:
            yield f"  {cells} failed ({error_class}): {message}"
    yield from (f"damaged: {file.path.name}: {file.reason}" for file in store.damaged)
