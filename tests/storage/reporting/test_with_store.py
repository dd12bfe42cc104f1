"""The report over a real store on disk."""

import json
from datetime import UTC, datetime

from storage.attempt import Attempt, PlannedCell, StudyRecord
from storage.landing import land_attempt, land_picks, land_study
from storage.reporting.render import RENDERERS
from storage.reporting.report import build_report
from storage.reporting.spec import TableSpec
from storage.schema import CURVES
from storage.store import Store

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def attempt(cell, accuracies, outcome="finished", **more):
    curves = {}
    if outcome != "failed":
        epochs = len(accuracies)
        curves = {column.name: [0.5] * epochs for column in CURVES}
        curves["epoch"] = list(range(1, epochs + 1))
        curves["test_accuracy"] = list(accuracies)
    return Attempt(
        key=cell.key,
        base_key=cell.base_key,
        attempt=f"try-{cell.position}",
        outcome=outcome,
        config="{}",
        revisions=json.dumps({"loss": 1}),
        dataset="fashion-mnist",
        noise="symmetric",
        noise_rate=0.4,
        architecture="mlp",
        loss=cell.axes["loss"],
        loss_parameters="{}",
        learning_rate=0.1,
        batch_size=128,
        num_epochs=len(accuracies) or 1,
        precision="fp32",
        seed=cell.seed,
        study="sweep",
        launch="launch-1",
        started_at=NOW,
        committed_at=NOW,
        host="host",
        device="cpu",
        code_version="1234abcd",
        code_dirty=False,
        packages="{}",
        num_classes=10,
        curves=curves,
        **more,
    )


def planned_cells(losses, num_seeds):
    return tuple(
        PlannedCell(
            study="sweep",
            phase="main",
            position=index * num_seeds + seed,
            key=f"{index * num_seeds + seed:064x}",
            base_key=f"{1000 + index * num_seeds + seed:064x}",
            seed=seed,
            axes={"loss": loss, "noise.rate": "0.4"},
            config="{}",
            skipped=None,
        )
        for index, loss in enumerate(losses)
        for seed in range(num_seeds)
    )


def filled_store(root, make_pick):
    planned = planned_cells(["CE", "MAE*"], 3)
    record = StudyRecord(
        name="sweep",
        title="A sweep",
        source_path="studies/sweep.yaml",
        source_sha256="ab" * 32,
        source_text="study: sweep",
        overrides=(),
        tables={"accuracy": TableSpec(), "best": TableSpec(select="best")},
        planned=planned,
        launch="launch-1",
        recorded_at=NOW,
        code_version="1234abcd",
    )
    land_study(root, record)
    land_picks(root, "sweep", [make_pick()])
    for cell, accuracy in zip(planned[:3], (0.91, 0.92, 0.93), strict=True):
        land_attempt(root, attempt(cell, [0.95, accuracy]))
    land_attempt(root, attempt(planned[3], [0.1], "diverged", diverged_epoch=1))
    land_attempt(root, attempt(planned[4], [0.5, 0.1]))
    land_attempt(
        root, attempt(planned[5], [], "failed", error_class="exception", error_message="boom")
    )
    return Store(root)


def test_a_report_drawn_from_files_on_disk(tmp_path, make_pick):
    report = build_report(filled_store(tmp_path, make_pick), "sweep", tmp_path)
    text = RENDERERS["markdown"](report)
    assert "| CE | 92.00 ± 0.58 |" in text
    assert "| MAE\\* | 10.00 ± 0.00 (2/3) †1 ≈1 ✗1 |" in text
    assert "| CE | 95.00 ± 0.00 |" in text
    assert "oracle" in text
    assert "| exception | boom |" in text
    assert "| search.best\\_rate | CE | learning\\_rate | 0.1 | 0.01 |" in text


def test_a_damaged_result_is_missing_and_said_to_be_damaged(tmp_path, make_pick):
    filled_store(tmp_path, make_pick).close()
    file = min((tmp_path / "attempts").glob("*.parquet"))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    report = build_report(Store(tmp_path), "sweep", tmp_path)
    assert len(report.damaged) == 1
    assert "(2/3)" in RENDERERS["markdown"](report)


def test_the_same_store_gives_the_same_bytes(tmp_path, make_pick):
    filled_store(tmp_path, make_pick).close()
    first, second = (build_report(Store(tmp_path), "sweep", tmp_path) for _ in range(2))
    for render in RENDERERS.values():
        assert render(first) == render(second)
