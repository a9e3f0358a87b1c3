"""Fetching secrets: all kinds of sources, and their errors."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkup.config.secret_source import SecretSource
from bulkup.errors import UsageError
from bulkup.helpers.secrets import Secret


def python(code: Any) -> str:
    return f"command:{sys.executable} -c '{code}'"


def fetch(text: Any, environ: Mapping[str, str] | None = None) -> str:
    return SecretSource.parse("token", text).resolve(environ or {}).reveal()


def refused(text: Any, environ: Mapping[str, str] | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        fetch(text, environ)
    assert caught.value.message.startswith("token: ")
    return caught.value


def test_the_environment() -> None:
    assert fetch("env:KEY", {"KEY": "abc"}) == "abc"


def test_a_file_without_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"abc\r\n")
    assert fetch(f"file:{tmp_path}/key") == "abc"


def test_a_file_below_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text("abc")
    assert fetch("file:~/key") == "abc"


def test_the_first_line_of_a_command() -> None:
    assert fetch(python('print("abc"); print("more")')) == "abc"


def test_a_command_sees_no_shell() -> None:
    assert fetch(f"command:{sys.executable} -c 'import sys; print(sys.argv[1])' $HOME;x") == "$HOME;x"


def test_a_literal_may_contain_a_colon() -> None:
    assert fetch("abc:def") == "abc:def"


def test_a_missing_variable_is_named() -> None:
    error = refused("env:KEY")
    assert error.message == "token: env:KEY is not set"
    assert "KEY" in error.hint


def test_an_empty_variable_is_named() -> None:
    assert refused("env:KEY", {"KEY": ""}).message == "token: env:KEY is empty"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert f"file:{tmp_path}/none cannot be read: No such file" in refused(f"file:{tmp_path}/none").message


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    assert refused(f"file:{tmp_path}/key").message.endswith("is empty")


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"x" * 70000)
    assert "is larger than 65536 bytes" in refused(f"file:{tmp_path}/key").message


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"hunter2\xff")
    error = refused(f"file:{tmp_path}/key")
    assert "is not UTF-8 text" in error.message
    assert error.__cause__ is None


def test_a_path_with_a_nul_is_refused() -> None:
    assert "cannot be read: not a path" in refused("file:a\0b").message


def test_a_failing_command_shows_its_status_and_not_its_output() -> None:
    error = refused(python('print("hunter2"); raise SystemExit(3)'))
    assert "exited with status 3" in error.message
    assert "hunter2" not in error.message + error.hint


def test_a_missing_command_is_named() -> None:
    assert refused("command:/nowhere/pass show x").message == (
        "token: command:/nowhere/pass *** cannot be run: No such file or directory"
    )


def test_a_command_that_takes_too_long_is_an_error() -> None:
    source = SecretSource.parse("token", python("import time; time.sleep(60)"))
    with pytest.raises(UsageError, match=r"gave no answer within 0\.1 s") as caught:
        source.resolve({}, command_timeout=0.1)
    assert caught.value.__cause__ is None


def test_a_command_without_output_is_an_error() -> None:
    assert refused(python("pass")).message.endswith("is empty")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("a\nb", "control character"),
        ("a\x7fb", "control character"),
        ("a\x85b", "control character"),
        ("a\u20acb", "outside Latin-1"),
        ("ab ", "begins or ends with a space"),
    ],
)
def test_a_value_that_no_header_can_carry_is_refused_and_not_repeated(value: Any, what: Any) -> None:
    error = refused("env:KEY", {"KEY": value})
    assert what in error.message
    assert value not in error.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "env:",
        "env:a b",
        "env:1A",
        "file:",
        "command:",
        "command: ",
        "command:a 'b",
        "command:''x\"",
    ],
)
def test_an_invalid_source_is_refused_when_it_is_parsed(text: Any) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        SecretSource.parse("token", text)
    assert "1A" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("env:KEY", "env:KEY"),
        ("file:/a/b", "file:/a/b"),
        ("command:pass", "command:pass"),
        ("command:curl -u me:hunter2", "command:curl ***"),
        ("hunter2", "***"),
    ],
)
def test_its_text_names_the_source_and_not_the_secret(text: Any, shown: Any) -> None:
    source = SecretSource.parse("token", text)
    assert str(source) == shown
    assert "hunter2" not in repr(source)


def test_resolve_returns_a_secret_object() -> None:
    assert SecretSource.parse("token", "abc").resolve({}) == Secret("abc")


def test_a_command_that_prints_without_end_is_stopped() -> None:
    with pytest.raises(UsageError, match="printed more than 65536 bytes"):
        SecretSource.parse("token", "command:yes").resolve({})


def test_a_command_that_closes_its_output_and_stays_has_a_time_limit() -> None:
    source = SecretSource.parse("token", "command:sh -c 'echo x; exec >&-; sleep 60'")
    with pytest.raises(UsageError, match="gave no answer within"):
        source.resolve({}, command_timeout=0.3)


def test_a_credential_of_the_service_stands_for_a_variable_that_is_not_set(tmp_path: Path) -> None:
    """systemd's LoadCredential= puts it into a folder that only the service can read."""
    (tmp_path / "KEY").write_text("from the credential\n")
    of_service = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert fetch("env:KEY", of_service) == "from the credential"
    assert fetch("env:KEY", {**of_service, "KEY": "from the environment"}) == "from the environment"
    assert "is not set" in refused("env:OTHER", of_service).message


def test_a_credential_of_the_service_replaces_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "bulkup.token").write_text("from the credential\n")
    (tmp_path / "key").write_text("from the file\n")
    of_service = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert fetch("file:/nowhere/key", of_service) == "from the credential"
    assert fetch(f"file:{tmp_path}/key") == "from the file"
    assert fetch(f"file:{tmp_path}/key", {"CREDENTIALS_DIRECTORY": ""}) == "from the file"
    (tmp_path / "bulkup.token").rename(tmp_path / "bulkup.api_key")  # of another setting
    assert fetch(f"file:{tmp_path}/key", of_service) == "from the file"


def test_a_folder_with_the_name_of_a_credential_is_none(tmp_path: Path) -> None:
    (tmp_path / "KEY").mkdir()
    assert "is not set" in refused("env:KEY", {"CREDENTIALS_DIRECTORY": str(tmp_path)}).message
