"""The card of one approval request: who may answer; how is `slack_actions`', its fate `slack_fate`'s.

What code found out about each of its changes is drawn by `slack_facts`.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from deploy.plan import SHORT, Plan
from deploybot import waiting
from deploybot.approvals import ApprovalRequest
from deploybot.outbound import slack_facts as facts
from deploybot.outbound.slack_actions import actions
from deploybot.outbound.slack_facts import plain, small
from deploybot.outbound.slack_fate import fate, in_short
from deploybot.outbound.slack_parts import SEVERAL, title
from deploybot.outbound.slack_rich import Json, quote, rich, section, words
from deploybot.outbound.slack_text import code, escape, line, moment
from deploybot.ports import People
from deploybot.telling import Card, CardState

QUIET = {CardState.OPEN, CardState.APPROVED, CardState.DEPLOYING, CardState.LIVE}
"""Where nobody needs to do anything about a request that plain code approved."""
LISTED = 30
"""The steps of so many changes are listed below a card."""
ALL_STEPS = 9000
"""Characters that they may have together."""
OF_SEVERAL = 3
"""How many commits and warnings of each change a card of several shows."""


def card_text(card: Card, people: People) -> str:
    """Return the card in one line, escaped, for notifications."""
    request = card.request
    shas = ", ".join(code(sha[:SHORT]) for sha in dict.fromkeys(one.sha for one in request.plans))
    return f"{escape(title(*request.plans))} {shas}: {in_short(card, people)}"


def card_blocks(
    card: Card, people: People, progress: Sequence[dict[str, Any]] = (), url: str = ""
) -> list[Json]:
    """Return the blocks; everything on them comes from the request and what became of it."""
    request = card.request
    if request.rule.automatic and card.state in QUIET:
        return _in_passing(card, people, progress)
    heading = line(title(*request.plans), 150)
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": heading}},
        *fate(card, people, progress),
        *(() if request.more else _only(card)),
        _fields(card, people),
        *(each(request.plans, whole=card.state is CardState.OPEN) if request.more else ()),
        *(_to_decide(request) if card.state is CardState.OPEN else ()),
    ]
    if card.stopping and card.state is CardState.DEPLOYING:
        asked = f"{people.name(card.stopping)} wants it to stop: it ends at the next safe step."
        blocks.append(plain(f"🛑 {asked}"))
    blocks += _links(url, card.link or _where_it_runs(progress))
    return [*blocks, *actions(card, people)]


def detail_blocks(request: ApprovalRequest) -> list[Json]:
    """Return what the card has no room for, of each of its changes, and the digest of them all."""
    blocks: list[Json] = []
    if len(request.plans) > SEVERAL:
        blocks += _all_that_runs(request.plans)
    else:
        for plan in request.plans:
            if request.more:
                blocks.append(rich(section(words(line(title(plan), 150), bold=True))))
            blocks += facts.detail(plan)
    return [*blocks, small(f"Request {code(request.id)} · digest {code(request.digest[:12])}")]


def _all_that_runs(plans: tuple[Plan, ...]) -> list[Json]:
    """Return each step of many changes as it runs, and nothing that has less to do with a decision."""
    share = ALL_STEPS // len(plans[:LISTED])
    blocks = [facts.runs(plan, line(title(plan), 100), share) for plan in plans[:LISTED]]
    if len(plans) > LISTED:
        blocks.append(small(f"+{len(plans) - LISTED} more on the page of this thread"))
    return blocks


def _in_passing(card: Card, people: People, progress: Sequence[dict[str, Any]]) -> list[Json]:
    """Return a few lines for what needs nobody: it is there to be looked up, not to be read."""
    plan = card.request.plan
    heading = f"*{escape(title(*card.request.plans))}*  {facts.change(plan)}"
    return [_marked(heading), *fate(card, people, progress)]


def _only(card: Card) -> list[Json]:
    """Return the facts of the request's only change, as far as its state needs them."""
    plan = card.request.plan
    if card.state is CardState.OPEN:
        return [facts.commit(plan)]
    if card.state is CardState.LIVE and plan.commits:
        return [facts.commit(plan), *facts.commits(plan, "went live", "were taken back")]
    return [*facts.subject(plan), facts.commit(plan)]


