"""The URL list: entries are found by path, and errors are reported by line."""

import base64
import io
import json
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config.complaints import SettingsError
from bulkup.errors import UsageError
from bulkup.providers.urls.url_list import UrlList, load_url_list

ROOT = b"/data/media"
URL = "https://storage.example/{}?sig=s3cr3t"


def write(folder: Path, text: str, name: str = "list.csv") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def refused(path: str, root: bytes = ROOT) -> list[str]:
    """Return the complaints without the list's path, each on its line."""
    with pytest.raises(SettingsError) as caught:
        load_url_list(path, root)
    lines = [complaint.line.replace(f"{path}:", "") for complaint in caught.value.complaints]
    assert "s3cr3t" not in "".join(lines)
    return lines


def urls_of(urls: UrlList, *paths: bytes) -> list[str | None]:
    found = [urls.get(path) for path in paths]
    return [None if entry is None else entry.url.reveal() for entry in found]


def test_a_table_is_read(tmp_path: Path) -> None:
    text = f"path,url,id\na.mp4,{URL.format(1)},one\nd/b.mp4,{URL.format(2)},\n"
    urls = load_url_list(write(tmp_path, text), ROOT)
    assert len(urls) == 2
    assert urls_of(urls, b"a.mp4", b"d/b.mp4", b"c.mp4") == [URL.format(1), URL.format(2), None]
    urls.close()


def test_json_lines_are_read(tmp_path: Path) -> None:
    text = (
        json.dumps({"url": URL.format(1), "path": "a.mp4"})
        + "\n\n"
        + json.dumps({"url": "http://x/", "path_b64": "/w=="})
    )
    urls = load_url_list(write(tmp_path, text, "list.jsonl"), ROOT)
    assert urls_of(urls, b"a.mp4", b"\xff") == [URL.format(1), "http://x/"]
    urls.close()


@pytest.mark.parametrize(
    "text", [f"path,url\na.mp4,{URL.format(1)}\n", json.dumps({"path": "a.mp4", "url": URL.format(1)})]
)
def test_standard_input_is_read_in_both_forms(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text.encode()))))
    urls = load_url_list("-", ROOT)
    assert urls_of(urls, b"a.mp4") == [URL.format(1)]
    urls.close()


def test_absolute_paths_below_the_source_are_relative_to_it(tmp_path: Path) -> None:
    urls = load_url_list(write(tmp_path, f"path,url\n/data/media/d/./a.mp4,{URL.format(1)}\n"), ROOT)
    assert urls_of(urls, b"d/a.mp4") == [URL.format(1)]
    urls.close()


def test_wrong_rows_are_reported_by_line(tmp_path: Path) -> None:
    rows = [
        "path,url",
        "a,",
        f"../b,{URL.format(2)}",
        f"/etc/c,{URL.format(3)}",
        f"d,{URL.format(4)}",
        f"./d,{URL.format(5)}",
    ]
    lines = refused(write(tmp_path, "\n".join([*rows, f"e,{URL.format(4)}"])))
    assert lines[0].startswith("2: url is missing")
    assert "3: path '../b' is outside the source" in lines[1]
    assert "4: path '/etc/c' is outside the source" in lines[2]
    assert "6: path 'd' is already in line 5" in lines[3]
    assert "7: the url is already in line 5" in lines[4]


def test_complaints_are_in_the_order_of_lines(tmp_path: Path) -> None:
    """Repetitions are found after the whole list was read."""
    rows = ["path,url", f"a,{URL.format(1)}", f"a,{URL.format(2)}", "b,", f"c,{URL.format(1)}", "d,"]
    assert [line.partition(":")[0] for line in refused(write(tmp_path, "\n".join(rows)))] == ["3", "4", "5", "6"]


def test_a_list_without_a_header_row_shows_no_url(tmp_path: Path) -> None:
    lines = refused(write(tmp_path, f"a.mp4,{URL.format(1)}\n"))
    assert any("is there a header row?" in line for line in lines)


@pytest.mark.parametrize(("name", "said"), [("list.csv", "it is empty"), ("list.jsonl", "it has no entry")])
def test_an_empty_list_is_refused(tmp_path: Path, name: str, said: str) -> None:
    assert said in refused(write(tmp_path, "", name))[0]


def test_a_list_inside_the_source_is_refused(tmp_path: Path) -> None:
    root = os.fsencode(os.path.realpath(tmp_path))
    assert "inside the source" in refused(write(tmp_path, "path,url\n"), root)[0]


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    assert ".csv" in refused(write(tmp_path, "", "list.txt"))[0]


def test_a_missing_list_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the URL list"):
        load_url_list(str(tmp_path / "none.csv"), ROOT)


def test_a_temporary_folder_that_cannot_be_written_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="temporary file"):
        load_url_list(write(tmp_path, f"path,url\na,{URL.format(1)}\n"), ROOT)


def test_the_digest_changes_with_the_list(tmp_path: Path) -> None:
    lists = [load_url_list(write(tmp_path, f"path,url\na,{URL.format(number)}\n"), ROOT) for number in (1, 2, 1)]
    digests = [repr(each) for each in lists]
    assert digests[0] == digests[2] != digests[1]
    for each in lists:
        each.close()


@given(
    st.sets(
        st.binary(min_size=1, max_size=30).filter(lambda path: not set(path) & {0, 0x2F, 0x2E}), min_size=1, max_size=50
    )
)
def test_every_entry_is_found_and_no_other(paths: set[bytes]) -> None:
    rows = [
        json.dumps({"path_b64": base64.b64encode(path).decode(), "url": URL.format(number)})
        for number, path in enumerate(sorted(paths))
    ]
    with tempfile.TemporaryDirectory() as folder:
        urls = load_url_list(write(Path(folder), "\n".join(rows), "list.jsonl"), ROOT)
    assert urls_of(urls, *sorted(paths)) == [URL.format(number) for number in range(len(rows))]
    assert urls_of(urls, b"a.b") == [None]
    urls.close()
