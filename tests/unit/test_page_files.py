"""The files of the dashboard's page are in the package, and their modules import only one another."""

from __future__ import annotations

import re

from bulkup.dashboard.page_files import read_page_files

FILES = read_page_files().files
IMPORT = re.compile(r"""from "(\./[^"]+)";""")


def test_the_page_and_its_parts_are_there() -> None:
    page = FILES["/"].content.decode()
    named = set(re.findall(r'(?:href|src)="(/[^"]+)"', page))
    assert {"/dashboard.css", "/js/main.js", "/icon.svg"} <= named <= FILES.keys()


def test_modules_import_one_another_alone() -> None:
    """No address of another host, and no file that is missing."""
    modules = {path: file.content.decode() for path, file in FILES.items() if path.endswith(".js")}
    assert len(modules) > 8
    for text in modules.values():
        for name in IMPORT.findall(text):
            assert f"/js/{name[2:]}" in modules
        assert "http:" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https:" not in text


def test_no_module_makes_markup_from_text() -> None:
    for path, file in FILES.items():
        text = file.content.decode()
        for name in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"):
            assert name not in text, path


def test_the_page_has_no_code_or_style_of_its_own() -> None:
    page = FILES["/"].content.decode()
    assert re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", page) is None
