"""The asset map: entries are read back for any file names, and errors are reported by line."""

import base64
import csv
import io
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config import Asset, SettingsError, load_asset_map
from bulkup.config.asset_lines import read_csv_lines, read_json_lines
from bulkup.config.assets import CATEGORIES, ONE_TYPE
from bulkup.config.list_rows import LONGEST_LINE, WrongLine

HEADER = "path,asset_id,asset_file_category,name\n"


class Tree:
    """A source with files in it, and a map outside of it."""

    def __init__(self, root: Path, *names: bytes) -> None:
        self.source = os.fsencode(os.path.realpath(root)) + b"/source"
        self.folder = os.fsdecode(os.path.dirname(self.source))
        for name in names:
            path = os.path.join(self.source, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb"):
                pass

    def map(self, text: str | bytes, name: str = "map.csv") -> str:
        path = f"{self.folder}/{name}"
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def load(self, text: str | bytes, name: str = "map.csv") -> Mapping[str, Asset]:
        return load_asset_map(self.map(text, name), self.source)

    def refused(self, text: str | bytes, name: str = "map.csv") -> list[str]:
        """The complaints without the map's path, each on its line."""
        with pytest.raises(SettingsError) as caught:
            self.load(text, name)
        return [complaint.line.replace(f"{self.folder}/{name}:", "") for complaint in caught.value.complaints]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path, b"a.mp4", b"b.mp4", b"d/c.mp4")


def test_a_table_assigns_an_asset_to_each_file(tree: Tree) -> None:
    found = tree.load(HEADER + "a.mp4,one,MAIN,intro.mp4\nb.mp4,one,,\n\nd/c.mp4,two,COVER,\n")
    assert found == {
        "a.mp4": Asset("one", "MAIN", "intro.mp4"),
        "b.mp4": Asset("one", None, None),
        "d/c.mp4": Asset("two", "COVER", None),
    }


def test_a_table_may_have_the_type_of_each_asset(tree: Tree) -> None:
    """The category of a line is checked against it."""
    header = "path,asset_id,asset_type,asset_file_category\n"
    assert tree.load(header + "a.mp4,one,PPT,PAGE\nb.mp4,one,PPT,\n") == {
        "a.mp4": Asset("one", "PAGE", None, "PPT"),
        "b.mp4": Asset("one", None, None, "PPT"),
    }
    assert tree.refused(header + "a.mp4,one,VIDEO,PAGE\nb.mp4,one,FILM,\n") == [
        "2: asset_file_category: an asset of type VIDEO has no PAGE files, only MAIN, COVER, OTHER",
        f"3: asset_type: expected {ONE_TYPE}, not 'FILM'",
    ]
    wrong = b'{"path": "a.mp4", "asset_id": "one", "asset_type": 5}'
    assert tree.refused(wrong, "map.jsonl") == [f"1: asset_type: expected {ONE_TYPE}, not 5"]


def test_columns_are_optional_and_have_any_order(tree: Tree) -> None:
    assert tree.load("asset_id,path\none,a.mp4\n") == {"a.mp4": Asset("one")}


def test_tables_from_spreadsheets_are_read(tree: Tree) -> None:
    assert tree.load(b"\xef\xbb\xbf" + b'"path","asset_id"\r\n"a.mp4","one"\r\n') == {"a.mp4": Asset("one")}


@pytest.mark.parametrize("name", ["map.jsonl", "map.ndjson", "MAP.JSONL"])
def test_lines_of_json_give_the_same_result(tree: Tree, name: str) -> None:
    lines = [
        {"path": "a.mp4", "asset_id": "one", "asset_file_category": "MAIN", "name": "intro.mp4"},
        {"path": "b.mp4", "asset_id": "one", "name": None},
        {"path_b64": base64.b64encode(b"d/c.mp4").decode(), "asset_id": "two"},
    ]
    text = "\ufeff" + "\r\n\n".join(json.dumps(line) for line in lines)
    assert tree.load(text, name) == {
        "a.mp4": Asset("one", "MAIN", "intro.mp4"),
        "b.mp4": Asset("one"),
        "d/c.mp4": Asset("two"),
    }


