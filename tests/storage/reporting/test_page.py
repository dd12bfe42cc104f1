"""The page: self-contained, inert and the same bytes every time."""

import base64
import hashlib
import re
from html import unescape
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest

from storage.reporting.page import build_page
from storage.reporting.report import StudyNotFoundError, build_report
from tests.storage.reporting.conftest import HOSTILE


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
    assert build_page(sweep, build_report(sweep, "sweep", tmp_path)) == page


def test_an_unknown_study_is_refused(sweep, tmp_path):
    with pytest.raises(StudyNotFoundError):
        build_page(sweep, build_report(sweep, "other", tmp_path))


def test_a_study_without_results_has_a_page(sweep, tmp_path):
    assert "0 planned cells" in build_page(sweep, build_report(sweep, "sweep", tmp_path))


def test_the_page_offers_a_query_that_keeps_settings_apart(page, sweep):
    (asked,) = re.findall(r'<pre>orchestrator sql "(.*)"</pre>', page)
    assert " from runs where study = 'sweep' and standing = 'done' group by all" in unescape(asked)
    assert "label" in asked
