"""The report of a run in sentences, and what is left to do.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from bulkup.reports.formatting import count_text, duration_text, files_rate_text, rate_text, size_text
from bulkup.reports.run_report.report_figures import NOT_UPLOADED, not_uploaded, remaining, shares
from bulkup.reports.run_report.run_facts import RunFacts, figure
from bulkup.reports.summary import EMPTY_SOURCE

_SINGLE = {"failed": "failed", "changed": "changed or vanished while being read", "unreadable": "could not be read"}
_CUT_OFF = "This run was cut off before its end, by a kill, a crash, a power cut or a full disk"


def headline(facts: RunFacts) -> str:
    """Return the sentence with the number that counts most."""
    found, uploaded = figure(facts.summary, "files", "found"), figure(facts.summary, "files", "uploaded")
    if found is None or uploaded is None:
        return "This run left no figures"
    tried = found - (figure(facts.summary, "files", "skipped") or 0)
    if not found:
        return "No files were found"
    if not tried:
        return f"Nothing to send: {_all(found, 'file')} unchanged"
    new = "file" if tried == found else "new or changed file"
    if uploaded == tried:
        return f"{_all(tried, new)} uploaded".replace(" are ", " were ").replace(" is ", " was ")
    return f"{uploaded:,} of {count_text(tried, new)} {_were(uploaded)} uploaded"


def sentences(facts: RunFacts) -> Iterator[str]:
    """Yield the summary in plain words."""
    if facts.run.running:
        yield f"This run is still going on. These are its figures after {duration_text(facts.seconds or 0.0)}."
    elif facts.cut_off:
        yield _cut_off(facts)
    if not facts.summary:
        return
    yield from _amount(facts)
    if failed := not_uploaded(facts):
        yield _failed(facts, failed)
    elif facts.run.exit_code == 0:
        yield "Nothing failed."
    if facts.record is not None and facts.record.error is not None:
        yield f"An error ended the run early: {facts.record.error.rstrip('.')}."
        if facts.record.hint:
            yield f"What to do: {facts.record.hint.rstrip('.')}."
    if unverified := figure(facts.summary, "files", "unverified"):
        yield f"Storage accepted {count_text(unverified, 'file')} without a proof of the bytes."
    if there := figure(facts.summary, "already_there"):
        yield f"The service had {count_text(there, 'file')} already, so {_their(there)} bytes were not sent."


def _failed(facts: RunFacts, failed: int) -> str:
    kinds = [one for one in shares(facts) if one.kind in NOT_UPLOADED]
    if len(kinds) == 1:
        word = _SINGLE.get(kinds[0].kind)
        return f"{count_text(failed, 'file')} {word or f'{_were(failed)} {kinds[0].kind}'}."
    listed = ", ".join(f"{one.files:,} {one.kind}" for one in kinds)
    return f"{count_text(failed, 'file')} {_were(failed)} not uploaded: {listed}."


def _cut_off(facts: RunFacts) -> str:
    if facts.record is None:
        return f"{_CUT_OFF}, and left no figures."
    after = duration_text(facts.seconds or 0.0)
    return f"{_CUT_OFF}. It wrote these figures {after} after its start; what followed is missing here."


def _amount(facts: RunFacts) -> Iterator[str]:
    seconds, sent = facts.seconds, figure(facts.summary, "bytes", "uploaded") or 0
    uploaded = figure(facts.summary, "files", "uploaded") or 0
    if seconds is None:
        return
    if not uploaded:
        yield f"It took {duration_text(seconds)}."
        return
    speed = f": {files_rate_text(uploaded / seconds)} and {rate_text(sent / seconds)} on average" if seconds else ""
    yield f"{count_text(uploaded, 'file')} with {size_text(sent)} took {duration_text(seconds)}{speed}."


def next_steps(facts: RunFacts) -> list[tuple[str, str]]:
    """Return what is left to do, each as a sentence and the command for it; an empty one if there is none."""
    summary, steps, left = facts.summary, list[tuple[str, str]](), remaining(facts)
    resume = f"bulkup upload {facts.options.running}".rstrip()
    if not facts.run.running and (left or facts.cut_off):
        number = f"{count_text(left, 'file')} found so far {'is' if left == 1 else 'are'} left. " if left else ""
        steps.append((f"{number}The same upload resumes where this run stopped.", resume))
    if summary.get("empty_sources"):
        steps.append((f"{EMPTY_SOURCE[:1].upper()}{EMPTY_SOURCE[1:]}", resume))
    if failed := sum(figure(summary, "files", name) or 0 for name in ("failed", "changed", "unreadable")):
        retry = f"bulkup retry {facts.options.running}".rstrip()
        steps.append((f"Once the cause is mended, try {count_text(failed, 'file')} again.", retry))
    if rejected := figure(summary, "files", "rejected"):
        number = f"{count_text(rejected, 'file')} {_were(rejected)} rejected"
        listed = f"bulkup failures {facts.options.reading}".rstrip()
        steps.append((f"{number}: another try alone does not help. See each reason.", listed))
    if unverified := figure(summary, "files", "unverified"):
        listed = f"bulkup manifest {facts.options.reading} --status unverified"
        steps.append((f"List the {count_text(unverified, 'file')} whose bytes nothing proves.", listed))
    if kept := figure(summary, "not_removed"):
        number = f"{count_text(kept, 'uploaded file')} could not be removed from the source"
        steps.append((f"{number}. The next run tries again.", ""))
    if expired := figure(summary, "expired"):
        number = f"The service has deleted {count_text(expired, 'upload')} after its time"
        steps.append((f"{number}. To send {'it' if expired == 1 else 'them'} again:", f"{resume} --reupload-expired"))
    return steps


def no_failures_text(facts: RunFacts) -> str:
    """Return the sentence for a run of which no failure is known."""
    if not facts.summary:
        return "This run left no figures, so its failures are unknown."
    return "No files failed so far." if facts.run.exit_code is None else "No files failed."


def _all(number: int, noun: str) -> str:
    return f"The only {noun} is" if number == 1 else f"All {count_text(number, noun)} are"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _their(number: int) -> str:
    return "its" if number == 1 else "their"
