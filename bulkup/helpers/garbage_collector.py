"""Settings of the garbage collector of the command's processes."""

from __future__ import annotations

import gc


def disable_gc() -> None:
    """Disable the garbage collector during imports, until `enable_gc`.

    Imports create a hundred thousand objects that are never freed. Repeated collections would take a tenth of the
    start.
    """
    gc.disable()


def enable_gc() -> None:
    """Enable the garbage collector for objects that are created from now on."""
    gc.freeze()
    gc.enable()


def reduce_gc_frequency() -> None:
    """Collect less often: a run creates many short-lived objects and hardly any cycles.

    With the default threshold all young objects are examined every few files, which costs a tenth of the throughput.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
