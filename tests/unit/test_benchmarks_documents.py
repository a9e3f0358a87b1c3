"""Tables, the chart, and the documents that contain them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from benchmarks_world import client, measured, results
from defusedxml.ElementTree import fromstring

from benchmarks import table
from benchmarks.chart import chart
from benchmarks.documents import publish, replaced
from benchmarks.figures import Circumstances

SVG = "{http://www.w3.org/2000/svg}"
BULKUP = client("bulkup", 2.0, label="`bulkup upload`")


def test_the_fastest_stands_first_and_who_did_not_run_is_told_last() -> None:
    text = table.scenario(measured("small", client("aws", 0.0), BULKUP, client("curl", 1.0), client("s5cmd", 3.0)))

    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]

    assert [row.split("|")[1].strip() for row in rows] == [
        "curl (1.0)",
        "`bulkup upload` (1.0)",
        "s5cmd (1.0)",
        "aws (1.0)",
    ]
    assert "**not installed: aws is not on this machine**" in rows[-1]
    assert len({row.count("|") for row in rows}) == 1


def test_a_row_tells_rates_and_bulkups_speed_over_it() -> None:
    row = next(
        line for line in table.scenario(measured("small", BULKUP, client("s5cmd", 4.0))).splitlines() if "s5" in line
    )

    assert [cell.strip() for cell in row.split("|")[2:6]] == ["250", "2", "4.00", "2.00 x"]


def test_the_short_table_has_a_column_for_each_tool_that_ran() -> None:
    text = table.short(
        results(measured("small", BULKUP, client("curl", 1.0)), measured("wan", BULKUP, client("aws", 3.0)))
    )

    assert text.splitlines()[:4] == [
        "| bulkup's speed over that of | curl | aws |",
        "| --- | ---: | ---: |",
        "| 1,000 files, small | 0.50 |  |",
        "| 1,000 files, wan |  | 1.50 |",
    ]


def test_a_scenario_without_other_tools_has_no_row_in_the_short_table() -> None:
    earlier = client("earlier", 3.0, peer=False, every_cpu=(4.0,))
    own = client("bulkup", 2.0, every_cpu=(1.0,))

    text = table.short(results(measured("small", BULKUP, client("curl", 1.0)), measured("cpu", own, earlier)))

    assert [line for line in text.splitlines() if line.startswith("| 1,000 files, cpu |")] == []
    assert "targets for speed and memory, 2 are reached." in text


def test_the_requirements_are_a_table() -> None:
    earlier = client("earlier", 3.0, peer=False, every_cpu=(4.0,))
    own = client("bulkup", 2.0, every_cpu=(1.0,))

    text = table.required(results(measured("cpu", own, earlier)))

    assert "| 1,000 files, cpu: bulkup | earlier, its CPU time | <= 0.50 | 0.25 | reached |" in text


def test_the_circumstances_of_a_scenario_stand_below_its_table() -> None:
    known = dataclasses.replace(
        measured("small", BULKUP), circumstances=Circumstances("2030-01-31 12:00", "abc1234", 0.25)
    )

    assert table.scenario(known).endswith("\n\nbulkup at abc1234, 2030-01-31 12:00, load before it 0.2.")


def test_the_whole_text_tells_what_was_not_run() -> None:
    assert "**Not run: wan**: it needs root" in table.whole(results(missing={"wan": "it needs root"}))


def test_bars_are_as_long_as_clients_are_fast() -> None:
    document = fromstring(chart(results(measured("a < b", BULKUP, client("curl", 1.0), client("aws", 0.0)))))

    bars = [(bar.attrib["class"], int(bar.attrib["width"])) for bar in document.iter(f"{SVG}rect")]

    assert [kind for kind, _ in bars] == ["peer", "own"]
    assert bars[1][1] == bars[0][1] / 2
    assert next(document.iter(f"{SVG}text")).text == "1,000 files, a < b"


def test_what_stands_between_markers_is_replaced_and_nothing_else() -> None:
    assert replaced("a\n<!-- x -->\nold\n<!-- /x -->\nb\n", "x", "new\n") == "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb\n"


@pytest.mark.parametrize("text", ["", "<!-- x -->", "<!-- /x --><!-- x -->"])
def test_a_document_without_both_markers_is_not_written_to(text: str) -> None:
    with pytest.raises(ValueError, match="are missing"):
        replaced(text, "x", "new")


def test_figures_are_published_in_the_repositorys_own_documents(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    for name in ("README.md", "docs/performance.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((root / name).read_text())

    publish(results(measured("small", BULKUP, client("curl", 1.0))), str(tmp_path))

    assert "| 1,000 files, small | 0.50 |" in (tmp_path / "README.md").read_text()
    assert re.search(r"\| curl \(1\.0\) \| 1,000 \|", (tmp_path / "docs/performance.md").read_text())
    assert (tmp_path / "docs/performance.svg").read_text().startswith("<svg ")