def each(plans: tuple[Plan, ...], *, whole: bool) -> list[Json]:
    """Return the facts of each of several changes, in the order in which they go live.

    `whole` is for who has yet to decide; else which commits it is about is enough.
    """
    if len(plans) > SEVERAL:
        return facts.many(plans)
    blocks: list[Json] = []
    for alike in facts.alike(plans):
        services = ", ".join(f"*{plans.index(plan) + 1}. {escape(plan.service)}*" for plan in alike)
        blocks += [{"type": "divider"}] if whole else []
        blocks += [_marked(f"{services}  {facts.change(alike[0])}"), facts.commit(alike[0])]
        blocks += facts.of_several(alike, OF_SEVERAL) if whole else []
    return [*blocks, {"type": "divider"}] if whole else blocks


def _fields(card: Card, people: People) -> Json:
    request = card.request
    fields = [] if request.more else [f"*Change*\n{facts.change(request.plan)}"]
    fields.append(f"*Asked by*\n{escape(_asker(request, people), 300)}")
    if card.state is CardState.OPEN and not request.rule.automatic:
        until = moment(request.expires_at, "{date_short_pretty} at {time}")
        fields += [f"*May approve*\n{_may_approve(card, people)}", f"*Until*\n{until}"]
        if card.nudges and (said := waiting.coming(card.nudges, moment, _named_by(people))):
            fields.append(f"*If nobody answers*\n{said[0].upper()}{said[1:]}")
    if card.state is CardState.OPEN and request.start_at is not None:
        fields.append(f"*Starts*\n{moment(request.start_at, '{date_short_pretty} at {time}')}")
    return {
        "type": "section",
        "fields": [{"type": "mrkdwn", "text": text, "verbatim": True} for text in fields],
    }


def _named_by(people: People) -> Callable[[str], str]:
    return lambda person: escape(people.name(person), 80)


def _may_approve(card: Card, people: People) -> str:
    """Mention those who can still act and want to be called, and name the others who can."""
    request = card.request
    able = waiting.able(request, card.grants, escalated=card.escalated)
    known = {person.id: person.slack for person in people.known}
    shown = []
    for one in able[:10]:
        called = one.is_called and known.get(one.person)
        name = f"<@{known[one.person]}>" if called else escape(people.name(one.person), 80)
        others = " and ".join(escape(people.name(other), 80) for other in one.instead_of)
        shown.append(f"{name} for {others}" if others else name)
    more = f" +{len(able) - 10} more" if len(able) > 10 else ""
    need = waiting.needed(request, card.grants)
    return (", ".join(shown) or "nobody") + more + (f" ({escape(need, 200)})" if need else "")


def _asker(request: ApprovalRequest, people: People) -> str:
    return ", ".join(people.name(person) for person in request.requesters[:5]) or "deploybot"


def _to_decide(request: ApprovalRequest) -> list[Json]:
    """Return what only somebody who has yet to decide needs to read."""
    blocks: list[Json] = []
    if _says_more(request):
        asked = section(words("What led to this", bold=True))
        blocks.append(rich(asked, quote(request.asked, 600)))
    if not request.more:
        plan = request.plan
        blocks += facts.commits(plan, "go live", "are taken back")
        blocks += [*facts.warnings(plan), *facts.judged(plan)]
    if request.reason:
        blocks.append(plain(line(f"deploybot's reason: {request.reason}", 600)))
    return blocks


def _says_more(request: ApprovalRequest) -> bool:
    """Tell whether what was asked says more than the card does: plain code asks in its words."""
    said = {"sha", "to", "on", "and", "then"}
    for plan in request.plans:
        said |= {plan.service, plan.environment, plan.sha[:SHORT], *plan.action.split("_")}
    return bool(set(request.asked.casefold().split()) - said)


def _where_it_runs(progress: Sequence[dict[str, Any]]) -> str:
    """Return the page that the target last gave for what runs, "" for none."""
    links = (entry.get("link") for entry in reversed(progress) if entry.get("kind") == "running")
    return str(next(links, "") or "")


def _links(url: str, run: str) -> list[Json]:
    """Return where to read on: the thread's page, and the page of the run if it is an address."""
    links = [f"<{url}|Everything about this thread>"] if url else []
    if urlsplit(run).scheme == "https" and not set(run) & set("<>| \n") and len(run) <= 1000:
        links.append(f"<{escape(run)}|Where it runs>")
    return [small("  ·  ".join(links))] if links else []


def _marked(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
