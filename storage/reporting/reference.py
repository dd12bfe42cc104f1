"""Published numbers beside ours: difference, combined SEM, |z|, and how well they agree.

Reads a published table from CSV text. Knows nothing of the store; a difference is never called
good or bad here.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.reporting.spec import Reference
from storage.reporting.statistics import Agreement, agreement, combined_error, z_score
from storage.reporting.table import Entry, Header, Table

PublishedRow = Mapping[str, str]


class PublishedTableError(Exception):
    """A published table cannot be read or matched; the message says what to change."""


@dataclass(frozen=True)
class Counterpart:
    """One entry of ours and the published one. All numbers in the table's unit.

    Args:
        row, column: place in the table.
        ours: the entry.
        mean, sem: as published; the SEM is None where none was printed.
        published: the whole published row, for its notes and its number of seeds.
    """

    row: Header
    column: Header
    ours: Entry
    mean: float
    sem: float | None
    published: PublishedRow

    @property
    def difference(self) -> float | None:
        """Ours minus published."""
        return None if self.ours.mean is None else self.ours.mean - self.mean

    @property
    def combined_sem(self) -> float | None:
        return combined_error(self.ours.sem, self.sem)

    @property
    def z(self) -> float | None:
        """Difference over combined SEM; None if either side has no error."""
        difference = self.difference
        return None if difference is None else z_score(difference, self.combined_sem)


@dataclass(frozen=True)
class Comparison:
    """A table beside published numbers.

    Args:
        source: file name of the published table.
        pairs: entries that have a counterpart.
        only_ours: entries of ours without one.
        only_published: published rows that meet `where` and match no entry, in words.
        unknown: what the published text does not say of its protocol.
    """

    table: Table
    source: str
    pairs: tuple[Counterpart, ...]
    only_ours: tuple[tuple[Header, Header], ...]
    only_published: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @property
    def agreement(self) -> Agreement | None:
        """Over all pairs that have a z; None if none has."""
        return agreement([pair.z for pair in self.pairs if pair.z is not None])


def read_published(reference: Reference, base: Path) -> str:
    """Text of the published table. Raises PublishedTableError.

    Args:
        base: folder of the study file.
    """
    try:
        return (base / reference.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise PublishedTableError(f"reference file {reference.file}: {reason}") from None


def compare(table: Table, reference: Reference, text: str) -> Comparison:
    """Pair each entry of a table with its published row. Raises PublishedTableError."""
    published = _published_rows(reference, text)
    pairs, only_ours, used = [], [], set()
    for (row, column), entry in table.entries.items():
        if not entry.num_planned:
            continue
        found = [index for index, line in enumerate(published) if _meets(entry, line, reference)]
        if len(found) > 1:
            raise PublishedTableError(_several(reference, row, column, found, published))
        if not found:
            only_ours.append((row, column))
            continue
        used.add(found[0])
        line = published[found[0]]
        mean = _number(line[reference.mean], reference)
        sem = _number(line[reference.sem], reference)
        if mean is None:
            only_ours.append((row, column))
        else:
            pairs.append(Counterpart(row, column, entry, mean, sem, line))
    left = [_in_words(line, reference) for i, line in enumerate(published) if i not in used]
    name = Path(reference.file).name
    return Comparison(table, name, tuple(pairs), tuple(only_ours), tuple(left), reference.unknown)


def _published_rows(reference: Reference, text: str) -> list[PublishedRow]:
    reader = csv.DictReader(io.StringIO(text))
    columns = set(reader.fieldnames or ())
    asked = {*reference.where, *reference.match, *reference.scale, reference.mean, reference.sem}
    if not asked <= columns:
        lacking = ", ".join(sorted(asked - columns))
        raise PublishedTableError(f"reference file {reference.file} has no column {lacking}")
    return [
        row
        for row in reader
        if all(
            any(_same(row[column], value) for value in values)
            for column, values in reference.where.items()
        )
    ]


def _meets(entry: Entry, row: PublishedRow, reference: Reference) -> bool:
    return all(
        field in entry.fields
        and _same(row[column], _published_value(entry.fields[field], column, reference))
        for column, field in reference.match.items()
    )


def _published_value(ours: str, column: str, reference: Reference) -> str:
    """Our value as the published table writes it: renamed, else scaled."""
    if ours in reference.rename:
        return reference.rename[ours]
    factor, value = reference.scale.get(column), _float(ours)
    return ours if factor is None or value is None else repr(value * factor)


def _same(first: str | None, second: str) -> bool:
    """Equal as text, or as numbers: 40 and 40.0 are the same rate."""
    if first is None or first == second:
        return first == second
    a, b = _float(first), _float(second)
    return a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9)


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _number(text: str | None, reference: Reference) -> float | None:
    """A published number, None for an empty field."""
    if not text:
        return None
    value = _float(text)
    if value is None:
        raise PublishedTableError(f"reference file {reference.file}: '{text}' is not a number")
    return value


def _several(
    reference: Reference,
    row: Header,
    column: Header,
    found: Sequence[int],
    published: Sequence[PublishedRow],
) -> str:
    lines = [published[index] for index in found]
    differing = [name for name in lines[0] if len({line[name] for line in lines}) > 1]
    return (
        f"{len(found)} rows of {reference.file} match {', '.join((*row, *column))}: they differ in "
        f"{', '.join(differing) or 'nothing'}; add these to where or match"
    )


def _in_words(row: PublishedRow, reference: Reference) -> str:
    return ", ".join(f"{column} {row[column]}" for column in reference.match)


def notes(pairs: Iterable[Counterpart]) -> tuple[str, ...]:
    """Remarks that the published table makes on the rows used, and unequal numbers of seeds."""
    pairs = tuple(pairs)
    remarks = [pair.published.get("note") or "" for pair in pairs]
    seeds = {pair.published.get("n_seeds") or "" for pair in pairs}
    ours = {str(pair.ours.num_planned) for pair in pairs}
    if seeds - {""} and seeds != ours:
        theirs = " or ".join(sorted(seeds - {""}))
        remarks.append(f"published over {theirs} seeds, ours over {' or '.join(sorted(ours))}")
    return tuple(dict.fromkeys(remark for remark in remarks if remark))
