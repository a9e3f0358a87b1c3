"""The embedded server as a child process, for runs that start their own server."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from types import TracebackType
from typing import IO, Self

import anyio
import orjson
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from bulkup.errors import MachineError
from bulkup.localserver.server_config import ServerConfig

_MAX_OUTPUT = 64 << 10


class ServerProcess:
    """A child process `bulkup serve`, running within `async with`.

    Its standard input is a pipe that this process holds and never writes to. The child exits when the pipe closes, so
    it never outlives this process, even a killed one. It has its own session, so Ctrl-C at the terminal reaches only
    the run, which can then finish the transfers in flight. Its command line contains the credentials; other users of
    this machine can see them.

    Entering raises MachineError, with the child's error output, if it does not listen within `start_timeout` seconds.
    `stop_timeout` is the time in seconds from closing the pipe to SIGTERM, and again from there to SIGKILL.
    """

    def __init__(self, config: ServerConfig, *, start_timeout: float = 15.0, stop_timeout: float = 10.0) -> None:
        self._config = config
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._process: Process | None = None
        self._url = ""

    async def __aenter__(self) -> Self:
        with _temporary_file() as errors:
            try:
                self._process = await self._spawn(errors)
                self._url = await self._wait_for_url(self._process, errors)
            except BaseException:
                await self.stop()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The URL of the server's root, without a slash at the end."""
        return self._url

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RuntimeError("the server process has not been started")
        return self._process.pid

    async def stop(self) -> None:
        """End the process: close its input, then send SIGTERM, then SIGKILL. Does nothing if it was stopped already."""
        if self._process is None:
            return
        process, self._process = self._process, None
        with anyio.CancelScope(shield=True):
            assert process.stdin
            await process.stdin.aclose()
            for end in (process.terminate, process.kill):
                with anyio.move_on_after(self._stop_timeout):
                    await process.wait()
                    break
                end()
            await process.aclose()

    async def _spawn(self, errors: IO[bytes]) -> Process:
        try:
            # -P: the working directory may contain a file named like one of the imported modules.
            command = [sys.executable, "-X", "utf8", "-P", "-m", "bulkup", "serve", *arguments(self._config)]
            return await anyio.open_process(
                [*command, "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            raise MachineError(f"the local server cannot be started: {error}") from error

    async def _wait_for_url(self, process: Process, errors: IO[bytes]) -> str:
        assert process.stdout
        lines = BufferedByteReceiveStream(process.stdout)
        try:
            with anyio.fail_after(self._start_timeout):
                line = await lines.receive_until(b"\n", _MAX_OUTPUT)
            return str(orjson.loads(line)["url"])
        except (TimeoutError, anyio.IncompleteRead, anyio.EndOfStream, ValueError, KeyError, TypeError):
            errors.seek(0)
            output = errors.read(_MAX_OUTPUT).decode(errors="replace").strip()
            raise MachineError(f"the local server did not start: {output or 'no error output'}") from None


def _temporary_file() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise MachineError(f"a temporary file cannot be made: {error.strerror or error}", hint="set TMPDIR") from error


def arguments(config: ServerConfig) -> list[str]:
    """Return the options of `bulkup serve` for this configuration."""
    named = {
        "--store": config.store,
        "--host": config.host,
        "--port": str(config.port),
        "--token": config.token,
        "--api-key": config.api_key,
        "--access-key": config.access_key,
        "--secret-key": config.secret_key,
        "--project-id": config.project_id,
        "--security-token": config.security_token,
        "--iam-domain": config.iam_domain,
        "--iam-user": config.iam_user,
        "--iam-password": config.iam_password,
        "--client-id": config.client_id,
        "--client-secret": config.client_secret,
        "--magic-hour-extensions": config.magic_hour_extensions,
        "--seed": str(config.seed),
    }
    options = [f"{name}={value}" for name, value in named.items()]
    options += [] if config.url_ttl is None else [f"--url-ttl={config.url_ttl}"]
    options += [] if config.tls is None else ["--tls", *config.tls]
    options += [f"--fault={fault}" for fault in config.faults]
    return [*options, "--prefer-last-port"] if config.prefer_last_port else options
