"""docs/reference/journal.md: the tables of the journal, from its migrations."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import bulkup.journal

_HEAD = """# The journal's schema

The journal is a SQLite file. Read it with the commands: `bulkup manifest`, `status`, `failures`, `runs` and `orphans`
can run during an upload and print JSON ([JSON output](json.md)). The tables may change from one version of bulkup to
the next; a run migrates an older journal. Never write to the file. Its version is `PRAGMA user_version`, at present
{version}. [Design, section 6](../design.md#6-journal) explains states and guarantees.

To look inside, open a copy: `sqlite3 copy.sqlite3 .schema`. Paths are bytes (`BLOB`), and times are Unix times in
seconds.

"""
_MIGRATIONS = Path(bulkup.journal.__file__).parent / "migrations"
_TABLE = re.compile(r"((?:^--[^\n]*\n)*)^CREATE TABLE (\w+)", re.MULTILINE)
_ABOUT = {
    "destinations": "A service, its address and the visible part of the account.",
    "sources": "A directory that was uploaded from, by its path or its name.",
    "runs": "A run: its start, its end, and its summary as JSON.",
    "files": "A file that has settled, or that storage has, by destination, source and path.",
}


def page() -> str:
    """Return the page."""
    scripts = {path.stem: path.read_text("utf-8") for path in sorted(_MIGRATIONS.glob("*.sql"))}
    with sqlite3.connect(":memory:") as database:
        for script in scripts.values():
            database.executescript(script)
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = [_table(database, name, scripts) for name in names if not name.startswith("sqlite_")]
    database.close()
    history = "".join(f"| {int(name)} | {_first_sentence(script)} |\n" for name, script in scripts.items())
    return (
        _HEAD.format(version=int(max(scripts)))
        + "\n".join(tables)
        + f"\n## Versions\n\n| version | change |\n|---|---|\n{history}"
    )


def _table(database: sqlite3.Connection, name: str, scripts: dict[str, str]) -> str:
    rows = ""
    for _, column, kind, required, default, key in database.execute(f"PRAGMA table_info({name})"):
        notes = ["part of the key"] if key else []
        notes += [] if required or key else ["may be NULL"]
        notes += [f"default {default}"] if default is not None else []
        rows += f"| `{column}` | {kind} | {', '.join(notes)} |\n"
    indexes = [row[1] for row in database.execute(f"PRAGMA index_list({name})") if not row[1].startswith("sqlite_")]
    about = _ABOUT.get(name) or _comment_above(name, scripts)
    index = f"\nIndexes: {', '.join(f'`{one}`' for one in sorted(indexes))}.\n" if indexes else ""
    return f"## {name}\n\n{about}\n\n| column | type | |\n|---|---|---|\n{rows}{index}"


def _comment_above(name: str, scripts: dict[str, str]) -> str:
    for script in scripts.values():
        for comment, table in _TABLE.findall(script):
            if table == name and comment:
                return _joined(comment)
    return next((_first_sentence(script) for script in scripts.values() if f"CREATE TABLE {name} " in script), "")


def _first_sentence(script: str) -> str:
    comment = re.match(r"(?:--[^\n]*\n)+", script)
    assert comment is not None
    text = re.sub(r"^Version \d+: ", "", _joined(comment[0]))
    return text[:1].upper() + text[1:]


def _joined(comment: str) -> str:
    return " ".join(line.removeprefix("--").strip() for line in comment.splitlines()).strip()
