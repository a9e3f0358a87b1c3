"""The tables of a described service: errors name file, line and key, with suggestions, and secrets are masked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config import SettingsError, check_profiles, load
from bulkup.config.described_service import TABLES, DescriptionError, HttpDescription
from bulkup.config.description_parsing import parse_description
from bulkup.reports.setting_values import value_lines

GOOD = """\
[profiles.vendor]
provider = "http"
source = ["."]
base_url = "https://api.vendor.example"
token = "env:VENDOR_TOKEN"
[profiles.vendor.http]
batch_size = 100
checksum = "md5"
extensions = []
max_size = "5 GiB"
[profiles.vendor.http.presign]
method = "POST"
path = "/v1/uploads"
headers = { Authorization = "Bearer {token}" }
item = { name = "{name}", size = "{size}", md5 = "{md5_base64}", type = "{content_type}" }
body = { files = "{items}" }
[profiles.vendor.http.answer]
tickets = "items"
match = "order"
url = "upload_url"
id = "id"
expires = "expires_at"
headers = "headers"
rejected = "error"
error = "error.message"
statuses = { 409 = "rejected" }
"""


def complaints(folder: Path, text: str, **environ: str) -> list[str]:
    """Return what `config check` says about a file."""
    (folder / "bulkup.toml").write_text(text)
    try:
        check_profiles(
            profile=None,
            config_file=None,
            environ={"VENDOR_TOKEN": "t", **environ},
            cwd=str(folder),
            run_commands=False,
        )
    except SettingsError as error:
        return [complaint.line for complaint in error.complaints]
    return []


def test_the_example_of_the_issue_is_right(tmp_path: Path) -> None:
    assert complaints(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("right", "wrong", "where", "what"),
    [
        ('"{name}"', '"{nmae}"', 15, 'there is no {nmae} here (did you mean "name"?)'),
        (
            '"{size}"',
            '"{bytes}"',
            15,
            "there is no {bytes} here (known here: {path}, {name}, {stem}, {ext}, {extension},",
        ),
        ('"{size}"', '"{bytes}"', 15, "settings by name, such as {token}; a name of your own belongs into the table"),
        (
            'body = { files = "{items}" }',
            'body = { files = "{items}", n = "{zz}" }',
            16,
            "known here: {items}, settings",
        ),
        ("Bearer {token}", "Bearer {bytes}", 14, "known here: settings by name, such as {token}"),
        ('url = "upload_url"', 'url = "upload-url"', 20, """needs quotes: '"upload-url"'"""),
        ('"{name}"', '"{name"', 15, "its braces are not balanced"),
        ('"{name}"', '"{name.__class__}"', 15, "without . : ! or []"),
        (
            'path = "/v1/uploads"',
            'path = "/v1/{name}"',
            13,
            "{name} belongs to one file, and this call is for up to 100",
        ),
        ('path = "/v1/uploads"', 'path = "v1/uploads"', 13, 'begins with "/"'),
        (
            'path = "/v1/uploads"',
            'paht = "/v1/uploads"',
            13,
            'http.presign has an unknown key "paht" (did you mean "path"?)',
        ),
        ('path = "/v1/uploads"\n', "", 11, "http.presign has no path"),
        ('method = "POST"', 'method = "post"', 12, "expected a method in capitals"),
        ("{token}", "{tokn}", 14, 'did you mean "token"?'),
        ('body = { files = "{items}" }', 'body = { files = "{item}" }', 16, 'did you mean "items"?'),
        ('body = { files = "{items}" }', 'body = { files = "x {items}" }', 16, "stands alone in its value"),
        ('body = { files = "{items}" }', "body = { files = 1 }", 16, "{items} is missing"),
        ('url = "upload_url"', 'url = "upload_url["', 20, "http.answer.url: expected a JMESPath expression"),
        ('url = "upload_url"', 'url = "lenght(a)"', 20, 'did you mean "length"?'),
        ('url = "upload_url"\n', "", 17, "http.answer has no url"),
        ('match = "order"', 'match = "name"', 19, 'expected "order", or a table'),
        ('match = "order"', 'match = { answer = "name", file = "{nam}" }', 19, "there is no {nam} here"),
        ('checksum = "md5"', 'checksum = "none"', 15, "{md5_base64} is not known before the call"),
        ('checksum = "md5"', 'checksum = "sha1"', 8, "http.checksum: expected none, md5, sha256"),
        ("batch_size = 100", "batch_size = 0", 7, "http.batch_size: expected a whole number from 1"),
        ('max_size = "5 GiB"', 'max_size = "big"', 10, "http.max_size: expected a size"),
        ("extensions = []", "extensions = [5]", 9, "http.extensions: expected a list of extensions"),
        ("[profiles.vendor.http.answer]", "[profiles.vendor.http.anwser]", 17, 'did you mean "answer"?'),
        ("{ Authorization =", '{ "bad header" =', 14, "expected the names of headers"),
        ("{ Authorization =", '{ authorization = "x", Authorization =', 14, "expected each header once"),
    ],
)
def test_errors_have_file_and_line(tmp_path: Path, right: str, wrong: str, where: int, what: str) -> None:
    assert right in GOOD
    found = complaints(tmp_path, GOOD.replace(right, wrong))
    assert any(line.startswith(f"bulkup.toml:{where}: ") and what in line for line in found), found


def test_a_setting_that_a_template_names_must_be_set(tmp_path: Path) -> None:
    """Secrets, other settings, and the root of the API."""
    (found,) = complaints(tmp_path, GOOD.replace('token = "env:VENDOR_TOKEN"\n', ""))
    assert "names token, which is not set" in found
    (found,) = complaints(tmp_path, GOOD.replace("/v1/uploads", "/v1/{project_id}/uploads"))
    assert "http needs project_id" in found
    (found,) = complaints(tmp_path, GOOD.replace('base_url = "https://api.vendor.example"\n', ""))
    assert "http needs base_url" in found


def test_a_profile_without_a_description(tmp_path: Path) -> None:
    (found,) = complaints(tmp_path, '[profiles.vendor]\nprovider = "http"\nsource = ["."]\n')
    assert "http needs http (describe the service in a table [profiles.NAME.http]" in found


def test_own_secrets(tmp_path: Path) -> None:
    """They are fetched as others, checked with their line, and those in files are relative to the configuration."""
    text = """\
