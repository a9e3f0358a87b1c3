"""Any content of a configuration file, a variable or an option gives settings or complaints, and no other error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bulkup.config import load
from bulkup.config.catalogue import SETTINGS
from bulkup.config.host_names import normalise_host
from bulkup.config.secret_source import SecretSource
from bulkup.config.settings import Settings
from bulkup.config.units import parse_duration
from bulkup.errors import UsageError
from bulkup.pipeline.options import ScanOptions
from bulkup.pipeline.scan.filters import Filters

ours = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
scalars = st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | texts
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(texts, scalars, max_size=2)
names = st.sampled_from(sorted(SETTINGS))


def toml_of(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml_of(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_of, value)) + "]"
    # JSON's escapes are TOML's, but for DEL, which TOML wants escaped.
    return json.dumps(value).replace("\x7f", "\\u007f")


def loaded(cwd: Path, **more: Any) -> bool:
    """Return whether there are settings; any error must be a UsageError with a message."""
    given_ = {"options": {}, "profile": "p", "config_file": None, "environ": {}, "cwd": str(cwd), **more}
    options = given_.pop("options")
    try:
        load(options, **given_)
    except UsageError as error:
        assert error.message  # noqa: PT017  # either outcome is right
        return False
    return True


@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda tail: b"[profiles.p]\n" + tail))
@ours
def test_a_file_of_any_bytes_is_settings_or_complaints(tmp_path: Path, data: bytes) -> None:
    """The file is read completely, or refused."""
    (tmp_path / "bulkup.toml").write_bytes(data)
    loaded(tmp_path)


@given(st.dictionaries(names | texts, values, max_size=4))
@ours
def test_a_profile_of_any_values_is_settings_or_complaints(tmp_path: Path, profile: dict[str, Any]) -> None:
    """Includes names that are not settings."""
    lines = [f"{json.dumps(name)} = {toml_of(value)}" for name, value in profile.items()]
    (tmp_path / "bulkup.toml").write_text("\n".join(["[profiles.p]", *lines]), "utf-8")
    loaded(tmp_path)


@given(st.dictionaries(names, texts.filter(lambda text: "\0" not in text), max_size=4))
@ours
def test_variables_of_any_text_are_settings_or_complaints(tmp_path: Path, given_: dict[str, str]) -> None:
    """Includes variables of secrets."""
    environ = {SETTINGS[name].variable: text for name, text in given_.items()}
    loaded(tmp_path, profile=None, environ=environ)


@given(st.dictionaries(names, values | st.none(), max_size=4))
@ours
def test_options_of_any_values_are_settings_or_complaints(tmp_path: Path, given_: dict[str, Any]) -> None:
    """A user of the library may pass any values."""
    loaded(tmp_path, profile=None, options=given_)


@given(st.text(max_size=14) | st.from_regex(r"[0-9.]{0,12} ?[smhd]?", fullmatch=True))
def test_any_text_gives_a_duration_or_a_value_error(text: str) -> None:
    """The duration is at most thirty years."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        assert str(error).startswith("expected a duration")  # noqa: PT017  # either outcome is right
        return
    assert 0 <= seconds <= 10**9


@given(st.sampled_from(["", "env:", "file:", "command:", "env", "ENV:"]), st.text(max_size=12))
def test_any_text_gives_a_secret_source_or_a_value_error(kind: str, rest: str) -> None:
    """The error does not repeat the text; an accepted reference is kept unchanged."""
    try:
        source = SecretSource.parse("token", kind + rest)
    except ValueError as error:
        assert len(rest) < 4 or rest not in str(error)  # noqa: PT017  # either outcome is right
        return
    if source.kind == "literal":
        assert source.reference.reveal() == kind + rest
    else:
        assert f"{source.kind}:{source.reference.reveal()}" == kind + rest


@given(st.text(max_size=16) | st.from_regex(r"(\*\.)?[A-Za-z0-9.-]{1,20}", fullmatch=True) | st.ip_addresses().map(str))
def test_a_host_is_normalised_to_a_stable_form(text: str) -> None:
    """Any other text is refused."""
    try:
        once = normalise_host(text)
    except ValueError as error:
        assert str(error).startswith("expected host names")  # noqa: PT017  # either outcome is right
        return
    assert normalise_host(once) == once
    assert once.isascii()


@pytest.mark.parametrize("text", ["0x7f.1", "127.1", "2130706433", "0x", "*.0x7f", "10.0.0.0x1"])
def test_an_address_in_an_old_notation_is_not_a_name(text: str) -> None:
    """The system reads it as an address, so as a name it would never match."""
    with pytest.raises(ValueError, match="expected host names"):
        normalise_host(text)


patterns = st.lists(
    st.sampled_from(["*", "**", "/", "!", "a", "[", "]", "[a-", "\\", "?", ".", " ", "#", "\n"]) | texts
)


@given(patterns.map("".join), st.binary(min_size=1, max_size=12).map(lambda path: path.replace(b"\0", b"a")))
@example(pattern="[a-*]", path=b"a")
@ours
def test_an_accepted_pattern_can_be_matched_with_any_name(tmp_path: Path, pattern: str, path: bytes) -> None:
    """The check of settings and the matcher of a run accept the same patterns."""
    if not loaded(tmp_path, profile=None, options={"include": [pattern]}):
        return
    filters = Filters(ScanOptions(include=(pattern,), exclude=(pattern,)))
    assert filters.takes_name(path) in (True, False)
    assert filters.prunes(path) in (True, False)


def test_the_tests_above_cover_every_setting() -> None:
    """Otherwise the tests above would miss new settings."""
    assert {setting.field for setting in SETTINGS.values()} == set(Settings.model_fields)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "x = " + "1" * 100_000, "a." * 500 + "a = 1", "\ufeff", "[profiles]\np = 1"]
)
def test_hostile_files_are_refused(tmp_path: Path, text: str) -> None:
    """They end with an error, and not with a full stack or a long wait."""
    (tmp_path / "bulkup.toml").write_text(text)
    assert not loaded(tmp_path)
