"""Parcel passes bulkup's suite for providers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bulkup_parcel import PLUGIN
from parcel_service import TOKEN, parcel_service

from bulkup.testing import ProviderSuite, Service, Store


class TestParcel(ProviderSuite):
    """The tests are inherited."""

    provider = "parcel"

    @asynccontextmanager
    async def serve(self, store: Store) -> AsyncIterator[Service]:
        """Run the imitation."""
        async with parcel_service(store) as url:
            yield Service(url, {"token": TOKEN, "plugin": {"shelf": "left"}}, secrets=(TOKEN,))


def test_a_shelf_has_a_name() -> None:
    """The plug-in checks its own settings."""
    assert PLUGIN.check({}) == {"shelf": "inbox"}
    with pytest.raises(ValueError, match="shelf: expected the name"):
        PLUGIN.check({"shelf": 5})
    with pytest.raises(ValueError, match="unknown setting self"):
        PLUGIN.check({"self": "left"})
