"""docs/why-not-uploaded.md is complete: states, reasons with a hint, exit codes, and the codes of stores."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bulkup.errors import ExitCode
from bulkup.model.reason_hints import HINTS, hint_for
from bulkup.model.states import DONE, NOT_UPLOADED
from bulkup.pipeline.files import opening
from bulkup.providers import storage_answers

PAGE = (Path(__file__).parents[2] / "docs" / "why-not-uploaded.md").read_text("utf-8")
MESSAGES = re.findall(r"`([^`]+)`", "\n".join(line.split(" | ")[0] for line in PAGE.splitlines() if line[:1] == "|"))


@pytest.mark.parametrize(("pattern", "hint"), HINTS)
def test_every_reason_with_a_hint_is_on_the_page(pattern: str, hint: str) -> None:
    assert [message for message in MESSAGES if re.search(pattern, message, re.IGNORECASE) and hint_for(message) == hint]


@pytest.mark.parametrize("state", [*NOT_UPLOADED, "pending", *sorted(DONE)])
def test_the_tree_has_a_branch_for_every_state(state: str) -> None:
    tree = PAGE[: PAGE.index("## The file was not found")]
    assert f"`{state}`" in tree
    if state in NOT_UPLOADED:
        assert f"\n## {state.capitalize()}\n" in PAGE
        assert f"](#{state})" in tree


def test_every_reason_of_a_changed_file_is_on_the_page() -> None:
    reasons = [opening.SHORTER, opening.CHANGED, opening.TOUCHED, opening.REPLACED, opening.LONGER]
    assert {problem.message for problem in reasons} <= set(MESSAGES)


def test_every_code_of_a_store_is_on_the_page() -> None:
    assert set(storage_answers.CODES) <= set(re.findall(r"`([A-Za-z]+)`", PAGE))


def test_every_exit_code_that_leaves_files_is_on_the_page() -> None:
    section = PAGE[PAGE.index("## The run ended early") : PAGE.index("## Rejected")]
    named = {
        int(code) for row in re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE) for code in re.findall(r"\d+", row)
    }
    assert named == set(ExitCode) - {ExitCode.OK, ExitCode.USAGE, ExitCode.INCOMPLETE}
