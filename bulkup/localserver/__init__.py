"""The embedded server: the APIs of all services and the store behind them, on one port, as strict as the real ones.

This package contains what a *service* does: issue tickets, sign URLs, verify uploads, keep objects, and fail on request
(`faults`). It contains nothing that a *client* does: no providers, retries, configuration files or command line. It is
written from docs/contracts.md and shares no code with the client, so that one mistake cannot hide in both.

    server.py              opens the store and listens; server_process.py runs it as a child process
    route_table.py         maps paths to the APIs and to the store
    local/                 the API of `--provider local`
    magic_hour/            Magic Hour
    move_ugc/              Move UGC, a GraphQL API; needs the extra `bulkup[server]`
    metastudio/            Huawei MetaStudio, its gateway and IAM
    xvid/                  Xvid MediaHub and its OAuth
    git_lfs/               Git LFS, one repository
    s3/                    the store: signatures, PUTs, form POSTs, objects
    faults.py              which request gets which fault
    server_config.py       settings; server_limits.py has limits and timeouts, extension_lists.py those of Magic Hour
    server_state.py        lock, signing key, counters; server_storage.py and record_log.py keep objects and records
    pruning.py             removes the objects of a store and their records, for `bulkup serve --prune`
    context.py             shared state of all request handlers; api_common.py has the parts that all APIs share
    allowed_methods.py     answers 405; timestamps.py and signed_tokens.py make values that the APIs hand out
    listener.py            host and port
    signing_types.py       keys and requests as plain values, for signatures
    openapi.json           the OpenAPI document of all routes

A successful PUT means that the whole file, with the right digest, is stored under its key, and survives the end of the
server's process. It is not forced to disk (fsync), because the store is for trials and for transfers near one machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup.helpers.lazy_import import lazy_attributes

if TYPE_CHECKING:
    from bulkup.localserver.faults import FaultOptions, FaultSpec, ReadPace
    from bulkup.localserver.server import LocalServer
    from bulkup.localserver.server_config import ServerConfig
    from bulkup.localserver.server_limits import ServerLimits
    from bulkup.localserver.server_process import ServerProcess

__all__ = ["FaultOptions", "FaultSpec", "LocalServer", "ReadPace", "ServerConfig", "ServerLimits", "ServerProcess"]

_HOMES = {
    "bulkup.localserver.faults": ("FaultOptions", "FaultSpec", "ReadPace"),
    "bulkup.localserver.server": ("LocalServer",),
    "bulkup.localserver.server_config": ("ServerConfig",),
    "bulkup.localserver.server_limits": ("ServerLimits",),
    "bulkup.localserver.server_process": ("ServerProcess",),
}

# Starting the server as a child process does not need the server's own modules, and most runs start none.
__getattr__ = lazy_attributes(__name__, _HOMES)
