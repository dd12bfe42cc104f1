"""Which rows of many contradict themselves? The rules are those of `storage.content`.

One query passes over all rows at once and clears the plain ones; the few that it does not clear are
judged one by one. Columns that many rows repeat word by word are judged once a value.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from storage.content import (
    AT_LEAST,
    CURVE_NAMES,
    FRACTION_CURVES,
    FRACTIONS,
    REQUIRED,
    ROUNDING,
    curves_problem,
    facts_problem,
    matrix_problem,
    moved_revisions,
    object_problem,
)
from storage.schema import SCALARS, Outcome

MANY = 300
"""Rows from which on a query is faster than a look at each."""

REPEATED_TEXTS = ("revisions", "loss_parameters", "packages", "sources")
COMPARED = (
    "config", "seed", "num_epochs", "learning_rate", "batch_size", "precision", "dataset", "noise",
    "noise_rate", "architecture",
)  # fmt: skip
"""Columns that the query compares."""

_VIEW = Path(__file__).parent / "views" / "plain_rows.sql"


def refused_facts(attempts: pa.Table) -> dict[int, str]:
    """Place of each attempt that contradicts itself, curves apart → what is wrong with it."""
    facts = attempts.select([column.name for column in SCALARS])
    suspects = range(len(facts)) if len(facts) < MANY else sorted(_suspects(facts))
    rows = facts.take(pa.array(suspects, pa.int64())).to_pylist()
    return dict(_problems(zip(suspects, rows, strict=True), facts_problem))


def refused_curves(attempts: pa.Table, curves: pa.Table) -> dict[int, str]:
    """Place of each attempt whose curves contradict it → what is wrong; lost curves do not.

    Args:
        curves: of these attempts, in the same order; null where they are lost.
    """
    suspects = sorted(_curve_suspects(attempts, curves))
    lists = curves.select(CURVE_NAMES).take(pa.array(suspects, pa.int64())).to_pylist()
    facts = attempts.select(["outcome", "num_epochs"]).take(pa.array(suspects, pa.int64()))
    rows = [{**fact, **row} for fact, row in zip(facts.to_pylist(), lists, strict=True)]
    return dict(_problems(zip(suspects, rows, strict=True), curves_problem))


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
    told = {text: _told(text) for text in facts["revisions"].unique().to_pylist()}
    expected = [told[text] for text in facts["revisions"].to_pylist()]
    suspects = set(range(len(facts))) - _plain(facts, expected)
    for name in REPEATED_TEXTS:
        bad = [text for text in facts[name].unique().to_pylist() if object_problem(name, text)]
        suspects |= _places(facts[name], bad)
    return suspects | _odd_matrices(facts) | _odd_identities(facts, expected)


def _are_columns_sound(facts: pa.Table) -> bool:
    """Whether each column by itself holds nothing that no row may have."""
    outcomes = [outcome.value for outcome in Outcome]
    is_diverged = pc.equal(facts["outcome"], Outcome.DIVERGED.value)
    epochs = pc.coalesce(facts["diverged_epoch"], facts["num_epochs"])
    return (
        all(facts[name].null_count == 0 for name in REQUIRED)
        and all(_is_within(facts[name], least, math.inf) for name, least in AT_LEAST.items())
        and all(_is_within(facts[name], 0, 1) for name in FRACTIONS)
        and _is_within(facts["learning_rate"], -math.inf, math.inf)
        and set(facts["outcome"].unique().to_pylist()) <= set(outcomes)
        and bool(pc.all(pc.equal(is_diverged, facts["diverged_epoch"].is_valid())).as_py())
        and _is_within(epochs, 1, math.inf)
        and bool(pc.all(pc.less_equal(epochs, facts["num_epochs"])).as_py())
        and bool(pc.all(pc.match_substring_regex(facts["key"], "^[0-9a-f]{64}$")).as_py())
    )


def _is_within(column: pa.ChunkedArray, least: float, most: float) -> bool:
    """Whether all values are finite and in the range; missing ones do not count."""
    if column.null_count == len(column):
        return True
    limits = pc.min_max(column).as_py()
    is_finite = pc.all(pc.is_finite(column)).as_py()
    return bool(is_finite and least <= limits["min"] and limits["max"] <= most)


def _plain(facts: pa.Table, told: Sequence[str]) -> set[int]:
    """Places of the rows whose columns plainly agree with one another."""
    texts = zip(facts["identity"].to_pylist(), told, strict=True)
    cells = [text and text.replace(part, "") for text, part in texts]
    checked = (
        facts.select(COMPARED)
        .append_column("identity", pa.array(cells, pa.string()))
        .append_column("position", pa.array(range(len(facts)), pa.int64()))
    )
    with duckdb.connect(":memory:") as connection:
        connection.register("checked_rows", checked)
        connection.execute(_VIEW.read_text(encoding="utf-8"))
        rows = connection.sql("select * from plain_rows").to_arrow_table()
    places = pa.chunked_array([rows["position"].combine_chunks()])
    losses = facts.select(["loss", "loss_parameters"]).take(places)
    losses = losses.append_column("said_loss", rows["said_loss"])
    kinds = losses.group_by(losses.column_names).aggregate([]).to_pylist()
    odd = [kind["said_loss"] for kind in kinds if not _is_loss_told(kind)]
    odd_places = _places(rows["said_loss"], odd)
    return {place for index, place in enumerate(places.to_pylist()) if index not in odd_places}


def _is_loss_told(kind: Mapping[str, Any]) -> bool:
    """Whether a configuration's loss is that of the columns."""
    try:
        said, parameters = json.loads(kind["said_loss"]), json.loads(kind["loss_parameters"])
        return bool(said == {**parameters, "name": kind["loss"]})
    except (TypeError, ValueError):
        return False


