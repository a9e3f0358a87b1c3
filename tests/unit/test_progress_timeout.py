"""The timeout of a body: the idle timeout, plus time for the bytes in buffers."""

from __future__ import annotations

import pytest

from bulkup.transport import TransportOptions

MIB = 1024**2


@pytest.mark.parametrize(("sent", "seconds"), [(0, 60.0), (64 * 1024, 61.0), (8 * MIB, 188.0), (100 * MIB, 188.0)])
def test_buffered_bytes_extend_the_idle_timeout(sent: int, seconds: float) -> None:
    assert TransportOptions(1).progress_timeout.after(sent) == seconds
