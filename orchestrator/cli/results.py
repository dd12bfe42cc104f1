"""Verbs about results and what they answer to: why, diff, replay, redo."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from orchestrator.cli.app import BAD_INPUT, DAMAGED, INCOMPLETE, app
from orchestrator.cli.options import RESULTS, DataRoot, Overrides, StoreRoot, StudyName, no_address
from orchestrator.cli.output import one_line_errors, reading, show


@app.command(epilog="Example: orchestrator why 3f2a91c0 --full")
def why(
    key: Annotated[str, typer.Argument(help="The first digits of a cell's key.")],
    store: StoreRoot = RESULTS,
    data_root: DataRoot = None,
    full: Annotated[
        bool, typer.Option("--full", help="The whole configuration, defaults included.")
    ] = False,
) -> None:
    """Tell all that is known of one cell: its results, what they answer to, and who asks for it.

    Every result is compared with the defaults, the code and the data as they are here and now.
    Nothing is trained and nothing is written.
    """
    from orchestrator.inspection.keys import KeyPrefixError, find_key
    from orchestrator.inspection.why import explain
    from orchestrator.inspection.why_lines import why_lines
    from orchestrator.plan.expectations import Expectations
    from orchestrator.plan.provenance import code_version
    from trainables.datasets import default_data_root

    at = "" if store == RESULTS else f" --store {store}"
    with reading(store) as results, one_line_errors(KeyPrefixError):
        found = find_key(results, key)
        expectations = Expectations(data_root or default_data_root(), code_version().edited)
        show(why_lines(explain(results, found, expectations), full=full, at=at))


@app.command(epilog="Example: orchestrator diff quickstart@0 quickstart@1")
def diff(
    first: Annotated[
        str,
        typer.Argument(
            metavar="A", help="First digits of a key, a study, or a store.", callback=no_address
        ),
    ],
    second: Annotated[
        str,
        typer.Argument(metavar="B", help="Another one of the same kind.", callback=no_address),
    ],
    store: StoreRoot = RESULTS,
    data_root: DataRoot = None,
) -> None:
    """Tell in what two cells, two studies or two stores differ; exit code 0 whatever it is.

    A cell is named by six digits of its key or more, and one of its editions by KEY@1. A study is
    a name, one of its recorded versions NAME@1, or a file as it stands now. A store is a folder.
    Editions and versions count from 0.
    For studies: cells that only one has, settings and code that changed, tables declared otherwise,
    and the entries whose mean moved, in units of the combined standard error.
    """
    from orchestrator.inspection.compare import compare
    from orchestrator.inspection.keys import KeyPrefixError
    from orchestrator.inspection.sides import SideError
    from orchestrator.study.text import StudyError
    from trainables.datasets import default_data_root

    with reading(store) as results, one_line_errors(SideError, KeyPrefixError, StudyError):
        show(compare(first, second, results, data_root or default_data_root()))


@app.command(epilog="Example: orchestrator replay 3f2a91c0 --epochs 1")
def replay(
    key: Annotated[
        str,
        typer.Argument(help="The first digits of a cell's key; KEY.0 for an edition of it."),
    ],
    store: StoreRoot = RESULTS,
    data_root: DataRoot = None,
    epochs: Annotated[
        int | None, typer.Option(help="Epochs to train again; all if left out.", min=1)
    ] = None,
) -> None:
    """Train a finished cell again and compare every number, bit by bit.

    Exit code 4 says that a number differs; 3 that one differs which was computed otherwise, such as
    in a stack or on another device. Equal numbers make the code of today stand for the code of the
    result, so that results which were stale because a component's source had changed answer again.
    """
    from orchestrator.inspection.replay import ReplayError, find_original, replay_lines
    from orchestrator.inspection.replay import replay as train_again
    from orchestrator.plan.provenance import code_version
    from storage.durable import LandingError
    from storage.records.decisions import land_decisions
    from trainables.datasets import DatasetError, default_data_root
    from trainables.registry import ComponentError

    kinds = (ReplayError, ComponentError, DatasetError, LandingError)
    with reading(store) as results, one_line_errors(*kinds):
        original = find_original(results, key)
        edited = code_version().edited
        found = train_again(results, original, data_root or default_data_root(), edited, epochs)
        if decisions := found.decisions():
            land_decisions(store, decisions)
    show(replay_lines(found))
    if not found.is_equal:
        raise typer.Exit(DAMAGED if found.is_refuted else INCOMPLETE)


@app.command(epilog="Example: orchestrator redo quickstart --where loss=CE --why 'a bad node'")
def redo(
    study: StudyName,
    overrides: Overrides = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="field=value that a cell must have; may be repeated."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All cells of the study.")] = False,
    why: Annotated[str, typer.Option("--why", help="The reason, kept with the decision.")] = "",
    store: StoreRoot = RESULTS,
    data_root: DataRoot = None,
) -> None:
    """Say that results shall be made anew; the next launch of the study trains their cells again.

    The old results stay in the store's history and no longer answer. Nothing is deleted.
    """
    from orchestrator.inspection.asked import AskedError, asked_study
    from orchestrator.inspection.redo import WhereError, answers, matching
    from orchestrator.inspection.redo import redo as decide
    from orchestrator.study.text import StudyError
    from storage.durable import LandingError
    from storage.records.decisions import land_decisions
    from storage.reporting.report import StudyNotFoundError
    from trainables.datasets import default_data_root

    if not where and not everything:
        typer.echo("error: --where field=value says which cells, --all that it is all", err=True)
        raise typer.Exit(BAD_INPUT)
    kinds = (AskedError, StudyError, StudyNotFoundError, WhereError, LandingError)
    with reading(store) as results, one_line_errors(*kinds):
        asked = asked_study(study, overrides or (), results, data_root or default_data_root())
        found = answers(matching(asked.record, where or ()), results.known)
        if not found:
            raise WhereError("none of these cells has a result that answers it")
        land_decisions(store, list(decide(found, why or "asked for")))
    words = ["orchestrator", "launch", asked.record.source_path, *asked.record.overrides]
    at = [] if store == RESULTS else ["--store", str(store)]
    show([f"{len(found)} results are to be made anew; they stay in the history"])
    show([f"next: {shlex.join([*words, *at])}"])
