"""The hosts of `allowed_hosts`, checked and normalised for comparison with the hosts of URLs."""

from __future__ import annotations

import ipaddress

from bulkup.helpers.lazy_pattern import lazy_pattern

EXPECTED = "host names such as storage.example.com, *.example.com for all names below it, or IP addresses"

_NAME = lazy_pattern(r"(?=.{1,253}$)(\*\.)?[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")

# The system reads a name with such an ending as an address in an old notation, so a comparison would never match.
_NUMBER = lazy_pattern(r"[0-9]+|0x[0-9a-f]*")


def normalise_host(value: str) -> str:
    """Return a host in lower case: names in their ASCII (IDNA) form, addresses in their shortest form.

    Raises ValueError for a URL, a port, a wildcard that is not the first label, and any other invalid text.
    """
    text = value.strip().removesuffix(".")
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        pass
    start, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    try:
        ascii_name = name.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise _wrong() from error
    if not _NAME.fullmatch(start + ascii_name) or _NUMBER.fullmatch(ascii_name.rpartition(".")[2]):
        raise _wrong()
    return start + ascii_name


def _wrong() -> ValueError:
    return ValueError(f"expected {EXPECTED}; without scheme, port or path")
