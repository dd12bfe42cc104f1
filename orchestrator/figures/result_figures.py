"""The figures of the sources that are drawn from results: which study each belongs to.

A study declares them under `figures:`; here they are found by name in a store.
"""

from __future__ import annotations

from collections.abc import Iterable

from storage.reporting.figures.picture import Picture
from storage.reporting.pictures import is_drawn, recorded_picture
from storage.reporting.table import TableError
from storage.store import Store
from trainables.registry import nearest

RESULT_FIGURES = {
    "imae-fig3": "imae_table2",
    "imae-fig4": "imae_table2",
    "imae-fig6": "imae_table2",
    "imae-fig7": "imae_table2",
    "imae-fig8": "imae_temperature",
    "gce-learning": "gce",
    "gce-truncated": "gce",
    "gce-q": "gce_poster",
    "gce-long": "gce_poster",
}
"""Name of a source's figure → the study of this project whose results it shows."""


class ResultFigureError(Exception):
    """A figure cannot be drawn from a store; the text says what to do."""


def result_picture(name: str, store: Store | None, also_known: Iterable[str] = ()) -> Picture:
    """A figure that a launched study declares, of a source or of one's own.

    Args:
        store: None where there is none.
        also_known: names of other figures, which a misspelt one may mean.

    Raises ResultFigureError if no study of the store has it, or none of its cells has a result.
    """
    study = _study_of(name, store, also_known)
    record = store.study(study) if store else None
    advice = f"launch {_file_of(study)}" if study in RESULT_FIGURES.values() else f"launch {study}"
    if store is None or record is None:
        raise ResultFigureError(
            f"{name} is drawn from results of {study}, which the store does not have: {advice}"
        )
    if name not in record.figures:
        raise ResultFigureError(f"{study} was launched without the figure {name}: {advice} again")
    try:
        picture = recorded_picture(store, record, name)
    except TableError as error:
        raise ResultFigureError(f"{name}: {error}") from None
    if not is_drawn(picture):
        raise ResultFigureError(f"no cell that {name} shows has a result: {advice}")
    return picture


def _file_of(study: str) -> str:
    return f"studies/{study}.yaml"


def _study_of(name: str, store: Store | None, also_known: Iterable[str]) -> str:
    """The study that has the figure: that of the source, else the one of the store."""
    if name in RESULT_FIGURES:
        return RESULT_FIGURES[name]
    declared = _declared(store) if store else {}
    having = [study for study, names in declared.items() if name in names]
    if len(having) == 1:
        return having[0]
    if having:
        raise ResultFigureError(f"several studies have a figure {name}: {', '.join(having)}")
    own = {figure for names in declared.values() for figure in names}
    near = nearest(name, {*RESULT_FIGURES, *also_known, *own})
    hint = f"did you mean '{near}'?" if near else "see `figure list`"
    raise ResultFigureError(f"unknown figure '{name}', {hint}")


def _declared(store: Store) -> dict[str, tuple[str, ...]]:
    """Study → names of its figures."""
    records = {study: store.study(study) for study in store.studies()}
    return {study: tuple(record.figures) for study, record in records.items() if record}
