"""Remote ids that the service issued, and the file of each."""

from __future__ import annotations

from bulkup.pipeline.presign.issued_ids import IssuedIds


def test_an_id_belongs_to_the_first_file_that_got_it() -> None:
    issued = IssuedIds()
    assert not issued.to_another("id", b"/data/a")
    assert not issued.to_another("id", b"/data/a")
    assert issued.to_another("id", b"/data/b")
    assert not issued.to_another("other id", b"/data/b")


def test_ids_of_long_ago_are_forgotten() -> None:
    """Memory is bounded. The ids of files in flight are far fewer."""
    issued = IssuedIds()
    for number in range(20_000):
        assert not issued.to_another(f"id-{number}", b"/data/a")
    assert not issued.to_another("id-0", b"/data/b")
    assert issued.to_another("id-19999", b"/data/b")
