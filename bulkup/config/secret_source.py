"""The source of a secret. It is fetched only when it is used, so showing the settings runs no command."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Mapping

from bulkup.config.user_dirs import home_expanded
from bulkup.errors import UsageError
from bulkup.helpers.input_files import read_input
from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import MASK, Secret

COMMAND_TIMEOUT = 30.0  # seconds; a password manager that prompts for input would block a nightly run forever
EXPECTED = "env:NAME, file:PATH, command:ARGV or the secret itself"
CREDENTIAL = "bulkup."  # precedes the setting, in the name of a credential that replaces its file

_KINDS = ("env", "file", "command")
_VARIABLE = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_]*")
_LARGEST_FILE = 65536  # bytes, also of a command's output


@dataclass(frozen=True, slots=True)
class SecretSource:
    """The source of one secret: `kind` is env, file, command or literal.

    `reference` is the variable, the path, the command line or the secret itself. It is always kept as a `Secret`,
    because a command line may contain one too. `str()` returns the form that may be shown.
    """

    setting: str
    kind: str
    reference: Secret

    @classmethod
    def parse(cls, setting: str, text: str) -> SecretSource:
        """Return the source that `text` names. Raises ValueError, whose text does not repeat it."""
        kind, colon, rest = text.partition(":")
        if not colon or kind not in _KINDS:
            kind, rest = "literal", text
        if not rest.strip():
            raise ValueError(f"expected {EXPECTED}; it is empty")
        if kind == "env" and not _VARIABLE.fullmatch(rest):
            raise ValueError("expected the name of an environment variable after env:")
        source = cls(setting, kind, Secret(rest))
        if kind == "command" and not source._argv():
            raise ValueError("expected a command line with matching quotes after command:")
        return source

    def __str__(self) -> str:
        if self.kind == "literal":
            return MASK
        if self.kind == "command":
            program, *arguments = self._argv()
            return f"command:{program}" + (f" {MASK}" if arguments else "")
        return f"{self.kind}:{self.reference.reveal()}"

    def resolve(self, environ: Mapping[str, str], *, command_timeout: float = COMMAND_TIMEOUT) -> Secret:
        """Fetch the secret. A command blocks for up to `command_timeout` seconds.

        systemd hands credentials to a service as files in the folder CREDENTIALS_DIRECTORY. One with the name of the
        variable stands for a variable that is not set. One with the name of the setting after `CREDENTIAL` replaces
        the file, which the service may not be able to read.

        Raises UsageError if the secret cannot be fetched, is empty, or contains characters that an HTTP header cannot
        carry. The error names the setting and the source, and never the value.
        """
        value = self._fetch(environ, command_timeout)
        if not value:
            raise self._error("is empty")
        if any(ord(char) < 32 or 127 <= ord(char) < 160 or ord(char) > 255 for char in value):
            raise self._error("contains a control character or one outside Latin-1, which an HTTP header cannot carry")
        if value != value.strip():
            raise self._error("begins or ends with a space")
        return Secret(value)

    def _fetch(self, environ: Mapping[str, str], command_timeout: float) -> str:
        if self.kind == "env":
            return self._from_environment(environ)
        if self.kind == "file":
            credential = _credential(environ, CREDENTIAL + self.setting)
            return self._from_file(credential or self.reference.reveal())
        if self.kind == "command":
            return self._from_command(command_timeout)
        return self.reference.reveal()

    def _from_environment(self, environ: Mapping[str, str]) -> str:
        name = self.reference.reveal()
        if name in environ:
            return environ[name]
        credential = _credential(environ, name)
        if credential is None:
            raise self._error("is not set", hint=f"set the environment variable {name}")
        return self._from_file(credential)

    def _from_file(self, named: str) -> str:
        try:
            path = home_expanded(named)
            data, _ = read_input(path, _LARGEST_FILE + 1, seconds=COMMAND_TIMEOUT)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not a path"
            raise self._error(f"cannot be read: {why}") from error
        if len(data) > _LARGEST_FILE:
            raise self._error(f"is larger than {_LARGEST_FILE} bytes, too large for a secret")
        return self._decoded(data.rstrip(b"\r\n"))

    def _from_command(self, timeout: float) -> str:
        try:
            status, output = _output(self._argv(), timeout)
        except subprocess.TimeoutExpired:
            # Not chained: its text contains the whole command line, and its attributes the output.
            raise self._error(f"gave no answer within {timeout:g} s") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not a command"
            raise self._error(f"cannot be run: {why}") from error
        if len(output) > _LARGEST_FILE:
            raise self._error(f"printed more than {_LARGEST_FILE} bytes, too many for a secret")
        if status != 0:
            raise self._error(f"exited with status {status}", hint="run it by hand to see why")
        return self._decoded(output.partition(b"\n")[0].rstrip(b"\r"))

    def _decoded(self, data: bytes) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            # Not chained: its attributes contain the secret.
            raise self._error("is not UTF-8 text") from None

    def _argv(self) -> list[str]:
        try:
            import shlex  # noqa: PLC0415  # few secrets come from a command

            return shlex.split(self.reference.reveal())
        except ValueError:
            return []

    def _error(self, what: str, *, hint: str = "") -> UsageError:
        place = "the value given" if self.kind == "literal" else str(self)
        return UsageError(f"{self.setting}: {place} {what}", hint=hint)


def _credential(environ: Mapping[str, str], name: str) -> str | None:
    """Return the path of a credential of this service, None if there is none of that name."""
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    path = os.path.join(folder, name)
    return path if os.path.isabs(folder) and os.path.isfile(path) else None


def _output(argv: list[str], timeout: float) -> tuple[int, bytes]:
    """Run a command, and return its status and output. One that prints too much is killed.

    Raises `OSError`, ValueError, and `subprocess.TimeoutExpired` after `timeout` seconds.
    """
    deadline, output = time.monotonic() + timeout, bytearray()
    null = subprocess.DEVNULL
    with (
        subprocess.Popen(argv, stdin=null, stdout=subprocess.PIPE, stderr=null, bufsize=0) as process,
        selectors.DefaultSelector() as selector,
    ):
        assert process.stdout is not None
        try:
            selector.register(process.stdout, selectors.EVENT_READ)
            while len(output) <= _LARGEST_FILE:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise subprocess.TimeoutExpired("", timeout)
                block = os.read(process.stdout.fileno(), _LARGEST_FILE)
                if not block:
                    return process.wait(max(0.0, deadline - time.monotonic())), bytes(output)
                output += block
            return 0, bytes(output)
        finally:
            process.kill()
