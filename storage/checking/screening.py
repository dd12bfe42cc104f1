"""Which rows of many contradict themselves? The rules are those of `storage.checking.content`.

One query passes over all rows at once and clears the plain ones; the few that it does not clear are
judged one by one. Columns that many rows repeat word by word are judged once a value.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from storage.checking.content import (
    AT_LEAST,
    CURVE_NAMES,
    FIGURE_NAMES,
    FRACTION_CURVES,
    FRACTION_FIGURES,
    FRACTIONS,
    REQUIRED,
    ROUNDING,
    TEST_FIGURES,
    TIMES,
    curves_problem,
    facts_problem,
    figures_problem,
    latest_moment,
    matrix_problem,
    moved_revisions,
    object_problem,
)
from storage.schema import SCALARS, WHOLE, Outcome

MANY = 300
"""Rows from which on a query is faster than a look at each."""

REPEATED_TEXTS = ("revisions", "loss_parameters", "packages", "sources")
COMPARED = (
    "config", "identity", "seed", "num_epochs", "learning_rate", "batch_size", "precision",
    "dataset", "noise", "noise_rate", "architecture",
)  # fmt: skip
"""Columns that the query compares."""

_VIEWS = Path(__file__).parents[1] / "views"


def refused_facts(attempts: pa.Table) -> dict[int, str]:
    """Place of each attempt that contradicts itself, curves apart → what is wrong with it."""
    if not len(attempts):
        return {}
    facts = _without_times(attempts.select([column.name for column in SCALARS]))
    suspects = range(len(facts)) if len(facts) < MANY else sorted(_suspects(facts))
    rows = facts.take(whole_numbers(suspects)).to_pylist()
    return dict(_problems(zip(suspects, rows, strict=True), facts_problem))


def refused_curves(attempts: pa.Table, curves: pa.Table) -> dict[int, str]:
    """Place of each attempt whose curves contradict it → what is wrong; lost curves do not.

    Args:
        curves: of these attempts, in the same order; null where they are lost.
    """
    if not len(attempts):
        return {}
    suspects = sorted(_curve_suspects(attempts, curves))
    lists = curves.select(CURVE_NAMES).take(whole_numbers(suspects)).to_pylist()
    names = ["outcome", "num_epochs", "diverged_epoch", "identity"]
    facts = attempts.select(names).take(whole_numbers(suspects))
    rows = [{**fact, **row} for fact, row in zip(facts.to_pylist(), lists, strict=True)]
    return dict(_problems(zip(suspects, rows, strict=True), curves_problem))


def refused_figures(attempts: pa.Table) -> dict[int, str]:
    """Place of each attempt of segments whose figures cannot be true → what is wrong with them."""
    if not len(attempts) or _are_figures_sound(attempts):
        return {}
    rows = attempts.select(["outcome", "num_epochs", *FIGURE_NAMES]).to_pylist()
    return dict(_problems(enumerate(rows), figures_problem))


def contradicted_figures(attempts: pa.Table, curves: pa.Table) -> dict[int, str]:
    """Place of each attempt whose figures are not those of its curves → what is wrong.

    Args:
        curves: of these attempts, in the same order; lost ones contradict nothing.
    """
    if not len(attempts):
        return {}
    with duckdb.connect(":memory:") as connection:
        connection.register("landed_rows", curves)
        connection.execute((_VIEWS / "landed_summaries.sql").read_text(encoding="utf-8"))
        true = connection.view("landed_summaries").to_arrow_table()
    is_lost = curves["epoch"].is_null().to_pylist()
    problems: dict[int, str] = {}
    for name in FIGURE_NAMES:
        pairs = zip(attempts[name].to_pylist(), true[name].to_pylist(), is_lost, strict=True)
        for place, (told, found, lost) in enumerate(pairs):
            if told != found and not lost:
                problems.setdefault(place, f"{name} is {told}, by its curve {found}")
    return problems


def _without_times(facts: pa.Table) -> pa.Table:
    """Times as numbers: as Python values they would import pandas, for a third of a second."""
    numbers = [c.cast(WHOLE) if pa.types.is_timestamp(c.type) else c for c in facts.columns]
    return pa.Table.from_arrays(numbers, names=facts.column_names)


def _problems(
    rows: Iterable[tuple[int, dict[str, Any]]], judge: Callable[[Mapping[str, Any]], str | None]
) -> Iterator[tuple[int, str]]:
    for place, row in rows:
        if problem := judge(row):
            yield place, problem


def _suspects(facts: pa.Table) -> set[int]:
    """Places of the rows that are not plainly in order."""
    if not _are_columns_sound(facts):
        return set(range(len(facts)))
    suspects = set(range(len(facts))) - _plain(facts)
    for name in REPEATED_TEXTS:
        bad = [text for text in facts[name].unique().to_pylist() if object_problem(name, text)]
        suspects |= _places(facts[name], bad)
    return suspects | _odd_matrices(facts) | _odd_identities(facts)


def _are_columns_sound(facts: pa.Table) -> bool:
    """Whether each column by itself holds nothing that no row may have."""
    return (
        all(facts[name].null_count == 0 for name in REQUIRED)
        and all(_is_within(facts[name], least, math.inf) for name, least in AT_LEAST.items())
        and all(_is_within(facts[name], 0, 1) for name in FRACTIONS)
        and _is_within(facts["learning_rate"], -math.inf, math.inf)
        and all(_is_within(facts[name], -math.inf, _microseconds_now()) for name in TIMES)
        and set(facts["outcome"].unique().to_pylist()) <= {outcome.value for outcome in Outcome}
        and bool(pc.all(pc.match_substring_regex(facts["key"], "^[0-9a-f]{64}$")).as_py())
        and _are_divergences_sound(facts)
    )


def _microseconds_now() -> int:
    """The latest time that a row may bear, as rows without their zone tell times."""
    return int(latest_moment().timestamp() * 1e6)


def _are_figures_sound(attempts: pa.Table) -> bool:
    """Whether all figures are plainly in order."""
    is_tested = functools.reduce(pc.or_, (pc.is_valid(attempts[name]) for name in TEST_FIGURES))
    # By a pattern: a comparison with a word would load pandas.
    is_finished = pc.match_substring_regex(attempts["outcome"], f"^{Outcome.FINISHED.value}$")
    is_tested = pc.or_(is_tested, pc.invert(is_finished))
    last, best = attempts["test_accuracy"], attempts["best_test_accuracy"]
    epoch = attempts["best_epoch"]
    return (
        all(_is_within(attempts[n], 0, 1 + ROUNDING) for n in FRACTION_FIGURES)
        and all(_is_within(attempts[n], -math.inf, math.inf) for n in FIGURE_NAMES)
        and pc.all(pc.greater_equal(best, last)).as_py() is not False
        and pc.all(is_tested).as_py() is not False
        and _is_within(epoch, 1, math.inf)
        and pc.all(pc.less_equal(epoch, attempts["num_epochs"])).as_py() is not False
    )


def _are_divergences_sound(facts: pa.Table) -> bool:
    names = ("outcome", "diverged_epoch", "num_epochs")
    return all(
        (epoch is not None and 1 <= epoch <= asked)
        if outcome == Outcome.DIVERGED
        else epoch is None
        for outcome, epoch, asked in zip(*(facts[n].to_pylist() for n in names), strict=True)
    )


def _is_within(column: Any, least: float, most: float) -> bool:
    """Whether all values are finite and in the range; missing ones do not count."""
    if column.null_count == len(column):
        return True
    limits = pc.min_max(column).as_py()
    is_finite = pc.all(pc.is_finite(column)).as_py()
    return bool(is_finite and least <= limits["min"] and limits["max"] <= most)


def _plain(facts: pa.Table) -> set[int]:
    """Places of the rows whose columns plainly agree with one another."""
    positions = whole_numbers(range(len(facts)))
    with duckdb.connect(":memory:") as connection:
        connection.register(
            "checked_rows", facts.select(COMPARED).append_column("position", positions)
        )
        connection.execute((_VIEWS / "plain_rows.sql").read_text(encoding="utf-8"))
        rows = connection.sql("select * from plain_rows").to_arrow_table()
    places = rows["position"].to_pylist()
    loss, parameters = facts["loss"].to_pylist(), facts["loss_parameters"].to_pylist()
    said = zip(places, rows["said_loss"].to_pylist(), strict=True)
    kinds = [(text, parameters[place], loss[place]) for place, text in said]
    odd = {kind for kind in set(kinds) if not _is_loss_told(*kind)}
    return {place for place, kind in zip(places, kinds, strict=True) if kind not in odd}


def _is_loss_told(said: str | None, parameters: str, name: str) -> bool:
    """Whether a configuration's loss is that of the columns."""
    try:
        return bool(json.loads(said or "") == {**json.loads(parameters), "name": name})
    except (TypeError, ValueError):
        return False


