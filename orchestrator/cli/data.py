"""Verbs about data sets: list, check."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.app import DAMAGED, app
from orchestrator.cli.options import DataRoot
from orchestrator.cli.output import one_line_errors, show

data = typer.Typer(
    help="What data sets there are, and whether they are here.", no_args_is_help=True
)
app.add_typer(data, name="data")

NEED_PARAMETERS = ("parquet",)
"""Known only once a study names a folder."""


@data.command("list", epilog="Example: orchestrator data list --data-root ~/data")
def list_datasets(data_root: DataRoot = None) -> None:
    """Every data set with its classes and images, and whether its files are here."""
    from rich.console import Console
    from rich.table import Table

    from trainables.config import Choice
    from trainables.datasets import DATASETS, dataset_info, default_data_root, locate

    root = data_root or default_data_root()
    table = Table("data set", "classes", "image", "training images", f"under {root}", box=None)
    for name in DATASETS.names():
        if name in NEED_PARAMETERS:
            continue
        info, presence = dataset_info(Choice(name)), locate(Choice(name), root)
        table.add_row(
            name,
            str(info.num_classes),
            " × ".join(map(str, info.image_shape)),
            f"{info.num_train:,}" if info.num_train else "by its lists",
            "here" if not presence.missing else f"{len(presence.missing)} files missing",
        )
    Console().print(table)


@data.command("check", epilog="Example: orchestrator data check cifar10 --data-root ~/data")
def check_dataset(
    name: Annotated[str, typer.Argument(help="Name of a data set, see `data list`.")],
    data_root: DataRoot = None,
) -> None:
    """Read a data set whole and count it; exit code 4 if files are missing or damaged.

    Nothing is downloaded. Data sets that are packed or decoded once are so by this.
    """
    import numpy as np

    from trainables.config import Choice
    from trainables.datasets import DatasetError, default_data_root, load_dataset, locate
    from trainables.registry import ComponentError

    root = data_root or default_data_root()
    with one_line_errors(ComponentError):
        presence = locate(Choice(name), root)
    if presence.missing:
        show([f"{name}: missing under {root}: {', '.join(presence.missing)}", *presence.accepted])
        raise typer.Exit(DAMAGED)
    try:
        info, arrays = load_dataset(Choice(name), root)
    except DatasetError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(DAMAGED) from None
    for split, labels in (("training", arrays.train_labels), ("test", arrays.test_labels)):
        counts = np.bincount(labels, minlength=info.num_classes)
        show(
            [
                f"{name}: {len(labels):,} {split} images of {np.count_nonzero(counts)} classes, "
                f"{counts.min():,} to {counts.max():,} each"
            ]
        )
    if info.num_train and len(arrays.train_labels) != info.num_train:
        show([f"{name}: {info.num_train:,} training images were expected"])
        raise typer.Exit(DAMAGED)
