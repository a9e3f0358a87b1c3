"""`bulkup provider`: the profile that it writes, and one file with each step shown."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from e2e_world import run, serving

from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS

PROFILE = """\
[profiles.vendor]
provider = "http"
source = ["."]
base_url = "{url}"
token = "env:VENDOR_TOKEN"
[profiles.vendor.http]
extensions = {{ mp4 = "video" }}
[profiles.vendor.http.presign]
path = "/v1/files/upload-urls"
headers = {{ Authorization = "Bearer {{token}}" }}
item = {{ type = "{{type}}", extension = "{{extension}}" }}
body = {{ items = "{{items}}" }}
[profiles.vendor.http.answer]
tickets = "items"
url = "{path}"
id = "file_path"
expires = "expires_at"
error = "message"
"""
TOKEN = "local-token"


@pytest.mark.parametrize("extra", [(), ("--url",)])
def test_a_new_profile_is_valid(tmp_path: Path, extra: tuple[str, ...]) -> None:
    """Its comments are the rest of the keys."""
    text = run("provider", "new", "acme", *extra, cwd=tmp_path).expect(0).out
    assert set(tomllib.loads(text)["profiles"]) == {"acme"}
    (tmp_path / "bulkup.toml").write_text(text)
    variables = {"ACME_TOKEN": "t", "ACME_KEY": "k"}
    assert run("config", "check", cwd=tmp_path, env=variables).expect(0).out == "1 profile is fine\n"
    uncommented = re.sub(r"^# (?=[a-z_]+ = |\[)", "", text, flags=re.MULTILINE)
    assert len(tomllib.loads(uncommented)["profiles"]["acme"]["http"]) > 2


@pytest.mark.parametrize(
    ("name", "variable"), [("acme-eu", "ACME_EU_TOKEN"), ("3d", "_3D_TOKEN"), ("VARIABLE-NAME", "VARIABLE_NAME_TOKEN")]
)
def test_the_token_of_a_new_profile_is_named_after_it(tmp_path: Path, name: str, variable: str) -> None:
    text = run("provider", "new", name, cwd=tmp_path).expect(0).out
    assert tomllib.loads(text)["profiles"][name]["token"] == f"env:{variable}"
    (tmp_path / "bulkup.toml").write_text(text)
    run("config", "check", cwd=tmp_path, env={variable: "t"}).expect(0)


def test_each_provider_is_listed_with_what_it_is_for() -> None:
    listed = dict(line.split(maxsplit=1) for line in run("provider", "list").expect(0).out.splitlines())
    assert set(PROVIDER_DECLARATIONS) <= set(listed)
    assert listed["http"] == "any other service, which the profile describes"


def test_a_profile_is_added_to_a_file(tmp_path: Path) -> None:
    """What is there stays, and a profile of the same name is not replaced. A new file is the user's alone."""
    run("provider", "new", "one", "--to", "bulkup.toml", cwd=tmp_path).expect(0)
    assert (tmp_path / "bulkup.toml").stat().st_mode & 0o777 == 0o600
    run("provider", "new", "two", "--to", "bulkup.toml", cwd=tmp_path).expect(0)
    assert set(tomllib.loads((tmp_path / "bulkup.toml").read_text())["profiles"]) == {"one", "two"}
    run("provider", "new", "two", "--to", "bulkup.toml", cwd=tmp_path).expect(2, 'has a profile "two" already')
    run("provider", "new", "a b", cwd=tmp_path).expect(2, "no name for a profile")
    run("provider", "new", "x", "--to", "no/such/folder.toml", cwd=tmp_path).expect(2, "cannot write")


def test_each_step_is_shown(tmp_path: Path) -> None:
    """Without the token, and without the signature of the URL."""
    (tmp_path / "clip.mp4").write_bytes(b"clip")
    with serving(tmp_path / "store") as url:
        (tmp_path / "bulkup.toml").write_text(PROFILE.format(url=url, path="upload_url"))
        done = run(
            "provider", "try", "clip.mp4", "--profile", "vendor", cwd=tmp_path, env={"VENDOR_TOKEN": TOKEN}
        ).expect(0)
        steps = [line for line in done.out.splitlines() if not line.startswith(" ")]
        assert steps == [
            "the file",
            "presign call: request",
            "presign call: answer",
            "what was read",
            "bytes: request",
            "bytes: answer",
            "storage has the bytes",
            "the file is uploaded",
        ]
        assert "Authorization: ***" in done.out
        assert '"extension": "mp4"' in done.out
        assert TOKEN not in done.out + done.err
        assert "X-Amz-Signature" not in done.out
        (tmp_path / "bulkup.toml").write_text(PROFILE.format(url=url, path="uploadUrl"))
        failed = run(
            "provider", "try", "clip.mp4", "--profile", "vendor", cwd=tmp_path, env={"VENDOR_TOKEN": TOKEN}
        ).expect(1)
        assert "http.answer.url found nothing" in failed.out
        assert "  the description does not fit this answer\n" in failed.out
        assert "transient" not in failed.out
        assert "file_path: text" in failed.out
        refused = run(
            "provider", "try", "clip.mp4", "--profile", "vendor", cwd=tmp_path, env={"VENDOR_TOKEN": "wrong"}
        ).expect(1)
        assert "status 401" in refused.out
        assert "  a run would end\n" in refused.out


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").write_text(PROFILE.format(url="http://127.0.0.1:9", path="url"))
    run("provider", "try", ".", "--profile", "vendor", cwd=tmp_path, env={"VENDOR_TOKEN": "t"}).expect(2, "name a file")


@pytest.mark.parametrize(
    ("source", "options", "path"),
    [
        ("media", (), "2024/a/clip.mp4"),
        ("media/2024", (), "a/clip.mp4"),
        ("elsewhere", (), "clip.mp4"),
        ("media/2024", ("--root", "media"), "2024/a/clip.mp4"),
        ("elsewhere", ("--root", "."), "media/2024/a/clip.mp4"),
    ],
)
def test_the_path_is_that_of_an_upload(tmp_path: Path, source: str, options: tuple[str, ...], path: str) -> None:
    """Of the profile's source, or of the folder that is named."""
    (tmp_path / "media/2024/a").mkdir(parents=True)
    (tmp_path / "media/2024/a/clip.mp4").write_bytes(b"clip")
    (tmp_path / "bulkup.toml").write_text(
        f'[profiles.dav]\nprovider = "http"\nsource = ["{source}"]\n'
        '[profiles.dav.http]\nurl = "http://127.0.0.1:9/store/{path}"\n'
    )
    file = "media/2024/a/clip.mp4"
    tried = run("provider", "try", file, *options, "--profile", "dav", cwd=tmp_path).expect(1)
    assert f"  path: {path}\n" in tried.out
    assert f"  url: http://127.0.0.1:9/store/{path}\n" in tried.out
    run("provider", "try", file, "--root", str(tmp_path / "media/2024/b"), "--profile", "dav", cwd=tmp_path).expect(
        2, "is not in"
    )


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").write_text(PROFILE.format(url="http://127.0.0.1:9", path="url"))
    run("provider", "try", "no.mp4", "--profile", "vendor", cwd=tmp_path, env={"VENDOR_TOKEN": "t"}).expect(
        2, "cannot use no.mp4: No such file or directory"
    )
