"""Markdown tables of the results: the clients of each scenario, the requirements, and a short table for the README."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.figures import Circumstances, Figures, Measured, Results, speed_over
from benchmarks.requirements import verdicts

_MIB = 1024**2
_SHORT = ("s5cmd", "rclone", "obstore", "curl", "boto3", "aws")


def whole(results: Results) -> str:
    """Return all tables: the machine, the requirements, each scenario, and a second run."""
    parts = [machine(results), required(results), *(scenario(one) for one in results.scenarios)]
    if results.rescan:
        parts.append(rescan(results))
    parts += [f"**Not run: {name}**: {why}" for name, why in results.missing.items()]
    return "\n\n".join(parts) + "\n"


def machine(results: Results) -> str:
    """Return one line about the machine and the date."""
    known = results.machine
    text = f"Measured {known['when']}: {known['cores']} cores ({known['processor']}), Linux {known['kernel']}"
    notes = "".join(f" {note}" for note in known["notes"])
    return f"{text}, Python {known['python']}, nginx {known['nginx']}.{notes}"


def scenario(measured: Measured) -> str:
    """Return the table of one scenario: the fastest client first, clients that did not run last."""
    own = measured.find("bulkup")
    ran = sorted((one for one in measured.clients if one.seconds), key=lambda one: one.seconds)
    rows = [_row(measured, one, own) for one in ran]
    rows += [[_name(one), f"**{one.problem or 'not run'}**", *[""] * 7] for one in measured.clients if not one.seconds]
    head = ["client", "files/s", "MiB/s", "seconds", "bulkup's speed", "CPU s", "store's CPU s", "peak MiB", "rounds"]
    text = f"**{measured.title}**\n\n{markdown(head, rows)}"
    if measured.line_seconds:
        text += f"\n\nAt the link's rate alone the bytes take {measured.line_seconds:.2f} s."
    remarks = " ".join(part for part in (measured.note, circumstances(measured.circumstances)) if part)
    return f"{text}\n\n{remarks}" if remarks else text


def circumstances(known: Circumstances) -> str:
    """Return a sentence about the revision, the day and the load."""
    return f"bulkup at {known.revision}, {known.when}, load before it {known.load:.1f}." if known.when else ""


def _row(measured: Measured, one: Figures, own: Figures | None) -> list[str]:
    ratio = speed_over(own, one)
    return [
        _name(one),
        f"{measured.files / one.seconds:,.0f}" if measured.files > 100 else f"{measured.files / one.seconds:.2f}",
        f"{measured.bytes / _MIB / one.seconds:,.0f}",
        f"{one.seconds:.2f}",
        "" if ratio is None or one is own else f"{ratio:.2f} x",
        f"{one.cpu:.2f}",
        f"{one.store_cpu:.2f}",
        f"{one.peak:.0f}",
        str(one.rounds),
    ]


def _name(one: Figures) -> str:
    return f"{one.label} ({one.version})" if one.version else one.label


def rescan(results: Results) -> str:
    """Return the table of a second run over uploaded files."""
    known = results.rescan
    many, few = f"{known['files']:,} files", f"{known['few_files']:,} files"
    rows = [
        [f"`find -printf '%s %T@ %p\\n'`, {many}", f"{known['find_seconds']:.2f}", ""],
        [f"`bulkup upload` again, {many}", f"{known['seconds']:.2f}", f"{known['again_peak_mib']:.0f}"],
        [f"`bulkup upload` again, {few}", "", f"{known['few_again_peak_mib']:.0f}"],
        [f"`bulkup upload` the first time, {many}", f"{known['first_seconds']:.2f}", f"{known['peak_mib']:.0f}"],
        [f"`bulkup upload` the first time, {few}", "", f"{known['few_peak_mib']:.0f}"],
    ]
    text = f"**A second run, nothing to send**\n\n{markdown(['', 'seconds', 'peak MiB'], rows)}"
    return f"{text}\n\n{circumstances(Circumstances(**known.get('circumstances', {})))}".strip()


def required(results: Results) -> str:
    """Return the table of the requirements and their results."""
    words = {True: "reached", False: "**not reached**", None: "**not measured**"}
    judged = verdicts(results)
    rows = [[one.what, one.against, one.required, one.measured, words[one.reached]] for one in judged]
    reached = sum(one.reached is True for one in judged)
    head = markdown(["", "against", "required", "measured", ""], rows, texts=5)
    return f"**Requirements**, of which {reached} of {len(judged)} are reached\n\n{head}"


def short(results: Results) -> str:
    """Return the README's table, bulkup's speed divided by that of each tool, and a line about the requirements."""
    shown = [name for name in _SHORT if any(one.find(name) for one in results.scenarios)]
    labels = {one.client: one.label for measured in results.scenarios for one in measured.clients}
    head = ["bulkup's speed over that of", *(labels[name].split(",")[0] for name in shown)]
    rows = [
        [measured.title, *(_times(measured, name) for name in shown)]
        for measured in results.scenarios
        if measured.find("bulkup") and measured.best_peer()
    ]
    judged = verdicts(results)
    reached = sum(one.reached is True for one in judged)
    summary = f"Of the project's {len(judged)} targets for speed and memory, {reached} are reached."
    return f"{markdown(head, rows)}\n\n{summary}\n"


def _times(measured: Measured, client: str) -> str:
    ratio = speed_over(measured.find("bulkup"), measured.find(client))
    return "" if ratio is None else f"{ratio:.2f}"


def markdown(head: list[str], rows: Iterable[list[str]], texts: int = 1) -> str:
    """Return a table. The first `texts` columns are texts; the others are numbers, aligned to the right."""
    rule = [*["---"] * texts, *["---:"] * (len(head) - texts)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))
