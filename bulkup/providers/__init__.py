"""Adapters, one folder per service: they compose API calls, parse answers and interpret errors.

    base             the interface of an adapter, and defaults that most services share
    answer_parsing   checks and reads API answers: statuses, JSON, upload URLs and their leases
    url_reader       reads the upload URLs of one answer, and what they have in common once
    storage_answers  the meaning of storage's answers
    error_documents  documents of errors and web pages in the body of storage's answers
    tokens           bearer tokens, configured or fetched
    client_credentials  tokens for OAuth client credentials
    bearer_header    the header with a token; basic_header has that with a user and a password
    key_template     object keys at services that let the client name its objects

    git_lfs, http, local, magic_hour, metastudio, move_ugc, s3, xvid    the services
    urls                                                              a list of URLs in place of a service

Everything that is known of a service's wire contract belongs here. Sockets, retries, concurrency, files and the journal
do not. A provider receives plain values and a function that makes one API call, and returns plain values.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping

from bulkup.config.provider_plugins import installed_plugins, plugin_of, unusable
from bulkup.providers.base import Capabilities, FileSpec, NotYet, PartSpec, Provider, ProviderConfig, TicketAnswer

__all__ = [
    "PROVIDER_CLASSES",
    "Capabilities",
    "FileSpec",
    "NotYet",
    "PartSpec",
    "Provider",
    "ProviderConfig",
    "TicketAnswer",
    "create",
    "is_registered",
]


class _ProviderClasses(MutableMapping[str, type[Provider]]):
    """Classes by the name of the provider. A class is imported when it is first used: a process uses one of them."""

    def __init__(self, places: dict[str, str | type[Provider]]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> type[Provider]:
        place = self._places.get(name)
        if place is None:
            return _plugin_class(name)
        if isinstance(place, str):
            module, _, attribute = place.partition(":")
            place = self._places[name] = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        return place

    def __setitem__(self, name: str, kind: type[Provider]) -> None:
        self._places[name] = kind

    def __delitem__(self, name: str) -> None:
        del self._places[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


PROVIDER_CLASSES = _ProviderClasses(
    {
        "magic-hour": "magic_hour.adapter:MagicHour",
        "move-ugc": "move_ugc.adapter:MoveUgc",
        "metastudio": "metastudio.adapter:MetaStudio",
        "xvid": "xvid.adapter:Xvid",
        "git-lfs": "git_lfs.adapter:GitLfs",
        "s3": "s3.adapter:S3",
        "urls": "urls.adapter:Urls",
        "http": "http.adapter:DescribedService",
        "local": "local.adapter:Local",
    }
)


def _plugin_class(name: str) -> type[Provider]:
    """Return the class of another package's provider. Raises KeyError if there is none, UsageError for a bad one."""
    if name not in installed_plugins():
        raise KeyError(name)
    place = plugin_of(name).provider
    module, _, attribute = place.partition(":")
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise unusable(name, f"{place}: {type(error).__name__}: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, Provider)):
        raise unusable(name, f"{place} is not a subclass of bulkup.plugins.Provider")
    if kind.name != name:
        raise unusable(name, f"the class {place} has the name {kind.name!r}")
    return kind


def create(name: str, config: ProviderConfig) -> Provider:
    """Return the provider of that name. Raises KeyError for an unknown one; the configuration refuses those earlier."""
    return PROVIDER_CLASSES[name](config)


def is_registered(provider: Provider) -> bool:
    """Return whether the class of a provider is registered under its name, so that another process can find it."""
    return PROVIDER_CLASSES.get(provider.name) is type(provider)
