"""The names that templates of a described service can use, and where each of them has a value. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bulkup.config.described_service import HttpDescription
from bulkup.config.template_text import Template, templates_in

# Settings of a profile that templates can name. Secrets are fetched only if a template names them.
SETTING_NAMES = (
    "base_url",
    "region",
    "project_id",
    "asset_id",
    "asset_file_category",
    "asset_type",
    "app_user_id",
    "pipeline_id",
    "ip",
    "destination",
    "source_id",
)
SECRET_NAMES = (
    "token",
    "api_key",
    "access_key",
    "secret_key",
    "security_token",
    "auth_token",
    "iam_user",
    "iam_domain",
    "iam_password",
    "client_id",
    "client_secret",
)
# The checksum that a file has to be hashed with before its name has a value.
DIGEST_NAMES: Mapping[str, str] = {
    "md5_base64": "md5",
    "md5_hex": "md5",
    "sha256_base64": "sha256",
    "sha256_hex": "sha256",
    "crc32c_base64": "crc32c",
    "crc64nvme_base64": "crc64nvme",
}
FILE_NAMES = (
    *("path", "name", "stem", "ext", "extension", "dir", "size", "part_count"),
    *("content_type", "type", "mtime", "date", "uuid"),
    *DIGEST_NAMES,
)
BASIC = "basic"  # Base64 of "user:password"
BASIC_SECRETS = ("user", "password")
PART_COUNT = "part_count"
UUID = "uuid"
TOKEN = "token"  # noqa: S105  # the name of a setting
ID = "id"
ITEMS = "items"
STATE = "state"
_SPECIAL = (BASIC, ID, ITEMS, STATE)
RESERVED = frozenset({*FILE_NAMES, *SETTING_NAMES, *SECRET_NAMES, *_SPECIAL})


def account_templates(description: HttpDescription) -> Iterator[Template]:
    """Yield every template of a description."""
    one = description
    yield from (template for template in (one.url, one.place) if template is not None)
    yield from one.put.headers.values()
    for call in (one.presign, one.confirm, one.abandon):
        if call is not None:
            yield call.path
            yield from (call.headers or {}).values()
            yield from templates_in(call.body)
    if one.presign is not None:
        yield from templates_in(one.presign.item)
    if one.confirm is not None and one.confirm.poll is not None:
        yield one.confirm.poll
    if one.answer is not None:
        yield from () if one.answer.base is None else (one.answer.base,)
        yield from () if one.answer.match is None else (one.answer.match.file,)
    if one.oauth is not None:
        yield from one.oauth.fields.values()


def names_used(description: HttpDescription) -> tuple[str, ...]:
    """Return the names that the templates of a description use, each once, in order."""
    return tuple(dict.fromkeys(name for template in account_templates(description) for name in template.names))


def settings_used(description: HttpDescription) -> tuple[str, ...]:
    """Return the settings of the profile that a description uses, apart from secrets and `base_url`."""
    own = description.values
    return tuple(name for name in names_used(description) if name in SETTING_NAMES[1:] and name not in own)


def secrets_used(description: HttpDescription) -> tuple[str, ...]:
    """Return the secret settings of the profile that a description needs."""
    names = [name for name in names_used(description) if name in SECRET_NAMES]
    if description.oauth is not None:
        names = [*(name for name in names if name != TOKEN), "client_id", "client_secret"]
    return tuple(dict.fromkeys(names))
