"""Invalid settings: exit code 2, and a message that names the place, before anything is started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_world import TOKEN, Ended, World, run


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world with one file, as the working directory."""
    monkeypatch.chdir(tmp_path)
    world = World(tmp_path)
    world.fill(1)
    return world


def profile(world: World, text: str) -> Ended:
    """Upload with a profile of that text, which must be refused before a journal is made."""
    (world.root / "bulkup.toml").write_text(text)
    state = world.root / "state"
    done = run("upload", "--profile", "n", env={"XDG_STATE_HOME": str(state)}).expect(2)
    assert not any(files for _, _, files in os.walk(state))
    return done


def test_an_unknown_profile(world: World) -> None:
    """The message suggests the most similar name."""
    run("upload", "--profile", "nihgtly").expect(2, "nihgtly")
    (world.root / "bulkup.toml").write_text('[profiles.nightly]\nprovider = "local"\n')
    run("upload", "--profile", "nihgtly").expect(2, 'no profile "nihgtly"', "nightly")


def test_an_unknown_key(world: World) -> None:
    """The message names the line and the most similar key."""
    done = profile(world, '[profiles.n]\nprovider = "local"\nconcurency = 4\n')
    assert "bulkup.toml:3" in done.err
    assert 'did you mean "concurrency"' in done.err


def test_a_profile_that_is_not_toml(world: World) -> None:
    """A syntax error names the file and the line."""
    assert "bulkup.toml" in profile(world, "[profiles.n\n").err


def test_a_missing_secret(world: World) -> None:
    """The message names the variable to set."""
    run("upload", str(world.source), "--provider", "magic-hour").expect(2, "magic-hour needs token", "BULKUP_TOKEN")
    run("upload", str(world.source), "--provider", "move-ugc").expect(2, "move-ugc needs api_key", "BULKUP_API_KEY")
    done = profile(world, '[profiles.n]\nprovider = "magic-hour"\nsource = "source"\ntoken = "env:NOT_SET"\n')
    assert "env:NOT_SET is not set" in done.err


@pytest.mark.parametrize("url", ["not a url", "ftp://host", "http://", "http://u:hunter2@host", "http://host:99999"])
def test_a_malformed_base_url(world: World, url: str) -> None:
    """It is refused before any request, and a password in it is not repeated."""
    done = world.upload(*world.to(url), env=TOKEN).expect(2, "--base-url")
    assert "hunter2" not in done.err
    assert not world.journal.exists()


def test_an_identity_service_over_plain_http(world: World) -> None:
    """It would get the password in clear text. The message names both addresses, and nothing is sent."""
    given = ("iam_user", "iam_domain", "iam_password", "project_id", "asset_id")
    lines = [f'{name} = "{name}-0001"' for name in given]
    urls = ('base_url = "https://127.0.0.1:1"', 'iam_url = "http://127.0.0.1:2"')
    done = profile(world, "\n".join(["[profiles.n]", 'provider = "metastudio"', 'source = "source"', *lines, *urls]))
    assert "iam_url" in done.err
    assert "http://127.0.0.1:2" in done.err
    assert "https://127.0.0.1:1" in done.err
    run("upload", "--profile", "n", "--dry-run").expect(2, "http://127.0.0.1:2")


def test_no_provider(world: World) -> None:
    """The message lists the providers, and suggests the one that needs no account."""
    run("upload", str(world.source)).expect(2, "no provider is chosen", "--provider local", "config.example.toml")


def test_an_unknown_provider(world: World) -> None:
    """The message lists the providers."""
    run("upload", str(world.source), "--provider", "magichour").expect(2, "magic-hour")


def test_no_source(world: World) -> None:
    """The message asks for a source."""
    run("upload", "--provider", "local").expect(2, "no source")


def test_a_missing_source(world: World) -> None:
    """The message names the source."""
    run("upload", str(world.root / "gone"), *world.local).expect(2, str(world.root / "gone"))


def test_a_batch_larger_than_the_service_takes(world: World) -> None:
    """The message names the limit."""
    options = ("--provider", "move-ugc", "--batch-size", "101")
    run("upload", str(world.source), *options, env={"BULKUP_API_KEY": "a" * 20}).expect(2, "100")


def test_a_journal_or_store_inside_the_source(world: World) -> None:
    """It would be uploaded, and would change while it is read."""
    inside = str(world.source / "x")
    run("upload", str(world.source), "--provider", "local", "--journal", inside).expect(2, "--journal")
    run("upload", str(world.source), "--provider", "local", "--store", inside).expect(2, "--store")
    assert not os.path.exists(inside)


def test_a_list_of_files_that_cannot_be_read(world: World) -> None:
    """The message names the list."""
    world.upload(*world.local, "--files-from", str(world.root / "no.list")).expect(2, "no.list")


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("use", ["configuration", "found configuration", "secret", "list", "asset map", "CA file"])
def test_a_pipe_or_device_in_the_place_of_a_file(world: World, use: str, kind: str) -> None:
    """It is refused at once. A pipe would block, and the device never ends."""
    place = world.root / {"found configuration": "bulkup.toml", "asset map": "map.csv"}.get(use, "input")
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("/dev/zero")
    options = {
        "configuration": ["--config", str(place), *world.local],
        "found configuration": ["--profile", "n"],
        "secret": world.to("http://127.0.0.1:9"),
        "list": ["--files-from", str(place), *world.local],
        "asset map": ["--asset-map", str(place), "--project-id", "p", *world.to("http://127.0.0.1:9", "metastudio")],
        "CA file": ["--ca-file", str(place), *world.to("http://127.0.0.1:9")],
    }
    done = world.upload(*options[use], env={"BULKUP_TOKEN": f"file:{place}" if use == "secret" else "t"})
    done.expect(2, "it is not a regular file")


def test_what_a_shell_passes_as_a_file(world: World) -> None:
    """`<(command)` is a pipe, and /dev/null an empty file."""
    (world.source / "other.mp4").write_bytes(b"5")
    (path,) = (path.relative_to(world.source) for path in world.source.rglob("file 0*"))
    with pipe_with(str(path).encode() + b"\n") as listed, pipe_with(b"[profiles.n]\nconcurrency = 2\n") as configured:
        options = ("--files-from", f"/dev/fd/{listed}", "--config", f"/dev/fd/{configured}", "--profile", "n")
        done = world.upload(*options, *world.local, pass_fds=(listed, configured)).expect(0)
    assert (done.summary["files"]["uploaded"], done.summary["concurrency"]["peak"]) == (1, 2)
    assert world.upload("--config", os.devnull, *world.local).expect(0).summary["files"]["uploaded"] == 1


@contextlib.contextmanager
def pipe_with(text: bytes) -> Iterator[int]:
    """Yield the reading end of a pipe that holds a text."""
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    yield reading
    os.close(reading)
