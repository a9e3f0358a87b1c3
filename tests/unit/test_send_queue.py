"""The number of bytes that the other side of a connection has not acknowledged."""

from __future__ import annotations

import os
import socket
import sys
import time

import pytest

from bulkup.helpers.send_queue import unacknowledged_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_bytes_that_do_not_fit_the_receiver_stay_in_the_send_queue() -> None:
    """They leave the queue when the receiver reads."""
    with socket.socket() as listener, socket.socket() as sender:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sender.connect(listener.getsockname())
        receiver, _ = listener.accept()
        with receiver:
            assert unacknowledged_bytes(sender.fileno()) == 0
            sender.setblocking(False)
            sent = sender.send(bytes(1_000_000))
            assert 0 < unacknowledged_bytes(sender.fileno()) <= sent
            left = sent
            while left:
                left -= len(receiver.recv(left))
            end = time.monotonic() + 5
            while unacknowledged_bytes(sender.fileno()) and time.monotonic() < end:
                time.sleep(0.001)
            assert unacknowledged_bytes(sender.fileno()) == 0


def test_a_descriptor_that_is_no_socket_has_no_send_queue() -> None:
    reader, writer = os.pipe()
    try:
        assert unacknowledged_bytes(reader) == 0
    finally:
        os.close(reader)
        os.close(writer)
    assert unacknowledged_bytes(reader) == 0
