"""The embedded server as a process of its own, for runs that bring their server along."""

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

START_PATIENCE = 15.0  # seconds until the server must be listening
STOP_PATIENCE = 10.0  # seconds from the end of its standard input to SIGTERM, and once more to SIGKILL
_LONGEST_LINE = 64 << 10


class ServerProcess:
    """A `bulkup serve` of our own, running within `async with`.

    Its standard input is a pipe that we hold and never write to. It ends when that pipe closes, so it dies with us
    whatever we die of. It is in a session of its own: a Ctrl-C at the terminal ends the run first, which can then still
    finish what is in flight. Credentials stand on its command line, where users of this machine can see them.

    Entering raises MachineError, with what the process said, when it does not listen within `START_PATIENCE`.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._process: Process | None = None
        self._url = ""

    async def __aenter__(self) -> Self:
        with tempfile.TemporaryFile() as errors:
            try:
                self._process = await self._spawn(errors)
                self._url = await self._listening(self._process, errors)
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
        """The server's root, without a slash at its end."""
        return self._url

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RuntimeError("the server process has not been started")
        return self._process.pid

    async def stop(self) -> None:
        """End the process: by the end of its input, else by SIGTERM, else by SIGKILL. May be called again."""
        if self._process is None:
            return
        process, self._process = self._process, None
        with anyio.CancelScope(shield=True):
            assert process.stdin
            await process.stdin.aclose()
            for end in (process.terminate, process.kill):
                with anyio.move_on_after(STOP_PATIENCE):
                    await process.wait()
                    break
                end()
            await process.aclose()

    async def _spawn(self, errors: IO[bytes]) -> Process:
        try:
            return await anyio.open_process(
                # -P: where a run is started may hold a file that is called like a module of ours.
                [sys.executable, "-P", "-m", "bulkup", "serve", *arguments(self._config), "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            raise MachineError(f"the local server cannot be started: {error}") from error

    async def _listening(self, process: Process, errors: IO[bytes]) -> str:
        assert process.stdout
        lines = BufferedByteReceiveStream(process.stdout)
        try:
            with anyio.fail_after(START_PATIENCE):
                line = await lines.receive_until(b"\n", _LONGEST_LINE)
            return str(orjson.loads(line)["url"])
        except (TimeoutError, anyio.IncompleteRead, anyio.EndOfStream, ValueError, KeyError, TypeError):
            errors.seek(0)
            said = errors.read(_LONGEST_LINE).decode(errors="replace").strip()
            raise MachineError(f"the local server did not start: {said or 'it said nothing'}") from None


def arguments(config: ServerConfig) -> list[str]:
    """Return the options of `bulkup serve` that make the same configuration."""
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
        "--seed": str(config.seed),
    }
    options = [f"{name}={value}" for name, value in named.items()]
    options += [] if config.url_ttl is None else [f"--url-ttl={config.url_ttl}"]
    options += [] if config.tls is None else ["--tls", *config.tls]
    options += [f"--fault={fault}" for fault in config.faults]
    return [*options, "--prefer-last-port"] if config.prefer_last_port else options
