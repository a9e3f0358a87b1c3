"""Settings and credentials that a run needs: the error names all ways to set them."""

from pathlib import Path
from typing import Any

import pytest
from described_services import profile as described

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
from bulkup.config.description_parsing import parse_description
from bulkup.config.requirements import credential_names, credential_references, workers_fetch_credentials
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


def on_cluster(provider: str, **values: Any) -> Settings:
    return settings(provider, cluster="tls://there:8786", cluster_credentials="workers", **values)


def test_workers_of_a_cluster_fetch_credentials_only_where_there_is_one() -> None:
    assert workers_fetch_credentials(on_cluster("magic-hour"))
    assert not workers_fetch_credentials(settings("magic-hour", cluster_credentials="workers"))
    assert not workers_fetch_credentials(settings("magic-hour", cluster="tls://there:8786"))


def test_workers_are_told_where_the_credentials_are() -> None:
    """Those of the complete set alone. A name of an account is no secret, so it may be written out."""
    one = on_cluster("metastudio", access_key="account", secret_key="env:KEY", auth_token="env:OTHER")
    found = credential_references(one, profile=None)
    assert {name: (source.kind, source.reference.reveal()) for name, source in found.items()} == {
        "access_key": ("literal", "account"),
        "secret_key": ("env", "KEY"),
    }


@pytest.mark.parametrize(("profile", "where"), [(None, "in a profile"), ("nightly", "in profile nightly")])
def test_a_secret_that_is_written_out_is_not_for_workers_to_fetch(profile: str | None, where: str) -> None:
    with pytest.raises(UsageError, match="token is given as such") as caught:
        credential_references(on_cluster("magic-hour", token="value"), profile=profile)
    assert '`token = "env:NAME"`' in caught.value.hint
    assert where in caught.value.hint
    assert "value" not in caught.value.message + caught.value.hint


def test_a_secret_of_a_description_that_is_written_out_is_named() -> None:
    http = described("Magic Hour")["http"]
    http["presign"]["headers"] = {"X-Key": "{first}"}
    http["secrets"] = {"first": "value"}
    with pytest.raises(UsageError, match="first is given as such"):
        credential_references(on_cluster("http", http=parse_description(http)), profile=None)


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
