"""`bulkup verify`: compare uploaded files with the disk, and with the objects at the service."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer

from bulkup.cli.journal_choice import ChosenJournal, choose_journal, options_of
from bulkup.cli.journal_commands.command_parameters import Sources
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.setting_options import setting_options
from bulkup.cli.shared_options import Config, Json, Profile, ShardOfRun
from bulkup.config.catalogue import settings_in
from bulkup.config.declaration import Panel
from bulkup.errors import UsageError
from bulkup.helpers.clock import SystemClock
from bulkup.helpers.garbage_collector import reduce_gc_frequency
from bulkup.journal import Reader
from bulkup.model.verify_results import VerifiedFile, VerifyCounts
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable_path
from bulkup.reports.verify_report import verified_line, verified_object, verify_exit_code, verify_object, verify_text

if TYPE_CHECKING:
    from bulkup.api.verify.upload_check import Emit, VerifyOptions

Local = Annotated[bool, typer.Option("--local", help="Compare with the disk alone, and make no calls.")]
Rehash = Annotated[bool, typer.Option("--rehash", help="Read every file on disk, and compare its checksum.")]
Deep = Annotated[bool, typer.Option("--deep", help="Read every upload back from the service, and compare its bytes.")]


@closed_output_is_success()
@setting_options(*settings_in(Panel.RUN, Panel.SERVICES), before="local")
def verify(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    shard: ShardOfRun = None,
    json: Json = None,
    local: Local = False,
    rehash: Rehash = False,
    deep: Deep = False,
    **options: Any,
) -> None:
    """Compare uploaded files with the disk and, where the service can tell, with its objects.

    Size, modification time, inode, device and change time are compared with the journal. The services move-ugc, s3,
    git-lfs and local are asked for each upload. Nothing is written.

    Exit codes:
    0 everything is as it was uploaded
    1 an upload is missing or different at the service, or a file is damaged on disk
    2 wrong usage or configuration
    3 files were changed, deleted or became unreadable since their upload
    4 the service refused, or cannot be used

    Examples:
    bulkup verify --profile nightly --local
    bulkup verify --profile nightly --deep --json
    """
    if local and deep:
        raise UsageError("--deep reads uploads back from the service, and --local makes no calls")
    named = [options.pop(name, None) for name in ("provider", "source_id", "journal")]
    chosen = choose_journal(source, profile, config, *named, shard=shard, **options)
    counts, notes = _verified(chosen, rehash=rehash, deep=deep, local=local, emit=_emitter(json=bool(json)))
    with Reader(chosen.path) as reader:
        selector = options_of(chosen, next(reader.runs(), None))
        notes += [_not_there(one.root) for one in reader.sources() if not os.path.isdir(one.root)]
    if json:
        typer.echo(dumps(verify_object(counts, notes)))
    else:
        for line in verify_text(counts, notes, selector):
            typer.echo(line)
    sys.exit(verify_exit_code(counts))


def _not_there(root: bytes) -> str:
    return f"the source {printable_path(root)} is not there; is it mounted?"


def _verified(
    chosen: ChosenJournal, *, rehash: bool, deep: bool, local: bool, emit: Emit
) -> tuple[VerifyCounts, list[str]]:
    """Compare, and return the figures with notes about files that could not be compared."""
    from bulkup.api.verify.upload_check import UploadCheck, VerifyOptions  # noqa: PLC0415  # only this command

    options = VerifyOptions(rehash=rehash, deep=deep)
    reduce_gc_frequency()
    note = "" if local else _why_not_asked(chosen)
    if note and deep:
        raise UsageError(f"--deep: {note}")
    if (local or note) and not rehash:
        from bulkup.api.verify.comparing_processes import compare_with_disk  # noqa: PLC0415  # only then
        from bulkup.pipeline.tuning.cores import usable_cores  # noqa: PLC0415  # the same

        return compare_with_disk(chosen.path, options, emit, usable_cores()), [note] if note else []
    with Reader(chosen.path) as reader:
        if local or note:
            return anyio.run(UploadCheck(reader, options).run, emit), [note] if note else []
        try:
            return anyio.run(_with_service, chosen, reader, options, emit), []
        except BaseExceptionGroup as group:
            if group.subgroup(BrokenPipeError) is not None:
                raise BrokenPipeError from None
            raise


def _why_not_asked(chosen: ChosenJournal) -> str:
    """Return why the service is not asked, empty if it is."""
    settings = chosen.resolved.settings
    if settings.provider is None:
        return "the service was not asked, because no provider is chosen; give --profile, or --provider"
    from bulkup.api.verify.store_access import tells_stored  # noqa: PLC0415  # it imports the API's client

    return "" if tells_stored(settings) else f"{settings.provider} cannot tell what it has, so it was not asked"


async def _with_service(chosen: ChosenJournal, reader: Reader, options: VerifyOptions, emit: Emit) -> VerifyCounts:
    from bulkup.api.verify.store_access import open_store  # noqa: PLC0415  # it imports the API's client
    from bulkup.api.verify.store_comparison import StoreComparison  # noqa: PLC0415  # the same
    from bulkup.api.verify.upload_check import UploadCheck  # noqa: PLC0415  # the same

    resolved, clock = chosen.resolved, SystemClock()
    async with open_store(resolved.settings, resolved.profile, None, clock) as access:
        can = access.provider.capabilities
        if options.deep and not (can.downloads or can.reads_back):
            raise UsageError(f"--deep: {access.provider.name} returns no uploads")
        store = StoreComparison(access, clock.now())
        return await UploadCheck(reader, options, store, access.destination).run(emit)


def _emitter(*, json: bool) -> Emit:
    def emit(files: Sequence[VerifiedFile]) -> None:
        for file in files:
            typer.echo(dumps(verified_object(file)) if json else verified_line(file))

    return emit
