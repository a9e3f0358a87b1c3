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
)


def over(message: Any) -> Any:
    """Return a message as the other process receives it."""
    (got,) = Frames().feed(frame(message))
    return got


@given(items)
def test_a_job_holds_the_item(item: Item) -> None:
    assert item.ticket is not None
    got = jobs.file_of(over(jobs.job_of(7, Ticketed(item, item.ticket))))
    assert dataclasses.astuple(got.item) == dataclasses.astuple(item)
    assert got.ticket == item.ticket


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
