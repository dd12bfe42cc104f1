"""A row that cannot be true is refused at every door, with the reason."""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from storage import integrity
from storage.attempt import Attempt
from storage.checking.content import ContentError, as_row, facts_problem, problem_of
from storage.landing import attempt_table, has_result, land_attempt
from storage.layout import failure_path, result_path
from storage.merging import merge
from storage.reading import stack
from storage.schema import Outcome, attempt_schema
from storage.segments import compaction
from storage.segments.compaction import compact, mend
from storage.segments.files import switch_current
from storage.store import Store
from tests.storage.conftest import attempt_of, config_of, failure_of

IDENTITY = {
    "architecture": {"name": "mlp"},
    "dataset": {"name": "fashion-mnist"},
    "epochs": 3,
    "learning_rate": 0.1,
    "loss": {"name": "gce"},
    "noise": {"name": "symmetric", "rate": 0.4},
    "seed": 2,
}


def sound(**changes: Any) -> Attempt:
    """A result whose key is that of its identity."""
    text = json.dumps(IDENTITY, sort_keys=True, separators=(",", ":"))
    key = hashlib.sha256(text.encode()).hexdigest()
    return attempt_of(2, **{"key": key, "identity": text} | changes)


def with_curve(name: str, *values: Any) -> Attempt:
    return sound(curves={**sound().curves, name: values})


def with_config(**changes: Any) -> Attempt:
    """The configuration says something else than the columns; a None takes the field away."""
    config = {**config_of(vars(sound())), **changes}
    return sound(config=json.dumps(config, sort_keys=True))


def one_epoch() -> Attempt:
    return sound(curves={name: values[:1] for name, values in sound().curves.items()})


def untested(test_accuracy: tuple[None, ...] = (None, None, None)) -> Attempt:
    nothing = {"test_accuracy": test_accuracy, "test_cmc1": (None, None, None)}
    return sound(curves={**sound().curves, **nothing})


def diverged(**changes: Any) -> Attempt:
    """As a run lands that diverged in the second of three epochs."""
    losses = {"train_loss": (1.0, None, None), "test_loss": (1.0, None, None)}
    return sound(
        outcome="diverged", diverged_epoch=2, curves={**sound().curves, **losses}, **changes
    )


def ranked() -> Attempt:
    """A retrieval result: ranked after the last epoch alone, without a test accuracy."""
    figures = {"test_cmc1": (None, None, 0.5), "test_map": (None, None, 0.4)}
    names = ("test_accuracy", "test_top5_accuracy", "test_loss")
    nothing = dict.fromkeys(names, (None, None, None))
    return sound(curves={**sound().curves, **nothing, **figures})


def of_another_cell() -> Attempt:
    """Configuration and columns agree with each other, but the key is of another loss."""
    fields = {**vars(sound()), "loss": "mae"}
    return sound(loss="mae", config=json.dumps(config_of(fields), sort_keys=True))


UNTESTED = "it finished, but has no test_accuracy and no test_cmc1 at the last epoch"

