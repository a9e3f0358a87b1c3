"""The table of the report after each run: its keys, placeholders and errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bulkup.config import Settings, load
from bulkup.config.report_table import ReportAfterRuns, parse_report
from bulkup.errors import UsageError

VALUES = {"run": "abc", "date": "2026-01-31", "time": "020000", "profile": "team/a b"}


def loaded(folder: Path, lines: str, environ: dict[str, str] | None = None) -> Settings:
    (folder / "bulkup.toml").write_text(f'[profiles.n]\nprovider = "local"\n{lines}\n')
    return load({}, profile="n", config_file=None, environ=environ or {}, cwd=str(folder)).settings


@pytest.mark.parametrize("lines", ['report = "out/{date}.html"', '[profiles.n.report]\npath = "out/{date}.html"'])
def test_a_path_is_beside_the_configuration(lines: str, tmp_path: Path) -> None:
    table = loaded(tmp_path, lines).report
    assert table is not None
    assert table.file(VALUES) == table.link(VALUES) == str(tmp_path / "out" / "2026-01-31.html")
    assert table.folder == str(tmp_path / "out")


@pytest.mark.parametrize("text", ["/a/{run}.md", json.dumps({"path": "/a/{run}.md"})])
def test_the_environment_takes_a_path_or_json(text: str, tmp_path: Path) -> None:
    table = loaded(tmp_path, "", {"BULKUP_REPORT": text}).report
    assert table == ReportAfterRuns(path="/a/{run}.md")


def test_placeholders_make_no_folders() -> None:
    table = parse_report({"path": "/r/{profile}/{time}-{run}.json", "url": "https://r.example/{profile}"})
    assert table.file(VALUES) == "/r/team_a_b/020000-abc.json"
    assert table.link(VALUES) == "https://r.example/team_a_b"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('report = "out/{day}.html"', "placeholders from {run}, {date}, {time}, {profile}"),
        ('report = "out/{date.html"', "placeholders from"),
        ('report = "out/report.pdf"', "a path that ends in .html"),
        ("report = 5", "expected a path"),
        ('[profiles.n.report]\nurl = "https://r.example"', "report needs path: a path"),
        ('[profiles.n.report]\npath = "a.html"\nurl = "ftp://r.example"', "report.url: expected an address"),
        ('[profiles.n.report]\npaht = "a.html"', 'unknown key "paht"'),
    ],
)
def test_a_wrong_table_is_an_error_with_its_line(lines: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, lines)
    assert said in caught.value.message
    assert "bulkup.toml:" in caught.value.message
