"""The code and the data that results must answer to, here and now.

A study says what is run; this adds what it would be run with: the code of each component as it is
imported in this process, and the content of the data sets as they lie on this machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from orchestrator.study.cell import Cell, StudyCell
from storage.attempt import PlannedCell
from storage.standing.judgement import Known
from trainables import components
from trainables.config import Choice, TrainingConfig
from trainables.datasets import DatasetError
from trainables.datasets.content import ContentDigests, data_digests

_as_text = json.JSONEncoder(sort_keys=True).encode
"""One encoder for all cells: making one for each takes longer than the text."""


def sources_text(config: TrainingConfig, edited: frozenset[str]) -> str:
    """The code of a cell's components as the store keeps it."""
    found = {field: asdict(source) for field, source in components.sources(config, edited).items()}
    return _as_text(found)


class Expectations:
    """What results must answer to.

    Args:
        data_root: folder of the data sets.
        edited: modules of this project with changes that are not committed.
        of_all_data: look at every data set, as a launch does, which will need them all; otherwise
            at those only that a result can be compared with.
        only_remembered: decode no data set; those whose digests are not remembered are unknown.
    """

    def __init__(
        self,
        data_root: Path,
        edited: frozenset[str],
        *,
        of_all_data: bool = False,
        only_remembered: bool = False,
    ) -> None:
        self._data_root, self._edited, self._of_all_data = data_root, edited, of_all_data
        self._only_remembered = only_remembered
        self._texts: dict[tuple[tuple[str, str], ...], tuple[str, str]] = {}
        self._shared: dict[tuple[int, ...], _Shared] = {}
        self._data: dict[Choice, ContentDigests | None] = {}

    def planned(
        self, study: str, cells: Sequence[StudyCell], known: Known
    ) -> tuple[PlannedCell, ...]:
        """The cells of a study as the store keeps them."""
        datasets = _all(cells) if self._of_all_data else _with_results(cells, known)
        data = {dataset: self._digests(dataset) for dataset in datasets}
        return tuple(self._planned(study, entry, data) for entry in cells)

    def _planned(
        self, study: str, entry: StudyCell, data: dict[Choice, ContentDigests | None]
    ) -> PlannedCell:
        cell = entry.cell
        shared = self._of_replicates(cell) if cell else None
        digests = data.get(cell.config.dataset) if cell else None
        return PlannedCell(
            study=study,
            phase=entry.phase,
            position=entry.position,
            key=cell.key if cell else None,
            base_key=cell.base_key if cell else None,
            seed=entry.seed,
            axes=entry.axes,
            config=shared.config_text(entry.seed) if shared else None,
            skipped=entry.skipped,
            revisions=shared.revisions if shared else None,
            sources=shared.sources if shared else None,
            train_data_sha256=digests.train if digests else None,
            test_data_sha256=digests.test if digests else None,
        )

    def _of_replicates(self, cell: Cell) -> _Shared:
        """Made once for all cells that differ in their seed alone."""
        # By identity, since equal values may have other texts (1, 1.0 and true).
        others = [value for name, value in vars(cell.config).items() if name != "seed"]
        key = tuple(map(id, others))
        if key not in self._shared:
            self._shared[key] = _Shared(cell.config, *self._revisions_and_sources(cell))
        return self._shared[key]

    def _revisions_and_sources(self, cell: Cell) -> tuple[str, str]:
        """Made once for all cells with the same components."""
        names = tuple((field, one.name) for field, one in components.choices(cell.config).items())
        if names not in self._texts:
            revisions = _as_text(dict(cell.revisions))
            self._texts[names] = revisions, sources_text(cell.config, self._edited)
        return self._texts[names]

    def _digests(self, dataset: Choice) -> ContentDigests | None:
        """None where the data are not on this machine, or not as they should be."""
        if dataset not in self._data:
            try:
                self._data[dataset] = data_digests(
                    dataset, self._data_root, only_remembered=self._only_remembered
                )
            except (DatasetError, OSError):
                self._data[dataset] = None
        return self._data[dataset]


class _Shared:
    """What cells say that differ in their seed alone.

    Args:
        config: of one of them; kept, so that its values keep their identity.
        revisions, sources: of their components, as the store keeps them.
    """

    def __init__(self, config: TrainingConfig, revisions: str, sources: str) -> None:
        self._config, self.revisions, self.sources = config, revisions, sources
        fields = sorted(config.to_dict().items())
        parts = [(name, _as_text({name: value})[1:-1]) for name, value in fields]
        self._before = "".join(f"{part}, " for name, part in parts if name < "seed")
        self._after = "".join(f", {part}" for name, part in parts if name > "seed")

    def config_text(self, seed: int) -> str:
        """The configuration of one seed, as `_as_text` would write it."""
        return f'{{{self._before}"seed": {seed}{self._after}}}'


def _all(cells: Iterable[StudyCell]) -> set[Choice]:
    return {entry.cell.config.dataset for entry in cells if entry.cell}


def _with_results(cells: Iterable[StudyCell], known: Known) -> set[Choice]:
    """Data sets of cells with a result that says what its data were."""
    return {
        entry.cell.config.dataset
        for entry in cells
        if entry.cell
        and any(r.train_data_sha256 is not None for r in known.results.get(entry.cell.key, ()))
    }
