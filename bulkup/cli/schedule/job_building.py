"""A job from the options of `bulkup schedule install` and a profile that passes its check."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence

from bulkup.cli.run_settings import current_folder
from bulkup.cli.schedule.schedule_times import ScheduleTimes
from bulkup.cli.schedule.scheduled_job import UNIT_NAME, Credential, ScheduledJob
from bulkup.cli.schedule.systemd_units import below_temporary
from bulkup.config import ResolvedSettings, Settings, check_profiles, journal_path, load, store_path
from bulkup.config.catalogue import ENVIRONMENT_PREFIX
from bulkup.config.provider_declarations import LOCAL, S3
from bulkup.config.requirements import credential_names, given_secrets, workers_fetch_credentials
from bulkup.config.secret_names import IDENTIFIERS
from bulkup.config.secret_source import CREDENTIAL, SecretSource
from bulkup.config.user_dirs import home_expanded
from bulkup.errors import MachineError, UsageError
from bulkup.helpers.input_files import STANDARD_INPUT, read_input
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.reports.safe_text import printable

_KEPT = ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")  # they decide where the journal is
_OF_NETWORK = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")
_CLEAN_UP = 60  # seconds after `grace` for the end of a run
_LARGEST_SECRET = 65537  # bytes
_SECRET_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class ScheduleOptions:
    """The options of the command; a watch has no `times`.

    `secrets` are files by the variable that a profile takes a secret from.
    """

    profile: str
    config: str | None
    name: str
    kind: str
    times: ScheduleTimes | None
    delay: int
    is_system: bool
    user: str | None
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BuiltJob:
    """A job, and notes for the user."""

    job: ScheduledJob
    notes: tuple[str, ...]


def build_job(options: ScheduleOptions, environ: Mapping[str, str], program: str) -> BuiltJob:
    """Return the job for a profile. `program` is the name under which bulkup was started.

    The profile is checked in the environment that the job will have. Raises UsageError if a run could not start.
    """
    environment = job_environment(environ, options.user)
    found = _loaded(options, environment)
    settings = found.settings
    _require_complete(settings, options.profile)
    if options.times is None:
        _require_watchable(settings)
    used = _secrets_of_run(settings, options.profile)
    credentials, notes = handed_over(used, options.secrets, options.kind)
    values = {name: _secret_in(path) for name, path in options.secrets.items()}
    checked = check_profiles(
        profile=options.profile,
        config_file=found.config_file,
        environ={**environment, **values},
        cwd=current_folder(),
        run_commands=False,
    )
    command, config = bulkup_command(program), str(found.config_file)
    watch = ("--watch",) if options.times is None else ()
    writable = written_folders(settings, options.profile, config, environment)
    read = [*settings.source, config, command[0], *writable, *(one.path for one in credentials)]
    job = ScheduledJob(
        name=options.name,
        profile=options.profile,
        config=config,
        command=(*command, "upload", "--profile", options.profile, "--config", config, *watch),
        environment=environment,
        credentials=tuple(credentials),
        writable=writable,
        times=options.times,
        delay=options.delay,
        stop_after=int(settings.grace + (settings.notify.limit if settings.notify is not None else 0)) + _CLEAN_UP,
        is_system=options.is_system,
        user=options.user,
        takes_files_away=takes_files_away(settings),
        uses_temporary=any(map(below_temporary, read)),
    )
    return BuiltJob(
        job,
        (
            *checked.warnings,
            *notes,
            *_about_commands(settings, options.kind),
            *unseen_variables(environ, used, settings.provider),
        ),
    )


def written_folders(settings: Settings, profile: str, config_file: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the folders that a run writes to. Raises UsageError like `journal_path` and `store_path`."""
    journal = journal_path(settings, profile, settings.source, environ, config_file)
    folders = [os.path.dirname(os.path.realpath(journal))]
    if settings.provider == LOCAL:
        folders.append(store_path(settings, settings.source, environ))
    if takes_files_away(settings):
        folders += _source_folders(settings)
    files = (settings.log_file, settings.metrics_file)
    folders += [os.path.dirname(os.path.realpath(file)) for file in files if file is not None]
    if settings.report is not None:
        folders.append(os.path.realpath(settings.report.folder))
    return tuple(dict.fromkeys(folders))


