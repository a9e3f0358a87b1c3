"""The categories of each type of asset, as the service's page lists them."""

from __future__ import annotations

import pytest

from bulkup.config.asset_categories import ASSET_TYPES, wrong_category
from bulkup.config.assets import CATEGORIES

PAGE = {
    "SCENE": "MAIN COVER OTHER",
    "ANIMATION": "MAIN COVER OTHER",
    "MATERIAL": "MAIN COVER OTHER",
    "IMAGE": "MAIN COVER OTHER",  # in another line of the page: only MAIN
    "VIDEO": "MAIN COVER OTHER",  # in another line of the page: MAIN and COVER
    "PPT": "MAIN COVER PAGE OTHER",
    "HUMAN_MODEL": "MAIN COVER WHOLE_MODEL USER_MODIFIED_MODEL OTHER",
    "VOICE_MODEL": "MAIN SAMPLE OTHER",
    "HUMAN_MODEL_2D": "MAIN COVER SAMPLE OTHER",
    "BUSINESS_CARD_TEMPLET": "MAIN COVER",
}
NEWER = {"TEMPORARY", "PACKAGE"}  # the page knows no type for them


@pytest.mark.parametrize("asset_type", PAGE)
def test_each_type_has_the_categories_of_the_page(asset_type: str) -> None:
    allowed = {category for category in CATEGORIES if wrong_category(asset_type, category) is None}
    assert allowed == {*PAGE[asset_type].split(), *NEWER}


def test_every_type_of_the_page_is_known() -> None:
    assert set(ASSET_TYPES) == set(PAGE)


def test_without_a_type_every_category_is_allowed() -> None:
    assert {wrong_category(None, category) for category in CATEGORIES} == {None}
