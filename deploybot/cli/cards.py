"""Draws what is open in a thread for a terminal: an approval with all its facts, or a question."""

import shlex
from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from deploy.plan import SHORT, Plan
from deploybot.approvals import ApprovalRequest
from deploybot.cli.terminal import harmless, one_line
from deploybot.events import QuestionAsked
from deploybot.phrases import change, changes, duration

COMMITS = 20
"""How many commits a card lists; `show --json` has all that the plan holds."""


def card(request: ApprovalRequest, now: datetime, approved_by: tuple[str, ...] = ()) -> Text:
    """Return everything a person needs to judge a request; nothing on it is a model's but the reason."""
    lines = [Text(f"┌ {_title(changes(request))}?", style="bold")]
    for plan in request.plans:
        if request.more:
            lines.append(_line(change(plan), "bold"))
        lines += _plan(plan)
    lines += _asked(request)
    lines += _rule(request, now, approved_by)
    lines.append(Text(f"└ request {request.id} · digest {request.digest[:16]}", style="dim"))
    return Text("\n").join(lines)


def question(asked: QuestionAsked) -> Text:
    """Return an open question, and what may be answered."""
    lines = [_line(asked.question, "bold")]
    lines += [_line(line) for line in asked.context.splitlines()]
    for number, choice in enumerate(asked.choices, start=1):
        lines.append(_line(f"{number}. {choice}"))
    return Text("\n").join(lines)


def _plan(plan: Plan) -> Iterator[Text]:
    yield _fact("commit", f"{plan.sha}{f' ({plan.ref})' if plan.ref != plan.sha else ''}")
    yield _fact("live now", plan.previous_sha or "nothing")
    yield from _commits(plan)
    for number, step in enumerate(plan.steps, start=1):
        yield _fact("step" if number == 1 else "", f"{number}. {step.name}: {step.says}")
        if step.argv:
            yield _fact("", f"   $ {shlex.join(step.argv)}", "dim")
    for check in plan.checks:
        yield _fact("holds", f"✓ {check}", "green")
    for warning in plan.warnings:
        yield _fact("warning", f"! {warning}", "bold yellow")


def _commits(plan: Plan) -> Iterator[Text]:
    if not plan.commits:
        return
    verb = "taken back" if plan.action == "roll_back" else "go live"
    many = "1 commit" if plan.commits_total == 1 else f"{plan.commits_total} commits"
    yield _fact("changes", f"{many} would {'be ' if verb == 'taken back' else ''}{verb}:")
    for commit in plan.commits[:COMMITS]:
        yield _fact("", f"{commit.sha[:SHORT]} {one_line(commit.author)}: {commit.subject}", "dim")
    if plan.commits_total > COMMITS:
        yield _fact("", f"… and {plan.commits_total - COMMITS} more", "dim")


def _asked(request: ApprovalRequest) -> Iterator[Text]:
    yield _fact("asked by", ", ".join(request.requesters) or "nobody")
    if request.asked:
        yield _fact("", f"“{' '.join(request.asked.split())}”", "italic")
    if request.reason:
        yield _fact("the model", f"says: “{request.reason}”", "italic")


def _rule(request: ApprovalRequest, now: datetime, approved_by: tuple[str, ...]) -> Iterator[Text]:
    rule = request.rule
    if rule.automatic:
        yield _fact("approval", "by the standing rule, unless somebody stops it")
    else:
        who = [
            name
            for name in rule.approvers
            if rule.requester_may_approve or name not in request.requesters
        ]
        many = f"{rule.quorum} of " if rule.quorum > 1 else ""
        yield _fact("approvers", f"{many}{', '.join(who) or 'nobody'}")
    if approved_by:
        yield _fact("so far", f"approved by {', '.join(approved_by)}", "green")
    if request.start_at:
        yield _fact("starts", f"{request.start_at:%Y-%m-%d %H:%M} UTC")
    left = (request.expires_at - now).total_seconds()
    when = f"{request.expires_at:%Y-%m-%d %H:%M} UTC"
    yield _fact("expires", f"{when}, in {duration(left)}" if left > 0 else f"{when}, is over")


def _fact(name: str, value: str, style: str = "") -> Text:
    text = Text("│ ")
    text.append(f"{name:<10}", style="dim")
    text.append(one_line(value) if value[:1] != " " else f"   {one_line(value)}", style=style)
    return text


def _line(value: str, style: str = "") -> Text:
    return Text(f"│ {harmless(value)}", style=style)


def _title(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
