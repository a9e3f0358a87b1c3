"""The constants of a run that no setting changes, each beside the code that it tunes. Tests pass other ones."""

from __future__ import annotations

from dataclasses import field

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.pipeline.files.opening import ReadingOptions
from bulkup.pipeline.options import RetryPolicy
from bulkup.pipeline.policy.bandwidth import BandwidthOptions
from bulkup.pipeline.policy.host_gate import GateOptions
from bulkup.pipeline.processes.sending_process import ProcessOptions
from bulkup.pipeline.scan.counting import CountingOptions
from bulkup.pipeline.tuning.controller import ControllerOptions
from bulkup.pipeline.tuning.goodput import SamplerOptions
from bulkup.pipeline.tuning.process_plan import ProcessPlanOptions


@dataclass(frozen=True, slots=True)
class Tunables:
    """The options of the parts of a run. Times are in seconds.

    To send files in an order, up to `order_window` of them wait; each takes half a kilobyte of memory.
    `controller_tick` is the time between two observations, `controller_first_tick` until the first file has ended. At
    the end of a run, its reader has `last_results` to take the last results. `retry` has the fields of the retry policy
    that no setting changes; settings replace the others.
    """

    reading: ReadingOptions = field(default_factory=ReadingOptions)
    gate: GateOptions = field(default_factory=GateOptions)
    bandwidth: BandwidthOptions = field(default_factory=BandwidthOptions)
    controller: ControllerOptions = field(default_factory=ControllerOptions)
    order_window: int = 20_000
    controller_tick: float = 0.05
    controller_first_tick: float = 0.005
    last_results: float = 5.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    sampler: SamplerOptions = field(default_factory=SamplerOptions)
    process_plan: ProcessPlanOptions = field(default_factory=ProcessPlanOptions)
    process: ProcessOptions = field(default_factory=ProcessOptions)
    counting: CountingOptions = field(default_factory=CountingOptions)
