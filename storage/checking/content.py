"""What is wrong with a row? Bytes that are as they were written may still say what cannot be.

One rule book for every door: landing, merging, and opening a store. A row is judged by itself
alone: its columns must agree with its configuration, its key with its identity, its curves with its
epochs. Whether it answers a question of today is not decided here. Knows values, no files.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from storage.layout import KEY
from storage.schema import CURVES, SCALARS, SUMMARY, Outcome

if TYPE_CHECKING:
    from storage.attempt import Attempt

KeyOf = Callable[[Mapping[str, Any], Mapping[str, int]], str | None]
"""(configuration, revisions) → the key of such a cell; None where that is not known here.

A caller that knows the components gives one. It must answer None for a component whose defaults may
have changed since, such as a plug-in's: an edited default makes a result stale, not false.
"""

FIRST_REVISION = 1
CLOCK_TOLERANCE = timedelta(days=1)
"""How far the clock of another machine may be ahead of ours."""

ROUNDING = 1e-6
"""A mean of fractions in single precision may exceed 1 by its rounding."""

REQUIRED = (
    "key", "base_key", "attempt", "outcome", "config", "revisions", "dataset", "noise",
    "architecture", "loss", "loss_parameters", "learning_rate", "batch_size", "num_epochs",
    "precision", "seed", "study", "launch", "started_at", "committed_at", "packages",
)  # fmt: skip
"""Columns that every attempt of every schema version has."""

OBJECTS = ("config", "revisions", "loss_parameters", "packages", "sources", "identity")
"""Columns that hold a JSON object, or nothing."""

AT_LEAST = {
    "edition": 0, "batch_size": 1, "num_epochs": 1, "num_classes": 1, "num_parameters": 0,
    "seconds": 0, "peak_memory_bytes": 0, "num_broken_images": 0, "resumed_from_epoch": 0,
    "num_threads": 1, "stack_size": 1, "stack_position": 0,
}  # fmt: skip

TIMES = ("started_at", "committed_at")
FRACTIONS = ("noise_rate", "realized_noise_rate")
NAMED = ("dataset", "noise", "architecture", "loss")
"""Columns that repeat the name of a component of the configuration."""

REPEATED = {
    "learning_rate": "learning_rate",
    "batch_size": "batch_size",
    "epochs": "num_epochs",
    "precision": "precision",
    "seed": "seed",
}
"""Field of the configuration → column that repeats it."""

CURVE_NAMES = tuple(column.name for column in CURVES)
FRACTION_CURVES = frozenset(column.name for column in CURVES if column.unit == "fraction")


LOSSES = ("train_loss", "test_loss")
TEST_FIGURES = ("test_accuracy", "test_cmc1")
"""One of them every finished result has."""

FIGURE_NAMES = tuple(column.name for column in SUMMARY)
FRACTION_FIGURES = frozenset(column.name for column in SUMMARY if column.unit == "fraction")


class ContentError(Exception):
    """A row that cannot be true. The text is one line that names the cell and the contradiction."""


class _ContradictionError(Exception):
    """Raised where it is found, so that the rules read as a list."""


def problem_of(row: Mapping[str, Any], key_of: KeyOf | None = None) -> str | None:
    """What is wrong with an attempt, in one line; None for a row that may stand.

    Args:
        row: every column of an attempt, its curves as lists beside the others (`as_row`). A column
            that an older version did not have may be absent or None.
        key_of: computes a key from a configuration; without it the key is compared with the row's
            own identity alone.
    """
    return facts_problem(row, key_of) or curves_problem(row)


def facts_problem(row: Mapping[str, Any], key_of: KeyOf | None = None) -> str | None:
    """What is wrong with an attempt apart from its curves."""
    return _found(_check_facts, row, key_of)


def curves_problem(row: Mapping[str, Any]) -> str | None:
    """What is wrong with an attempt's curves."""
    return _found(_check_curves, row)


def figures_problem(row: Mapping[str, Any]) -> str | None:
    """What is wrong with the figures that a segment keeps of an attempt's curves."""
    return _found(_check_figures, row)


def object_problem(name: str, text: str | None) -> str | None:
    """What is wrong with the text in one of the columns of JSON objects."""
    return _found(_object, {name: text}, name)


def matrix_problem(row: Mapping[str, Any]) -> str | None:
    """What is wrong with an attempt's transition matrix."""
    return _found(_check_matrix, row)


def moved_revisions(revisions: str) -> dict[str, int]:
    """The revisions that an identity tells: those that are not the first."""
    return {k: number for k, number in json.loads(revisions).items() if number != FIRST_REVISION}


def latest_moment() -> datetime:
    """The latest time that a row may bear now."""
    return datetime.now(UTC) + CLOCK_TOLERANCE


def check_attempt(attempt: Attempt) -> None:
    """Raises ContentError if an attempt contradicts itself."""
    if problem := problem_of(as_row(attempt)):
        raise ContentError(f"the result of cell {attempt.key[:12]} cannot be true: {problem}")


