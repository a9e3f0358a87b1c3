"""What a provider is told of a file, and what a user is told of a place that is taken."""

from __future__ import annotations

import os

from bulkup.journal import Holder
from bulkup.model.files import Digest, FoundFile, Identity, Place, Source
from bulkup.pipeline.scan.decision import place_taken, spec_of

SOURCE = Source(b"/data")


def test_a_provider_is_told_a_files_name_path_extension_and_time() -> None:
    """The time in seconds; the digest where there is one."""
    file = FoundFile(SOURCE, b"a/B.tar.GZ", Identity(7, 1_500_000_000_500_000_000, 1, 2, 3))
    spec = spec_of(file)
    assert (spec.name, spec.path, spec.extension, spec.size) == ("B.tar.GZ", "a/B.tar.GZ", "gz", 7)
    assert (spec.modified, spec.digest) == (1_500_000_000.5, None)
    assert spec_of(file, Digest(b"d" * 16)).digest == Digest(b"d" * 16)


def test_bytes_that_are_no_text_are_kept_for_the_provider_to_judge() -> None:
    """As surrogates, from which the bytes can be had again; a name that begins with a dot has no extension."""
    spec = spec_of(FoundFile(SOURCE, b"d\xff/.bash\xferc", Identity(1, 0, 0, 0, 0)))
    assert os.fsencode(spec.path) == b"d\xff/.bash\xferc"
    assert spec.extension == ""


def test_a_taken_place_names_who_has_it() -> None:
    """By its path in the same source, by its full path in another one, and readably whatever its bytes."""
    holders = {b"b.png": b"/data", b"c.png": b"/other", b"\xff": b"/data"}
    reasons = [
        place_taken(Place("MAIN of asset a-1", exclusive=True), Holder(root, path), SOURCE, "metastudio").reason
        for path, root in holders.items()
    ]
    assert reasons == [
        f"its place at metastudio, MAIN of asset a-1, is that of {shown}: one file alone can stand there"
        for shown in ("b.png", "/other/c.png", "\ufffd")
    ]
