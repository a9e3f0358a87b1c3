"""Which asset a file goes to at MetaStudio: the rules of a profile and the values they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator

from bulkup.config import kinds
from bulkup.config.kinds import setting

Category = Literal[
    "MAIN",
    "COVER",
    "PAGE",
    "SAMPLE",
    "OTHER",
    "WHOLE_MODEL",
    "USER_MODIFIED_MODEL",
    "TEMPORARY",
    "PACKAGE",
]
CATEGORIES: tuple[str, ...] = get_args(Category)
ONE_CATEGORY = f"one of {', '.join(CATEGORIES)}"


@dataclass(frozen=True, slots=True)
class Asset:
    """What one line of an asset map says of its file. None: as without the map."""

    asset_id: str
    asset_file_category: str | None = None
    name: str | None = None


class AssetRule(BaseModel):
    """Files whose path matches go to this asset. `match` is one pattern in gitignore form, relative to the source."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    match: kinds.Pattern = setting(
        ..., "a pattern in gitignore form", "Which files, relative to their source, the rule is about."
    )
    asset_id: kinds.Identifier = setting(..., kinds.IDENTIFIER, "The asset that they go to.")
    asset_file_category: Category | None = setting(None, ONE_CATEGORY, "What they are to it; the profile's if not set.")

    @field_validator("match")
    @classmethod
    def _can_match(cls, value: str) -> str:
        if value.startswith("!"):
            raise ValueError("expected a pattern that can match; one that begins with ! only takes away")
        return value


def _rules(value: Any) -> Any:
    """Read the text of a variable, which is JSON."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"expected a JSON list of rules; this is no JSON: {error}") from error


AssetRules = Annotated[tuple[AssetRule, ...], BeforeValidator(_rules)]
