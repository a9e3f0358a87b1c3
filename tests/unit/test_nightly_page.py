"""docs/how-to/nightly.md: its tables agree with the code, and its examples can be read."""

from __future__ import annotations

import re
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # the tests need no more of it

from bulkup.cli.schedule.systemd_units import GOOD_EXITS
from bulkup.errors import ExitCode

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/nightly.md").read_text(encoding="utf-8")
NIGHT = re.compile(r"^\| (\d+) \| [^|]+ \| (good|bad)", re.MULTILINE)


def test_the_nights_are_those_of_the_unit() -> None:
    nights = {int(code): night for code, night in NIGHT.findall(PAGE)}
    ended_by_hand = {ExitCode.SIGHUP, ExitCode.SIGINT}
    assert set(nights) == set(ExitCode) - ended_by_hand
    assert {code for code, night in nights.items() if night == "good"} == {0, *GOOD_EXITS}
    assert f"`SuccessExitStatus={' '.join(map(str, GOOD_EXITS))}`" in PAGE


def test_the_cron_job_of_kubernetes_is_complete() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    job = yaml.safe_load(text)
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert "[ $code = 6 ]" in container["args"][0]


def test_the_image_and_the_page_agree() -> None:
    dockerfile = (ROOT / "examples/docker/Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / "examples/docker/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE) for name in line.split()
    }
    assert copied == {name.removeprefix("!") for name in ignored if name.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)
    assert "USER 10001:10001" in dockerfile
    assert "10001" in PAGE
