"""Verbs that keep a store in order: verify, compact, merge, export, logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.app import BAD_INPUT, DAMAGED, app
from orchestrator.cli.options import RESULTS, ExistingStore, StoreRoot
from orchestrator.cli.output import one_line_errors, show, warn_of_damage

if TYPE_CHECKING:
    from storage.merging import Merge


@app.command(epilog="Example: orchestrator verify --store results")
def verify(store: ExistingStore = RESULTS) -> None:
    """Check every file of the store against its digest; exit code 4 if any is damaged."""
    from storage import Store

    opened = Store(store)
    damaged = opened.verify()
    warn_of_damage(opened)
    if damaged:
        raise typer.Exit(DAMAGED)
    show([f"{store}: every file is sound"])


@app.command("compact", epilog="Example: orchestrator compact --store results")
def compact_store(store: ExistingStore = RESULTS) -> None:
    """Gather the small files of single results into segments. A launch does it at its end.

    Damaged segments are mended: what is sound of them is written anew, and they are set aside.
    """
    from storage.compaction import mend

    done = mend(store)
    busy = "another compaction is running" if done.is_busy else "done"
    show([f"{busy}: {done.num_absorbed} files absorbed, {done.num_segments} segments live"])
    show(f"mended: {one.path}: {one.reason}; {one.cost}" for one in done.damaged)


@app.command(epilog="Example: orchestrator merge ../other/results --store results")
def merge(
    others: Annotated[list[Path], typer.Argument(help="Stores, or bundles of `export`.")],
    store: StoreRoot = RESULTS,
) -> None:
    """Take over the results of other stores. The same cell with other numbers is reported; exit 4.

    A result that is here is never replaced.
    """
    from storage.durable import LandingError
    from storage.merging import BundleError
    from storage.merging import merge as merge_stores

    with one_line_errors(BundleError, LandingError):
        done = merge_stores(store, others)
    show(merge_lines(done))
    if done.conflicts or done.damaged:
        raise typer.Exit(DAMAGED)


@app.command(epilog="Example: orchestrator export bundle --store results")
def export(
    target: Annotated[Path, typer.Argument(help="New folder.")], store: ExistingStore = RESULTS
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
    if done.damaged:
        raise typer.Exit(DAMAGED)


@app.command(epilog="Example: orchestrator logs 3f2a91c0")
def logs(
    key: Annotated[str, typer.Argument(help="The first digits of a cell's key.")],
    store: ExistingStore = RESULTS,
) -> None:
    """Show every failed try of a cell with its trace."""
    from storage import Store

    fields = "key, error_class, host, started_at, coalesce(error_trace, error_message)"
    rows = Store(store).rows(
        f"select {fields} from failures where starts_with(key, $1) order by started_at",
        [key.lower()],
    )
    if not rows:
        show([f"no failed try of a cell whose key begins with {key}"])
        raise typer.Exit(BAD_INPUT)
    for full_key, kind, host, started, trace in rows:
        show([f"{full_key}: {kind} on {host}, {started:%Y-%m-%d %H:%M:%S} UTC", trace.rstrip()])


def merge_lines(done: Merge) -> Iterator[str]:
    """What a union did."""
    yield f"{done.num_new} new results, {done.num_same} that were here before"
    if done.num_failures:
        yield f"{done.num_failures} failed attempts"
    if done.studies:
        yield f"studies: {', '.join(done.studies)}"
    for conflict in done.conflicts:
        where = ", ".join(conflict.columns)
        yield f"conflict: {conflict.key} of {conflict.origin} differs in {where}; ours stays"
    yield from (f"damaged, not read: {file.path}: {file.reason}" for file in done.damaged)
