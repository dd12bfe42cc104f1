"""Verbs that keep a store in order: verify, compact, merge, export, logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import BAD_INPUT, DAMAGED, app
from orchestrator.cli.options import RESULTS, ExistingStore, StoreRoot, no_address
from orchestrator.cli.output import one_line_errors, reading, show, warn_of_damage
from orchestrator.inspection.union_lines import conflict_lines, merge_lines


@app.command(epilog="Example: orchestrator verify --store results")
def verify(store: ExistingStore = RESULTS) -> None:
    """Check every file of the store against its digest, and list results that contradict others.

    Exit code 4 if a file is damaged or a result contradicts another.
    """
    from storage import Store

    opened = Store(store)
    damaged = opened.verify()
    conflicts = opened.conflicts()
    warn_of_damage(opened)
    show(conflict_lines(conflicts))
    if not damaged:
        show([f"{store}: every file is sound"])
        if lost := opened.num_without_curves():
            text = "results were lost with a damaged file; their last and best figures are there"
            show([f"the curves of {lost} {text}"])
    if conflicts:
        show([f"contradicting results: {len(conflicts)}; they are kept, and tables mark the cells"])
    if damaged or conflicts:
        raise typer.Exit(DAMAGED)


@app.command("compact", epilog="Example: orchestrator compact --store results")
def compact_store(store: ExistingStore = RESULTS) -> None:
    """Gather the small files of single results into segments. A launch does it at its end.

    Damaged segments are mended: what is sound of them is written anew, and they are set aside.
    """
    from storage.segments.compaction import mend

    done = mend(store)
    busy = "another compaction is running" if done.is_busy else "done"
    show([f"{busy}: {done.num_absorbed} files absorbed, {done.num_segments} segments live"])
    show(f"mended: {one.path}: {one.reason}; {one.cost}" for one in done.damaged)


@app.command(epilog="Example: orchestrator merge ../other/results --store results")
def merge(
    others: Annotated[
        list[Path], typer.Argument(help="Stores, or bundles of `export`.", callback=no_address)
    ],
    store: StoreRoot = RESULTS,
) -> None:
    """Take over the results of other stores; exit code 4 if something was kept apart or refused.

    A result that is here is never replaced: the same cell with other numbers is kept beside it.
    A study that is here stays as it is. Rows and records that cannot be true are refused.
    """
    from functools import partial

    from orchestrator.inspection.foreign import config_problem
    from orchestrator.study.cell import key_of
    from storage.durable import LandingError
    from storage.merging import BundleError
    from storage.merging import merge as merge_stores
    from trainables import components

    with one_line_errors(BundleError, LandingError):
        known = partial(key_of, catalog=components)
        done = merge_stores(store, others, known, config_problem=config_problem)
    show(merge_lines(done))
    if not done.is_clean:
        raise typer.Exit(DAMAGED)


@app.command(epilog="Example: orchestrator export bundle --store results")
def export(
    target: Annotated[Path, typer.Argument(help="New folder.", callback=no_address)],
    store: ExistingStore = RESULTS,
) -> None:
    """Write a bundle to share: Parquet files, the studies' texts, and a manifest of digests.

    A bundle is a store itself: it answers `sql` and `report`, and `merge` checks its manifest.
    """
    from storage.durable import LandingError
    from storage.merging import BundleError
    from storage.merging import export as export_store

    with one_line_errors(BundleError, LandingError):
        done = export_store(store, target)
    show([*merge_lines(done), f"written: {target}"])
    if done.damaged or done.refused:
        raise typer.Exit(DAMAGED)


@app.command(epilog="Example: orchestrator logs 3f2a91c0")
def logs(
    key: Annotated[str, typer.Argument(help="The first digits of a cell's key.")],
    store: ExistingStore = RESULTS,
) -> None:
    """Show every failed try of a cell with its trace."""
    fields = "key, error_class, host, started_at, coalesce(error_trace, error_message)"
    query = f"select {fields} from failures where starts_with(key, $1) order by started_at"
    with reading(store) as opened:
        rows = opened.rows(query, [key.lower()])
    if not rows:
        show([f"no failed try of a cell whose key begins with {key}"])
        raise typer.Exit(BAD_INPUT)
    for full_key, kind, host, started, trace in rows:
        show([f"{full_key}: {kind} on {host}, {started:%Y-%m-%d %H:%M:%S} UTC", trace.rstrip()])
