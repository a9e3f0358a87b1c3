"""Metrics of a run: in a file, at an address, and what hinders them."""

from __future__ import annotations

import os
import socket
import urllib.request
from pathlib import Path

import pytest
from e2e_world import World, ended, run, started, wait_for


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.fill(20, least=1)
    return world


def value(text: str, name: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(name)]
    return float(line.rpartition(" ")[2])


def test_the_file_has_the_end_of_the_run(world: World, tmp_path: Path) -> None:
    path = tmp_path / "bulkup.prom"
    world.upload(*world.local, "--metrics-file", str(path)).expect(0)
    text = path.read_text()
    assert value(text, 'bulkup_files_total{profile="local",result="uploaded"}') == 20
    assert value(text, "bulkup_run_active") == 0
    first = value(text, "bulkup_last_success_timestamp_seconds")
    assert first == value(text, "bulkup_run_end_timestamp_seconds")
    assert path.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.iterdir() if "prom" in one.name] == ["bulkup.prom"]


def test_the_last_success_is_that_of_an_earlier_run(world: World, tmp_path: Path) -> None:
    path = tmp_path / "bulkup.prom"
    world.upload(*world.local, "--metrics-file", str(path)).expect(0)
    success = value(path.read_text(), "bulkup_last_success_timestamp_seconds")
    (world.source / "new.mp4").write_bytes(b"x")
    (world.source / "new.mp4").chmod(0)
    code = 3 if os.geteuid() else 0  # root reads every file
    world.upload(*world.local, "--metrics-file", str(path)).expect(code)
    later = value(path.read_text(), "bulkup_last_success_timestamp_seconds")
    assert (later == success) is (code != 0)


def test_metrics_are_served_while_the_run_goes_on(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--bwlimit", "2k", "--metrics-addr", f"127.0.0.1:{port}", "--json")
    with started("upload", str(world.source), *world.local, *options) as process:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def asked() -> str:
            try:
                with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                    return str(answer.read().decode())
            except OSError:
                assert process.poll() is None, ended(process)
                return ""

        wait_for(lambda: "bulkup_run_active" in asked())
        assert value(asked(), "bulkup_run_active") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--metrics-file", "{root}/none/bulkup.prom"), "cannot write into"),
        (("--metrics-file", "{root}/bulkup.txt"), "does not end in .prom"),
        (("--metrics-file", "{root}/source/bulkup.prom"), "metrics_file"),
        (("--metrics-addr", "9400"), "expected HOST:PORT"),
    ],
)
def test_what_cannot_be_used_is_an_error_before_anything_starts(
    world: World, options: tuple[str, ...], message: str
) -> None:
    given = [option.format(root=world.root) for option in options]
    world.upload(*world.local, *given).expect(2, message)
    assert not world.journal.exists()


def test_a_port_that_is_taken_is_an_error(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        world.upload(*world.local, "--metrics-addr", address).expect(7, "cannot serve metrics at")


def test_a_file_that_cannot_be_replaced_later_never_hurts_the_run(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "bulkup.prom"
    folder.mkdir()  # no file can take its place
    world.upload(*world.local, "--metrics-file", str(folder)).expect(0, "the metrics file cannot be written")


def test_without_the_package_an_error_names_the_extra(world: World, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "prometheus_client"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('hidden')")
    env = {"PYTHONPATH": os.pathsep.join([str(hidden.parent), os.environ.get("PYTHONPATH", "")])}
    run("upload", str(world.source), *world.local, "--metrics-file", str(tmp_path / "x.prom"), env=env).expect(
        2, "bulkup[metrics]"
    )
