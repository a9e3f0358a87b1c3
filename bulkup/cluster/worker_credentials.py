"""The credentials of a session: the coordinator has sent them, or the worker fetches them itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bulkup.cluster.session_setup import SessionSetup
from bulkup.errors import UsageError
from bulkup.helpers.secrets import Secret

_WHERE = 'cluster_credentials = "workers": it is looked for on the worker, in the environment that it was started with'


async def credentials_of(setup: SessionSetup, environ: Mapping[str, str]) -> dict[str, Secret]:
    """Return the credentials by setting. Raises `UsageError` that names the missing credentials.

    Files are read and commands run in a thread. All together take less time than the coordinator waits.
    """
    credentials = dict(setup.credentials)
    seconds = setup.cluster.silence / (len(setup.references) + 1)
    for name, source in setup.references.items():
        try:
            credentials[name] = await asyncio.to_thread(source.resolve, environ, command_timeout=seconds)
        except UsageError as error:
            hint = "; ".join(filter(None, [error.hint, _WHERE]))
            raise UsageError(error.message, hint=hint) from error
    return credentials
