"""The figures that need no training: their numbers against oracles, and the verb for them."""

from __future__ import annotations

import csv
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats
from typer.testing import CliRunner, Result

from orchestrator.cli import app
from orchestrator.figures import staats2025_fig5, staats2025_fig6
from orchestrator.figures.published import compared_losses, study_loss
from orchestrator.figures.registry import FIGURES, FigureError, Inputs, build_figure
from orchestrator.figures.result_figures import RESULT_FIGURES
from storage.reporting.figures.picture import Line, Panel, Picture
from trainables.config import Choice
from trainables.theory.calibration import calibrate, initial_error

INPUTS = Inputs(Path("nowhere"), use_synthetic=True)

built: dict[str, Picture] = {}


def picture(name: str) -> Picture:
    if name not in built:
        built[name] = build_figure(name, INPUTS)
    return built[name]


def line(panel: Panel, name: str) -> Line:
    (found,) = [one for one in panel.lines if one.name == name]
    return found


def at(one: Line, x: float) -> float:
    y = one.y[one.x.index(x)]
    assert y is not None
    return y


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["figure", *arguments])


def sampled(error: Any, classes: int, z: float) -> tuple[float, float]:
    """Mean of δ_k over plain draws and its standard error; `error` takes z_k, rivals [N, K-1]."""
    draws = np.random.default_rng(17).standard_normal((2_000_000 // classes, classes - 1))
    errors = error(z, draws)
    return float(errors.mean()), float(errors.std() / math.sqrt(len(errors)))


def activation(z: float, rivals: Any) -> Any:
    return 1 / (1 + np.exp(rivals - z).sum(axis=1))


def mae(z: float, rivals: Any) -> Any:
    a = activation(z, rivals)
    return -2 * a * (1 - a)


def nce(z: float, rivals: Any) -> Any:
    """∂/∂z_k of log a_k / Σ_j log a_j, from the quotient rule by hand."""
    a, count = activation(z, rivals), rivals.shape[1] + 1
    log_sum = np.log(np.exp(rivals).sum(axis=1) + math.exp(z))
    total = rivals.sum(axis=1) + z - count * log_sum
    return ((1 - a) * total - (z - log_sum) * (1 - count * a)) / total**2


@pytest.mark.parametrize("z", [-2.0, 0.0, 3.0])
def test_figure_1_agrees_with_plain_sampling(z: float) -> None:
    (panel,) = picture("staats2025-fig1").panels
    for classes in (10, 100):
        mean, error = sampled(mae, classes, z)
        assert at(line(panel, f"MAE, K = {classes}"), z) == pytest.approx(mean, abs=4 * error)


def test_the_histogram_is_the_normal_law() -> None:
    (bars,) = picture("staats2025-fig1").panels[0].histograms
    for (low, high), density in zip(pairwise(bars.edges), bars.densities, strict=True):
        area, _ = integrate.quad(stats.norm.pdf, low, high)
        assert density * (high - low) == pytest.approx(area, rel=1e-9)


@pytest.mark.parametrize("z", [-2.0, 0.0, 3.0])
def test_figure_2_agrees_with_plain_sampling(z: float) -> None:
    few, many = picture("staats2025-fig2").panels
    alone, error = sampled(nce, 10, z)
    (weak, weak_error) = sampled(mae, 10, z)
    assert at(line(few, "NCE-MAE"), z) == pytest.approx(alone + weak, abs=4 * (error + weak_error))
    alone, error = sampled(nce, 1000, z)
    (weak, weak_error) = sampled(mae, 1000, z)
    both = 10 * alone + weak
    assert at(line(many, "NCE-MAE"), z) == pytest.approx(both, abs=4 * (10 * error + weak_error))


def test_figure_2_has_the_form_of_the_print() -> None:
    few, many = picture("staats2025-fig2").panels
    for panel in (few, many):
        assert {one.name for one in panel.lines if one.dash == "dash"} == {"biTemp"}
        first, shifted = panel.histograms
        assert first.densities == shifted.densities
    assert few.histograms[1].edges[0] - few.histograms[0].edges[0] == pytest.approx(0.5)
    assert many.histograms[1].edges[0] - many.histograms[0].edges[0] == pytest.approx(5.4)
    whole = initial_error(compared_losses(10)["NCE-AGCE"], 10).value
    assert at(line(few, "NCE-AGCE / 2"), 0.0) == pytest.approx(whole / 2, rel=1e-4)
    assert "NCE-AGCE" in {one.name for one in many.lines}


def test_figure_3_has_one_error_before_and_after() -> None:
    (panel,) = picture("staats2025-fig3").panels
    known, lost, found = (at(one, 0.0) for one in panel.lines)
    assert known == pytest.approx(-0.02823, rel=1e-3)
    assert lost == pytest.approx(-0.00560, rel=1e-3)
    # The rounding of q to three digits moves the error by a few thousandths.
    assert found == pytest.approx(known, rel=5e-3)
    assert panel.lines[2].name == "K = 1,000, q = 0.482"


def test_figure_4_solves_its_equation() -> None:
    (panel,) = picture("staats2025-fig4").panels
    (biases,) = panel.lines
    assert (biases.x[0], biases.x[-1]) == (2.0, 10_000.0)
    assert at(biases, 2.0) == 0.0
    for classes in (10, 100, 1000):
        draws = np.random.default_rng(3).standard_normal((2_000_000 // classes, classes))
        shares = activation(0.0, draws[:, 1:] - draws[:, :1] - at(biases, float(classes)))
        tolerance = 4 * float(shares.std()) / math.sqrt(len(shares))
        assert float(shares.mean()) == pytest.approx(0.15, abs=tolerance)


def test_figure_5_measures_what_a_network_built_by_hand_gives(monkeypatch: Any) -> None:
    small = staats2025_fig5.Subject(
        "a  MLP", "mlp1024", "cifar10", 32, Choice.of("fixed", mean=(0.5,), std=(0.25,))
    )
    logits = staats2025_fig5.measure(small, INPUTS)
    assert logits.shape == (3, 32, 10)

    import torch

    from trainables.datasets import load_dataset
    from trainables.seeding import generator

    _, arrays = load_dataset(Choice.of("synthetic", like="cifar10", images=32), Path("nowhere"))
    images = torch.from_numpy(np.asarray(arrays.train_images[:32])).permute(0, 3, 1, 2)
    hidden = (images.float() / 255 - 0.5) / 0.25
    hidden, draws = hidden.flatten(1), generator(1, "weights")
    for inputs, outputs in pairwise((3072, 1024, 512, 512, 10)):
        end = math.sqrt(6 / (inputs + outputs))
        weight = torch.empty(outputs, inputs).uniform_(-end, end, generator=draws)
        hidden = hidden @ weight.T
        hidden = hidden.relu() if outputs > 10 else hidden
    np.testing.assert_allclose(logits[1], hidden.numpy(), rtol=1e-3, atol=1e-4)

    monkeypatch.setattr(staats2025_fig5, "SUBJECTS", (small, small))
    drawn = staats2025_fig5.build(INPUTS)
    for panel in drawn.panels:
        (bars,) = panel.histograms
        assert bars.on_axis
        centres = [(low + high) / 2 for low, high in pairwise(bars.edges)]
        shares = np.array(bars.densities) * (bars.edges[1] - bars.edges[0])
        assert shares.sum() == pytest.approx(1.0, abs=0.01)
        assert math.sqrt(shares @ np.square(centres)) == pytest.approx(logits.std(), rel=0.02)
        law = line(panel, f"σ = {logits.std():.2f}")
        assert max(y for y in law.y if y) == pytest.approx(0.3989 / logits.std(), rel=0.01)
    assert "drawn at random" in drawn.caption


def test_figure_5_says_in_one_line_that_images_are_missing(tmp_path: Path) -> None:
    with pytest.raises(FigureError, match="MLP1024 on CIFAR-10: data set cifar10") as raised:
        build_figure("staats2025-fig5", Inputs(tmp_path))
    assert "--synthetic" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_figure_6_is_linear_and_its_line_is_what_calibrate_finds() -> None:
    shape, weight = picture("staats2025-fig6").panels
    chosen = study_loss("table3", "NCE-AGCE+", 1000)
    origin = study_loss("table3", "NCE-AGCE", 1000)
    target = initial_error(origin, 100).value
    assert -target == pytest.approx(0.02145, rel=1e-3)
    plane = weight.plane
    assert plane is not None
    trial = chosen.replace(alpha=plane.x[3], beta=plane.y[7])
    assert plane.values[7][3] == pytest.approx(-initial_error(trial, 1000).value, rel=1e-5)
    (level,) = shape.lines
    q, a = next((q, a) for q, a in zip(level.x, level.y, strict=True) if a is not None)
    found = calibrate(origin, chosen.replace(a=a), "q", 100, 1000)
    assert q == pytest.approx(found.value, rel=0.006)
    (level,) = weight.lines
    for alpha, beta in zip(level.x, level.y, strict=True):
        if beta is not None:
            solved = chosen.replace(alpha=alpha, beta=beta)
            assert initial_error(solved, 1000).value == pytest.approx(target, rel=1e-4)
    assert (shape.marks[0].x, shape.marks[0].y) == (chosen.get("q"), chosen.get("a"))
    assert initial_error(chosen, 1000).value == pytest.approx(target, rel=0.02)


@pytest.mark.parametrize("p", [0.01, 0.3, 0.5, 0.9])
def test_the_weights_of_imae_in_closed_form(p: float) -> None:
    (panel,) = picture("imae-fig1").panels
    assert at(line(panel, "CCE"), p) == pytest.approx(2 * (1 - p))
    assert at(line(panel, "MAE"), p) == pytest.approx(4 * p * (1 - p))
    assert at(line(panel, "IMAE, T = 8"), p) == pytest.approx(math.exp(8 * p * (1 - p)))
    (panel,) = picture("imae-fig5").panels
    for one, t in zip(panel.lines, (16, 8, 4, 2, 1, 0.5, 0), strict=True):
        assert at(one, p) == pytest.approx(math.exp(t * p * (1 - p)))


@pytest.mark.parametrize(("t", "printed"), [(16, 354.113), (8, 4.546), (4, 0.299), (0.5, 0.002)])
def test_the_variances_of_imae_are_the_printed_ones(t: float, printed: float) -> None:
    first, _ = integrate.quad(lambda p: math.exp(t * p * (1 - p)), 0, 1)
    second, _ = integrate.quad(lambda p: math.exp(2 * t * p * (1 - p)), 0, 1)
    assert second - first**2 == pytest.approx(printed, abs=5e-4)
    (panel,) = picture("imae-fig5").panels
    assert line(panel, f"T = {t:g}, σ² = {printed:.3f}").dash == "solid"


def test_every_figure_is_listed_with_a_line() -> None:
    result = run("list")
    assert result.exit_code == 0
    names = [line.split()[0] for line in result.output.splitlines()]
    assert names == [*FIGURES, *RESULT_FIGURES]


def test_a_figure_becomes_a_page_and_its_numbers(tmp_path: Path) -> None:
    page, numbers = tmp_path / "new" / "fig.html", tmp_path / "fig.csv"
    result = run("imae-fig1", "--out", str(page))
    assert result.exit_code == 0, result.output
    assert f"written: {page}" in result.output
    text = page.read_text(encoding="utf-8")
    assert "https://" not in text.split("<body>")[1].split("<script>")[0]
    assert "exp(T p(1 − p))" in text
    assert run("imae-fig1", "--out", str(numbers)).exit_code == 0
    rows = list(csv.DictReader(numbers.read_text(encoding="utf-8").splitlines()))
    middle = [row for row in rows if row["series"] == "MAE" and row["x"] == "0.5"]
    assert float(middle[0]["y"]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("imae-fig6x",), "unknown figure 'imae-fig6x', did you mean 'imae-fig"),
        (("something",), "unknown figure 'something', see `figure list`"),
        ((), "name a figure"),
        (("imae-fig1", "--out", "fig.txt"), "html, png, svg, pdf, csv"),
        (("imae-fig1", "--out", "/proc/none/fig.csv"), "cannot create /proc/none"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.splitlines()) == 1


def test_all_figures_are_written_and_a_missing_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {name: FIGURES[name] for name in ("imae-fig1", "staats2025-fig5")}
    monkeypatch.setattr("orchestrator.figures.registry.FIGURES", some)
    result = run("--all", str(tmp_path / "out"), "--data-root", str(tmp_path))
    assert result.exit_code == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "imae-fig1.csv",
        "imae-fig1.html",
    ]
    assert "cifar10" in result.output


def test_a_missing_browser_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import plotly.graph_objects as go

    def fail(*_arguments: Any, **_options: Any) -> bytes:
        raise RuntimeError("no browser\nat all")

    monkeypatch.setattr(go.Figure, "to_image", fail)
    result = run("imae-fig1", "--out", str(tmp_path / "fig.png"))
    assert result.exit_code == 2
    assert result.output == (
        "error: static figures need an installed Chrome or Chromium: no browser\n"
    )


def test_the_parameters_of_figure_6_are_those_of_the_study() -> None:
    chosen = staats2025_fig6.Parameters.of(study_loss("table3", "NCE-AGCE+", 1000))
    assert str(chosen) in picture("staats2025-fig6").caption
