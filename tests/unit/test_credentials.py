"""Keys for S3: given, found by botocore, renewed."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import pytest

from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import Secret
from bulkup.model.problems import ProblemError, ProblemKind
from bulkup.providers import ProviderConfig
from bulkup.providers.s3.credentials import KeySource

VARIABLES = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "CREDENTIAL_EXPIRATION")


class Clock(SystemClock):
    ahead = 0.0

    def now(self) -> float:
        return 1_700_000_000 + self.ahead

    def monotonic(self) -> float:
        return self.ahead


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hide the keys of this machine, and its instance role."""
    for name in VARIABLES:
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def source(clock: Clock | None = None, profile: str | None = None, **given: str) -> KeySource:
    secrets = {name: Secret(value) for name, value in given.items()}
    return KeySource(ProviderConfig("https://s3", secrets, {"aws_profile": profile}, clock or Clock()))


async def shown(source: KeySource) -> tuple[str, str, str | None]:
    keys = await source.keys()
    return keys.access_key.reveal(), keys.secret_key.reveal(), keys.token.reveal() if keys.token else None


async def test_given_keys_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OTHER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    given = source(access_key="A", secret_key="s", security_token="t")
    assert await shown(given) == ("A", "s", "t")
    assert {secret.reveal() for secret in given.secrets} == {"s", "t"}


async def test_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env")
    assert await shown(source()) == ("AENV", "env", None)


async def test_keys_of_a_profile(home: Path) -> None:
    (home / "credentials").write_text(
        "[default]\naws_access_key_id=A1\naws_secret_access_key=s1\n"
        "[nightly]\naws_access_key_id=A2\naws_secret_access_key=s2\naws_session_token=t2\n"
    )
    assert await shown(source()) == ("A1", "s1", None)
    assert await shown(source(profile="nightly")) == ("A2", "s2", "t2")


async def test_a_session_in_a_file_is_read_again(home: Path) -> None:
    """Tools for single sign-on replace the keys in the file before they end."""
    text = "[default]\naws_access_key_id=A{0}\naws_secret_access_key=s{0}\naws_session_token=t{0}\n"
    (home / "credentials").write_text(text.format(1))
    clock = Clock()
    here = source(clock)
    assert await shown(here) == ("A1", "s1", "t1")
    (home / "credentials").write_text(text.format(2))
    clock.ahead = 59
    assert await shown(here) == ("A1", "s1", "t1")
    clock.ahead = 60
    assert await shown(here) == ("A2", "s2", "t2")
    assert {secret.reveal() for secret in here.secrets} == {"s2", "t2"}


class Renewing:
    """Stands for the keys of a role, as botocore's object shows them."""

    def __init__(self, clock: Clock, lifetime: float) -> None:
        self.clock, self.lifetime, self.renewed = clock, lifetime, 0
        self._expiry_time = dt.datetime.fromtimestamp(clock.now() + lifetime, dt.UTC)

    def get_frozen_credentials(self) -> Any:
        self.renewed += 1
        self._expiry_time = dt.datetime.fromtimestamp(self.clock.now() + self.lifetime, dt.UTC)
        return type("Frozen", (), {"access_key": f"A{self.renewed}", "secret_key": "s", "token": "t"})


async def test_keys_of_a_role_are_renewed_before_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    role = Renewing(clock, 3600)
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda self: role)
    here = source(clock)
    first = await here.keys()
    assert first.expires_at == clock.now() + 3600
    clock.ahead = 2600
    assert await here.keys() is first
    clock.ahead = 2701
    assert (await here.keys()).access_key.reveal() == "A2"
    assert (await here.keys()).access_key.reveal() == "A2"
    assert role.renewed == 2


@pytest.mark.parametrize(
    ("profile", "said"), [(None, "no keys for s3 were found: set access_key"), ("absent", "ProfileNotFound")]
)
async def test_no_keys(profile: str | None, said: str) -> None:
    with pytest.raises(ProblemError) as raised:
        await source(profile=profile).keys()
    assert raised.value.problem.kind is ProblemKind.UNUSABLE
    assert said in raised.value.problem.message


async def test_without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(ProblemError, match=r"install bulkup\[s3\], or set access_key and secret_key"):
        await source().keys()
    assert await shown(source(access_key="A", secret_key="s")) == ("A", "s", None)


PAIR = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
WHOLE_PROFILE = "[default]\naws_access_key_id=A1\naws_secret_access_key=s1\n"


@pytest.mark.parametrize(("there", "missing"), [PAIR, PAIR[::-1]])
async def test_half_a_pair_in_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch, there: str, missing: str
) -> None:
    """Other keys are not used in its place."""
    (home / "credentials").write_text(WHOLE_PROFILE)
    monkeypatch.setenv(there, "x")
    with pytest.raises(ProblemError, match=f"{there} is set without {missing} in the environment") as raised:
        await source().keys()
    assert raised.value.problem.kind is ProblemKind.UNUSABLE


@pytest.mark.parametrize("profile", [None, "nightly"])
@pytest.mark.parametrize(("there", "missing"), [PAIR, PAIR[::-1]])
async def test_half_a_pair_in_a_profile(home: Path, profile: str | None, there: str, missing: str) -> None:
    name = profile or "default"
    (home / "credentials").write_text(f"[{name}]\n{there.lower()}=x\n")
    said = f"{there.lower()} is set without {missing.lower()} in the AWS profile {name}"
    with pytest.raises(ProblemError, match=said):
        await source(profile=profile).keys()


async def test_half_a_pair_that_is_not_asked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named profile comes before the environment, and the environment before the default profile."""
    (home / "credentials").write_text(WHOLE_PROFILE)
    monkeypatch.setenv(PAIR[0], "x")
    assert await shown(source(profile="default")) == ("A1", "s1", None)
    (home / "credentials").write_text("[default]\naws_access_key_id=A1\n")
    monkeypatch.setenv(PAIR[1], "y")
    assert await shown(source()) == ("x", "y", None)