def takes_files_away(settings: Settings) -> bool:
    """Return whether a run removes files from the source when they are uploaded."""
    return settings.delete_after_upload or settings.move_to is not None


def _source_folders(settings: Settings) -> Iterator[str]:
    """Yield the folders that files are removed from or moved between.

    systemd makes a mount of each folder that a unit may write to, and no file can be moved from one mount to another.
    So a source and the folder for its files are inside one: the nearest folder above both, unless that is the root.
    """
    for source in map(os.path.realpath, settings.source):
        if settings.move_to is None:
            yield source
            continue
        target = os.path.realpath(settings.move_to)
        common = os.path.commonpath([source, target])
        yield from (source, target) if common == "/" else (common,)


def schedule_name(name: str | None, profile: str) -> str:
    """Return the name of a schedule: the one given, else that of the profile. Raises UsageError."""
    chosen = profile if name is None else name
    if not UNIT_NAME.fullmatch(chosen):
        raise UsageError(
            f"{printable(chosen) or 'an empty text'} cannot be the name of a schedule",
            hint="give one of letters, digits, dots, - and _ with --name",
        )
    return chosen


def secret_files(texts: Sequence[str]) -> dict[str, str]:
    """Return the absolute paths of files by variable, from texts NAME=FILE. Raises UsageError."""
    found = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (name.isidentifier() and name.isascii() and equals and path):
            raise UsageError("--secret: expected NAME=FILE, the name of a variable and a file with its value")
        found[name] = os.path.join(current_folder(), home_expanded(path))
    return found


def job_environment(environ: Mapping[str, str], user: str | None) -> dict[str, str]:
    """Return the variables of a job: those that decide where the journal is. Raises UsageError for an unknown user."""
    if user is None:
        return {name: environ[name] for name in _KEPT if os.path.isabs(environ.get(name, ""))}
    try:
        home = pwd.getpwnam(user).pw_dir
    except KeyError:
        raise UsageError(f"there is no user {printable(user)} on this machine") from None
    # Named, because the folders of the system depend on the HOME of this process.
    return {"HOME": home, "XDG_STATE_HOME": f"{home}/.local/state", "XDG_DATA_HOME": f"{home}/.local/share"}


def bulkup_command(program: str) -> tuple[str, ...]:
    """Return the words that start bulkup as it was started now, from any folder."""
    found = shutil.which(program)
    if found is not None and os.path.basename(program) == "bulkup":
        return (os.path.abspath(found),)
    return (sys.executable, "-P", "-m", "bulkup")


def handed_over(
    used: Mapping[str, SecretSource], files: Mapping[str, str], kind: str
) -> tuple[list[Credential], list[str]]:
    """Return the secrets that the service manager hands to the job, and notes about the others.

    Raises UsageError if the job would not have a secret.
    """
    if files and kind != "systemd":
        raise UsageError(f"--secret is for systemd; {kind} cannot hand files over", hint=_write_file("SETTING"))
    credentials, notes, missing = [], [], {}
    for setting, source in used.items():
        reference = source.reference.reveal()
        if source.kind == "file" and kind == "systemd":
            credentials.append(Credential(CREDENTIAL + setting, home_expanded(reference)))
        elif source.kind == "env" and reference in files:
            credentials.append(Credential(reference, files[reference]))
        elif source.kind == "env":
            missing[setting] = reference
        elif source.kind == "command":
            notes.append(f"{setting} comes from a command, which the schedule starts without a terminal: {source}")
        elif source.kind == "literal" and setting not in IDENTIFIERS:
            notes.append(f"{setting} is written out in the profile; a file of its own is safer: {_write_file(setting)}")
    if missing:
        raise _unseen_secrets(missing, kind)
    if unused := sorted(set(files) - {one.name for one in credentials}):
        raise UsageError(f"--secret: the profile takes no secret that it uses from env:{', env:'.join(unused)}")
    return credentials, notes