def test_spellings_of_a_path_are_normalised(tree: Tree) -> None:
    inside = os.fsdecode(tree.source)
    found = tree.load(f"path,asset_id\n./d/../a.mp4,one\n{inside}//b.mp4,one\nd//c.mp4,one\n")
    assert list(found) == ["a.mp4", "b.mp4", "d/c.mp4"]


def test_an_absolute_path_may_lead_into_the_source_through_a_link(tree: Tree) -> None:
    os.symlink(tree.source, f"{tree.folder}/link")
    assert list(tree.load(f"path,asset_id\n{tree.folder}/link/a.mp4,one\n")) == ["a.mp4"]


def test_a_map_without_lines_is_empty(tree: Tree) -> None:
    assert tree.load(HEADER) == tree.load("", "map.jsonl") == {}


def test_equal_assets_and_equal_texts_are_stored_once(tree: Tree) -> None:
    found = tree.load(HEADER + "a.mp4,one,COVER,\nb.mp4,one,COVER,\nd/c.mp4,one,COVER,x\n")
    assert found["a.mp4"] is found["b.mp4"]
    assert found["a.mp4"].asset_id is found["d/c.mp4"].asset_id
    assert found["a.mp4"].asset_file_category is found["d/c.mp4"].asset_file_category


def test_all_errors_in_a_table_are_reported_by_line(tree: Tree) -> None:
    text = HEADER + (
        "a.mp4,one,MAIN,\n"
        "./a.mp4,one,,\n"
        "b.mp4,one,MAIN,\n"
        ",one,,\n"
        "../x,one,,\n"
        "/etc/passwd,one,,\n"
        "gone.mp4,one,,\n"
        "d,one,,\n"
        ".,one,,\n"
        "b.mp4,,,\n"
        "b.mp4,o n e,,\n"
        "b.mp4,one,main,\n"
        "b.mp4,one\n"
        f"b.mp4,one,,{'x' * 257}\n"
        '"b\n.mp4",one,,"a\tb"\n'
    )
    source = os.fsdecode(tree.source)
    long = f"'{'x' * 79}..."
    name = "name: expected 1 to 256 characters, none of them a control character, not"
    assert tree.refused(text) == [
        "3: path './a.mp4' is already in line 2",
        "4: asset one already has its MAIN in line 2; an asset has exactly one",
        "5: path is missing",
        f"6: path '../x' is outside the source '{source}'",
        f"7: path '/etc/passwd' is outside the source '{source}'",
        f"8: path 'gone.mp4' does not exist in '{source}'",
        "9: path 'd' is not a regular file",
        "10: path '.' is not a regular file",
        "11: asset_id is missing",
        "12: asset_id: expected 1 to 64 letters, digits, _ or -, not 'o n e'",
        f"13: asset_file_category: expected one of {', '.join(CATEGORIES)}, not 'main'",
        "14: 2 values, but the header has 4",
        f"15: {name} {long}",
        f"16: {name} 'a\\tb'",
    ]


def test_all_errors_in_lines_of_json_are_reported_by_line(tree: Tree) -> None:
    lines = [
        b"[]",
        b'{"path": "a.mp4", "asset": "one"}',
        b'{"path": "a.mp4", "asset_id": "one", "zzz": 1}',
        b'{"path": "a.mp4", "path_b64": "YQ==", "asset_id": "one"}',
        b'{"asset_id": "one"}',
        b'{"path": 5, "asset_id": "one"}',
        b'{"path_b64": "Y!", "asset_id": "one"}',
        b'{"path_b64": "\xc3\xa9", "asset_id": "one"}',
        b'{"path": "a\\u0000", "asset_id": "one"}',
        b'{"path": "a.mp4", "asset_id": 5}',
        b'{"path": "a.mp4", "asset_id": "one", "asset_file_category": []}',
        b'{"path": "a.mp4", "asset_id": "one", "name": ""}',
        b'{"path": "a.mp4"',
        b'{"path": "a\xff.mp4", "asset_id": "one"}',
        b'{"path": "\\ud800", "asset_id": "one"}',
    ]
    known = "the keys are path, path_b64, asset_id, asset_file_category, name, asset_type"
    form = 'such as {"path": "a.mp4", "asset_id": "..."}'
    complaints = tree.refused(b"\n".join(lines), "map.jsonl")
    assert complaints[:-3] == [
        f"1: expected an object ({form})",
        '2: unknown key "asset" (did you mean "asset_id"?)',
        f'3: unknown key "zzz" ({known})',
        "4: path and path_b64 are both given; expected one",
        "5: path is missing",
        "6: path: expected text, not 5",
        "7: path_b64: expected Base64, not 'Y!'",
        "8: path_b64: expected Base64, not 'é'",
        "9: path 'a\\x00' contains a NUL",
        "10: asset_id: expected 1 to 64 letters, digits, _ or -, not 5",
        f"11: asset_file_category: expected one of {', '.join(CATEGORIES)}, not []",
        "12: name: expected 1 to 256 characters, none of them a control character, not ''",
    ]
    assert complaints[-3].startswith("13: not valid JSON: unexpected end of data in column ")
    assert complaints[-2].startswith("14: not UTF-8 text (save the file as UTF-8; ")
    assert complaints[-1].startswith("15: not valid JSON: ")