[profiles.blob]
provider = "http"
source = ["."]
[profiles.blob.http]
url = "https://account.blob.core.windows.net/container/{path}?{sas}"
[profiles.blob.http.secrets]
sas = "env:SAS"
"""
    assert complaints(tmp_path, text, SAS="sv=1&sig=2") == []
    (found,) = complaints(tmp_path, text)
    assert found.startswith("bulkup.toml:7: http.secrets.sas: env:SAS is not set")
    (tmp_path / "sas.txt").write_text("sv=1\n")
    assert complaints(tmp_path, text.replace("env:SAS", "file:sas.txt")) == []


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ({}, "needs either presign or url"),
        ({"url": "https://h.example/{path}", "presign": {"path": "/x"}, "answer": {"url": "u"}}, "has presign and url"),
        ({"url": "https://h.example/{path}", "answer": {"url": "u"}}, "with url there is no answer"),
        ({"url": "https://h.example/fixed"}, "many files would have the same URL"),
        ({"url": "https://{host}/{path}"}, "whose scheme and host are written out"),
        ({"url": "ftp://h.example/{path}"}, "expected an http or https URL"),
        ({"url": "https://user@h.example/{path}"}, "user and password are not allowed"),
        ({"url": "https://h.example/{path} x"}, "without spaces"),
        ({"url": "https://h.example/{path}", "secrets": {"path": "x"}}, "path has a meaning of its own"),
        ({"url": "https://h.example/{path}", "secrets": {"a": "x"}, "values": {"a": "y"}}, "is also in http.values"),
        ({"url": "https://h.example/{path}", "put": {"headers": {"A": "{basic}"}}}, "needs user and password"),
        ({"url": "https://h.example/{path}", "put": {"headers": {"A": "{type}"}}}, "needs extensions with their types"),
        ({"url": "https://h.example/{path}", "put": {"success": [404]}}, "statuses from 200 to 299"),
        ({"url": "https://h.example/{path}", "put": {"checksum": "body:["}}, "expected a JMESPath"),
        ({"url": "https://h.example/{path}", "confirm": {"path": "/x", "poll": "/y"}}, "poll and failed need done"),
        ({"url": "https://h.example/{path}", "confirm": 5}, "http.confirm: expected a table"),
        ({"presign": {"path": "/x", "method": "GET", "body": {"a": 1}}, "answer": {"url": "u"}}, "a GET has no item"),
        ({"presign": {"path": "/x", "item": {}, "body": {"a": 1}}, "answer": {"url": "u"}}, "item is not used"),
        ({"presign": {"path": "/x"}, "answer": {"url": "u", "keep": {"size": "s"}}}, "size has a meaning already"),
        ({"presign": {"path": "/x"}, "answer": {"url": "u", "statuses": {"409": "no"}}}, "expected one of rejected"),
        (
            {"presign": {"path": "/x"}, "answer": {"url": "u", "codes": {"a": "retry"}}},
            "code and codes need each other",
        ),
        (
            {"presign": {"path": "/x"}, "answer": {"url": "u", "code": "c", "codes": {"a": "no"}}},
            "expected a table of codes",
        ),
        ({"presign": {"path": "/x"}, "answer": {"url": "u"}, "place": "{md5_hex}"}, "{md5_hex} is not known when"),
        ({"url": "https://h.example/{path}", "place": "{name}"}, "with url, the place of a file is its URL"),
        ({"presign": {"path": "/{part_count}"}, "answer": {"url": "u"}}, "{part_count} needs part_size"),
        ({"presign": {"path": "/x"}, "answer": {"url": "u"}, "part_size": 0}, "http.part_size: expected a size"),
        ("not json", "this is not JSON"),
        ([], "expected a table that describes a service"),
    ],
)
def test_tables_that_contradict_one_another(table: Any, what: str) -> None:
    with pytest.raises(ValueError, match="expected") as raised:
        parse_description(table)
    faults = raised.value.faults if isinstance(raised.value, DescriptionError) else ()
    assert what in str(raised.value) + " ".join(f"{fault.what} {fault.hint}" for fault in faults)


def test_a_description_in_the_environment() -> None:
    """As JSON."""
    one = parse_description(json.dumps({"url": "https://h.example/{path}"}))
    assert one == parse_description({"url": "https://h.example/{path}"})
    assert isinstance(one, HttpDescription)
    assert one.storage_root == "https://h.example"


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """`config show` has neither those of a table of secrets, nor those written into headers, queries and bodies."""
    text = GOOD.replace("Bearer {token}", "Bearer sup3rs3cret").replace(
        'files = "{items}"', 'files = "{items}", password = "sup3rs3cret"'
    )
    text = (
        text.replace('"/v1/uploads"', '"/v1/uploads?token=sup3rs3cret"')
        + '[profiles.vendor.http.secrets]\nx = "sup3rs3cret"\n'
    )
    (tmp_path / "bulkup.toml").write_text(text)
    resolved = load({}, profile="vendor", config_file=None, environ={}, cwd=str(tmp_path))
    told = [repr(resolved.settings), resolved.settings.model_dump_json(), repr(resolved)]
    assert "sup3rs3cret" not in "".join(told)


def test_a_literal_secret_in_a_readable_file_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").write_text(GOOD + '[profiles.vendor.http.secrets]\nx = "sup3rs3cret"\n')
    (tmp_path / "bulkup.toml").chmod(0o644)
    resolved = load({}, profile="vendor", config_file=None, environ={}, cwd=str(tmp_path))
    (warning,) = resolved.warnings
    assert warning.startswith("bulkup.toml:28: http.secrets.x is written out")


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    found = complaints(tmp_path, GOOD + '[profiles.vendor.http.secrets]\nx = ""\n')
    assert "http.secrets: expected env:NAME" in found[0]


KEYS = st.sampled_from(
    [*HttpDescription.model_fields, *(key for table in TABLES.values() for key in table.model_fields)]
)
LEAVES = st.none() | st.booleans() | st.integers(-2, 3000) | st.floats() | st.text(max_size=8)
TEXTS = st.sampled_from(["/v1/{name}", "{items}", "{nmae}", "https://h.example/{path}", "a.b", "a[", "md5", "POST"])
VALUES = st.recursive(
    LEAVES | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4),
)


@given(value=st.dictionaries(KEYS, VALUES, max_size=6) | VALUES)
def test_any_value_is_a_description_or_refused(value: Any) -> None:
    """With messages, and never with another exception."""
    try:
        parse_description(value)
    except DescriptionError as error:
        assert all(fault.what.startswith(("http", "expected")) for fault in error.faults)  # noqa: PT017  # either is right
    except ValueError as error:
        assert str(error).startswith("expected ")  # noqa: PT017  # the same


def test_show_has_a_line_for_each_value(tmp_path: Path) -> None:
    """Those of tables inside one another begin with the names of the tables."""
    (tmp_path / "bulkup.toml").write_text(GOOD)
    resolved = load({}, profile="vendor", config_file=None, environ={}, cwd=str(tmp_path))
    lines = value_lines(resolved.settings.model_dump(mode="json")["http"])
    assert "presign.headers.Authorization = Bearer {token}" in lines
    assert "put.success = [200, 201, 204]" in lines
    assert not any("None" in line for line in lines)
