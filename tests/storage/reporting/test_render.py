"""Six formats of one report: the same numbers, nothing acts, the same bytes every time."""

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from storage.reporting.render import RENDERERS, latex, markdown, terminal
from storage.reporting.render.csv import guarded
from storage.reporting.render.entries import LEGEND
from storage.reporting.report import build_report
from storage.reporting.spec import Reference, TableSpec

HOSTILE = (
    *("<script>alert(1)</script>", "a_b", "50%", r"\input{/etc/passwd}", "=cmd()", "MAE*"),
    *("[bold red]x[/]", "[256, 128]", "a|b", "**b**", "$x^2$", "`code`", "&amp;", "{x}"),
    *("\x1b[2Jgone", "line\nbreak", "http://evil.example/x", "![i](j)", "+1+1", "@sum", "~x~"),
    *("</table>", "'; drop table cells", "\u202egnp.exe", "# x", "α-loss", "Müller", "中"),
)
FORMATS = (*RENDERERS, "terminal")


def rendered(report, form):
    if form != "terminal":
        return RENDERERS[form](report)
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    console.print(terminal.render(report))
    return console.file.getvalue()


@pytest.fixture
def report(sweep, make_pick, tmp_path):
    """Every mark, a comparison, a pick, a failure and a problem."""
    (tmp_path / "t.csv").write_text("loss,rate,mean,sem\nCE,0,91,0.5\nMAE*,40,70,0.5\nXX,0,1,1\n")
    reference = Reference(
        file="t.csv", match={"loss": "loss", "rate": "noise.rate"}, scale={"rate": 100}
    )
    sweep.tables = {
        "accuracy": TableSpec(title="Accuracy", reference=reference),
        "broken": TableSpec(where={"loss": "?"}),
    }
    sweep.run("CE", "0", [0.91, 0.92, 0.93])
    sweep.run("CE", "0.4", [0.5, 0.6])
    sweep.fail(sweep.plan({"loss": "CE", "noise.rate": "0.4"}, 2), message="boom")
    keys = sweep.run("MAE*", "0", [0.9, 0.91, 0.1])
    sweep.guessing.add(keys[2])
    diverged = sweep.plan({"loss": "MAE*", "noise.rate": "0.4"}, 0)
    sweep.finish(diverged, [0.1], outcome="diverged")
    sweep.plan({"loss": "GCE", "noise.rate": "0"}, 0)
    sweep.plan({"loss": "GCE", "noise.rate": "0.4"}, 0, skipped="not in the paper")
    sweep.run("MAE", "0", [0.5, 0.6, 0.7])
    sweep.chosen = [make_pick(is_tie=True, at_edge=True)]
    return build_report(sweep, "sweep", tmp_path)


@pytest.fixture
def hostile_report(sweep, make_pick, tmp_path):
    """Every hostile text as loss, rate, title, failure and pick."""
    (tmp_path / "t.csv").write_text("loss,mean,sem,note\nMAE*,1,1,<b>\n")
    reference = Reference(file="t.csv", match={"loss": "loss"})
    for index, name in enumerate(HOSTILE):
        sweep.tables[name] = TableSpec(
            title=name, where={"noise.rate": name}, rows=("loss",), reference=reference
        )
        sweep.run(name, name, [0.5, 0.6])
        sweep.plan({"loss": "skip", "noise.rate": name}, 0, skipped=name)
        sweep.fail(sweep.plan({"loss": name, "noise.rate": name}, 9), name, name)
        sweep.chosen.append(
            make_pick(pick=name, value=name, runner_up=name, rule=name, score=index / 100)
        )
    return build_report(sweep, "sweep", tmp_path)


@pytest.mark.parametrize("form", FORMATS)
def test_same_report_same_bytes(report, form):
    assert rendered(report, form) == rendered(report, form)


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("csv", "json")])
def test_every_text_format_shows_numbers_marks_and_what_is_missing(report, form):
    text = rendered(report, form)
    plus_minus = r"$\pm$" if form == "latex" else "±"
    assert f"92.00 {plus_minus} 0.58" in text
    for said in (
        "boom",
        "not in the paper",
        "a wider grid might hold a better one",
        "broken",
        "SHA",
    ):
        assert said in text
    assert "ddof = 1" in " ".join(text.split())


