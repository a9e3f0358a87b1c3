"""The image of examples/docker: it is built, its user is not root, and it uploads and keeps its journal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "examples/docker/Dockerfile"


def engine() -> str:
    """Return a program that builds and runs images here, or skip the test with the reason."""
    reasons = []
    for program in ("docker", "podman"):
        if shutil.which(program) is None:
            reasons.append(f"{program} is not installed")
            continue
        done = subprocess.run([program, "info"], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode == 0:
            return program
        reasons.append(f"`{program} info` failed: {' '.join(done.stderr.split())[:200]}")
    pytest.skip("; ".join(reasons))


def copied() -> list[str]:
    """Return the files and folders that the image is built from."""
    lines = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def test_the_copied_files_are_enough_to_build_the_package(tmp_path: Path) -> None:
    """Also where no image can be built."""
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("bulkup-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert "bulkup/cli/schedule/schedule_commands.py" in archive.namelist()
    pinned = (tmp_path / "constraints/dev.txt").read_text(encoding="utf-8")
    assert all(f"{name}==" in pinned for name in ("uvloop", "botocore"))


@pytest.fixture(scope="module")
def image() -> Iterator[tuple[str, str]]:
    program, name = engine(), f"bulkup-test-{uuid.uuid4().hex[:8]}"
    command = [program, "build", "--file", str(DOCKERFILE), "--tag", name, str(ROOT)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "DOCKER_BUILDKIT": "1"}
    )
    assert done.returncode == 0, done.stderr[-4000:]
    yield program, name
    subprocess.run([program, "rmi", "--force", name], capture_output=True, check=False)


@pytest.mark.slow
def test_the_image_uploads_as_a_user_and_keeps_its_journal(image: tuple[str, str], tmp_path: Path) -> None:
    program, name = image
    source = tmp_path / "media"
    source.mkdir()
    (source / "a.mp4").write_bytes(b"x" * 1000)
    (tmp_path / "bulkup.toml").write_text('[profiles.nightly]\nprovider = "local"\nsource = ["/data"]\n')
    for path in (tmp_path, source, source / "a.mp4", tmp_path / "bulkup.toml"):
        path.chmod(0o755)
    volume = f"{name}-state"
    run = [program, "run", "--rm", "--volume", f"{volume}:/state", "--volume", f"{source}:/data:ro"]
    run += ["--volume", f"{tmp_path}/bulkup.toml:/etc/bulkup.toml:ro", "--read-only", "--tmpfs", "/tmp"]
    upload = [*run, name, "upload", "--profile", "nightly", "--config", "/etc/bulkup.toml", "--json"]
    try:
        first, second = (subprocess.run(upload, capture_output=True, text=True, check=False) for _ in range(2))
        assert first.returncode == 0, first.stderr
        assert '"uploaded":1' in first.stdout
        assert '"skipped":1' in second.stdout, second.stderr
        user = subprocess.check_output([*run, "--entrypoint", "id", name, "-u"], text=True)
        assert user.strip() == "10001"
    finally:
        subprocess.run([program, "volume", "rm", "--force", volume], capture_output=True, check=False)
