"""Forms with a file as the last field: exact bytes, independent parsers, and repeated reading."""

from __future__ import annotations

import email.parser
import email.policy
import re
from collections.abc import AsyncGenerator, Sequence
from email.message import MIMEPart

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.secrets import Secret
from bulkup.transport.form_body import FormBody

SIGNATURE = "c2lnbmF0dXJlLXRoYXQtbm9ib2R5LXNlZXM="
FIELDS = (("name", ""), ("success_action_status", "201"), ("key", "tmp/k \u00e9"), ("signature", SIGNATURE))


class Bytes:
    """A body of bytes in slices. It may be in memory, and may fail once half-way."""

    def __init__(self, data: bytes, *, step: int = 7, fail: Exception | None = None, in_memory: bool = False) -> None:
        self._bytes, self.size, self.step = data, len(data), step
        self.data = data if in_memory else None
        self.failure: Exception | None = None
        self._fail = fail

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        self.failure = None
        for start in range(0, self.size, self.step):
            if self._fail is not None and start >= self.size // 2:
                self.failure, self._fail = self._fail, None
                raise self.failure
            yield memoryview(self._bytes)[start : start + self.step]


def form_of(fields: Sequence[tuple[str, str]], file: Bytes) -> FormBody:
    return FormBody([(name, Secret(value)) for name, value in fields], file)


async def sent_by(body: FormBody) -> bytes:
    return b"".join([bytes(chunk) async for chunk in body.chunks()])


def parsed(body: FormBody, data: bytes) -> list[MIMEPart]:
    """Return the parts as the parser of the standard library reads them."""
    head = f"MIME-Version: 1.0\r\nContent-Type: {body.content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP.clone(utf8=True)).parsebytes(head + data)
    assert message.is_multipart()
    return list(message.iter_parts())


def split(body: FormBody, data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the head and the content of each part according to RFC 2046."""
    boundary = body.content_type.partition("boundary=")[2].encode()
    first, *parts, last = (b"\r\n" + data).split(b"\r\n--" + boundary)
    assert (first, last) == (b"", b"--\r\n")
    return [
        (head, content) for head, _, content in (part.removeprefix(b"\r\n").partition(b"\r\n\r\n") for part in parts)
    ]


async def test_a_form_has_the_bytes_that_a_browser_would_send() -> None:
    """The fields in their order, then the file, and nothing else."""
    body = form_of(FIELDS, Bytes(b"\x00\r\n--\xff"))
    boundary = body.content_type.removeprefix("multipart/form-data; boundary=")
    assert re.fullmatch("[0-9a-f]{32}", boundary)
    lines = [f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in FIELDS]
    head = 'Content-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: application/octet-stream'
    expected = "".join([*lines, f"--{boundary}\r\n{head}\r\n\r\n"]).encode() + b"\x00\r\n--\xff"
    assert await sent_by(body) == expected + f"\r\n--{boundary}--\r\n".encode()


names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"'), min_size=1, max_size=12)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.lists(st.tuples(names, values), max_size=5), st.binary(max_size=60), st.integers(1, 9))
async def test_any_fields_and_any_bytes_are_kept(fields: list[tuple[str, str]], data: bytes, step: int) -> None:
    """Including line breaks in values and bytes that look like a boundary. The length is known in advance."""
    body = form_of(fields, Bytes(data, step=step))
    size = body.size
    sent = await sent_by(body)
    assert len(sent) == size
    *heads, (file_head, content) = split(body, sent)
    assert [(head.decode(), value.decode()) for head, value in heads] == [
        (f'Content-Disposition: form-data; name="{name}"', value) for name, value in fields
    ]
    assert file_head.startswith(b'Content-Disposition: form-data; name="file"; filename="file"\r\n')
    assert content == data


words = st.text("abcXYZ019-_ ", min_size=1, max_size=9).map(lambda word: f"x{word}x")


@given(st.lists(st.tuples(words, st.text("abc=/+ \u00e9", max_size=20)), max_size=4), st.binary(max_size=60))
async def test_the_standard_library_parses_the_form(fields: list[tuple[str, str]], data: bytes) -> None:
    """It finds the names and values of the fields, and the file last, with its type."""
    body = form_of(fields, Bytes(data))
    *parts, file = parsed(body, await sent_by(body))
    read = [(part.get_param("name", header="content-disposition"), part.get_payload(decode=True)) for part in parts]
    assert read == [(name, value.encode()) for name, value in fields]
    assert file.get_filename() == "file"
    assert file.get_content_type() == "application/octet-stream"
    assert file.get_payload(decode=True) == data


@given(st.text('"\r\n\\a;=', min_size=1, max_size=8))
async def test_a_field_name_cannot_end_its_header(name: str) -> None:
    """Quotes and line breaks are escaped as browsers do. Everything else is unchanged."""
    body = form_of([(name, "v")], Bytes(b"x"))
    (head, value), _ = split(body, await sent_by(body))
    escaped = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    assert (head.decode(), value) == (f'Content-Disposition: form-data; name="{escaped}"', b"v")


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 100])
async def test_a_form_can_be_read_again(data: bytes) -> None:
    """It is complete each time, even after an earlier reading stopped anywhere."""
    body = form_of(FIELDS, Bytes(data))
    whole = await sent_by(body)
    for broken_off in range(4):
        chunks = body.chunks()
        for _ in range(broken_off):
            await anext(chunks, None)
        await chunks.aclose()
        assert not body.in_file
        assert await sent_by(body) == whole


async def test_progress_counts_only_the_bytes_of_the_file() -> None:
    body = form_of(FIELDS, Bytes(b"x" * 100))
    counted = [(body.in_file, len(chunk)) async for chunk in body.chunks()]
    assert sum(size for in_file, size in counted if in_file) == 100
    assert [in_file for in_file, _ in counted] == [False, *[True] * (len(counted) - 2), False]


async def test_an_error_of_the_file_ends_the_form() -> None:
    """The form has the same failure and no final boundary, and can be read again."""
    broken = RuntimeError("it changed")
    body = form_of(FIELDS, Bytes(b"x" * 100, fail=broken))
    sent = list[bytes]()

    async def send() -> None:
        async for chunk in body.chunks():
            sent.append(bytes(chunk))

    with pytest.raises(RuntimeError, match="it changed"):
        await send()
    assert body.failure is broken
    assert not body.in_file
    assert not sent[-1].endswith(b"--\r\n")
    assert len(await sent_by(body)) == body.size
    assert body.failure is None


def test_each_form_has_a_random_boundary() -> None:
    """So that no file contains it."""
    assert len({form_of(FIELDS, Bytes(b"")).content_type for _ in range(100)}) == 100


def test_a_form_does_not_print_its_fields() -> None:
    """Fields are credentials."""
    assert SIGNATURE not in repr(form_of(FIELDS, Bytes(b""))) + str(form_of(FIELDS, Bytes(b"")))
