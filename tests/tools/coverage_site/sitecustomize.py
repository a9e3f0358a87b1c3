"""Measure coverage in every Python process of a test run that imports bulkup.

`make test COVERAGE=1` puts this folder on PYTHONPATH, so that each interpreter imports this module as it starts.
Coverage's own way (`patch = subprocess`) relies on a variable that bulkup does not pass to its sending processes.

Coverage starts with the first import of bulkup, because its start takes several times as long as that of Python. It
measures the files of this clone alone: other copies, such as an installed package, would count as untested.
A test can name a command in UNMEASURED_COMMAND that it starts often, and that is not what it tests.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing would take longer than all the rest
if TYPE_CHECKING:
    from typing import NoReturn

    import coverage

_ROOT = os.path.abspath(os.path.join(__file__, *[os.pardir] * 4))


class _StartAtImport:
    """A finder that starts coverage when bulkup is imported. It finds no module itself."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Start coverage if the module is bulkup."""
        if name == "bulkup":
            sys.meta_path.remove(_StartAtImport)
            _start()


def _start() -> None:
    try:
        os.getcwd()
        import coverage
    except (FileNotFoundError, ModuleNotFoundError):
        return  # a test runs bulkup in a folder that was deleted, or in an environment of its own

    measured = coverage.Coverage(
        config_file=os.path.join(_ROOT, "pyproject.toml"),
        data_file=os.path.join(_ROOT, ".coverage"),
        data_suffix=True,  # a file for each process
        source_dirs=[],  # with a source, each process would also look for the modules that it did not import
        include=[os.path.join(_ROOT, "bulkup", "*")],
    )
    measured.start()
    _save_at_exit(measured)


def _save_at_exit(measured: coverage.Coverage) -> None:
    """Save the data when the process ends, also by `os._exit`.

    Coverage has a patch for `os._exit`. But two threads may end a process: at a second signal, or because the first one
    takes too long. Both would then write to one database, which ends Python with SIGSEGV.
    """
    import atexit
    import contextlib
    import threading

    saving = threading.Lock()
    leave = os._exit

    def save() -> None:
        with saving:
            measured.stop()
            measured.save()

    def save_and_leave(status: int) -> NoReturn:
        saving.acquire()  # and never release it: another thread must not leave before the data is saved
        with contextlib.suppress(Exception):
            measured.save()
        leave(status)

    atexit.register(save)
    os._exit = save_and_leave


if os.environ.get("UNMEASURED_COMMAND") not in sys.orig_argv:
    sys.meta_path.insert(0, _StartAtImport)
