"""The card of one approval request: the facts, who may answer, the buttons; its fate is `slack_fate`'s."""

import shlex
from collections.abc import Sequence
from typing import Any

from deploy.plan import SHORT, Commit, Plan
from deploybot.approvals import ApprovalRequest, may_answer, may_settle
from deploybot.inbound.slack_buttons import APPROVE, DENY, IT_FAILED, IT_IS_LIVE, Reference
from deploybot.outbound.slack_fate import fate, in_short
from deploybot.outbound.slack_rich import Json, bullets, output, quote, rich, section, words
from deploybot.outbound.slack_text import code, cut, escape, line, moment
from deploybot.outbox import Card, CardState
from deploybot.ports import People

QUIET = {CardState.OPEN, CardState.APPROVED, CardState.DEPLOYING, CardState.LIVE}
"""Where nobody needs to do anything about a request that plain code approved."""
ANSWERS = ((APPROVE, "Approve", "primary"), (DENY, "Deny", "danger"))
OUTCOMES = ((IT_IS_LIVE, "It is live", "primary"), (IT_FAILED, "It failed", "danger"))
"""Buttons: action id, label, style."""
NEWEST = 5
"""How many commits the card shows; the thread's detail shows all that the plan holds."""


def title(plan: Plan) -> str:
    """Return what would happen, in a few words."""
    verb, where = ("Roll back", "on") if plan.action == "roll_back" else ("Deploy", "to")
    return f"{verb} {plan.service} {where} {plan.environment}"


def card_text(card: Card, people: People) -> str:
    """Return the card in one line, escaped, for notifications."""
    plan = card.request.plan
    return f"{escape(title(plan))} {code(plan.sha[:SHORT])}: {in_short(card, people)}"


def card_blocks(
    card: Card, people: People, progress: Sequence[dict[str, Any]] = (), url: str = ""
) -> list[Json]:
    """Return the blocks; everything on them comes from the request and what became of it."""
    request = card.request
    if request.rule.automatic and card.state in QUIET:
        return _in_passing(card, people, progress)
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": line(title(request.plan), 150)}},
        *fate(card, people, progress),
        *_subject(card),
        _commit(request.plan),
        _fields(card, people),
    ]
    if card.state is CardState.OPEN:
        blocks += _to_decide(request)
    if card.state is CardState.LIVE:
        blocks += _commits(request.plan, "went live", "were taken back")
    if url:
        blocks.append(_small(f"<{url}|Everything about this thread>"))
    if card.state is CardState.OPEN and not request.rule.automatic:
        blocks.append(_buttons(request, "answer", ANSWERS))
    if card.state is CardState.UNKNOWN:
        blocks.append(_small(f"May settle it, after a look: {_may_settle(request, people)}"))
        blocks.append(_buttons(request, "settle", OUTCOMES))
    return blocks


def detail_blocks(request: ApprovalRequest) -> list[Json]:
    """Return what the card has no room for: each step as it runs, all commits, the digest."""
    plan = request.plan
    steps = [
        f"{number}. {step.name}: {step.says}"
        + (f"\n   $ {shlex.join(step.argv)}" if step.argv else "")
        for number, step in enumerate(plan.steps, start=1)
    ]
    blocks = [
        rich(section(words("What runs, exactly", bold=True)), output(_capped(steps), 6000)),
    ]
    if len(plan.commits) > NEWEST:
        blocks.append(
            rich(section(words("Commits", bold=True)), bullets(map(_row, plan.commits[:30])))
        )
    facts = f"Request {code(request.id)} · digest {code(request.digest[:12])}"
    return [*blocks, _small(facts)]


def _in_passing(card: Card, people: People, progress: Sequence[dict[str, Any]]) -> list[Json]:
    """Return a few lines for what needs nobody: it is there to be looked up, not to be read."""
    plan = card.request.plan
    heading = f"*{escape(title(plan))}*  {_change(plan)}"
    shown = {"type": "section", "text": {"type": "mrkdwn", "text": heading, "verbatim": True}}
    return [shown, *fate(card, people, progress)]


def _subject(card: Card) -> list[Json]:
    """Return the commit's subject, where no list of commits says it."""
    plan = card.request.plan
    if card.state in (CardState.OPEN, CardState.LIVE) and plan.commits:
        return []
    subject = next((commit.subject for commit in plan.commits if commit.sha == plan.sha), "")
    return [rich(section(words(line(subject, 200), bold=True)))] if subject else []


def _commit(plan: Plan) -> Json:
    """Return the commit in full, and the name by which it was asked for if that says more."""
    named = plan.ref and not plan.sha.startswith(plan.ref)
    return _small(code(plan.sha) + (f"  {code(plan.ref, 100)}" if named else ""))


def _change(plan: Plan) -> str:
    before = code(plan.previous_sha[:SHORT]) if plan.previous_sha else "nothing"
    return f"{before} → {code(plan.sha[:SHORT])}"


