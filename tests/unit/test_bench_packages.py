"""The installation of the benchmarks' packages: a tool that cannot be installed does not keep the others away."""

from __future__ import annotations

from collections.abc import Sequence

from tools.bench_packages import install

EXTRA = ["bulkup[server,speed]", "awscli>=1.46", "obstore>=0.12", "trustme>=1.2"]


def test_all_are_installed_at_once() -> None:
    """No second call if the first one succeeds."""
    calls: list[list[str]] = []

    assert install(EXTRA, lambda packages: _recorded(calls, packages, failing="")) == []
    assert calls == [["--editable", ".[bench]"]]


def test_a_tool_that_fails_is_left_out_and_the_others_are_installed() -> None:
    """After the failure of all together, bulkup and what it needs come first."""
    calls: list[list[str]] = []

    assert install(EXTRA, lambda packages: _recorded(calls, packages, failing="obstore")) == ["obstore>=0.12"]
    assert calls[1:] == [["--editable", ".[server,speed]", "trustme>=1.2"], ["awscli>=1.46"], ["obstore>=0.12"]]


def test_without_bulkup_itself_nothing_can_be_measured() -> None:
    """None, and no attempt for the tools."""
    calls: list[list[str]] = []

    assert install(EXTRA, lambda packages: _recorded(calls, packages, failing="trustme")) is None
    assert len(calls) == 2


def _recorded(calls: list[list[str]], packages: Sequence[str], failing: str) -> bool:
    """Note a call, and return whether it succeeds. The extra `bench` contains all tools."""
    calls.append(list(packages))
    return not failing or (".[bench]" not in packages and not any(name.startswith(failing) for name in packages))
