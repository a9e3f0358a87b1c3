"""The control socket as a file beside the journal: made private, replaced and removed under the journal's lock.

The socket is bound in a folder of mode 0700 and then renamed, so nobody else can connect before its mode is 0600, and
the socket of a run that was killed is replaced in one step. The other side of a connection must be the same user or
root; the system tells who it is, on Linux and the BSDs.

An address of a Unix socket has about a hundred bytes. Where the path is longer, Linux is given a path below
/proc/self/fd, which is short.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator

from bulkup.errors import UsageError
from bulkup.journal import Lock

CONTROL = ".control"
_NEW = ".control.new"
_NAME = "s"
_LONGEST = 103  # bytes of an address: 107 on Linux, 103 on macOS and the BSDs
_BACKLOG = 16
_NO_RUN = frozenset({errno.ENOENT, errno.ECONNREFUSED})
_ROOT = 0


def control_path(journal: str) -> str:
    """Return the path of a journal's control socket."""
    return os.path.realpath(journal) + CONTROL


class BoundSocket:
    """A socket that accepts connections, and its file. Create it while the journal's lock is held.

    Raises OSError where the file system has no sockets or cannot be written, or the path is too long.
    """

    def __init__(self, journal: str) -> None:
        self.path = control_path(journal)
        folder = os.path.realpath(journal) + _NEW
        _remove_folder(folder)  # of a run that was killed at this point
        os.mkdir(folder, 0o700)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            bound = os.path.join(folder, _NAME)
            with _address(folder, _NAME) as address:
                self.listener.bind(address)
            os.chmod(bound, 0o600)
            self.listener.listen(_BACKLOG)
            self.listener.setblocking(False)
            self._place = _place(bound)
            os.rename(bound, self.path)
        except BaseException:
            self.listener.close()
            raise
        finally:
            _remove_folder(folder)

    def close(self) -> None:
        """Accept no more connections, and remove the file unless another one has its name."""
        self.listener.close()
        with contextlib.suppress(OSError):
            if _place(self.path) == self._place:
                os.unlink(self.path)


def connect(journal: str, timeout: float) -> socket.socket:
    """Return a connection to the run that holds a journal, with this timeout in seconds. It blocks.

    Raises `UsageError` where there is no such run, where it belongs to another user, or does not answer.
    """
    path = control_path(journal)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        found = os.lstat(path)
        if not stat.S_ISSOCK(found.st_mode):
            raise UsageError(f"{path} is not a socket", hint="move it away; a run creates its control socket there")
        if not may_control(os.geteuid(), found.st_uid):
            raise _of_another_user(path)
        with _address(*os.path.split(path)) as address:
            connection.connect(address)
    except OSError as error:
        connection.close()
        raise _not_connected(journal, path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def may_control(user: int | None, owner: int) -> bool:
    """Return whether a user may control the runs of another one, both by their ids. Root may.

    For None, a user that the system does not name, the mode of the socket's file alone decides.
    """
    return user is None or user in (_ROOT, owner)


def peer_user(connection: socket.socket) -> int | None:
    """Return the id of the user on the other side of a connection, None where the system does not name it."""
    with contextlib.suppress(OSError):
        if hasattr(socket, "SO_PEERCRED"):
            of_linux = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
            return int(struct.unpack("iII", of_linux)[1])  # struct ucred: pid, uid, gid
        if hasattr(socket, "LOCAL_PEERCRED"):  # struct xucred: version, uid
            of_bsd = connection.getsockopt(0, socket.LOCAL_PEERCRED, 128)
            return int(struct.unpack_from("II", of_bsd)[1])
    return None


@contextlib.contextmanager
def _address(folder: str, name: str) -> Iterator[str]:
    """Yield an address of the file that fits, while the context is entered. Raises OSError if there is none."""
    path = os.path.join(folder, name)
    if len(os.fsencode(path)) <= _LONGEST:
        yield path
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        short = f"/proc/self/fd/{descriptor}"
        if not os.path.isdir(short):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        if len(os.fsencode(name)) <= _LONGEST - len(short) - 1:
            yield f"{short}/{name}"
            return
        file = os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=descriptor)
        try:
            yield f"/proc/self/fd/{file}"
        finally:
            os.close(file)
    finally:
        os.close(descriptor)


def _remove_folder(folder: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, _NAME))
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(folder)


def _place(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _not_connected(journal: str, path: str, error: OSError) -> UsageError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return _of_another_user(path)
    if error.errno in _NO_RUN:
        holder = Lock(journal)
        if holder.is_held():
            which = f"the run of process {holder.holder() or 'unknown'}"
            hint = "it is an older version, has just begun, or could not make the socket; its log says so"
            return UsageError(f"{which} has no control socket", hint=hint)
        return UsageError(f"no run is under way on the journal {journal}", hint="`bulkup runs` shows how runs ended")
    if isinstance(error, TimeoutError):
        return UsageError("the run does not answer", hint="it may be stopped (Ctrl-Z), or blocked by a disk")
    return UsageError(f"cannot connect to {path}: {error.strerror or error}")


def _of_another_user(path: str) -> UsageError:
    return UsageError(
        f"the control socket {path} belongs to another user",
        hint="run the command as that user, for example with sudo -u",
    )
