"""A digest as a value in the journal's column `md5`: the bytes of an MD5, and text for other algorithms."""

from __future__ import annotations

from bulkup.model.files import Digest

StoredDigest = bytes | str | None


def stored_digest(digest: Digest | None) -> StoredDigest:
    """Return the value of the column."""
    if digest is None:
        return None
    return digest.value if digest.algorithm == "md5" else digest.text


def loaded_digest(value: StoredDigest) -> Digest | None:
    """Return the digest of a value of the column. Raises ValueError for a value that was not written here."""
    if not value:
        return None
    return Digest.of_text(value) if isinstance(value, str) else Digest(value)
