"""Lists of names: where names end, and pipes that are empty for a while."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import ExitCode, ListError, UsageError
from bulkup.pipeline.scan.name_list import listed_names

names = st.binary(min_size=1).filter(lambda name: b"\0" not in name and b"\n" not in name)


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a\nb")
    os.close(writing)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert list(listed_names("-", null=False)) == [b"a", b"b"]
        assert not stdin.buffer.closed  # the next file or socket must not become descriptor 0


@given(st.lists(names, max_size=20), st.integers(1, 9), st.booleans(), st.booleans())
def test_names_do_not_depend_on_the_block_size(wanted: list[bytes], block: int, null: bool, ended: bool) -> None:
    """A name may span two blocks, and the last name needs no end."""
    end = b"\0" if null else b"\n"
    content = end.join(wanted) + (end if ended else b"")
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        assert list(listed_names(file.name, null=null, block=block)) == wanted


def test_a_list_is_read_as_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names arrive before the list ends, and an empty pipe does not block."""
    reading, writing = os.pipe()
    os.write(writing, b"0\n1\n2\n")
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        endless = listed_names("-", null=False)
        assert list(itertools.islice(endless, 4)) == [b"0", b"1", b"2", None]
        os.close(writing)
        assert list(endless) == []


def test_a_name_that_no_file_can_have_at_the_beginning_is_wrong_usage() -> None:
    """Nothing was started by then."""
    for content in (b"a.mp4\0b.mp4\0", b"x" * 5000, b"x" * 5000 + b"\na\n"):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            with pytest.raises(UsageError):
                list(listed_names(file.name, null=False))


@pytest.mark.parametrize("null", [True, False])
def test_a_name_that_no_file_can_have_ends_the_list_after_the_names_before(null: bool) -> None:
    """The run has begun, so its exit code is that of an incomplete run."""
    end = b"\0" if null else b"\n"
    with tempfile.NamedTemporaryFile() as file:
        file.write(end.join([b"a", b"b", b"x" * 5000, b"c"]))
        file.flush()
        listed = listed_names(file.name, null=null)
        assert list(itertools.islice(listed, 2)) == [b"a", b"b"]
        with pytest.raises(ListError, match="after 2 names") as raised:
            next(listed)
    assert raised.value.exit_code is ExitCode.INCOMPLETE


@pytest.mark.parametrize("null", [True, False])
def test_empty_names_before_it_were_not_passed_on(null: bool) -> None:
    """Nothing was started by then either."""
    end = b"\0" if null else b"\n"
    with tempfile.NamedTemporaryFile() as file:
        file.write(end.join([b"", b"", b"x" * 5000, b"c"]))
        file.flush()
        with pytest.raises(UsageError):
            list(listed_names(file.name, null=null))
