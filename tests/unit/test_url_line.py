"""Entries of a URL list: any entry can be packed and read back, and a message never repeats a secret."""

import base64
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config.list_rows import Row
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.providers.urls.url_line import UrlLine, url_line

SIGNED = "https://storage.example/bucket/a.mp4?X-Amz-Signature=s3cr3t"
MD5 = base64.b64encode(bytes(range(16))).decode()


def read(**values: Any) -> UrlLine:
    return url_line(Row(1, {"path": "a.mp4", "url": SIGNED, **values}))


def refused(**values: Any) -> str:
    with pytest.raises(ValueError, match=r"^(url|id|expires|headers|method|md5)") as caught:
        read(**values)
    return str(caught.value)


def test_a_path_and_a_url_are_enough() -> None:
    assert read() == UrlLine(b"a.mp4", SecretUrl(SIGNED))


def test_all_values_are_read() -> None:
    line = read(
        id="f-1", expires="2026-01-02T03:04:05Z", headers={"x-ms-blob-type": "BlockBlob"}, method="post", md5=MD5
    )
    expected = UrlLine(
        *(b"a.mp4", SecretUrl(SIGNED), "f-1", 1767323045.0, {"x-ms-blob-type": Secret("BlockBlob")}, "POST", MD5)
    )
    assert line == expected


@pytest.mark.parametrize("expires", [1767323045, 1767323045.0, "1767323045", "2026-01-02T04:04:05+01:00"])
def test_a_time_is_written_in_several_forms(expires: Any) -> None:
    assert read(expires=expires).expires_at == 1767323045.0


def test_a_cell_holds_headers_as_json() -> None:
    assert read(headers='{"x-acl": "private"}').headers == {"x-acl": Secret("private")}


def test_an_md5_is_written_in_hex_or_base64() -> None:
    assert read(md5=bytes(range(16)).hex()).md5 == read(md5=MD5).md5 == MD5


def test_an_id_may_be_a_number() -> None:
    assert read(id=17).remote_id == "17"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": None}, "url is missing"),
        ({"url": ""}, "url is missing"),
        ({"url": 5}, "url: expected text"),
        ({"url": "ftp://storage.example/s3cr3t"}, "url: expected an http or https URL"),
        ({"url": "https://user:s3cr3t@storage.example/"}, "url: expected an http or https URL"),
        ({"url": "https://storage.example/a b?s3cr3t"}, "with characters that a URL must not have"),
        ({"expires": "tomorrow"}, "expires: expected an RFC 3339 time or Unix seconds, not 'tomorrow'"),
        ({"expires": 1767323045000}, "expires: expected an RFC 3339 time or Unix seconds, not 1767323045000"),
        ({"expires": True}, "expires: expected"),
        ({"headers": "x-acl: s3cr3t"}, "headers: expected a JSON object"),
        ({"headers": ["s3cr3t"]}, "headers: expected an object"),
        ({"headers": {"Content-Length": "5"}}, "headers: Content-Length is set by bulkup"),
        ({"headers": {"Content-MD5": MD5}}, "use the column md5"),
        ({"headers": {"a b": "s3cr3t"}}, "headers: 'a b' is not the name of a header"),
        (
            {"headers": {"x-key": "s3cr3t\r\nHost: elsewhere"}},
            "headers: the value of x-key must be printable ASCII text",
        ),
        ({"method": "DELETE"}, "method: expected PUT, POST or PATCH, not 'DELETE'"),
        ({"md5": "abc"}, "md5: expected 32 hexadecimal digits"),
        ({"id": "a\nb"}, "id: expected 1 to 1,024 characters"),
    ],
)
def test_a_wrong_value_is_named_without_its_secret(wrong: dict[str, Any], said: str) -> None:
    message = refused(**wrong)
    assert said in message
    assert "s3cr3t" not in message


_TEXT = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@given(
    st.builds(
        UrlLine,
        st.binary(min_size=1).filter(lambda path: b"\0" not in path),
        _TEXT.map(SecretUrl),
        st.none() | st.text(max_size=20).filter(str.isprintable),
        st.none() | st.floats(1, 1e10),
        st.dictionaries(_TEXT, _TEXT.map(Secret), max_size=3),
        st.sampled_from(["PUT", "POST"]),
        st.none() | st.just(MD5),
    )
)
def test_a_packed_entry_is_one_line_and_reads_back(line: UrlLine) -> None:
    packed = line.packed()
    assert b"\n" not in packed
    assert UrlLine.unpacked(packed) == line


@given(
    st.dictionaries(
        st.sampled_from(["path", "url", "id", "expires", "headers", "method", "md5", "path_b64"]),
        st.none() | st.text() | st.integers() | st.floats() | st.booleans() | st.dictionaries(st.text(), st.text()),
    )
)
@hypothesis.settings(max_examples=300)
def test_any_row_is_an_entry_or_a_value_error(values: dict[str, Any]) -> None:
    try:
        line = url_line(Row(1, values))
    except ValueError as error:
        str(error).encode()
    else:
        assert UrlLine.unpacked(line.packed()) == line


def test_an_entry_prints_no_secret() -> None:
    text = repr(read(headers={"x-key": "s3cr3t"}))
    assert "s3cr3t" not in text
