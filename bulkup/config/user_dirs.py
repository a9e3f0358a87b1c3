"""The user's folders for configuration, state and data.

`platformdirs` reads only the environment of the process. The XDG variables of the environment that is passed in take
precedence, so that tests and other callers can choose the folders.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import platformdirs

_APP = "bulkup"


def user_config_dir(environ: Mapping[str, str]) -> str:
    """Return the folder of the user's `bulkup.toml`."""
    return _from_xdg("XDG_CONFIG_HOME", environ) or str(platformdirs.user_config_path(_APP))


def user_state_dir(environ: Mapping[str, str]) -> str:
    """Return the folder of the journals."""
    return _from_xdg("XDG_STATE_HOME", environ) or str(platformdirs.user_state_path(_APP))


def user_data_dir(environ: Mapping[str, str]) -> str:
    """Return the folder of the embedded server's store."""
    return _from_xdg("XDG_DATA_HOME", environ) or str(platformdirs.user_data_path(_APP))


def _from_xdg(variable: str, environ: Mapping[str, str]) -> str | None:
    """Return the folder from an XDG variable. The specification says that relative paths are ignored."""
    folder = environ.get(variable, "")
    return os.path.join(folder, _APP) if os.path.isabs(folder) else None