def _fields(card: Card, people: People) -> Json:
    request = card.request
    fields = [
        f"*Change*\n{_change(request.plan)}",
        f"*Asked by*\n{escape(_asker(request, people), 300)}",
    ]
    if card.state is CardState.OPEN and not request.rule.automatic:
        until = moment(request.expires_at, "{date_short_pretty} at {time}")
        fields += [f"*May approve*\n{_may_approve(card, people)}", f"*Until*\n{until}"]
    return {
        "type": "section",
        "fields": [{"type": "mrkdwn", "text": text, "verbatim": True} for text in fields],
    }


def _may_approve(card: Card, people: People) -> str:
    """Mention those who can still act, and name nobody else."""
    request, given = card.request, {grant.by for grant in card.grants}
    able = [
        person
        for person in request.rule.approvers
        if person not in given and may_answer(request, person) is None
    ]
    known = {person.id: person.slack for person in people.known}
    shown = [
        f"<@{known[person]}>" if known.get(person) else escape(people.name(person), 80)
        for person in able[:10]
    ]
    more = f" +{len(able) - 10} more" if len(able) > 10 else ""
    need = f" ({request.rule.quorum} needed)" if request.rule.quorum > 1 else ""
    return (", ".join(shown) or "nobody") + more + need


def _asker(request: ApprovalRequest, people: People) -> str:
    return ", ".join(people.name(person) for person in request.requesters[:5]) or "deploybot"


def _to_decide(request: ApprovalRequest) -> list[Json]:
    """Return what only somebody who has yet to decide needs to read."""
    blocks = []
    if _says_more(request):
        asked = section(words("What led to this", bold=True))
        blocks.append(rich(asked, quote(request.asked, 600)))
    blocks += _commits(request.plan, "go live", "are taken back")
    blocks += _warnings(request.plan)
    if request.plan.checks:
        checks = " · ".join(line(check, 120) for check in request.plan.checks[:8])
        blocks.append({"type": "context", "elements": [_plain(f"✓ Checked: {checks}")]})
    blocks.append(_small(_steps(request.plan)))
    if request.reason:
        reason = line(f"deploybot's reason: {request.reason}", 600)
        blocks.append({"type": "context", "elements": [_plain(reason)]})
    return blocks


def _says_more(request: ApprovalRequest) -> bool:
    """Tell whether what was asked says more than the card does: plain code asks in its words."""
    plan = request.plan
    said = {"sha", "to", "on", plan.service, plan.environment, plan.sha[:SHORT]}
    said |= set(plan.action.split("_"))
    return bool(set(request.asked.casefold().split()) - said)


def _commits(plan: Plan, coming: str, going: str) -> list[Json]:
    if not plan.commits:
        return []
    total = max(plan.commits_total, len(plan.commits))
    count = f"{total}{'+' if total >= 1000 else ''} commit{'s' if total > 1 else ''}"
    heading = f"{count} {going if plan.action == 'roll_back' else coming}"
    parts = [section(words(heading, bold=True)), bullets(map(_row, plan.commits[:NEWEST]))]
    if total > NEWEST:
        parts.append(section(words(f"+{total - NEWEST} more", italic=True)))
    return [rich(*parts)]


def _row(commit: Commit) -> list[Json]:
    subject, author = line(commit.subject, 120), line(commit.author, 60)
    return [
        words(commit.sha[:SHORT], code=True),
        words(f" {subject}"),
        words(f"  {author}", italic=True),
    ]


def _warnings(plan: Plan) -> list[Json]:
    shown = [section(words(f"⚠️ {line(warning, 300)}")) for warning in plan.warnings[:8]]
    return [rich(*shown)] if shown else []


def _steps(plan: Plan) -> str:
    names = " → ".join(code(step.name, 40) for step in plan.steps[:15])
    more = f" → +{len(plan.steps) - 15} more" if len(plan.steps) > 15 else ""
    return f"Would run: {names or 'nothing'}{more}"


def _capped(steps: list[str]) -> list[str]:
    return [cut(step, 600) for step in steps] or ["nothing"]


def _may_settle(request: ApprovalRequest, people: People) -> str:
    """Mention those who may say how it ended."""
    able = [one for one in people.known if may_settle(request, one.id) is None]
    shown = [f"<@{one.slack}>" if one.slack else escape(one.name, 80) for one in able[:10]]
    more = f" +{len(able) - 10} more" if len(able) > 10 else ""
    return (", ".join(shown) or "nobody") + more


def _buttons(request: ApprovalRequest, block: str, buttons: Sequence[tuple[str, str, str]]) -> Json:
    about = Reference(thread=request.thread, request=request.id, digest=request.digest).dumps()
    label = line(f"{title(request.plan)}, {request.plan.sha[:SHORT]}", 60)
    return {
        "type": "actions",
        "block_id": f"{block}:{request.id}",
        "elements": [
            {
                "type": "button",
                "action_id": action,
                "style": style,
                "text": _plain(says),
                "value": about,
                "accessibility_label": f"{says}: {label}",
            }
            for action, says, style in buttons
        ],
    }


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}


def _small(text: str) -> Json:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}
