"""The states of a connection: each transition of the table in its module, without sockets."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from bulkup.model.http import StorageAnswer
from bulkup.transport.failures import FailureKind
from bulkup.transport.lean.connection import AnswerFuture, Connection
from bulkup.transport.lean.exchange_error import ExchangeError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LATER = 1e9


class RecordingTransport(asyncio.Transport):
    """A transport that records the bytes written to it, and whether it was aborted."""

    def __init__(self, descriptor: int) -> None:
        super().__init__({"socket": self})
        self.descriptor = descriptor
        self.written = b""
        self.buffered = 0
        self.aborted = False

    def fileno(self) -> int:
        return self.descriptor

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Owner:
    """The owner of a connection, and the list of idle ones."""

    idle_timeout = 60.0

    def __init__(self) -> None:
        self.open: set[Connection] = set()
        self.idle: list[Connection] = []
        self.session: ssl.SSLSession | None = None

    def add(self, connection: Connection) -> None:
        self.open.add(connection)

    def discard(self, connection: Connection) -> None:
        self.open.discard(connection)

    def put(self, connection: Connection, answer: StorageAnswer) -> None:
        self.idle.append(connection)

    def remove(self, connection: Connection) -> None:
        self.idle = [each for each in self.idle if each is not connection]


class Subject:
    """A connection with its owner and its transport."""

    def __init__(self, descriptor: int) -> None:
        self.owner = Owner()
        self.transport = RecordingTransport(descriptor)
        self.connection = Connection(asyncio.get_running_loop(), self.owner, self.owner)
        self.connection.connection_made(self.transport)

    @property
    def state(self) -> str:
        if self.transport.is_closing():
            return "CLOSED"
        if self.connection in self.owner.idle:
            return "IDLE"
        return "SETUP" if self.connection.answered else "EXCHANGE"

    def send(self) -> AnswerFuture:
        return self.connection.send(b"PUT / HTTP/1.1\r\n\r\n", LATER)

    def make_idle(self) -> None:
        self.send()
        self.connection.data_received(OK)
        assert self.state == "IDLE"

    def take(self) -> None:
        self.owner.remove(self.connection)


@pytest.fixture
async def subject() -> AsyncIterator[Subject]:
    reader, writer = os.pipe()  # nothing can be read from it, as from a broken socket
    os.close(writer)
    yield Subject(reader)
    os.close(reader)


def kind_of(future: AnswerFuture) -> FailureKind:
    error = future.exception()
    assert isinstance(error, ExchangeError)
    return error.kind


async def test_a_new_connection_is_in_setup(subject: Subject) -> None:
    assert subject.state == "SETUP"
    assert subject.owner.open == {subject.connection}


async def test_a_complete_answer_makes_the_connection_idle(subject: Subject) -> None:
    future = subject.send()
    assert subject.state == "EXCHANGE"
    subject.connection.data_received(OK)
    assert (subject.state, future.result().status) == ("IDLE", 200)


async def test_an_idle_connection_carries_another_exchange(subject: Subject) -> None:
    subject.make_idle()
    subject.take()
    future = subject.send()
    assert subject.state == "EXCHANGE"
    subject.connection.data_received(OK)
    assert (subject.state, future.result().status) == ("IDLE", 200)


@pytest.mark.parametrize("reason", ["connection: close", "unsent body", "unwritten bytes", "cancelled"])
async def test_a_connection_that_is_not_reusable_is_closed(subject: Subject, reason: str) -> None:
    future = subject.send()
    subject.connection.sending_body = reason == "unsent body"
    subject.transport.buffered = 1 if reason == "unwritten bytes" else 0
    if reason == "cancelled":
        future.cancel()
    close = b"Connection: close\r\n" if reason == "connection: close" else b""
    subject.connection.data_received(OK.replace(b"\r\n\r\n", b"\r\n" + close + b"\r\n"))
    assert subject.state == "CLOSED"
    assert future.cancelled() or future.result().status == 200


async def test_the_end_of_the_stream_completes_an_answer_without_a_length(subject: Subject) -> None:
    future = subject.send()
    subject.connection.data_received(b"HTTP/1.1 403 No\r\n\r\nwhy")
    subject.connection.eof_received()
    assert (subject.state, future.result().body) == ("CLOSED", b"why")


@pytest.mark.parametrize("exchanges", [1, 2])
@pytest.mark.parametrize("started", [False, True])
async def test_a_lost_connection_fails_the_exchange(subject: Subject, exchanges: int, started: bool) -> None:
    """It is stale only if it was reused and no byte of the answer arrived."""
    if exchanges == 2:
        subject.make_idle()
        subject.take()
    future = subject.send()
    if started:
        subject.connection.data_received(OK[:9])
    subject.connection.connection_lost(ConnectionResetError())
    assert kind_of(future) is FailureKind.CONNECTION_LOST
    assert cast("ExchangeError", future.exception()).stale is (exchanges == 2 and not started)
    assert (subject.state, subject.owner.open) == ("CLOSED", set())


async def test_invalid_bytes_fail_the_exchange(subject: Subject) -> None:
    future = subject.send()
    subject.connection.data_received(b"SSH-2.0-x\r\n")
    assert (subject.state, kind_of(future)) == ("CLOSED", FailureKind.NOT_HTTP)


async def test_an_expired_exchange_fails(subject: Subject) -> None:
    future = subject.send()
    subject.connection.expire()
    assert (subject.state, kind_of(future)) == ("CLOSED", FailureKind.NO_PROGRESS)


async def test_a_cancelled_exchange_closes_the_connection(subject: Subject) -> None:
    future = subject.send()
    subject.connection.cancel_exchange(future)
    assert (subject.state, future.cancelled()) == ("CLOSED", True)


async def test_cancelling_an_exchange_that_is_over_does_nothing(subject: Subject) -> None:
    """Another task may use the connection by then."""
    future = subject.send()
    subject.connection.data_received(OK)
    subject.connection.cancel_exchange(future)
    assert subject.state == "IDLE"


@pytest.mark.parametrize("event", ["data", "end of stream", "expiry"])
async def test_an_idle_connection_is_closed(subject: Subject, event: str) -> None:
    subject.make_idle()
    match event:
        case "data":
            subject.connection.data_received(OK)
        case "end of stream":
            subject.connection.eof_received()
        case _:
            subject.connection.expire()
    assert (subject.state, subject.owner.idle) == ("CLOSED", [])


@pytest.mark.parametrize("status", [200, 403])
async def test_a_tunnel_ends_with_the_head_of_its_answer(subject: Subject, status: int) -> None:
    """The connection stays in setup, even if the answer is complete."""
    opening = asyncio.create_task(subject.connection.open_tunnel(b"CONNECT s:443 HTTP/1.1\r\n\r\n"))
    await asyncio.sleep(0)
    assert subject.state == "EXCHANGE"
    subject.connection.data_received(OK.replace(b"200", str(status).encode()))
    assert await opening == status
    assert (subject.state, subject.owner.idle) == ("SETUP", [])


async def test_the_head_of_an_answer_cancels_the_body(subject: Subject) -> None:
    cancelled = list[bool]()
    subject.send()
    subject.connection.sending_body = True
    subject.connection.cancel_body = lambda: cancelled.append(True)
    subject.connection.data_received(b"HTTP/1.1 413 X\r\nContent-Length: 2\r\n\r\n")
    assert cancelled
    subject.connection.data_received(b"No")
    assert subject.state == "CLOSED"
