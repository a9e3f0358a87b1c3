"""Set-up, jobs and reports keep their content on the way to another process and back."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import DIGEST_BYTES, Digest, FoundFile, Identity, Source
from bulkup.model.history import FileHistory
from bulkup.model.items import Item, Ticketed
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import ChecksumHeader, Receipt, Ticket
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.processes import jobs
from bulkup.pipeline.processes.frames import Frames, frame
from bulkup.transport import HostRules, TransportOptions

texts = st.text(st.characters(), max_size=20)  # with surrogates, as in names and headers
numbers = st.integers(0, 2**63 - 1)
digests = st.builds(Digest, st.binary(max_size=16), st.sampled_from(sorted(DIGEST_BYTES)))
identities = st.builds(Identity, numbers, numbers, numbers, numbers, numbers)
secret = texts.map(Secret)
tickets = st.builds(
    Ticket,
    url=texts.map(SecretUrl),
    remote_id=st.just(""),
    expires_at=st.none() | st.floats(0, 1e10),
    method=st.sampled_from(["PUT", "POST"]),
    remote=st.just({}),
    more_urls=st.just(()),
    headers=st.dictionaries(texts, texts | secret, max_size=3),
    content_md5=st.booleans(),
    form=st.none() | st.lists(st.tuples(texts, secret), max_size=3).map(tuple),
    checksum_headers=st.lists(
        st.builds(ChecksumHeader, texts, st.sampled_from(sorted(DIGEST_BYTES)), st.sampled_from(["base64", "hex"])),
        max_size=2,
    ).map(tuple),
    success=st.lists(st.integers(200, 299), max_size=2).map(tuple),
    proof=st.sampled_from(["", "content-md5", "body:md5"]),
    parts=st.none(),  # a file in parts is not sent as a whole
    closing=st.none(),  # the closing call is the deciding process's
)
files = st.builds(FoundFile, st.builds(Source, st.binary(max_size=20)), st.binary(max_size=20), identities)
items = st.builds(
    Item,
    file=files,
    ticket=tickets,
    digest=st.none() | digests,
    history=st.builds(FileHistory, mismatches=st.integers(0, 3)),
)
problems = st.builds(
    Problem,
    st.sampled_from(ProblemKind),
    texts,
    retry_after=st.none() | st.floats(0, 1e6),
    maybe_created=st.booleans(),
)
receipts = st.builds(
    Receipt,
    digest=st.none() | digests,
    identity=identities,
    etag=st.none() | texts,
    verified=st.booleans(),
    stored_at=st.just(7.0),
    parts=st.just(()),  # a file in parts has no attempt of its own
)


def over(message: Any) -> Any:
    """Return a message as the other process receives it."""
    (got,) = Frames().feed(frame(message))
    return got


@given(st.lists(items, max_size=5))
def test_jobs_hold_the_items(items: list[Item]) -> None:
    files = [Ticketed(item, item.ticket) for item in items if item.ticket is not None]
    got = [job for batch in over(jobs.jobs_to_plain(enumerate(files))) for job in jobs.files_of(batch)]
    assert [number for number, _ in got] == list(range(len(items)))
    assert [dataclasses.astuple(file.item) for _, file in got] == [dataclasses.astuple(item) for item in items]
    assert [file.ticket for _, file in got] == [file.ticket for file in files]


def test_files_that_differ_in_their_urls_share_the_rest() -> None:
    source = Source(b"/folder")
    tickets = [Ticket(SecretUrl(f"https://s/{number}"), "", headers={"a": Secret("b")}) for number in range(3)]
    items = [Item(FoundFile(source, b"name", Identity(0, 0, 0, 0, 0)), ticket) for ticket in tickets]
    items.append(Item(items[0].file, Ticket(SecretUrl("https://s/4"), "", method="POST")))
    batches = jobs.jobs_to_plain(enumerate(Ticketed(item, item.ticket) for item in items if item.ticket is not None))
    assert [len(batch[-1]) for batch in batches] == [3, 1]
    assert str(batches).count("/folder") == 2


@given(items, receipts, st.booleans())
def test_an_md5_tells_all_of_a_usual_receipt(item: Item, receipt: Receipt, usual: bool) -> None:
    assert item.ticket is not None
    file = Ticketed(item, item.ticket)
    if usual and receipt.digest is not None:
        receipt = Receipt(receipt.digest, item.file.identity, receipt.digest.hex, verified=True, stored_at=7.0)
    if jobs.is_usual(file, receipt):
        assert receipt.digest is not None
        assert jobs.usual_receipt(file, receipt.digest.value, 7.0) == receipt
    else:
        assert not usual or receipt.digest is None or receipt.digest.algorithm != "md5"


@given(receipts)
def test_a_report_holds_the_receipt(receipt: Receipt) -> None:
    """The time is that of the parent."""
    report = over(jobs.report_sent(7, 3, receipt))
    assert (report[:2], jobs.receipt_of(report, 7.0)) == ((7, 3), receipt)


@given(problems)
def test_a_report_holds_the_problem(problem: Problem) -> None:
    report = over(jobs.report_problem(7, 3, problem))
    assert (report[:3], jobs.problem_of(report)) == ((7, 3, jobs.ReportKind.PROBLEM), problem)


def test_a_set_up_keeps_its_options() -> None:
    options = TransportOptions(5, 1.0, 2.0, "/ca.pem", HostRules(("a", "*.b"), "api"))
    setup = jobs.Setup("magic-hour", options, SendOptions("inside", "size-mtime", ("sha256", "md5"), 3))
    assert jobs.setup_from_plain(over(jobs.setup_to_plain(setup))) == setup
