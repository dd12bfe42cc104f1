"""Which entries of a column are bold."""

import pytest

from storage.reporting.bold import Group, bold_keys

CLOSE = {
    "A": {0: 0.90, 1: 0.91, 2: 0.92},
    "B": {0: 0.91, 1: 0.90, 2: 0.91},
    "C": {0: 0.50, 1: 0.51, 2: 0.52},
}


def test_all_not_told_from_the_best_are_bold():
    assert bold_keys(Group(CLOSE, True), "paired", 0.05).keys == {"A", "B"}


def test_max_takes_the_best_mean_alone():
    assert bold_keys(Group(CLOSE, True), "max", 0.05).keys == {"A"}


def test_lower_may_be_better():
    assert bold_keys(Group(CLOSE, False), "max", 0.05).keys == {"C"}
    assert bold_keys(Group(CLOSE, False), "paired", 0.05).keys == {"C"}


def test_equal_means_are_bold_together_under_every_rule():
    same = {"A": {0: 0.5, 1: 0.7}, "B": {0: 0.5, 1: 0.7}}
    assert bold_keys(Group(same, True), "max", 0.05).keys == {"A", "B"}
    assert bold_keys(Group(same, True), "paired", 0.05).keys == {"A", "B"}


def test_pairing_finds_what_separate_means_would_not():
    """The spread over seeds is 50 times the difference, which is the same for every seed."""
    shared = {0: 0.1, 1: 0.5, 2: 0.9}
    better = {seed: value + 0.01 + 0.0001 * seed for seed, value in shared.items()}
    assert bold_keys(Group({"A": shared, "B": better}, True), "paired", 0.05).keys == {"B"}


def test_holm_corrects_for_the_number_of_competitors():
    """What one test tells apart at 5 %, six tests at a family-wise 5 % do not."""
    best = {0: 1.0, 1: 1.0, 2: 1.0}
    worse = {0: 0.9, 1: 0.93, 2: 0.96}  # differences 0.1, 0.07, 0.04: t = 4.04, p = 0.056
    lower = {0: 0.9, 1: 0.93, 2: 0.92}  # differences 0.1, 0.07, 0.08: t = 9.4, p = 0.011
    alone = bold_keys(Group({"best": best, "x": lower}, True), "paired", 0.05)
    assert alone.keys == {"best"}
    many = {"best": best, "x": lower, **{f"w{i}": worse for i in range(5)}}
    assert "x" in bold_keys(Group(many, True), "paired", 0.05).keys


def test_without_two_shared_seeds_only_the_best_is_bold_and_it_is_said():
    verdict = bold_keys(Group({"A": {0: 0.5}, "B": {0: 0.4999}}, True), "paired", 0.05)
    assert verdict.keys == {"A"}
    assert verdict.is_untested


def test_no_rule_and_no_competition_mean_no_bold():
    assert bold_keys(Group(CLOSE, True), "none", 0.05).keys == frozenset()
    assert bold_keys(Group({"A": {0: 1.0, 1: 2.0}}, True), "paired", 0.05).keys == frozenset()
    assert bold_keys(Group({}, True), "max", 0.05).keys == frozenset()


UNEQUAL = {
    "A": {0: 0.50, 1: 0.51, 2: 0.95},  # leads on all its seeds
    "B": {0: 0.60, 1: 0.61, 3: 0.10},  # leads on the shared ones, by the same distance
}


@pytest.mark.parametrize("rule", ["paired", "max"])
def test_leader_and_test_stand_on_the_shared_seeds(rule):
    group = Group(UNEQUAL, True)
    assert bold_keys(group, rule, 0.05).keys == {"B"}
    assert (group.seeds, group.has_unequal_seeds) == ((0, 1), True)
    assert bold_keys(Group(UNEQUAL, False), rule, 0.05).keys == {"A"}


@pytest.mark.parametrize("rule", ["paired", "max"])
def test_without_any_shared_seed_nothing_is_bold(rule):
    apart = {"A": {0: 0.5, 1: 0.6}, "B": {2: 0.7, 3: 0.8}}
    verdict = bold_keys(Group(apart, True), rule, 0.05)
    assert verdict.keys == frozenset()
    assert verdict.is_untested == (rule == "paired")


@pytest.mark.parametrize("rule", ["paired", "max"])
def test_a_barred_competitor_can_be_beaten_but_neither_wins_nor_ties(rule):
    numbers = {"A": {0: 0.74, 1: 0.75}, "noisy": {0: 0.1, 1: 0.9}, "lucky": {0: 0.99, 1: 0.99}}
    group = Group(numbers, True, barred=frozenset({"noisy", "lucky"}))
    verdict = bold_keys(group, rule, 0.05)
    assert verdict.keys == {"A"}
    assert not verdict.is_untested
    everyone = Group(numbers, True, barred=frozenset(numbers))
    assert bold_keys(everyone, rule, 0.05).keys == frozenset()


def test_a_barred_competitor_neither_takes_seeds_away_nor_costs_significance():
    numbers = {"A": {0: 0.74, 1: 0.75, 2: 0.76}, "B": {0: 0.5, 1: 0.52, 2: 0.51}}
    alone = bold_keys(Group(numbers, True), "paired", 0.01)
    crowd = {f"c{i}": {7: 0.1} for i in range(9)}
    group = Group({**numbers, **crowd}, True, barred=frozenset(crowd))
    assert bold_keys(group, "paired", 0.01) == alone
    assert alone.keys == {"A"}
