"""The way to a service: proxy, name, connection and certificate. It blocks for up to ten seconds for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from bulkup.api.doctor.finding import Finding, error, ok, warning
from bulkup.errors import UsageError
from bulkup.helpers.secrets import SecretUrl
from bulkup.transport.proxies import Proxies
from bulkup.transport.reachability import Reached, reach

_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_DAY = 86_400
_SOON = 14  # days in which a certificate should be renewed


def examine_network(base_url: str, ca_file: str | None, now: float) -> Iterator[Finding]:
    """Yield the findings about the way to `base_url`. `now` is Unix time."""
    proxies = Proxies()
    try:
        proxies.check(base_url)
    except UsageError as found:
        yield error("proxy", found.message, found.hint or "")
        return
    proxy = proxies.for_url(base_url)
    if proxy is not None:
        # The proxy looks names up and connects, so this machine may be unable to, and need not.
        yield ok("proxy", f"{SecretUrl(proxy)}, named by {', '.join(_set_variables())}")
        yield from _reached(proxy, ca_file, now, "proxy")
        return
    yield ok("proxy", "none" if not _set_variables() else f"none for this service, by {', '.join(_set_variables())}")
    yield from _reached(base_url, ca_file, now, "service")


def _set_variables() -> list[str]:
    return [name for name in os.environ if name.lower() in _VARIABLES and os.environ[name]]


def _reached(url: str, ca_file: str | None, now: float, subject: str) -> Iterator[Finding]:
    host = urlsplit(url).hostname or ""
    try:
        found = reach(url, ca_file)
    except UsageError as refused:
        yield error(subject, refused.message, refused.hint or "")
    except OSError as failed:
        yield error(
            subject, f"{host} cannot be reached: {failed.strerror or failed}", "check name, network and firewall"
        )
    else:
        yield ok(subject, f"{host} is {found.address}, connected after {found.seconds * 1000:.0f} ms")
        if found.tls is not None:
            yield certificate_finding(found, now)


def certificate_finding(found: Reached, now: float) -> Finding:
    """Return the finding about a certificate that was accepted. `now` is Unix time."""
    days = (found.certificate_ends - now) / _DAY
    text = f"{found.tls}, its certificate is valid for {days:.0f} days"
    if days < _SOON:
        return warning("certificate", text, "the service should renew it soon")
    return ok("certificate", text)
