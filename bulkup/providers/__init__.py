"""Adapters, one folder per service: they compose API calls, parse answers and interpret errors.

    base             the interface of an adapter, and defaults that most services share
    answer_parsing   checks and reads API answers: statuses, JSON, upload URLs and their leases
    storage_answers  the meaning of storage's answers
    error_documents  documents of errors and web pages in the body of storage's answers
    tokens           bearer tokens, configured or fetched
    bearer_header    the header with a token

    local, magic_hour, metastudio, move_ugc, xvid    the services

Everything that is known of a service's wire contract belongs here. Sockets, retries, concurrency, files and the journal
do not. A provider receives plain values and a function that makes one API call, and returns plain values.
"""

from __future__ import annotations

from bulkup.providers.base import Capabilities, FileSpec, NotYet, Provider, ProviderConfig
from bulkup.providers.local.adapter import Local
from bulkup.providers.magic_hour.adapter import MagicHour
from bulkup.providers.metastudio.adapter import MetaStudio
from bulkup.providers.move_ugc.adapter import MoveUgc
from bulkup.providers.xvid.adapter import Xvid

__all__ = [
    "PROVIDER_CLASSES",
    "Capabilities",
    "FileSpec",
    "NotYet",
    "Provider",
    "ProviderConfig",
    "create",
    "is_registered",
]

PROVIDER_CLASSES: dict[str, type[Provider]] = {
    MagicHour.name: MagicHour,
    MoveUgc.name: MoveUgc,
    MetaStudio.name: MetaStudio,
    Xvid.name: Xvid,
    Local.name: Local,
}


def create(name: str, config: ProviderConfig) -> Provider:
    """Return the provider of that name. Raises KeyError for an unknown one; the configuration refuses those earlier."""
    return PROVIDER_CLASSES[name](config)


def is_registered(provider: Provider) -> bool:
    """Return whether the class of a provider is registered under its name, so that another process can find it."""
    return PROVIDER_CLASSES.get(provider.name) is type(provider)
