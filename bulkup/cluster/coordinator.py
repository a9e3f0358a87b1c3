"""The stages of a run on a cluster that stay with the coordinator, in place of `pipeline.flow`.

scanner --> distributor ==workers==> recorder --> journal
                                         '--> disposal, counters, results
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import anyio

from bulkup.cluster.cluster_options import ClusterOptions
from bulkup.cluster.distributor import Distributor, MakeSetup
from bulkup.cluster.worker_channel import Fleet
from bulkup.model.counters import Gauge
from bulkup.model.progress import RunState, SendingFile
from bulkup.pipeline.count_ahead import CountAhead
from bulkup.pipeline.flow import disposal_stage
from bulkup.pipeline.pause import run_state
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.pipeline.scanner import Scanner


class ClusterPipeline:
    """Has the methods of `Pipeline` that a run uses."""

    def __init__(
        self,
        run: Run,
        fleet: Fleet,
        make_setup: MakeSetup,
        call_wait: Callable[[float], float] | None,
        note_skew: Callable[[float], None],
        options: ClusterOptions,
    ) -> None:
        """Take the parameters of `Distributor`."""
        self._run = run
        self._options = options
        routes = Routes()
        self._scanner = Scanner(run, routes)
        self._disposal = disposal_stage(run)
        self._recorder = Recorder(run, self._disposal.take if self._disposal is not None else None)
        self._distributor = Distributor(run, routes, fleet, make_setup, call_wait, note_skew, options)
        self._fill(routes)
        figures = self._distributor.figures
        self.worker_tasks = self._distributor
        self.gauge = Gauge(run.counters, self._depths, run.counted, self._sending, self._state, figures.rows)

    def _fill(self, routes: Routes) -> None:
        distributor = self._distributor
        routes.ask, routes.hash = distributor.ask, distributor.hash
        routes.resume, routes.close = distributor.resume, distributor.close
        routes.settle, routes.record = self._recorder.settle, self._recorder.record
        routes.count_failure = self._recorder.count_failure
        routes.dispose = self._disposal.add if self._disposal is not None else None
        if self._run.quota.is_limited:
            from bulkup.pipeline.admission import Admission  # noqa: PLC0415  # most runs have no such limit

            Admission(self._run, routes).take_over()

    async def work(self) -> None:
        """Run until every file found is settled, or the run was stopped. Raises as `Pipeline.work`."""
        try:
            async with anyio.create_task_group() as stages:
                for stage in self._stages():
                    stages.start_soon(stage)
                stages.start_soon(self._end_when_stopped, stages.cancel_scope)
                await self._scanner.scan()
                self._distributor.note_no_more()
                await self._run.budget.wait_idle()
                await self._distributor.finish()
                stages.cancel_scope.cancel()
        finally:
            if self._disposal is not None:
                self._disposal.close()
            self._run.opener.close()
            self._run.throttle.close()
        with anyio.move_on_after(self._run.tunables.last_results, shield=True):
            await self._recorder.flush()

    def _stages(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        return [
            self._recorder.work,
            self._distributor.work,
            *([self._disposal.work] if self._disposal is not None else []),
            *([CountAhead(self._run).work] if self._run.options.count else []),
        ]

    async def _end_when_stopped(self, stages: anyio.CancelScope) -> None:
        """After a stop is requested: workers end within the grace, and report then."""
        stop = self._run.stop
        await stop.wait_pressing()
        await anyio.sleep(self._run.options.grace + self._options.last_reports)
        stages.cancel()

    def _state(self) -> RunState:
        return run_state(paused=self._run.pause.on, stopping=self._run.stop.requested)

    def _sending(self, _: float, most: int) -> tuple[SendingFile, ...]:
        return self._distributor.figures.sending(most)

    def _depths(self) -> Mapping[str, int]:
        depths = self._distributor.figures.depths()
        depths["recording"] = self._recorder.depth
        depths["distributing"] = self._distributor.waiting
        return depths
