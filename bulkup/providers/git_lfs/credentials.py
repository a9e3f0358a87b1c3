"""Credentials for a Git LFS server: those of the settings, else of netrc, else of git's credential helpers.

netrc is read for the first call. git is asked only after the server has answered 401, because a helper may start a
program of its own. It never gets a terminal: a helper that would ask a person gives no answer, or is ended in time.
Nothing is stored in a helper or removed from it.
"""

from __future__ import annotations

import contextlib
import netrc
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.providers.base import ProviderConfig
from bulkup.providers.basic_header import BasicHeader
from bulkup.providers.bearer_header import BearerHeader

_MOST_OUTPUT = 64 * 1024  # bytes of an answer of git


class Login(NamedTuple):
    """A header that authorizes a call, and the secrets in it."""

    header: Secret
    secrets: tuple[Secret, ...]

    @classmethod
    def of_user(cls, user: str, password: Secret) -> Login:
        """Return the login of a user with a password."""
        header = BasicHeader(user, password)
        return cls(header, (password, header.encoded))


@dataclass(frozen=True, slots=True)
class GitOptions:
    """How git is asked. A command that gives no answer within `timeout` seconds is ended."""

    command: str = "git"
    timeout: float = 30.0


class LoginSource:
    """Returns the login to use. `environ` has the variables of this process."""

    def __init__(
        self, config: ProviderConfig, environ: Mapping[str, str] | None = None, options: GitOptions | None = None
    ) -> None:
        self._base_url = config.base_url
        self._environ = os.environ if environ is None else environ
        self._options = options or GitOptions()
        self._login = _configured(config.credentials)
        self._is_configured = self._login is not None
        self._read_netrc = False
        self._asked = False  # git
        self._asked_after: Login | None = None  # the login that had been refused
        self._secrets: list[Secret] = list(self._login.secrets) if self._login is not None else []
        self._lock = anyio.Lock()

    @property
    def secrets(self) -> Iterable[Secret]:
        """The secrets of all logins so far."""
        return tuple(self._secrets)

    @property
    def known(self) -> Login | None:
        """The login of the last call."""
        return self._login

    async def login(self) -> Login | None:
        """Return the login for a call, None for one without. Raises `ProblemError` for an unreadable netrc."""
        if self._login is not None or self._read_netrc:
            return self._login
        async with self._lock:
            if not self._read_netrc:
                self._keep(await anyio.to_thread.run_sync(self._from_netrc))
                self._read_netrc = True
            return self._login

    async def other(self, refused: Login | None) -> bool:
        """Return whether there is another login than one that the server refused. Raises `ProblemError`."""
        if self._is_configured:
            return False
        async with self._lock:
            if self._login != refused:
                return True  # another call has found it meanwhile
            if self._asked and self._asked_after == refused:
                return False  # another call has got no answer
            self._asked, self._asked_after = True, refused
            found = await anyio.to_thread.run_sync(self._from_git)
            if found is None or found == refused:
                return False
            self._keep(found)
            return True

    def _keep(self, login: Login | None) -> None:
        self._login = login
        if login is not None:
            self._secrets += login.secrets

    def _from_netrc(self) -> Login | None:
        path = self._environ.get("NETRC") or os.path.join(self._environ.get("HOME", ""), ".netrc")
        failure = ""
        try:
            entry = netrc.netrc(path).authenticators(urlsplit(self._base_url).hostname or "")
        except OSError:
            return None  # nearly always because there is none
        except (netrc.NetrcParseError, UnicodeDecodeError) as error:
            # Not chained: its text may hold a password.
            failure = f" in line {error.lineno}" if isinstance(error, netrc.NetrcParseError) and error.lineno else ""
            entry = None
        else:
            return Login.of_user(entry[0], Secret(entry[2])) if entry is not None else None
        raise ProblemError(Problem(ProblemKind.UNAUTHORIZED, f"{path} cannot be read as a netrc file{failure}"))

    def _from_git(self) -> Login | None:
        """Return the login that `git credential fill` answers, None where git or its helpers have no answer."""
        parts = urlsplit(self._base_url)
        asked = f"protocol={parts.scheme}\nhost={parts.netloc}\npath={parts.path.lstrip('/')}\n\n"
        silent = {"GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never", "GIT_ASKPASS": "", "SSH_ASKPASS": ""}
        argv = [self._options.command, "-c", "core.askPass=", "credential", "fill"]
        try:
            status, output = _answer_of(argv, asked.encode(), {**self._environ, **silent}, self._options.timeout)
        except subprocess.TimeoutExpired:
            text = f"`git credential fill` gave no answer within {self._options.timeout:g} s: does it ask a person?"
        except OSError:
            return None  # git is not installed
        else:
            return _of_answer(output) if status == 0 else None
        raise ProblemError(Problem(ProblemKind.UNAUTHORIZED, text))


def _answer_of(argv: list[str], asked: bytes, environ: Mapping[str, str], timeout: float) -> tuple[int, bytes]:
    """Run a command without a terminal, and return its status and output.

    Raises OSError, and `subprocess.TimeoutExpired` after `timeout` seconds. The programs that it has started are ended
    with it: one of them may keep the output open.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environ, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(asked, timeout)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output


def _configured(given: Mapping[str, Secret]) -> Login | None:
    if "token" in given:
        return Login(BearerHeader(given["token"]), (given["token"],))
    if "lfs_password" in given:
        return Login.of_user(given["lfs_user"].reveal(), given["lfs_password"])
    return None


def _of_answer(output: bytes) -> Login | None:
    """Return the login in an answer of git: lines of `key=value`."""
    text = output[:_MOST_OUTPUT].decode("utf-8", "surrogateescape")
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if not values.get("password"):
        return None
    return Login.of_user(values.get("username", ""), Secret(values["password"]))
