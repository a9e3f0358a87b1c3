"""The table of notifications."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

import pytest

from bulkup.config import Settings, check_profiles, load
from bulkup.config.loading import load_notify
from bulkup.config.notify_table import Notify, fetch_address, is_address, parse_notify
from bulkup.config.secret_source import SecretSource
from bulkup.errors import UsageError

SECRET = "https://hooks.example/services/T0/B0/hunter2"
PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text("utf-8")
ROW = re.compile(r"^\| `([a-z_]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def loaded(folder: Path, table: str, **options: Any) -> Settings:
    (folder / "bulkup.toml").write_text(f'[profiles.n]\nprovider = "local"\n[profiles.n.notify]\n{table}\n')
    (folder / "bulkup.toml").chmod(0o600)
    return load(options, profile="n", config_file=None, environ={}, cwd=str(folder)).settings


def test_a_table_of_a_profile(tmp_path: Path) -> None:
    table = loaded(
        tmp_path,
        f'ping_url = "env:PING"\nslack_url = "{SECRET}"\non_failure = "page --to \'me too\'"\n'
        'on_success = ["touch", "a b"]\nwebhook_on = "failure"\nsuccess_codes = [0, 3]\nlimit = "1m"',
    ).notify
    assert table is not None
    assert set(table.addresses()) == {"ping_url", "slack_url"}
    assert table.on_failure is not None
    assert table.on_failure.argv == ("page", "--to", "me too")
    assert table.on_success is not None
    assert table.on_success.argv == ("touch", "a b")
    assert (table.webhook_on, table.success_codes, table.limit) == (("failure",), (0, 3), 60.0)


def test_a_file_of_an_address_is_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "slack.url").write_text(f"{SECRET}\n")
    table = loaded(tmp_path, 'slack_url = "file:slack.url"').notify
    assert table is not None
    assert fetch_address(table.addresses()["slack_url"], {}, 10.0).reveal() == SECRET


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "notify: the table has no receiver"),
        ('limit = "1m"', "notify: the table has no receiver"),
        ('ping_ulr = "env:A"', 'unknown key "ping_ulr"'),
        ('ping_url = "hooks.example/a"', "notify.ping_url: expected env:NAME"),
        ('ping_url = "ftp://hooks.example/a"', "begins with https:// or http://"),
        ("ping_url = 5", "notify.ping_url: expected env:NAME"),
        ('ping_url = "env:A"\nping_failure = "never"', "notify.ping_failure: expected code or fail"),
        ('webhook_url = "env:A"\nwebhook_on = ["end"]', "notify.webhook_on: expected a list of start"),
        ('on_failure = "page \'"', "notify.on_failure: expected a command line with matching quotes"),
        ("on_failure = []", "notify.on_failure: expected a command line"),
        ('ping_url = "env:A"\nsuccess_codes = [256]', "notify.success_codes: expected a list of exit codes"),
        ('ping_url = "env:A"\nlimit = 0', "notify.limit: expected"),
        ('ping_url = "env:A"\nlimit = "1h"', "notify.limit: expected"),
    ],
)
def test_a_wrong_table_is_reported_with_its_line(table: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        loaded(tmp_path, table)
    assert re.search(r"bulkup.toml:[3-5]: ", caught.value.message)


@pytest.mark.parametrize(
    ("key", "meant"), [("webhook", "webhook_url"), ("ping", "ping_url"), ("slak_url", "slack_url")]
)
def test_a_wrong_key_gets_a_suggestion(key: str, meant: str, tmp_path: Path) -> None:
    """The beginning of a name stands for the first key that begins so."""
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, f'{key} = "env:A"')
    assert caught.value.hint == f'did you mean "{meant}"?'


def test_no_text_contains_an_address() -> None:
    """Nor an argument of a command."""
    table = parse_notify({"slack_url": SECRET, "on_failure": "page --token hunter2"})
    settings = Settings(notify=table)
    texts = [repr(table), str(table), repr(settings), settings.model_dump_json(), str(settings.model_dump(mode="json"))]
    assert "hunter2" not in "".join(texts)
    assert "page ***" in texts[3]


@pytest.mark.parametrize("value", [f"{SECRET} x", "hooks.example/hunter2", '{"hunter2'])
@pytest.mark.parametrize("key", ["ping_url", "slack_url"])
def test_no_error_repeats_an_address(key: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, f"{key} = '{value}'")
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    with pytest.raises(UsageError) as caught:
        fetch_address(SecretSource.parse("notify.slack_url", "env:A"), {"A": value}, 10.0)
    assert "hunter2" not in shown + "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://hc-ping.com/uuid", True),
        ("http://127.0.0.1:8000", True),
        ("https://[::1]/a?b=c", True),
        ("https://user:password@host/a", False),
        ("https://", False),
        ("https:///a", False),
        ("https://host/a b", False),
        ("https://host/a\n", False),
        ("https://[::1/", False),
    ],
)
def test_addresses(text: str, expected: bool) -> None:
    assert is_address(text) is expected


def test_the_page_lists_every_key_with_its_default() -> None:
    listed = {name: default for name, _, default in ROW.findall(PAGE[: PAGE.index("## When they are sent")])}
    assert list(listed) == list(Notify.model_fields)
    for name, field in Notify.model_fields.items():
        given = field.default if isinstance(field.default, tuple) else (field.default,)
        expected = " ".join(f"`{one}`," for one in given).rstrip(",")
        if field.default is None:
            expected = "not set"
        elif name == "limit":
            expected = f"{field.default:g} seconds"
        assert listed[name] == expected


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ('attempts = "many"', True),
        ("ca_file = 5", True),
        ("[profiles.n.http]\nurl = 5", True),
        ("[profiles.n.notify]\nping_url = 5", False),
    ],
    ids=["wrong setting", "wrong ca_file", "wrong table", "wrong notifications"],
)
def test_notifications_of_a_profile_with_errors(rest: str, found: bool, tmp_path: Path) -> None:
    """They are read all the same, to notify of the errors."""
    good = "[profiles.n.notify]\nping_url = 'env:PING'\n" if found else ""
    own = f"{rest}\n{good}" if not rest.startswith("[") else f"{good}{rest}\n"
    (tmp_path / "bulkup.toml").write_text(f"[profiles.n]\n{own}")
    with pytest.raises(UsageError):
        load({}, profile="n", config_file=None, environ={}, cwd=str(tmp_path))
    notify = load_notify(None, None, {"BULKUP_PROFILE": "n"}, str(tmp_path))
    assert (notify is not None) is found
    assert notify is None or (notify.resolved.profile == "n" and notify.resolved.settings.notify is not None)


def test_commands_of_a_profile_with_errors_get_no_secret_of_it(tmp_path: Path) -> None:
    """Whatever the form of the settings that are wrong; addresses of notifications are still found."""
    (tmp_path / "bulkup.toml").write_text(
        "[profiles.n]\nattempts = 'many'\ntoken = 'env:A'\n[profiles.n.notify]\nping_url = 'env:PING'\n"
        "[profiles.n.http]\nwrong = [{ secret = 'env:B' }]\n"
    )
    notify = load_notify("n", None, {"A": "a", "B": "b", "C": "c", "PING": "https://host/"}, str(tmp_path))
    assert notify is not None
    assert notify.environ == {"C": "c", "PING": "https://host/"}


@pytest.mark.parametrize("text", ["[profiles.m]\n", "no toml", None])
def test_without_a_readable_profile_there_are_no_notifications(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "bulkup.toml").write_text(text)
    assert load_notify("n", None, {}, str(tmp_path)) is None
    assert load_notify(None, None, {}, str(tmp_path)) is None


def test_config_check_fetches_the_addresses(tmp_path: Path) -> None:
    """A variable may hold something else than an address; the error does not repeat it."""
    (tmp_path / "source").mkdir()
    (tmp_path / "bulkup.toml").write_text(
        "[profiles.n]\nsource = 'source'\nprovider = 'local'\nstore = 'store'\njournal = 'journal'\n"
        "[profiles.n.notify]\nping_url = 'env:PING'\nslack_url = 'env:SLACK'\n"
    )

    def check(**environ: str) -> None:
        check_profiles(profile="n", config_file=None, environ=environ, cwd=str(tmp_path), run_commands=False)

    check(PING=SECRET, SLACK=SECRET)
    with pytest.raises(UsageError) as caught:
        check(PING="hunter2")
    assert "bulkup.toml:7: notify.ping_url: env:PING is not an address" in caught.value.message
    assert "bulkup.toml:8: notify.slack_url: env:SLACK is not set" in caught.value.message
    assert "hunter2" not in caught.value.message
