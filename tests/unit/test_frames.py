"""Frames: messages of plain values over a stream that arrives in arbitrary chunks."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bulkup.pipeline.processes.frames import Frames, frame

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=20)  # with surrogates, as in file names
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)


@given(st.lists(plain, max_size=5), st.data())
def test_messages_are_decoded_from_any_chunks(messages: list[Any], data: st.DataObject) -> None:
    got: list[Any] = []
    stream, frames = b"".join(map(frame, messages)), Frames()
    while stream:
        length = data.draw(st.integers(1, len(stream)))
        got += frames.feed(stream[:length])
        stream = stream[length:]
    assert got == messages
