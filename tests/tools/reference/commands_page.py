"""docs/reference/commands.md: every command with its options and examples, from the parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bulkup.cli.app import COMMANDS, load_command
from bulkup.config.catalogue import SETTINGS

_HEAD = """# Commands

Every command shows its options with `--help`, and `bulkup man` prints all of them as a manual page. Options that are
settings can also be given in a profile or by a variable; the links lead to their descriptions.

"""
# For commands whose help has none.
EXAMPLES = {
    "bench": "bulkup bench --profile nightly",
    "config show": "bulkup config show --profile nightly",
    "config check": "bulkup config check --profile nightly --online",
    "config init": "bulkup config init nightly --provider magic-hour --source /data/media",
    "demo": "bulkup demo",
    "doctor": "bulkup doctor --profile nightly",
    "man": "bulkup man | man -l -",
    "notify test": "bulkup notify test --profile nightly --as failure",
    "orphans": "bulkup orphans --profile nightly --json",
    "control bwlimit": "bulkup control bwlimit 5M --profile nightly",
    "control concurrency": "bulkup control concurrency 16 --profile nightly",
    "config example": "bulkup config example",
    "provider list": "bulkup provider list",
    "provider new": "bulkup provider new vendor --to bulkup.toml",
    "provider try": "bulkup provider try clip.mp4 --profile vendor",
    "schedule show": "bulkup schedule show --profile nightly --at 02:00 --kind systemd",
    "schedule status": "bulkup schedule status --json",
    "schedule remove": "bulkup schedule remove --profile nightly",
    "serve": "bulkup serve --store store --port 8080 --fault expired-url=0.05",
}
_EXAMPLE = re.compile(r"^(?:Examples?: *)?(bulkup .*?)$", re.MULTILINE)


def page() -> str:
    """Return the page."""
    commands = list(_commands())
    contents = "\n".join(
        f"| [`bulkup {path}`](#bulkup-{path.replace(' ', '-')}) | {_summary(command)} |" for path, command in commands
    )
    sections = "\n".join(line for path, command in commands for line in _section(path, command))
    return f"{_HEAD}| command | |\n|---|---|\n{contents}\n\n{sections}"


def examples_of(path: str, command: Any) -> list[str]:
    """Return the examples of a command: of its help, of its group's help, or of `EXAMPLES`."""
    group = load_command(path.partition(" ")[0]) if " " in path else command
    of_group = [line for line in _EXAMPLE.findall(str(group.help or "")) if line.startswith(f"bulkup {path}")]
    examples = _EXAMPLE.findall(str(command.help or "")) or of_group or [EXAMPLES.get(path, "")]
    if examples == [""]:
        names = {one.name for one in command.params if one.required}
        if names or not any(one.name == "profile" for one in command.params):
            raise ValueError(f"`bulkup {path}` has no example: write `Examples:` and a line into its docstring")
        return [f"bulkup {path} --profile nightly"]
    return examples


def _commands() -> Iterator[tuple[str, Any]]:
    for name in COMMANDS:
        command = load_command(name)
        inner = getattr(command, "commands", None)
        if inner is None or command.invoke_without_command:
            yield name, command
        for one, below in (inner or {}).items():
            yield f"{name} {one}", below


def _summary(command: Any) -> str:
    return str(command.help or "").partition("\n")[0].replace("|", "\\|")


def _section(path: str, command: Any) -> Iterator[str]:
    context = command.make_context(path, [], resilient_parsing=True)
    parameters = command.get_params(context)
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    shown = " ".join(str(one.metavar or one.name) for one in arguments)
    yield f"## bulkup {path}\n"
    yield f"```text\nbulkup {path} [OPTIONS] {shown}".rstrip() + "\n```\n"
    yield from _help(str(command.help or ""))
    examples = "\n".join(examples_of(path, command))
    yield f"<!-- not run: the pages of the tasks run them -->\n```sh\n{examples}\n```\n"
    panels: dict[str, list[Any]] = {}
    for one in parameters:
        if one.param_type_name == "option" and not one.hidden and one.name != "help":
            panels.setdefault(getattr(one, "rich_help_panel", None) or "Options", []).append(one)
    for panel, options in panels.items():
        yield f"| {panel} | takes | |\n|---|---|---|"
        yield from (_row(option) for option in options)
        yield ""


def _help(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text without its examples. Exit codes become a list."""
    for paragraph in text.split("\n\n"):
        head, _, rest = paragraph.partition("\n")
        if head.startswith(("Example", "bulkup ")):
            continue
        if head.startswith("Exit codes:") and rest:
            yield head + "\n"
            yield "\n".join(f"- {line}" for line in rest.splitlines()) + "\n"
        else:
            yield " ".join(paragraph.split()) + "\n"


def _row(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    takes = "" if option.is_flag or not option.metavar else f"`{option.metavar}`".replace("|", "\\|")
    about = " ".join(str(option.help or "").split()).replace("|", "\\|").replace("<", "&lt;")
    default = option.default
    if option.show_default not in (False, None) and not option.is_flag and default not in (None, (), []):
        about += f" Default: {option.show_default if isinstance(option.show_default, str) else default}."
    if option.name in SETTINGS:
        about += f" [{option.name}](../settings.md#{option.name})"
    return f"| {names} | {takes} | {about} |"
