"""What became of a request, in a line or two at the top of its card; the facts are `slack_card`'s."""

from collections.abc import Sequence
from typing import Any

from deploy.plan import SHORT
from deploybot.approvals import POLICY
from deploybot.outbound import slack_parts as parts
from deploybot.outbound.slack_rich import Json, quote, rich
from deploybot.outbound.slack_text import code, escape, line, moment
from deploybot.ports import People
from deploybot.telling import Card, CardState
from deploybot.votes import still_missing
from deploybot.waiting import approved_by

SOON = 600
"""Up to so many seconds from the approval, a later start is a countdown."""
FINAL = {
    CardState.DENIED,
    CardState.EXPIRED,
    CardState.SUPERSEDED,
    CardState.CLOSED,
    CardState.LIVE,
    CardState.FAILED,
}
"""States that a card never leaves."""


def fate(card: Card, people: People, progress: Sequence[dict[str, Any]]) -> list[Json]:
    """Return the blocks that say how the request stands; none while nobody has answered."""
    head, words = _head(card, people), _words(card)
    approved = _approved(card, people) if _was_approved(card) else ""
    ended = [entry for entry in progress if entry.get("kind") == "step"][-10:]
    if card.state is CardState.LIVE:
        lines, small = (
            [head, approved, *parts.not_begun(card)],
            parts.of_the_last(card, _took_each(ended)),
        )
    else:
        lines, small = (
            [approved, *parts.live(card), *_steps(card, ended), head, *parts.not_begun(card)],
            "",
        )
    text = "\n".join(one for one in lines if one)
    blocks: list[Json] = []
    if text:
        blocks.append({"type": "section", "text": _marked(text)})
    if small:
        blocks.append({"type": "context", "elements": [_marked(small)]})
    return [*blocks, rich(quote(words))] if words else blocks


def _marked(text: str) -> Json:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def in_short(card: Card, people: People) -> str:  # noqa: C901, PLR0911, PLR0912 - a case a state
    """Return the same in a few plain words, escaped, for a notification."""
    by = escape(people.name(card.by)) if card.by else "somebody"
    match card.state:
        case CardState.OPEN:
            return "approval needed" if not card.request.rule.automatic else "no approval needed"
        case CardState.APPROVED:
            return f"approved by {_granters(card, people)}"
        case CardState.SCHEDULED:
            return f"approved by {_granters(card, people)}; {_starts(card)}"
        case CardState.IN_LINE:
            return f"waiting in line; {parts.so_far(card)}"
        case CardState.DENIED:
            how = "stopped" if card.was_met else "denied"
            return f"{how} by {by}: {escape(card.note, 500)}"
        case CardState.EXPIRED:
            return f"expired; {parts.so_far(card)}"
        case CardState.SUPERSEDED:
            how = f"edited by {by}" if card.editing else "superseded"
            return f"{how}; {parts.so_far(card)}"
        case CardState.CLOSED:
            how = "stopped" if card.was_met else "closed"
            return f"{how} by {by}; {parts.so_far(card)}"
        case CardState.DEPLOYING:
            return "deploying"
        case CardState.LIVE if card.left:
            return f"live; not begun: {parts.services(card.left)}"
        case CardState.LIVE:
            return "live"
        case CardState.FAILED:
            return f"failed at {escape(card.note, 500)}"
        case CardState.UNKNOWN:
            return "the outcome is not known"


def _head(card: Card, people: People) -> str:  # noqa: C901, PLR0911, PLR0912 - a case a state
    environment = escape(card.request.plan.environment)
    by = f" by {escape(people.name(card.by))}" if card.by else ""
    at = f" at {moment(card.at)}" if card.at else ""
    live = code(card.live[:SHORT]) if card.live else "nothing"
    nothing = f"{parts.so_far(card).capitalize()}."
    match card.state:
        case CardState.OPEN:
            return _waiting(card, people)
        case CardState.APPROVED:
            return "Starting…"
        case CardState.SCHEDULED:
            starts = _starts(card)
            return f"🕑 *{starts[0].upper()}{starts[1:]}*, unless somebody stops it."
        case CardState.IN_LINE:
            return (
                f"🧍 *In line*{at}: the place was not free. {nothing} It is shown anew in its turn."
            )
        case CardState.DENIED if card.was_met:
            return f"❌ *Stopped{by}*{at}, before {parts.following(card)} started. {nothing}"
        case CardState.DENIED:
            return f"❌ *Denied{by}*{at}. {nothing}"
        case CardState.EXPIRED if card.was_met:
            return f"⌛ *Expired*{at}: it was approved, and could not start in time. {nothing}"
        case CardState.EXPIRED:
            return f"⌛ *Expired*{at}: nobody answered in time. {nothing}"
        case CardState.SUPERSEDED:
            how = f"✏️ *Edited{by}*" if card.editing else "♻️ *Superseded*"
            return f"{how}{at}. {nothing} This can no longer be approved."
        case CardState.CLOSED if card.was_met:
            return f"❌ *Stopped{by}*{at}, before {parts.following(card)} started. {nothing}"
        case CardState.CLOSED:
            return f"💬 *Closed{by}*{at}, before enough people answered. {nothing}"
        case CardState.DEPLOYING:
            return ""
        case CardState.LIVE if card.by:
            return f"🟢 *Live:* {live} on {environment}, as {escape(people.name(card.by))} settled."
        case CardState.LIVE if card.request.more:
            return f"🟢 *Live:* {parts.each(card.done)} on {environment} in {card.seconds:.1f} s."
        case CardState.LIVE:
            return f"🟢 *Live:* {live} on {environment} in {card.seconds:.1f} s."
        case CardState.FAILED if card.by:
            return f"❌ *Not live*, as {escape(people.name(card.by))} settled. Live now: {live}."
        case CardState.FAILED if not card.operation:
            return f"❌ *Never started*{at}: {parts.following(card)}. {nothing}"
        case CardState.FAILED if card.stopping:
            who = escape(people.name(card.stopping))
            return f"❌ *Not live*{at}: {who} asked it to stop. Live on {environment} now: {live}."
        case CardState.FAILED if card.request.more:
            what = escape(card.request.plans[card.part].service)
            return f"❌ *{what} failed*{at}. Live of it on {environment} now: {live}."
        case CardState.FAILED:
            return f"❌ *Failed*{at}. Live on {environment} now: {live}."
        case CardState.UNKNOWN:
            return (
                f"❓ *Outcome unknown:* a worker died{at}. Nothing was run again, and nothing else "
                f"starts on {environment} until a person settles it. Last seen live: {live}."
            )


