"""The settings of a bench, and their checks."""

from __future__ import annotations

import pytest

from bulkup.api.bench.bench_settings import bench_extension, bench_settings, check_bench
from bulkup.config import SecretSource, Settings
from bulkup.errors import UsageError


def test_the_settings_of_a_bench() -> None:
    """Settings about the user's own files and scheduled runs are replaced, those about connections are kept."""
    of_the_user = Settings(
        provider="metastudio",
        project_id="p",
        asset_id="a",
        access_key=SecretSource.parse("access_key", "key"),
        secret_key=SecretSource.parse("secret_key", "secret"),
        source=("media",),
        include=("*.png",),
        min_size=10,
        min_age=100.0,
        asset_file_category="MAIN",
        max_duration=5.0,
        wait=True,
        idle_timeout=7.0,
        ca_file="ca.pem",
    )
    settings = bench_settings(of_the_user)
    assert (settings.source, settings.include, settings.min_size, settings.min_age) == ((), (), None, 0.0)
    assert (settings.asset_file_category, settings.max_duration, settings.wait) == ("OTHER", None, False)
    assert (settings.idle_timeout, settings.ca_file, settings.project_id) == (7.0, "ca.pem", "p")
    assert check_bench(of_the_user, (1, 1000), profile=None).name == "metastudio"


@pytest.mark.parametrize(
    ("settings", "sizes", "complaint"),
    [
        ({"provider": "magic-hour"}, (1,), "needs token"),
        ({"provider": "xvid", "token": "x"}, (1,), "needs pipeline_id"),
        ({"provider": "metastudio", "token": "x", "project_id": "p", "asset_map": "map.csv"}, (1,), "needs asset_id"),
        ({"provider": "magic-hour", "token": "x"}, (1, 6 << 30), "rejects such a file"),
        (
            {"provider": "magic-hour", "token": "x", "batch_size": 100_000},
            (1,),
            "accepts at most 1000 files in one call",
        ),
        ({}, (1,), "no provider"),
    ],
)
def test_missing_settings_are_reported_first(
    settings: dict[str, object], sizes: tuple[int, ...], complaint: str
) -> None:
    """Before the user is asked to confirm."""
    with pytest.raises(UsageError, match=complaint):
        check_bench(Settings.model_validate(settings), sizes, profile=None)


@pytest.mark.parametrize(
    ("extensions", "chosen"),
    [([], "mp4"), (["png", "jpg"], "jpg"), (["png", "mp4"], "mp4"), ({"*": "other"}, "mp4"), ([""], "")],
)
def test_a_described_service_gets_files_that_it_takes(extensions: object, chosen: str) -> None:
    http = {"url": "https://dav.example/{path}", "extensions": extensions}
    provider = check_bench(Settings.model_validate({"provider": "http", "http": http}), (1,), profile=None)
    assert bench_extension(provider) == chosen
