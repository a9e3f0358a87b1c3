"""The names that templates of a described service can use."""

from __future__ import annotations

from bulkup.config.catalogue import SECRETS, SETTINGS
from bulkup.config.description_names import (
    FILE_NAMES,
    RESERVED,
    SECRET_NAMES,
    SETTING_NAMES,
    names_used,
    secrets_used,
    settings_used,
)
from bulkup.config.description_parsing import parse_description

TABLE = {
    "presign": {
        "path": "/{project_id}?k={api_key}",
        "headers": {"Authorization": "Bearer {token}"},
        "item": {"n": "{name}", "deep": [{"p": "{pipeline_id}"}]},
    },
    "answer": {"url": "url", "base": "{base_url}/x"},
    "put": {"headers": {"X-Asset": "{asset_id}"}},
    "confirm": {"path": "/c/{id}", "poll": "/p/{region}", "done": "ok", "body": {"u": "{app_user_id}"}},
    "abandon": {"path": "/a/{id}", "body": {"d": "{destination}"}},
}


def test_names_of_settings_are_settings() -> None:
    """Plain texts, and secrets."""
    assert set(SECRET_NAMES) <= set(SECRETS)
    assert set(SETTING_NAMES) <= set(SETTINGS) - set(SECRETS)
    assert all(SETTINGS[name].default is None or isinstance(SETTINGS[name].default, str) for name in SETTING_NAMES)
    assert RESERVED.issuperset((*FILE_NAMES, *SETTING_NAMES, *SECRET_NAMES))


def test_names_in_every_table_are_found() -> None:
    description = parse_description(TABLE)
    assert {"project_id", "api_key", "token", "name", "pipeline_id", "base_url"} <= set(names_used(description))
    expected = ["app_user_id", "asset_id", "destination", "pipeline_id", "project_id", "region"]
    assert sorted(settings_used(description)) == expected
    assert sorted(secrets_used(description)) == ["api_key", "token"]


def test_a_fetched_token_needs_the_client_instead() -> None:
    description = parse_description({**TABLE, "oauth": {"url": "/token"}})
    assert sorted(secrets_used(description)) == ["api_key", "client_id", "client_secret"]


def test_own_values_are_no_settings() -> None:
    description = parse_description({"url": "https://h.example/{folder}/{path}", "values": {"folder": "x"}})
    assert settings_used(description) == secrets_used(description) == ()
