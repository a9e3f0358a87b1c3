"""A profile has a report written after each run, which never hurts the run."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from e2e_world import World, run


def profile(world: World, report: str, *lines: str) -> list[str]:
    config = world.root / "bulkup.toml"
    config.write_text(
        "\n".join(
            [
                '[profiles.nightly]\nprovider = "local"',
                f'source = ["{world.source}"]\nstore = "{world.store}"\njournal = "{world.journal}"',
                *lines,
                f"[profiles.nightly.report]\n{report}",
            ]
        )
    )
    config.chmod(0o600)
    return ["upload", "--profile", "nightly", "--config", str(config)]


def test_a_report_is_written_and_notifications_link_to_it(tmp_path: Path) -> None:
    world, told = World(tmp_path), tmp_path / "told.json"
    world.fill(5)
    hook = f'notify = {{ on_success = ["sh", "-c", "cat > {told}"] }}'
    table = 'path = "reports/{profile}-{run}.html"\nurl = "https://r.example/{run}"'
    said = run(*profile(world, table, hook)).expect(0, "the report of the run was written")
    (page,) = (tmp_path / "reports").iterdir()
    name = json.loads(told.read_text())["run"]
    assert page.name == f"nightly-{name}.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "All 5 files were uploaded" in page.read_text("utf-8")
    assert json.loads(told.read_text())["report"] == f"https://r.example/{name}"
    assert "bulkup retry" not in said.err


def test_a_report_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(2)
    (tmp_path / "reports").write_text("a file where the folder should be")
    run(*profile(world, 'path = "reports/{date}.json"')).expect(0, "the report of the run was not written")
    assert world.settled() == 2


def test_a_report_inside_of_a_source_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(2)
    said = run(*profile(world, f'path = "{world.source}/{{date}}.html"')).expect(2, "report: ", "inside the source")
    assert "--report" not in said.err
    assert not world.journal.exists()
