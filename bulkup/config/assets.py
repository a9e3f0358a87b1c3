"""The assets of MetaStudio that files belong to: the rules of a profile, and the values in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import orjson

from bulkup.config.asset_categories import ASSET_TYPES, AssetTypeName, wrong_category
from bulkup.config.checked_model import Before, CheckedModel, check
from bulkup.config.declaration import ValueForm, setting
from bulkup.config.setting_types import Identifier, Pattern
from bulkup.helpers.quick_dataclass import dataclass

_Category = Literal[
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
CATEGORIES: tuple[str, ...] = get_args(_Category)
ONE_CATEGORY = f"one of {', '.join(CATEGORIES)}"
Category = Annotated[_Category, ValueForm(ONE_CATEGORY, "NAME")]

ONE_TYPE = f"one of {', '.join(ASSET_TYPES)}"
AssetType = Annotated[AssetTypeName, ValueForm(ONE_TYPE, "NAME")]


@dataclass(frozen=True, slots=True)
class Asset:
    """The values that one line of an asset map gives to its file. With None, the profile's own value applies."""

    asset_id: str
    asset_file_category: str | None = None
    name: str | None = None
    asset_type: str | None = None


class AssetRule(CheckedModel):
    """Files whose path matches belong to this asset. `match` is a pattern in gitignore form, relative to the source."""

    match: Pattern = setting(..., "The files that the rule applies to, relative to their source.")
    asset_id: Identifier = setting(..., "The asset that the files belong to.")
    asset_file_category: Category | None = setting(
        None, "The category of the files in the asset.", about_default="The profile's category is used."
    )
    asset_type: AssetType | None = setting(
        None, "The type of the asset. The category is checked against it.", about_default="Nothing is checked."
    )

    @classmethod
    @check("match")
    def _can_match(cls, value: str, _others: Mapping[str, Any]) -> str:
        if value.startswith("!"):
            raise ValueError("expected a pattern that can match; one that begins with ! only excludes")
        return value

    @classmethod
    @check("asset_type")
    def _has_the_category(cls, value: str | None, others: Mapping[str, Any]) -> str | None:
        category = others.get("asset_file_category")
        if category is not None and (reason := wrong_category(value, category)) is not None:
            raise ValueError(f"expected a type with the category: {reason}")
        return value


def _rules(value: Any) -> Any:
    """Parse the text of an environment variable, which is JSON."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"expected a JSON list of rules; this is not JSON: {error}") from error


AssetRules = Annotated[
    tuple[AssetRule, ...],
    Before(_rules),
    ValueForm(
        "a list of rules, each with match, asset_id and, if wanted, asset_file_category and asset_type",
        kind="table",
        in_environment="a JSON list of the rules",
    ),
]
