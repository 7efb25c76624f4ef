"""Plans, outcomes and what is live as text for a terminal; all that others wrote is made harmless."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from deploy.plan import SHORT, Plan
from deploy.target import (
    Began,
    Ended,
    Live,
    LogLine,
    NeverBegan,
    Outcome,
    Probe,
    Progress,
    Running,
    StepDone,
    StepStarted,
)

COMMITS = 10


@dataclass(frozen=True)
class Row:
    """One service in one environment: what is live there, or why that cannot be told."""

    environment: str
    service: str
    live: Live | None
    behind: int | None = None
    running: str | None = None
    problem: str | None = None


def plan(plan: Plan) -> str:
    """Return everything about a plan: what would come, its steps, what was checked, and warnings."""
    return "\n".join(_harmless(line) for line in _plan_lines(plan))


def outcome(plan: Plan, ended: Outcome | Probe) -> str:
    """Return how a plan ended, with the last lines of what failed."""
    what = f"{plan.service} {plan.sha[:SHORT]} on {plan.environment}"
    match ended:
        case Outcome(outcome="succeeded") | Ended(outcome="succeeded"):
            lines = [f"Done: {what} is live."]
        case Outcome() | Ended():
            lines = [f"Failed: {what}, at {ended.step}: {ended.error}"]
            lines += [f"    {line}" for line in ended.tail]
            lines.append(f"Live is {_short(ended.live_sha)}.")
        case Began():
            lines = [
                f"Unknown: {what} began, came to {ended.last_step or 'no step'}, and has no end.",
                f"Live is {_short(ended.live_sha)}. Look there before you deploy again.",
            ]
        case NeverBegan():
            lines = [f"Nothing ran: {what} never began."]
        case Running():
            lines = [f"It runs still: {what}. {ended.link}".rstrip()]
    return "\n".join(_harmless(line) for line in lines)


def progress(told: Progress) -> str:
    """Return one line of a run."""
    match told:
        case StepStarted(name=name):
            return f"{name} …"
        case StepDone(name=name, ok=ok, seconds=seconds):
            return f"{name} {'done' if ok else 'FAILED'} after {seconds:.1f} s"
        case LogLine(text=text):
            return f"    {_harmless(text)}"


def status(rows: Sequence[Row]) -> str:
    """Return a table of what is live where, since when, verified or not, and by which approval."""
    head = ("ENVIRONMENT", "SERVICE", "LIVE", "SINCE", "TESTS", "BEHIND", "APPROVAL")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    table = [
        "  ".join(word.ljust(w) for word, w in zip(line, widths, strict=True)) for line in cells
    ]
    notes = [
        f"{row.service} on {row.environment}: {note}"
        for row in rows
        for note in (row.problem, row.running and f"{row.running} has no end.")
        if note
    ]
    return "\n".join(_harmless(line).rstrip() for line in (*table, *notes))


def _plan_lines(plan: Plan) -> Iterator[str]:
    verb = "Deploy" if plan.action == "deploy" else "Roll back"
    ref = "" if plan.ref == plan.sha else f" ({plan.ref})"
    way = "to" if plan.action == "deploy" else "on"
    yield f"{verb} {plan.service} {way} {plan.environment}: {plan.sha}{ref}"
    yield f"Live now: {_short(plan.previous_sha)}"
    if plan.commits_total:
        yield from (
            "",
            f"Commits that would {'go' if plan.goes_back else 'come'}: {plan.commits_total}",
        )
        for commit in plan.commits[:COMMITS]:
            yield f"  {commit.sha[:SHORT]} {commit.at:%Y-%m-%d} {commit.author}: {commit.subject}"
        if plan.commits_total > COMMITS:
            yield f"  … and {plan.commits_total - min(COMMITS, len(plan.commits))} more"
    if plan.extent is not None:
        size = plan.extent
        yield f"  {size.files} files changed, {size.added} lines added, {size.removed} removed"
    yield from ("", "Steps:")
    for number, step in enumerate(plan.steps, start=1):
        yield f"  {number}. {step.name}: {step.says}"
        if step.argv is not None:
            yield f"       $ {shlex.join(step.argv)}"
    required = (f"{check.name}: {check.state} {check.link}".rstrip() for check in plan.required)
    yield from _listed("Checked:", (*plan.checks, *required))
    yield from _listed("Risky files:", plan.risky)
    others = (f"{e.environment}: {_short(e.sha)}" for e in plan.elsewhere)
    yield from _listed("Live elsewhere:", others)
    yield from _listed("Warnings:", plan.warnings)
    yield from _listed("To be confirmed:", plan.confirm)


def _listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = tuple(lines)
    if found:
        yield from ("", title, *(f"  - {line}" for line in found))


def _cells(row: Row) -> tuple[str, ...]:
    live = row.live
    if live is None:
        word = "?" if row.problem else "nothing"
        return (row.environment, row.service, word, "", "", "", "")
    return (
        row.environment,
        row.service,
        live.sha[:SHORT],
        f"{live.since:%Y-%m-%d %H:%M %Z}",
        "passed" if live.verified else "none passed",
        "?" if row.behind is None else str(row.behind),
        live.approval_id or "unknown",
    )


def _short(sha: str | None) -> str:
    return "nothing" if sha is None else sha[:SHORT]


def _harmless(text: str) -> str:
    """Return a line without what a terminal would obey: controls and hidden characters as `?`."""
    return "".join(c if c.isprintable() else "?" for c in text)
