"""The cause of a failed TLS connection, and the next step for the user.

Only a certificate that cannot be verified is a matter of trust. OpenSSL also reports a server that does not speak TLS,
one that asks for a certificate of the client, and versions or ciphers without overlap.
"""

from __future__ import annotations

import ssl

_MOST_REASON = 80  # characters

# OpenSSL's codes of a certificate that was not accepted (X509_V_ERR_...).
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_NAME = frozenset({62, 64})  # the host name, or the address, differs
_AUTHORITY = frozenset({2, 18, 19, 20, 21})  # the issuer is unknown, or the certificate is its own

# A server without TLS answers in plain text, and OpenSSL reads that as a record.
_NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)
_VERSIONS = frozenset(
    {"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
)
_NO_COMMON_CIPHER = frozenset(
    {
        "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        "NO_SHARED_CIPHER",
        "DH_KEY_TOO_SMALL",
        "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
    }
)
_AMBIGUOUS = "SSLV3_ALERT_HANDSHAKE_FAILURE"  # no cipher, or before TLS 1.3 no certificate of the client
# Alerts about the client's certificate. TLS 1.3 sends them after the handshake.
_CLIENT_CERTIFICATE = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_NO_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV1_ALERT_ACCESS_DENIED",
    }
)
_UNKNOWN_NAME = frozenset({"TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNRECOGNIZED_NAME"})
# The server ended the handshake for a reason of its own: it may succeed later.
_PASSING = frozenset({"TLSV1_ALERT_INTERNAL_ERROR", "TLSV1_ALERT_USER_CANCELLED", "UNEXPECTED_EOF_WHILE_READING"})


def is_passing(error: ssl.SSLError) -> bool:
    """Return whether a later try may succeed: the server broke the handshake off."""
    broken = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
    return isinstance(error, broken) or error.reason in _PASSING


def wants_client_certificate(error: BaseException | None) -> bool:
    """Return whether the server asked for a certificate of the client."""
    return isinstance(error, ssl.SSLError) and error.reason in _CLIENT_CERTIFICATE


def explain(error: ssl.SSLError, where: str) -> str:
    """Return a sentence about the cause and the next step; `where` is the server."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error, where)
    reason = error.reason or ""
    if reason in _NO_TLS:
        return f"{where} does not speak TLS; does the port expect http:// instead of https://?"
    if reason in _VERSIONS:
        return f"{where} accepts no common TLS version; bulkup needs 1.2 or later"
    if reason in _NO_COMMON_CIPHER:
        return f"{where} and this machine have no cipher in common ({readable(error)}); is its TLS outdated?"
    if reason == _AMBIGUOUS:
        return f"{where} refuses the TLS handshake; it shares no cipher with bulkup, or asks for a client certificate"
    if reason in _CLIENT_CERTIFICATE:
        return client_certificate_missing(where)
    if reason in _UNKNOWN_NAME:
        return f"{where} has no TLS certificate for this host name; is the address right?"
    return f"the TLS handshake with {where} failed ({readable(error)})"


def client_certificate_missing(where: str) -> str:
    """Return the sentence about a server that asks for a certificate of the client."""
    return f"{where} asks for a TLS certificate of the client, which bulkup cannot send"


def readable(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in words."""
    return (error.reason or "no reason given").replace("_", " ").lower()[:_MOST_REASON]


def _certificate(error: ssl.SSLCertVerificationError, where: str) -> str:
    code, said = error.verify_code, error.verify_message
    subject = f"the TLS certificate of {where}"
    if code == _EXPIRED:
        return f"{subject} has expired; the server needs a new one, unless this machine's clock is wrong"
    if code == _NOT_YET_VALID:
        return f"{subject} is not valid yet; is this machine's clock right?"
    if code in _OTHER_NAME:
        return f"{subject} is for another host ({said}); is the address right?"
    if code in _AUTHORITY:
        return f"{subject} is not trusted ({said}); is ca_file set?"
    return f"{subject} is not accepted ({said})"