def _odd_matrices(facts: pa.Table) -> set[int]:
    coded = facts["transition_matrix"].combine_chunks().dictionary_encode()
    texts = coded.dictionary.to_pylist()
    kinds = list(zip(coded.indices.to_pylist(), facts["num_classes"].to_pylist(), strict=True))
    odd = {kind for kind in set(kinds) if _matrix_problem(texts, *kind)}
    return {place for place, kind in enumerate(kinds) if kind in odd}


def _matrix_problem(texts: Sequence[str], index: int | None, size: int | None) -> str | None:
    text = None if index is None else texts[index]
    return matrix_problem({"transition_matrix": text, "num_classes": size})


def _odd_identities(facts: pa.Table) -> set[int]:
    """Rows whose identity is not what the key digests, or tells other revisions."""
    told = {text: _told(text) for text in facts["revisions"].unique().to_pylist()}
    names = ("key", "identity", "revisions")
    rows = zip(*(facts[name].to_pylist() for name in names), strict=True)
    return {
        place
        for place, (key, identity, revisions) in enumerate(rows)
        if identity is not None
        and (
            hashlib.sha256(identity.encode()).hexdigest() != key
            or (told[revisions] not in identity if told[revisions] else _REVISIONS in identity)
        )
    }


_REVISIONS = '"revisions"'


