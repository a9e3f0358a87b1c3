"""Tests for providers of other packages: a store to upload to, and the conformance suite (docs/plugins.md).

    store  the embedded server's store, which signs upload URLs for the imitation of a service
    suite  whole runs of a provider against such an imitation

The suite needs pytest, which the package of the provider installs. Like `bulkup.plugins`, this package keeps its names
and their meaning as long as the version of the interface stays the same.
"""

from bulkup.testing.store import Store
from bulkup.testing.suite import ProviderSuite, Service

__all__ = ["ProviderSuite", "Service", "Store"]
