"""The tables `[profiles.NAME.http]`: a service described in the configuration, for provider `http`.

docs/providers/http.md explains the keys. The tables are checked here one by one; `description_check` compares them with
one another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from bulkup.config import json_path, template_text, units
from bulkup.config.base_url import EXPECTED as BASE_URL_EXPECTED
from bulkup.config.base_url import normalise_base_url
from bulkup.config.checked_model import Before, CheckedModel, Limits, Plain
from bulkup.config.declaration import ValueForm, setting
from bulkup.config.json_path import JsonPath, parse_json_path
from bulkup.config.secret_source import EXPECTED as SECRET_EXPECTED
from bulkup.config.secret_source import SecretSource
from bulkup.config.template_text import Template, parse_template, parse_tree
from bulkup.config.units import parse_duration, parse_size
from bulkup.config.value_text import quote_value
from bulkup.helpers.quick_dataclass import dataclass

ANY_EXTENSION = "*"
NO_EXTENSION = ""
ORDER = "order"
DEFAULT_SUCCESS = (200, 201, 204)

_METHOD = re.compile(r"[A-Z]{1,16}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MOST_FILES = 10_000  # in one call
_MEANINGS = ("rejected", "retry", "throttled", "unauthorized", "stop")


class TableFault(NamedTuple):
    """One error in a description. `path` leads to the key, from the table `http` on."""

    path: tuple[str, ...]
    what: str
    hint: str = ""


class DescriptionError(ValueError):
    """A description is wrong. `faults` are never empty."""

    def __init__(self, faults: list[TableFault]) -> None:
        super().__init__("expected the description of a service")
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Match:
    """How an entry of an answer names its file: the value of `answer` in the entry equals the template `file`.

    `answer` is None if the entries are in a table, whose keys name the files.
    """

    answer: JsonPath | None
    file: Template

    def __str__(self) -> str:
        return f"key = {self.file}" if self.answer is None else f"answer = {self.answer}, file = {self.file}"


# Steps that convert values. Every ValueError begins with "expected".


def _name_of_method(value: Any) -> str:
    if not isinstance(value, str) or not _METHOD.fullmatch(value):
        raise ValueError("expected a method in capitals, such as POST")
    return value


def _target(value: Any) -> Template:
    template = parse_template(value)
    if not template.text.startswith("/"):
        raise ValueError('expected the path of a call, which begins with "/" and follows base_url')
    if any(mark in template.text for mark in " #\\") or not template.text.isprintable():
        raise ValueError("expected the path of a call, without spaces, # and backslashes")
    return template


def _storage_url(value: Any) -> Template:
    template = parse_template(value)
    text = template.text
    if any(mark in text for mark in " #\\") or not text.isprintable():
        raise ValueError("expected a URL with placeholders, without spaces, # and backslashes")
    root, slash, _ = text.partition("://")[2].partition("/")
    if "{" in root or not slash or "?" in root:
        raise ValueError("expected a URL whose scheme and host are written out, such as https://dav.example/{path}")
    normalise_base_url(text[: text.index("://") + 3] + root)  # raises ValueError, whose text begins with "expected"
    return template


def _headers(value: Any) -> Mapping[str, Template]:
    if not isinstance(value, Mapping):
        raise ValueError("expected a table of headers")
    if (wrong := next((name for name in value if not _HEADER.fullmatch(str(name))), None)) is not None:
        raise ValueError(f"expected the names of headers; {quote_value(wrong)} is none")
    if len({str(name).lower() for name in value}) < len(value):
        raise ValueError("expected each header once, whatever its case")
    return {str(name): _header_value(str(name), text) for name, text in value.items()}


def _header_value(name: str, text: Any) -> Template:
    template = parse_template(text, name=name)
    if any(ord(char) < 32 or ord(char) == 127 for char in template.text):
        raise ValueError(f"expected no control character in the header {name}")
    return template


def _words(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(_NAME.fullmatch(str(name)) for name in value):
        raise ValueError("expected a table of names in lower case, each with its value")
    words: Mapping[str, Any] = value
    return words


def _values(value: Any) -> Mapping[str, str]:
    if not all(isinstance(text, str | int) and not isinstance(text, bool) for text in _words(value).values()):
        raise ValueError("expected texts or whole numbers")
    return {name: str(text) for name, text in value.items()}


def _secrets(value: Any) -> Mapping[str, SecretSource]:
    def source(name: str, text: Any) -> SecretSource:
        if isinstance(text, SecretSource):
            return text
        if not isinstance(text, str):
            raise ValueError(f"expected {SECRET_EXPECTED}")
        return SecretSource.parse(f"http.secrets.{name}", text)

    return {name: source(name, text) for name, text in _words(value).items()}


def _kept(value: Any) -> Mapping[str, JsonPath]:
    return {name: parse_json_path(text) for name, text in _words(value).items()}


def _extensions(value: Any) -> Mapping[str, str]:
    """Return the type of each extension, an empty one where the description gives a list."""
    pairs = [(one, "") for one in value] if isinstance(value, list | tuple) else None
    pairs = list(value.items()) if isinstance(value, Mapping) else pairs
    if pairs is None or not all(isinstance(part, str) for pair in pairs for part in pair):
        raise ValueError("expected a list of extensions, or a table of extensions with their types")
    return {extension.lower().removeprefix("."): kind for extension, kind in pairs}


def _match(value: Any) -> Match | None:
    if value == ORDER:
        return None
    if isinstance(value, Mapping) and value.keys() == {"key"}:
        return Match(None, parse_template(value["key"]))
    if not isinstance(value, Mapping) or value.keys() != {"answer", "file"}:
        raise ValueError(
            'expected "order", or a table such as { answer = "name", file = "{name}" } or { key = "{name}" }'
        )
    return Match(parse_json_path(value["answer"]), parse_template(value["file"]))


def _codes(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not all(word in _MEANINGS for word in value.values()):
        raise ValueError(f"expected a table of codes, each with one of {', '.join(_MEANINGS)}")
    return {str(code): word for code, word in value.items()}


def _statuses(value: Any) -> Mapping[int, str]:
    if not isinstance(value, Mapping) or not all(_is_status(str(code)) for code in value):
        raise ValueError('expected a table of statuses, such as { 409 = "rejected" }')
    if not all(word in _MEANINGS for word in value.values()):
        raise ValueError(f"expected one of {', '.join(_MEANINGS)} for each status")
    return {int(code): word for code, word in value.items()}


def _is_status(code: str) -> bool:
    return re.fullmatch(r"[3-5][0-9]{2}", code) is not None


def _success(value: Any) -> tuple[int, ...]:
    codes = [value] if isinstance(value, int) else value
    if not isinstance(codes, list | tuple) or not codes or not all(type(code) is int for code in codes):
        raise ValueError("expected a status or a list of statuses, such as [200, 201]")
    if not all(200 <= code < 300 for code in codes):
        raise ValueError("expected statuses from 200 to 299")
    return tuple(codes)


def _proof(value: Any) -> str:
    """Return which header, or which field of a JSON body, has the checksum of the stored bytes."""
    if isinstance(value, str) and (_HEADER.fullmatch(value) or value.startswith("body:")):
        if value.startswith("body:"):
            parse_json_path(value.removeprefix("body:"))
        return value
    raise ValueError('expected the name of a header, or "body:" and a JMESPath expression')


def _token_url(value: Any) -> str:
    if isinstance(value, str) and value.startswith("/") and value.isprintable() and " " not in value:
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected {BASE_URL_EXPECTED}")
    return normalise_base_url(value)


def _token_fields(value: Any) -> Mapping[str, Template]:
    if not isinstance(value, Mapping):
        raise ValueError("expected a table of form fields")
    return {str(name): parse_template(text, name=str(name)) for name, text in value.items()}


def _relative_root(value: Any) -> Template:
    return parse_template(value)


_Text = Annotated[str, Limits(min_length=1, pattern=r"^[^\x00-\x1f\x7f]{1,64}$"), ValueForm("a name")]
_Method = Annotated[str, Plain(_name_of_method), ValueForm("a method")]
_Target = Annotated[Template, Plain(_target), ValueForm("the path of a call")]
_Url = Annotated[Template, Plain(_storage_url), ValueForm("a URL with placeholders")]
_Headers = Annotated[Mapping[str, Template], Plain(_headers), ValueForm("a table of headers")]
_Tree = Annotated[Any, Plain(parse_tree), ValueForm("a table, a list or a template")]
_Path = Annotated[JsonPath, Plain(parse_json_path), ValueForm(json_path.EXPECTED)]
_Template = Annotated[Template, Plain(_relative_root), ValueForm(template_text.EXPECTED)]
_Files = Annotated[int, Limits(ge=1, le=_MOST_FILES), ValueForm(f"a whole number from 1 to {_MOST_FILES}")]
_Size = Annotated[int, Before(parse_size), ValueForm(units.SIZE)]
_PartSize = Annotated[int, Before(parse_size), Limits(ge=1), ValueForm(f"{units.SIZE}, larger than 0")]
_Time = Annotated[float, Before(parse_duration), Limits(gt=0), ValueForm(f"{units.DURATION}, longer than 0")]
_Success = Annotated[tuple[int, ...], Plain(_success), ValueForm("a list of statuses")]
_Proof = Annotated[str, Plain(_proof), ValueForm("a header or a field")]


class PresignTable(CheckedModel):
    """The call for upload URLs, `[profiles.NAME.http.presign]`."""

    method: _Method = setting("POST", "The method of the call.")
    path: _Target = setting(..., "The path and query of the call, after `base_url`.")
    headers: _Headers = setting({}, "The headers of the call.")
    item: _Tree = setting(None, "What the call says of one file.")
    body: _Tree = setting(
        None, "The JSON body. `{items}` stands for the list of the items. Left out, it is the item of the one file."
    )


class AnswerTable(CheckedModel):
    """The places of the parts of a ticket in the answer, `[profiles.NAME.http.answer]`."""

    tickets: _Path = setting(JsonPath("@"), "The list with one entry for each file, or the entry of the one file.")
    match: Annotated[Match | None, Plain(_match), ValueForm("order or a table")] = setting(
        None, "How entries belong to files: in the `order` of the request, or by a value that names the file."
    )
    url: _Path | None = setting(None, "The URL for the bytes.")
    base: _Template | None = setting(None, "What precedes a URL that begins with `/`.")
    id: _Path | None = setting(None, "The service's id of the file. Left out, it is the path of the URL.")
    expires: _Path | None = setting(None, "When the URL expires: RFC 3339 or Unix seconds.")
    expires_in: _Path | None = setting(None, "In how many seconds the URL expires.")
    headers: _Path | None = setting(None, "The headers to send with the bytes: a table, or a list of pairs.")
    fields: _Path | None = setting(None, "The form fields before the file (POST): a table, or a list of pairs.")
    parts: _Path | None = setting(None, "The URLs of a file in parts, in order.")
    already: _Path | None = setting(None, "True for a file that the service has already.")
    rejected: _Path | None = setting(None, "Why the service refuses the file.")
    error: _Path | None = setting(None, "The message of the whole answer, for people.")
    keep: Annotated[Mapping[str, JsonPath], Plain(_kept), ValueForm("a table of expressions")] = setting(
        {}, "Further values of an entry, for the manifest and for the closing call."
    )
    statuses: Annotated[Mapping[int, str], Plain(_statuses), ValueForm("a table of statuses")] = setting(
        {}, "What a status means where it differs from the usual: rejected, retry, throttled, unauthorized or stop."
    )
    code: _Path | None = setting(None, "The code of an error in the whole answer, for `codes`.")
    codes: Annotated[Mapping[str, str], Plain(_codes), ValueForm("a table of codes")] = setting(
        {}, "What a code means, in the words of `statuses`. It comes before the status."
    )


class PutTable(CheckedModel):
    """The request with the bytes, `[profiles.NAME.http.put]`."""

    method: _Method | None = setting(None, "The method. Left out, it is PUT, or POST for a form.")
    headers: _Headers = setting({}, "Headers that are always sent.")
    success: _Success = setting(DEFAULT_SUCCESS, "The statuses that mean that the bytes are stored.")
    checksum: _Proof | None = setting(
        None, "The header of the answer, or `body:` and a field of it, with the checksum of the stored bytes."
    )


class ConfirmTable(CheckedModel):
    """The closing call, `[profiles.NAME.http.confirm]`."""

    method: _Method = setting("POST", "The method of the call.")
    path: _Target = setting(..., "The path and query of the call.")
    headers: _Headers | None = setting(None, "The headers. Left out, they are those of the presign call.")
    body: _Tree = setting(None, "The JSON body.")
    done: _Path | None = setting(None, "True in the answer once the upload is complete. Until then it is polled.")
    failed: _Path | None = setting(None, "True, or the reason, in the answer of an upload that failed.")
    already: _Path | None = setting(None, "True in a refusal of an upload that was completed before.")
    poll: _Target | None = setting(None, "The path to GET until `done`. Left out, the closing call is repeated.")
    every: _Time = setting(1.0, "The time between two polls.")


class AbandonTable(CheckedModel):
    """The call for a file that is given up after it had a ticket, `[profiles.NAME.http.abandon]`."""

    method: _Method = setting("POST", "The method of the call.")
    path: _Target = setting(..., "The path and query of the call.")
    headers: _Headers | None = setting(None, "The headers. Left out, they are those of the presign call.")
    body: _Tree = setting(None, "The JSON body. `{state}` is FAILED or CANCELLED.")


class OauthTable(CheckedModel):
    """OAuth 2 client credentials, `[profiles.NAME.http.oauth]`. `{token}` is then the fetched token."""

    url: Annotated[str, Plain(_token_url), ValueForm("a URL or a path")] = setting(
        ..., "The token endpoint: a URL, or a path after `base_url`."
    )
    scope: _Text | None = setting(None, "The scope of the token.")
    grant: _Text = setting("client_credentials", "The value of `grant_type`.")
    client: Literal["body", "basic"] = setting("body", "Where the client id and its secret are sent.")
    fields: Annotated[Mapping[str, Template], Plain(_token_fields), ValueForm("a table of form fields")] = setting(
        {}, "Further form fields, such as an audience."
    )


class HttpDescription(CheckedModel):
    """The whole description, `[profiles.NAME.http]`."""

    title: _Text | None = setting(None, "The name of the service in messages. Left out, it is the host.")
    batch_size: _Files = setting(1, "The largest number of files in one call.")
    checksum: Literal["none", "md5", "sha256", "crc32c", "crc64nvme"] = setting(
        "none", "The checksum that is needed before the call."
    )
    extensions: Annotated[Mapping[str, str], Plain(_extensions), ValueForm("extensions")] = setting(
        {}, "The extensions that the service takes, or a table of them with their `{type}`. Empty means all."
    )
    min_size: _Size = setting(0, "The smallest file that it takes.")
    max_size: _Size | None = setting(None, "The largest file that it takes.")
    part_size: _PartSize | None = setting(None, "The size of a part, from which `{part_count}` follows.")
    kept_for: _Time | None = setting(None, "How long it keeps an upload.")
    place: _Template | None = setting(None, "What no two files can have at the service, such as a name.")
    url: _Url | None = setting(None, "The URL for the bytes of a file, instead of a presign call.")
    values: Annotated[Mapping[str, str], Plain(_values), ValueForm("a table of texts")] = setting(
        {}, "Values of your own for the templates, by name."
    )
    secrets: Annotated[Mapping[str, SecretSource], Plain(_secrets), ValueForm("a table of secrets")] = setting(
        {}, "Secrets of your own for the templates, by name."
    )
    presign: PresignTable | None = setting(None, "The call for upload URLs.")
    answer: AnswerTable | None = setting(None, "Where its answer has what a ticket needs.")
    put: PutTable = setting(PutTable(), "The request with the bytes.")
    confirm: ConfirmTable | None = setting(None, "The closing call.")
    abandon: AbandonTable | None = setting(None, "The call for a file that is given up.")
    oauth: OauthTable | None = setting(None, "OAuth 2 client credentials.")

    @property
    def storage_root(self) -> str | None:
        """The scheme, host and port of `url`, None without it."""
        if self.url is None:
            return None
        scheme, _, rest = self.url.text.partition("://")
        return normalise_base_url(f"{scheme}://{rest.partition('/')[0]}")


TABLES: Mapping[str, type[CheckedModel]] = {
    "presign": PresignTable,
    "answer": AnswerTable,
    "put": PutTable,
    "confirm": ConfirmTable,
    "abandon": AbandonTable,
    "oauth": OauthTable,
}
