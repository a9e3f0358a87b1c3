"""Import aiohttp without the certificates of the system's authorities.

aiohttp reads them twice while it is imported, for default contexts that bulkup never uses: `TlsVerification` has one
context for all connections, and a run over plain HTTP needs none. Reading takes a fifth of the CPU time of a start.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

_READ = "set_default_verify_paths"


@contextlib.contextmanager
def unread_certificates() -> Iterator[None]:
    """Create contexts without authorities meanwhile; they refuse every certificate.

    For the start of the command alone: in a program that uses the library, other threads may create contexts, and other
    code may use aiohttp's.
    """
    # A method of the base class in C, which this attribute hides for a while.
    setattr(ssl.SSLContext, _READ, lambda _context: None)
    try:
        yield
    finally:
        delattr(ssl.SSLContext, _READ)
