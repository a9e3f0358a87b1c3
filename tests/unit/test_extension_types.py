"""The setting `extensions`, from a profile, a variable or options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bulkup.config import load
from bulkup.config.extension_types import parse_extensions
from bulkup.errors import UsageError


@pytest.mark.parametrize(
    ("given", "types"),
    [
        ({}, {}),
        ({"mpeg": "video", "gif": "gif"}, {"mpeg": "video", "gif": "gif"}),
        ({".MPEG": "video"}, {"mpeg": "video"}),
        ({"ogg": "none", "amr": False}, {"ogg": "none", "amr": "none"}),
        (["mpeg=video", " gif = image "], {"mpeg": "video", "gif": "image"}),
        (("webm=audio",), {"webm": "audio"}),
        ("webm=audio", {"webm": "audio"}),
    ],
)
def test_forms_of_the_value(given: Any, types: dict[str, str]) -> None:
    assert parse_extensions(given) == types


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"mpeg": "movie"}, "a type is video, audio, image, gif, or none"),
        ({"mpeg": True}, "such as mpeg=video"),
        ({"mpeg": ["video"]}, "such as mpeg=video"),
        ({"": "video"}, "1 to 32 letters and digits"),
        ({"tar.gz": "video"}, "1 to 32 letters and digits"),
        ({"\u00e9": "video"}, "1 to 32 letters and digits"),
        ({"mpeg": "video", "MPEG": "audio"}, "mpeg is given twice"),
        (["mpeg=video", "mpeg=audio"], "mpeg is given twice"),
        (["mpeg"], "such as mpeg=video"),
        ([1], "such as mpeg=video"),
        (7, "such as mpeg=video"),
    ],
)
def test_wrong_values_are_explained(given: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^expected extensions with their type.*{reason}"):
        parse_extensions(given)


def test_every_layer_can_set_it(tmp_path: Path) -> None:
    """A profile with an inline table or a table of its own, a variable with commas, and repeated options."""
    wanted = {"mpeg": "video", "gif": "none"}
    (tmp_path / "bulkup.toml").write_text(
        '[profiles.one]\nextensions = { mpeg = "video", gif = false }\n'
        '[profiles.two.extensions]\nmpeg = "video"\ngif = "none"\n'
    )
    rest: dict[str, Any] = {"config_file": None, "cwd": str(tmp_path)}
    for profile in ("one", "two"):
        assert load({}, profile=profile, environ={}, **rest).settings.extensions == wanted
    environ = {"BULKUP_EXTENSIONS": "mpeg=video,gif=none"}
    assert load({}, profile=None, environ=environ, **rest).settings.extensions == wanted
    options = {"extensions": ["mpeg=video", "gif=none"]}
    assert load(options, profile="one", environ=environ, **rest).settings.extensions == wanted


def test_a_wrong_value_is_reported_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").write_text('[profiles.one]\n\nextensions = { mpeg = "film" }\n')
    with pytest.raises(UsageError) as raised:
        load({}, profile="one", config_file=None, environ={}, cwd=str(tmp_path))
    assert "bulkup.toml:3" in raised.value.message
    assert "extensions: expected extensions with their type" in raised.value.message
