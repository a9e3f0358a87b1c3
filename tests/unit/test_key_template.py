"""Object keys from a template."""

from __future__ import annotations

import pytest

from bulkup.providers import FileSpec
from bulkup.providers.key_template import KeyTemplate, fault_of_key

SPEC = FileSpec("b{c.tar.gz", "a/b{c.tar.gz", "gz", 7, modified=1_700_000_000.5)


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("{path}", "a/b{c.tar.gz"),
        ("up/{path}.x", "up/a/b{c.tar.gz.x"),
        ("{{{path}}}", "{a/b{c.tar.gz}"),
        ("{date}/{path}", "2023-11-14/a/b{c.tar.gz"),
        ("{stem}-{ext}-{name}", "b{c.tar-gz-b{c.tar.gz"),
        ("{path}/{path}", "a/b{c.tar.gz/a/b{c.tar.gz"),
    ],
)
def test_the_key_of_a_file(template: str, key: str) -> None:
    assert KeyTemplate(template)(SPEC) == key


@pytest.mark.parametrize("modified", [-1.0, 0.0, 253_402_300_799.0])
def test_the_date_of_an_early_or_late_change(modified: float) -> None:
    key = KeyTemplate("{date}/{name}")(FileSpec("n", "n", "", 1, modified=modified))
    assert key in ("1969-12-31/n", "1970-01-01/n", "9999-12-31/n")


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("a/b", None),
        ("a" * 1024, None),
        ("a" * 1025, "its object key has 1025 bytes, and s3 accepts at most 1024"),
        ("ü" * 512, None),
        ("ü" * 513, "its object key has 1026 bytes, and s3 accepts at most 1024"),
        ("a\udcff", "its name is not UTF-8, and s3's object keys are"),
        ("a//b", "its object key has a part that is empty, `.` or `..`"),
        ("a/../b", "its object key has a part that is empty, `.` or `..`"),
        ("./b", "its object key has a part that is empty, `.` or `..`"),
    ],
)
def test_keys_that_no_service_takes(key: str, fault: str | None) -> None:
    assert fault_of_key(key, "s3") == fault
