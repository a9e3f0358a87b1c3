"""Settings and credentials that a run needs: the error names all ways to set them."""

from pathlib import Path
from typing import Any

import pytest

from bulkup.config import (
    PROVIDER_DECLARATIONS,
    Settings,
    require_credentials,
    require_one_directory,
    require_one_source,
    require_provider,
    require_settings,
)
from bulkup.config.catalogue import SECRETS, SETTINGS
from bulkup.config.requirements import credential_names
from bulkup.errors import ExitCode, UsageError
from bulkup.helpers.secrets import Secret

WAYS = "metastudio needs access_key and secret_key, or auth_token, or iam_user, iam_domain and iam_password"


def settings(provider: str, **values: Any) -> Settings:
    return Settings.model_validate({"provider": provider, **values})


def refused(given: Settings, profile: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        require_credentials(given, {}, profile=profile)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


def test_a_missing_provider_is_an_error() -> None:
    assert require_provider(Settings(provider="local")) == "local"
    with pytest.raises(UsageError, match="no provider") as caught:
        require_provider(Settings())
    assert all(name in caught.value.hint for name in PROVIDER_DECLARATIONS)


def test_declarations_of_providers_name_existing_settings() -> None:
    for provider in PROVIDER_DECLARATIONS.values():
        secrets = {one for ways in provider.credentials for one in ways} | set(provider.optional_secrets)
        assert secrets <= set(SECRETS)
        needed = {*provider.required, *(one for ways in provider.any_of for one in ways)}
        assert needed <= set(provider.settings) <= set(SETTINGS) - set(SECRETS)


@pytest.mark.parametrize(
    ("provider", "given", "chosen"),
    [
        ("local", ["token"], ()),
        ("magic-hour", ["token", "api_key"], ("token",)),
        ("move-ugc", ["token", "api_key"], ("api_key",)),
        ("xvid", ["token", "client_id", "client_secret"], ("token",)),
        ("xvid", ["client_id", "client_secret"], ("client_id", "client_secret")),
        ("metastudio", ["access_key", "secret_key", "auth_token"], ("access_key", "secret_key")),
        (
            "metastudio",
            ["access_key", "secret_key", "security_token"],
            ("access_key", "secret_key", "security_token"),
        ),
        ("metastudio", ["access_key", "auth_token", "security_token"], ("auth_token",)),
        ("metastudio", ["iam_user", "iam_domain", "iam_password"], ("iam_user", "iam_domain", "iam_password")),
    ],
)
def test_the_first_complete_set_is_fetched_with_its_optional_secrets(
    provider: str, given: list[str], chosen: tuple[str, ...]
) -> None:
    one = settings(provider, **{name: f"env:{name.upper()}" for name in given})
    assert credential_names(one, profile=None) == chosen
    environ = {name.upper(): f"value of {name}" for name in chosen}  # the others cannot even be fetched
    found = require_credentials(one, environ, profile=None)
    assert found == {name: Secret(f"value of {name}") for name in chosen}


def test_a_secret_that_cannot_be_fetched_is_named() -> None:
    assert refused(settings("magic-hour", token="env:KEY")).message == "token: env:KEY is not set"


def test_a_missing_secret_is_named_with_all_ways_to_set_it() -> None:
    error = refused(settings("magic-hour"))
    assert error.message == "magic-hour needs token"
    assert error.hint == 'set BULKUP_TOKEN, or write `token = "env:NAME"` in a profile and name the profile'


def test_with_a_profile_the_hint_names_only_the_profile() -> None:
    error = refused(settings("move-ugc"), profile="nightly")
    assert error.hint == 'write `api_key = "env:NAME"` in profile nightly'


def test_all_sets_are_named_if_none_is_given() -> None:
    error = refused(settings("metastudio", security_token="x"))
    in_profile = '`access_key = "env:NAME"` and `secret_key = "env:NAME"`'
    assert error.message == WAYS
    assert error.hint == (
        f"set BULKUP_ACCESS_KEY and BULKUP_SECRET_KEY, or write {in_profile} in a profile and name the profile"
    )
    assert refused(settings("xvid")).message == "xvid needs token, or client_id and client_secret"


def test_an_incomplete_set_is_reported_with_its_missing_secrets() -> None:
    error = refused(settings("metastudio", iam_user="u", iam_password="p"))
    assert error.message == f"{WAYS}; iam_user and iam_password are set without iam_domain"
    assert error.hint == 'set BULKUP_IAM_DOMAIN, or write `iam_domain = "env:NAME"` in a profile and name the profile'


def test_two_incomplete_sets_are_both_reported() -> None:
    error = refused(settings("metastudio", access_key="a", iam_user="u", iam_password="p"), profile="n")
    assert "; access_key is set without secret_key; iam_user and iam_password are set without" in error.message
    assert error.hint == 'write `iam_domain = "env:NAME"` in profile n'


@pytest.mark.parametrize(
    ("provider", "given", "said"),
    [
        ("s3", ["access_key"], "access_key is set without secret_key"),
        ("s3", ["secret_key", "security_token"], "secret_key and security_token are set without access_key"),
        ("s3", ["security_token"], "security_token is set without access_key and secret_key"),
        ("git-lfs", ["lfs_user"], "lfs_user is set without lfs_password"),
    ],
)
def test_half_a_set_is_reported_where_the_provider_looks_for_others(provider: str, given: list[str], said: str) -> None:
    """Otherwise it would use an account that the user did not mean."""
    error = refused(settings(provider, **dict.fromkeys(given, "x")))
    assert error.message.endswith(f", or none of them; {said}")
    assert credential_names(settings(provider), profile=None) == ()


def unmet(given: Settings) -> UsageError:
    with pytest.raises(UsageError) as caught:
        require_settings(given)
    return caught.value


def test_a_missing_setting_is_named_with_all_ways_to_set_it() -> None:
    error = unmet(settings("xvid"))
    assert error.message == "xvid needs pipeline_id"
    assert error.hint == 'use --pipeline-id, set BULKUP_PIPELINE_ID, or write `pipeline_id = "..."` in a profile'


def test_all_missing_settings_are_named_together() -> None:
    error = unmet(settings("metastudio"))
    assert error.message == "metastudio needs project_id, and asset_id, assets or asset_map"
    assert "--project-id" in error.hint
    assert "--asset-id" in error.hint


@pytest.mark.parametrize(
    "asset",
    [{"asset_id": "a"}, {"assets": [{"match": "*", "asset_id": "a"}]}, {"asset_map": "/map.csv"}],
)
def test_one_way_to_name_assets_is_enough(asset: dict[str, Any]) -> None:
    require_settings(settings("metastudio", project_id="p", **asset))
    assert unmet(settings("metastudio", **asset)).message == "metastudio needs project_id"


def test_the_other_providers_need_no_settings() -> None:
    for name in ("magic-hour", "move-ugc", "local"):
        require_settings(settings(name))


@pytest.mark.parametrize("name", ["asset_map", "files_from"])
def test_a_list_of_files_needs_one_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "file").touch()
    for sources in (["a", "b"], ["file"]):
        paths = [f"{tmp_path}/{source}" for source in sources]
        require_one_directory(Settings.model_validate({"source": paths}))
        with pytest.raises(UsageError, match=f"{name} needs exactly one source, the directory") as caught:
            require_one_directory(Settings.model_validate({"source": paths, name: "/list.csv"}))
        assert "one directory" in caught.value.hint
    for sources in (["a"], ["a", "link"], [], ["gone"]):
        paths = [f"{tmp_path}/{source}" for source in sources]
        require_one_directory(Settings.model_validate({"source": paths, name: "/list.csv"}))


def test_a_name_needs_exactly_one_source(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    a, link, b = (f"{tmp_path}/{name}" for name in ("a", "link", "b"))
    for paths in ([a], [a, link], []):
        require_one_source(Settings.model_validate({"source": paths, "source_id": "media"}))
    require_one_source(Settings.model_validate({"source": [a, b]}))
    with pytest.raises(UsageError, match="source_id is the name of one source, and 2 are given") as caught:
        require_one_source(Settings.model_validate({"source": [a, b], "source_id": "media"}))
    assert "a separate run" in caught.value.hint
