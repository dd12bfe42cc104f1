"""Which number of a curve a table shows."""

import typing

import pytest

from storage.reporting.selection import (
    METRIC_FACTS,
    countable,
    picked_metric,
    select,
    selection_words,
)
from storage.reporting.spec import Metric, TableSpec

CURVE = [0.5, 0.75, 0.25]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (TableSpec(), 25.0),
        (TableSpec(select="best"), 75.0),
        (TableSpec(select="mean_of_last", last_k=2), 50.0),
        (TableSpec(value="test_loss"), 0.25),
        (TableSpec(value="test_loss", select="best"), 0.25),
        (TableSpec(value="memorization", select="best"), 25.0),
    ],
)
def test_rules(spec, expected):
    assert select(CURVE, spec) == pytest.approx(expected)


def test_an_undefined_epoch_is_not_averaged_away():
    assert select([0.5, None], TableSpec()) is None
    assert select([0.5, None, 0.5], TableSpec(select="mean_of_last", last_k=3)) is None
    assert select([0.5, None], TableSpec(select="best")) == 50.0
    assert select([None, None], TableSpec(select="best")) is None
    assert select([], TableSpec()) is None


def test_choosing_the_epoch_on_test_data_is_called_oracle():
    assert "oracle" in selection_words(TableSpec(select="best"))
    assert "oracle" not in selection_words(TableSpec(value="train_loss", select="best"))
    assert "oracle" not in selection_words(TableSpec())


def test_every_metric_that_a_table_may_show_is_described():
    assert set(METRIC_FACTS) == set(typing.get_args(Metric))


@pytest.mark.parametrize(
    "spec",
    [TableSpec(), TableSpec(select="best"), TableSpec(select="mean_of_last", last_k=3)],
    ids=lambda spec: spec.select,
)
def test_a_diverged_run_has_its_last_epoch_only(spec):
    curve = [0.9, 0.1, 0.1]
    assert select(countable(curve, is_diverged=True), spec) == pytest.approx(10.0)
    assert countable(curve, is_diverged=False) == curve
    undefined = spec.model_copy(update={"value": "test_loss"})
    assert select(countable([0.9, None, None], is_diverged=True), undefined) is None


def test_a_pick_says_its_metric_and_an_old_one_by_its_words(make_pick):
    assert picked_metric(make_pick(metric="train_loss")) == "train_loss"
    rule = "smallest mean over seeds of train_loss at the last epoch, selected on training data"
    assert picked_metric(make_pick(rule=rule)) == "train_loss"
    assert picked_metric(make_pick(metric="of_the_future")) is None
    assert picked_metric(make_pick(rule="no metric")) is None
