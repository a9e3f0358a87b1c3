"""Secrets in settings: no text, error or traceback contains one."""

import itertools
import pickle
import string
import tempfile
import traceback
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config import Settings, load, require_credentials
from bulkup.config.catalogue import SECRETS as SECRET_SETTINGS
from bulkup.config.catalogue import SETTINGS
from bulkup.errors import UsageError

# Long and with a prefix, so that no other text contains one by accident.
ALPHABET = string.ascii_letters + string.digits + "-_.~+/= '\"#:é"
SECRETS = st.text(ALPHABET, min_size=6).map(lambda text: f"mhk{text}qz")
BROKEN = st.builds(
    lambda secret, char: secret[:5] + char + secret[5:],
    SECRETS,
    st.sampled_from("\x00\n\r\t\x7f\x85€𝄞\udcff"),
)


def texts(settings: Any) -> Iterator[str]:
    yield repr(settings)
    yield str(settings)
    yield repr(settings.model_dump())
    yield settings.model_dump_json()
    yield str(settings.model_dump(mode="json"))
    yield f"{settings.token} {settings.token!r} {settings.token.reference}"


@hypothesis.settings(deadline=None)
@given(SECRETS)
def test_no_text_of_the_settings_contains_a_literal_secret(secret: Any) -> None:
    resolved = load(dict.fromkeys(SECRET_SETTINGS, secret), profile=None, config_file=None, environ={}, cwd="/")
    assert not any(secret in text for text in texts(resolved.settings))
    assert secret not in repr(resolved)


@hypothesis.settings(deadline=None)
@given(st.one_of(SECRETS, BROKEN), st.sampled_from(["{}", "env:{}!", "command:'{}", "command: {} {}"]))
def test_no_error_about_a_secret_repeats_it(secret: Any, form: Any) -> None:
    text = form.format(secret, secret)
    environ = {"BULKUP_TOKEN": text, "BULKUP_CONCURRENCY": "x"}
    with pytest.raises(UsageError) as caught:
        load({}, profile=None, config_file=None, environ=environ, cwd="/")
    assert secret not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


@hypothesis.settings(deadline=None)
@given(BROKEN, st.sampled_from(["literal", "env", "file"]))
def test_no_error_of_fetching_repeats_the_value(secret: Any, kind: Any) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(secret.encode("utf-8", "surrogateescape"))
        file.flush()
        text = {"literal": secret, "env": "env:KEY", "file": f"file:{file.name}"}[kind]
        settings = Settings.model_validate({"provider": "magic-hour", "token": text})
        with pytest.raises(UsageError) as caught:
            require_credentials(settings, {"KEY": secret}, profile=None)
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert secret not in shown
    assert secret[:5] not in caught.value.message


@hypothesis.settings(deadline=None)
@given(SECRETS)
def test_no_error_about_a_file_repeats_the_secrets_in_it(secret: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/bulkup.toml", "w") as file:
            quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
            file.write(f'[profiles.a]\ntoken = ["{quoted}"]\nsecret_key = {{ x = "{quoted}" }}\nattempts = 0\n')
        with pytest.raises(UsageError) as caught:
            load({}, profile="a", config_file=None, environ={}, cwd=folder)
    assert "3 problems" in caught.value.message
    assert secret not in "".join(traceback.format_exception(caught.value))


@hypothesis.settings(deadline=None)
@given(SECRETS.map(lambda text: "".join(char for char in text if char.isalnum())))
def test_no_error_about_a_url_repeats_a_password_in_it(secret: Any) -> None:
    urls = (f"https://user:{secret}@example.com", f"https://example.com/?key={secret}", f"//u:{secret}@h")
    for name, url in itertools.product([name for name, one in SETTINGS.items() if one.form.kind == "url"], urls):
        with pytest.raises(UsageError) as caught:
            load({name: url}, profile=None, config_file=None, environ={}, cwd="/")
        assert secret not in "".join(traceback.format_exception(caught.value))


def test_settings_with_a_secret_are_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Settings.model_validate({"token": "hunter2"}))
