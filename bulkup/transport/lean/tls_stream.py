"""TLS over bytes: what came is decrypted, what is to go is encrypted. No I/O; OpenSSL does the work.

asyncio's own layer does the same with several calls for each piece, and what has arrived on a connection that broke is
lost in it.
"""

from __future__ import annotations

import contextlib
import ssl

_RECORD = 16 * 1024  # the most that one record carries, and so one read returns (RFC 8446 5.1)


class Tls:
    """One connection's TLS, on the client's side. With a `session` of an earlier one the handshake is short.

    `below` is the layer that this one is carried by: that to a proxy.
    """

    __slots__ = ("_below", "_in", "_out", "_ssl", "ended", "established")

    def __init__(
        self, context: ssl.SSLContext, host: str, session: ssl.SSLSession | None = None, below: Tls | None = None
    ) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._in, self._out, server_hostname=host, session=session)
        self._below = below
        self.established = False
        self.ended = False  # the other side has said that nothing more comes

    @property
    def session(self) -> ssl.SSLSession | None:
        """What makes the next handshake with this host short; there once the other side has said something."""
        return self._ssl.session

    def begin(self) -> bytes:
        """Return what opens the handshake."""
        self._handshake()
        return self.to_send()

    def encrypt(self, data: bytes | memoryview) -> bytes:
        """Return what carries the data."""
        written = self._ssl.write(data)
        while written < len(data):
            written += self._ssl.write(data[written:])
        return self.to_send()

    def decrypt(self, data: bytes) -> bytes:
        """Return what the data carried, nothing during the handshake. Raises ssl.SSLError, a kind of OSError.

        `to_send` then has what the other side is to be answered, if it is.
        """
        if self._below is not None:
            data = self._below.decrypt(data)
        self._in.write(data)
        if not self.established:
            self._handshake()
            if not self.established:
                return b""
        return self._read()

    def to_send(self) -> bytes:
        """Return what is to be sent as it is."""
        data = self._out.read()
        return data if self._below is None else self._below.encrypt(data) if data else self._below.to_send()

    def close(self) -> bytes:
        """Return what tells the other side that nothing more comes."""
        with contextlib.suppress(ssl.SSLError):  # it wants to hear the same in return, which nobody waits for
            self._ssl.unwrap()
        return self.to_send()

    def _handshake(self) -> None:
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.established = True

    def _read(self) -> bytes:
        parts = []
        try:
            while self._in.pending or self._ssl.pending():
                part = self._ssl.read(_RECORD)
                if not part:
                    self.ended = True
                    break
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return parts[0] if len(parts) == 1 else b"".join(parts)
