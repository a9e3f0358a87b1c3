"""Links of pages work on a code host and in the site, and the navigation is complete."""

from __future__ import annotations

import pytest
from mkdocs.exceptions import PluginError
from tools.site_hooks import check_complete, site_link, title_of, with_links, with_titles


@pytest.mark.parametrize(
    ("source", "address", "target", "link"),
    [
        ("docs/design.md", "design.md", "output.md", "output.md"),
        ("docs/how-to/spool.md", "how-to/spool.md", "../settings.md", "../settings.md"),
        ("docs/design.md", "design.md", "../SECURITY.md", "project/SECURITY.md"),
        ("docs/adr/README.md", "adr/README.md", "../../SECURITY.md", "../project/SECURITY.md"),
        ("docs/settings.md", "settings.md", "../config.example.toml", "repository/config.example.toml.txt"),
        ("README.md", "project/README.md", "docs/how-to/spool.md", "../how-to/spool.md"),
        ("README.md", "project/README.md", "CHANGELOG.md", "CHANGELOG.md"),
        ("CONTRIBUTING.md", "project/CONTRIBUTING.md", "docs/adr", "../adr/README.md"),
        ("SECURITY.md", "project/SECURITY.md", "bulkup/errors.py", "../repository/bulkup/errors.py.txt"),
        ("docs/library.md", "library.md", "../examples/library", None),
    ],
)
def test_the_link_in_the_site(source: str, address: str, target: str, link: str | None) -> None:
    assert site_link(source, address, target) == link


def test_only_links_to_files_are_replaced() -> None:
    """Code, web addresses and links within a page stay."""
    page = "[a](b.md#c), [`d`](e.md), [f](https://g/h), [i](#j), `[k](l)`\n\n```sh\n[m](n.md)\n```\n\n    [o](p.md)\n"
    expected = page.replace("(b.md#c)", "(B.MD#c)").replace("(e.md)", "(E.MD)")
    assert with_links(page, str.upper) == expected


def test_a_link_without_a_target_becomes_text() -> None:
    assert with_links("see [the `examples`](../examples), all", lambda _: None) == "see the `examples`, all"


def test_a_file_name_as_the_text_of_a_link_becomes_the_title_of_the_page() -> None:
    page = "[b.md](b.md#c), [how-to/b.md](how-to/b.md), [the page](b.md), [d.md](d.md), `[b.md](b.md)`\n"
    expected = "[B!](b.md#c), [B!](how-to/b.md), [the page](b.md), [d.md](d.md), `[b.md](b.md)`\n"
    assert with_titles(page, {"b.md": "B!", "how-to/b.md": "B!"}.get) == expected


def test_the_title_is_the_first_heading() -> None:
    assert title_of("docs/how-to/spool.md", "../settings.md") == "Settings"
    assert title_of("docs/settings.md", "none.md") is None


def test_a_page_that_the_navigation_leaves_out_is_refused() -> None:
    with pytest.raises(PluginError, match=r"how-to/new\.md(.|\n)*`nav` in mkdocs\.yml"):
        check_complete(["index.md", "how-to/new.md"], ["index.md"])
    check_complete(["index.md"], ["index.md", "project/README.md"])
