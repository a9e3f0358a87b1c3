"""The reference pages agree with the code. `make docs` writes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_lines import complaint_about
from tools.reference import commands_page, json_page
from tools.reference.page_tables import with_table
from tools.reference.pages import generated_pages

from bulkup.cli.app import load_command
from bulkup.localserver.faults import FaultName

ROOT = Path(__file__).resolve().parents[2]
PAGES = dict(generated_pages(ROOT))


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_up_to_date(name: str) -> None:
    path = ROOT / name
    assert path.exists(), f"{name} is missing; run `make docs`"
    assert path.read_text("utf-8") == PAGES[name], f"{name} is out of date; run `make docs`"


def test_every_command_has_a_correct_example() -> None:
    page = PAGES["docs/reference/commands.md"]
    sections = re.split(r"^## bulkup ", page, flags=re.MULTILINE)[1:]
    assert len(sections) > 20
    for section in sections:
        examples = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
        assert examples, section.partition("\n")[0]


def test_a_command_without_an_example_is_refused() -> None:
    command = load_command("man")
    command.help = "Print."
    with pytest.raises(ValueError, match="`bulkup new` has no example"):
        commands_page.examples_of("new", command)


def test_examples_beside_the_help_are_needed_and_correct() -> None:
    for path, line in commands_page.EXAMPLES.items():
        assert line.startswith(f"bulkup {path}")
        assert complaint_about(line.partition(" |")[0].split()[1:]) is None


def test_the_table_of_faults_has_every_fault() -> None:
    assert re.findall(r"^\| `([a-z0-9-]+)` \| (?:APIs|store)", PAGES["docs/server.md"], re.MULTILINE) == list(FaultName)


def test_a_page_without_its_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no table"):
        with_table("# No table\n", "docs/server.md")


def test_the_types_of_json_fields_are_words() -> None:
    page = json_page.page()
    assert "| `remote_id` | text or null |" in page
    assert "| `files.uploaded` | integer |" in page
    assert "| `example.path_b64` | text | may be missing |" in page
