"""After a shortage fewer trials run at once; when one is too many, it ends."""

from __future__ import annotations

from orchestrator.cluster.memory_pressure import LONGEST_PAUSE_SECONDS, MOST_ALONE, MemoryPressure


def test_half_as_many_after_each_shortage_down_to_one() -> None:
    pressure, seen = MemoryPressure(), []
    for _ in range(5):
        pressure.met(16, has_settled=False)
        seen.append(pressure.limit)
    assert seen == [8, 4, 2, 1, 1]


def test_the_limit_of_the_study_is_where_it_begins() -> None:
    pressure = MemoryPressure(6)
    pressure.met(16, has_settled=True)
    assert pressure.limit == 3


def test_pauses_grow_until_a_cell_ends() -> None:
    pressure = MemoryPressure()
    pauses = [pressure.met(64, has_settled=False) for _ in range(6)]
    assert pauses == [5, 10, 20, 40, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    assert pressure.met(64, has_settled=True) == 5


def test_one_trial_that_lacks_memory_again_and_again_is_hopeless() -> None:
    pressure = MemoryPressure(1)
    for _ in range(MOST_ALONE - 1):
        pressure.met(8, has_settled=False)
    assert not pressure.is_hopeless
    pressure.met(8, has_settled=True)
    assert not pressure.is_hopeless
    for _ in range(MOST_ALONE):
        pressure.met(8, has_settled=False)
    assert pressure.is_hopeless
