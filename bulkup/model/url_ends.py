"""The end of a presigned URL, as its own query states it. Pure.

?X-Amz-Date=20260102T030405Z&X-Amz-Expires=900   S3 version 4; GCS, OSS and others with their own name for "Amz"
?Expires=1767323945                              S3 version 2, GCS version 2, OSS, OBS, CloudFront
?se=2026-01-02T03%3A04%3A05Z                     Azure
?q-sign-time=1767323045%3B1767323945             COS
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import NamedTuple
from urllib.parse import unquote

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.secrets import SecretUrl

_EXPIRES = lazy_pattern(r"[?&](?:X-(?P<vendor>[a-z]{1,8})-)?Expires=(?P<number>[0-9]{1,12})(?:&|$)", re.IGNORECASE)
_DATE = lazy_pattern(r"[?&]X-(?P<vendor>[a-z]{1,8})-Date=(?P<date>[0-9]{8}T[0-9]{6}Z)(?:&|$)", re.IGNORECASE)
_AZURE = lazy_pattern(r"[?&]se=(?P<end>[0-9A-Za-z:%+-]{10,40})(?:&|$)")
_COS = lazy_pattern(r"[?&]q-sign-time=(?P<begin>[0-9]{1,12})(?:;|%3B)(?P<end>[0-9]{1,12})(?:&|$)", re.IGNORECASE)
_DATE_AND_LIFETIME = re.compile(r"[?&]X-Amz-Date=(?P<date>[0-9]{8}T[0-9]{6}Z)&X-Amz-Expires=(?P<lifetime>[0-9]{1,6})&")
_USUAL = len("X-Amz-Date=20260102T030405Z&X-Amz-Expires=604800&")
_VENDOR = len("?X-12345678-")  # characters before the last word of a parameter's name


class UrlEnd(NamedTuple):
    """The end of a URL: as Unix time by its signer's clock, and in seconds from its signature. None if not stated."""

    at: float | None = None
    lifetime: float | None = None


def end_of_url(url: SecretUrl) -> UrlEnd:
    """Return the end that a presigned URL states."""
    text = url.reveal()
    query = text.find("?")
    if query < 0:
        return UrlEnd()
    at = text.find("X-Amz-Date=", query)
    # The parameters of most URLs are in this order, and all URLs of an answer have the same date and lifetime.
    return (_usual(text[at - 1 : at + _USUAL]) if at > 0 else None) or _of_any(text[query:])


@functools.lru_cache(maxsize=256)
def _usual(part: str) -> UrlEnd | None:
    """Return the end that a part of a query states; the part begins before the date. None if it has another order."""
    found = _DATE_AND_LIFETIME.match(part)
    signed_at = None if found is None else _basic_time(found["date"])
    if found is None or signed_at is None:
        return None
    lifetime = int(found["lifetime"])
    return UrlEnd(signed_at + lifetime, lifetime)


def _of_any(text: str) -> UrlEnd:
    expires = _find(_EXPIRES, text, "Expires=")
    if expires is None:
        return _of_others(text)
    number = float(expires["number"])
    if expires["vendor"] is None:
        return UrlEnd(number)
    signed = _find(_DATE, text, "-Date=")
    if signed is None or signed["vendor"].lower() != expires["vendor"].lower():
        return UrlEnd(None, number)
    signed_at = _basic_time(signed["date"])
    return UrlEnd(None if signed_at is None else signed_at + number, number)


def _of_others(text: str) -> UrlEnd:
    if "q-sign-time=" in text:
        cos = _COS.search(text)
        return UrlEnd() if cos is None else UrlEnd(float(cos["end"]), max(0.0, float(cos["end"]) - float(cos["begin"])))
    azure = _AZURE.search(text) if "sig=" in text else None
    return UrlEnd(None if azure is None else _azure_time(azure["end"]))


def _find(pattern: re.Pattern[str], text: str, word: str) -> re.Match[str] | None:
    """Search a text for a pattern that contains `word`, or the word in lower case.

    Searching the text before it with the pattern is slow, and that is most of a URL.
    """
    at = text.find(word)
    if at < 0:
        at = text.find(word.lower())
    return pattern.search(text, max(0, at - _VENDOR)) if at >= 0 else None


@functools.lru_cache(maxsize=256)  # all URLs of a second have the same date
def _basic_time(text: str) -> float | None:
    try:
        return dt.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC).timestamp()
    except (ValueError, OverflowError):
        return None


@functools.lru_cache(maxsize=256)
def _azure_time(text: str) -> float | None:
    try:
        moment = dt.datetime.fromisoformat(unquote(text))
        return moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()
    except (ValueError, OverflowError):
        return None
