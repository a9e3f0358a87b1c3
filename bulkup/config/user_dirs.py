"""The user's folders for configuration, state and data.

`platformdirs` reads only the environment of the process. The XDG variables of the environment that is passed in take
precedence, so that tests and other callers can choose the folders.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

from bulkup.errors import UsageError

_APP = "bulkup"


def user_config_dir(environ: Mapping[str, str]) -> str | None:
    """Return the folder of the user's `bulkup.toml`, None if the user has no home directory."""
    with contextlib.suppress(RuntimeError):
        return _from_xdg("XDG_CONFIG_HOME", environ) or _from_system("user_config_dir")
    return None


def user_state_dir(environ: Mapping[str, str]) -> str:
    """Return the folder of the journals. Raises UsageError if the user has no home directory."""
    try:
        return _from_xdg("XDG_STATE_HOME", environ) or _from_system("user_state_dir")
    except RuntimeError as error:
        options = "a file with --journal, and for --provider local also a folder with --store"
        raise _homeless("journal", options, "XDG_STATE_HOME") from error


def user_data_dir(environ: Mapping[str, str]) -> str:
    """Return the folder of the embedded server's store. Raises UsageError if the user has no home directory."""
    try:
        return _from_xdg("XDG_DATA_HOME", environ) or _from_system("user_data_dir")
    except RuntimeError as error:
        raise _homeless("store", "a folder with --store", "XDG_DATA_HOME") from error


def home_expanded(path: str) -> str:
    """Return a path with `~` replaced. Raises UsageError if the user has no home directory."""
    expanded = os.path.expanduser(path)
    if expanded == path and path.split("/", maxsplit=1)[0] == "~":
        hint = "set HOME, or write the path without ~"
        raise UsageError(f"{path} is in the home directory, and this user has none", hint=hint)
    return expanded


def _homeless(what: str, options: str, variable: str) -> UsageError:
    """Return the error for a user without HOME and without an entry in the system's list of users."""
    return UsageError(
        f"the {what} belongs into the home directory, and this user has none",
        hint=f"name {options}; or set HOME or {variable}",
    )


def _from_xdg(variable: str, environ: Mapping[str, str]) -> str | None:
    """Return the folder from an XDG variable. The specification says that relative paths are ignored."""
    folder = environ.get(variable, "")
    return os.path.join(folder, _APP) if os.path.isabs(folder) else None


def _from_system(function: str) -> str:
    """Return the folder where the system keeps such files. Raises RuntimeError for a user without a home directory."""
    import platformdirs  # noqa: PLC0415  # most runs name their journal, or XDG_STATE_HOME

    return str(getattr(platformdirs, function)(_APP))
