"""A whole run in one call, for programs: `upload` in async code, `upload_sync` in other code."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from bulkup.api.run_summary import Summary
from bulkup.api.uploader import Uploader
from bulkup.config import Settings, load
from bulkup.config.checked_model import ValidationError
from bulkup.errors import UsageError
from bulkup.model.progress import Progress

_INTERVAL = 1.0  # seconds between two calls of `on_progress`

OnProgress = Callable[[Progress], Awaitable[None]]


async def upload(
    *sources: str,
    profile: str | None = None,
    config: str | None = None,
    environ: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> Summary:
    """Upload sources in one call and return the summary: `await upload("media", provider="local")`.

    Settings are given by name, as in docs/settings.md. With a `profile` they are read as the command reads them: those
    given here override the environment, which overrides the profile in the file `config`, or in the one that is found.
    Sources replace those of the profile. `on_progress` is awaited once a second, and at the end.

    Raises `BulkupError` when the run cannot be started.
    """
    variables = os.environ if environ is None else environ
    if profile is None:
        chosen, file = _checked({"source": sources, **settings}), None
    else:
        given = {"source": list(sources) or None, **settings}
        resolved = load(given, profile=profile, config_file=config, environ=variables, cwd=os.getcwd())
        chosen, file = resolved.settings, resolved.config_file
    async with Uploader(chosen, profile=profile, config_file=file, environ=environ) as uploader:
        if on_progress is None:
            return await uploader.run()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_report, uploader, on_progress)
            summary = await uploader.run()
            tasks.cancel_scope.cancel()
        await on_progress(uploader.progress())
        return summary


def upload_sync(*sources: str, **options: Any) -> Summary:
    """Upload sources like `upload`, from code that is not async. It takes the same options, and returns at the end.

    Raises RuntimeError where an event loop runs already: there, `await upload(...)`.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return anyio.run(functools.partial(upload, *sources, **options))
    raise RuntimeError("an event loop runs in this thread: use `await upload(...)`")


def _checked(settings: Mapping[str, Any]) -> Settings:
    try:
        return Settings(**settings)
    except ValidationError as error:
        raise UsageError(f"a setting is invalid: {error}", hint="see docs/settings.md") from error


async def _report(uploader: Uploader, on_progress: OnProgress) -> None:
    while True:
        await anyio.sleep(_INTERVAL)
        await on_progress(uploader.progress())
