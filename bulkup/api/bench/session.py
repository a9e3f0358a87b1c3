"""A whole bench: one run after another with generated files. It uses a journal of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence

import anyio

from bulkup.api.bench.bench_settings import bench_settings
from bulkup.api.bench.disk import measure_disk
from bulkup.api.bench.generated_files import EXTENSION, make_files, total_size
from bulkup.api.bench.trial_plan import TrialPlan
from bulkup.api.bench.trial_run import TrialRun
from bulkup.api.uploader import Uploader, first_error
from bulkup.config import Settings
from bulkup.errors import BulkupError, ExitCode, MachineError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.counters import Gauge
from bulkup.model.files import Source
from bulkup.model.items import Result
from bulkup.reports.bench_trials import Choice, DiskSpeed, Trial

WARM_UP = 8  # files


class NothingUploadedError(BulkupError):
    """A trial ended without an uploaded file."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(f"none of the generated files was uploaded: {reason}")
        self.exit_code = ExitCode(code)


@dataclass(frozen=True, slots=True)
class BenchLoad:
    """The files of each trial: `files` is their number, `sizes` are their sizes in bytes, used in turn."""

    files: int
    sizes: tuple[int, ...]
    extension: str = EXTENSION

    def most_files(self, plan: TrialPlan) -> int:
        """Return the maximum number of files that a bench uploads."""
        return min(WARM_UP, self.files) + self.files * plan.most_trials

    def most_bytes(self, plan: TrialPlan) -> int:
        """Return the maximum number of bytes that a bench uploads."""
        return total_size(min(WARM_UP, self.files), self.sizes) + self.bytes * plan.most_trials

    @property
    def bytes(self) -> int:
        """The number of bytes of one trial."""
        return total_size(self.files, self.sizes)


class Bench:
    """One bench in a folder of its own, which the caller creates and deletes.

    `begins` is called before each trial, `ends` after it, and `settled` with its files. `trials` are the finished
    trials, `disk` is the speed of reading `sources`, `error` the error that ended the bench early, and `codes` are the
    exit codes of the runs. The `journal` contains all created ids.
    """

    def __init__(
        self,
        settings: Settings,
        plan: TrialPlan,
        load: BenchLoad,
        folder: str,
        *,
        profile: str | None = None,
        environ: Mapping[str, str] | None = None,
        sources: Sequence[Source] = (),
        begins: Callable[[Choice], None] = lambda _: None,
        ends: Callable[[Trial], None] = lambda _: None,
        settled: Callable[[Sequence[Result]], None] = lambda _: None,
    ) -> None:
        self.trials: list[Trial] = []
        self.disk: DiskSpeed | None = None
        self.error: BulkupError | None = None
        self.codes: set[int] = set()
        self.journal = os.path.join(folder, "journal.sqlite3")
        self._settings = bench_settings(settings)
        self._plan = plan
        self._load = load
        self._folder = folder
        self._profile = profile
        self._environ = environ
        self._sources = sources
        self._begins = begins
        self._ends = ends
        self._settled = settled
        self._name = secrets.token_hex(4)  # different from other benches at the same service
        self._runs = 0
        self._scope: anyio.CancelScope | None = None  # while it runs
        self._uploader: Uploader | None = None

    def stop(self, code: ExitCode) -> None:
        """End the bench. Files in flight may finish within the setting `grace`. The current trial does not count."""
        self.codes.add(code)
        if self._uploader is not None:
            self._uploader.stop(code)
        elif self._scope is not None:
            self._scope.cancel()

    async def run(self) -> None:
        """Carry out the trials. An error of the service or this machine is stored in `error`."""
        try:
            with anyio.CancelScope() as self._scope:
                await self._carry_out()
        except BulkupError as error:
            self._fail(error)
        except BaseExceptionGroup as group:
            ours, others = group.split(BulkupError)
            if ours is None or others is not None:
                raise
            self._fail(first_error(ours))

    async def _carry_out(self) -> None:
        if self._sources:
            await self._read_sources()
        # The first run is slower: name lookups, imports, the service's caches. It also finds configuration errors.
        await self._measure(self._plan.current, min(WARM_UP, self._load.files))
        while not self._ended and (choice := self._plan.next_choice(self.trials)) is not None:
            self._begins(choice)
            trial = await self._measure(choice, self._load.files)
            if trial is not None:
                self.trials.append(trial)
                self._ends(trial)

    async def _read_sources(self) -> None:
        stop = threading.Event()
        try:
            self.disk = await anyio.to_thread.run_sync(measure_disk, self._sources, stop, abandon_on_cancel=True)
        finally:
            stop.set()

    def _fail(self, error: BulkupError) -> None:
        self.error = error
        self.codes.add(error.exit_code)

    @property
    def gauge(self) -> Gauge | None:
        """The gauge of the current trial, None between trials."""
        return None if self._uploader is None else self._uploader.gauge

    @property
    def _ended(self) -> bool:
        return self.error is not None or bool(self.codes & {ExitCode.SIGHUP, ExitCode.SIGINT, ExitCode.SIGTERM})

    async def _measure(self, choice: Choice, files: int) -> Trial | None:
        """Carry out a trial. Return None if it was interrupted, with the reason in `error` or `codes`."""
        self._runs += 1
        source, store = (os.path.join(self._folder, f"{what}-{self._runs}") for what in ("files", "store"))
        try:
            await self._make(source, files)
            update = {"source": (source,), "store": store, "journal": self.journal, "concurrency": choice.concurrency}
            sizes = {"batch_size": choice.batch_size, "calls_in_flight": choice.calls_in_flight}
            run = TrialRun(choice, self._settings.model_copy(update={**update, **sizes}), self._profile, self._environ)
            summary = await run.carry_out(self._begun, self._settled)
        finally:
            self._uploader = None
            for folder in (source, store):
                shutil.rmtree(folder, ignore_errors=True)
        self.codes.add(summary.exit_code)
        if summary.error is not None:
            self._fail(summary.error)
        elif not self._ended and not summary.counters.uploaded:
            self._fail(NothingUploadedError(run.reason or "no reason was given", summary.exit_code))
        return None if self._ended else run.trial(summary)

    async def _make(self, source: str, files: int) -> None:
        try:
            await make_files(source, f"{self._name}-{self._runs}", files, self._load.sizes, self._load.extension)
        except OSError as error:
            raise MachineError(
                f"cannot write the files to upload to {source}: {error.strerror or error}", hint="set TMPDIR"
            ) from error

    def _begun(self, uploader: Uploader) -> None:
        self._uploader = uploader