def _odd_matrices(facts: pa.Table) -> set[int]:
    names = ["transition_matrix", "num_classes"]
    pairs = facts.select(names).group_by(names).aggregate([]).to_pylist()
    return _places(facts[names[0]], [pair[names[0]] for pair in pairs if matrix_problem(pair)])


def _odd_identities(facts: pa.Table, told: Sequence[str]) -> set[int]:
    """Rows whose identity is not what the key digests, or tells other revisions."""
    rows = zip(facts["key"].to_pylist(), facts["identity"].to_pylist(), told, strict=True)
    return {
        place
        for place, (key, identity, part) in enumerate(rows)
        if identity is not None
        and (
            hashlib.sha256(identity.encode()).hexdigest() != key
            or (part not in identity if part else _REVISIONS in identity)
        )
    }


_REVISIONS = '"revisions"'


def _told(revisions: str | None) -> str:
    """How an identity tells these revisions, after another field; empty if all are the first."""
    if revisions is None or object_problem("revisions", revisions):
        return ""
    moved = moved_revisions(revisions)
    text = json.dumps(moved, sort_keys=True, separators=(",", ":"))
    return f",{_REVISIONS}:{text}" if moved else ""


def _places(column: pa.ChunkedArray, values: Sequence[str | None]) -> set[int]:
    """Where one of `values` stands."""
    if not values:
        return set()
    wanted = set(values)
    return {place for place, value in enumerate(column.to_pylist()) if value in wanted}


def _curve_suspects(attempts: pa.Table, curves: pa.Table) -> set[int]:
    """Places of the rows whose curves are not plainly in order."""
    facts = zip(attempts["outcome"].to_pylist(), attempts["num_epochs"].to_pylist(), strict=True)
    asked = [0 if outcome == Outcome.FAILED else epochs for outcome, epochs in facts]
    counted = {epochs: list(range(1, epochs + 1)) for epochs in set(asked)}
    suspects = {
        place
        for place, epochs in enumerate(curves["epoch"].to_pylist())
        if epochs is not None and epochs != counted[asked[place]]
    }
    lengths = pa.array(asked, pa.int32())
    for name in CURVE_NAMES:
        suspects |= _odd_lists(curves[name].combine_chunks(), lengths, name)
    return suspects


def _odd_lists(column: Any, lengths: pa.Array, name: str) -> set[int]:
    """Rows whose list is neither empty nor as long as it must be, or holds a value out of range."""
    found = pc.fill_null(pc.list_value_length(column), 0)
    is_odd = pc.and_(pc.not_equal(found, 0), pc.not_equal(found, lengths))
    suspects = set(pc.indices_nonzero(is_odd).to_pylist())
    values = column.flatten().cast(pa.float64())
    is_sound = pc.is_finite(values)
    if name in FRACTION_CURVES:
        within = pc.and_(pc.greater_equal(values, 0), pc.less_equal(values, 1 + ROUNDING))
        is_sound = pc.and_(is_sound, within)
    if pc.all(is_sound).as_py() is False:
        parents = pc.list_parent_indices(column).filter(pc.invert(pc.fill_null(is_sound, True)))
        suspects |= set(parents.to_pylist())
    return suspects
