"""A tiny study, a store and plug-ins, run as a launch runs them but without Ray."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from orchestrator.cluster.trial import run_cells
from orchestrator.plan.expectations import Expectations
from orchestrator.plan.open import PlannedStudy, open_study, plan_study
from orchestrator.plan.plan import Plan
from orchestrator.plan.provenance import CodeVersion, package_versions
from orchestrator.plan.records import pick_records, study_record
from orchestrator.sweep.attempt import LaunchSettings, Task
from storage import Store
from storage.landing import Landing, land_picks, land_study
from trainables.components import REGISTRIES

CODE = CodeVersion("abc", False)

STUDY = """
study: tiny
title: Tiny
cell:
  dataset: {name: synthetic, like: mnist, images: 64}
  architecture: {name: mlp, hidden: [4]}
  learning_rate: 0.1
  batch_size: 32
  epochs: 1
"""

needs_editions = pytest.mark.skipif(
    "edition" not in {item.name for item in fields(Landing)},
    reason="a second result of a cell cannot land yet",
)


@dataclass(frozen=True)
class Bench:
    """A folder to work in.

    Args:
        folder: current folder; plug-ins and studies lie there.
        store: root of the store.
        edited: modules of the project that count as edited.
        is_smoke: launch studies in their smoke form.
    """

    folder: Path
    store: Path
    edited: frozenset[str] = frozenset()
    is_smoke: bool = False

    def write(self, text: str, name: str = "tiny.yaml") -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def fresh(self) -> None:
        """As in a new process: plug-ins are imported anew."""
        for name, module in list(sys.modules.items()):
            if str(self.folder.parent) in str(getattr(module, "__file__", "")):
                del sys.modules[name]
        for registry in REGISTRIES.values():
            for name, one in list(registry._components.items()):
                if not all(module.startswith("trainables.") for module in one.modules):
                    del registry._components[name]
        importlib.invalidate_caches()

    def planned(self, study: Path, *overrides: str) -> PlannedStudy:
        """The study against the store, in a new process."""
        self.fresh()
        opened = open_study(study, overrides, smoke=self.is_smoke)
        return plan_study(opened, Store(self.store), Expectations(self.folder, self.edited))

    def plan(self, study: Path, *overrides: str) -> Plan:
        return self.planned(study, *overrides).plan

    def standings(self, study: Path, *overrides: str) -> dict[str, int]:
        """Standing → number of cells."""
        counts = self.plan(study, *overrides).counts()
        return {word.value: count for word, count in counts.items()}

    def reasons(self, study: Path, *overrides: str) -> set[str]:
        return {verdict.reason for _, verdict in self.plan(study, *overrides).entries}

    def launch(self, study: Path, *overrides: str) -> Plan:
        """Record the study and run what is due in it, phase after phase."""
        while (found := self.planned(study, *overrides)).plan.due:
            self._record(study, overrides, found)
            for cell in found.plan.due:
                task = Task(
                    cell.key,
                    cell.base_key,
                    cell.identity,
                    cell.revisions,
                    cell.config.to_dict(),
                    found.plan.editions.get(cell.key, 0),
                )
                (ended,) = run_cells([task], self._settings(found.plan.planned[0].study))
                assert ended.outcome in ("finished", "diverged"), ended.error_trace
                assert not ended.conflicts
        self._record(study, overrides, found)
        return found.plan

    def _record(self, study: Path, overrides: tuple[str, ...], found: PlannedStudy) -> None:
        opened = open_study(study, overrides, smoke=self.is_smoke)
        record = study_record(opened, found.plan.planned, "launch", CODE)
        land_study(self.store, record)
        land_picks(self.store, record.name, pick_records(opened.study, found.picks))

    def _settings(self, study: str) -> LaunchSettings:
        return LaunchSettings(
            store=str(self.store),
            data_root=str(self.folder),
            study=study,
            launch="launch",
            threads=1,
            device="cpu",
            checkpoint_seconds=60,
            code_version=CODE.commit,
            code_dirty=CODE.is_dirty,
            packages=package_versions(),
            drain_file=str(self.folder / "drain"),
            edited=tuple(sorted(self.edited)),
        )