def as_row(attempt: Attempt) -> dict[str, Any]:
    """An attempt as one row: scalars, and curves as lists."""
    scalars = {column.name: getattr(attempt, column.name) for column in SCALARS}
    return {**scalars, **{name: list(attempt.curves.get(name, ())) for name in CURVE_NAMES}}


def _found(check: Callable[..., object], *values: object) -> str | None:
    """The first contradiction that a check meets."""
    try:
        check(*values)
    except _ContradictionError as found:
        return str(found)
    return None


def _check_facts(row: Mapping[str, Any], key_of: KeyOf | None) -> None:
    _check_columns(row)
    texts = {name: _object(row, name) for name in OBJECTS}
    _check_matrix(row)
    _check_configuration(row, texts)
    _check_identity(row, texts)
    _check_key(row, texts, key_of)


def _check_columns(row: Mapping[str, Any]) -> None:
    for name in REQUIRED:
        _require(row.get(name) is not None, f"{name} is missing")
    outcomes = [outcome.value for outcome in Outcome]
    _require(row["outcome"] in outcomes, f"outcome is {row['outcome']!r}, none of {outcomes}")
    _require(bool(KEY.fullmatch(row["key"])), "key is not 64 hexadecimal digits")
    for name, least in AT_LEAST.items():
        value = row.get(name)
        _require(value is None or _is_at_least(value, least), f"{name} is {value}, below {least}")
    for name in FRACTIONS:
        value = row.get(name)
        _require(value is None or _is_fraction(value), f"{name} is {value}, not in [0, 1]")
    _require(math.isfinite(row["learning_rate"]), "learning_rate is not finite")
    for name in TIMES:
        moment = _moment(row[name])
        is_past = moment <= latest_moment()
        _require(is_past, f"{name} is in the future, on {moment:%Y-%m-%d}")
    _check_divergence(row)


def _check_divergence(row: Mapping[str, Any]) -> None:
    epoch, outcome = row.get("diverged_epoch"), row["outcome"]
    if outcome == Outcome.DIVERGED:
        is_within = epoch is not None and 1 <= epoch <= row["num_epochs"]
        _require(is_within, f"it diverged, but diverged_epoch is {epoch}")
    else:
        _require(epoch is None, f"outcome is {outcome}, but diverged_epoch is {epoch}")


def _check_matrix(row: Mapping[str, Any]) -> None:
    """A square list of fractions, one row and one column a class."""
    if (text := row.get("transition_matrix")) is None:
        return
    matrix = _parsed("transition_matrix", text)
    if matrix is None:
        return
    size = row.get("num_classes") or (len(matrix) if isinstance(matrix, list) else 0)
    is_square = isinstance(matrix, list) and len(matrix) == size
    is_square = is_square and all(isinstance(line, list) and len(line) == size for line in matrix)
    _require(is_square, f"transition_matrix is not {size} × {size}")
    is_share = all(_is_number(share) and _is_fraction(share) for line in matrix for share in line)
    _require(is_share, "transition_matrix has an entry that is not in [0, 1]")


def _check_configuration(row: Mapping[str, Any], texts: Mapping[str, Any]) -> None:
    """Columns that repeat a field of the configuration agree with it, where it has the field."""
    config = texts["config"]
    for field, column in REPEATED.items():
        if field in config:
            _agree(f"config says {field}", config[field], column, row[column])
    for name in NAMED:
        if name in config:
            _agree(f"config says {name}", _name(config[name]), name, row[name])
    if "loss" in config:
        _agree(
            "config says loss",
            _parameters(config["loss"]),
            "loss_parameters",
            texts["loss_parameters"],
        )
    if "rate" in (noise := _parameters(config.get("noise", {}))):
        _agree("config says noise rate", noise["rate"], "noise_rate", row.get("noise_rate"))


def _check_identity(row: Mapping[str, Any], texts: Mapping[str, Any]) -> None:
    """The identity is what the key digests, and the configuration says the same and more."""
    identity = texts["identity"]
    if identity is None:
        return
    digest = hashlib.sha256(row["identity"].encode()).hexdigest()
    _require(digest == row["key"], "key is not the digest of identity")
    moved = moved_revisions(row["revisions"])
    _agree("identity says revisions", identity.get("revisions", {}), "revisions", moved)
    for field, value in identity.items():
        if field != "revisions":
            said = texts["config"].get(field)
            _require(
                _includes(said, value),
                f"identity says {field} {_show(value)}, config {_show(said)}",
            )


def _check_key(row: Mapping[str, Any], texts: Mapping[str, Any], key_of: KeyOf | None) -> None:
    key = key_of(texts["config"], texts["revisions"]) if key_of else None
    _require(key in (None, row["key"]), "key is not that of its configuration")


