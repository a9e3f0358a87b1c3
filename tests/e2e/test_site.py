"""The site of docs/ can be built, and needs no network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What a browser loads without a click.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|audio|video|embed)\b[^>]*?\bsrc=["']?(?P<src>[^"'\s>]+)"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preload|preconnect|dns-prefetch|icon))[^>]*?\bhref=["']?(?P<href>[^"'\s>]+)"""
    r"""|\burl\(["']?(?P<url>[^"')]+)|@import ["'](?P<imported>[^"']+)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site. Broken links, broken anchors and pages without a place in the navigation are errors."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in {".html", ".css", ".svg"}]
    loaded = {
        (str(path.relative_to(site)), address)
        for path in files
        for found in LOADED.finditer(path.read_text("utf-8"))
        for address in found.groups()
        if address
    }
    assert len(loaded) > len(files)
    assert {(path, address) for path, address in loaded if re.match(r"(?:[a-z]+:)?//", address)} == set()


def test_the_site_has_the_pages_of_the_repository(site: Path) -> None:
    for page in ("index", "design", "project/README", "project/SECURITY", "project/CONTRIBUTING", "project/CHANGELOG"):
        assert (site / page).with_suffix(".html").is_file() or (site / page).parent.joinpath("index.html").is_file()
    security = (site / "design.html").read_text("utf-8")
    assert 'href="project/SECURITY.html' in security


def test_the_search_prefers_the_pages_for_users(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    boosts = {entry["location"]: entry.get("boost", 1) for entry in index["docs"]}
    assert boosts["why-not-uploaded.html"] > boosts["design.html"] > boosts["contracts.html"]
    assert boosts["project/SECURITY.html"] < 1