FORGED = {
    "an accuracy of 42": (with_curve("test_accuracy", 0.1, 0.2, 42.0), "test_accuracy has the"),
    "a negative accuracy": (with_curve("test_accuracy", 0.1, -0.2, 0.3), "test_accuracy has the"),
    "one epoch of three": (one_epoch(), "its curves have 1 of 3 epochs"),
    "epochs that skip": (with_curve("epoch", 1, 3, 4), "epoch is not 1 to 3"),
    "a short curve": (with_curve("test_loss", 1.0), "test_loss has 1 values in 3 epochs"),
    "no curves": (sound(curves={}), "its curves have 0 of 3 epochs"),
    "a loss that is NaN": (with_curve("train_loss", 1.0, math.nan, 1.0), "train_loss has the"),
    "an infinite loss": (with_curve("test_loss", 1.0, math.inf, 1.0), "test_loss has the"),
    "a key of another cell": (sound(key="0" * 64), "key is not the digest of identity"),
    "a configuration of another cell": (of_another_cell(), "identity says loss"),
    "another seed in the configuration": (with_config(seed=3), "config says seed 3, seed 2"),
    "another rate in the column": (replace(sound(), noise_rate=0.2), "config says noise rate 0.4"),
    "another loss in the column": (
        replace(sound(), loss="ce"),
        'config says loss "gce", loss "ce"',
    ),
    "another batch size": (with_config(batch_size=64), "config says batch_size 64"),
    "other parameters of the loss": (
        replace(sound(), loss_parameters='{"q": 1}'),
        "loss_parameters",
    ),
    "a configuration that is no JSON": (sound(config="{seed: 2}"), "config is not JSON"),
    "a configuration that is no object": (sound(config="[1]"), "config is not a JSON object"),
    "a field said twice": (sound(config='{"seed": 2, "seed": 2}'), "a field is said twice"),
    "NaN in JSON": (sound(packages='{"torch": NaN}'), "packages is not JSON"),
    "revisions of another cell": (sound(revisions='{"loss": 2}'), "identity says revisions"),
    "revisions that are no numbers": (sound(revisions='{"loss": "1"}'), "no whole number"),
    "sources that are no JSON": (sound(sources="my_loss.py"), "sources is not JSON"),
    "a matrix of another size": (sound(transition_matrix="[[1.0]]"), "is not 10 × 10"),
    "a share of 2": (sound(num_classes=1, transition_matrix="[[2.0]]"), "not in [0, 1]"),
    "a noise rate of 2": (sound(realized_noise_rate=2.0), "realized_noise_rate is 2.0"),
    "negative seconds": (sound(seconds=-1.0), "seconds is -1.0, below 0"),
    "a negative edition": (sound(edition=-1), "edition is -1, below 0"),
    "diverged without an epoch": (sound(outcome="diverged", diverged_epoch=None), "it diverged"),
    "diverged too late": (sound(outcome="diverged", diverged_epoch=4), "it diverged"),
    "finished and diverged": (sound(diverged_epoch=2), "outcome is finished, but diverged_epoch"),
    "a result of the year 2999": (
        sound(committed_at=datetime(2999, 1, 1, tzinfo=UTC)),
        "committed_at is in the future, on 2999-01-01",
    ),
    "a start of the year 2999": (
        sound(started_at=datetime(2999, 1, 1, tzinfo=UTC)),
        "started_at is in the future, on 2999-01-01",
    ),
    "finished without a test accuracy": (
        untested(),
        UNTESTED,
    ),
    "finished with an empty test accuracy": (
        untested(()),
        UNTESTED,
    ),
    "finished with a loss that got lost": (
        with_curve("train_loss", 1.0, None, 1.0),
        "it finished, but train_loss has no value in epoch 2",
    ),
    "diverged with whole curves": (
        sound(outcome="diverged", diverged_epoch=2),
        "it diverged in epoch 2, but train_loss has a value from there on",
    ),
    "diverged with a test loss": (
        sound(
            outcome="diverged",
            diverged_epoch=2,
            curves={**sound().curves, "train_loss": (1.0, None, None)},
        ),
        "it diverged in epoch 2, but test_loss has a value from there on",
    ),
    "an unknown outcome": (sound(outcome="great"), "outcome is 'great'"),
    "a failure with curves": (
        replace(failure_of(2), curves=sound().curves),
        "it failed, but has curves",
    ),
}


@pytest.fixture(params=FORGED.values(), ids=FORGED)
def forged(request: pytest.FixtureRequest) -> tuple[Attempt, str]:
    return request.param


def put_loose(root: Path, *attempts: Attempt) -> None:
    """Write files with sound digests past the door."""
    for one in attempts:
        if one.outcome == Outcome.FAILED:
            path = failure_path(root, one.key, one.attempt)
        else:
            path = result_path(root, one.key, max(one.edition, 0))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(integrity.encode(attempt_table(one)))


