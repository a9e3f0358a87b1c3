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