def _starts(card: Card) -> str:
    """Return when it starts, and how long after it was approved if that is soon, in lower case."""
    start = card.request.start_at
    verb = "rolls back" if card.request.plan.action == "roll_back" else "starts"
    if start is None:
        return f"{verb} at once"
    seconds = (start - card.grants[-1].at).total_seconds() if card.grants else SOON
    if not 0 < seconds < SOON:
        return f"{verb} {moment(start, '{date_short_pretty} at {time}')}"
    return f"{verb} in {seconds:.0f} s, at {moment(start, '{time_secs}', seconds=True)}"


def _words(card: Card) -> str:
    """Return what others wrote about it: the denial, what changed, the error."""
    match card.state:
        case CardState.DENIED | CardState.SUPERSEDED | CardState.FAILED:
            return card.note
        case CardState.OPEN if card.request.edited and not card.grants and not card.editing:
            edited = card.request.edited
            why = f" “{edited.comment}”" if edited.comment else ""
            return f"{'; '.join(edited.changes)}.{why}"
        case CardState.UNKNOWN if card.note:
            return f"It died during: {card.note}"
        case _:
            return ""


def _was_approved(card: Card) -> bool:
    return card.was_met and card.state is not CardState.OPEN


def _approved(card: Card, people: People) -> str:
    at = card.grants[-1].at
    if card.glass:
        who, why = escape(people.name(card.glass.by), 80), escape(line(card.glass.break_glass, 300))
        return f"🚨 *{who} broke the glass* at {moment(at)}, and approved alone: “{why}”"
    return f"✅ *Approved by {_granters(card, people)}* at {moment(at)}."


def _granters(card: Card, people: People) -> str:
    rule = f"the standing rule of {card.request.plan.environment}"
    names = [
        rule if grant.by == POLICY else approved_by(card.request, grant, people.name)
        for grant in card.grants
    ]
    return escape(", ".join(names), 200)


def _waiting(card: Card, people: People) -> str:
    if card.request.rule.automatic:
        return "Nobody needs to approve this here."
    if card.editing:
        who = escape(people.name(card.editing))
        return f"✏️ *{who} wants something else instead.* It is being planned; nobody can approve."
    if not card.grants:
        return _edited(card, people)
    rule = card.request.rule
    most = max(rule.quorum, len(rule.one_from_each))
    said = f"✅ {len(card.grants)} of {most} approvals so far: {_granters(card, people)}."
    missing = still_missing(card.request, card.grants)
    return f"{said} Still missing: {escape(', '.join(missing), 200)}." if missing else said


def _edited(card: Card, people: People) -> str:
    """Say whose edit of an earlier card this one came of."""
    edited = card.request.edited
    return f"✏️ *Edited by {escape(people.name(edited.by))}.*" if edited else ""


def _took_each(ended: Sequence[dict[str, Any]]) -> str:
    return " · ".join(_took(entry) for entry in ended)


def _took(entry: dict[str, Any]) -> str:
    return f"{code(str(entry.get('name', '')), 40)} {float(entry.get('seconds') or 0):.1f} s"


def _steps(card: Card, ended: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each step that ended and, while it runs, for the one that runs."""
    lines = [f"{'✅' if entry.get('ok', True) else '❌'} {_took(entry)}" for entry in ended]
    if card.state is CardState.DEPLOYING:
        done = {entry.get("name") for entry in ended}
        plan = card.request.plans[card.part]
        left = [step.name for step in plan.steps if step.name not in done]
        failed = any(not entry.get("ok", True) for entry in ended)
        what = f"Deploying {escape(plan.service, 80)}" if card.request.more else "Deploying"
        if not card.operation:
            return [f"⏳ *{what}…*"]
        if failed or not left:
            return [*lines, "⏳ *Finishing…*"]
        return [*lines, f"⏳ *{what}:* {code(left[0], 40)}…"]
    return lines
