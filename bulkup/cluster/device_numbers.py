"""The numbers of devices on a worker and on the coordinator: one network file system has another on each machine. Pure.

A file's identity has the number of its device. The journal has the coordinator's, and a worker compares with its own.
"""

from __future__ import annotations

from bulkup.model.files import Identity
from bulkup.model.tickets import Receipt


class DeviceNumbers:
    """Translates identities. Devices that were not learned have the same number on both machines."""

    def __init__(self) -> None:
        self._here: dict[int, int] = {}
        self._there: dict[int, int] = {}

    def learn(self, there: int, here: int) -> None:
        """Note the numbers that a device has for the coordinator, `there`, and on this worker."""
        if there != here:
            self._here[there], self._there[here] = here, there

    def here(self, identity: Identity) -> Identity:
        """Return an identity of the coordinator as this worker sees it."""
        device = self._here.get(identity.device)
        return identity if device is None else identity._replace(device=device)

    def there(self, identity: Identity) -> Identity:
        """Return an identity of this worker as the coordinator sees it."""
        device = self._there.get(identity.device)
        return identity if device is None else identity._replace(device=device)

    def receipt_there(self, receipt: Receipt) -> Receipt:
        """Return a receipt with the identity as the coordinator sees it."""
        return receipt._replace(identity=self.there(receipt.identity)) if self._there else receipt
