"""Draws what is open in a thread for a terminal: an approval with all its facts, or a question."""

import shlex
from collections.abc import Iterator
from datetime import datetime

from rich.box import ROUNDED
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deploy.plan import SHORT, Plan
from deploybot import waiting
from deploybot.approvals import ApprovalRequest, Grant
from deploybot.cli.terminal import harmless, one_line
from deploybot.events import QuestionAsked
from deploybot.nudges import Nudges
from deploybot.phrases import change, changes, duration
from deploybot.questions import choices_of

COMMITS = 20
"""How many commits a card lists; `show --json` has all that the plan holds."""


Row = tuple[str, Text]


def card(
    request: ApprovalRequest,
    now: datetime,
    grants: tuple[Grant, ...] = (),
    nudges: Nudges | None = None,
) -> Panel:
    """Return everything a person needs to judge a request; all but the bot's reason is fact."""
    rows = [("", Text(f"{_title(changes(request))}?", style="bold"))]
    for plan in request.plans:
        if request.more:
            rows.append(("", Text(_title(change(plan)), style="bold")))
        rows += _plan(plan)
    rows += _asked(request)
    rows += _rule(request, now, grants, nudges)
    rows.append(_fact("request", request.id, "dim"))
    rows.append(_fact("digest", request.digest[:16], "dim"))
    return _framed(rows)


def question(asked: QuestionAsked) -> Panel:
    """Return an open question, and what may be answered."""
    rows = [("", Text(harmless(asked.question), style="bold"))]
    if asked.urgency != "low":
        soon = asked.urgency == "medium"
        rows.append(
            _fact("", "please answer soon" if soon else "urgent", "yellow" if soon else "red")
        )
    rows += [("", Text(harmless(line))) for line in asked.context.splitlines()]
    rows += [_fact(f"{number}", choice) for number, choice in enumerate(choices_of(asked), start=1)]
    return _framed(rows)


def _framed(rows: list[Row]) -> Panel:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, value)
    return Panel(grid, box=ROUNDED, expand=False, padding=(0, 1))


def _plan(plan: Plan) -> Iterator[Row]:
    yield _fact("commit", f"{plan.sha}{f' ({plan.ref})' if plan.ref != plan.sha else ''}")
    yield _fact("live now", plan.previous_sha or "nothing")
    for place in plan.elsewhere:
        yield _fact(place.environment, (place.sha or "nothing")[:SHORT], "dim")
    yield from _commits(plan)
    yield from _extent(plan)
    for number, step in enumerate(plan.steps, start=1):
        yield _fact("step" if number == 1 else "", f"{number}. {step.name}: {step.says}")
        if step.argv:
            yield _fact("", f"$ {shlex.join(step.argv)}", "dim")
    for check in plan.checks:
        yield _fact("holds", f"✓ {check}", "green")
    for required in plan.required:
        link = f" {required.link}" if required.link else ""
        yield _fact("check", f"{required.name}: {required.state}{link}")
    for warning in plan.warnings:
        yield _fact("warning", f"! {warning}", "bold yellow")
    for sentence in plan.confirm:
        yield _fact("confirm", f"! {sentence}", "bold red")


def _commits(plan: Plan) -> Iterator[Row]:
    if not plan.commits:
        return
    many = "1 commit" if plan.commits_total == 1 else f"{plan.commits_total} commits"
    yield _fact("changes", f"{many} would {'be taken back' if plan.goes_back else 'go live'}:")
    for commit in plan.commits[:COMMITS]:
        yield _fact("", f"{commit.sha[:SHORT]} {one_line(commit.author)}: {commit.subject}", "dim")
    if plan.commits_total > COMMITS:
        yield _fact("", f"… and {plan.commits_total - COMMITS} more", "dim")


def _extent(plan: Plan) -> Iterator[Row]:
    """Yield who wrote it, by which pull requests, how much it is, and what is risky in it."""
    if plan.authors:
        yield _fact("authors", _some(plan.authors, plan.authors_total))
    if plan.pull_requests:
        named = tuple(f"#{one.number} {one.title}".strip() for one in plan.pull_requests)
        yield _fact("merges", _some(named, plan.pull_requests_total))
    if plan.extent:
        size = plan.extent
        yield _fact("size", f"{size.files} files, +{size.added} -{size.removed} lines")
    if plan.risky:
        yield _fact("risky", _some(plan.risky, plan.risky_total), "bold yellow")


def _some(names: tuple[str, ...], total: int) -> str:
    more = f" and {total - len(names)} more" if total > len(names) else ""
    return f"{', '.join(names)}{more}"


def _asked(request: ApprovalRequest) -> Iterator[Row]:
    yield _fact("asked by", ", ".join(request.requesters) or "nobody")
    if request.edited:
        yield _fact("edited by", f"{request.edited.by}: {'; '.join(request.edited.changes)}")
        if request.edited.comment:
            yield _fact("", f"“{request.edited.comment}”", "italic")
    if request.asked:
        yield _fact("", f"“{' '.join(request.asked.split())}”", "italic")
    if request.reason:
        yield _fact("bot says", f"“{request.reason}”", "italic")


def _rule(
    request: ApprovalRequest, now: datetime, grants: tuple[Grant, ...], nudges: Nudges | None
) -> Iterator[Row]:
    rule = request.rule
    if rule.automatic:
        yield _fact("approval", "by the standing rule, unless somebody stops it")
    else:
        escalated = nudges is not None and nudges.escalated
        able = waiting.able(request, grants, escalated=escalated)
        who = ", ".join(waiting.named(one, str) for one in able) or "nobody"
        need = waiting.needed(request, grants)
        yield _fact("approvers", f"{who}{f' ({need})' if need else ''}")
    if grants:
        given = ", ".join(waiting.approved_by(request, grant, str) for grant in grants)
        yield _fact("so far", f"approved by {given}", "green")
    if nudges and (said := waiting.coming(nudges, _at)):
        yield _fact("unanswered", said)
    if request.start_at:
        yield _fact("starts", f"{request.start_at:%Y-%m-%d %H:%M} UTC")
    left = (request.expires_at - now).total_seconds()
    when = f"{request.expires_at:%Y-%m-%d %H:%M} UTC"
    yield _fact("expires", f"{when}, in {duration(left)}" if left > 0 else f"{when}, is over")


def _at(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC"


def _fact(name: str, value: str, style: str = "") -> Row:
    return name, Text(one_line(value), style=style)


def _title(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
