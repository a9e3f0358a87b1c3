"""The page of a report: self-contained, without scripts, and text from outside stays text."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_runs import FAILED, KILLED, Failures, MadeRun, history
from report_facts import HOSTILE, HOSTILE_REASON, facts_of

from bulkup.errors import UsageError
from bulkup.reports.run_report.html_report import html_report

HOSTILE_RUN = replace(
    FAILED,
    files=100,
    failures=(Failures("failed", HOSTILE_REASON, 3, HOSTILE.encode("utf-8", "surrogateescape")),),
    names=(HOSTILE.encode("utf-8", "surrogateescape"),),
    settings={"exclude": HOSTILE},
    error=HOSTILE,
    hint=HOSTILE,
)


class Page(HTMLParser):
    """The elements of a page, its attributes and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("run", [MadeRun(files=50, rows=True), FAILED, KILLED, HOSTILE_RUN])
def test_a_page_has_no_scripts_no_links_and_no_inline_styles(run: MadeRun, tmp_path: Path) -> None:
    page = Page(html_report(facts_of(tmp_path, *history(run))))
    assert set(page.tags).isdisjoint({"script", "iframe", "object", "embed", "form", "img", "a", "b"})
    names = {name for name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on")} | (names & {"style", "src", "srcset"})
    assert [value for name, value in page.attributes if name == "href"] == ["data:,"]


def test_the_policy_allows_the_style_of_the_page_alone(tmp_path: Path) -> None:
    page = html_report(facts_of(tmp_path, MadeRun(files=5)))
    (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    (policy,) = [value for name, value in Page(page).attributes if name == "content" and "default-src" in value]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert (
        policy == f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_text_from_outside_is_shown_with_its_control_characters(tmp_path: Path) -> None:
    page = html_report(facts_of(tmp_path, HOSTILE_RUN))
    assert not set("\u202e\x1b\udcff") & set(page)
    page.encode("utf-8")
    shown = r"<script>alert(1)</script>\u202egnp.exe\x1b[31m\n| **bold** `x` & \xff"
    assert Page(page).text.count(shown) >= 2
    assert "<script>" not in page


def test_the_page_of_an_old_run_says_what_is_missing(tmp_path: Path) -> None:
    text = Page(html_report(facts_of(tmp_path, MadeRun(files=5, recorded=False)))).text
    assert "it was made by an earlier version of bulkup" in text
    assert "No files failed." in text
    assert "This is the first run of these sources" in text


@pytest.mark.parametrize(
    ("code", "said"), [(0, "it was made by an earlier version"), (None, "it ended before it wrote any, or")]
)
def test_a_run_without_a_record_explains_that_once(code: int | None, said: str, tmp_path: Path) -> None:
    text = Page(html_report(facts_of(tmp_path, MadeRun(files=5, recorded=False, exit_code=code)))).text
    assert text.count(said) == 1
    assert "How long requests took" not in text


def test_a_run_with_nothing_to_send_has_no_curves(tmp_path: Path) -> None:
    text = Page(html_report(facts_of(tmp_path, MadeRun(files=0)))).text
    assert "Nothing had to be sent." in text
    assert "0 B/s" not in text


def test_a_short_run_has_no_curves(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, MadeRun(files=5))
    assert facts.record is not None
    short = replace(facts, record=replace(facts.record, samples=facts.record.samples[:2]))
    assert "The run was too short for a curve." in Page(html_report(short)).text


def test_a_missing_package_is_an_error_that_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UsageError, match="jinja2") as caught:
        html_report(facts_of(tmp_path, MadeRun(files=5)))
    assert "bulkup[report]" in caught.value.hint
