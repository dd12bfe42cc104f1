"""The page: self-contained, inert, the same bytes every time, and alive in a browser."""

import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest

from storage.reporting.page import build_page
from storage.reporting.report import StudyNotFoundError
from storage.reporting.spec import TableSpec

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"


@pytest.fixture
def page(sweep, make_pick, tmp_path):
    sweep.tables = {"accuracy": TableSpec(title=HOSTILE, phase="main")}
    for loss in ("CE", HOSTILE):
        for rate in ("0.01", "0.1"):
            axes = {"loss": loss, "learning_rate": rate, "noise.rate": "0"}
            for seed in range(3):
                key = sweep.plan(axes, seed, phase="search")
                sweep.finish(key, [0.5, 0.6 + seed / 100])
        sweep.chosen.append(make_pick(group={"loss": loss}))
        for noise in ("0", "0.4"):
            sweep.run(loss, noise, [0.7, 0.8, 0.9], phase="main")
    sweep.fail(sweep.plan({"loss": "CE", "noise.rate": "0.4"}, 3), "exception", HOSTILE)
    return build_page(sweep, "sweep", tmp_path)


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def elements(page):
    parser = Elements()
    parser.feed(page)
    return parser.found


def scripts(page):
    return re.findall(r"<script>(.*?)</script>", page, re.DOTALL)


def test_nothing_comes_from_elsewhere_and_nothing_hostile_is_an_element(page):
    for tag, attributes in elements(page):
        assert tag not in ("img", "link", "iframe", "object", "embed", "base")
        assert not attributes.keys() & {"src", "href", "onerror", "onload", "style"}


def test_the_policy_lets_only_our_two_scripts_run(page):
    (policy,) = (a["content"] for t, a in elements(page) if t == "meta" and "http-equiv" in a)
    assert len(scripts(page)) == 2
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()) for s in scripts(page)]
    allowed = re.search(r"script-src ([^;]*);", policy)[1].split()
    assert allowed == [f"'sha256-{digest.decode()}'" for digest in digests]
    assert "default-src 'none'" in policy


def test_plotly_writes_data_that_cannot_close_its_element():
    figure = go.Figure(layout={"title": {"text": HOSTILE}})
    assert "<" not in figure.to_json()


def test_every_figure_has_its_data(page):
    found = elements(page)
    places = [a["data-figure"] for _, a in found if a.get("class") == "figure"]
    data = [a["id"] for t, a in found if t == "script" and a.get("type") == "application/json"]
    assert places == data == ["figure-0", "figure-1", "figure-2"]


def test_same_results_same_bytes(sweep, page, tmp_path):
    assert build_page(sweep, "sweep", tmp_path) == page


def test_an_unknown_study_is_refused(sweep, tmp_path):
    with pytest.raises(StudyNotFoundError):
        build_page(sweep, "other", tmp_path)


def test_a_study_without_results_has_a_page(sweep, tmp_path):
    assert "0 planned cells" in build_page(sweep, "sweep", tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here")
def test_a_browser_draws_every_figure_without_a_complaint(page, tmp_path):
    dom, log = browse(page, tmp_path)
    assert dom.count('class="main-svg"') >= 3
    assert "CONSOLE" not in log
    assert "<title>sweep</title>" in dom


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here")
def test_a_filter_hides_rows_and_lines(page, tmp_path):
    """The address carries the choice, as a click on a box leaves it there."""
    dom, log = browse(page, tmp_path, "#hide=CE")
    assert "CONSOLE" not in log
    rows = re.findall(r'<tr data-row="CE"([^>]*)>', dom)
    assert rows and all("hidden" in attributes for attributes in rows)
    others = re.findall(r'<tr data-row="(?!CE")[^"]*"([^>]*)>', dom)
    assert others and not any("hidden" in attributes for attributes in others)
    assert re.search(r'class="scatterlayer[^>]*>.*?opacity: 0;', dom, re.DOTALL)


def browse(page, tmp_path, anchor=""):
    """The page's elements after its scripts have run, and what the browser had to say."""
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    command = [
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
        *("--virtual-time-budget=8000", "--dump-dom", f"--user-data-dir={tmp_path / 'profile'}"),
        (tmp_path / "page.html").as_uri() + anchor,
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode(), done.stderr.decode()
