"""Hooks of mkdocs: links that leave docs/, and pages that the navigation leaves out.

On a code host, a link such as `../SECURITY.md` opens the file of the repository. In the site:

- a Markdown page outside docs/ becomes a page in `project/`, with its links adapted,
- any other file is copied into `repository/`, as text,
- a link to a folder without a page becomes plain text,
- a link whose text is a file name, such as `settings.md`, has the title of that page instead.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "project"
COPIES = "repository"
# The weight of pages in the search: users come before developers.
_BOOST = {"why-not-uploaded.md": 2, "faq.md": 2, "contracts.md": 0.5, "architecture.md": 0.5}
_BOOST_OF_PROJECT = 0.3
# The earliest match wins, so links in code stay, and code in the text of a link does not hide the link.
_CODE = r"^(?P<indent> *)(?P<fence>```|~~~).*?^(?P=indent)(?P=fence)|^    [^\n]*$|`[^`\n]*`"
_LINK = r"(?P<text>\[(?:[^\]\[]|\[[^\]]*\])*\])\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)"
_PAGE_NAME = re.compile(r"\[(?:[\w-]+/)*[\w-]+\.md\]")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_CODE_OR_LINK = re.compile(f"{_CODE}|{_LINK}", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the repository's root, and the files that pages link to."""
    pending = {source for page in files.documentation_pages() for source in _outside(f"docs/{page.src_uri}")}
    pending |= {"README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md"}
    added: set[str] = set()
    while pending:
        source = pending.pop()
        added.add(source)
        if source.endswith(".md"):
            pending |= set(_outside(source)) - added
        path = ROOT / source
        content = path.read_text("utf-8")
        files.append(File.generated(config, _address(source), content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Adapt the links of a page to the site, and set its weight in the search."""
    address = page.file.src_uri
    boost = _BOOST_OF_PROJECT if address.startswith(f"{PROJECT}/") else _BOOST.get(address, 1)
    page.meta["search"] = {"boost": boost}
    source = address.removeprefix(f"{PROJECT}/") if address.startswith(f"{PROJECT}/") else f"docs/{address}"
    titled = with_titles(markdown, lambda target: title_of(source, target))
    return with_links(titled, lambda target: site_link(source, address, target))


def on_nav(nav: Any, config: Any, files: Files) -> Any:
    """Refuse a page of docs/ that the navigation leaves out."""
    del config
    shown = {page.file.src_uri for page in nav.pages}
    check_complete({page.src_uri for page in files.documentation_pages() if page.generated_by is None}, shown)
    return nav


def check_complete(pages: Iterable[str], shown: Iterable[str]) -> None:
    """Raise PluginError if a page is missing in the navigation."""
    if missing := sorted(set(pages) - set(shown)):
        name = missing[0]
        raise PluginError(
            f"not in the navigation: {', '.join(missing)}.\nAdd a line to `nav` in mkdocs.yml, under the kind of the "
            f"page (tutorial, how-to, reference or explanation):\n      - A short title: {name}"
        )


def with_links(markdown: str, replacement: Callable[[str], str | None]) -> str:
    """Return a page with each link target replaced; None makes a link plain text. Code and web addresses stay."""

    def replaced(found: re.Match[str]) -> str:
        target = found["target"]
        if target is None or "://" in target or target.startswith("mailto:"):
            return found[0]
        link = replacement(target)
        return found["text"][1:-1] if link is None else f"{found['text']}({link}{found['anchor'] or ''})"

    return _CODE_OR_LINK.sub(replaced, markdown)


def with_titles(markdown: str, title: Callable[[str], str | None]) -> str:
    """Return a page with the title of the target as the text of each link whose text is a file name."""

    def replaced(found: re.Match[str]) -> str:
        if found["target"] is None or not _PAGE_NAME.fullmatch(found["text"]):
            return found[0]
        text = title(found["target"])
        return found[0] if text is None else f"[{text}]({found['target']}{found['anchor'] or ''})"

    return _CODE_OR_LINK.sub(replaced, markdown)


def title_of(source: str, target: str) -> str | None:
    """Return the first heading of the page that a link of `source` points to, None if it is no page with one."""
    path = _resolved(source, target)
    if path is None or not (ROOT / path).is_file():
        return None
    heading = _TITLE.search((ROOT / path).read_text("utf-8"))
    return None if heading is None else heading[1]


def site_link(source: str, address: str, target: str) -> str | None:
    """Return the link from a page of the site to the target of a link in its source, None if the site lacks the target.

    `source` is the page's path in the repository, `address` its path in the site. `target` is relative to the source.
    """
    path = _resolved(source, target)
    if path is None:
        return None
    there = path.removeprefix("docs/") if path.startswith("docs/") else _address(path)
    return posixpath.relpath(there, posixpath.dirname(address) or ".")


def _outside(source: str) -> Iterator[str]:
    """Yield the files outside docs/ that a page links to."""
    targets = list[str]()

    def noted(target: str) -> str:
        targets.append(target)
        return target

    with_links((ROOT / source).read_text("utf-8"), noted)
    for target in targets:
        path = _resolved(source, target)
        if path is not None and not path.startswith("docs/"):
            yield path


def _resolved(source: str, target: str) -> str | None:
    """Return a target as a path in the repository. A folder stands for its README.md."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if (ROOT / path).is_dir():
        path = f"{path}/README.md"
        return path if (ROOT / path).is_file() else None
    return path


def _address(path: str) -> str:
    """Return the path in the site of a file outside docs/."""
    if path.endswith(".md"):
        return f"{PROJECT}/{path}"
    return f"{COPIES}/{path}.txt"
