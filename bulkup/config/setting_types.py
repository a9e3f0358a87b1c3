"""The types of settings: types that take text from any layer and check it when settings are loaded.

Each type carries a `ValueForm`, which says how its values are written. Every ValueError raised here begins with
"expected" and does not repeat the value; `error_messages` adds the value where that is safe.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson

from bulkup.config import (
    base_url,
    expiry,
    extension_types,
    host_names,
    object_key,
    secret_source,
    units,
)
from bulkup.config.base_url import normalise_base_url
from bulkup.config.checked_model import After, Before, Limits, Plain
from bulkup.config.declaration import ValueForm
from bulkup.config.expiry import Expiry, parse_expiry
from bulkup.config.extension_types import parse_extensions
from bulkup.config.host_names import normalise_host
from bulkup.config.name_values import CONTENT_TYPES, METADATA, TAGS, NameValueRules
from bulkup.config.object_key import check_object_key
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS
from bulkup.config.secret_source import SecretSource
from bulkup.config.units import parse_duration, parse_size
from bulkup.errors import UsageError
from bulkup.helpers.clock import SystemClock
from bulkup.helpers.gitignore import compile_pattern
from bulkup.helpers.secrets import Secret
from bulkup.model import shard
from bulkup.model.shard import Shard, parse_shard

_IPV4 = "an IPv4 address such as 203.0.113.7, or its integer"
if TYPE_CHECKING:
    import datetime as dt

    from bulkup.config.described_service import HttpDescription
    from bulkup.config.local_time import TimeOfDay
    from bulkup.config.notify_table import Notify
    from bulkup.config.report_table import ReportAfterRuns
    from bulkup.config.timetable import Timetable
    from bulkup.config.written_value import WrittenValue
else:
    HttpDescription = Notify = ReportAfterRuns = TimeOfDay = Timetable = object

IDENTIFIER_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
IDENTIFIER = "1 to 64 letters, digits, _ or -"


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number, not true or false")
    return value


def _path(value: Any) -> str:
    """Take text, bytes and path objects. Bytes that are not UTF-8 become surrogates, as in `os.fsdecode`."""
    if not isinstance(value, str | bytes | os.PathLike):
        raise ValueError("expected a path")
    path = os.fsdecode(value)
    if not path or "\0" in path:
        raise ValueError("expected a path that is not empty and has no NUL")
    return path


def _pattern(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a pattern in gitignore form")
    try:
        pattern = compile_pattern(value)
    except ValueError as error:
        raise ValueError("expected patterns in gitignore form") from error
    if pattern is None:
        raise ValueError("expected patterns in gitignore form that can match a file")
    return value


def _as_list(value: Any) -> Any:
    """Take a single value as a list of one."""
    return (value,) if isinstance(value, str | bytes | os.PathLike) else value


def _provider(value: str) -> str:
    if value not in PROVIDER_DECLARATIONS:
        from bulkup.config import provider_plugins  # noqa: PLC0415  # a search for packages, which most runs do not need

        if not provider_plugins.is_provider(value):
            raise ValueError(f"expected one of {', '.join(provider_plugins.provider_names())}")
        try:
            provider_plugins.plugin_of(value)
        except UsageError as error:
            raise ValueError(f"expected a provider that works: {error.message}") from error
    return value


def _base_url(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected {base_url.EXPECTED}")
    return normalise_base_url(value)


def _host(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected {host_names.EXPECTED}")
    return normalise_host(value)


def _secret(value: Any, name: str) -> SecretSource:
    if isinstance(value, SecretSource):
        return value
    if isinstance(value, Secret):
        return SecretSource(name, "literal", value)
    if not isinstance(value, str):
        raise ValueError("expected text")
    return SecretSource.parse(name, value)


def _uploader_address(value: Any) -> str:
    value = int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"expected {_IPV4}")
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError as error:
        raise ValueError(f"expected {_IPV4}") from error


def _table(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):  # a variable of the environment
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ValueError("expected a JSON object") from error
    if not isinstance(value, dict):
        raise ValueError("expected a table")
    return value


def _timetable(value: Any) -> Timetable:
    from bulkup.config.timetable import parse_timetable  # noqa: PLC0415  # most runs have none

    return parse_timetable(value)


def _time_of_day(value: Any) -> TimeOfDay:
    from bulkup.config.local_time import parse_time_of_day  # noqa: PLC0415  # the same

    return parse_time_of_day(value)


def _description(value: Any) -> HttpDescription:
    from bulkup.config.description_parsing import parse_description  # noqa: PLC0415  # most runs have no description

    return parse_description(value)


def _notify(value: Any) -> Notify:
    from bulkup.config.notify_table import parse_notify  # noqa: PLC0415  # most runs notify nobody

    return parse_notify(value)


def _report(value: Any) -> ReportAfterRuns:
    from bulkup.config.report_table import parse_report  # noqa: PLC0415  # few runs have a report

    return parse_report(value)


def _cluster(value: Any) -> str:
    if isinstance(value, str):
        scheme, separator, rest = value.partition("local:")
        if not scheme and separator:
            if rest.isascii() and rest.isdecimal() and 1 <= int(rest) <= 256:
                return value
        elif value.strip() == value and ":" in value:
            return value
    raise ValueError("expected the address of a Dask scheduler with its port, or local:N with 1 to 256 workers")


def _expiry(value: Any) -> Expiry:
    return parse_expiry(value, SystemClock().now())


def _split_paths(text: str) -> Sequence[str]:
    return [part for part in text.split(os.pathsep) if part]


def _split_lines(text: str) -> Sequence[str]:
    """Split at line ends, or at commas if there is no line end: a pattern on a line of its own may hold a comma."""
    parts = text.splitlines() if "\n" in text else text.split(",")
    return [part.strip() for part in parts if part.strip()]


# Paths and patterns have plain steps, because pydantic's own text type refuses names that are not UTF-8.
PathText = Annotated[str, Plain(_path), ValueForm("the path of a file", "FILE", "path")]
Paths = Annotated[
    tuple[PathText, ...],
    Before(_as_list),
    ValueForm(
        "a path or a list of paths", "SOURCE", "path", split=_split_paths, in_environment="paths separated by `:`"
    ),
]
Pattern = Annotated[str, Plain(_pattern), ValueForm("a pattern in gitignore form", "PATTERN")]
Patterns = Annotated[
    tuple[Pattern, ...],
    Before(_as_list),
    ValueForm(
        "patterns in gitignore form",
        "PATTERN",
        split=_split_lines,
        in_environment="patterns separated by commas or line ends",
    ),
]
Hosts = Annotated[
    tuple[Annotated[str, Plain(_host)], ...],
    Before(_as_list),
    ValueForm(host_names.EXPECTED, "HOST", split=_split_lines, in_environment="hosts separated by commas or line ends"),
]
ProviderName = Annotated[str, After(_provider), ValueForm(f"one of {', '.join(PROVIDER_DECLARATIONS)}", "NAME")]
Name = Annotated[
    str, Limits(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$"), ValueForm("a name without control characters", "NAME")
]
Identifier = Annotated[str, Limits(pattern=IDENTIFIER_PATTERN), ValueForm(IDENTIFIER, "ID")]
HeaderText = Annotated[
    str,
    Limits(pattern=r"^[!-~]([ -~]{0,62}[!-~])?$"),
    ValueForm("1 to 64 printable ASCII characters, without a space at either end", "ID"),
]
BaseUrl = Annotated[str, Plain(_base_url), ValueForm(base_url.EXPECTED, "URL", "url")]
Count = Annotated[int, Before(_number), Limits(ge=1), ValueForm("a whole number from 1", "N")]
MOST_CONCURRENCY = 1024
Concurrency = Annotated[
    Literal["auto"] | Annotated[int, Limits(ge=1, le=MOST_CONCURRENCY)],
    Before(_number),
    ValueForm("auto, or a whole number from 1 to 1024", "auto|N"),
]
Processes = Annotated[
    Literal["auto"] | Annotated[int, Limits(ge=1, le=64)],
    Before(_number),
    ValueForm("auto, or a whole number from 1 to 64", "auto|N"),
]
Rate = Annotated[
    float,
    Before(_number),
    Limits(ge=0, allow_inf_nan=False),
    ValueForm("a number of calls per second, or 0 for no limit", "N", unit="calls per second"),
]
if TYPE_CHECKING:
    SizeInBytes = WrittenValue[int, int | str]
    SizeAboveZero = WrittenValue[int, int | str]
    PartSize = WrittenValue[int, int | str]
    Seconds = WrittenValue[float, float | str]
    SecondsAboveZero = WrittenValue[float, float | str]
    Lifetime = WrittenValue[float, float | str]
    OptionalSize = WrittenValue[int | None, int | str | None]
    OptionalSizeAboveZero = WrittenValue[int | None, int | str | None]
    OptionalSeconds = WrittenValue[float | None, float | str | None]
    OptionalSecondsAboveZero = WrittenValue[float | None, float | str | None]
    OptionalShard = WrittenValue[Shard | None, Shard | str | None]
    OptionalBandwidthLimit = WrittenValue[Timetable | None, Timetable | str | int | None]
    LocalTime = WrittenValue[TimeOfDay, TimeOfDay | dt.time | str]
    OptionalLocalTime = WrittenValue[TimeOfDay | None, TimeOfDay | dt.time | str | None]
else:
    ShardOfRun = Annotated[Shard, Plain(parse_shard), ValueForm(shard.EXPECTED, "K/N")]
    SizeInBytes = Annotated[int, Before(parse_size), ValueForm(units.SIZE, "SIZE", unit="bytes")]
    SizeAboveZero = Annotated[
        int, Before(parse_size), Limits(ge=1), ValueForm(f"{units.SIZE}, larger than 0", "SIZE", unit="bytes")
    ]
    Seconds = Annotated[float, Before(parse_duration), ValueForm(units.DURATION, "TIME", unit="seconds")]
    SecondsAboveZero = Annotated[
        float,
        Before(parse_duration),
        Limits(gt=0),
        ValueForm(f"{units.DURATION}, longer than 0", "TIME", unit="seconds"),
    ]
    BandwidthLimit = Annotated[Timetable, Plain(_timetable), ValueForm(units.BANDWIDTH, "RATE")]
    LocalTime = Annotated[TimeOfDay, Plain(_time_of_day), ValueForm(units.TIME_OF_DAY, "HH:MM")]
    PartSize = Annotated[
        int,
        Before(parse_size),
        Limits(ge=5 * 1024**2, le=5 * 1024**3),
        ValueForm("a size from 5M to 5G", "SIZE", unit="bytes"),
    ]
    Lifetime = Annotated[
        float,
        Before(parse_duration),
        Limits(ge=1, le=7 * 24 * 3600),
        ValueForm(f"{units.DURATION}, from 1s to 7d", "TIME", unit="seconds"),
    ]
    OptionalSize, OptionalSizeAboveZero = SizeInBytes | None, SizeAboveZero | None
    OptionalSeconds, OptionalSecondsAboveZero = Seconds | None, SecondsAboveZero | None
    OptionalShard = ShardOfRun | None
    OptionalBandwidthLimit, OptionalLocalTime = BandwidthLimit | None, LocalTime | None
Extensions = Annotated[
    Mapping[str, str],
    Plain(parse_extensions),
    ValueForm(
        extension_types.EXPECTED, "EXT=TYPE", split=_split_lines, in_environment="separated by commas or line ends"
    ),
]


def _pairs_form(rules: NameValueRules, metavar: str) -> ValueForm:
    return ValueForm(rules.expects, metavar, split=_split_lines, in_environment="separated by commas or line ends")


Metadata = Annotated[Mapping[str, str], Plain(METADATA.parse), _pairs_form(METADATA, "NAME=VALUE")]
Tags = Annotated[Mapping[str, str], Plain(TAGS.parse), _pairs_form(TAGS, "NAME=VALUE")]
ContentTypes = Annotated[Mapping[str, str], Plain(CONTENT_TYPES.parse), _pairs_form(CONTENT_TYPES, "EXT=TYPE")]
BucketName = Annotated[
    str,
    Limits(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{1,253}[A-Za-z0-9]$"),
    ValueForm("a bucket's name of 3 to 255 letters, digits, dots and dashes", "NAME"),
]
RegionName = Annotated[str, Limits(pattern=r"^[a-z0-9-]{1,64}$"), ValueForm("the name of a region", "NAME")]
LongHeaderText = Annotated[
    str,
    Limits(pattern=r"^[!-~]([ -~]{0,2046}[!-~])?$"),
    ValueForm("printable ASCII characters, without a space at either end", "TEXT"),
]
ObjectKey = Annotated[str, Plain(check_object_key), ValueForm(object_key.EXPECTED, "TEMPLATE")]
GitRef = Annotated[
    str,
    Limits(pattern=r"^refs(?:/[^\x00-\x20\x7f~^:?*\[\\/]+)+$"),
    ValueForm("the full name of a ref, such as refs/heads/main", "REF"),
]
IpAddress = Annotated[str, Plain(_uploader_address), ValueForm(_IPV4, "ADDRESS")]
ExpiryTime = Annotated[Expiry, Plain(_expiry), ValueForm(expiry.EXPECTED, "WHEN")]
SecretText = Annotated[SecretSource, Plain(_secret, named=True), ValueForm(secret_source.EXPECTED, kind="secret")]
PluginTable = Annotated[
    Mapping[str, Any],
    Plain(_table),
    ValueForm("a table with the settings of a provider plug-in", kind="tables", in_environment="a JSON object"),
]
HttpTables = Annotated[
    HttpDescription,
    Plain(_description),
    ValueForm("the tables that describe a service", kind="tables", in_environment="a JSON object of the tables"),
]
NotifyTable = Annotated[
    Notify,
    Plain(_notify),
    ValueForm("a table of notifications", kind="tables", in_environment="a JSON object of the table"),
]
ReportTable = Annotated[
    ReportAfterRuns,
    Plain(_report),
    ValueForm("a path, or a table of the report", kind="tables", in_environment="a path, or the table as JSON"),
]


def _address(value: Any) -> str:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > _HIGHEST_PORT:
        raise ValueError("expected HOST:PORT")
    return str(value)


_HIGHEST_PORT = 65_535
ClusterAddress = Annotated[str, Plain(_cluster), ValueForm("the address of a Dask scheduler, or local:N", "ADDRESS")]
Address = Annotated[str, Plain(_address), ValueForm("HOST:PORT, such as 127.0.0.1:9400", "HOST:PORT")]
