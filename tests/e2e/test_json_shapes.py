"""What commands print as JSON has the shapes that docs/reference/json.md describes: every field, and no other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from e2e_world import TOKEN, World, run, serving
from pydantic import TypeAdapter
from tools.reference import json_shapes as shapes

ADAPTERS: dict[Any, TypeAdapter[Any]] = {shape: TypeAdapter(shape) for shape in shapes.PRINTED}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a world after a run that uploaded some files and rejected one."""
    root = tmp_path_factory.mktemp("shapes")
    world = World(root)
    world.fill(4)
    (world.source / "notes.docx").write_bytes(b"x")
    (world.source / os.fsdecode(b"odd \xff.mp4")).write_bytes(b"y")
    with serving(root / "service") as url:
        result = run("upload", str(world.source), "--json", *world.to(url), env=TOKEN)
    for line in result.lines:
        conforms(line, shapes.Summary if line["event"] == "summary" else shapes.File)
    assert {line.get("status") for line in result.lines} >= {"uploaded", "rejected"}
    return world


def conforms(line: dict[str, Any], shape: Any) -> None:
    ADAPTERS[shape].validate_python(line)


def printed(world: World, command: str, *options: str) -> list[dict[str, Any]]:
    lines = run(*command.split(), "--journal", str(world.journal), *options).lines
    assert lines
    return lines


@pytest.mark.parametrize(
    ("command", "options", "shape"),
    [
        ("runs", ("--json",), shapes.Run),
        ("runs --prune", ("--json",), shapes.Prune),
        ("status", ("--json",), shapes.JournalStatus),
        ("failures", ("--json",), shapes.FailureGroup),
        ("failures", ("--json", "--reason", "accept"), shapes.Failure),
        ("manifest", (), shapes.ManifestLine),
        ("manifest --on-disk", (), shapes.ManifestLine),
        ("doctor", ("--json",), shapes.Finding),
    ],
)
def test_every_line_of_a_command_conforms(world: World, command: str, options: tuple[str, ...], shape: Any) -> None:
    for line in printed(world, command, *options):
        conforms(line, shape)


def test_how_the_last_run_ended_conforms(tmp_path: Path) -> None:
    """A source that had files is empty, as if it were not mounted."""
    world = World(tmp_path)
    (world.source / "a.mp4").write_bytes(b"x")
    world.upload(*world.local).expect(0)
    (world.source / "a.mp4").unlink()
    world.upload(*world.local).expect(3)
    [line] = printed(world, "failures", "--json")
    conforms(line, shapes.LastRun)
    assert line["empty_sources"] == 1


def test_the_state_of_a_file_conforms(world: World) -> None:
    [line] = printed(world, f"status {world.source}/notes.docx", "--json")
    conforms(line, shapes.FileState)


def test_a_dry_run_conforms(world: World) -> None:
    *files, last = run("upload", str(world.source), "--dry-run", "--json", *world.local).lines
    conforms(last, shapes.DryRun)
    for line in files:
        conforms(line, shapes.Would)


def test_an_error_conforms(tmp_path: Path) -> None:
    [line] = run("upload", str(tmp_path / "nothing"), "--provider", "local", "--json").lines
    conforms(line, shapes.Error)


def test_differences_conform(world: World) -> None:
    os.unlink(next(path for path in world.source.rglob("*.m*") if path.is_file()))
    *files, last = printed(world, "verify --local", "--json")
    conforms(last, shapes.Verified)
    assert files
    for line in files:
        conforms(line, shapes.Difference)