def unseen_variables(
    environ: Mapping[str, str], used: Mapping[str, SecretSource], provider: str | None
) -> Iterator[str]:
    """Yield a note if variables of the present environment would change a run, because the job will not see them."""
    secrets = {source.reference.reveal() for source in used.values() if source.kind == "env"}
    starts = (ENVIRONMENT_PREFIX, *(("AWS_",) if provider == S3 else ()))
    ours = [name for name in environ if name.startswith(starts) and name not in secrets]
    ours += [name for name in environ if name.lower() in _OF_NETWORK]
    if ours:
        yield (
            f"the schedule will not see these variables of the present environment: {', '.join(sorted(ours))}; write "
            "the settings into the profile, and other variables as docs/how-to/nightly.md shows"
        )


def _secrets_of_run(settings: Settings, profile: str) -> dict[str, SecretSource]:
    """Return the secrets that a run fetches, by setting: those of the provider, and addresses of notifications."""
    given = given_secrets(settings)
    # The workers of a cluster may have the credentials themselves.
    names = () if workers_fetch_credentials(settings) else credential_names(settings, profile=profile)
    sources = [given[name] for name in names]
    if settings.notify is not None:
        sources += settings.notify.addresses().values()
    return {source.setting: source for source in sources}


def _about_commands(settings: Settings, kind: str) -> Iterator[str]:
    """Yield a note if notifications run commands, which have the restrictions of the service."""
    notify = settings.notify
    if kind == "systemd" and notify is not None and (notify.on_success is not None or notify.on_failure is not None):
        yield (
            "the commands of notify run with the restrictions of the service: they cannot use programs such as sudo "
            "or sendmail, which gain privileges; OnFailure= of systemd can (docs/how-to/nightly.md)"
        )


def _loaded(options: ScheduleOptions, environment: Mapping[str, str]) -> ResolvedSettings:
    cwd = current_folder()
    given = options.config and os.path.join(cwd, options.config)
    found = load({}, profile=options.profile, config_file=given, environ=environment, cwd=cwd)
    if not os.path.isfile(str(found.config_file)):
        raise UsageError(
            f"{printable(str(found.config_file))} is not a regular file, so a later run could not read it again"
        )
    return found


def _require_complete(settings: Settings, profile: str) -> None:
    shown = printable(profile)
    if settings.provider is None:
        raise UsageError(f"profile {shown} names no provider", hint='write `provider = "..."` into it')
    if not settings.source:
        raise UsageError(f"profile {shown} names no source", hint='write `source = ["/path"]` into it')
    if STANDARD_INPUT in (settings.files_from, settings.urls):
        raise UsageError(f"profile {shown} reads a list from standard input, which a schedule does not have")


def _require_watchable(settings: Settings) -> None:
    from bulkup.api.watch.folder_events import require_watchfiles  # noqa: PLC0415  # few schedules are watches
    from bulkup.api.watch.watch_check import check_watch  # noqa: PLC0415  # the same

    check_watch(settings)
    require_watchfiles()


def _secret_in(path: str) -> str:
    try:
        data, _ = read_input(path, _LARGEST_SECRET, seconds=_SECRET_TIMEOUT)
        return data.rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        raise UsageError(f"--secret: {printable(path)} is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise UsageError(f"--secret: cannot read {printable(path)}: {why}") from error


def _unseen_secrets(missing: Mapping[str, str], kind: str) -> UsageError:
    what = " and ".join(f"{setting} = env:{name}" for setting, name in missing.items())
    setting, name = next(iter(missing.items()))
    hint = _write_file(setting)
    if kind == "systemd":
        hint = f"write its value into a file that only you can read, and give --secret {name}=FILE; or {hint}"
    return UsageError(
        f"the schedule would not see a secret that the profile takes from the environment: {what}", hint=hint
    )


def _write_file(setting: str) -> str:
    return f'write `{setting} = "file:PATH"` in the profile'


def make_writable(job: ScheduledJob) -> None:
    """Make the folders that the job writes to: systemd does not start a service if one of them is missing."""
    owner = None if job.user is None else pwd.getpwnam(job.user)
    for folder in job.writable:
        try:
            _make(folder, owner)
        except OSError as error:
            raise MachineError(f"cannot make the folder {printable(folder)}: {error.strerror}") from error


def _make(folder: str, owner: pwd.struct_passwd | None) -> None:
    if os.path.isdir(folder):
        return
    _make(os.path.dirname(folder), owner)
    os.mkdir(folder, 0o700)
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
