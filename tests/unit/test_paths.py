"""The default paths of the journal and the store."""

import hashlib
import os
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from bulkup.config import (
    Settings,
    inside_any,
    journal_path,
    source_id_path,
    store_path,
)
from bulkup.errors import UsageError
from bulkup.journal import link_journal


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": f"{tmp_path}/state", "XDG_DATA_HOME": f"{tmp_path}/data"}


def test_a_named_journal_is_used(tmp_path: Path, environ: dict[str, str]) -> None:
    assert journal_path(Settings(journal="/j.db"), "nightly", [str(tmp_path / "a")], environ) == "/j.db"


def test_each_profile_has_its_own_journal(tmp_path: Path, environ: dict[str, str]) -> None:
    assert journal_path(Settings(), "nightly", [], environ) == f"{tmp_path}/state/bulkup/nightly.sqlite3"


ODD_NAMES = ("a/b", "a b", "../../etc/x", ".hidden", "ü", "", "x" * 300, "a\0b", "\udcff")


@pytest.mark.parametrize("profile", ODD_NAMES)
def test_every_profile_name_gives_a_distinct_file_in_the_folder(
    tmp_path: Path, environ: dict[str, str], profile: Any
) -> None:
    folder, name = os.path.split(journal_path(Settings(), profile, [], environ))
    assert folder == f"{tmp_path}/state/bulkup"
    assert name.isascii()
    assert len(name) < 255
    assert not name.startswith(".")
    assert "\0" not in name
    others = ("a_b", "a b", "_hidden", "_", "x" * 100, "______etc_x")
    assert name not in [f"{other}.sqlite3" for other in others if other != profile]


def test_without_a_profile_provider_and_sources_decide_the_journal(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    settings = Settings(provider="local")
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    roots = b"\0".join(os.fsencode(os.path.realpath(path)) for path in (a, b))
    digest = hashlib.sha256(roots).hexdigest()
    path = journal_path(settings, None, [b, a], environ)
    assert path == f"{tmp_path}/state/bulkup/local-{digest[:12]}.sqlite3"
    assert journal_path(settings, None, [a, b.encode(), str(tmp_path / "link")], environ) == path
    assert journal_path(settings, None, [a], environ) != path
    assert journal_path(Settings(provider="move-ugc"), None, [a, b], environ) != path


def test_the_name_of_a_source_decides_its_journal(tmp_path: Path, environ: dict[str, str]) -> None:
    media = Settings(provider="local", source_id="media")
    path = journal_path(media, None, ["/a"], environ)
    assert path == journal_path(media, None, ["/b"], environ) == source_id_path(media, None, environ)
    assert path.startswith(f"{tmp_path}/state/bulkup/local-id-")
    for changes in ({"source_id": "other"}, {"provider": "move-ugc"}):
        assert journal_path(media.model_copy(update=changes), None, ["/a"], environ) != path


def test_a_journal_from_before_the_source_had_a_name_is_used_further(tmp_path: Path, environ: dict[str, str]) -> None:
    """A run with the name adds the name to it. From then on it is found for any path of the source."""
    media = Settings(provider="local", source_id="media")
    earlier = journal_path(Settings(provider="local"), None, ["/a"], environ)
    os.makedirs(os.path.dirname(earlier))
    Path(earlier).touch()
    assert journal_path(media, None, ["/a"], environ) == earlier
    assert journal_path(media, None, ["/b"], environ) != earlier
    moved = media.model_copy(update={"source_id": "/a/"})
    assert journal_path(moved, None, ["/b"], environ) == earlier
    link_journal(earlier, str(source_id_path(media, None, environ)))
    assert journal_path(media, None, ["/b"], environ) == journal_path(media, None, ["/a"], environ) == earlier


def test_a_named_journal_or_profile_overrides_the_name_of_the_source(environ: dict[str, str]) -> None:
    media = Settings(provider="local", source_id="media")
    assert source_id_path(media, "nightly", environ) is None
    assert source_id_path(media.model_copy(update={"journal": "/j"}), None, environ) is None
    assert source_id_path(Settings(provider="local"), None, environ) is None


def test_without_xdg_variables_the_folders_of_the_system_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    state, data = platformdirs.user_state_path("bulkup"), platformdirs.user_data_path("bulkup")
    relative = {"XDG_STATE_HOME": "relative", "XDG_DATA_HOME": ""}
    assert journal_path(Settings(), "nightly", [], relative) == f"{state}/nightly.sqlite3"
    assert store_path(Settings(), [], relative) == f"{data}/store"


def test_a_journal_inside_a_source_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        journal_path(Settings(), "nightly", [str(tmp_path)], environ)
    assert f"bulkup/nightly.sqlite3 is inside the source {tmp_path}" in caught.value.message
    assert "--journal" in caught.value.hint


@pytest.mark.parametrize("inside", ["objects", "objects/local", "state"])
def test_a_source_inside_the_store_is_refused(tmp_path: Path, environ: dict[str, str], inside: str) -> None:
    """Each run would upload the objects of earlier runs. Its path may lead through a link."""
    (tmp_path / "store" / inside).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "store")
    (tmp_path / "storehouse").mkdir()
    settings = Settings(store=str(tmp_path / "store"))
    for source in (tmp_path / "store" / inside, tmp_path / "link" / inside):
        with pytest.raises(UsageError, match="inside the store") as caught:
            store_path(settings, [str(tmp_path / "storehouse"), str(source)], environ)
        assert "--store" in caught.value.hint
    assert store_path(settings, [str(tmp_path / "storehouse")], environ) == str(tmp_path / "store")


def test_a_store_inside_a_source_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    assert store_path(Settings(), [str(tmp_path / "a")], environ) == f"{tmp_path}/data/bulkup/store"
    with pytest.raises(UsageError, match=r"store: .* is inside the source") as caught:
        store_path(Settings(store=str(tmp_path / "a" / "s")), [str(tmp_path / "a")], environ)
    assert "--store" in caught.value.hint


def test_a_source_name_that_is_not_utf8_is_escaped_in_the_error(tmp_path: Path, environ: dict[str, str]) -> None:
    source = os.fsencode(tmp_path) + b"/\xff"
    with pytest.raises(UsageError) as caught:
        store_path(Settings(store=os.fsdecode(source + b"/s")), [source], environ)
    caught.value.message.encode()


def test_inside_any_compares_real_paths_and_whole_names(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    a = str(tmp_path / "a")
    assert inside_any(a, [a]) == a
    assert inside_any(f"{a}/x/y", ["/nowhere", f"{a}/"]) == f"{a}/"
    assert inside_any(f"{tmp_path}/link/x", [a]) == a
    assert inside_any(f"{a}/x", [os.fsencode(tmp_path / "link")]) == f"{tmp_path}/link"
    assert inside_any(f"{a}/../b", [a]) is None
    assert inside_any(f"{a}b", [a]) is None
    assert inside_any("/x", ["/"]) == "/"
    assert inside_any("/x", []) is None


def test_without_a_provider_there_is_no_default_journal(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="no provider"):
        journal_path(Settings(), None, [], environ)
