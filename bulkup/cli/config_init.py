"""`bulkup config init`: ask for the settings of a profile, write it, and check it.

Every question is a setting. An option answers it in advance, and without a terminal all answers are options.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence

import typer

from bulkup.cli.profile_file import add_profile, require_new_profile
from bulkup.config import Settings, check_profiles, toml_file
from bulkup.config.catalogue import CONFIG_VARIABLE, SECRETS, SETTINGS
from bulkup.config.checked_model import ValidationError
from bulkup.config.complaints import SettingsError
from bulkup.config.profile_text import profile_lines
from bulkup.config.provider_declarations import HTTP, ProviderDeclaration
from bulkup.config.provider_plugins import declaration_of, is_provider, provider_names
from bulkup.config.suggestions import suggestion
from bulkup.errors import UsageError
from bulkup.helpers.input_files import STANDARD_INPUT
from bulkup.reports.safe_text import printable

Answers = dict[str, str | list[str]]

_REFERENCES = ("env:", "file:", "command:")
_FIRST_AGE = "5m"  # a nightly run should not send files that are still being written


def target_file(config: str | None, cwd: str) -> tuple[str, str]:
    """Return the file to write, and its name in messages: the one named, else the one that commands would read.

    A new file goes into the user's config folder, where every command finds it.
    """
    if named := config or os.environ.get(CONFIG_VARIABLE):
        return os.path.join(cwd, named), named
    here, *of_user = toml_file.candidates(os.environ, cwd)
    found = next((path for path in (here, *of_user) if os.path.lexists(path)), None)
    path = found or (of_user[0] if of_user else here)
    return path, path


def given_answers(provider: str | None, sources: Sequence[str], settings: Sequence[str], cwd: str) -> Answers:
    """Return the answers that options give. Raises UsageError for an unknown setting, or one without a value."""
    answers: Answers = {}
    if provider is not None:
        answers["provider"] = provider
    if sources:
        answers["source"] = [os.path.join(cwd, source) for source in sources]
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise UsageError(f"--set {printable(text)} has no value", hint="write --set NAME=VALUE")
        if name not in SETTINGS or SETTINGS[name].declaration.not_in_profile:
            raise UsageError(f"{printable(name)} is no setting of a profile", hint=suggestion(name, SETTINGS))
        form = SETTINGS[name].form
        given = list(form.split(value)) if form.split is not None else [value]
        if form.kind == "path":  # of the shell's folder, and not of that of the file
            given = [one if one == STANDARD_INPUT else os.path.join(cwd, os.path.expanduser(one)) for one in given]
        answers[name] = given if form.split is not None else given[0]
    return answers


def init(name: str | None, config: str | None, answers: Answers, cwd: str, *, ask: bool) -> None:
    """Complete the answers, write the profile, and print the next steps. Raises UsageError."""
    path, shown = target_file(config, cwd)
    name = name or (_asked("Name of the profile", "nightly") if ask else "nightly")
    require_new_profile(path, shown, name)
    if ask:
        _Questions(answers, cwd).ask()
    _require_valid(answers)
    text = profile_lines(name, answers)
    if ask:
        typer.echo(f"\n{text}")
        if not typer.confirm(f"Write this to {printable(shown)}?", default=True):
            raise UsageError("not confirmed; nothing was written")
    add_profile(path, shown, name, text, make_folder=config is None)
    typer.echo(f"profile {name} was added to {printable(shown)}")
    _tell_next(name, config)


class _Questions:
    """Asks for each setting that the provider needs and that no option gave."""

    def __init__(self, answers: Answers, cwd: str) -> None:
        self._answers = answers
        self._cwd = cwd

    def ask(self) -> None:
        """Fill in the answers."""
        answers = self._answers
        if "provider" not in answers:
            typer.echo(f"Providers: {', '.join(provider_names())}")
            answers["provider"] = self._valid("provider", lambda: _asked("Provider"))
        if "source" not in answers:
            answers["source"] = [self._source()]
        provider = str(answers["provider"])
        if not is_provider(provider):
            return  # the check has the message
        declared = declaration_of(provider)
        for setting in _needed(declared, answers):
            answers[setting] = self._valid(setting, lambda setting=setting: _asked(_question(setting)))  # type: ignore[misc]
        for secret in _secrets(declared, answers):
            answers[secret] = self._secret(secret)
        if "min_age" not in answers:
            answers["min_age"] = self._valid("min_age", lambda: _asked("Leave out files changed less than", _FIRST_AGE))
        if "unsupported" not in answers and typer.confirm(
            "Leave out files that the service does not accept? Otherwise such a file ends a run with exit code 3",
            default=True,
        ):
            answers["unsupported"] = "skip"

    def _source(self) -> str:
        while True:
            path = os.path.join(self._cwd, os.path.expanduser(_asked("Directory to upload")))
            if os.path.exists(path):
                return path
            typer.echo(f"{printable(path)} does not exist")

    def _secret(self, name: str) -> str:
        typer.echo(f"{name} is not written into the file, only where to find it: env:NAME, file:PATH or command:ARGV")
        while True:
            text = _asked(_question(name), f"env:{SETTINGS[name].variable}")
            complaint = _complaint(name, text)
            if not text.startswith(_REFERENCES):
                complaint = "write env:, file: or command: and then the place"
            if complaint is None:
                return text
            typer.echo(complaint)

    def _valid(self, name: str, answer: Callable[[], str]) -> str:
        while True:
            text = answer()
            complaint = _complaint(name, text)
            if complaint is None:
                return text
            typer.echo(complaint)


def _needed(declared: ProviderDeclaration, answers: Answers) -> Iterator[str]:
    """Yield the settings that the provider needs and that have no answer; of alternatives the first."""
    yield from (name for name in declared.required if name not in answers and SETTINGS[name].form.kind != "tables")
    yield from (ways[0] for ways in declared.any_of if not any(name in answers for name in ways))
    if declared.has_api and declared.base_url is None and "base_url" not in answers and declared.settings:
        yield "base_url"


def _secrets(declared: ProviderDeclaration, answers: Answers) -> tuple[str, ...]:
    """Return the secrets to ask for: the preferred set, unless another one has answers or none is needed."""
    if () in declared.credentials or any(name in answers for ways in declared.credentials for name in ways):
        return ()
    return declared.credentials[0]


def _require_valid(answers: Answers) -> None:
    """Raise UsageError with everything that is missing or wrong, before the file is written."""
    missing = [name for name in ("provider", "source") if name not in answers]
    provider = answers.get("provider")
    if isinstance(provider, str) and is_provider(provider):
        if provider == HTTP and "http" not in answers:
            raise UsageError(
                "a service for provider http is described in tables", hint="`bulkup provider new NAME` writes them"
            )
        declared = declaration_of(provider)
        missing += [*_needed(declared, answers), *_secrets(declared, answers)]
    if missing:
        options = {"provider": "--provider NAME", "source": "--source DIR"}
        hint = "add " + ", ".join(options.get(name, f"--set {name}=...") for name in missing)
        raise UsageError(f"without an answer to: {', '.join(missing)}", hint=hint)
    for name, value in answers.items():
        for text in value if isinstance(value, list) and SETTINGS[name].form.split is None else [value]:
            if (complaint := _complaint(name, text)) is not None:
                raise UsageError(complaint)
    for name in SECRETS:
        if name in answers and not str(answers[name]).startswith(_REFERENCES):
            raise UsageError(
                f"{name} would be written into the file", hint=f"write --set {name}=env:NAME, file:PATH or command:ARGV"
            )


def _complaint(name: str, value: object) -> str | None:
    """Return the error of a value, None if it is valid. The value is not repeated."""
    try:
        Settings.model_validate({SETTINGS[name].field: value})
    except ValidationError:
        return f"{name}: expected {SETTINGS[name].expects}"
    return None


def _question(name: str) -> str:
    option = SETTINGS[name].option
    return f"{name} ({option.help.rstrip('.')})" if option is not None else name


def _asked(question: str, default: str | None = None) -> str:
    return str(typer.prompt(question, default=default))


def _tell_next(name: str, config: str | None) -> None:
    """Check the profile, and print its errors and the next commands. A variable may be set later."""
    file = f" --config {config}" if config is not None else ""
    try:
        check_profiles(profile=name, config_file=config, environ=os.environ, cwd=os.getcwd(), run_commands=False)
    except SettingsError as error:
        typer.echo("before the first run:")
        for complaint in error.complaints:
            typer.echo(f"  {printable(complaint.what)}" + (f" ({printable(complaint.hint)})" if complaint.hint else ""))
    typer.echo(f"next:  bulkup config check --profile {name}{file}")
    typer.echo(f"       bulkup upload --profile {name}{file} --dry-run")


def has_terminal() -> bool:
    """Return whether questions can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
