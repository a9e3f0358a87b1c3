"""Reads the profile of a run again, on SIGHUP. Only the limit on the bandwidth takes effect during a run.

The later runs of a watch have all settings as the profile then has them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import anyio

from bulkup.api import Uploader
from bulkup.cli.run_settings import current_folder
from bulkup.config import ResolvedSettings, Settings, load
from bulkup.config.catalogue import SETTINGS
from bulkup.errors import BulkupError
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.log_events import LogEvent

_log = EventLogger("bulkup")
_FROM_OPTION = "option"


async def reload_profile(uploader: Uploader, resolved: ResolvedSettings) -> None:
    """Limit the bandwidth as the profile now says. After an error in the file, everything stays as it was."""
    try:
        settings = (await anyio.to_thread.run_sync(_read_again, resolved)).settings
    except BulkupError as error:
        _log.warning(LogEvent.SETTINGS_NOT_RELOADED, reason=error.message)
        return
    if resolved.origins["bwlimit"] == _FROM_OPTION:
        reason = "bwlimit is given as an option, which overrides the profile"
        _log.warning(LogEvent.SETTINGS_NOT_RELOADED, reason=reason)
        return
    uploader.limit_bandwidth(settings.bwlimit)
    _log.info(LogEvent.SETTINGS_RELOADED, bwlimit=str(settings.bwlimit or "off"))


async def read_profile_again(resolved: ResolvedSettings, check: Callable[[Settings], None]) -> ResolvedSettings | None:
    """Return the settings as the profile now has them, without changes of those that options give.

    None after an error in the file, or in the settings by `check`, which raises `UsageError`. The error is logged.
    """
    given = [SETTINGS[name].field for name, origin in resolved.origins.items() if origin == _FROM_OPTION]
    kept = {field: getattr(resolved.settings, field) for field in given}
    try:
        again = await anyio.to_thread.run_sync(_read_again, resolved)
        settings = again.settings.model_copy(update=kept)
        check(settings)
    except BulkupError as error:
        _log.warning(LogEvent.SETTINGS_NOT_RELOADED, reason=error.message)
        return None
    _log.info(LogEvent.SETTINGS_RELOADED, bwlimit=str(settings.bwlimit or "off"))
    return dataclasses.replace(again, settings=settings, origins=resolved.origins)


def _read_again(resolved: ResolvedSettings) -> ResolvedSettings:
    """Return the settings of the file and the environment. It blocks. Raises `UsageError`."""
    return load(
        {}, profile=resolved.profile, config_file=resolved.config_file, environ=os.environ, cwd=current_folder()
    )
