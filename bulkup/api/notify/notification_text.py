"""The forms of a notification: a JSON object, text, the requests that carry them, and the variables of a command.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bulkup.api.notify.notification import Notification
from bulkup.config.notify_table import Notify
from bulkup.helpers.secrets import SecretAddress
from bulkup.helpers.short_text import shortened
from bulkup.model.http import ApiRequest
from bulkup.reports.formatting import count_text, duration_text, size_text
from bulkup.reports.json_text import dumps, time_text
from bulkup.reports.safe_text import printable
from bulkup.reports.summary import EMPTY_SOURCE

_PROBLEMS = ("failed", "rejected", "changed", "unreadable", "remaining", "unverified")
_REASONS = 3  # in a text
_LONGEST_TEXT = 3000  # characters; Slack shortens longer ones
_LONGEST_LINE = 500
_MARKS = {"start": ":arrow_forward:", "success": ":white_check_mark:", "failure": ":x:"}


def requests_for(
    told: Notification, table: Notify, addresses: Mapping[str, SecretAddress]
) -> Iterator[tuple[str, ApiRequest]]:
    """Yield the requests of a notification, each with the key of its address. `addresses` are those by key."""
    if (ping := addresses.get("ping_url")) is not None:
        end = _ping_end(told, table)
        yield (
            "ping_url",
            _request(_with_end(ping.reveal(), end), "text/plain; charset=utf-8", plain_text(told).encode()),
        )
    if (webhook := addresses.get("webhook_url")) is not None and told.moment in table.webhook_on:
        yield "webhook_url", _request(webhook.reveal(), "application/json", dumps(notification_object(told)))
    if (slack := addresses.get("slack_url")) is not None and told.moment in table.slack_on:
        yield "slack_url", _request(slack.reveal(), "application/json", dumps({"text": slack_text(told)}))


def notification_object(told: Notification) -> dict[str, Any]:
    """Return a notification as JSON: of a webhook, and on the standard input of a command."""
    return {
        "event": f"run.{told.moment}",
        "test": told.test,
        "id": f"{told.run or f'{told.profile.host}-{told.at:.3f}'}:{told.moment}",
        "profile": told.profile.name,
        "host": told.profile.host,
        "time": time_text(told.at),
        "run": told.run,
        "exit_code": told.exit_code,
        "outcome": told.outcome or None,
        "error": told.error,
        "hint": told.hint,
        "report": told.report,
        "summary": told.summary,
    }


def plain_text(told: Notification) -> str:
    """Return a notification as text for people: the outcome in the first line, then figures and reasons."""
    name = f"bulkup {told.profile.name}" if told.profile.name else "bulkup"
    return shortened("\n".join(_lines(told, f"{name} on {told.profile.host}")), _LONGEST_TEXT)


def slack_text(told: Notification) -> str:
    """Return a notification in Slack's form of text, in which `&`, `<` and `>` are escaped."""
    name = f"*{told.profile.name}*" if told.profile.name else "*bulkup*"
    text = "\n".join(_lines(told, f"{name} on {told.profile.host}"))
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return shortened(f"{_MARKS[told.moment]} {safe}", _LONGEST_TEXT)


def variables(told: Notification) -> dict[str, str]:
    """Return the variables of a command."""
    values = {
        "BULKUP_EVENT": told.moment,
        "BULKUP_EXIT_CODE": told.exit_code,
        "BULKUP_OUTCOME": told.outcome,
        "BULKUP_PROFILE": told.profile.name,
        "BULKUP_REPORT_LINK": told.report,
        "BULKUP_RUN": told.run,
    }
    return {name: printable(str(value)) for name, value in values.items() if value not in (None, "")}


def _lines(told: Notification, who: str) -> Iterator[str]:
    what = {"start": "run started"}.get(told.moment, told.outcome or told.moment)
    yield printable(f"{who}: {what}" + (" (a test message)" if told.test else ""))
    if told.summary is not None:
        yield from _figures(told.summary)
    for text in (told.error, told.hint):
        if text:
            yield shortened(printable(text), _LONGEST_LINE)
    if told.report is not None:
        yield shortened(printable(f"report: {told.report}"), _LONGEST_LINE)
    if told.run is not None:
        yield printable(f"run {told.run}" + (f", exit code {told.exit_code}" if told.exit_code is not None else ""))


def _figures(summary: Mapping[str, Any]) -> Iterator[str]:
    files, sent = summary["files"], summary["bytes"]["uploaded"]
    of_all = f"{files['uploaded']:,} of {count_text(files['found'], 'file')} uploaded ({size_text(sent)})"
    yield f"{of_all}, {files['skipped']:,} skipped, in {duration_text(summary['seconds'])}"
    if problems := [f"{files[name]:,} {name}" for name in _PROBLEMS if files[name]]:
        yield ", ".join(problems)
    if summary.get("empty_sources"):
        yield EMPTY_SOURCE
    for entry in summary.get("reasons", ())[:_REASONS]:
        line = f"- {entry['files']:,} {entry['status']}: {entry['reason']}"
        yield shortened(printable(line), _LONGEST_LINE)


def _ping_end(told: Notification, table: Notify) -> str:
    """Return the end of a ping's address, as healthchecks.io defines it."""
    if told.moment == "failure" and table.ping_failure == "code" and told.exit_code:
        return f"/{told.exit_code}"
    return {"start": "/start", "success": "", "failure": "/fail"}[told.moment]


def _with_end(url: str, end: str) -> str:
    """Return a URL with something behind its path, and in front of its query."""
    path, mark, query = url.partition("?")
    return (path.rstrip("/") if end else path) + end + mark + query


def _request(url: str, content_type: str, body: bytes) -> ApiRequest:
    return ApiRequest("POST", url, {"Content-Type": content_type}, body, secret_path=True)
