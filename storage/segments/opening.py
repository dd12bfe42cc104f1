"""Segments as a reader opens them: what is sound of them, and an account of the rest.

A damaged segment stays where it is, since its sound rows are served; a compaction writes them anew
and sets the damaged files aside. So what is done is the same before and after any look at it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from storage.checking.screening import (
    contradicted_figures,
    refused_curves,
    refused_facts,
    refused_figures,
    whole_numbers,
)
from storage.integrity import DamagedFileError, open_file
from storage.reader import Damage, Reader, empty, stack
from storage.schema import (
    Outcome,
    attempt_schema,
    segment_attempts_schema,
    segment_curves_schema,
)
from storage.segments.files import (
    Segment,
    check_copy,
    pointer_path,
    read_attempts,
    read_current,
    segments_on_disk,
    sound_curves,
)

TRIES = 20
"""How often the pointer is read again when a segment it names has gone."""

_NAMES = ("key", "attempt")


@dataclass(frozen=True)
class OpenSegment:
    """A segment as opened: its attempts in memory, its curves an open file, read when asked for.

    An open file outlives its name, so a compaction does not disturb who opened it before. None if
    the file has gone.
    """

    segment: Segment
    attempts: pa.Table
    curves: BinaryIO | None

    def close(self) -> None:
        if self.curves:
            self.curves.close()


def open_segments(reader: Reader) -> list[OpenSegment]:
    """Open the live segments, as far as they are sound and can be true.

    A live segment that has gone was merged into another, which the pointer names by now.
    """
    live = _live(reader)
    for _ in range(TRIES):
        try:
            return _without_refused_rows(reader, _opened(reader, live))
        except FileNotFoundError:
            if (now := _live(reader)) == live:
                break
            live = now
    left = [segment for segment in live if _report_missing(reader, segment)]
    return _without_refused_rows(reader, _opened(reader, left, _open_if_there))


def open_segment(reader: Reader, segment: Segment) -> OpenSegment:
    """Open one segment. Raises DamagedFileError, or FileNotFoundError if a file has gone."""
    attempts = _attempts(reader, segment)
    try:
        curves = open_file(segment.curves_path(reader.root))
    except DamagedFileError:  # told when they are asked for, as if they were not there
        return OpenSegment(segment, attempts, None)
    return OpenSegment(segment, attempts, curves)


def segment_curves(reader: Reader, opened: OpenSegment) -> pa.Table:
    """The curves of a segment's attempts, in the same order; null where they are lost.

    What is lost, and what cannot be true, is reported.
    """
    return _checked_curves(reader, opened)[0]


def num_without_curves(reader: Reader, opened: OpenSegment) -> int:
    """Results of a segment whose curves are not there."""
    return _num_without_curves(opened.attempts, segment_curves(reader, opened))


def sound_rows(reader: Reader, opened: OpenSegment) -> tuple[pa.Table, pa.Table]:
    """Attempts of a segment and their curves, without those that contradict each other."""
    curves, refused = _checked_curves(reader, opened)
    kept = whole_numbers(place for place in range(len(curves)) if place not in refused)
    return opened.attempts.take(kept), curves.take(kept)


def _checked_curves(reader: Reader, opened: OpenSegment) -> tuple[pa.Table, frozenset[int]]:
    """Curves that can be true, and the places of attempts whose curves contradict them."""
    attempts, path = opened.attempts, opened.segment.curves_path(reader.root)
    curves, faults = _aligned_curves(reader, opened)
    lost = _num_without_curves(attempts, curves)
    for fault in faults:
        reader.report(Damage(path, fault, None, _curve_cost(lost), lost))
    refused = contradicted_figures(attempts, curves) | refused_curves(attempts, curves)
    if refused:
        places = [None if place in refused else place for place in range(len(curves))]
        curves = _in_places(curves, places, attempts)
        cost = f"{len(refused)} results are shown by their figures alone, until a compaction sets"
        cost += " them aside"
        for words in _in_words(attempts, refused):
            reader.report(Damage(path, words, None, cost, len(refused)))
    return curves, frozenset(refused)


def check_segment(reader: Reader, opened: OpenSegment) -> None:
    """Read what opening a segment left unread, and report what is damaged."""
    segment_curves(reader, opened)
    if not opened.segment.attempts_path(reader.root).exists():
        return  # lost, which opening has told, or merged away by now
    if fault := check_copy(reader.root, opened.segment, opened.attempts):
        path = opened.segment.copy_path(reader.root)
        reader.report(Damage(path, fault, None, "nothing is missing, it is a copy", 0))


def whole_rows(reader: Reader, opened: OpenSegment) -> pa.Table:
    """The attempts of a segment as they landed, curves included; null where they are lost."""
    curves = segment_curves(reader, opened)
    schema = attempt_schema()
    lists = set(curves.column_names)
    columns = [(curves if f.name in lists else opened.attempts)[f.name] for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _attempts(reader: Reader, segment: Segment) -> pa.Table:
    """The attempts of a segment. Raises DamagedFileError, or FileNotFoundError if they are gone."""
    path = segment.attempts_path(reader.root)
    table, fault = read_attempts(reader.root, segment)
    if fault:
        reader.report(Damage(path, fault, None, "nothing is missing, its copy is served", 0))
    return reader.conformed(path, table, segment_attempts_schema())


def _aligned_curves(reader: Reader, opened: OpenSegment) -> tuple[pa.Table, list[str]]:
    """Curves in the order of the attempts, and what is wrong with their file."""
    attempts, schema = opened.attempts, segment_curves_schema()
    path = opened.segment.curves_path(reader.root)
    if opened.curves is None:
        return _in_places(empty(schema), [None] * len(attempts), attempts), ["it is missing"]
    file = opened.curves.fileno()
    content = os.pread(file, os.fstat(file).st_size, 0)  # no shared file position
    try:
        found, fault = sound_curves(content, opened.segment, attempts)
        table = reader.conformed(path, found.table, schema)
    except DamagedFileError as error:
        return _in_places(empty(schema), [None] * len(attempts), attempts), [str(error)]
    faults = [fault] if fault else []
    if table["attempt"] == attempts["attempt"] and table["key"] == attempts["key"]:
        return table, faults
    names = _names(table)
    place_of = {name: place for place, name in enumerate(names)}
    places = [place_of.get(name) for name in _names(attempts)]
    if None in places and not faults:
        faults = ["it does not hold the curves of its attempts"]
    return _in_places(table, places, attempts), faults


def _names(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["key"].to_pylist(), table["attempt"].to_pylist(), strict=True))


def _in_places(curves: pa.Table, places: Sequence[int | None], attempts: pa.Table) -> pa.Table:
    """Rows of `curves` for each of `attempts`; one without a place keeps its name alone."""
    schema = segment_curves_schema()
    taken = curves.take(pa.array(places, pa.int64()))
    columns = [attempts[f.name] if f.name in _NAMES else taken[f.name] for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _num_without_curves(attempts: pa.Table, curves: pa.Table) -> int:
    is_lost = zip(
        attempts["outcome"].to_pylist(), curves["epoch"].is_null().to_pylist(), strict=True
    )
    return sum(lost and outcome != Outcome.FAILED for outcome, lost in is_lost)


def _curve_cost(num_lost: int) -> str:
    if not num_lost:
        return "nothing is missing"
    return f"the curves of {num_lost} results are missing, their last and best figures are there"


def _in_words(attempts: pa.Table, refused: Mapping[int, str]) -> list[str]:
    """What is wrong with rows: each problem once, with the first cell that has it."""
    places: dict[str, list[int]] = {}
    for place, problem in refused.items():
        places.setdefault(problem, []).append(place)
    keys = attempts["key"].to_pylist()
    return [
        f"{problem}: cell {(keys[found[0]] or '')[:12]}"
        + (f" and {len(found) - 1} more" if len(found) > 1 else "")
        for problem, found in places.items()
    ]


def _without_refused_rows(reader: Reader, segments: Sequence[OpenSegment]) -> list[OpenSegment]:
    """Leave out attempts that contradict themselves."""
    if not segments:
        return []
    attempts = stack((s.attempts for s in segments), segment_attempts_schema())
    refused = refused_figures(attempts) | refused_facts(attempts)
    if not refused:
        return list(segments)
    kept, start = [], 0
    for opened in segments:
        num_rows = len(opened.attempts)
        kept.append(
            _without(
                reader,
                opened,
                {p - start: t for p, t in refused.items() if start <= p < start + num_rows},
            )
        )
        start += num_rows
    return kept


def _without(reader: Reader, opened: OpenSegment, refused: Mapping[int, str]) -> OpenSegment:
    path = opened.segment.attempts_path(reader.root)
    for words in _in_words(opened.attempts, refused):
        reader.report(
            Damage(path, words, None, f"{len(refused)} attempts are not served", len(refused))
        )
    is_kept = [place not in refused for place in range(len(opened.attempts))]
    return replace(opened, attempts=opened.attempts.filter(is_kept))


def _live(reader: Reader) -> tuple[Segment, ...]:
    """What the pointer names; if it is damaged, all sound segments that repeat nothing."""
    try:
        return read_current(reader.root)
    except DamagedFileError as error:
        damage = Damage(pointer_path(reader.root), str(error), None, "nothing is missing", 0)
        reader.report(damage)
        return _disjoint(reader.root, segments_on_disk(reader.root))


def _disjoint(root: Path, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Leave out segments that were merged into a larger one."""
    kept: list[Segment] = []
    seen: set[str] = set()
    for segment in segments:
        tried = set(read_attempts(root, segment)[0]["attempt"].to_pylist())
        if seen.isdisjoint(tried):
            kept.append(segment)
            seen |= tried
    return tuple(kept)


