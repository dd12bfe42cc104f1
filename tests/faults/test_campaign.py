"""A quick form of `campaign.py`, and proof that its verdict can be a bad one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.faults.campaign import Account, Campaign, Verdict, all_modes

pytestmark = pytest.mark.slow

SMALL: dict[str, Any] = {"seeds": 1, "images": 1000, "epochs": 12, "workers": 1}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Curves of the small study without blows."""
    return Campaign(tmp_path_factory.mktemp("quiet"), seed=0, **SMALL).undisturbed()


def test_no_result_is_lost_changed_or_trained_again(quiet: dict[str, str], tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, seed=1, quiet=quiet, is_patient=True, **SMALL)
    verdict = campaign.run([("gcs", "KILL"), ("driver", "KILL")])
    assert verdict.is_sound, verdict.text()
    assert verdict.blows.total() == 2
    assert verdict.landed > 0
    # Whether a blow falls after a checkpoint is up to the machine; the long form asks for it.
    assert verdict.replaced > 0 or verdict.resumed > 0
    assert verdict.cells >= len(quiet) == 4


def test_a_launch_that_loses_results_is_found_out(quiet: dict[str, str], tmp_path: Path) -> None:
    """The next launch trains them again, to the same numbers; only the account can tell."""
    campaign = Campaign(
        tmp_path,
        seed=2,
        quiet=quiet,
        is_patient=True,
        before_relaunch=lambda store: shutil.rmtree(store, ignore_errors=True),
        **SMALL,
    )
    verdict = campaign.run([("driver", "KILL")])
    assert not verdict.is_sound
    assert {"lost", "changed", "trained again"} & verdict.harm.keys()
    assert not {"missing", "differing", "doubled"} & verdict.harm.keys()


def test_every_mode_comes_up_before_any_comes_twice() -> None:
    modes = all_modes(80, seed=0)
    assert len(set(modes[:40])) == 40
    assert sorted(modes[:40]) == sorted(modes[40:])


def test_each_kind_of_harm_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    landed = {"a": ("1", "x"), "b": ("2", "y")}
    monkeypatch.setattr("tests.faults.campaign.results", lambda _: landed)
    account = Account(tmp_path / "store", verdict := Verdict())
    account.look()
    assert verdict.is_sound
    landed = {"a": ("3", "x")}
    account.events.write_text(
        '{"time": "2099-01-01T00:00:00+00:00", "event": "advanced", "key": "a", "epoch": 1}\n'
    )
    account.look()
    assert set(verdict.harm) == {"lost", "changed", "trained again"}