def put_compacted(root: Path, attempts: Iterable[Attempt], **figures: Any) -> None:
    """Write a segment with sound digests past the door, with other figures in the last row."""
    landed = compaction._landed(stack(map(attempt_table, attempts), attempt_schema()))
    rows = landed.attempts.to_pylist()
    rows[-1] |= figures
    forged = pa.Table.from_pylist(rows, schema=landed.attempts.schema)
    (root / "segments").mkdir(parents=True)
    switch_current(root, [compaction._write(root, [compaction._Rows(forged, landed.curves)])])


def test_sound_rows_pass():
    for one in (sound(), attempt_of(0), failure_of(1), attempt_of(2, outcome="diverged")):
        assert problem_of(as_row(one)) is None


@pytest.mark.parametrize("make", [diverged, ranked, lambda: with_curve("train_loss", 1, 1e308, 1)])
@pytest.mark.parametrize("num_beside", [1, 300])
def test_what_a_run_can_produce_is_served(root, beside, num_beside, make):
    tomorrow = datetime.now(UTC) + timedelta(hours=20)
    one = replace(make(), committed_at=tomorrow)
    assert problem_of(as_row(one)) is None
    put_compacted(root, [*beside[:num_beside], one])
    assert Store(root).verify() == ()
    assert Store(root).rows("select count(*) from attempts") == [(num_beside + 1,)]


def test_a_forged_row_does_not_land(root, forged):
    attempt, problem = forged
    assert problem in (problem_of(as_row(attempt)) or "")
    with pytest.raises(ContentError, match=attempt.key[:12]) as refusal:
        land_attempt(root, attempt)
    assert problem in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not root.exists()


def test_a_forged_file_is_not_served(root, forged):
    attempt, _ = forged
    put_loose(root, attempt_of(0), attempt)
    store = Store(root, read_only=True)
    assert store.rows("select key from attempts") == [(attempt_of(0).key,)]
    (damage,) = store.damaged
    assert attempt.key in damage.path.name


@pytest.mark.parametrize("num_beside", [1, 300])
def test_a_forged_row_of_a_segment_is_not_served(root, forged, num_beside, beside):
    """Few rows are judged one by one, many are screened by a query first."""
    attempt, problem = forged
    put_compacted(root, [*beside[:num_beside], attempt])
    store = Store(root)
    curves = store.rows("select count(distinct key) from epochs")[0][0]
    damaged = store.verify()
    reasons = " ".join(one.reason for one in damaged)
    by_figures = [one in reasons for one in ("its last or best test_accuracy is 42.0", UNTESTED)]
    is_shown = facts_problem(as_row(attempt)) is None and "its last or best" not in reasons
    is_shown = is_shown and not any(by_figures)
    assert problem in reasons or any(by_figures)
    assert attempt.key[:12] in reasons
    assert curves == num_beside
    served = store.rows("select count(*) from attempts")[0][0]
    assert served == num_beside + is_shown