def test_marks_follow_numbers_and_only_those_used_are_explained(report):
    text = RENDERERS["markdown"](report)
    assert "| MAE\\* | 63.67 ± 26.83 ≈1 | 10.00 (1) †1 |" in text
    assert "| CE | **92.00 ± 0.58** | 55.00 ± 5.00 (2/3) ✗1 |" in text
    assert "| GCE | — | — \\[1\\] |" in text
    assert "| MAE | 60.00 ± 5.77 | · |" in text
    assert "(n): the study plans another number of seeds here" in text
    assert "- \\[1\\] left out: not in the paper" in text
    assert "↩" not in text
    assert "n/a" not in text


def test_markdown_rows_have_one_width(hostile_report):
    blocks = re.findall(r"(?:^\|.*\n)+", RENDERERS["markdown"](hostile_report), re.MULTILINE)
    assert len(blocks) >= len(HOSTILE)
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_markdown_leaves_no_markup_of_a_name(hostile_report):
    text = RENDERERS["markdown"](hostile_report)
    for active in ("<script", "</table", "http://", "\x1b"):
        assert active not in text
    bare = re.sub(r"\\.", "", text.replace("**", ""))
    assert not set("`*_{}[]<>$~^") & set(bare)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.opened, self.text, self.depth = set(), [], 0

    def handle_starttag(self, tag, attrs):
        self.opened.add(tag)
        self.depth += 1
        assert {name for name, _ in attrs} <= {"class", "scope", "colspan", "data-row"}

    def handle_endtag(self, tag):
        self.depth -= 1

    def handle_data(self, data):
        self.text.append(data)


