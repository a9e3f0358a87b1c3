"""The types of MetaStudio's assets, and the categories of files that an asset of each type can have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

AssetTypeName = Literal[
    "SCENE",
    "ANIMATION",
    "VIDEO",
    "IMAGE",
    "MATERIAL",
    "PPT",
    "HUMAN_MODEL",
    "VOICE_MODEL",
    "HUMAN_MODEL_2D",
    "BUSINESS_CARD_TEMPLET",
]
ASSET_TYPES: tuple[str, ...] = get_args(AssetTypeName)

# docs/contracts.md section 3, "Categories of an asset's type". Where the page contradicts itself, the longer list.
_ANY_TYPE = ("TEMPORARY", "PACKAGE")  # newer than the page's lists
_CATEGORIES_OF: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("SCENE", "ANIMATION", "VIDEO", "IMAGE", "MATERIAL"), ("MAIN", "COVER", "OTHER")),
    "PPT": ("MAIN", "COVER", "PAGE", "OTHER"),
    "HUMAN_MODEL": ("MAIN", "COVER", "WHOLE_MODEL", "USER_MODIFIED_MODEL", "OTHER"),
    "VOICE_MODEL": ("MAIN", "SAMPLE", "OTHER"),
    "HUMAN_MODEL_2D": ("MAIN", "COVER", "SAMPLE", "OTHER"),
    "BUSINESS_CARD_TEMPLET": ("MAIN", "COVER"),
}


def wrong_category(asset_type: str | None, category: str) -> str | None:
    """Return why an asset of this type cannot have a file of this category, None if it can, or is of unknown type."""
    if asset_type is None or category in (*_CATEGORIES_OF[asset_type], *_ANY_TYPE):
        return None
    return f"an asset of type {asset_type} has no {category} files, only {', '.join(_CATEGORIES_OF[asset_type])}"
