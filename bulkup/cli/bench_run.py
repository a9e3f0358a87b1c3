"""Carry out a bench for the command line: log its trials, print its report, and save the created ids."""

from __future__ import annotations

import itertools
import os
import re
import shutil

import anyio

from bulkup.api.bench import Bench, BenchLoad, TrialPlan
from bulkup.api.composition import resolve_sources
from bulkup.cli.bench_folder import BenchFolder, remove_leftovers
from bulkup.cli.bench_manifest import BenchManifest, bench_manifest
from bulkup.cli.error_report import report_error
from bulkup.cli.output import closed_output_is_success, print_line
from bulkup.cli.output_console import output_console
from bulkup.cli.signals import Signals
from bulkup.config import ResolvedSettings, public_base_url
from bulkup.config.provider_declarations import LOCAL
from bulkup.errors import MachineError, UsageError
from bulkup.helpers import event_loop
from bulkup.helpers.event_logger import EventLogger
from bulkup.helpers.garbage_collector import reduce_gc_frequency
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.counters import Counters
from bulkup.model.files import Source
from bulkup.model.log_events import LogEvent
from bulkup.providers import Provider
from bulkup.reports.bench_report import BenchReport, CreatedIds, bench_json, bench_text, choice_text
from bulkup.reports.bench_trials import BenchFacts, Choice, Trial
from bulkup.reports.exit_code import exit_code
from bulkup.reports.formatting import percent_text, rate_text
from bulkup.reports.json_text import dumps
from bulkup.reports.logs import configure_logging

_PROGRESS = 10.0  # seconds
_ROOM = 2  # times the bytes of a trial: its files, and their copies in the store of an embedded server
# Hints of a run say that it can be resumed. A bench cannot.
_RESUME_HINT = re.compile(r"(run )?the same command\b.*")
_log = EventLogger("bulkup")


@dataclass(frozen=True, slots=True)
class BenchRequest:
    """A bench as the user confirmed it. With `explicit_source`, the source is from the command, not the profile."""

    given: ResolvedSettings
    provider: Provider
    plan: TrialPlan
    load: BenchLoad
    manifest: str | None
    explicit_source: bool


def run_bench(request: BenchRequest) -> int:
    """Measure, report and return the exit code. Raises BulkupError if the bench cannot start."""
    settings = request.given.settings
    # The bench reports trials and their failures itself.
    hidden = (LogEvent.RUN_STARTED, LogEvent.RUN_ENDED, LogEvent.FILE_NOT_UPLOADED, LogEvent.FILES_NOT_UPLOADED)
    configure_logging(settings.log_format, settings.log_level, hidden=hidden)
    for warning in request.given.warnings:
        _log.warning(LogEvent.SETTINGS_WARNING, text=warning)
    sources = _sources(request)
    _remove_leftovers()
    with BenchFolder() as folder, bench_manifest(request.manifest) as manifest:
        _check_room(folder.path, request.load)
        if manifest is not None:
            folder.will_write_to(manifest.reserved)
        bench = _bench(request, folder, sources, manifest)
        created = CreatedIds()
        try:
            event_loop.run(_measure, bench, settings.grace)
        finally:
            if manifest is not None:
                created = manifest.complete(folder.journal)
        return _report(request, bench, created)


def _remove_leftovers() -> None:
    for left in remove_leftovers():
        if left.kept is not None:
            _log.warning(LogEvent.BENCH_FOLDER_KEPT, folder=left.folder, reason=left.kept)
        else:
            ids = left.created.ids + left.created.unused
            _log.info(LogEvent.BENCH_FOLDER_REMOVED, folder=left.folder, ids=ids, manifest=left.created.manifest)


def _bench(
    request: BenchRequest, folder: BenchFolder, sources: tuple[Source, ...], manifest: BenchManifest | None
) -> Bench:
    settings, plan = request.given.settings, request.plan
    trials = itertools.count(1)

    def begins(choice: Choice) -> None:
        _log.info(LogEvent.BENCH_TRIAL_STARTED, trial=next(trials), most=plan.most_trials, settings=choice_text(choice))

    return Bench(
        settings,
        plan,
        request.load,
        folder.path,
        profile=request.given.profile,
        sources=sources,
        begins=begins,
        ends=_tell,
        settled=manifest.append if manifest is not None else lambda _: None,
    )


def _tell(trial: Trial) -> None:
    _log.info(
        LogEvent.BENCH_TRIAL_ENDED,
        files_per_second=round(trial.files_per_second, 1),
        throughput=rate_text(trial.bytes_per_second),
    )


async def _measure(bench: Bench, grace: float) -> None:
    reduce_gc_frequency()
    with Signals(None, grace) as signals:
        signals.on_first = bench.stop
        async with anyio.create_task_group() as beside:
            beside.start_soon(_progress, bench)
            await bench.run()
            beside.cancel_scope.cancel()


async def _progress(bench: Bench) -> None:
    """Log the progress of a long trial every 10 seconds."""
    while True:
        await anyio.sleep(_PROGRESS)
        if (gauge := bench.gauge) is not None and (found := gauge.counters.found):
            _log.info(LogEvent.BENCH_TRIAL_PROGRESS, share=percent_text(gauge.counters.settled / found))


def _report(request: BenchRequest, bench: Bench, created: CreatedIds) -> int:
    code = exit_code(Counters(), reasons=bench.codes)
    if bench.error is not None:
        bench.error.hint = _RESUME_HINT.sub("run it again", bench.error.hint)
        report_error(bench.error, as_json=bool(request.given.settings.json_output))
        if not bench.trials and not created.ids:
            return code
    report = _assembled(request, bench, created, code)
    if request.given.settings.json_output:
        return print_line(dumps(bench_json(report)).decode()) or code
    with closed_output_is_success():
        console = output_console()
        for part in bench_text(report):
            console.print(part)
    return code


def _assembled(request: BenchRequest, bench: Bench, created: CreatedIds, code: int) -> BenchReport:
    settings, plan = request.given.settings, request.plan
    return BenchReport(
        provider=request.provider.name,
        base_url=public_base_url(settings),
        files=request.load.files,
        sizes=request.load.sizes,
        trials=tuple(bench.trials),
        facts=BenchFacts(
            current=plan.current,
            batch_limit=plan.batch_limit,
            cores=_cores(),
            rate_limit=plan.rate_limit,
            disk=bench.disk,
            embedded=settings.provider == LOCAL,
        ),
        created=created,
        exit_code=code,
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _sources(request: BenchRequest) -> tuple[Source, ...]:
    """Return the sources whose disk is measured. Missing sources of a profile are only a warning."""
    settings = request.given.settings
    if not settings.source:
        return ()
    try:
        return resolve_sources(settings)
    except UsageError as error:
        if request.explicit_source:
            raise
        _log.warning(LogEvent.BENCH_DISK_SKIPPED, reason=error.message)
        return ()


def _check_room(folder: str, load: BenchLoad) -> None:
    needs = _ROOM * load.bytes
    if shutil.disk_usage(folder).free < needs:
        raise MachineError(
            f"the temporary folder {folder} has no room for {needs:,} bytes", hint="set TMPDIR, or give fewer --files"
        )
