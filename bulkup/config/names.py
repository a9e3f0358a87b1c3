"""How one setting is called in the TOML file, in the environment, as an option and as a field of
`Settings`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from bulkup.config.secret_names import SECRETS
from bulkup.config.settings import Settings

ENVIRONMENT_PREFIX = "BULKUP_"

# Settings that no profile can hold, and why.
COMMAND_ONLY: Mapping[str, str] = {
    "json": "who reads standard output decides on its form, and that is whoever starts the command",
    "quiet": "it would silence the same profile for a person at a terminal",
}

PATHS = ("source", "ca_file", "files_from", "asset_map", "journal", "store")
URLS = ("base_url", "iam_url")
# A table in a file has more to it than an option can say.
TABLES = ("assets",)

# A pydantic model has a method of that name already.
_RENAMED = {"json_output": "json"}

FIELDS: Mapping[str, str] = {_RENAMED.get(field, field): field for field in Settings.model_fields}
SETTINGS: Mapping[str, str] = {field: setting for setting, field in FIELDS.items()}


def variable_of(setting: str) -> str:
    """Return the environment variable of a setting."""
    return ENVIRONMENT_PREFIX + setting.upper()


def option_of(setting: str) -> str | None:
    """Return the option of a setting; None for tables, and for secrets, because a command line is public (`ps`)."""
    if setting in SECRETS or setting in TABLES:
        return None
    return "SOURCE" if setting == "source" else "--" + setting.replace("_", "-")


def nearest(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the word that was probably meant, None where none is near."""
    return next(iter(difflib.get_close_matches(word, list(words), n=1, cutoff=cutoff)), None)


def suggestion(word: str, words: Iterable[str]) -> str:
    """Return a sentence that offers the nearest word, empty where none is near."""
    near = nearest(word, words)
    return f'did you mean "{near}"?' if near else ""