@pytest.mark.parametrize(
    "figures",
    [
        {"best_test_accuracy": 42.0},
        {"test_accuracy": -0.5},
        {"train_loss": math.nan},
        {"test_loss": math.inf},
        {"best_epoch": 0},
        {"best_epoch": 4},
        {"best_test_accuracy": 0.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("num_beside", [1, 300])
def test_figures_that_cannot_be_true_are_not_served(root, beside, figures, num_beside):
    put_compacted(root, [*beside[:num_beside], sound()], **figures)
    store = Store(root)
    (damage,) = store.damaged
    assert sound().key[:12] in damage.reason
    assert store.rows("select count(*) from attempts") == [(num_beside,)]
    assert not has_result(root, sound().key)


@pytest.mark.parametrize(
    ("name", "value"),
    [("test_accuracy", 0.0), ("best_test_accuracy", 1.0), ("best_epoch", 1), ("test_loss", None)],
)
def test_figures_that_are_not_those_of_the_curves_are_told_and_set_aside(root, name, value):
    truth = sound(curves={**sound().curves, "test_accuracy": (0.1, 0.3, 0.2)})
    put_compacted(root, [attempt_of(0), truth], **{name: value})
    (damage,) = Store(root).verify()
    assert f"{name} is {value}, by its curve" in damage.reason
    assert truth.key[:12] in damage.reason
    mend(root)
    assert Store(root).verify() == ()
    assert Store(root).rows("select loss from cells") == [("ce",)]
    assert not has_result(root, truth.key)
    assert land_attempt(root, truth).is_new


def test_a_result_with_curves_of_one_epoch_is_set_aside(root):
    put_compacted(root, [attempt_of(0), one_epoch()])
    assert "its curves have 1 of 3 epochs" in Store(root).verify()[0].reason
    mend(root)
    assert Store(root).verify() == ()
    assert Store(root).rows("select loss from cells") == [("ce",)]


@pytest.fixture(scope="module")
def beside() -> list[Attempt]:
    return [attempt_of(100 + index, epochs=1) for index in range(300)]


def test_mending_sets_a_forged_row_aside_and_its_cell_runs_again(root):
    bad = replace(of_another_cell(), attempt="forged")
    put_compacted(root, [attempt_of(0), bad])
    assert not has_result(root, bad.key)
    assert land_attempt(root, sound()).is_new
    mend(root)
    store = Store(root)
    assert store.damaged == ()
    assert sorted(store.rows("select loss from cells")) == [("ce",), ("gce",)]
    assert len(list((root / "quarantine").iterdir())) == 3


def test_a_forged_file_makes_way_for_the_result(root):
    put_loose(root, of_another_cell())
    assert land_attempt(root, sound()).is_new
    assert Store(root).rows("select loss from cells") == [("gce",)]
    assert len(list((root / "quarantine").iterdir())) == 1


def test_a_forged_row_of_another_store_is_not_merged(root, tmp_path):
    other = tmp_path / "other"
    put_loose(other, attempt_of(0), sound(seconds=-1.0))
    put_compacted(other, [attempt_of(1), with_curve("test_accuracy", 0.1, 0.2, 42.0)])
    done = merge(root, [other])
    assert done.num_new == 2
    assert len({*(one.what for one in done.refused), *(one.path for one in done.damaged)}) > 1
    found = Store(root)
    assert found.rows("select count(*), min(seconds) from cells") == [(2, 30.0)]


def test_a_key_is_compared_with_what_the_caller_knows():
    row = as_row(attempt_of(0))
    assert problem_of(row, lambda config, revisions: row["key"]) is None
    assert problem_of(row, lambda config, revisions: None) is None
    found = problem_of(row, lambda config, revisions: f"{config['seed']}{revisions}")
    assert found == "key is not that of its configuration"


def test_moved_revisions_stand_in_the_identity(root, beside):
    text = json.dumps({**IDENTITY, "revisions": {"loss": 2}}, sort_keys=True, separators=(",", ":"))
    key = hashlib.sha256(text.encode()).hexdigest()
    moved = sound(key=key, identity=text, revisions='{"dataset": 1, "loss": 2}')
    assert problem_of(as_row(moved)) is None
    put_compacted(root, [*beside, moved])
    assert Store(root).damaged == ()


def test_a_refused_row_stays_where_a_newer_version_wrote_it(root, monkeypatch):
    monkeypatch.setattr("storage.landing.SCHEMA_VERSION", 1000)
    put_loose(root, sound(seconds=-1.0))
    store = Store(root)
    assert store.rows("select count(*) from cells") == [(0,)]
    assert store.damaged[0].path.exists()


def test_every_door_agrees_after_a_compaction(root):
    put_loose(root, attempt_of(0), replace(sound(), seconds=-1.0))
    compact(root)
    assert Store(root).damaged == ()
    assert Store(root).rows("select count(*) from cells") == [(1,)]
