"""The report's statistics against scipy and against hand calculation."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from storage.reporting.statistics import (
    agreement,
    combined_error,
    holm,
    mean,
    paired_t_test,
    regularized_incomplete_beta,
    smallest_detectable,
    standard_error,
    student_t_quantile,
    student_t_two_sided,
    z_score,
)

numbers = st.floats(-1e3, 1e3)
modest = settings(deadline=None, max_examples=100)


def test_mean_and_sem_by_hand():
    assert mean([1.0, 2.0, 6.0]) == 3.0
    # s² = (4 + 1 + 9) / 2 = 7
    assert standard_error([1.0, 2.0, 6.0]) == pytest.approx(math.sqrt(7 / 3))


def test_nothing_is_claimed_from_too_few_values():
    assert mean([]) is None
    assert standard_error([]) is None
    assert standard_error([0.7]) is None


@modest
@given(st.lists(numbers, min_size=2, max_size=10))
def test_sem_equals_scipy(values):
    stats = pytest.importorskip("scipy.stats")
    assert standard_error(values) == pytest.approx(float(stats.sem(values)), abs=1e-9)


@pytest.mark.parametrize("degrees_of_freedom", [1, 2, 4, 9, 30, 200])
@pytest.mark.parametrize("t", [0.0, 1e-9, 0.01, 0.5, 1.0, 2.776, 12.7, 100.0, 1e6])
def test_student_t_tail_equals_scipy(t, degrees_of_freedom):
    stats = pytest.importorskip("scipy.stats")
    expected = 2 * float(stats.t.sf(t, degrees_of_freedom))
    assert student_t_two_sided(t, degrees_of_freedom) == pytest.approx(expected, rel=1e-9)
    assert student_t_two_sided(-t, degrees_of_freedom) == student_t_two_sided(t, degrees_of_freedom)


@modest
@given(st.floats(0.05, 200), st.floats(0.05, 200), st.floats(0, 1))
def test_incomplete_beta_equals_scipy(a, b, x):
    special = pytest.importorskip("scipy.special")
    expected = float(special.betainc(a, b, x))
    assert regularized_incomplete_beta(a, b, x) == pytest.approx(expected, rel=1e-8, abs=1e-12)


@modest
@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=8))
def test_paired_t_test_equals_scipy(pairs):
    stats = pytest.importorskip("scipy.stats")
    differences = [a - b for a, b in pairs]
    # Where rounding is all the variance there is, neither answer means anything.
    assume(max(differences) - min(differences) > 1e-6 * max(1, *(abs(d) for d in differences)))
    ours = paired_t_test(dict(enumerate(a for a, _ in pairs)), dict(enumerate(b for _, b in pairs)))
    theirs = stats.ttest_1samp(differences, 0)
    assert ours.statistic == pytest.approx(float(theirs.statistic), rel=1e-6, abs=1e-9)
    assert ours.p_value == pytest.approx(float(theirs.pvalue), rel=1e-6, abs=1e-12)
    assert ours.degrees_of_freedom == len(pairs) - 1


def test_only_shared_seeds_are_paired():
    test = paired_t_test({0: 1.0, 1: 2.0, 2: 50.0}, {1: 1.0, 0: 0.5, 7: -3.0})
    assert test.degrees_of_freedom == 1
    assert test.difference == pytest.approx(0.75)


def test_one_shared_seed_is_no_test():
    assert paired_t_test({0: 1.0, 1: 2.0}, {1: 0.0, 2: 0.0}) is None


def test_identical_runs_are_not_told_apart():
    test = paired_t_test({0: 0.5, 1: 0.25}, {0: 0.5, 1: 0.25})
    assert (test.statistic, test.p_value) == (0.0, 1.0)


def test_a_constant_difference_is_told_apart():
    test = paired_t_test({0: 1.0, 1: 2.0}, {0: 0.5, 1: 1.5})
    assert (test.statistic, test.p_value) == (math.inf, 0.0)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([]) == ()


@modest
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.5))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values, alpha):
    rejected = set()
    for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] * (len(p_values) - step) > alpha:
            break
        rejected.add(index)
    assert {i for i, p in enumerate(holm(p_values)) if p <= alpha} == rejected


def test_combined_error_and_z():
    assert combined_error(3.0, 4.0) == 5.0
    assert combined_error(None, 4.0) is None
    assert z_score(10.0, 5.0) == 2.0
    assert z_score(10.0, None) is None
    assert z_score(10.0, 0.0) is None


def test_agreement_summarises_sizes():
    summary = agreement([1.0, -3.0, 0.5, -2.0])
    assert summary.count == 4
    assert summary.share_within_two == 0.75
    assert summary.median == 1.5
    assert summary.root_mean_square == pytest.approx(math.sqrt(14.25 / 4))
    assert agreement([]) is None


@pytest.mark.parametrize(("p", "nu"), [(0.05, 2), (0.4, 4), (0.001, 30), (0.99, 1)])
def test_quantile_of_student_t(p, nu):
    stats = pytest.importorskip("scipy.stats")
    assert student_t_quantile(p, nu) == pytest.approx(stats.t.isf(p / 2, nu), rel=1e-9)


def test_the_detectable_difference_is_found_four_times_in_five():
    stats = pytest.importorskip("scipy.stats")
    n, spread, alpha = 10, 2.0, 0.05
    difference = smallest_detectable(spread, n, alpha)
    shift = difference / spread * n**0.5
    critical = stats.t.isf(alpha / 2, n - 1)
    power = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
    assert power == pytest.approx(0.8, abs=0.03)
