"""What the service manager is told about a run."""

from __future__ import annotations

import anyio
import pytest

from bulkup.cli.service_report import ServiceReport, reporting, run_text
from bulkup.helpers.sd_notify import ServiceManager
from bulkup.model.progress import Progress


class Recorded(ServiceManager):
    """Keeps the messages instead of sending them."""

    def __init__(self, watchdog: float | None = None) -> None:
        super().__init__("/unused", watchdog)
        self.sent: list[tuple[str, str]] = []

    def _send(self, state: str, status: str, *, timeout: float = 0.0) -> None:
        self.sent.append((state, status))


@pytest.mark.parametrize(("watchdog", "interval"), [(None, 30.0), (600.0, 30.0), (30.0, 10.0), (0.3, 0.1)])
def test_three_signs_of_life_fit_into_the_limit(watchdog: float | None, interval: float) -> None:
    assert ServiceReport(Recorded(watchdog)).interval == pytest.approx(interval)


async def test_signs_of_life_begin_before_the_run_and_show_its_figures() -> None:
    manager = Recorded(watchdog=0.003)
    progress = Progress("run", 9.0, 1002, 1234, 3 * 1024**2, 4 * 1024**2, total_known=False, counting=True, failed=2)
    async with reporting(manager) as report:
        while len(manager.sent) < 3:
            await anyio.sleep(0.001)
        report.progress = lambda: progress
        seen = len(manager.sent)
        while len(manager.sent) < seen + 2:
            await anyio.sleep(0.001)
        report.stopping()
        report.ended("incomplete")
    figures = "counting, 1,002 of at least 1,234 files, 3.0 MiB of at least 4.0 MiB, time left unknown, 2 failed"
    assert manager.sent[:2] == [("READY=1", "starting"), ("WATCHDOG=1", "starting")]
    assert ("WATCHDOG=1", figures) in manager.sent
    stopping = [text for state, text in manager.sent if state == "STOPPING=1"]
    assert stopping == [f"stopping: {figures}", "incomplete"]
    assert manager.sent[-1][1] == "incomplete"


async def test_an_error_of_the_run_ends_the_report() -> None:
    manager = Recorded()
    with pytest.raises(ExceptionGroup) as caught:
        async with reporting(manager):
            raise ValueError("from the run")
    assert isinstance(caught.value.exceptions[0], ValueError)


def test_the_text_of_a_run_has_its_share_and_the_time_left() -> None:
    progress = Progress("run", 9.0, 1, 2, 512, 1024, total_known=True, percent=50, eta=60.0, retries=3)
    assert run_text(progress) == "50 %, 1 of 2 files, 512 B of 1.0 KiB, 1 min 00 s left, 3 retries"
