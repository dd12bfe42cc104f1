"""Which number of a curve a table shows."""

import typing

import pytest

from storage.reporting.selection import METRIC_FACTS, select, selection_words
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
