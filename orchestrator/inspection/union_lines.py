"""What a union of stores did, and what contradicts what, as lines of text. Prints nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storage.merging import Merge
    from storage.records.conflicts import Conflict
    from storage.records.merging import Asked, Refusal, StudyDifference

SHOWN = 10
"""Lines of each kind; the rest is counted."""

_SHOWN_DIGITS = 12
_COMMIT = re.compile("[0-9a-f]{40}")
_CONDITION_WORDS = {
    "code_version": "code",
    "num_threads": "threads",
    "stack_size": "runs in the stack",
}


def merge_lines(done: Merge) -> Iterator[str]:
    """What a union did."""
    yield f"{done.num_new} new results, {done.num_same} that were here before"
    if done.num_failures:
        yield f"{done.num_failures} failed attempts"
    if done.studies:
        yield f"studies: {', '.join(done.studies)}"
    yield from _first(map(_difference_line, done.differences), len(done.differences), "studies")
    yield from conflict_lines(done.conflicts)
    yield from _first(map(_refusal_line, done.refused), len(done.refused), "refused")
    yield from (f"damaged, not read: {file.path}: {file.reason}" for file in done.damaged)


def conflict_lines(conflicts: Sequence[Conflict]) -> Iterator[str]:
    """The first conflicts, each with what differs in how the two results were computed."""
    return _first(map(_conflict_line, conflicts), len(conflicts), "conflicts")


def _first(lines: Iterable[str], num_lines: int, what: str) -> Iterator[str]:
    yield from islice(lines, SHOWN)
    if num_lines > SHOWN:
        yield f"… and {num_lines - SHOWN} more {what}"


def _conflict_line(conflict: Conflict) -> str:
    edition = f" (edition {conflict.edition})" if conflict.edition else ""
    where = f" of {conflict.origin}" if conflict.origin else ""
    head = f"conflict: {conflict.key[:_SHOWN_DIGITS]}{edition}{where}"
    if conflict.standing is None:
        return f"{head}: the result that it contradicts is not there"
    size = conflict.largest_difference
    by = f", test accuracy by up to {100 * size:.2f} points" if size else ""
    return f"{head} differs in {', '.join(conflict.columns)}{by}; {_conditions(conflict)}"


def _conditions(conflict: Conflict) -> str:
    """What stands first, then what is kept beside it."""
    pairs = [
        f"{_CONDITION_WORDS.get(name, name)} {_known(ours)} here, {_known(theirs)} there"
        for name, ours, theirs in conflict.conditions
    ]
    same = "code version, device, torch, threads and stack are the same; what is here stays"
    return "; ".join(pairs) or same


def _known(value: Any) -> str:
    """Of a commit, the digits by which it is known elsewhere."""
    text = "unknown" if value is None else str(value)
    return text[:_SHOWN_DIGITS] if _COMMIT.fullmatch(text) else text


def _refusal_line(refusal: Refusal) -> str:
    what = refusal.what[:_SHOWN_DIGITS] if _is_key(refusal.what) else refusal.what
    return f"refused: {what} of {refusal.origin}: {refusal.reason}"


def _difference_line(found: StudyDifference) -> str:
    ours, theirs = found.ours, found.theirs
    if ours.num_cells == theirs.num_cells == found.num_shared:
        told = f"the same {ours.num_cells} cells, but another text, overrides, tables, code or data"
    else:
        told = f"ours asks for {_asked(ours)}, theirs for {_asked(theirs)}"
        told += f", {found.num_shared} are the same"
    return f"study {found.study} of {found.origin}: {told}; ours stays"


def _asked(asked: Asked) -> str:
    overrides = f" (overrides {' '.join(asked.overrides)})" if asked.overrides else ""
    return f"{asked.num_cells} cells{overrides}"


def _is_key(text: str) -> bool:
    return len(text) == 64 and "/" not in text