def test_html_holds_our_tags_only_and_all_of_them_closed(hostile_report):
    parser = Tags()
    parser.feed(RENDERERS["html"](hostile_report))
    layout = {"article", "section", "h1", "h2", "p", "ul", "li", "strong"}
    assert parser.opened <= layout | {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert parser.depth == 0
    assert "<script>alert(1)</script>" in parser.text


def latex_commands(text):
    return set(re.findall(r"\\([A-Za-z]+)", text))


OURS = {
    *("usepackage", "begin", "end", "centering", "caption", "toprule", "midrule", "bottomrule"),
    *("textbf", "par", "footnotesize", "paragraph", "multicolumn", "cmidrule", "pm", "approx"),
    *("times", "dagger", "hookleftarrow", "cdot", "surd", "alpha", "leq", "textbackslash"),
    *(
        "textasciitilde",
        "textasciicircum",
        "textless",
        "textgreater",
        "textbar",
        "textemdash",
        "smallskip",
        "ldots",
        "setlength",
        "tabcolsep",
    ),
}


FOREIGN = {"c", "v", *(command.lstrip("\\") for command in latex.SYMBOLS.values())}
"""Accents and symbols that stand for a character of a name."""


def test_latex_calls_no_command_of_a_name(hostile_report):
    text = RENDERERS["latex"](hostile_report)
    assert latex_commands(text) <= OURS
    assert text.isascii()


def test_latex_braces_and_maths_are_balanced(hostile_report):
    for line in RENDERERS["latex"](hostile_report).splitlines():
        bare = re.sub(r"\\[\\{}$&#_%^]", "", line)
        assert bare.count("{") == bare.count("}")
        assert bare.count("$") % 2 == 0
    assert "%" not in re.sub(r"\\%|^% Needs.*$", "", RENDERERS["latex"](hostile_report), flags=re.M)


def test_latex_rows_have_one_width(hostile_report):
    text = RENDERERS["latex"](hostile_report)
    tabulars = re.findall(r"\\begin{tabular}{([lr]+)}(.*?)\\end{tabular}", text, re.DOTALL)
    assert len(tabulars) >= len(HOSTILE)
    for columns, body in tabulars:
        for row in re.findall(r"^(.*) \\\\$", body, re.MULTILINE):
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1


def test_latex_rows_cannot_be_read_as_an_argument(hostile_report):
    """A bracket or star that opens a row would be taken by the row break before it."""
    for line in RENDERERS["latex"](hostile_report).splitlines():
        assert not line.startswith(("[", "*"))


PREAMBLE = r"\documentclass{article}\usepackage{booktabs}\extrafloats{200}\begin{document}"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
@pytest.mark.parametrize("which", ["report", "hostile_report"])
def test_latex_compiles_with_booktabs_only(which, request, tmp_path):
    body = RENDERERS["latex"](request.getfixturevalue(which))
    (tmp_path / "main.tex").write_text(f"{PREAMBLE}\n{body}\n\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


@pytest.mark.parametrize("name", ["é", "Ü", "ç", "α", "中", "\u0301", "-", "--", "``"])
def test_latex_sets_every_character_without_a_package(name):
    assert latex.escape(name).isascii()


@pytest.mark.parametrize("mark", "".join(LEGEND))
def test_latex_has_a_symbol_for_every_mark(mark):
    assert "U+" not in latex.escape(mark)


def test_terminal_shows_names_as_they_are_and_obeys_none(hostile_report):
    text = rendered(hostile_report, "terminal")
    assert "[bold red]x[/]" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_csv_texts_are_no_formulas(hostile_report):
    rows = list(csv.reader(io.StringIO(RENDERERS["csv"](hostile_report))))
    assert len({len(row) for row in rows}) == 1
    names = {row[rows[0].index("loss")] for row in rows[1:]}
    assert {"'=cmd()", "'+1+1", "'@sum", "50%", "a_b"} <= names
    for row in rows:
        for value in row:
            assert not value.startswith(("=", "@", "\t", "\r"))
            assert not re.match(r"[+-](?!\d*\.?\d+(e[+-]?\d+)?$)", value)


def test_csv_keeps_numbers_numbers(report):
    assert guarded(["-0.5", -0.5, "-x", None, 1e-7]) == ["-0.5", -0.5, "'-x", None, 1e-7]
    rows = list(csv.DictReader(io.StringIO(RENDERERS["csv"](report))))
    first = rows[0]
    assert (first["table"], first["loss"], first["noise.rate"]) == ("accuracy", "CE", "0")
    assert float(first["mean"]) == pytest.approx(92.0)
    assert float(first["published_mean"]) == 91.0
    partial = next(row for row in rows if row["n_failed"] == "1")
    assert (partial["n"], partial["n_planned"]) == ("2", "3")


def test_json_holds_every_number_and_what_it_stands_on(report):
    tree = json.loads(RENDERERS["json"](report))
    entry = tree["tables"][0]["entries"][1]
    assert (entry["row"], entry["column"], entry["n"], entry["n_planned"]) == (
        ["CE"],
        ["0.4"],
        2,
        3,
    )
    assert entry["values"] == {"0": 50.0, "1": 60.0}
    assert tree["comparisons"][0]["pairs"][0]["z"] == pytest.approx(1 / 0.7637626, rel=1e-5)
    assert tree["picks"][0]["at_edge"] is True


def test_json_can_stand_inside_a_page(hostile_report):
    text = RENDERERS["json"](hostile_report)
    assert "<" not in text
    assert "&" not in text
    assert json.loads(text)["tables"][0]["title"] == HOSTILE[0]


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(min_size=1, max_size=20))
def test_any_name_renders_everywhere(sweep, tmp_path, name):
    sweep.planned.clear(), sweep.results.clear(), sweep.numbers.clear()
    sweep.tables = {"t": TableSpec(title=name)}
    sweep.run(name, "0", [0.5, 0.6])
    report = build_report(sweep, "sweep", tmp_path)
    for form in FORMATS:
        rendered(report, form).encode("utf-8")
    assert latex_commands(RENDERERS["latex"](report)) <= OURS | FOREIGN
    escaped = markdown.escape(name)
    assert "<" not in escaped


def test_two_column_fields_make_two_levels(sweep, tmp_path):
    sweep.tables = {"t": TableSpec(columns=("dataset", "noise.rate"))}
    for dataset in ("A", "B"):
        for rate in ("0.4", "0"):
            axes = {"loss": "CE", "noise.rate": rate, "dataset": dataset}
            sweep.finish(sweep.plan(axes), [0.5])
    report = build_report(sweep, "sweep", tmp_path)
    tex, page = RENDERERS["latex"](report), RENDERERS["html"](report)
    assert r" & \multicolumn{2}{c}{A} & \multicolumn{2}{c}{B} \\" in tex
    assert r"\cmidrule(lr){2-3}" in tex
    assert r"\cmidrule(lr){4-5}" in tex
    assert '<th colspan="2" scope="colgroup">A</th>' in page
    assert "| loss | A, noise.rate 0.4 | A, noise.rate 0 |" in RENDERERS["markdown"](report)


def test_equal_inner_headings_of_different_groups_stay_apart(sweep, tmp_path):
    sweep.tables = {"t": TableSpec(columns=("dataset", "noise.kind", "noise.rate"))}
    for dataset in ("A", "B"):
        axes = {"loss": "CE", "noise.rate": "0", "noise.kind": "sym", "dataset": dataset}
        sweep.finish(sweep.plan(axes), [0.5])
    report = build_report(sweep, "sweep", tmp_path)
    assert r"\multicolumn{1}{c}{sym} & \multicolumn{1}{c}{sym}" in RENDERERS["latex"](report)


def test_one_run_of_several_is_marked_and_has_no_error(sweep, tmp_path):
    sweep.tables = {"t": TableSpec()}
    sweep.run("CE", "0", [0.5])
    sweep.plan({"loss": "CE", "noise.rate": "0"}, 1)
    report = build_report(sweep, "sweep", tmp_path)
    assert "| CE | 50.00 (1/2) |" in RENDERERS["markdown"](report)


def test_an_undefined_number_is_no_number(sweep, tmp_path):
    sweep.tables = {"t": TableSpec(value="memorization")}
    sweep.finish(sweep.plan({"loss": "CE", "noise.rate": "0"}), [None])
    text = RENDERERS["markdown"](build_report(sweep, "sweep", tmp_path))
    assert "| CE | n/a |" in text
    assert "- n/a: undefined" in text


def test_losses_have_no_per_cent(sweep, tmp_path):
    sweep.tables = {"t": TableSpec(value="test_loss")}
    sweep.run("CE", "0", [0.5, 0.6])
    report = build_report(sweep, "sweep", tmp_path)
    assert "| CE | 0.5500 ± 0.0500 |" in RENDERERS["markdown"](report)
    assert "lower is better" in RENDERERS["markdown"](report)


def test_a_study_without_tables_still_reports(sweep, tmp_path):
    report = build_report(sweep, "sweep", tmp_path)
    for form in FORMATS:
        assert rendered(report, form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_pick_beside_an_undefined_value_can_be_shown(form, report, make_pick):
    pick = make_pick(metric="test_loss", rule="words", score=0.25, runner_up_score=float("inf"))
    text = rendered(replace(report, picks=(pick,)), form)
    if form in ("markdown", "html", "latex", "terminal"):
        assert "0.25" in text and "n/a" in text and "inf" not in text


def test_the_score_of_a_pick_has_the_unit_of_its_metric_not_of_its_words(report, make_pick):
    pick = make_pick(metric="test_accuracy", rule="the best of test_loss", score=0.25)
    assert "25.00%" in RENDERERS["markdown"](replace(report, picks=(pick,)))
    old = make_pick(score=0.25)
    assert old.metric is None
    assert "25.00%" in RENDERERS["markdown"](replace(report, picks=(old,)))
