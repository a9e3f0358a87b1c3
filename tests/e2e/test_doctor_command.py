"""`bulkup doctor`: this machine, and a profile with its journal and its service."""

from __future__ import annotations

from pathlib import Path

from e2e_world import World, run, serving

PROFILE = '[profiles.nightly]\nprovider = "magic-hour"\nsource = "{source}"\nbase_url = "{url}"\ntoken = "env:KEY"\n'


def test_this_machine() -> None:
    done = run("doctor").expect(0)
    assert [line.split()[1] for line in done.out.splitlines()] == [
        "bulkup:",
        "libraries:",
        "extras:",
        "descriptors:",
        "clock:",
    ]


def test_a_profile_with_a_journal(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(3)
    with serving(world.store) as url:
        world.upload(*world.to(url), env={"BULKUP_TOKEN": "local-token"}).expect(0)
        (tmp_path / "x.toml").write_text(PROFILE.format(source=world.source, url=url))
        given = (
            "--profile",
            "nightly",
            "--config",
            str(tmp_path / "x.toml"),
            "--journal",
            str(world.journal),
            "--json",
        )
        lines = run("doctor", *given).expect(0).lines
    assert [line["severity"] for line in lines] == ["ok"] * len(lines)
    assert [line["subject"] for line in lines][-5:] == ["source", "disk", "journal", "proxy", "service"]
    assert any("with 3 files" in line["text"] for line in lines)


def test_a_service_that_is_down_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(PROFILE.format(source=tmp_path, url="http://127.0.0.1:9"))
    journal = str(tmp_path.parent / "journal-of-doctor")
    done = run("doctor", "--profile", "nightly", "--config", str(tmp_path / "x.toml"), "--journal", journal).expect(7)
    assert "error    service:" in done.out


def test_sources_and_files_of_a_profile_are_examined(tmp_path: Path) -> None:
    """The same problems as in `config check`, as findings: a missing source, and a log file that cannot be written."""
    config, source = tmp_path / "x.toml", tmp_path / "media"
    text = f'[profiles.nightly]\nprovider = "local"\nsource = "{source}"\nlog_file = "{{}}"\n'
    given = ("doctor", "--profile", "nightly", "--config", str(config), "--journal", str(tmp_path / "journal"))
    config.write_text(text.format(tmp_path / "no" / "log"))
    said = run(*given).expect(7).out
    assert f"error    source:       {source}: No such file" in said
    assert "error    outputs:      log_file: cannot write" in said
    source.mkdir()
    config.write_text(text.format(tmp_path / "log"))
    said = run(*given).expect(0).out
    assert f"warning  source:       {source} is empty" in said
    assert "ok       outputs:      log_file can be written" in said
