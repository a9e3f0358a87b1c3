"""What crosses the border between the processes: frames in any pieces, items and reports there and back."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import UNKNOWN_IDENTITY, Digest, FoundFile, Identity, Source
from bulkup.model.history import FileHistory
from bulkup.model.items import Item
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Receipt, Ticket
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.processes import jobs
from bulkup.pipeline.processes.frames import Frames, frame
from bulkup.pipeline.processes.process_pool import ProcessPool, shares
from bulkup.pipeline.processes.sending_process import _environment
from bulkup.pipeline.send.attempt import Count
from bulkup.transport import HostRules, TransportOptions

texts = st.text(st.characters(), max_size=20)  # surrogates among them, as in names and headers
numbers = st.integers(0, 2**63 - 1)
plain = st.recursive(
    st.none() | st.booleans() | numbers | st.floats(allow_nan=False) | texts | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)
digests = st.binary(min_size=16, max_size=16).map(Digest)
identities = st.builds(Identity, numbers, numbers, numbers, numbers, numbers)
secret = texts.map(Secret)
tickets = st.builds(
    Ticket,
    url=texts.map(SecretUrl),
    remote_id=st.just(""),
    method=st.sampled_from(["PUT", "POST"]),
    headers=st.dictionaries(texts, texts | secret, max_size=3),
    content_md5=st.booleans(),
    form=st.none() | st.lists(st.tuples(texts, secret), max_size=3).map(tuple),
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
    """Return a message as the other process gets it."""
    (got,) = Frames().feed(frame(message))
    return got


@given(st.lists(plain, max_size=5), st.data())
def test_frames_come_whole_in_whatever_pieces(messages: list[Any], data: st.DataObject) -> None:
    got: list[Any] = []
    stream, frames = b"".join(map(frame, messages)), Frames()
    while stream:
        length = data.draw(st.integers(1, len(stream)))
        got += frames.feed(stream[:length])
        stream = stream[length:]
    assert got == messages


@given(items)
def test_an_item_comes_over_with_all_that_an_attempt_needs(item: Item) -> None:
    got = jobs.item_of(over(jobs.job_of(7, item)))
    assert dataclasses.astuple(got) == dataclasses.astuple(item)


@given(items, receipts, st.none() | digests)
def test_a_receipt_comes_back(item: Item, receipt: Receipt, before: Digest | None) -> None:
    """With the time of the process that decides; a digest known before stays where nothing was hashed."""
    item.digest, item.receipt = before, receipt
    told = over(jobs.report_sent(7, 3, item))
    got = Item(item.file, item.ticket, digest=before)
    jobs.take_receipt(told, got, 7.0)
    assert told[:2] == (7, 3)
    assert got.receipt == receipt
    assert got.digest == (receipt.digest or before)


@given(problems)
def test_a_problem_comes_back(problem: Problem) -> None:
    told = over(jobs.report_problem(7, 3, problem))
    assert (told[:3], jobs.problem_of(told)) == ((7, 3, jobs.Came.PROBLEM), problem)


def test_a_setup_comes_over() -> None:
    options = TransportOptions(5, 1.0, 2.0, "/ca.pem", HostRules(("a", "*.b"), "api"))
    setup = jobs.Setup("magic-hour", options, SendOptions(True, "none", 3))
    assert jobs.setup_from_plain(over(jobs.setup_to_plain(setup))) == setup


def test_what_is_handed_down_of_the_environment_holds_no_credentials() -> None:
    kept = {"PATH": "p", "https_proxy": "x", "NO_PROXY": "y", "PYTHONPATH": "z", "SSL_CERT_FILE": "c", "LC_ALL": "C"}
    others = {"BULKUP_TOKEN": "t", "MAGIC_HOUR_API_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s", "BULKUP_PROCESSES": "2"}
    assert _environment({**kept, **others}) == kept


@given(st.integers(0, 100), st.lists(st.integers(0, 100), min_size=1, max_size=8).map(sorted))
def test_shares_even_out_what_processes_have_in_hand(count: int, loads: list[int]) -> None:
    given_to = shares(count, loads)
    after = [load + share for load, share in zip(loads, given_to, strict=True)]
    assert sum(given_to) == count
    assert min(given_to) >= 0
    level = -(-sum(after) // len(after))
    assert all(share == 0 or load <= level for load, share in zip(after, given_to, strict=True))


async def test_files_in_parts_are_sent_here() -> None:
    """Their MD5 on its way cannot go to another process."""
    here, url = list[Item](), SecretUrl("https://s.example/1")

    class Own:
        async def send(self, item: Item, count: Count) -> Problem | None:
            here.append(item)
            return None

    pool = ProcessPool(Own(), jobs.Setup("local", TransportOptions(1), SendOptions()), SystemClock(), 2)
    item = Item(FoundFile(Source(b"/"), b"a", UNKNOWN_IDENTITY), Ticket(url, "id", more_urls=(url,)))
    assert await pool.send(item, lambda _: None) is None
    assert here == [item]


def test_a_sending_process_holds_no_more_than_it_needs() -> None:
    """It starts fast, and no settings, terminal or journal are anywhere near it."""
    program = "import sys, bulkup.pipeline.processes.child; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    unwanted = {
        "pydantic",
        "structlog",
        "rich",
        "typer",
        "sqlite3",
        "graphql",
        "bulkup.journal",
        "bulkup.config.settings",
    }
    assert not unwanted & set(out.split())


@pytest.mark.parametrize("loads", [[0, 0], [3, 3], [0, 5]])
def test_a_few_go_to_one_process_together(loads: list[int]) -> None:
    """Half of what there is in all is what each may have, so those of one turn mostly travel in one message."""
    assert shares(1, loads) == [1, 0]
    assert shares(4, [0, 8]) == [4, 0]
