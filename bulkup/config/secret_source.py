"""Where a secret is to be fetched. Fetching happens when it is used, so that showing settings runs no
command."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from bulkup.errors import UsageError
from bulkup.helpers.secrets import MASK, Secret

COMMAND_TIMEOUT = 30.0  # seconds; a password manager that asks somebody would hang a nightly run for ever
EXPECTED = "env:NAME, file:PATH, command:ARGV or the secret itself"

_KINDS = ("env", "file", "command")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LARGEST_FILE = 65536  # bytes


@dataclass(frozen=True, slots=True)
class SecretSource:
    """One way to a secret: `kind` is env, file, command or literal.

    `reference` is the variable, the path, the command line or the secret itself. It is kept as a `Secret`
    whatever the kind, because a command line may hold one too; `str()` shows what may be shown.
    """

    setting: str
    kind: str
    reference: Secret

    @classmethod
    def parse(cls, setting: str, text: str) -> SecretSource:
        """Return the source that `text` names. Raises ValueError with a text that does not repeat it."""
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

    def resolve(self, environ: Mapping[str, str]) -> Secret:
        """Fetch the secret; blocks for up to 30 s where that is a command.

        Raises UsageError, which names the setting and the place and never the value, where there is nothing
        to be had, or where it holds what an HTTP header cannot.
        """
        value = self._fetch(environ)
        if not value:
            raise self._error("is empty")
        if any(ord(char) < 32 or 127 <= ord(char) < 160 or ord(char) > 255 for char in value):
            raise self._error("holds a control character or one outside Latin-1, which no header can carry")
        if value != value.strip():
            raise self._error("begins or ends with a space")
        return Secret(value)

    def _fetch(self, environ: Mapping[str, str]) -> str:
        if self.kind == "env":
            return self._from_environment(environ)
        if self.kind == "file":
            return self._from_file()
        if self.kind == "command":
            return self._from_command()
        return self.reference.reveal()

    def _from_environment(self, environ: Mapping[str, str]) -> str:
        name = self.reference.reveal()
        if name not in environ:
            raise self._error("is not set", hint=f"set the environment variable {name}")
        return environ[name]

    def _from_file(self) -> str:
        try:
            with open(os.path.expanduser(self.reference.reveal()), "rb") as file:
                data = file.read(_LARGEST_FILE + 1)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not a path"
            raise self._error(f"cannot be read: {why}") from error
        if len(data) > _LARGEST_FILE:
            raise self._error(f"is larger than {_LARGEST_FILE} bytes, so it is no secret")
        return self._decoded(data.rstrip(b"\r\n"))

    def _from_command(self) -> str:
        try:
            done = subprocess.run(
                self._argv(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            # Not chained: its text holds the whole command line and its attributes the output.
            raise self._error(f"gave no answer within {COMMAND_TIMEOUT:g} s") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not a command"
            raise self._error(f"cannot be run: {why}") from error
        if done.returncode != 0:
            raise self._error(f"exited with status {done.returncode}", hint="run it by hand to see why")
        return self._decoded(done.stdout.partition(b"\n")[0].rstrip(b"\r"))

    def _decoded(self, data: bytes) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            # Not chained: its attributes hold the secret.
            raise self._error("is not UTF-8 text") from None

    def _argv(self) -> list[str]:
        try:
            return shlex.split(self.reference.reveal())
        except ValueError:
            return []

    def _error(self, what: str, *, hint: str = "") -> UsageError:
        place = "the value given" if self.kind == "literal" else str(self)
        return UsageError(f"{self.setting}: {place} {what}", hint=hint)