def _opened(
    reader: Reader,
    segments: Sequence[Segment],
    open_one: Callable[[Reader, Segment], OpenSegment] = open_segment,
) -> list[OpenSegment]:
    """Open all sound ones, or raise FileNotFoundError and leave nothing open."""
    opened: list[OpenSegment] = []
    try:
        for segment in segments:
            try:
                opened.append(open_one(reader, segment))
            except DamagedFileError as error:
                path = segment.attempts_path(reader.root)
                reader.report(Damage(path, str(error), None, num_lost=segment.num_rows))
    except FileNotFoundError:
        close_all(opened)
        raise
    return opened


def _report_missing(reader: Reader, segment: Segment) -> bool:
    """Report a segment whose attempts have gone with their copy. Returns whether they are there."""
    path, copy, _ = segment.paths(reader.root)
    if path.exists() or copy.exists():
        return True
    reader.report(Damage(path, "it is missing", None, num_lost=segment.num_rows))
    return False


def _open_if_there(reader: Reader, segment: Segment) -> OpenSegment:
    """Open a segment whose curves may have gone, which is told when they are asked for."""
    try:
        return open_segment(reader, segment)
    except FileNotFoundError:
        return OpenSegment(segment, _attempts(reader, segment), None)


def close_all(segments: Sequence[OpenSegment]) -> None:
    for opened in segments:
        opened.close()
