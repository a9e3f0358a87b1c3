"""`bulkup serve`: run the embedded server as a separate command."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Annotated

import anyio
import typer

from bulkup.helpers import event_loop
from bulkup.localserver import FaultSpec, LocalServer, ServerConfig
from bulkup.localserver.pruning import prune_store
from bulkup.reports.formatting import size_text
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable

_STDIN = 0
_DEFAULT = ServerConfig(store="")
_FAULTS = (
    "Inject a fault: NAME[=SHARE][,first=N], e.g. expired-url=0.05. Names: expired-url, retry-later, "
    "status-503, cut-body, slow-body, wrong-etag, short-answer, unauthorized. May be repeated."
)

Store = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Keep objects in DIR/objects, keys and counters in DIR/state.",
        show_default="that of --provider local",
    ),
]
Host = Annotated[str, typer.Option(help="Address to listen on; if it is not loopback, other machines can connect.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 chooses a free one.")]
Token = Annotated[str, typer.Option(help="Token for all APIs except Move's.")]
ApiKey = Annotated[str, typer.Option(help="Key for the Move API, 12 characters or more.")]
AccessKey = Annotated[str, typer.Option(help="Access key id of MetaStudio's signed calls.")]
SecretKey = Annotated[str, typer.Option(help="Secret key of MetaStudio's signed calls.")]
ProjectId = Annotated[str, typer.Option(help="Project id of MetaStudio's calls.")]
SecurityToken = Annotated[str, typer.Option(help="Security token that makes the access key a temporary one.")]
IamDomain = Annotated[str, typer.Option(help="Account name of the user that gets tokens from IAM.")]
IamUser = Annotated[str, typer.Option(help="Name of the user that gets tokens from IAM.")]
IamPassword = Annotated[str, typer.Option(help="Password of the user that gets tokens from IAM.")]
ClientId = Annotated[str, typer.Option(help="Client id that gets tokens from Xvid's OAuth.")]
ClientSecret = Annotated[str, typer.Option(help="Client secret that gets tokens from Xvid's OAuth.")]
UrlTtl = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Lifetime of upload URLs and forms.", show_default="each service's own"),
]
MagicHourExtensions = Annotated[
    str,
    typer.Option(metavar="LIST", help="Extensions that Magic Hour accepts: all, sdk-page, api-reference or latest."),
]
Tls = Annotated[tuple[str, str] | None, typer.Option(metavar="CERT KEY", help="Serve https with these PEM files.")]
Fault = Annotated[list[str] | None, typer.Option(metavar="FAULT", help=_FAULTS)]
Seed = Annotated[int, typer.Option(help="Random seed of the faults: the same seed causes the same faults.")]
Prune = Annotated[bool, typer.Option("--prune", help="Remove all objects and records of the store, and end.")]
UntilStdinCloses = Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)]
PreferLastPort = Annotated[bool, typer.Option("--prefer-last-port", hidden=True)]


def serve(
    store: Store = None,
    host: Host = _DEFAULT.host,
    port: Port = _DEFAULT.port,
    token: Token = _DEFAULT.token,
    api_key: ApiKey = _DEFAULT.api_key,
    access_key: AccessKey = _DEFAULT.access_key,
    secret_key: SecretKey = _DEFAULT.secret_key,
    project_id: ProjectId = _DEFAULT.project_id,
    security_token: SecurityToken = _DEFAULT.security_token,
    iam_domain: IamDomain = _DEFAULT.iam_domain,
    iam_user: IamUser = _DEFAULT.iam_user,
    iam_password: IamPassword = _DEFAULT.iam_password,
    client_id: ClientId = _DEFAULT.client_id,
    client_secret: ClientSecret = _DEFAULT.client_secret,
    url_ttl: UrlTtl = None,
    magic_hour_extensions: MagicHourExtensions = _DEFAULT.magic_hour_extensions,
    tls: Tls = None,
    fault: Fault = None,
    seed: Seed = _DEFAULT.seed,
    prune: Prune = False,
    until_stdin_closes: UntilStdinCloses = False,
    prefer_last_port: PreferLastPort = False,
) -> None:
    """Run a server with the APIs and the storage of all services, for tests, trials and demonstrations.

    Prints one JSON line when it listens, and shuts down cleanly on SIGINT or SIGTERM.
    """
    folder = _default_store() if store is None else os.path.abspath(store)
    if prune:
        done = event_loop.run(prune_store, folder)
        typer.echo(f"removed {done.objects:,} objects ({size_text(done.size)}) from {printable(folder)}")
        typer.echo("runs count them as uploaded still; to upload them again, name another --journal")
        return
    config = ServerConfig(
        store=folder,
        host=host,
        port=port,
        token=token,
        api_key=api_key,
        access_key=access_key,
        secret_key=secret_key,
        project_id=project_id,
        security_token=security_token,
        iam_domain=iam_domain,
        iam_user=iam_user,
        iam_password=iam_password,
        client_id=client_id,
        client_secret=client_secret,
        url_ttl=url_ttl,
        magic_hour_extensions=magic_hour_extensions,
        tls=tls,
        faults=tuple(FaultSpec.parse(text) for text in fault or ()),
        seed=seed,
        prefer_last_port=prefer_last_port,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    event_loop.run(_serve, config, until_stdin_closes)


def _default_store() -> str:
    from bulkup.config import Settings, store_path  # noqa: PLC0415  # a server that a run starts is given its store

    return store_path(Settings(), (), os.environ)


async def _serve(config: ServerConfig, until_stdin_closes: bool) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with LocalServer(config) as server:
            _announce(server, config)
            async with anyio.create_task_group() as group:
                if until_stdin_closes:
                    group.start_soon(_wait_for_stdin, group.cancel_scope)
                async for _ in signals:
                    group.cancel_scope.cancel()


def _announce(server: LocalServer, config: ServerConfig) -> None:
    line = {"event": "listening", "url": server.url, "store": config.store, "pid": os.getpid()}
    sys.stdout.write(dumps(line).decode() + "\n")
    sys.stdout.flush()


async def _wait_for_stdin(scope: anyio.CancelScope) -> None:
    """Stop the server when the other end of standard input is closed."""
    await anyio.wait_readable(_STDIN)
    while os.read(_STDIN, 4096):
        await anyio.wait_readable(_STDIN)
    scope.cancel()
