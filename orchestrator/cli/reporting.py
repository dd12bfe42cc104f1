"""Verbs that show results: report, sql."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import app
from orchestrator.cli.options import (
    RESULTS,
    DataRoot,
    ExistingStore,
    Overrides,
    Smoke,
    StoreRoot,
    StudyName,
    checked_store,
    no_address,
)
from orchestrator.cli.output import (
    ReportFormat,
    one_line_errors,
    reading,
    show,
    show_report,
    watch_report,
    write,
    write_report_files,
)
from storage.reporting.queries import SAFE_QUERY

SHOWN_ROWS = 1_000
"""Rows of an answer that a table shows."""


class AnswerFormat(StrEnum):
    """How the answer to a query is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"


class ImageFormat(StrEnum):
    """Form of a static figure."""

    SVG = "svg"
    PNG = "png"
    PDF = "pdf"


@app.command(epilog="Example: orchestrator report quickstart --format markdown > table.md")
def report(
    study: StudyName,
    overrides: Overrides = None,
    store: ExistingStore = RESULTS,
    data_root: DataRoot = None,
    format: Annotated[  # noqa: A002 - the option's name
        ReportFormat, typer.Option("--format", "-f", help="How the report is written.")
    ] = ReportFormat.TERMINAL,
    page: Annotated[
        bool, typer.Option("--page", help="Write Markdown and one interactive page to the store.")
    ] = False,
    figures: Annotated[
        Path | None,
        typer.Option(
            help="Write every figure to this folder; the extra `static` is needed.",
            callback=no_address,
        ),
    ] = None,
    image: Annotated[
        ImageFormat, typer.Option("--image", help="Form of the figures.")
    ] = ImageFormat.SVG,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the tables anew as cells end, until all have.")
    ] = False,
    smoke: Smoke = False,
) -> None:
    """Write a study's tables: mean ± SEM, with marks for all that is missing or doubtful.

    A file is drawn as it stands now, with its overrides, launched or not; a name as it was last
    launched, and NAME@1 as its version 1 was, counted from 0.
    """
    from orchestrator.inspection.asked import AskedError, AskedStudy, asked_study
    from orchestrator.study.text import StudyError
    from storage import Store
    from storage.reporting.images import ImageError, write_figures
    from storage.reporting.report import StudyNotFoundError
    from trainables.datasets import default_data_root

    def ask(results: Store) -> AskedStudy:
        root = data_root or default_data_root()
        return asked_study(study, overrides or (), results, root, smoke=smoke)

    if watch:
        with one_line_errors(AskedError, StudyError, StudyNotFoundError):
            watch_report(ask, store)
        return
    kinds = (AskedError, StudyError, StudyNotFoundError, ImageError)
    with reading(store, is_told_otherwise=True) as results, one_line_errors(*kinds):
        asked = ask(results)
        if figures:
            paths = write_figures(results, asked.report(results), figures, image.value)
            show(f"written: {path}" for path in paths)
        elif page:
            show([f"written: {path}" for path in write_report_files(asked, results)])
        else:
            show_report(asked, results, format)


@app.command(epilog=f'Example: orchestrator sql "{SAFE_QUERY}"')
def sql(
    query: Annotated[
        str | None, typer.Argument(help="One SELECT over the views; see --schema.")
    ] = None,
    store: StoreRoot = RESULTS,
    format: Annotated[  # noqa: A002 - the option's name
        AnswerFormat, typer.Option("--format", "-f", help="How the answer is written.")
    ] = AnswerFormat.TABLE,
    as_csv: Annotated[bool, typer.Option("--csv", help="Short for --format csv.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    parquet: Annotated[
        Path | None,
        typer.Option(help="Write the answer to this Parquet file instead.", callback=no_address),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Show every row, not only the first {SHOWN_ROWS:,}.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(help="Seconds until the query and its answer are ended.", min=0.0)
    ] = 60.0,
    schema: Annotated[
        bool, typer.Option("--schema", help="List the views and their columns.")
    ] = False,
) -> None:
    """Ask the store in SQL: read-only, without access to files or the network.

    A table shows the first rows of a long answer; csv, json, markdown and --parquet write all of
    them as they come. An answer may take 4 GB of memory beside the store.
    """
    from storage import query as queries

    if schema or query is None:
        show([queries.schema_text()])
        return
    checked_store(store)
    short = {AnswerFormat.CSV: as_csv, AnswerFormat.JSON: as_json}
    chosen = next((name for name, is_set in short.items() if is_set), format)
    writers = {
        AnswerFormat.CSV: queries.to_csv,
        AnswerFormat.JSON: queries.to_json,
        AnswerFormat.MARKDOWN: queries.to_markdown,
    }
    with (
        reading(store) as opened,
        one_line_errors(queries.QueryError),
        queries.limited_memory(),
        queries.ask(opened, query, timeout_seconds=timeout) as answer,
    ):
        if parquet:
            queries.write_parquet(answer, parquet)
        elif chosen is AnswerFormat.TABLE:
            show([queries.to_table(answer, None if everything else SHOWN_ROWS).rstrip("\n")])
        else:
            write(writers[chosen](answer))
