"""Compared values of entries that belong to no file: a message shows them without text that no file has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.providers.http.compared_keys import comparison

KNOWN = ["d/a b.mp4", "a b.mp4"]


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ("a b.mp4", '"a b.mp4"'),
        ("A B.MP4", '"A B.MP4"'),
        ("a%20b.mp4", '"a%20b.mp4"'),
        ("b.mp4", '"b.mp4"'),
        ("/media/d/a b.mp4", '"...d/a b.mp4"'),
        ("https://s.example/d/a b.mp4?X-Amz-Signature=s3cret", '"...d/a b.mp4..."'),
        ("c2VjcmV0", "a text of length 8"),
        ("https://s.example/s3cret", "a text of length 24"),
    ],
)
def test_a_value_is_shown_as_far_as_the_files_have_it(found: str, shown: str) -> None:
    assert comparison("d/a b.mp4", [found], KNOWN) == f'no entry has "d/a b.mp4", but one has {shown}'


def test_the_first_values_are_shown() -> None:
    assert comparison("a", [], ["a"]) == 'no entry has "a"'
    found = ["x/b.mp4", "1", "22", "333", "4444"]
    shown = '"...b.mp4", a text of length 1, a text of length 2, 2 more'
    assert comparison("a.mp4", found, ["a.mp4", "b.mp4"]) == f'no entry has "a.mp4", but they have {shown}'


@given(secret=st.text("XYZ789", min_size=4, max_size=40), around=st.sampled_from(["{}", "{}/abc", "abc?{}", "é{}abc"]))
def test_no_other_text_of_the_answer_is_shown(secret: str, around: str) -> None:
    assert secret not in comparison("d/abc", [around.format(secret)], ["d/abc", "abc"])