def _told(revisions: str) -> str:
    """How an identity tells these revisions; empty if all are the first."""
    if object_problem("revisions", revisions) or not (moved := moved_revisions(revisions)):
        return ""
    return f"{_REVISIONS}:{json.dumps(moved, sort_keys=True, separators=(',', ':'))}"


def _places(column: pa.ChunkedArray, values: Sequence[str | None]) -> set[int]:
    """Where one of `values` stands."""
    if not values:
        return set()
    wanted = set(values)
    return {place for place, value in enumerate(column.to_pylist()) if value in wanted}


def _curve_suspects(attempts: pa.Table, curves: pa.Table) -> set[int]:
    """Places of the rows whose curves are not plainly in order."""
    facts = zip(attempts["outcome"].to_pylist(), attempts["num_epochs"].to_pylist(), strict=True)
    epochs = curves["epoch"].combine_chunks()
    is_lost = epochs.is_null().to_pylist()
    asked = [
        0 if lost or outcome == Outcome.FAILED else number or 0
        for lost, (outcome, number) in zip(is_lost, facts, strict=True)
    ]
    if not epochs.flatten().equals(_counted(asked)):
        return set(range(len(asked)))
    odd = set().union(*(_odd_lists(curves[n].combine_chunks(), asked, n) for n in CURVE_NAMES))
    return odd | _odd_ends(attempts, curves, {place for place, n in enumerate(asked) if n})


def _odd_ends(attempts: pa.Table, curves: pa.Table, trained: set[int]) -> set[int]:
    """Of the rows with curves, those that finished with gaps, and those that diverged.

    Few diverge, and those of old versions, which tell no identity, are not asked about.
    """
    outcomes = attempts["outcome"].to_pylist()
    gaps = _with_gaps(curves["train_loss"]) | _with_gaps(curves["test_accuracy"])
    finished = {place for place in gaps if outcomes[place] == Outcome.FINISHED}
    is_told = attempts["identity"].is_valid().to_pylist()
    diverged = {
        place
        for place, outcome in enumerate(outcomes)
        if outcome == Outcome.DIVERGED and is_told[place]
    }
    return (finished | diverged) & trained


def _with_gaps(column: pa.ChunkedArray) -> set[int]:
    """Rows whose list is empty or has a missing value."""
    lists = column.combine_chunks()
    parents = pc.list_parent_indices(lists).filter(lists.flatten().is_null())
    lengths = pc.list_value_length(lists).to_pylist()
    return {*parents.to_pylist(), *(place for place, length in enumerate(lengths) if not length)}


def _counted(lengths: Iterable[int]) -> pa.Array:
    """1 to n for each n, one after the other."""
    blocks: dict[int, array[int]] = {}
    numbers = array("q")
    for length in lengths:
        if length not in blocks:
            blocks[length] = array("q", range(1, length + 1))
        numbers.extend(blocks[length])
    return whole_numbers(numbers)


def _odd_lists(column: Any, asked: Sequence[int], name: str) -> set[int]:
    """Rows whose list is neither empty nor as long as asked; all, if a value is out of range."""
    limits = (0, 1 + ROUNDING) if name in FRACTION_CURVES else (-math.inf, math.inf)
    if not _is_within(column.flatten().cast(pa.float64()), *limits):
        return set(range(len(column)))
    lengths = zip(pc.list_value_length(column).to_pylist(), asked, strict=True)
    return {place for place, (length, epochs) in enumerate(lengths) if length and length != epochs}


def whole_numbers(values: Iterable[int]) -> pa.Array:
    """An Arrow array, made so that pandas is not imported, as `pyarrow.array` does."""
    numbers = array("q", values)
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])
