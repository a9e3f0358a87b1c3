"""Forms are parsed into fields and one file, however the body is cut into blocks."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.localserver.s3.form_parser import MAX_BEFORE_FILE, FileExtractor, form_boundary, parse_form_head
from bulkup.localserver.s3.s3_errors import S3Error


def error_code(call: Any, *arguments: Any) -> Any:
    with pytest.raises(S3Error) as caught:
        call(*arguments)
    return caught.value.code


def body(*parts: Any, boundary: Any = b"B") -> Any:
    """Return a form with parts of these names and contents."""
    written = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (boundary, name, content)
        for name, content in parts
    ]
    return b"".join(written) + b"--%b--\r\n" % boundary


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; Boundary="a b"', b"a b"),
        ("multipart/form-data;boundary=----x", b"----x"),
    ],
)
def test_the_boundary_is_found(content_type: Any, boundary: Any) -> None:
    assert form_boundary(content_type) == boundary


@pytest.mark.parametrize(
    ("content_type", "status", "code"),
    [
        ("", 412, "PreconditionFailed"),
        ("application/x-www-form-urlencoded", 412, "PreconditionFailed"),
        ("multipart/form-data", 400, "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=" + "x" * 71, 400, "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=é", 400, "MalformedPOSTRequest"),
    ],
)
def test_another_content_type_is_refused(content_type: Any, status: Any, code: Any) -> None:
    with pytest.raises(S3Error) as caught:
        form_boundary(content_type)
    assert (caught.value.status, caught.value.code) == (status, code)


def test_fields_before_the_file_are_parsed() -> None:
    data = body((b"Key", "é/${filename}".encode()), (b"empty", b""), (b"lines", b"a\r\nb"), (b"file", b"content"))
    head = parse_form_head(data, b"B")
    assert head.fields == {"key": "é/${filename}", "empty": "", "lines": "a\r\nb"}
    assert data[head.start :].startswith(b"content\r\n--B--")


def test_headers_of_parts_may_be_written_in_any_case_and_order() -> None:
    data = (
        b"--B\r\ncontent-type: text/plain\r\ncontent-disposition: form-data; name=key\r\n\r\nx\r\n--B\r\n"
        b'Content-Disposition: form-data; filename="a; name=\\"b\\".txt"; name="file"\r\nX: y\r\n\r\n'
    )
    head = parse_form_head(data, b"B")
    assert head.fields == {"key": "x"}
    assert head.filename == 'a; name=\\"b\\".txt'
    assert head.start == len(data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "MalformedPOSTRequest"),
        (b"x", "MalformedPOSTRequest"),
        (b"--B", "MalformedPOSTRequest"),
        (b"--B--\r\n", "MalformedPOSTRequest"),
        (b"--B\r\nContent-Disposition: form-data\r\n\r\n", "MalformedPOSTRequest"),
        (b"--B\r\nContent-Type: text/plain\r\n\r\n", "MalformedPOSTRequest"),
        (b'--B\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n', "MalformedPOSTRequest"),
        (body((b"key", b"\xff"), (b"file", b"")), "MalformedPOSTRequest"),
        (body((b"key", b"x"), (b"KEY", b"y"), (b"file", b"")), "MalformedPOSTRequest"),
        (body((b"key", b"x"))[:-6], "MalformedPOSTRequest"),
        (
            body((b"key", b"x"), (b"file", b"")).replace(b"--B\r\nContent", b"--Bx\r\nContent", 1),
            "MalformedPOSTRequest",
        ),
        (body((b"key", b"x")), "IncorrectNumberOfFilesInPostRequest"),
        (body((b"key", b"x" * MAX_BEFORE_FILE), (b"file", b"")), "MaxPostPreDataLengthExceededError"),
        (body((b"key", b"x" * (MAX_BEFORE_FILE - 300)), (b"a", b"x" * 100), (b"file", b"")), None),
    ],
)
def test_the_fields_before_the_file_are_checked(data: Any, code: Any) -> None:
    if code is None:
        assert parse_form_head(data, b"B").start <= MAX_BEFORE_FILE
    else:
        assert error_code(parse_form_head, data, b"B") == code


def extracted(after_start: Any, cuts: Any, boundary: Any = b"B") -> Any:
    extractor, edges = (
        FileExtractor(boundary),
        [0, *sorted(min(cut, len(after_start)) for cut in cuts), len(after_start)],
    )
    content = b"".join(extractor.feed(after_start[a:b]) for a, b in itertools.pairwise(edges))
    extractor.finish()
    return content


@given(st.text("\r\n-Bx", max_size=40).map(str.encode), st.lists(st.integers(0, 60), max_size=8))
def test_the_file_ends_at_its_boundary_for_any_blocks(content: Any, cuts: Any) -> None:
    expected = content.partition(b"\r\n--BOUND")[0]
    assert extracted(content + b"\r\n--BOUND--\r\n", cuts, b"BOUND") == expected


@given(st.binary(max_size=300), st.integers(1, 50))
def test_the_bytes_of_the_file_are_unchanged(content: Any, step: Any) -> None:
    assert extracted(content + b"\r\n--a-long-boundary--", range(0, 400, step), b"a-long-boundary") == content


def test_fields_after_the_file_are_ignored_unless_one_is_a_file() -> None:
    after = body((b"key", b"ignored"), (b"submit", b"x"))
    assert extracted(b"content\r\n" + after, []) == b"content"
    second = body((b"submit", b"x"), (b"File", b"another"))
    assert error_code(extracted, b"content\r\n" + second, []) == "IncorrectNumberOfFilesInPostRequest"
    large = body((b"file", b"x" * (1 << 20)))
    assert error_code(extracted, b"content\r\n" + large, [1 << 16]) == "IncorrectNumberOfFilesInPostRequest"
    assert error_code(extracted, b"c\r\n" + body((b"a", b"x" * (1 << 16))), []) == "MalformedPOSTRequest"


@pytest.mark.parametrize("after", [b"", b"content", b"content\r\n--", b"content\r\n--B", b"content\r\n--Bx"])
def test_a_file_without_an_end_is_refused(after: Any) -> None:
    assert error_code(extracted, after, [3]) == "MalformedPOSTRequest"
