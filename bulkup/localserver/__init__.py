"""The embedded server: every service's API and the store behind it, on one port, strict as the real ones.

Here belongs what a *service* does: hand out tickets, sign URLs, verify what arrives, keep objects, and misbehave on
request (`faults`). Not here: anything a *client* does - providers, retries, configuration files, the command line. The
wire contracts are those of docs/contracts.md; client and server share no code, so that one cannot excuse the other.

    server.py -- routes.py --> magic_hour.py, move_ugc.py, metastudio/, xvid/, local_api.py   (tickets)
       |                       store.py: puts.py, forms.py                                    (bytes)
       |- openapi.json          what all of these answer, as a document; methods.py refuses the methods they do not have
       |- state.py             signatures.py, form_policy.py, multipart.py, faults.py, keys.py (pure decisions)
       `- storage.py: objects.py, parts.py, records.py

A finished PUT is a whole file with the right digest under its key, and survives the end of the server's process. It is
not forced to disk one by one: this store is for trying things out and for moving files within a machine's reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup.helpers.lazy_import import lazy_attributes
from bulkup.localserver.faults import FaultSpec
from bulkup.localserver.server_config import ServerConfig
from bulkup.localserver.server_process import ServerProcess

if TYPE_CHECKING:
    from bulkup.localserver.server import LocalServer

__all__ = ["FaultSpec", "LocalServer", "ServerConfig", "ServerProcess"]

# Who starts it as a process needs neither the server itself nor GraphQL.
__getattr__ = lazy_attributes(__name__, {"bulkup.localserver.server": ("LocalServer",)})
