"""Adapters, one module a service: what is asked, what is answered, and what an answer means.

Here belongs all that is known of one service's wire contract. Not here: sockets, retries, concurrency, files and the
journal. A provider is given plain values and a way to make one API call, and returns plain values.
"""

from __future__ import annotations

from bulkup.providers.base import Capabilities, FileSpec, NotYet, Provider, ProviderConfig
from bulkup.providers.local.adapter import Local
from bulkup.providers.magic_hour.adapter import MagicHour
from bulkup.providers.metastudio.adapter import MetaStudio
from bulkup.providers.move_ugc.adapter import MoveUgc
from bulkup.providers.xvid.adapter import Xvid

__all__ = ["PROVIDERS", "Capabilities", "FileSpec", "NotYet", "Provider", "ProviderConfig", "create", "is_registered"]

PROVIDERS: dict[str, type[Provider]] = {
    MagicHour.name: MagicHour,
    MoveUgc.name: MoveUgc,
    MetaStudio.name: MetaStudio,
    Xvid.name: Xvid,
    Local.name: Local,
}


def create(name: str, config: ProviderConfig) -> Provider:
    """Return the provider of that name. Raises KeyError for a name that the configuration should have refused."""
    return PROVIDERS[name](config)


def is_registered(provider: Provider) -> bool:
    """Say whether a provider is what its name stands for, so that another process can find its class by that."""
    return PROVIDERS.get(provider.name) is type(provider)
