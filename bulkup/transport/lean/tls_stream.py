"""TLS over in-memory buffers: encrypts outgoing and decrypts incoming bytes. No I/O; OpenSSL does the work.

asyncio's own TLS layer does the same with several calls per piece of data. It also loses bytes that arrived before the
connection broke.
"""

from __future__ import annotations

import contextlib
import ssl

_RECORD = 16 * 1024  # bytes of the largest TLS record, and so of one read (RFC 8446 5.1)


class TlsStream:
    """The client's side of one TLS connection. With the `session` of an earlier connection the handshake is short.

    `below` is the TLS layer that carries this one, as in a tunnel through an HTTPS proxy.
    """

    __slots__ = ("_below", "_incoming", "_outgoing", "_ssl", "ended", "established")

    def __init__(
        self, context: ssl.SSLContext, host: str, session: ssl.SSLSession | None = None, below: TlsStream | None = None
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host, session=session)
        self._below = below
        self.established = False
        self.ended = False  # the server has sent a close_notify

    @property
    def session(self) -> ssl.SSLSession | None:
        """The session that a later connection to this host can resume; None before the server's first data."""
        return self._ssl.session

    def start_handshake(self) -> bytes:
        """Return the bytes that start the handshake."""
        self._handshake()
        return self.pending_output()

    def encrypt(self, data: bytes | bytearray | memoryview) -> bytes:
        """Return the data in encrypted form."""
        written = self._ssl.write(data)
        while written < len(data):
            written += self._ssl.write(data[written:])
        return self.pending_output()

    def decrypt(self, data: bytes) -> bytes:
        """Return the decrypted data, empty during the handshake. Raises ssl.SSLError, a subclass of OSError.

        Send `pending_output` afterwards: TLS may have to reply.
        """
        if self._below is not None:
            data = self._below.decrypt(data)
        self._incoming.write(data)
        if not self.established:
            self._handshake()
            if not self.established:
                return b""
        return self._read()

    def pending_output(self) -> bytes:
        """Return the encrypted bytes that have to be written to the socket; often none."""
        data = self._outgoing.read()
        return data if self._below is None else self._below.encrypt(data) if data else self._below.pending_output()

    def close(self) -> bytes:
        """Return the bytes of a close_notify."""
        with contextlib.suppress(ssl.SSLError):  # OpenSSL expects the server's close_notify; we do not wait for it
            self._ssl.unwrap()
        return self.pending_output()

    def _handshake(self) -> None:
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.established = True

    def _read(self) -> bytes:
        parts = []
        try:
            while self._incoming.pending or self._ssl.pending():
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
