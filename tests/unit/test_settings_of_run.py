"""The settings that a run notes: those that are not default, and no secret."""

from __future__ import annotations

from bulkup import Settings
from bulkup.api.settings_of_run import shown_settings


def test_only_settings_that_are_not_default_are_noted() -> None:
    shown = shown_settings(Settings(source=("/data/a", "/data/b"), provider="local", concurrency=8, attempts=10))
    assert shown == {"source": "/data/a\n/data/b", "provider": "local", "concurrency": "8"}


def test_no_secret_is_noted() -> None:
    values = {
        "source": ["/data"],
        "provider": "magic-hour",
        "api_key": "SECRET-KEY",
        "notify": {"webhook_url": "https://hooks.example/SECRET", "on_failure": "mail --password SECRET me"},
    }
    settings = Settings.model_validate(values)
    assert "SECRET" not in str(shown_settings(settings))


def test_a_long_value_is_cut() -> None:
    shown = shown_settings(Settings(source=("/data",), provider="local", exclude=tuple(f"*.{n}" for n in range(1000))))
    assert len(shown["exclude"]) == 400
