"""Providers of other packages, found by the entry point group `bulkup.providers` (docs/plugins.md).

A package names a `ProviderPlugin` there, under the name of its provider. Packages are searched only when a provider is
named that is not built in, or when all providers are listed: the search reads the metadata of every installed package.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS, Extra, ProviderDeclaration
from bulkup.config.suggestions import nearest
from bulkup.errors import UsageError
from bulkup.helpers.quick_dataclass import dataclass

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "bulkup.providers"
INTERFACE = 1
_SIMILAR = 0.5  # names of two letters that share one are similar
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")  # as of the providers that are built in


def _no_table(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a plug-in that has none of its own."""
    if table:
        raise ValueError("this provider has no settings of its own")
    return table


@dataclass(frozen=True, slots=True)
class ProviderPlugin:
    """A provider of another package.

    `declaration` has its address, credentials and settings. `provider` is the place of its class, a subclass of
    `bulkup.providers.Provider`, as "package.module:Class"; it is imported when a run starts. `check` returns the
    checked values of the table `[profiles.NAME.plugin]`, which the provider finds in `config.settings["plugin"]`. It
    raises ValueError for a table that it does not accept. `interface` is the version of the interface that the provider
    was written for.
    """

    declaration: ProviderDeclaration
    provider: str
    check: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _no_table
    interface: int = INTERFACE


@functools.cache
def installed_plugins() -> Mapping[str, Sequence[EntryPoint]]:
    """Return the entry points of all plug-ins, by the name of the provider.

    Names of providers that are built in, and names that no profile could write, are left out.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415  # it takes longer than the rest of this module

    found: dict[str, list[EntryPoint]] = {}
    for one in entry_points(group=GROUP):
        if one.name not in PROVIDER_DECLARATIONS and _NAME.fullmatch(one.name):
            found.setdefault(one.name, []).append(one)
    return found


@functools.cache
def plugin_of(name: str) -> ProviderPlugin:
    """Return the plug-in with the provider of that name. Raises UsageError if it cannot be used."""
    entry, *others = installed_plugins()[name]
    if others:
        raise unusable(name, "several packages have a provider of this name")
    try:
        plugin = entry.load()
    except Exception as error:
        raise unusable(name, f"{type(error).__name__}: {error}") from error
    if not isinstance(plugin, ProviderPlugin):
        raise unusable(name, f"{entry.value} is not a ProviderPlugin")
    if plugin.interface != INTERFACE:
        raise unusable(name, f"it is written for version {plugin.interface} of the interface, and this is {INTERFACE}")
    return plugin


def unusable(name: str, reason: str) -> UsageError:
    """Return the error for an installed provider that cannot be used."""
    message = f"the provider {name} of {package_of(name)} cannot be used: {reason}"
    return UsageError(message, hint="upgrade or remove the package")


def package_of(name: str) -> str:
    """Return the package that an installed provider belongs to, with its version; all of them if there are several."""
    packages = [f"{one.dist.name} {one.dist.version}" for one in installed_plugins()[name] if one.dist is not None]
    return f"the package {packages[0]}" if len(packages) == 1 else f"the packages {', '.join(packages)}"


def is_provider(name: str) -> bool:
    """Return whether a provider of that name is built in or installed."""
    return name in PROVIDER_DECLARATIONS or name in installed_plugins()


def declaration_of(name: str) -> ProviderDeclaration:
    """Return the declaration of a provider. Raises UsageError if it is a plug-in's and cannot be used."""
    declared = PROVIDER_DECLARATIONS.get(name)
    return plugin_of(name).declaration if declared is None else declared


def provider_names() -> tuple[str, ...]:
    """Return the names of all providers, those that are built in first."""
    return (*PROVIDER_DECLARATIONS, *sorted(installed_plugins()))


def missing_extra(name: str) -> Extra | None:
    """Return the extra that adds something to a provider of bulkup and is not installed."""
    from importlib.util import find_spec  # noqa: PLC0415  # most commands do not ask

    extra = PROVIDER_DECLARATIONS[name].extra
    return extra if extra is not None and find_spec(extra.module) is None else None


def hint_for_unknown(name: str) -> str:
    """Return the hint for a user who named a provider that does not exist."""
    near = nearest(name, provider_names(), cutoff=_SIMILAR)
    parts = [f"did you mean {near}?"] if near is not None else []
    parts += [
        f"the extra bulkup[{extra.name}] is not installed; it adds {extra.adds} to {provider}"
        for provider in PROVIDER_DECLARATIONS
        if (extra := missing_extra(provider)) is not None
    ]
    if not installed_plugins():
        parts.append("no other package with providers is installed (docs/plugins.md)")
    return "; ".join(parts)


def checked_table(name: str, table: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the settings that a provider has of its own. Raises UsageError if it does not accept them."""
    check = _no_table if name in PROVIDER_DECLARATIONS else plugin_of(name).check
    try:
        return check(table or {})
    except ValueError as error:
        raise UsageError(f"plugin: {error}", hint=f"see the documentation of the provider {name}") from error
