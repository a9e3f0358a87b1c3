"""Providers of other packages: they are found by name, and one that cannot be used is reported with its package."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkup import Settings, UsageError
from bulkup.config import SettingsError, load
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS
from bulkup.config.provider_plugins import (
    INTERFACE,
    checked_table,
    declaration_of,
    hint_for_unknown,
    installed_plugins,
    is_provider,
    plugin_of,
    provider_names,
)
from bulkup.providers import PROVIDER_CLASSES, Provider, ProviderConfig, create

GOOD = """
from bulkup.plugins import Capabilities, Provider, ProviderDeclaration, ProviderPlugin

def check(table):
    if table.keys() - {"shelf"}:
        raise ValueError("the only setting is shelf")
    return {"shelf": "inbox", **table}

PLUGIN = ProviderPlugin(ProviderDeclaration("https://parcel.example", (("token",),)), "parcel_plugin:Parcel", check)

class Parcel(Provider):
    name = "parcel"
    capabilities = Capabilities(batch_limit=1, batch_size=1)
    async def presign(self, specs, call):
        raise NotImplementedError
"""


@pytest.fixture(autouse=True)
def searched_anew() -> Iterator[None]:
    """Forget what an earlier test had installed."""
    yield
    installed_plugins.cache_clear()
    plugin_of.cache_clear()
    sys.modules.pop("parcel_plugin", None)


def install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, *names: str, package: str = "parcel-plugin"
) -> None:
    """Install a package, version 1.5, whose entry points all have the attribute PLUGIN of `module`."""
    info = folder / f"{package}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
    points = "".join(f"{name} = parcel_plugin:PLUGIN\n" for name in names or ("parcel",))
    (info / "entry_points.txt").write_text("[bulkup.providers]\n" + points)
    (folder / "parcel_plugin.py").write_text(module)
    monkeypatch.syspath_prepend(str(folder))
    installed_plugins.cache_clear()
    plugin_of.cache_clear()


def refused(provider: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load({"provider": provider}, profile=None, config_file=None, environ={}, cwd="/")
    return caught.value


def test_a_plugin_is_a_provider_like_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, GOOD)
    assert is_provider("parcel")
    assert provider_names() == (*PROVIDER_DECLARATIONS, "parcel")
    assert declaration_of("parcel").base_url == "https://parcel.example"
    assert Settings(provider="parcel").provider == "parcel"
    provider = create("parcel", ProviderConfig("https://parcel.example", settings={}))
    assert isinstance(provider, Provider)
    assert PROVIDER_CLASSES["parcel"] is type(provider)


def test_a_plugin_checks_its_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, GOOD)
    assert checked_table("parcel", None) == {"shelf": "inbox"}
    assert checked_table("parcel", {"shelf": "left"}) == {"shelf": "left"}
    with pytest.raises(UsageError, match="plugin: the only setting is shelf"):
        checked_table("parcel", {"self": "left"})


def test_other_providers_have_no_settings_of_their_own() -> None:
    assert checked_table("magic-hour", None) == {}
    with pytest.raises(UsageError, match="plugin: this provider has no settings of its own"):
        checked_table("magic-hour", {"shelf": "left"})


def test_a_plugin_does_not_replace_a_built_in_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, GOOD, "magic-hour", "parcel")
    assert set(installed_plugins()) == {"parcel"}
    assert declaration_of("magic-hour").base_url == "https://api.magichour.ai"


def test_built_in_providers_are_used_without_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the metadata of every installed package."""

    def search() -> None:
        raise AssertionError("packages were searched")

    monkeypatch.setattr("bulkup.config.provider_plugins.installed_plugins", search)
    assert Settings(provider="magic-hour").provider == "magic-hour"
    assert declaration_of("magic-hour").base_url == "https://api.magichour.ai"
    assert PROVIDER_CLASSES["magic-hour"].name == "magic-hour"


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("", "AttributeError"),
        ("PLUGIN = 5", "parcel_plugin:PLUGIN is not a ProviderPlugin"),
        (
            GOOD + f"PLUGIN = ProviderPlugin(PLUGIN.declaration, PLUGIN.provider, interface={INTERFACE + 1})",
            f"it is written for version {INTERFACE + 1} of the interface, and this is {INTERFACE}",
        ),
    ],
)
def test_a_plugin_that_cannot_be_used_is_reported_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, reason: str
) -> None:
    install(tmp_path, monkeypatch, module)
    with pytest.raises(UsageError) as caught:
        plugin_of("parcel")
    assert f"the provider parcel of the package parcel-plugin 1.5 cannot be used: {reason}" in caught.value.message
    assert reason in refused("parcel").message


def test_two_packages_with_one_name_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        install(tmp_path / name, monkeypatch, GOOD, package=name)
    with pytest.raises(
        UsageError, match=r"the packages (first|second) 1\.5, (first|second) 1\.5 cannot be used: several"
    ):
        plugin_of("parcel")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("parcel_plugin:Nothing", "AttributeError"),
        ("no_such_package:Parcel", "ModuleNotFoundError"),
        ("parcel_plugin:check", "parcel_plugin:check is not a subclass of bulkup.plugins.Provider"),
        ("bulkup.providers.xvid.adapter:Xvid", "has the name 'xvid'"),
    ],
)
def test_a_wrong_class_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, reason: str) -> None:
    install(tmp_path, monkeypatch, GOOD.replace("parcel_plugin:Parcel", change))
    with pytest.raises(UsageError) as caught:
        create("parcel", ProviderConfig("https://parcel.example"))
    assert reason in caught.value.message


def test_an_unknown_provider_is_refused_with_a_suggestion() -> None:
    error = refused("s4")
    assert "did you mean s3?" in (error.hint or error.complaints[0].line)


def test_the_hint_names_installed_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "docs/plugins.md" in hint_for_unknown("parcel")
    install(tmp_path, monkeypatch, GOOD)
    assert hint_for_unknown("parcels").startswith("did you mean parcel?")
    assert "parcel" in refused("parcels").message


def test_the_hint_names_missing_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "the extra bulkup[s3] is not installed; it adds keys from the AWS configuration" in hint_for_unknown("s4")
