"""The table `[profiles.NAME.notify]`: the receivers of notifications about runs (docs/notifications.md).

An address is a secret as a whole: anyone who has it can send messages in the user's name. Every ValueError raised here
begins with "expected" and does not repeat the value.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import orjson

from bulkup.config import units
from bulkup.config.checked_model import Before, CheckedModel, Limits, Plain, ValidationError
from bulkup.config.declaration import ValueForm, form_of, setting
from bulkup.config.secret_source import COMMAND_TIMEOUT, SecretSource
from bulkup.config.suggestions import suggestion
from bulkup.config.units import parse_duration
from bulkup.config.value_text import cut_text, escape_surrogates
from bulkup.errors import UsageError
from bulkup.helpers.secrets import MASK, SecretAddress
from bulkup.model.http import is_authority

ADDRESSES = ("ping_url", "webhook_url", "slack_url")
COMMANDS = ("on_success", "on_failure")

_EXPECTED = "env:NAME, file:PATH, command:ARGV, or an address that begins with https:// or http://"
_Fault = tuple[tuple[str, ...], str, str]  # the path to the key, the error, a hint


class NotifyTableError(ValueError):
    """The table is wrong. `faults` are never empty."""

    def __init__(self, faults: list[_Fault]) -> None:
        super().__init__("expected a table of notifications")
        self.faults = tuple(faults)


class CommandLine:
    """A command with its arguments, which are not printed: they may hold a password."""

    __slots__ = ("argv",)

    def __init__(self, argv: tuple[str, ...]) -> None:
        self.argv = argv

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CommandLine) and other.argv == self.argv

    def __hash__(self) -> int:
        return hash(self.argv)

    def __str__(self) -> str:
        return self.argv[0] + (f" {MASK}" if self.argv[1:] else "")

    def __repr__(self) -> str:
        return f"CommandLine({str(self)!r})"


def is_address(text: str) -> bool:
    """Return whether a text is the address of a notification: http or https, a host, and no user."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https") and is_authority(parts.netloc) and text.isprintable() and " " not in text
        )
    except ValueError:
        return False


def _address(value: Any, name: str) -> SecretSource:
    if isinstance(value, SecretSource):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected {_EXPECTED}")
    source = SecretSource.parse(f"notify.{name}", value)
    if source.kind == "literal" and not is_address(value):
        raise ValueError(f"expected {_EXPECTED}")
    return source


def _command(value: Any) -> CommandLine:
    if isinstance(value, CommandLine):
        return value
    try:
        argv = shlex.split(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("expected a command line with matching quotes") from None
    if not isinstance(argv, list | tuple) or not argv or not all(isinstance(part, str) for part in argv) or not argv[0]:
        raise ValueError("expected a command line, or a list of its words")
    if any("\0" in part for part in argv):
        raise ValueError("expected a command line without NUL")
    return CommandLine(tuple(argv))


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


Address = Annotated[SecretSource, Plain(_address, named=True), ValueForm(_EXPECTED, kind="secret")]
Command = Annotated[CommandLine, Plain(_command), ValueForm("a command line, or a list of its words", kind="secret")]
Moments = Annotated[
    tuple[Literal["start", "success", "failure"], ...],
    Before(_as_list),
    ValueForm("a list of start, success and failure"),
]
Codes = Annotated[
    tuple[Annotated[int, Limits(ge=0, le=255)], ...], Before(_as_list), ValueForm("a list of exit codes from 0 to 255")
]
TimeLimit = Annotated[
    float, Before(parse_duration), Limits(gt=0, le=600), ValueForm(f"{units.DURATION}, longer than 0 and up to 10m")
]


class Notify(CheckedModel):
    """The keys of the table."""

    ping_url: Address | None = setting(
        None, "the address that is called at the start, after success, and after failure"
    )
    ping_failure: Literal["code", "fail"] = setting("code", "what follows the address after failure")
    webhook_url: Address | None = setting(None, "the address that receives a JSON object")
    webhook_on: Moments = setting(("success", "failure"), "when the webhook is called")
    slack_url: Address | None = setting(None, "the address that receives a text as Slack takes it")
    slack_on: Moments = setting(("failure",), "when the text is sent")
    on_success: Command | None = setting(None, "the command after success")
    on_failure: Command | None = setting(None, "the command after failure")
    success_codes: Codes = setting((0,), "the exit codes that count as success")
    limit: TimeLimit = setting(20.0, "the time for all notifications at the end of a run, in seconds")

    def addresses(self) -> Mapping[str, SecretSource]:
        """Return the addresses that are set, by key."""
        given = {name: getattr(self, name) for name in ADDRESSES}
        return {name: source for name, source in given.items() if source is not None}


def parse_notify(value: object) -> Notify:
    """Return a checked table. Takes a table, or its JSON text. Raises ValueError, or `NotifyTableError`."""
    if isinstance(value, Notify):
        return value
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError("expected a table, or its JSON") from None  # its text may hold an address
    if not isinstance(value, Mapping):
        raise ValueError("expected a table of notifications")
    try:
        table = Notify.model_validate({str(name): part for name, part in value.items()})
    except ValidationError as error:
        raise NotifyTableError(list(_faults_of(error))) from None
    if all(getattr(table, name) is None for name in (*ADDRESSES, *COMMANDS)):
        raise NotifyTableError([((), "notify: the table has no receiver", f"set {', '.join((*ADDRESSES, *COMMANDS))}")])
    return table


def fetch_address(source: SecretSource, environ: Mapping[str, str], seconds: float) -> SecretAddress:
    """Fetch an address. A command may take some `seconds`. Raises UsageError, which does not repeat the address."""
    text = source.resolve(environ, command_timeout=min(seconds, COMMAND_TIMEOUT)).reveal()
    if not is_address(text):
        raise UsageError(f"{source.setting}: {source} is not an address that begins with https:// or http://")
    return SecretAddress(text)


def _faults_of(error: ValidationError) -> Iterator[_Fault]:
    """Yield a fault for each wrong key."""
    seen: set[str] = set()
    for detail in error.errors(include_url=False):
        key = str(detail["loc"][0])
        if key in seen:
            continue
        seen.add(key)
        if detail["type"] == "extra_forbidden":
            known = suggestion(key, Notify.model_fields) or f"its keys are {', '.join(Notify.model_fields)}"
            yield (key,), f'notify has an unknown key "{cut_text(escape_surrogates(key))}"', known
            continue
        reason = detail.get("ctx", {}).get("error")
        expects = f"expected {form_of(Notify.model_fields[key].annotation).expects}"
        yield (key,), f"notify.{key}: {reason if isinstance(reason, ValueError) else expects}", ""
