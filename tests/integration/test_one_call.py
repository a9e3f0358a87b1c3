"""A whole run in one call."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup import Progress, UsageError, upload, upload_sync

PROFILE = '[profiles.nightly]\nprovider = "local"\nsource = "media"\nstore = "store"\nmin_size = 2\n'


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the variables of a user with a profile in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bulkup.toml").write_text(PROFILE)
    (tmp_path / "media").mkdir()
    for number in range(4):
        (tmp_path / "media" / f"{number}.mp4").write_bytes(b"x" * number)
    return {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_DATA_HOME": str(tmp_path / "data")}


async def test_a_profile_is_read_as_the_command_reads_it(environ: dict[str, str]) -> None:
    summary = await upload(profile="nightly", environ=environ)
    assert (summary.exit_code, summary.counters.uploaded) == (0, 2)


async def test_arguments_and_variables_override_the_profile(environ: dict[str, str]) -> None:
    assert (await upload(profile="nightly", environ=environ, min_size="3")).counters.uploaded == 1
    again = await upload(profile="nightly", environ={**environ, "BULKUP_MIN_SIZE": "1"})
    assert (again.counters.uploaded, again.counters.skipped) == (2, 1)


async def test_an_unknown_profile_is_an_error(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="weekly"):
        await upload(profile="weekly", environ=environ)


async def test_progress_is_awaited_at_the_end(environ: dict[str, str]) -> None:
    seen: list[Progress] = []

    async def show(now: Progress) -> None:
        seen.append(now)

    await upload(profile="nightly", environ=environ, on_progress=show)
    assert (seen[-1].files_done, seen[-1].percent) == (2, 100)


def test_code_that_is_not_async(environ: dict[str, str]) -> None:
    assert upload_sync("media", provider="local", store="store", environ=environ).counters.uploaded == 4


async def test_inside_an_event_loop_the_async_one_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(RuntimeError, match="await upload"):
        upload_sync("media", provider="local", environ=environ)


async def test_a_wrong_setting_is_an_error(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="a setting is invalid"):
        await upload("media", provider="local", attempts=0, environ=environ)
