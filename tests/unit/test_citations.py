"""Every citation of a section of docs/design.md or docs/contracts.md names a section that the page has."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("bulkup", "tests", "benchmarks", "docs")
SUFFIXES = {".py", ".md", ".toml", ".sql", ".c"}
FORM = 'write "docs/design.md section 5", "docs/contracts.md section 3.2" or "docs/design.md sections 2 and 5"'

# White space, which may hold a line break and the mark of a comment on the next line.
GAP = r"(?:\s+(?:(?:#|--|\*)\s+)?)"
PAGE = r"(?:docs/)?(?P<page>design|contracts)\.md"
NUMBER = r"\d+(?:\.\d+)*"
LIST = rf"{NUMBER}(?:(?:,{GAP}and|,|{GAP}and){GAP}{NUMBER})*"
# The page may be a Markdown link: [design.md](design.md) section 5.
CITATION = re.compile(rf"{PAGE}\)?{GAP}sections?{GAP}(?P<numbers>{LIST})")
WRONG_FORMS = {
    "an old name": re.compile(rf"\bDESIGN(?:\.md\b|{GAP}sections?\b)"),
    "no word 'section'": re.compile(rf"{PAGE}\)?{GAP}\d"),
    "no number": re.compile(rf"{PAGE}\)?{GAP}sections?\b(?!{GAP}\d)"),
    "the section before its page": re.compile(rf"\bsections?{GAP}{LIST}{GAP}of{GAP}\[?{PAGE}"),
}
NAMES = re.compile(r"DESIGN|design\.md|contracts\.md")
HEADING = re.compile(rf"^#{{2,}} ({NUMBER})\.? ", re.MULTILINE)

Sections = Mapping[str, frozenset[str]]
SAMPLE: Sections = {"design": frozenset({"1", "2"}), "contracts": frozenset({"2", "3.2"})}


def complaints(text: str, sections: Sections) -> Iterator[tuple[int, str]]:
    """Yield the line and a description of each citation in a text that is wrong."""
    if not NAMES.search(text):
        return
    for found in CITATION.finditer(text):
        page = found["page"]
        for number in re.findall(NUMBER, found["numbers"]):
            if number not in sections[page]:
                yield line_of(text, found), f"docs/{page}.md has no section {number}"
    for what, form in WRONG_FORMS.items():
        for found in form.finditer(text):
            yield line_of(text, found), f"{' '.join(found[0].split())!r}: {what}; {FORM}"


def line_of(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start()) + 1


def sections_of(page: str) -> frozenset[str]:
    """Return the numbers of a page's headings. Lines of code blocks count as none."""
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    return frozenset(HEADING.findall(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)))


def files() -> Iterator[Path]:
    folders = [ROOT.glob("*"), *((ROOT / folder).rglob("*") for folder in FOLDERS)]
    for path in sorted(path for paths in folders for path in paths):
        if path.suffix in SUFFIXES and path.is_file() and path != Path(__file__).resolve():
            yield path


@pytest.fixture(scope="module")
def sections() -> Sections:
    return {page: sections_of(page) for page in ("design", "contracts")}


def test_every_citation_names_a_section_that_exists(sections: Sections) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in files()
        for line, what in complaints(path.read_text("utf-8"), sections)
    ]
    assert not found, "\n" + "\n".join(found)


def test_citations_are_found() -> None:
    """A test that looked in the wrong folder would pass too."""
    cited = {found["page"] for path in files() for found in CITATION.finditer(path.read_text("utf-8"))}
    assert cited == {"design", "contracts"}


def test_the_pages_keep_the_sections_that_code_cites(sections: Sections) -> None:
    assert sections["design"] == set("12345678")
    assert {number for number in sections["contracts"] if "." not in number} == set("01234567")
    assert {"1.2", "3.3", "5.2"} <= sections["contracts"]


@pytest.mark.parametrize(
    "text",
    [
        "docs/design.md section 2",
        "docs/contracts.md section 3.2, steps 1 to 8",
        "[design.md](../design.md) section 1",
        "docs/design.md sections 1 and 2",
        "docs/contracts.md sections 2, 3.2",
        "    # as in docs/contracts.md\n    # section 3.2",
        "docs/contracts.md has the contracts",
    ],
)
def test_a_correct_citation_passes(text: str) -> None:
    assert list(complaints(text, SAMPLE)) == []


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("see docs/design.md section 9", 1, "docs/design.md has no section 9"),
        ("\ncontracts.md section 3.4", 2, "docs/contracts.md has no section 3.4"),
        ("docs/contracts.md section 3.2.1", 1, "docs/contracts.md has no section 3.2.1"),
        ("docs/design.md sections 1 and 9", 1, "docs/design.md has no section 9"),
        ("docs/design.md section 1 and 9", 1, "docs/design.md has no section 9"),
        ("docs/design.md sections 9, 1, and 2", 1, "docs/design.md has no section 9"),
        ("# docs/contracts.md\n# section 7", 1, "docs/contracts.md has no section 7"),
        ("[design.md](design.md) section 9", 1, "docs/design.md has no section 9"),
        ("the table of DESIGN section 2", 1, "'DESIGN section': an old name; write"),
        ("DESIGN\n# sections 2 and 1", 1, "'DESIGN # sections': an old name; write"),
        ("see DESIGN.md", 1, "'DESIGN.md': an old name; write"),
        ('contracts.md 2, "One PUT"', 1, "'contracts.md 2': no word 'section'; write"),
        ("docs/design.md section five", 1, "'docs/design.md section': no number; write"),
        ("section 2 of [design.md](design.md)", 1, "'section 2 of [design.md': the section before its page; write"),
    ],
)
def test_a_wrong_citation_is_reported(text: str, line: int, complaint: str) -> None:
    [(where, what)] = complaints(text, SAMPLE)
    assert where == line
    assert what.startswith(complaint)
