"""Keys that the store refuses, over an embedded server: the run ends, and no file is blamed for them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pipeline_world import QUICK_RETRIES, World, world

from bulkup import FileState, Uploader


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path, "s3", tunables=QUICK_RETRIES) as running:
        yield running


@pytest.mark.parametrize("files", [1, 40])
async def test_an_unknown_key_ends_the_run(here: World, files: int) -> None:
    here.write_many(files, size=30)
    async with here.uploader(access_key="AKIAUNKNOWN000000001") as uploader:
        summary = await uploader.run()
    assert summary.exit_code == 4
    assert summary.error is not None
    assert "the credentials are refused" in summary.error.message
    assert "check access_key" in summary.error.message
    assert FileState.FAILED not in here.states().values()
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
async def test_a_region_of_the_environment_is_signed(here: World, variable: str) -> None:
    """The embedded store accepts one region alone."""
    here.write_many(3, size=30)
    async with Uploader(here.resolved(), environ={variable: "eu-west-1"}, tunables=QUICK_RETRIES) as uploader:
        summary = await uploader.run()
    assert summary.counters.uploaded == 0
    assert all("check region" in (row.error or "") for row in here.manifest())
    async with Uploader(here.resolved(), environ={variable: "us-east-1"}, tunables=QUICK_RETRIES) as uploader:
        assert (await uploader.run()).exit_code == 0
    here.assert_uploaded()
