"""What is known of one cell, in words. Decides nothing and prints nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.inspection.columns import aligned
from orchestrator.inspection.keys import short
from orchestrator.inspection.union_lines import conflict_lines
from orchestrator.inspection.why import Asked, Compared, Component, Data, Sameness, Tried, Why
from storage.records.decisions import Decision
from storage.standing.judgement import Standing, Verdict, flat

DATA_WORDS = {Sameness.CHANGED: "other data here", Sameness.NOT_HERE: "not at hand"}
"""Words for data where those for code do not fit."""

TO_DO = {
    Standing.NEW: "a launch of a study that asks for it trains it",
    Standing.FAILED: "a launch of a study that asks for it tries it again",
    Standing.STALE: "a launch of a study that asks for it trains it again; its results are kept",
}


def why_lines(why: Why, *, full: bool = False, at: str = "") -> Iterator[str]:
    """All that is known of one cell.

    Args:
        full: tell the whole configuration, not only what differs from the defaults.
        at: options that name the store, for a command to type next.
    """
    yield f"cell {why.key}"
    yield from aligned(list(_standing(why, at)), 2)
    yield from _fields(why, full=full)
    for compared in why.results:
        yield from _result(compared, is_replaced=_is_replaced(compared, why.results))
    if not why.results:
        yield "results: none"
    yield from (f"  {line}" for line in conflict_lines(why.conflicts))
    yield from _decisions(why.decisions)
    yield from _failures(why.failures)
    yield from _asking(why.asked)


def _standing(why: Why, at: str) -> Iterator[tuple[str, str]]:
    here = why.present
    if why.verdict is None:
        yield "standing", here.problem
    else:
        yield "standing", _verdict(why.verdict)
        if (action := TO_DO.get(why.verdict.standing)) is not None:
            yield "to do", action
        if any(item.kind == "source" for item in why.verdict.moved):
            yield (
                "",
                f"orchestrator replay {short(why.key)}{at} tells whether its numbers are the same",
            )
    if here.stored_key == why.key:
        yield "key", "the stored configuration has this key here too"
    elif here.stored_key is not None:
        yield (
            "key",
            f"the stored configuration has the key {short(here.stored_key)} here: "
            + ("a default or a revision is no longer what it was"),
        )
    if here.planned is not None and here.planned.key != why.key:
        yield "today", f"what this key names is the cell {short(here.planned.key)} today"


def _verdict(verdict: Verdict) -> str:
    said = f"{verdict.standing}: {verdict.reason}" if verdict.reason else str(verdict.standing)
    if verdict.result is not None:
        said += f", by edition {verdict.result.edition}"
    if verdict.unknown:
        said += f"; its {' and '.join(verdict.unknown)} cannot be compared"
    return said


def _fields(why: Why, *, full: bool) -> Iterator[str]:
    identity = why.present.identity
    if full or identity is None:
        yield "configuration" if identity else "configuration; what its defaults were is not known"
        yield from _flat(why.config)
    else:
        yield "identity: what differs from the defaults"
        yield from _flat(json.loads(identity))


def _flat(config: Mapping[str, Any]) -> Iterator[str]:
    rows = [(name, v if isinstance(v, str) else json.dumps(v)) for name, v in flat(config).items()]
    return aligned(sorted(rows), 2)


def _is_replaced(compared: Compared, results: Sequence[Compared]) -> bool:
    """Whether a newer result of the cell was made than one that was to be made anew."""
    return any(other.tried.edition > compared.tried.edition for other in results)


def _result(compared: Compared, *, is_replaced: bool) -> Iterator[str]:
    tried = compared.tried
    at = f" in epoch {tried.diverged_epoch}" if tried.diverged_epoch else ""
    said = _answer(compared, is_replaced=is_replaced)
    yield f"result, edition {tried.edition}: {tried.outcome}{at}; {said}"
    yield from aligned(list(_facts(tried)), 2)
    rows = [
        *((_code_of(c), c.origin, short(c.sha256), c.sameness.value) for c in compared.components),
        *((f"{d.split} data", "", short(d.sha256), _data_words(d)) for d in compared.data),
        ("labels trained on", "", short(tried.noisy_label_sha256), ""),
        ("initial weights", "", short(tried.initial_weights_sha256), ""),
    ]
    if not compared.components:
        yield "  code of its components: not recorded"
    yield from aligned(rows, 2)


def _code_of(component: Component) -> str:
    name = "" if component.name == component.field else f" {component.name}"
    return f"code of {component.field}{name}"


def _answer(compared: Compared, *, is_replaced: bool) -> str:
    if compared.redo is not None:
        return f"{'superseded' if is_replaced else 'to be run anew'}: {compared.redo}"
    if compared.moved is None:
        return "cannot be compared here"
    moved = "; ".join(item.words for item in compared.moved)
    return f"does not answer: {moved}" if moved else "answers"


def _facts(tried: Tried) -> Iterator[tuple[str, str]]:
    took = f", {tried.seconds:.1f} s" if tried.seconds is not None else ""
    yield "when", f"{tried.committed_at:%Y-%m-%d %H:%M:%S} UTC{took}"
    yield "where", ", ".join((tried.host, tried.device, *_conditions(tried)))
    yield "made by", f"study {tried.study}, launch {tried.launch}"
    yield "version", f"{tried.code_version[:12]}, {_dirty(tried.code_dirty)}"


def _conditions(tried: Tried) -> Iterator[str]:
    threads = tried.num_threads
    yield "threads not recorded" if threads is None else f"{threads} thread" + "s" * (threads != 1)
    if tried.stack_size is None:
        yield "alone or stacked: not recorded"
    elif tried.stack_size == 1:
        yield "alone"
    else:
        yield f"number {(tried.stack_position or 0) + 1} in a stack of {tried.stack_size}"
    yield f"torch {json.loads(tried.packages).get('torch', 'unknown')}"


def _dirty(is_dirty: bool | None) -> str:
    return {True: "with uncommitted changes", False: "all committed", None: "not a checkout"}[
        is_dirty
    ]


def _data_words(data: Data) -> str:
    return DATA_WORDS.get(data.sameness, data.sameness.value)


def _decisions(decisions: Sequence[Decision]) -> Iterator[str]:
    if decisions:
        yield "decisions about its results"
    for one in decisions:
        code = f" of {one.component} {short(one.before)} → {short(one.after)}"
        what = "to be run anew" if one.kind == "redo" else f"code{code} accepted"
        yield f"  {one.decided_at:%Y-%m-%d %H:%M:%S} UTC  {what}: {one.reason}"


def _failures(failures: Sequence[Tried]) -> Iterator[str]:
    yield "failed attempts" if failures else "failed attempts: none"
    rows = [
        (
            f"{one.committed_at:%Y-%m-%d %H:%M:%S} UTC",
            one.host,
            one.error_class or "unknown",
            one.error_message or "",
        )
        for one in failures
    ]
    yield from aligned(rows, 2)


def _asking(asked: Sequence[Asked]) -> Iterator[str]:
    is_past = any(one.version is not None for one in asked)
    past = ": no study as it stands now, but formerly by" if is_past else ""
    yield f"asked for by{past}" if asked else "asked for by: no recorded study"
    for one in asked:
        axes = "".join(f", {name}={value}" for name, value in one.axes.items())
        version = "" if one.version is None else f"@{one.version}"
        yield f"  study {one.study}{version}, phase {one.phase}, seed {one.seed}{axes}"
        for place in one.places:
            row, column = (", ".join(header) or "all" for header in (place.row, place.column))
            yield f"    table {place.table}: row {row}, column {column}"
