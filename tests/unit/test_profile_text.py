"""The text of a profile is what TOML reads back."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from bulkup.config.profile_text import profile_lines

TEXTS = st.text(st.characters(codec="utf-8"))


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,10}", fullmatch=True), TEXTS | st.lists(TEXTS)))
def test_toml_reads_the_values_back(values: dict[str, str | list[str]]) -> None:
    assert tomllib.loads(profile_lines("nightly", values)) == {"profiles": {"nightly": values}}
