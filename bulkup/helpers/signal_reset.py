"""Signals whose second delivery ends the process even if no Python code can run.

Python runs a handler between two of its instructions. A long call of C code, such as one match of a regular expression,
delays every handler and every thread. The system's default action needs none of them.
"""

from __future__ import annotations

import ctypes
import functools
import platform
import signal
import sys
from collections.abc import Callable

_SA_RESETHAND = 0x80000000


class _Action(ctypes.Structure):
    """`struct sigaction` of glibc and musl on the machines below."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_uint),
        ("restorer", ctypes.c_void_p),
    )


def reset_on_delivery(number: signal.Signals) -> Callable[[], object] | None:
    """Let the system restore the default action when the signal arrives, after Python has noted it.

    Returns a function that puts the handler back, for any thread. Returns None if this system is not supported.
    """
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    action = _Action()
    if library.sigaction(number, None, ctypes.byref(action)) or not action.handler:
        return None
    action.flags |= _SA_RESETHAND
    install = functools.partial(library.sigaction, int(number), ctypes.byref(action), None)
    return None if install() else install
