"""One run from its settings to its summary."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectSendStream

from bulkup.api import composition, run_log
from bulkup.api.run_sampler import RunSampler
from bulkup.api.run_summary import Summary
from bulkup.api.settings_of_run import shown_settings
from bulkup.config import (
    Settings,
    claimed_journal,
    credential_references,
    journal_path,
    require_credentials,
    require_provider,
    require_same_shards,
    source_id_path,
    with_region,
    workers_fetch_credentials,
)
from bulkup.errors import BulkupError, ExitCode, JournalError, JournalLockedError, UsageError
from bulkup.helpers.clock import Clock, SystemClock, local_clock
from bulkup.helpers.event_logger import EventLogger, log_fields
from bulkup.helpers.secrets import Secret
from bulkup.helpers.standard_streams import open_missing_streams
from bulkup.journal import Destination, FullDiskError, Journal, Lock, link_journal
from bulkup.model.counters import Counters, Gauge
from bulkup.model.files import Source
from bulkup.model.http import ApiCall
from bulkup.model.items import Result
from bulkup.model.log_events import LogEvent
from bulkup.model.progress import Progress
from bulkup.pipeline import Pipeline, Run, Tunables
from bulkup.providers import Provider
from bulkup.reports.exit_code import exit_code
from bulkup.reports.progress_rate import ProgressMeter
from bulkup.transport import Transport, TransportOptions
from bulkup.transport.clock_skew import ClockSkewCheck, ServiceClock
from bulkup.transport.rate_limit import RateLimitedCall
from bulkup.transport.timed_calls import TimedCall

if TYPE_CHECKING:
    from bulkup.api.bandwidth_schedule import BandwidthSchedule
    from bulkup.api.cluster_run import ClusterAccess
    from bulkup.cluster.coordinator import ClusterPipeline
    from bulkup.config.timetable import Timetable
    from bulkup.journal.unfinished_paths import UnfinishedPaths
    from bulkup.pipeline.options import DisposalOptions

_log = EventLogger("bulkup")

Emit = Callable[[Sequence[Result]], Awaitable[None]]
_RESULTS_AHEAD = 1024
_LONGEST_SLEEP = 15.0  # seconds; a clock that is set, or a machine that was suspended, is noticed after that


class JournalHold:
    """Keeps the lock of a journal over several runs. The first one takes it; `release` gives it up."""

    def __init__(self) -> None:
        self.lock: Lock | None = None

    def release(self) -> None:
        """Release the lock, if a run has taken it."""
        if self.lock is not None:
            self.lock.release()
            self.lock = None


class PartOfWatch(NamedTuple):
    """What makes a run one of the runs of a watch.

    `hold` keeps the lock for later runs. `too_new` is called, in a thread, with source and path of files that `min_age`
    leaves out. With `paths`, the sources are not walked: by the real path of a source, these are the files to look at,
    and directories with all that is in them.
    """

    hold: JournalHold
    too_new: Callable[[bytes, bytes], None]
    paths: Mapping[bytes, Sequence[bytes]] | None = None


class LiveLimits(NamedTuple):
    """The limits of a run that can be changed. `bwlimit` is a rate or a timetable, None without a limit.

    `bytes_per_second` is its rate at present.
    """

    concurrency: int | Literal["auto"]
    bwlimit: str | None
    bytes_per_second: float | None


class Uploader:
    """A run as an object, to be used as an async context manager and once.

        async with Uploader(Settings(source=("media",), provider="local")) as uploader:
            async for result in uploader.results():
                print(result.path, result.status, result.remote_id)
        print(uploader.summary.exit_code)

    Entering checks everything, takes the lock and opens the journal. It raises a `BulkupError` if something is wrong,
    and then nothing was started. Leaving before the end interrupts the run, and the next run resumes. `environ`
    supplies secrets given as `env:NAME`, by default from the process's environment. `config_file` is the file that the
    profile is in: two files with a profile of one name have two journals. `transport` creates the object that
    carries out requests: `bulkup bench` passes one that measures them. `tunables` replaces constants that no setting
    changes, for tests. With `retry`, the sources are not walked: the files are those that the journal has as not
    uploaded, with the setting `retry_rejected` also rejected ones. `watch` makes it one of the runs of a watch.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        profile: str | None = None,
        config_file: str | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        transport: Callable[[TransportOptions, Clock], Transport] = Transport,
        tunables: Tunables | None = None,
        retry: bool = False,
        cluster: ClusterAccess | None = None,
        watch: PartOfWatch | None = None,
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._retry = retry
        self._watch = watch
        self._profile = profile
        self._config_file = config_file
        self._environ = os.environ if environ is None else environ
        self._clock = clock or SystemClock()
        self._service_clock = ServiceClock(self._clock)
        self._make_transport = transport
        self._tunables = tunables or Tunables()
        self._stack = contextlib.AsyncExitStack()
        self._tasks: TaskGroup
        self._lock: Lock
        self._run: Run
        self._pipeline: Pipeline | ClusterPipeline
        self._bandwidth: BandwidthSchedule | None = None
        self._timetable: Timetable | None = None
        self._follows_bandwidth = False
        self._meter: ProgressMeter
        self._sampler: RunSampler
        self._started = 0.0
        self._ended: float | None = None
        self._until: float | None = None
        self._summary: Summary | None = None

    async def __aenter__(self) -> Self:
        open_missing_streams()
        if self._settings.until is not None:  # before the run may have to wait for another one
            from bulkup.config.local_time import next_time  # noqa: PLC0415  # most runs have no such limit

            self._until = next_time(self._settings.until, self._clock.now(), local_clock)
        async with contextlib.AsyncExitStack() as stack:
            await self._set_up(stack)
            self._tasks = await stack.enter_async_context(anyio.create_task_group())
            self._tasks.start_soon(self._sampler.work)
            if self._settings.max_duration is not None:
                self._tasks.start_soon(self._stop_in_time, self._started + self._settings.max_duration)
            if self._until is not None:
                self._tasks.start_soon(self._stop_at, self._until)
            if self._settings.bwlimit is not None:
                self._follow_bandwidth(self._settings.bwlimit)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        with log_fields(run=self.run_id):
            try:
                return await self._stack.__aexit__(kind, error, trace)
            except BaseExceptionGroup as group:
                # The task group wraps every exception. The caller's own exception is passed on unwrapped.
                if error is not None and group.exceptions == (error,):
                    return False
                raise
            finally:
                if self._summary is not None:
                    run_log.log_end(self._summary, self._run.warnings)

    @property
    def gauge(self) -> Gauge:
        """The figures of the run as they grow."""
        return self._pipeline.gauge

    def progress(self) -> Progress:
        """Return the progress of the run at this moment, after its end that of the end. It may be called at any rate.

        Each call takes a fraction of a millisecond.
        """
        return self._meter.sample(self._clock.monotonic() if self._ended is None else self._ended)

    @property
    def journal(self) -> str:
        """The path of the journal."""
        return self._run.journal.path

    @property
    def run_id(self) -> str:
        """The id of the run in journal, log and summary."""
        return self._run.journal.run

    @property
    def summary(self) -> Summary:
        """The summary of the run. Raises RuntimeError before its end."""
        if self._summary is None:
            raise RuntimeError("the run has not ended yet")
        return self._summary

    def stop(self, code: ExitCode = ExitCode.SIGINT) -> None:
        """End the run early. Files in flight may finish within the setting `grace`; the next run sends the others.

        With `ExitCode.TIME_UP` files in flight have no time limit, until `stop` is called again with another code.
        """
        self._run.stop.request(code)

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self._settings

    @property
    def limits(self) -> LiveLimits:
        """The limits that can be changed during the run, as they are now."""
        return LiveLimits(
            concurrency="auto" if self._pipeline.worker_tasks.adaptive else self._run.worker_limit.asked,
            bwlimit=None if self._timetable is None else str(self._timetable),
            bytes_per_second=self._run.throttle.rate,
        )

    def pause(self) -> None:
        """Begin no further attempt and no API call. Those under way end. A paused run ends only by `stop` or a limit.

        URLs that expire meanwhile are renewed after `resume`. `max_duration` and `until` go on.
        """
        if self._run.pause.begin(self._clock.monotonic()):
            with log_fields(run=self.run_id):
                _log.info(LogEvent.RUN_PAUSED)

    def resume(self) -> None:
        """Continue after `pause`. Files and hosts then have the whole `retry_for` again."""
        if self._run.pause.end(self._clock.monotonic()):
            with log_fields(run=self.run_id):
                _log.info(LogEvent.RUN_RESUMED)

    def set_concurrency(self, concurrency: int | Literal["auto"]) -> None:
        """Replace the setting `concurrency` from now on. Surplus workers finish their file first.

        Raises `UsageError` for a number that is not between 1 and 1,024, or that this process has too few descriptors
        for.
        """
        workers = composition.workers_for(self._settings, concurrency)
        self._pipeline.worker_tasks.limit(workers, adaptive=concurrency == "auto")
        with log_fields(run=self.run_id):
            _log.info(LogEvent.CONCURRENCY_SET, concurrency=concurrency)

    def limit_bandwidth(self, limit: Timetable | str | None) -> None:
        """Replace the limit of the setting `bwlimit` from now on; None for no limit. Files in flight follow as well.

        Raises `UsageError` for a text that is neither a rate nor a timetable.
        """
        from bulkup.config.timetable import parse_timetable  # noqa: PLC0415  # most runs have no limit

        if isinstance(limit, str):
            try:
                limit = parse_timetable(limit)
            except ValueError as error:
                raise UsageError(f"bwlimit: {error}") from error
        self._follow_bandwidth(limit)

    async def results(self) -> AsyncGenerator[Result, None]:
        """Run, and yield each file when it settles. Files that an earlier run settled are only counted.

        A slow reader slows the run down. A fatal error is not raised: it is in `summary.error`.
        """
        send, receive = anyio.create_memory_object_stream[Sequence[Result]](_RESULTS_AHEAD)
        self._tasks.start_soon(self._run_into, send)
        async with receive:
            async for group in receive:
                for result in group:
                    yield result

    async def run(self, emit: Emit | None = None, *, uploaded: bool = True) -> Summary:
        """Run to the end and return the summary.

        `emit` is awaited with each group of settled files. Without `uploaded`, these are only files with a problem.
        """
        self._run.emit = functools.partial(self._emit, emit)
        self._run.emits_uploaded = uploaded and emit is not None
        with log_fields(run=self.run_id):
            run_log.log_start(self.journal, self._settings.provider)
            try:
                await self._pipeline.work()
            except BaseExceptionGroup as group:
                # A stage's exception arrives in a group. A `BulkupError` ends the run, any other exception is a bug.
                ours, others = group.split(BulkupError)
                if others is not None or ours is None:
                    raise
                self._run.stop.fail(first_error(ours))
            except BulkupError as error:  # from the last flush, after the stages have ended
                self._run.stop.fail(error)
            return await self._end()

    async def _emit(self, emit: Emit | None, results: Sequence[Result]) -> None:
        if emit is not None:
            await emit(results)
        run_log.log_problems(results, self._run.warnings)

    async def _run_into(self, send: MemoryObjectSendStream[Sequence[Result]]) -> None:
        async with send:
            await self.run(send.send)

    async def _set_up(self, stack: contextlib.AsyncExitStack) -> None:
        settings = self._settings = with_region(self._settings, self._environ)
        sources = composition.resolve_sources(settings)
        require_provider(settings)
        scan = await anyio.to_thread.run_sync(composition.scan_options, settings)
        disposal = await _disposal(settings, sources)
        path = journal_path(settings, self._profile, settings.source, self._environ, self._config_file)
        require_same_shards(path, settings)
        transport = self._make_transport(composition.transport_options(settings), self._clock)
        cluster = self._cluster or await _cluster_access(settings)
        built = None if composition.uses_embedded_server(settings) else await self._remote_provider(sources, stack)
        fleet = None if cluster is None else await stack.enter_async_context(cluster.connect())
        # The claim is written to disk, so the settings, the secrets and the cluster are checked before.
        path = claimed_journal(settings, self._profile, self._environ, self._config_file)
        await self._take_lock(path, stack)
        journal = await stack.enter_async_context(await Journal.open(path))
        if (by_source_id := source_id_path(settings, self._profile, self._environ)) is not None:
            link_journal(path, by_source_id)
        provider, destination = built or await self._local_provider(stack)
        await stack.enter_async_context(transport)
        self._started = self._clock.monotonic()
        service_clock = self._service_clock
        options = composition.pipeline_options(settings, provider, scan, self._tunables.retry, disposal)
        # A caller with a transport of its own expects all requests to use it.
        setup = composition.process_setup(settings, provider, options) if self._make_transport is Transport else None
        numbered = await journal.begin_run(
            destination,
            sources,
            now=self._clock.now(),
            kept_until=lambda stored_at: provider.kept_until(service_clock.at(stored_at)),
            settings_digest=composition.settings_digest(provider),
            creates_ids=provider.capabilities.creates_ids,
            shard=settings.shard,
        )
        counters = Counters()
        requests = TimedCall(
            functools.partial(transport.call, provider.config.base_url), counters.api_seconds, self._clock
        )
        skew_check = ClockSkewCheck(requests, service_clock)
        own_files = await anyio.to_thread.run_sync(composition.own_files, settings, path, self._environ)
        unfinished = await self._chosen_paths(path, destination, numbered, stack)
        self._run = Run(
            provider=provider,
            call=self._limited(skew_check, provider),
            transport=transport,
            journal=journal,
            clock=self._clock,
            options=options if cluster is None else cluster.coordinator_options(options),
            sources=numbered,
            emit=_ignore,
            tunables=self._tunables,
            own_files=own_files,
            unfinished=unfinished,
            too_new=None if self._watch is None else self._watch.too_new,
            clock_skew=lambda: service_clock.skew,
            counters=counters,
        )
        if cluster is None or fleet is None:
            self._pipeline = Pipeline(self._run, setup)
        else:
            self._pipeline = cluster.pipeline(settings, self._run, options, fleet, service_clock)
        transport.throttle = self._run.throttle
        gauge, shown = self._pipeline.gauge, shown_settings(settings)
        self._meter = ProgressMeter(gauge, journal.run, self._started)
        self._sampler = RunSampler(journal, gauge, self._clock, self._started, shown, self._profile)

    async def _take_lock(self, path: str, stack: contextlib.AsyncExitStack) -> None:
        if self._watch is None:
            self._lock = stack.enter_context(Lock(path))
            await self._hold(self._lock)
            return
        if self._watch.hold.lock is None:
            lock = Lock(path)
            await self._hold(lock)
            self._watch.hold.lock = lock
        self._lock = self._watch.hold.lock

    async def _chosen_paths(
        self, path: str, destination: Destination, sources: Sequence[Source], stack: contextlib.AsyncExitStack
    ) -> Callable[[int], Iterator[bytes]] | None:
        """Return the paths to look at by the number of the source, None where the sources are walked."""
        if self._retry:
            return (await self._unfinished(path, destination, stack)).of
        if self._watch is None or self._watch.paths is None:
            return None
        chosen = {source.id: sorted(self._watch.paths.get(source.root, ())) for source in sources}
        return lambda number: iter(chosen[number])

    async def _unfinished(
        self, path: str, destination: Destination, stack: contextlib.AsyncExitStack
    ) -> UnfinishedPaths:
        if self._settings.files_from is not None:
            raise UsageError("a retry takes its files from the journal", hint="leave out files_from")
        from bulkup.journal.unfinished_paths import UnfinishedPaths  # noqa: PLC0415  # only a retry needs it

        rejected = self._settings.retry_rejected
        opening = functools.partial(UnfinishedPaths, path, destination, rejected=rejected)
        found = await anyio.to_thread.run_sync(opening)
        stack.callback(found.close)
        return found

    async def _hold(self, lock: Lock) -> None:
        try:
            await lock.acquire(wait=False, sleep=anyio.sleep)
        except JournalLockedError as error:
            if not self._settings.wait:
                if self._settings.shard is not None and self._settings.journal is not None:
                    hint = "each shard needs a journal of its own: leave out `journal`, or name another one"
                    raise JournalLockedError(error.message, hint=hint) from error
                raise
            _log.info(LogEvent.RUN_WAITING, reason=error.message)
            await lock.acquire(wait=True, sleep=anyio.sleep)

    async def _remote_provider(
        self, sources: Sequence[Source], stack: contextlib.AsyncExitStack
    ) -> tuple[Provider, Destination]:
        """Fetch the secrets and read the files that the settings name, in threads because both may block."""
        settings, in_thread = self._settings, anyio.to_thread.run_sync
        values = await in_thread(composition.provider_settings, settings, sources)
        if values.get("urls") is not None:
            stack.callback(values["urls"].close)  # the provider closes it too, once there is one
        if workers_fetch_credentials(settings):
            credential_references(settings, profile=self._profile)  # raises UsageError for those that they cannot fetch
            secrets = dict[str, Secret]()
        else:
            fetch = functools.partial(require_credentials, settings, self._environ, profile=self._profile)
            secrets = await in_thread(fetch)
        base_url = composition.public_base_url(settings)
        composition.check_proxy(base_url)
        provider = composition.build_provider(settings, base_url, secrets, values, self._clock, self._service_clock.now)
        stack.callback(provider.close)
        return provider, composition.destination(settings, provider, base_url)

    async def _local_provider(self, stack: contextlib.AsyncExitStack) -> tuple[Provider, Destination]:
        from bulkup.localserver import ServerProcess  # noqa: PLC0415  # runs with a remote service start without it

        config = composition.local_server_config(self._settings, self._environ)
        server = await stack.enter_async_context(ServerProcess(config))
        if self._watch is None or self._watch.paths is None:
            await anyio.to_thread.run_sync(run_log.log_copying, config.store)
        token = {"token": composition.local_token(config)}
        provider = composition.build_provider(
            self._settings, server.url, token, {}, self._clock, self._service_clock.now
        )
        return provider, composition.destination(self._settings, provider, "file://" + config.store)

    def _limited(self, call: ApiCall, provider: Provider) -> ApiCall:
        limit = composition.rate_limit(self._settings, provider)
        return call if limit is None else RateLimitedCall(call, limit, self._clock)

    def _follow_bandwidth(self, table: Timetable | None) -> None:
        self._timetable = table
        from bulkup.api.bandwidth_schedule import BandwidthSchedule  # noqa: PLC0415  # most runs have no limit

        if self._bandwidth is None:
            self._bandwidth = BandwidthSchedule(self._run.throttle, self._clock)
        self._bandwidth.change(table)
        if self._bandwidth.changes and not self._follows_bandwidth:
            self._follows_bandwidth = True
            self._tasks.start_soon(self._bandwidth.work)

    async def _stop_in_time(self, deadline: float) -> None:
        await anyio.sleep(max(0.0, deadline - self._clock.monotonic()))
        self._time_up()

    async def _stop_at(self, deadline: float) -> None:
        left = deadline - self._clock.now()
        while left > 0:
            await anyio.sleep(min(left, _LONGEST_SLEEP))
            left = deadline - self._clock.now()
        self._time_up()

    def _time_up(self) -> None:
        with log_fields(run=self.run_id):
            _log.warning(LogEvent.RUN_TIME_UP)
        self.stop(ExitCode.TIME_UP)

    async def _end(self) -> Summary:
        self._ended = self._clock.monotonic()
        run, stop = self._run, self._run.stop
        complete = run.counters.scan_done and not run.counters.remaining
        if complete:
            stop.withdraw(ExitCode.TIME_UP, ExitCode.FILES_FAILED)
        lost = () if self._settings.allow_empty else tuple(run.lost_sources)
        self._summary = self._summarized(lost)
        try:
            await run.journal.end_run(
                now=self._clock.now(),
                exit_code=self._summary.exit_code,
                summary=self._summary.as_dict(),
                finished=complete,
                walked=run.walked_sources,
                record=self._sampler.last(self._summary),
            )
        except JournalError as error:
            # Usually the error that ended the run, which is already in the summary.
            stop.fail(error)
            self._summary = self._summarized(lost)
            if isinstance(error, FullDiskError):
                await self._end_on_a_full_disk(self._summary)
        return self._summary

    async def _end_on_a_full_disk(self, summary: Summary) -> None:
        """Record the end of the run in the space that the lock has kept, if that is enough."""
        await anyio.to_thread.run_sync(self._lock.free_reserve)
        with contextlib.suppress(JournalError):
            await self._run.journal.end_run(
                now=self._clock.now(),
                exit_code=summary.exit_code,
                summary=summary.as_dict(),
                finished=False,
                record=self._sampler.last(summary),
            )

    def _summarized(self, lost: Sequence[Source]) -> Summary:
        run, stop = self._run, self._run.stop
        code = exit_code(run.counters, reasons=stop.why, lost_source=bool(lost))
        ended = self._ended or self._started
        workers, paused = self.gauge.workers(), run.pause.seconds(ended)
        seconds = ended - self._started
        return Summary(run.journal.run, code, run.counters, seconds, stop.error, tuple(lost), workers, paused)


async def _cluster_access(settings: Settings) -> ClusterAccess | None:
    """Return the way to the cluster of the settings, None without one. Raises `UsageError`."""
    if settings.cluster is None:
        return None
    from bulkup.api.cluster_run import cluster_access  # noqa: PLC0415  # most runs have no cluster

    return await anyio.to_thread.run_sync(cluster_access, settings)


async def _disposal(settings: Settings, sources: Sequence[Source]) -> DisposalOptions | None:
    """Return how uploaded files are removed, None if they stay. Raises `UsageError`."""
    if not settings.delete_after_upload and settings.move_to is None:
        return None
    from bulkup.api.disposal_check import disposal_options  # noqa: PLC0415  # most runs remove nothing

    return await anyio.to_thread.run_sync(disposal_options, settings, sources)


async def _ignore(_: Sequence[Result]) -> None:
    """Discard results."""


def first_error(group: BaseExceptionGroup[BulkupError]) -> BulkupError:
    """Return the first error in a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, BulkupError)
    return error
