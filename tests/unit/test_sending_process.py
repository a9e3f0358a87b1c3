"""A sending process: the environment that it inherits, and an end that does not come."""

from __future__ import annotations

import signal
import socket
from typing import cast

import anyio
from anyio.abc import Process as SystemProcess

from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.processes.jobs import Setup
from bulkup.pipeline.processes.sending_process import Callbacks, ProcessOptions, SendingProcess, inherited
from bulkup.transport import TransportOptions


def test_the_inherited_environment_holds_no_credentials() -> None:
    kept = {"PATH": "p", "https_proxy": "x", "NO_PROXY": "y", "PYTHONPATH": "z", "SSL_CERT_FILE": "c", "LC_ALL": "C"}
    others = {"BULKUP_TOKEN": "t", "MAGIC_HOUR_API_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s", "BULKUP_PROCESSES": "2"}
    assert inherited({**kept, **others}) == kept


class Unkillable:
    """A process that waits for a device that does not answer, so that no signal ends it."""

    def __init__(self) -> None:
        self.kills = 0
        self.returncode: int | None = None

    def kill(self) -> None:
        self.kills += 1

    async def wait(self) -> int:
        await anyio.sleep_forever()
        raise AssertionError


async def test_a_process_that_sigkill_does_not_end_does_not_delay_the_run() -> None:
    stuck = Unkillable()

    async def spawn(_: socket.socket) -> SystemProcess:
        return cast("SystemProcess", stuck)

    callbacks = Callbacks(lambda _: None, lambda *_: None, lambda _: None)
    process = SendingProcess(callbacks, ProcessOptions(stop_timeout=0.01), spawn)
    await process.start(Setup("local", TransportOptions(1), SendOptions()))
    assert await process.close() == -signal.SIGKILL
    assert stuck.kills >= 1
