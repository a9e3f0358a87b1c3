"""Signs API calls for Huawei Cloud with `SDK-HMAC-SHA256` (docs/contracts.md section 3, steps 1 to 8). Pure."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret

ALGORITHM = "SDK-HMAC-SHA256"
MAX_CLOCK_SKEW = 900.0  # seconds that the two clocks may differ
_JSON = ("application/json", "application/bson")
_CANONICAL = lazy_pattern(r"[A-Za-z0-9/_.~-]*")
_UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """An access key pair; temporary keys have a `security_token`."""

    access_key: Secret
    secret_key: Secret
    security_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class CallToSign:
    """The parts of a call that its signature covers.

    `host` is the value of the Host header, and `target` is the path and query, encoded as in the request.
    """

    method: str
    host: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


def sign(call: CallToSign, keys: SigningKeys, now: float) -> dict[str, str | Secret]:
    """Return the headers that sign the call at the time `now` (Unix seconds)."""
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    added: dict[str, str | Secret] = {"Host": call.host, "X-Sdk-Date": date}
    covered = {name.lower(): value.strip() for name, value in call.headers.items()}
    covered |= {"host": call.host, "x-sdk-date": date}
    if keys.security_token is not None:
        added["X-Security-Token"] = keys.security_token
        covered["x-security-token"] = keys.security_token.reveal().strip()
    kind = covered.get("content-type")
    if kind and not kind.startswith(_JSON):
        added["X-Sdk-Content-Sha256"] = covered["x-sdk-content-sha256"] = _UNSIGNED
    names = sorted(covered)
    text = string_to_sign(canonical_request(call, names, covered), date)
    # Not `hmac.digest`: it releases the GIL even for these few bytes, and then waits to acquire it again.
    signature = hmac.new(keys.secret_key.reveal().encode(), text.encode(), "sha256").hexdigest()
    access, signed = keys.access_key.reveal(), ";".join(names)
    added["Authorization"] = Secret(f"{ALGORITHM} Access={access}, SignedHeaders={signed}, Signature={signature}")
    return added


def canonical_request(call: CallToSign, names: Sequence[str], covered: Mapping[str, str]) -> str:
    """Return the canonical request. `covered` holds the signed headers by lower-case name, `names` is sorted."""
    path, _, query = call.target.partition("?")
    headers = "".join([f"{name}:{covered[name]}\n" for name in names])
    payload = covered.get("x-sdk-content-sha256") if call.body else None
    hashed = payload or hashlib.sha256(call.body).hexdigest()
    return "\n".join((call.method, _canonical_path(path), _canonical_query(query), headers, ";".join(names), hashed))


def string_to_sign(canonical: str, date: str) -> str:
    """Return the text that is signed."""
    return f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def _canonical_path(path: str) -> str:
    if _CANONICAL.fullmatch(path):
        return path if path.endswith("/") else path + "/"
    encoded = "/".join(_encoded(part) for part in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else encoded + "/"


def _canonical_query(query: str) -> str:
    parts = (pair.partition("=") for pair in query.split("&") if pair)
    pairs = sorted((unquote(name), unquote(value)) for name, _, value in parts)
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs)


def _encoded(text: str) -> str:
    return quote(text, safe="~")
