"""The limits and needs of a described service, as its description states them. Pure."""

from __future__ import annotations

from bulkup.config.described_service import ANY_EXTENSION, NO_EXTENSION, HttpDescription
from bulkup.config.description_names import DIGEST_NAMES, FILE_NAMES
from bulkup.config.template_text import templates_in
from bulkup.providers.base import S3_PUT_LIMIT, Capabilities

# Without a value before the file is hashed, or with another each time.
_LATER = frozenset({*DIGEST_NAMES, "uuid"})
_OF_BYTES = ("size", "extension", "content_type", "type")
_NO_CALL_GROUP = 1000
_NO_LIMIT = 1 << 62


def capabilities_of(one: HttpDescription, *, closes: bool) -> Capabilities:
    """Return the capabilities of a described service. `closes` is the setting `confirm`."""
    without_call = one.url is not None
    return Capabilities(
        batch_limit=_NO_CALL_GROUP if without_call else one.batch_size,
        batch_size=_NO_CALL_GROUP if without_call else one.batch_size,
        calls_in_flight=32 if one.batch_size == 1 else 4,
        min_size=one.min_size,
        max_size=one.max_size if one.max_size is not None else _largest(one),
        checksum_first=None if one.checksum == "none" else one.checksum,
        confirms=closes and one.confirm is not None,
        abandons=closes and one.abandon is not None,
        placed=one.place is not None or url_is_known(one),
        extensions=frozenset(one.extensions) if one.extensions and ANY_EXTENSION not in one.extensions else None,
        kept_for=one.kept_for,
        creates_ids=not without_call,
        signs_locally=without_call,
        content_addressed=_is_content_addressed(one),
    )


def url_is_known(one: HttpDescription) -> bool:
    """Return whether the URLs of files need no call, and are known before the files are hashed."""
    return one.url is not None and not _LATER.intersection(one.url.names)


def takes_extension(one: HttpDescription, extension: str) -> bool:
    """Return whether the service accepts files with an extension."""
    known = one.extensions
    return not known or extension in known or (ANY_EXTENSION in known and extension != NO_EXTENSION)


def _largest(one: HttpDescription) -> int:
    """Return the largest file that a service takes which states no limit."""
    in_parts = one.answer is not None and one.answer.parts is not None
    return _NO_LIMIT if one.url is not None or in_parts else S3_PUT_LIMIT


def _is_content_addressed(one: HttpDescription) -> bool:
    """Return whether all that the service learns of a file follows from its bytes."""
    templates = [one.url] if one.url is not None else []
    if one.presign is not None:
        call = one.presign
        templates += [call.path, *call.headers.values(), *templates_in(call.item), *templates_in(call.body)]
    names = {name for template in templates for name in template.names}.intersection(FILE_NAMES)
    return bool(names.intersection(DIGEST_NAMES)) and names <= {*DIGEST_NAMES, *_OF_BYTES}
