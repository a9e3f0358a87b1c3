"""`bulkup config check --online` against a running server."""

from __future__ import annotations

from pathlib import Path

from e2e_world import World, run, serving

PROFILE = '[profiles.nightly]\nprovider = "magic-hour"\nsource = "{source}"\nbase_url = "{url}"\ntoken = "env:KEY"\n'


def test_a_profile_is_checked_with_one_call(tmp_path: Path) -> None:
    world = World(tmp_path)
    with serving(world.store) as url:
        (tmp_path / "x.toml").write_text(PROFILE.format(source=world.source, url=url))
        check = ("config", "check", "--online", "--config", str(tmp_path / "x.toml"))
        done = run(*check, env={"KEY": "local-token"}).expect(0)
        assert "nightly: the service issued an upload URL" in done.out
        assert done.out.endswith("1 profile is fine\n")
        refused = run(*check, env={"KEY": "hunter2"}).expect(4, "check the credentials", "bulkup doctor")
        assert "hunter2" not in refused.out + refused.err


def test_a_description_that_does_not_fit_the_answer_refers_to_a_trial(tmp_path: Path) -> None:
    """The network and the clock are not at fault, so no other check is recommended."""
    world = World(tmp_path)
    described = """
[profiles.vendor]
provider = "http"
source = "{source}"
base_url = "{url}"
token = "env:KEY"
[profiles.vendor.http]
batch_size = 10
[profiles.vendor.http.presign]
path = "/v1/files/upload-urls"
headers = {{ Authorization = "Bearer {{token}}" }}
item = {{ type = "video", extension = "mp4" }}
body = {{ items = "{{items}}" }}
[profiles.vendor.http.answer]
tickets = "elsewhere.list"
url = "upload_url"
"""
    with serving(world.store) as url:
        (tmp_path / "x.toml").write_text(described.format(source=world.source, url=url))
        check = ("config", "check", "--online", "--config", str(tmp_path / "x.toml"))
        done = run(*check, env={"KEY": "local-token"}).expect(4, "http.answer.tickets", "bulkup provider try FILE")
        assert "doctor" not in done.out + done.err


def test_all_profiles_are_checked_and_the_worst_decides(tmp_path: Path) -> None:
    """A profile that fails does not hide the ones after it."""
    world = World(tmp_path)
    with serving(world.store) as url:
        profiles = [PROFILE.format(source=world.source, url=url).replace("nightly", name) for name in "abc"]
        profiles[0] = profiles[0].replace("env:KEY", "env:WRONG")
        profiles[2] = profiles[2].replace(url, "http://127.0.0.1:1")
        (tmp_path / "x.toml").write_text("\n".join(profiles))
        check = ("config", "check", "--online", "--config", str(tmp_path / "x.toml"))
        done = run(*check, env={"KEY": "local-token", "WRONG": "hunter2"}).expect(4, "2 of 3 profiles failed")
        starts = [line.partition(":")[0] for line in done.out.splitlines()]
        assert starts == ["a", "b", "b", "c"]
        assert "fine" not in done.out
        assert "hunter2" not in done.out + done.err