EMPTY = "1: it is empty (expected a header row: path,asset_id,asset_file_category,name,asset_type)"
NO_ID = '1: there is no column "asset_id" (the columns are path, asset_id, asset_file_category, name, asset_type)'
NOT_UTF8 = "not UTF-8 text (save the file as UTF-8; in a .jsonl file, path_b64 can hold a name that is not UTF-8)"


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("", [EMPTY]),
        ("\n\n", [EMPTY]),
        ("path,asset\na,b", ['1: unknown column "asset" (did you mean "asset_id"?)', NO_ID]),
        ("path\na", [NO_ID]),
        ("path,path,asset_id\n", ['1: column "path" is given twice']),
        (b"path,asset_id\nb.mp4,one\na\xff,one\n,\n", [f"3: {NOT_UTF8}"]),
        (b"\xff\xfep\0a\0", [f"1: {NOT_UTF8}"]),
        ('path,asset_id\n\n"a.mp4,one\nb.mp4,one\n', ["3: not valid CSV: unexpected end of data"]),
        ('path,asset_id\n"a"b,one\n', ["2: not valid CSV: ',' expected after '\"'"]),
        ("path,asset_id\na\rb,one\n", ["2: not valid CSV: new-line character seen in unquoted field"]),
    ],
)
def test_a_malformed_table(tree: Tree, text: Any, complaints: list[str]) -> None:
    assert tree.refused(text) == complaints


def test_only_twenty_of_many_complaints_are_shown(tree: Tree) -> None:
    with pytest.raises(SettingsError) as caught:
        tree.load(HEADER + "a.mp4,one,,\n" * 40)
    lines = caught.value.message.splitlines()
    assert (lines[0], lines[-1].strip()) == ("39 problems in the settings:", "... and 19 more")
    assert len(lines) == 22


@pytest.mark.parametrize("name", ["map.txt", "map", "map.csv.gz"])
def test_the_extension_of_a_map_decides_its_form(tree: Tree, name: str) -> None:
    with pytest.raises(SettingsError, match=r"asset_map: expected a file that ends in \.csv, \.jsonl, \.ndjson"):
        tree.load(HEADER, name)


@pytest.mark.parametrize("name", ["source/map.csv", "source/d/map.csv", "link/map.csv"])
def test_a_map_inside_the_source_is_refused(tree: Tree, name: str) -> None:
    """It would be uploaded together with the files that it lists."""
    os.symlink(tree.source, f"{tree.folder}/link")
    with pytest.raises(SettingsError, match=r"asset_map: is inside the source .*, so it would be uploaded") as caught:
        tree.load(HEADER, name)
    assert caught.value.complaints[0].hint == "keep it outside the source"


def test_a_map_that_cannot_be_read_is_named(tree: Tree) -> None:
    with pytest.raises(SettingsError) as caught:
        load_asset_map(f"{tree.folder}/none.csv", tree.source)
    assert caught.value.message == f"{tree.folder}/none.csv: asset_map: cannot be read: No such file or directory"
    os.mkdir(f"{tree.folder}/folder.csv")
    with pytest.raises(SettingsError, match="Is a directory"):
        load_asset_map(f"{tree.folder}/folder.csv", tree.source)