def _check_curves(row: Mapping[str, Any]) -> None:
    """A result has epochs 1 to num_epochs and as many values in each curve; a failure has none.

    A finished result has a training loss in every epoch and a test figure in the last one. One that
    diverged has no loss from that epoch on.
    """
    curves = {name: row.get(name) or () for name in CURVE_NAMES}
    if not Outcome(row["outcome"]).is_result:
        _require(not any(curves.values()), "it failed, but has curves")
        return
    asked, epochs = row["num_epochs"], curves["epoch"]
    _require(len(epochs) == asked, f"its curves have {len(epochs)} of {asked} epochs")
    _require(list(epochs) == list(range(1, asked + 1)), f"epoch is not 1 to {asked}")
    for name, values in curves.items():
        length = len(values)
        _require(length in (0, asked), f"{name} has {length} values in {asked} epochs")
        value = _first_unsound(values, is_fraction=name in FRACTION_CURVES)
        _require(value is None, f"{name} has the value {value}")
    if row["outcome"] == Outcome.FINISHED:
        gap = next((n for n, v in enumerate(curves["train_loss"], 1) if v is None), None)
        _require(gap is None, f"it finished, but train_loss has no value in epoch {gap}")
        _check_test_figure({name: curves[name][-1:] for name in TEST_FIGURES})
    elif row.get("identity") is not None and (first := row.get("diverged_epoch")):
        for name in LOSSES:
            is_lost = all(value is None for value in curves[name][first - 1 :])
            _require(is_lost, f"it diverged in epoch {first}, but {name} has a value from there on")


def _check_test_figure(figures: Mapping[str, Any]) -> None:
    """A finished result was tested: a classifier's accuracy, or the figure of a ranking."""
    is_tested = any(figure not in (None, [], [None], (), (None,)) for figure in figures.values())
    _require(is_tested, f"it finished, but has no {' and no '.join(figures)} at the last epoch")


def _check_figures(row: Mapping[str, Any]) -> None:
    """Figures are finite, fractions in [0, 1], and the best is no worse than the last."""
    for name in FIGURE_NAMES:
        if (value := row.get(name)) is not None:
            is_sound = _is_fraction if name in FRACTION_FIGURES else math.isfinite
            _require(is_sound(value), f"its last or best {name} is {value}")
    if row["outcome"] == Outcome.FINISHED:
        _check_test_figure({name: row.get(name) for name in TEST_FIGURES})
    last, best, epoch = (row.get(n) for n in ("test_accuracy", "best_test_accuracy", "best_epoch"))
    if best is not None and last is not None:
        _require(best >= last, f"its best test accuracy is {best}, its last {last}")
    if epoch is not None:
        is_there = 1 <= epoch <= row["num_epochs"]
        _require(is_there, f"its best epoch is {epoch} of {row['num_epochs']}")


def _first_unsound(values: Sequence[float | None], *, is_fraction: bool) -> float | None:
    """The first value that is not finite, or not in [0, 1] where it must be."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    # The sum is finite only if all values are; a rare overflow is sorted out below.
    if math.isfinite(sum(present)) and (not is_fraction or _are_fractions(present)):
        return None
    is_sound = _is_fraction if is_fraction else math.isfinite
    return next((value for value in present if not is_sound(value)), None)


def _are_fractions(values: Sequence[float]) -> bool:
    return _is_fraction(min(values)) and _is_fraction(max(values))


def _object(row: Mapping[str, Any], name: str) -> Any:
    """The JSON object in a column, None if the column is empty."""
    if (text := row.get(name)) is None:
        return None
    value = _parsed(name, text)
    _require(isinstance(value, dict), f"{name} is not a JSON object")
    if name == "revisions":
        are_numbers = all(isinstance(number, int) for number in value.values())
        _require(are_numbers, "revisions has an entry that is no whole number")
    return value


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _ContradictionError(f"{name} is not JSON ({error})") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A field that is said twice has one value for one reader and another for the next."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is said twice")
    return fields


def _moment(value: Any) -> datetime:
    """A time, or its microseconds in UTC, as many rows are read without the zone."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=value)


def _name(choice: Any) -> Any:
    return choice.get("name") if isinstance(choice, Mapping) else choice


def _parameters(choice: Any) -> dict[str, Any]:
    fields = choice if isinstance(choice, Mapping) else {}
    return {name: value for name, value in fields.items() if name != "name"}


def _includes(whole: Any, part: Any) -> bool:
    """Whether `whole` says all that `part` does; an object may say more."""
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(
            name in whole and _includes(whole[name], value) for name, value in part.items()
        )
    if isinstance(part, list):
        is_alike = isinstance(whole, list) and len(whole) == len(part)
        return is_alike and all(map(_includes, whole, part))
    return _is_same(whole, part)


def _agree(claim: str, said: Any, column: str, value: Any) -> None:
    _require(_is_same(said, value), f"{claim} {_show(said)}, {column} {_show(value)}")


def _is_same(one: Any, other: Any) -> bool:
    """Equal, where 1 and 1.0 are but 1 and true are not."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_at_least(value: float, least: float) -> bool:
    return math.isfinite(value) and value >= least


def _is_fraction(value: float) -> bool:
    return 0 <= value <= 1 + ROUNDING


def _show(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _require(is_so: bool, problem: str) -> None:
    if not is_so:
        raise _ContradictionError(problem)
