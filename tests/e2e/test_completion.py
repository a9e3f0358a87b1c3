"""The values that the shell completes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from e2e_world import World, environment

PROFILES = "[profiles.nightly]\nattempts = 3\n[profiles.night-shift]\n[profiles.weekly]\n"


def completed(folder: Path, words: str) -> list[str]:
    """Ask as bash does. The name of the variable follows from that of the command, so it must be the script."""
    asked = {"_BULKUP_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    script = Path(sys.executable).with_name("bulkup")
    done = subprocess.run([script], cwd=folder, env=environment(asked), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return sorted(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("bulkup upload --profile nig", ["night-shift", "nightly"]),
        ("bulkup status --profile w", ["weekly"]),
        ("bulkup config check --profile w", ["weekly"]),
        ("bulkup upload --provider m", ["magic-hour", "metastudio", "move-ugc"]),
        ("bulkup upload --unsupported ", ["report", "skip"]),
        ("bulkup upload --log-level w", ["warning"]),
        ("bulkup upload --attempts ", []),
    ],
)
def test_values(tmp_path: Path, words: str, values: list[str]) -> None:
    (tmp_path / "bulkup.toml").write_text(PROFILES)
    assert completed(tmp_path, words) == values


def test_a_file_with_mistakes_completes_nothing(tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").write_text("[profiles.nightly\n")
    assert completed(tmp_path, "bulkup upload --profile ") == []


def test_the_runs_of_the_journal_that_the_other_words_name(tmp_path: Path) -> None:
    world = World(tmp_path)
    (world.source / "a.mp4").write_bytes(b"a")
    id_of = world.upload(*world.local).expect(0).summary["run"][:8]
    words = f"bulkup manifest --journal {world.journal} --since "
    assert completed(tmp_path, words) == sorted(["last", id_of])
    assert completed(tmp_path, words + id_of[:3]) == [id_of]
    assert completed(tmp_path, f"bulkup manifest --journal {tmp_path}/none --since ") == []