def test_a_file_that_cannot_be_checked_is_named(tree: Tree) -> None:
    assert tree.refused("path,asset_id\na.mp4/x,one\n") == ["2: path 'a.mp4/x' cannot be checked: Not a directory"]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20)
NAMES = TEXTS.map(lambda text: text.encode())
BYTES = st.binary(min_size=1, max_size=30).map(lambda name: name.replace(b"/", b"").replace(b"\0", b"") or b"x")
ASSETS = st.builds(
    Asset,
    st.sampled_from(["one", "two-2", "_"]),
    st.none() | st.sampled_from([name for name in CATEGORIES if name != "MAIN"]),
    st.none() | st.sampled_from(["intro.mp4", 'a "name", quoted', "ü"]),
)


def usable(name: bytes) -> bool:
    return name not in (b".", b"..")


@hypothesis.settings(max_examples=50)
@given(st.dictionaries(NAMES.filter(usable), ASSETS, max_size=5))
def test_a_table_with_any_file_names_is_read_back(entries: dict[bytes, Asset]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder), *entries)
        with open(f"{tree.folder}/map.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "asset_id", "asset_file_category", "name"])
            for name, asset in entries.items():
                writer.writerow([name.decode(), asset.asset_id, asset.asset_file_category, asset.name])
        found = load_asset_map(f"{tree.folder}/map.csv", tree.source)
    assert found == {os.fsdecode(name): asset for name, asset in entries.items()}


@hypothesis.settings(max_examples=50)
@given(st.dictionaries((NAMES | BYTES).filter(usable), ASSETS, max_size=5))
def test_lines_of_json_with_any_file_names_are_read_back(entries: dict[bytes, Asset]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder), *(b"d/" + name for name in entries))
        lines = []
        for name, asset in entries.items():
            path = {"path_b64": base64.b64encode(b"d/" + name).decode()}
            if os.fsdecode(name).isprintable():
                path = {"path": "d/" + name.decode()}
            lines.append(
                json.dumps(
                    path
                    | {"asset_id": asset.asset_id, "asset_file_category": asset.asset_file_category, "name": asset.name}
                )
            )
        found = tree.load("\n".join(lines), "map.jsonl")
    assert found == {os.fsdecode(b"d/" + name): asset for name, asset in entries.items()}


@hypothesis.settings(max_examples=200)
@given(st.one_of(st.binary(max_size=60), st.text('pathse_id,"\n\r{}[]:a.mp4', max_size=60).map(str.encode)))
def test_a_file_of_any_bytes_gives_a_map_or_complaints(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder), b"a.mp4")
        for name in ("map.csv", "map.jsonl"):
            for text in (data, b"path,asset_id\n" + data):
                try:
                    found = set(tree.load(text, name)) <= {"a.mp4"}
                except SettingsError as error:
                    found = error.message.isprintable() or "\n" in error.message
                assert found


@pytest.mark.parametrize("read", [read_csv_lines, read_json_lines])
def test_an_endless_line_is_refused(read: Any) -> None:
    """It would fill the memory. The rest of the file is not read."""
    begin = b"path,asset_id\n" if read is read_csv_lines else b""
    file = io.BytesIO(begin + b"x" * (LONGEST_LINE + 1) + b"\na.mp4,asset\n")
    (wrong,) = read(file)
    assert isinstance(wrong, WrongLine)
    assert "more than 65536 bytes" in wrong.what


LONG = "asset_id" * 1000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map.csv", f"path,asset_id,{LONG}\n"),
        ("map.csv", f"{HEADER}{LONG},1,,\n"),
        ("map.jsonl", json.dumps({"path": "a", LONG: 1})),
        ("map.jsonl", json.dumps({"path": LONG, "asset_id": "1"})),
        ("map.jsonl", json.dumps({"path": "../" * 3000, "asset_id": "1"})),
    ],
)
def test_messages_about_long_names_are_short(tmp_path: Path, name: str, text: str) -> None:
    """They name the fault, for a person with a terminal."""
    tree = Tree(tmp_path)
    os.makedirs(tree.source)
    with pytest.raises(SettingsError) as raised:
        load_asset_map(tree.map(text, name), tree.source)
    assert len(str(raised.value)) < 3000
    assert all(word in str(raised.value) for word in (name, "asset_id" if LONG in text else "outside"))
