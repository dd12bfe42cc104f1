"""Replays: bit by bit, what differs and in what, and which code is accepted for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.inspection import replay as module
from orchestrator.inspection.replay import (
    Original,
    Replay,
    ReplayError,
    find_original,
    replay,
    replay_lines,
)
from storage import Store
from storage.records.decisions import Decision, land_decisions
from tests.orchestrator.bench import STUDY, Bench, needs_editions
from tests.orchestrator.plan.test_expectations import EDITED, LOSS, MINE
from trainables.registry import ComponentError

TWO_EPOCHS = MINE.replace("epochs: 1", "epochs: 2").replace("seeds: 2", "seeds: 1")
RENAMED = LOSS.replace("chosen", "picked")


def again(bench: Bench, epochs: int | None = None, wanted: str = "") -> Replay:
    bench.fresh()
    store = Store(bench.store)
    original = dataclasses.replace(find_original(store, wanted), num_threads=1)
    return replay(store, original, bench.folder, bench.edited, epochs)


@pytest.fixture
def launched(bench: Bench) -> Path:
    bench.write(LOSS, "my_loss.py")
    study = bench.write(TWO_EPOCHS)
    bench.launch(study)
    return study


@pytest.mark.parametrize("epochs", [None, 1, 2, 9])
def test_the_same_code_gives_the_same_bits(bench: Bench, launched: Path, epochs) -> None:
    found = again(bench, epochs)
    assert (found.differences, found.conditions, found.decisions()) == ((), (), [])
    assert found.num_epochs == (1 if epochs == 1 else 2)
    assert "  every number is equal to the bit" in replay_lines(found)


def test_a_renamed_variable_is_accepted_and_its_results_answer_again(
    bench: Bench, launched: Path
) -> None:
    bench.write(RENAMED, "my_loss.py")
    assert bench.standings(launched) == {"stale": 1}
    found = again(bench, 1)
    (decision,) = found.decisions()
    assert (decision.kind, decision.component) == ("accept", "loss my_loss")
    assert "gave the same numbers" in decision.reason
    assert any(
        "the code of loss my_loss as it is here stands" in line for line in replay_lines(found)
    )
    land_decisions(bench.store, [decision])
    assert bench.standings(launched) == {"done": 1}
    bench.write(LOSS, "my_loss.py")
    assert bench.standings(launched) == {"done": 1}
    bench.write(EDITED, "my_loss.py")
    assert bench.standings(launched) == {"stale": 1}


def test_a_chain_of_accepted_code_reaches_the_result(bench: Bench, launched: Path) -> None:
    for code in (RENAMED, RENAMED.replace("picked", "taken")):
        bench.write(code, "my_loss.py")
        land_decisions(bench.store, again(bench, 1).decisions())
        assert bench.standings(launched) == {"done": 1}


def test_another_formula_is_refuted_with_the_size_of_it(bench: Bench, launched: Path) -> None:
    bench.write(EDITED, "my_loss.py")
    found = again(bench)
    assert found.is_refuted
    assert found.decisions() == []
    loss = next(one for one in found.differences if one.metric == "train_loss")
    assert loss.epoch == 1
    assert loss.then is not None and loss.now is not None and loss.largest is not None
    assert loss.largest >= abs(loss.now - loss.then) > 0.1
    assert any(
        line.startswith("  train_loss differs from epoch 1 on (") for line in replay_lines(found)
    )


def test_the_configuration_is_that_of_the_result(bench: Bench, launched: Path) -> None:
    """An edited default moves no replay, and the cell stays stale for it."""
    bench.write(LOSS.replace("p: float = 2.0", "p: float = 6.0"), "my_loss.py")
    found = again(bench)
    assert found.is_equal
    land_decisions(bench.store, found.decisions())
    assert bench.reasons(launched) == {"loss.p was 2.0, is 6.0"}


def test_a_component_that_is_gone_is_one_error(bench: Bench, launched: Path) -> None:
    (bench.folder / "my_loss.py").unlink()
    with pytest.raises(ComponentError, match="unknown loss 'my_loss'"):
        again(bench)


def test_a_diverged_run_replays_too(bench: Bench) -> None:
    bench.launch(bench.write(STUDY.replace("0.1", "1e30").replace("epochs: 1", "epochs: 3")
                             + "  loss: ce\nseeds: 1\n"))  # fmt: skip
    assert Store(bench.store).rows("select outcome from cells") == [("diverged",)]
    assert again(bench).is_equal


def test_a_run_that_diverges_now_is_not_equal(bench: Bench, launched: Path) -> None:
    bench.write(LOSS.replace("-chosen * self.p", "-chosen / 0"), "my_loss.py")
    assert not again(bench).is_equal


def test_keys_are_found_by_their_first_digits(bench: Bench) -> None:
    bench.launch(bench.write(STUDY + "  loss: ce\nseeds: 2\n"))
    store = Store(bench.store)
    key = store.rows("select min(key) from cells")[0][0]
    assert find_original(store, key[:12].upper()).key == key
    for name in (f"{key[:12]}.0", f"{key[:12]}@0"):
        assert find_original(store, name).key == key
    with pytest.raises(ReplayError, match="2 cells have a key that begins with"):
        find_original(store, "")
    with pytest.raises(ReplayError, match="no result of a cell whose key begins with xyz"):
        find_original(store, "xyz")
    with pytest.raises(ReplayError, match=f"cell {key[:16]} has no edition 7; there are 0"):
        find_original(store, f"{key[:12]}.7")


def test_a_result_that_is_to_be_made_anew_can_be_replayed(bench: Bench, launched: Path) -> None:
    original = find_original(Store(bench.store), "")
    when = datetime(2026, 1, 2, tzinfo=UTC)
    land_decisions(
        bench.store, [Decision("redo", original.key, original.attempt, "a bad node", when)]
    )
    assert again(bench, wanted=f"{original.key}.0").is_equal


@needs_editions
def test_each_edition_can_be_replayed(bench: Bench, launched: Path) -> None:
    bench.write(EDITED, "my_loss.py")
    bench.launch(launched)
    key = Store(bench.store).rows("select key from cells")[0][0]
    assert again(bench).original.edition == 1
    assert again(bench).is_equal
    assert again(bench, wanted=f"{key}.0").is_refuted
    bench.write(LOSS, "my_loss.py")
    found = again(bench, wanted=f"{key}.0")
    assert found.is_equal
    assert not again(bench).is_equal
    assert next(iter(replay_lines(again(bench)))).startswith(f"cell {key[:16]}.1 (my_loss on")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stack_size": 2}, "it was trained in a stack of 2, and alone here"),
        ({"num_threads": None}, "its number of threads is not recorded; one is used here"),
        ({"packages": '{"torch": "0.1"}'}, "torch was 0.1, is "),
        ({"train_data_sha256": "x"}, "the training data are not those of the result"),
        ({"test_data_sha256": "x"}, "the test data are not those of the result"),
    ],
)
def test_a_difference_under_other_conditions_refutes_nothing(
    bench: Bench, launched: Path, monkeypatch: pytest.MonkeyPatch, change, words: str
) -> None:
    bench.write(EDITED, "my_loss.py")
    bench.fresh()
    store = Store(bench.store)
    original: Original = dataclasses.replace(find_original(store, ""), **change)
    found = replay(store, original, bench.folder, frozenset(), 1)
    assert not found.is_equal
    assert not found.is_refuted
    lines = list(replay_lines(found))
    assert any(line.startswith(f"  {words}") for line in lines)
    assert lines[-1] == (
        "  this does not say that the code gives other numbers: it was computed otherwise"
    )


def test_without_its_device_it_is_not_trained(
    bench: Bench, launched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    store = Store(bench.store)
    original = dataclasses.replace(find_original(store, ""), device="NVIDIA H100")
    with pytest.raises(ReplayError, match="trained on NVIDIA H100, and here is no GPU"):
        replay(store, original, bench.folder, frozenset(), 1)


def test_code_that_was_not_recorded_is_not_accepted(bench: Bench, launched: Path) -> None:
    bench.write(RENAMED, "my_loss.py")
    bench.fresh()
    store = Store(bench.store)
    original = dataclasses.replace(find_original(store, ""), sources=None)
    assert replay(store, original, bench.folder, frozenset(), 1).decisions() == []


Differences = Callable[..., list[module.Difference]]


@pytest.mark.parametrize(
    ("then", "now", "epoch"),
    [
        ((0.5, 0.5), (0.5, 0.5), None),
        ((0.5, 0.25), (0.5, 0.5), 2),
        ((None, 0.5), (None, 0.5), None),
        ((None,), (0.5,), 1),
        ((float("nan"),), (float("nan"),), None),
        ((0.0,), (-0.0,), 1),
        ((0.1,), (0.1 + 2**-56,), 1),
    ],
)
def test_bits_are_compared(then, now, epoch: int | None) -> None:
    found = list(module._differences({"m": then}, [{"m": value} for value in now]))
    assert [one.epoch for one in found] == ([] if epoch is None else [epoch])
