"""What SECURITY.md names as proof is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_file_that_it_names_exists() -> None:
    """Tests, modules and pages."""
    text = (ROOT / "SECURITY.md").read_text()
    found = re.findall(r"\[([^\]]+)\]\(([^)]+)\)|`(bulkup/[^`]+)`", text)
    named = {target for targets in found for target in targets if target}
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
