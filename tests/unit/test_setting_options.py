"""One declaration of a setting yields its option, its variable, its error message and its entry in docs/settings.md."""

import inspect
import re
from typing import Any

import pytest
import typer
from pydantic import ValidationError
from typer.testing import CliRunner

from bulkup.cli.bench import bench
from bulkup.cli.setting_options import setting_options
from bulkup.cli.upload import upload
from bulkup.config.catalogue import SETTINGS, catalogue_of, settings_in
from bulkup.config.declaration import Option, Panel, setting
from bulkup.config.setting_types import Seconds
from bulkup.config.settings import Settings
from bulkup.config.settings_page import HEADING, with_reference


class MoreSettings(Settings):
    """A new setting needs only the declaration of its field."""

    nap: Seconds | None = setting(
        None,
        "How long to sleep between files.",
        about_default="There is no pause.",
        option=Option("Sleep between files.", Panel.SPEED),
    )


NEW = catalogue_of(MoreSettings)


def test_a_declaration_yields_an_option() -> None:
    given: list[Any] = []

    @setting_options("nap", before="last", settings=NEW)
    def command(first: bool = False, last: bool = False, **options: Any) -> None:
        given.append((first, last, options))

    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100"})
    assert "─ Speed, retries and limits ─" in result.stdout
    assert re.search(r"--nap +TIME +Sleep between files\.", result.stdout)
    assert CliRunner().invoke(app, ["--nap", "5m", "--last"]).exit_code == 0
    assert CliRunner().invoke(app, []).exit_code == 0
    assert given == [(False, True, {"nap": "5m"}), (False, False, {"nap": None})]


def test_a_declaration_yields_a_variable_and_the_expected_form() -> None:
    assert NEW["nap"].variable == "BULKUP_NAP"
    assert NEW["nap"].expects == "a duration, such as 30 or 30s, 5m, 1h30m or 1d"
    assert NEW["nap"].form.unit == "seconds"
    assert MoreSettings.model_validate({"nap": "2m"}).nap == 120.0
    with pytest.raises(ValidationError):
        MoreSettings.model_validate({"nap": "soon"})


def test_a_declaration_yields_an_entry_of_the_page() -> None:
    page = with_reference(f"# Settings\n\n{HEADING}\nolder text\n", [NEW["nap"]])
    assert (
        page
        == """\
# Settings

## Every setting

### nap

How long to sleep between files.

- takes: a duration, such as 30 or 30s, 5m, 1h30m or 1d
- default: not set. There is no pause.
- option: `--nap`
- environment: `BULKUP_NAP`
- in a profile: `nap`
"""
    )


def test_upload_has_an_option_for_every_setting_except_secrets_and_tables() -> None:
    without = {name for name, one in SETTINGS.items() if one.option is None}
    assert without == {name for name, one in SETTINGS.items() if one.form.kind in ("secret", "table", "tables")}
    parameters = set(inspect.signature(upload).parameters)
    assert parameters - {"profile", "config", "dry_run"} == set(SETTINGS) - without


def test_bench_has_the_options_of_a_service_except_those_of_single_files() -> None:
    parameters = set(inspect.signature(bench).parameters)
    assert set(settings_in(Panel.SERVICES)) - parameters == {
        "asset_file_category",
        "asset_map",
        "asset_type",
        "extensions",
        "object_key",
    }


def test_a_command_keeps_a_parameter_that_it_declares_itself() -> None:
    @setting_options("quiet", "journal")
    def command(quiet: int = 3, **options: Any) -> None: ...

    parameters = inspect.signature(command).parameters
    assert list(parameters) == ["quiet", "journal"]
    assert parameters["quiet"].annotation is int
