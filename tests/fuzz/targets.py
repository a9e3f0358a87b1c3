"""The targets of the fuzzer: every function that turns bytes of a service, of storage, of the journal or of the
user into values.

A target takes bytes and returns nothing. Any exception is a finding. A parser may only raise `ProblemError` (of an
adapter), or return a value that meets the invariants.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from provider_cases import BASE_URL, Case, provider_of, specs_of, the_case

from bulkup.config.host_names import normalise_host
from bulkup.errors import JournalError
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.journal import ticket_text
from bulkup.journal.group_row import RowNumbers, dump_answers, dump_files, dump_tickets, load_files, load_tickets
from bulkup.journal.ticket_text import DamagedTicketError
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.http import ApiAnswer, ApiRequest, http_date, retry_after_seconds
from bulkup.model.items import Item
from bulkup.model.problems import ProblemError
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, Ticket
from bulkup.model.url_ends import end_of_url
from bulkup.pipeline.send.verification import Verification, plain_etag, verify
from bulkup.providers import FileSpec, NotYet, Provider, ProviderConfig
from bulkup.providers.answer_parsing import lease_of_url, takes_content_md5, unix_time, upload_url
from bulkup.providers.base import GIB
from bulkup.providers.error_documents import code_and_message, is_error_document, is_part_of_page, plain_body
from bulkup.providers.metastudio.auth import IamTokenCache
from bulkup.providers.tokens import Token
from bulkup.providers.xvid.auth import client_credentials
from bulkup.transport.destination.host_rules import HostRules, check_addresses, is_public
from bulkup.transport.destination.redirects import redirected
from fuzz import described, references, seeds
from fuzz.answers import NOW, api_answer, storage_answer
from fuzz.invariants import LARGEST_DOCUMENT, LONGEST_REMOTE, holds_of_problem, holds_of_tickets, holds_of_url
from fuzz.user_inputs import FEEDS

T = TypeVar("T")
_NUMBERS = RowNumbers(7, 2, 3)  # of the row of a group


@dataclass(frozen=True)
class Target:
    """One function under test, and its first inputs."""

    feed: Callable[[bytes], None]
    seeds: Sequence[bytes]


class _Answering:
    """A call that always returns the same answer."""

    def __init__(self, answer: ApiAnswer) -> None:
        self._answer = answer

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        return self._answer


def _done(coroutine: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of a coroutine that never waits, None if it raised `ProblemError`."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    except ProblemError as error:
        holds_of_problem(error.problem)
        return None
    raise AssertionError("an adapter waited for something")


def _presign(provider: Provider, specs: Sequence[FileSpec]) -> Callable[[bytes], None]:
    def feed(data: bytes) -> None:
        given = _done(provider.presign(specs, _Answering(api_answer(data))))
        if given is not None:
            holds_of_tickets(given, BASE_URL, len(specs))

    return feed


def _provider_target(case: Case) -> Target:
    return Target(_presign(provider_of(case), specs_of(case, *["mp4"] * min(case.group, 2))), seeds.API[case.name])


def _large_target() -> Target:
    spec = FileSpec("n.mp4", "n.mp4", "mp4", 7 * GIB)
    return Target(_presign(provider_of(the_case("metastudio")), [spec]), seeds.API["metastudio"])


_TICKET = Ticket(SecretUrl("https://s.example/"), "5a1b")
_RECEIPT = Receipt(Digest(bytes(16)), Identity(1, 1, 1, 1, 1), None, verified=True, stored_at=NOW)


def _closing(data: bytes) -> None:
    call = _Answering(api_answer(data))
    xvid, metastudio = provider_of(the_case("xvid")), provider_of(the_case("metastudio"))
    for provider in (xvid, metastudio):
        for again in (False, True):
            _holds_of_closing(_done(provider.confirm(_TICKET, _RECEIPT, call, again=again)))
    _holds_of_closing(_done(xvid.poll(_TICKET, call)))
    _done(metastudio.abandon(_TICKET, FileState.FAILED, call))


def _holds_of_closing(closing: Mapping[str, Any] | NotYet | None) -> None:
    if isinstance(closing, NotYet):
        assert 0 < closing.seconds < math.inf
        closing = closing.remote
    assert closing is None or len(json.dumps(closing)) <= LONGEST_REMOTE


def _described(data: bytes) -> None:
    answering = _Answering(api_answer(data))
    for provider, specs in (*((one, described.SPECS) for one in described.GROUPED), *_SINGLE):
        given = _done(provider.presign(specs, answering))
        if given is not None:
            holds_of_tickets(given, BASE_URL, len(specs))
    ticket = _TICKET._replace(remote={"bucket": "b", "size": 1})
    for again in (False, True):
        _holds_of_closing(_done(described.BY_ORDER.confirm(ticket, _RECEIPT, answering, again=again)))
    _holds_of_closing(_done(described.BY_ORDER.poll(ticket, answering)))


_SINGLE = [(one, described.SPECS[:1]) for one in described.SINGLE]


def _download(data: bytes) -> None:
    found = _done(provider_of(the_case("move-ugc")).download(seeds.FILE, _Answering(api_answer(data))))
    if found is not None:
        holds_of_url(found.url, BASE_URL)
        assert found.expires_at is None or math.isfinite(found.expires_at)


_GIVEN = {name: Secret("x") for name in ("iam_domain", "iam_user", "iam_password", "client_id", "client_secret")}
_CONFIG = ProviderConfig(BASE_URL, _GIVEN, {"region": "cn-north-4", "iam_url": "https://iam.example"})


def _tokens(data: bytes) -> None:
    call = _Answering(api_answer(data))
    for source in (IamTokenCache(_CONFIG), client_credentials(_CONFIG)):
        token: Token | None = _done(source.fetch(call))
        if token is not None:
            assert token.value
            assert math.isfinite(token.expires_at)
            token.is_fresh(NOW)


_PROVIDERS = [provider_of(the_case(name)) for name in seeds.API]
_EMPTY = Digest(bytes.fromhex("d41d8cd98f00b204e9800998ecf8427e"))


def _storage(data: bytes) -> None:
    answer = storage_answer(data)
    for provider in _PROVIDERS:
        problem = provider.classify(answer, NOW)
        if problem is not None:
            holds_of_problem(problem)
            assert answer.body or answer.status not in (200, 201, 204)
            continue
        evidence = provider.evidence(answer)
        if verify(evidence, _EMPTY, b"") is Verification.MATCH:
            assert (plain_etag(evidence) or "").lower() == _EMPTY.hex or any("checksum" in name for name in evidence)


def _urls(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for base_url in (BASE_URL, "http://127.0.0.1:8080"):
        try:
            url = upload_url(text, base_url, "the service")
        except ProblemError as error:
            holds_of_problem(error.problem)
            continue
        holds_of_url(url, base_url)
        lease = lease_of_url(url, ApiAnswer(200, {}, b"", NOW))
        assert lease is None or math.isfinite(lease)
        takes_content_md5(url)


def _redirects(data: bytes) -> None:
    location = data.decode("utf-8", "replace")
    for old in ("https://s.example/b/k?sig=1", "http://127.0.0.1:8080/b/k?sig=1"):
        try:
            url = redirected(SecretUrl(old), location)
        except ProblemError as error:
            holds_of_problem(error.problem)
            continue
        holds_of_url(url, old)


def _hosts(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    is_public(text)
    try:
        entry = normalise_host(text)
    except ValueError:
        return
    assert normalise_host(entry) == entry, "a host that changes when it is read again"
    HostRules((entry,), "api.example").check_name(entry.replace("*", "a"))
    try:
        check_addresses(text, [entry])
    except ProblemError as error:
        holds_of_problem(error.problem)
        assert not is_public(entry)


def _journal_tickets(data: bytes) -> None:
    try:
        ticket = ticket_text.load(data.decode("utf-8", "replace"), "id", None)
        again = ticket_text.dump(ticket)
    except (JournalError, TypeError):  # the encoder allows less nesting than the decoder
        return
    assert ticket_text.load(again, "id", None) == ticket


def _times(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for moment in (unix_time(text), http_date(text, None)):
        assert moment is None or math.isfinite(moment)
    for headers in ({"retry-after": text}, {"retry-after": text, "date": text}, {"retry-after": "9", "date": text}):
        wait = retry_after_seconds(headers, NOW)
        assert wait is None or wait >= 0


def _url_ends(data: bytes) -> None:
    url = data.decode("utf-8", "replace")
    end = end_of_url(SecretUrl(url))
    assert all(figure is None or math.isfinite(figure) for figure in end), "a URL that ends at no time"
    assert end.lifetime is None or end.lifetime >= 0
    expected = references.end_of(url)
    assert expected is None or end.at == expected, "another end than the URL states"
    words = url.lower()
    if words.count("expires=") == words.count("-date=") == 1:  # the quick way and the slow one
        assert end_of_url(SecretUrl(url.replace("&X-Amz-Expires=", "&x=1&X-Amz-Expires="))) == end


def _error_documents(data: bytes) -> None:
    coding, _, sent = data.partition(b"\n")
    body = plain_body(sent, coding.decode("latin-1"))
    assert len(body) <= max(len(sent) * 3, 3 * LARGEST_DOCUMENT), "a document without end"
    code, message = code_and_message(body)
    assert len(code) <= 64
    assert len(message) <= 512
    (code + message).encode()
    kind = is_error_document(body), is_part_of_page(body)
    if len(body) <= LARGEST_DOCUMENT and body[1:2] != b"\0":  # one that looks like UTF-16 would be decoded again
        assert kind == _kind_of(plain_body(gzip.compress(body, 1), "")), "another kind when it is compressed"
    if not body.startswith(b"\xef\xbb\xbf"):
        for before in (b"\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf "):
            assert kind == _kind_of(before + body), "another kind after white space or a byte order mark"


def _kind_of(body: bytes) -> tuple[bool, bool]:
    return is_error_document(body), is_part_of_page(body)


def _group_rows(data: bytes) -> None:
    """The first byte chooses the rest: damage of a good row, texts with a good checksum, or texts without one."""
    texts = [*data[1:].split(b"\n", 2), b"", b""][:3]
    match data[:1]:
        case b"d":
            _holds_of_damage(data[1:])
        case b"s":
            files, answers = (_sealed(text) for text in texts[:2])
            _holds_of_group(files, answers, _sealed(texts[2], answers))
        case _:
            _holds_of_group(texts[0], texts[1], texts[2])


def _holds_of_damage(data: bytes) -> None:
    """Each of the first bytes is the number of one bit to change in a text: they are read as pairs."""
    for which in range(3):
        texts = list(_ROW)
        changed = bytearray(texts[which])
        for at in range(0, len(data) - 1, 2):
            bit = int.from_bytes(data[at : at + 2], "big") % (8 * len(changed))
            changed[bit // 8] ^= 1 << bit % 8
        texts[which] = bytes(changed)
        assert _holds_of_group(texts[0], texts[1], texts[2]) == (texts[which] == _ROW[which]), (
            "damage that is not noticed"
        )
    for name in RowNumbers._fields:
        other = _NUMBERS._replace(**{name: int.from_bytes(data[:4], "big") + 10})
        assert not _holds_of_group(*_ROW, other), "a row in the place of another one"


def _holds_of_group(files: bytes, answers: bytes, tickets: bytes, row: RowNumbers = _NUMBERS) -> bool:
    """Return whether the row can be read. The error about one that cannot contains nothing of it."""
    try:
        grouped = load_files(row, files, answers)
        loaded = load_tickets(row, grouped, answers, tickets)
    except DamagedTicketError as error:
        _holds_of_damaged(error)
        return False
    assert len(loaded) == len(grouped)
    assert all((ticket is None) == (file.remote_id is None) for file, ticket in zip(grouped, loaded, strict=True))
    # A changed id or path may contain the text of a signature.
    assert (files, tickets) != (_ROW[0], _ROW[2]) or "sig=" not in f"{grouped} {loaded}", "a row that prints"
    return True


def _holds_of_damaged(error: DamagedTicketError) -> None:
    assert str(error) == str(DamagedTicketError())
    assert error.__cause__ is error.__context__ is None, "an error that has the text of a row"


def _sealed(text: bytes, context: bytes = b"") -> bytes:
    checksum = zlib.crc32(text, zlib.crc32(context, zlib.crc32(b"%d %d %d" % _NUMBERS)))
    return text + checksum.to_bytes(4, "big")


_FULL = Ticket(
    SecretUrl("https://s.example/k?sig=1"),
    "id",
    method="POST",
    headers={"Content-MD5": "x", "X-Auth-Token": Secret("t")},
    remote={"id": "id"},
    form=(("key", Secret("k")), ("policy", Secret("p"))),
    more_urls=(SecretUrl("https://s.example/2"),),
)
_DUMPED = ticket_text.dump(_FULL).encode()


def _row() -> tuple[bytes, bytes, bytes]:
    """Return the texts of a good row: a file with a ticket, and one that the service rejected."""
    source = Source(b"/source", id=1)
    named = [Item(FoundFile(source, path, Identity(1, 2, 3, 4, 5))) for path in (b"a.mp4", b"\xff.mp4")]
    answers = dump_answers(_NUMBERS, [_FULL, None])
    return dump_files(_NUMBERS, named), answers, dump_tickets(_NUMBERS, [_FULL, None], answers)


_ROW = _row()
_SEALED = b"s" + b"\n".join(text[:-4] for text in _ROW)

TARGETS: dict[str, Target] = {
    **{name: _provider_target(the_case(name)) for name in seeds.API},
    "metastudio-large": _large_target(),
    "closing": Target(_closing, seeds.CLOSING),
    "described": Target(_described, seeds.DESCRIBED),
    "download": Target(_download, seeds.DOWNLOAD),
    "tokens": Target(_tokens, seeds.TOKENS),
    "storage": Target(_storage, seeds.STORAGE),
    "urls": Target(_urls, seeds.URLS),
    "redirects": Target(_redirects, seeds.URLS),
    "hosts": Target(_hosts, seeds.HOSTS),
    "journal-tickets": Target(_journal_tickets, [_DUMPED, _DUMPED.rpartition(b',"checksum"')[0] + b"}"]),
    "group-rows": Target(_group_rows, [b"d", b"d\0\1\0\7", _SEALED, b"u" + b"\n".join(_ROW)]),
    "url-ends": Target(_url_ends, seeds.URL_ENDS),
    "error-documents": Target(_error_documents, seeds.DOCUMENTS),
    **{name: Target(feed, seeds.USER_INPUTS[name]) for name, feed in FEEDS.items()},
    "times": Target(_times, seeds.TIMES),
}
