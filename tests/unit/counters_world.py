"""Made-up counters of a run."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from bulkup.model.counters import SETTLED, Counters, Ignored

NUMBERS = st.integers(0, 10**7)


@st.composite
def counters(draw: st.DrawFn) -> Counters:
    settled: dict[str, Any] = {name: draw(NUMBERS) for name in SETTLED}
    return Counters(
        found=sum(settled.values()) + draw(NUMBERS),
        unverified=draw(st.integers(0, settled["uploaded"])),
        bytes_found=draw(NUMBERS),
        bytes_uploaded=draw(NUMBERS),
        retries=draw(NUMBERS),
        ignored=Ignored(hidden=draw(NUMBERS)),
        **settled,
    )
