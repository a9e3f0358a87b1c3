"""Templates compiled into functions: types of values, escaping, and secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config.template_text import Template, parse_tree
from bulkup.helpers.secrets import Secret
from bulkup.model.files import Digest, extension_of
from bulkup.providers import FileSpec
from bulkup.providers.http.file_values import FileValues
from bulkup.providers.http.rendering import Compiler, DotSegmentError

MD5 = Digest(bytes(range(16)))
# Bytes of a name that are not UTF-8 are surrogates.
LETTERS = st.characters(exclude_characters="/\0", exclude_categories=["Cs"]) | st.sampled_from("\udc80\udcff")
PARTS = st.text(LETTERS, min_size=1, max_size=12).filter(lambda part: part not in (".", ".."))
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def values_of(path: str = "dir/sub/Film.Tar.MP4", **spec: Any) -> FileValues:
    name = path.rpartition("/")[2]
    given: dict[str, Any] = {"size": 7, "digest": MD5, "modified": 1_700_000_000.9, **spec}
    return FileValues(FileSpec(name, path, extension_of(name), **given))


def compiler(**account: str | Secret) -> Compiler:
    return Compiler(account, {"mp4": "video", "*": "other"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("path", "dir/sub/Film.Tar.MP4"),
        ("name", "Film.Tar.MP4"),
        ("stem", "Film.Tar"),
        ("ext", "MP4"),
        ("extension", "mp4"),
        ("dir", "dir/sub"),
        ("size", 7),
        ("content_type", "video/mp4"),
        ("type", "video"),
        ("mtime", 1_700_000_000),
        ("date", "2023-11-14"),
        ("md5_hex", "000102030405060708090a0b0c0d0e0f"),
        ("md5_base64", "AAECAwQFBgcICQoLDA0ODw=="),
    ],
)
def test_every_name_has_its_value(name: str, value: object) -> None:
    """Alone in a value of JSON, a number stays a number."""
    assert compiler().tree(parse_tree(f"{{{name}}}"))(values_of()) == value
    assert compiler().text(Template(f"<{{{name}}}>"))(values_of()) == f"<{value}>"


def test_a_digest_of_another_algorithm() -> None:
    spec = values_of(digest=Digest(bytes(32), "sha256"))
    assert compiler().text(Template("{sha256_hex}"))(spec) == "00" * 32


def test_a_file_in_no_folder_and_without_extension() -> None:
    values = values_of("README")
    texts = [
        compiler().text(Template(f"{{{name}}}"))(values) for name in ("dir", "stem", "ext", "type", "content_type")
    ]
    assert texts == ["", "README", "", "other", "application/octet-stream"]


def test_a_random_id_is_the_same_for_one_file() -> None:
    values, render = values_of(), compiler().text(Template("{uuid}"))
    assert render(values) == render(values) != render(values_of())


def test_a_tree_keeps_constants_and_fills_in_the_rest() -> None:
    tree = parse_tree({"a": ["{size}", True, 1.5], "b": {"c": "{name}-{project_id}"}, "d": "{project_id}"})
    rendered = compiler(project_id="p-1").tree(tree)(values_of())
    assert rendered == {"a": [7, True, 1.5], "b": {"c": "Film.Tar.MP4-p-1"}, "d": "p-1"}


@given(path=PATHS)
def test_any_path_is_valid_in_json(path: str) -> None:
    """Bytes that are not UTF-8 are surrogates, which JSON cannot hold."""
    tree = compiler().tree(parse_tree({"p": "{path}", "n": "x{name}"}))(values_of(path))
    assert json.dumps(tree, ensure_ascii=False).encode()


@given(path=PATHS)
def test_any_path_stays_inside_the_path_of_a_url(path: str) -> None:
    """Its slashes separate folders, and everything else is escaped."""
    url = compiler().url(Template("https://h.example/c/{path}?sv=1"))(values_of(path))
    parts = urlsplit(url)
    assert url.isascii()
    assert (parts.netloc, parts.query, parts.fragment) == ("h.example", "sv=1", "")
    assert unquote_to_bytes(parts.path) == b"/c/" + path.encode("utf-8", "surrogateescape")
    assert parts.path.count("/") == 2 + path.count("/")


@given(path=PATHS)
def test_any_path_stays_inside_a_parameter(path: str) -> None:
    url = compiler().url(Template("/upload?name={path}&n={size}"))(values_of(path))
    pairs = dict(parse_qsl(urlsplit(url).query, errors="surrogateescape", keep_blank_values=True, strict_parsing=True))
    assert pairs == {"name": path, "n": "7"}


@given(path=PATHS)
def test_any_path_is_valid_in_a_header(path: str) -> None:
    value = compiler().header(Template("{path}"))(values_of(path))
    assert isinstance(value, str)
    assert value.isascii()
    assert value.isprintable()
    assert unquote_to_bytes(value) == path.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("template", ["https://h.example/c/.{ext}/x", "https://h.example/c/{dir}.", "/c/{name}?x=1"])
def test_a_url_without_dot_segments(template: str) -> None:
    """Servers and proxies remove them, and the file would be stored elsewhere."""
    with pytest.raises(DotSegmentError):
        compiler().url(Template(template))(values_of(".."))


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("https://h.example/{path}?{sas}", "https://h.example/a.mp4?sv=1&sig=a%2Bb%3D"),
        ("https://h.example/{path}?{sas}&x=1", "https://h.example/a.mp4?sv=1&sig=a%2Bb%3D&x=1"),
        ("https://h.example/{path}?x=1&{sas}", "https://h.example/a.mp4?x=1&sv=1&sig=a%2Bb%3D"),
        ("https://h.example/{path}?key={token}", "https://h.example/a.mp4?key=t%2Fo%2Bk%3D"),
        ("{base_url}/v1/x", "https://api.example/root/v1/x"),
        ("https://h.example/{token}/{path}", "https://h.example/t%2Fo%2Bk=/a.mp4"),
    ],
)
def test_values_of_the_account_in_urls(template: str, url: str) -> None:
    """One that is a whole part of the query is a query; any other is a value."""
    account: dict[str, str | Secret] = {
        "sas": Secret("?sv=1&sig=a%2Bb%3D"),
        "token": Secret("t/o+k="),
        "base_url": "https://api.example/root",
    }
    rendered = compiler(**account).url(Template(template))(values_of("a.mp4"))
    assert rendered.replace("%3D/", "=/") == url


def test_a_header_with_a_secret_is_one() -> None:
    """Also one whose name is that of a secret."""
    values = values_of()
    header = compiler(token=Secret("tok")).header(Template("Bearer {token}"))(values)
    assert isinstance(header, Secret)
    assert header.reveal() == "Bearer tok"
    odd = compiler(token=Secret('a/+"\\&%b')).header(Template("{token}"))(values)
    assert isinstance(odd, Secret)
    assert odd.reveal() == 'a/+"\\&%b'  # as the user gave it
    assert isinstance(compiler().header(Template("abc", secret=True))(values), Secret)
    assert compiler(project_id="p").header(Template("{project_id}"))(values) == "p"


def test_a_token_that_is_fetched() -> None:
    """Its value is known when a call is made."""
    dynamic = Compiler({}, {}, frozenset({"token"}))
    values = FileValues(None, {"token": Secret("fetched")})
    header = dynamic.header(Template("Bearer {token}"))(values)
    assert isinstance(header, Secret)
    assert header.reveal() == "Bearer fetched"
    assert dynamic.tree(parse_tree({"t": "{token}"}))(values) == {"t": "fetched"}
    assert dynamic.url(Template("/x?t={token}"))(values) == "/x?t=fetched"


def test_nothing_is_evaluated() -> None:
    """Braces in values are text."""
    hostile: Mapping[str, str] = {"project_id": "{token} {0.__class__} %s"}
    rendered = Compiler({**hostile, "token": Secret("tok")}, {}).text(Template("{project_id}"))(
        values_of("{token}.mp4")
    )
    assert rendered == "{token} {0.__class__} %s"
