"""Every `bulkup` command that a page shows has a command, options and values that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_lines import bulkup_commands, complaint_about
from page_blocks import PAGES, ROOT, blocks_of, parsed

INLINE = re.compile(r"`(bulkup [a-z][^`\n]*)`")
# A command stands in a fenced block, where the tests find it. A block by indentation has no language.
INDENTED_COMMAND = re.compile(r"\n\n {4,}(?:\w+=\S+ )*(?:bulkup|make|pip|docker|systemctl|curl|git) [^\n]*")
PLACEHOLDER = re.compile(r"[\[\]{}…]|\.\.\.")


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_of_blocks_are_correct(page: Path) -> None:
    wrong = [
        f"{block.place}: bulkup {' '.join(arguments)}: {complaint}"
        for block in blocks_of(page)
        if block.is_shell
        for arguments in bulkup_commands(block.text)
        if (complaint := complaint_about(arguments)) is not None
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=page_id)
def test_commands_in_sentences_are_correct(page: Path) -> None:
    """Their values may be placeholders, and arguments may be left out."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    shown = {found for found in INLINE.findall(text) if not PLACEHOLDER.search(found)}
    wrong = [
        f"{page_id(page)}: {line}: {complaint}"
        for line in sorted(shown)
        for arguments in bulkup_commands(line)
        if (complaint := complaint_about(arguments, with_values=False)) is not None
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_stand_in_fenced_blocks(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert INDENTED_COMMAND.findall(text) == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_blocks_name_their_language(page: Path) -> None:
    assert [block.place for block in blocks_of(page) if not block.language] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_block_that_is_not_run_has_a_reason(page: Path) -> None:
    marks = {"not run", "exit code", "set up", "script", "interrupted"}
    for block in blocks_of(page):
        assert not block.is_shell or set(block.marks) <= marks, block.place
        assert block.marks.get("not run") != "", block.place


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("bulkup upload ~/media --provider local", [["upload", "~/media", "--provider", "local"]]),
        ("A=1 bulkup runs   # bulkup status\nbulkup man | man -l -", [["runs"], ["man"]]),
        ("bulkup upload a \\\n  --quiet && bulkup status a", [["upload", "a", "--quiet"], ["status", "a"]]),
        ("docker run image bulkup upload --profile n", [["upload", "--profile", "n"]]),
        ("python3 - <<'X' >log\nbulkup = 'it'\nX\nbulkup runs 'a\nb'", [["runs", "a\nb"]]),
        ("pip install bulkup\ncd bulkup", []),
    ],
)
def test_commands_are_found(script: str, commands: list[list[str]]) -> None:
    assert list(bulkup_commands(script)) == commands


def test_a_script_with_an_open_quotation_is_an_error() -> None:
    with pytest.raises(ValueError, match="quotation"):
        list(bulkup_commands("bulkup runs 'a"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("uplod ~/media", "uplod"),
        ("upload ~/media --provder local", "--provder"),
        ("upload ~/media --provider nowhere", "nowhere"),
        ("upload ~/media --concurrency many", "concurrency"),
        ("config chek", "chek"),
        ("provider try", "FILE"),
        ("upload --profile", "--profile"),
    ],
)
def test_wrong_commands_are_found(line: str, said: str) -> None:
    complaint = complaint_about(line.split())
    assert complaint is not None
    assert said in complaint


def test_placeholders_pass() -> None:
    assert complaint_about(["upload", "~/media", "--provider", "xvid", "--pipeline-id", "..."]) is None
    assert complaint_about(["upload", "$1", "--provider", "$2"]) is None
    assert complaint_about(["provider", "try"], with_values=False) is None


def test_blocks_are_read_with_their_marks() -> None:
    page = "a\n\n<!-- not run: needs an account -->\n```sh\nls\n```\n\n1. b\n\n"
    page += "    <!-- exit code: 3 -->\n    ```sh\n    cd a\n\n    ls\n    ```\n"
    first, second = parsed(page, "page.md")
    assert (first.line, first.text, first.marks) == (4, "ls\n", {"not run": "needs an account"})
    assert (second.line, second.text, second.marks) == (11, "cd a\n\nls\n", {"exit code": "3"})
