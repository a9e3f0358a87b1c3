"""Compare the tables of a described service with one another: names of templates, and keys that need others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bulkup.config.described_service import HttpDescription, TableFault
from bulkup.config.description_names import (
    BASIC,
    BASIC_SECRETS,
    DIGEST_NAMES,
    FILE_NAMES,
    ID,
    ITEMS,
    PART_COUNT,
    RESERVED,
    SECRET_NAMES,
    SETTING_NAMES,
    STATE,
    TOKEN,
    UUID,
)
from bulkup.config.suggestions import suggestion
from bulkup.config.template_text import Template, templates_in

_UNIQUE = frozenset({"path", "name", "stem", "uuid", "md5_hex", "sha256_hex"})
_OF_A_CALL = "{%s} belongs to one file, and this call is for up to %d"

Path = tuple[str, ...]


def faults_in(description: HttpDescription) -> Iterator[TableFault]:
    """Yield the faults of a description whose keys are valid one by one."""
    yield from _own_names(description)
    yield from _structure(description)
    if description.presign is not None:
        yield from _group(description)
    yield from _names(description)


def _own_names(one: HttpDescription) -> Iterator[TableFault]:
    for table in ("values", "secrets"):
        for name in getattr(one, table):
            if name in RESERVED:
                yield TableFault((table, name), f"http.{table}: {name} has a meaning of its own", "choose another name")
    for name in one.values.keys() & one.secrets.keys():
        yield TableFault(("secrets", name), f"http.secrets: {name} is also in http.values", "choose another name")
    if one.answer is not None:
        for name in one.answer.keep:
            if name in RESERVED or name in one.values or name in one.secrets:
                what = f"http.answer.keep: {name} has a meaning already"
                yield TableFault(("answer", "keep"), what, "choose another name")


def _structure(one: HttpDescription) -> Iterator[TableFault]:
    if (one.url is None) is (one.presign is None):
        what = "http needs either presign or url" if one.url is None else "http has presign and url"
        hint = "presign describes the call that returns upload URLs; url needs no call"
        yield TableFault((), what, hint)
    if one.url is not None and not _UNIQUE.intersection(one.url.names):
        yield TableFault(
            ("url",), "http.url: without {path}, {name}, {stem} or {uuid} many files would have the same URL"
        )
    if one.url is not None and one.answer is not None:
        yield TableFault(("answer",), "http.answer: with url there is no answer to read")
    if one.presign is not None and (one.answer is None or (one.answer.url is None and one.answer.parts is None)):
        yield TableFault(("answer",), "http.answer has no url", "it says where the answer has the URL for the bytes")
    if one.presign is not None and one.presign.method == "GET" and (one.presign.item is not None or one.presign.body):
        yield TableFault(
            ("presign", "method"), "http.presign: a GET has no item and no body", "write them in the query"
        )
    if one.url is not None and one.place is not None:
        yield TableFault(("place",), "http.place: with url, the place of a file is its URL")
    if one.answer is not None and bool(one.answer.codes) is not (one.answer.code is not None):
        hint = 'such as code = "error.code" and codes = { AccessDenied = "unauthorized" }'
        yield TableFault(("answer",), "http.answer: code and codes need each other", hint)
    if one.confirm is not None and one.confirm.done is None and (one.confirm.poll or one.confirm.failed):
        yield TableFault(
            ("confirm",), "http.confirm: poll and failed need done", "such as done = \"status == 'READY'\""
        )


def _group(one: HttpDescription) -> Iterator[TableFault]:
    """Yield the faults of the call for a group of files."""
    assert one.presign is not None
    item, in_body = one.presign.item, {name for part in templates_in(one.presign.body) for name in part.names}
    if one.batch_size > 1 and item is None:
        yield TableFault(("presign",), "http.presign has no item", "it says what the call tells of one file")
    if one.batch_size > 1 and ITEMS not in in_body:
        hint = 'write body = { files = "{items}" }, or batch_size = 1'
        yield TableFault(("presign", "body"), "http.presign.body: {items} is missing", hint)
    if one.batch_size == 1 and item is not None and one.presign.body is not None and ITEMS not in in_body:
        yield TableFault(("presign", "item"), "http.presign.item is not used, because body has no {items}")
    if ITEMS in in_body and item is None and one.batch_size == 1:
        yield TableFault(("presign", "body"), "http.presign.body: {items} needs item")


def _names(one: HttpDescription) -> Iterator[TableFault]:
    """Yield the names of templates that have no value where they stand."""
    account = [*SETTING_NAMES, *SECRET_NAMES, *one.values, *one.secrets]
    account += [BASIC] if all(name in one.secrets for name in BASIC_SECRETS) else []
    file = [name for name in FILE_NAMES if _has_value(one, name)]
    later = [*account, *file, ID, *(one.answer.keep if one.answer is not None else ())]
    if one.url is not None:
        yield from _in(one, ("url",), one.url, [*account, *file])
    if one.place is not None:
        known = [*account, *(name for name in file if name not in DIGEST_NAMES and name != UUID)]
        yield from _in(one, ("place",), one.place, known)
    yield from _in_all(one, ("put", "headers"), one.put.headers, later)
    if one.presign is not None:
        call = one.presign
        known = [*account, *(file if one.batch_size == 1 else ())]
        yield from _in(one, ("presign", "path"), call.path, known)
        yield from _in_all(one, ("presign", "headers"), call.headers, known)
        yield from _in_tree(one, ("presign", "body"), call.body, [*known, ITEMS])
        yield from _in_tree(one, ("presign", "item"), call.item, [*account, *file])
    if one.answer is not None and one.answer.base is not None:
        yield from _in(one, ("answer", "base"), one.answer.base, account)
    if one.answer is not None and one.answer.match is not None:
        yield from _in(one, ("answer", "match"), one.answer.match.file, [*account, *file])
    for table, further in (("confirm", ()), ("abandon", (STATE,))):
        closing: Any = getattr(one, table)
        if closing is not None:
            yield from _in(one, (table, "path"), closing.path, [*later, *further])
            yield from _in_all(one, (table, "headers"), closing.headers or {}, later)
            yield from _in_tree(one, (table, "body"), closing.body, [*later, *further])
    if one.confirm is not None and one.confirm.poll is not None:
        yield from _in(one, ("confirm", "poll"), one.confirm.poll, later)
    if one.oauth is not None:
        known = [name for name in account if name != TOKEN]
        yield from _in_all(one, ("oauth", "fields"), one.oauth.fields, known)


def _has_value(one: HttpDescription, name: str) -> bool:
    """Return whether the description gives a name of a file its value."""
    if name == "type":
        return bool(one.extensions) and all(one.extensions.values())
    return name != PART_COUNT or one.part_size is not None


def _in_all(
    one: HttpDescription, path: Path, templates: Mapping[str, Template], known: Iterable[str]
) -> Iterator[TableFault]:
    for name, template in templates.items():
        yield from _in(one, (*path, name), template, known)


def _in_tree(one: HttpDescription, path: Path, tree: Any, known: Iterable[str]) -> Iterator[TableFault]:
    for template in templates_in(tree):
        yield from _in(one, path, template, known)
        if ITEMS in template.names and template.alone is None:
            yield TableFault(path, f"http.{'.'.join(path)}: {{items}} is a list, so it stands alone in its value")


def _in(one: HttpDescription, path: Path, template: Template, known: Iterable[str]) -> Iterator[TableFault]:
    """Yield the names of one template that have no value in its place."""
    names = tuple(known)
    where = f"http.{'.'.join(path)}"
    for name in template.names:
        if name not in names:
            yield TableFault(path, f"{where}: {_why_unknown(one, path, name)}", _hint(name, names))
        elif (needed := DIGEST_NAMES.get(name)) is not None and not _has_digest(one, path, needed):
            hint = f'write checksum = "{needed}" in the table http: the file is then hashed first'
            yield TableFault(path, f"{where}: {{{name}}} is not known before the call", hint)


def _has_digest(one: HttpDescription, path: Path, needed: str) -> bool:
    """Return whether a checksum is known. A run computes the MD5 of the bytes that it sends in any case."""
    return one.checksum == needed or (needed == "md5" and one.checksum == "none" and path[0] in ("confirm", "abandon"))


def _why_unknown(one: HttpDescription, path: Path, name: str) -> str:
    if path[0] == "presign" and name in FILE_NAMES and one.batch_size > 1:
        return _OF_A_CALL % (name, one.batch_size)
    if name == "type":
        return "{type} needs extensions with their types"
    if name == PART_COUNT and one.part_size is None:
        return "{part_count} needs part_size in the table http"
    if path == ("place",) and name in FILE_NAMES:
        return f"{{{name}}} is not known when the source is read"
    if name == BASIC:
        return "{basic} needs user and password in http.secrets"
    return f"there is no {{{name}}} here"


def _hint(name: str, known: Sequence[str]) -> str:
    if name in FILE_NAMES or name == BASIC:
        return 'such as extensions = { mp4 = "video" }' if name == "type" else ""
    if near := suggestion(name, known):
        return near
    shown = [f"{{{one}}}" for one in known if one not in SETTING_NAMES and one not in SECRET_NAMES]
    shown.append("settings by name, such as {token}")
    own = "a name of your own belongs into the table http.values or http.secrets"
    return f"known here: {', '.join(shown)}; {own}"
