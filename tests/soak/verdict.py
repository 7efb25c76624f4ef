"""What came of it all, by the ledgers of those outside and the journals of the targets: lost, doubled, untold."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from faults.lean_company import now
from oracle import violations
from soak.company import SoakCompany, places
from soak.people import Ledger as Heard

from deploy.records import BeganRecord, ClosedRecord, EndedRecord, SwitchedRecord
from deploybot.events import ApiMessageReceived, DeployStarted, DeploySucceeded
from deploybot.gathering import Gathering, settled_verdicts, sites
from deploybot.invariants import Ledger, World
from deploybot.invariants import violations as violations_of
from deploybot.models import templates
from deploybot.outbound.email_letters import letters
from deploybot.outbound.slack_fate import FINAL, in_short
from deploybot.outbound.slack_text import escape
from deploybot.outbox import tellings
from deploybot.ports import People
from deploybot.telling import Card, Private, Yours
from deploybot.thread import Status, Thread
from deploybot.yours import told_to

RESTING = {
    Status.DONE,
    Status.AWAITING_APPROVAL,
    Status.AWAITING_INPUT,
    Status.PAUSED,
    Status.SLEEPING,
}


@dataclass
class Verdict:
    """Each list is empty when all is as promised."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.untold or self.wrong)


def threads(company: SoakCompany) -> Iterator[Thread]:
    """Yield every thread, verified."""
    cursor = ""
    while True:
        page = company.store.list(limit=200, cursor=cursor)
        for name in page.threads:
            yield company.store.load(name)
        cursor = page.cursor
        if not cursor:
            return


def judged(company: SoakCompany, ledger: Heard) -> Verdict:
    """Compare what the threads say with what everybody else knows."""
    verdict = Verdict()
    kept = list(threads(company))
    heard = Counter(
        delivery
        for thread in kept
        for event in thread.events
        if (delivery := getattr(event, "delivery", ""))
    )
    _deliveries(company, ledger, kept, heard, verdict)
    _deploys(company, kept, verdict)
    _told(company, kept, verdict)
    verdict.wrong += _by_invariants(company)
    for thread in kept:
        verdict.wrong += [f"{thread.id}: {bad}" for bad in violations(thread.events)]
        if thread.status not in RESTING:
            verdict.wrong.append(f"{thread.id} is still {thread.status}")
    kinds = Counter(event.kind for thread in kept for event in thread.events)
    verdict.figures |= {
        "threads": len(kept),
        "events": kinds.total(),
        "deploys begun": kinds["deploy_started"],
        "live": kinds["deploy_succeeded"],
        "failed": kinds["deploy_failed"],
        "unknown, then settled": kinds["deploy_outcome_unknown"],
        "approvals": kinds["approval_granted"],
        "denials": kinds["approval_denied"],
        "refused answers": kinds["answer_refused"],
        "turns in line": kinds["turn_came"],
        "locks": kinds["hold_placed"],
    }
    return verdict


def _by_invariants(company: SoakCompany) -> list[str]:
    """Return what the checker of `deploybot audit --deep` finds, with all that Slack shows."""
    posts: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, texts in _posts(company).items():
        thread, _, key = name.partition("/")
        posts.setdefault(thread, {})[key] = tuple(texts)
    taken = [e for e in company.workspace.ledger.entries(direction="to_bot") if _ok(e)]
    world = World(
        now=now(),
        places=sites(company.look.catalog, company.look, company.store),
        people=company.people,
        channels=("slack", "email"),
        ledger=Ledger(accepted=frozenset(_mentions(taken))),
        shown=posts,
        shown_heads=_heads(company),
        secrets=(company.key,),
        sinks={"the workers' log": company.log()},
    )
    gathering = Gathering(company.connection, company.key.encode(), templates.read().words)
    return list(violations_of(settled_verdicts(gathering.threads, lambda: world)))


# -- lost and doubled ----------------------------------------------------------------


def _deliveries(
    company: SoakCompany,
    ledger: Heard,
    kept: list[Thread],
    heard: Counter[str],
    verdict: Verdict,
) -> None:
    verdict.doubled += [f"{name} was heard {n} times" for name, n in heard.items() if n > 1]
    taken = [e for e in company.workspace.ledger.entries(direction="to_bot") if _ok(e)]
    mentions = {
        f"slack:msg:{event['channel']}:{event['ts']}"
        for entry in taken
        if entry["kind"] == "event"
        and (event := entry["payload"]["event"])["type"] == "app_mention"
    }
    verdict.lost += [f"Slack's {name}" for name in mentions if name not in heard]
    answers = 0
    for entry in taken:
        if entry["name"] == "block_actions" and "approve" in str(entry["payload"]["actions"]):
            answers += 1
            action = entry["payload"]["actions"][0]
            found = [
                n for n in heard if n.endswith(f":{action['action_id']}:{action['action_ts']}")
            ]
            if not found and not _refused_often(kept, entry["payload"]["user"]["id"]):
                verdict.lost.append(
                    f"the click {action['action_ts']} of {entry['payload']['user']}"
                )
    texts = Counter(
        word.strip("()")
        for thread in kept
        for event in thread.events
        if isinstance(event, ApiMessageReceived)
        for word in event.text.split()[-1:]
    )
    by_id = {thread.id for thread in kept}
    for nonce, thread_id in ledger.api_threads.items():
        if thread_id not in by_id or texts[nonce] == 0:
            verdict.lost.append(f"the API's thread {thread_id} ({nonce})")
        if texts[nonce] > 1:
            verdict.doubled.append(f"{nonce} was stored {texts[nonce]} times")
    verdict.doubled += [f"{n}, unanswered, twice" for n in ledger.given_up if texts[n] > 1]
    verdict.figures |= {
        "mentions that Slack saw taken": len(mentions),
        "clicks that Slack saw taken": answers,
        "threads that the API acknowledged": len(ledger.api_threads),
        "calls never answered": len(ledger.given_up),
    }


def _mentions(taken: list[dict[str, Any]]) -> set[str]:
    """Return under which names the bot must have heard what Slack saw taken."""
    return {
        f"slack:msg:{event['channel']}:{event['ts']}"
        for entry in taken
        if entry["kind"] == "event"
        and (event := entry["payload"]["event"])["type"] == "app_mention"
    }


def _ok(entry: dict[str, object]) -> bool:
    return isinstance(entry["status"], int) and 200 <= entry["status"] < 300


def _refused_often(kept: list[Thread], user: str) -> bool:
    """Tell whether this person was refused so often on one request that no more is kept of it."""
    who = user.removeprefix("U0").lower()
    refused = Counter(
        (event.by, event.request_id)
        for thread in kept
        for event in thread.events
        if event.kind == "answer_refused"
    )
    return any(by == who and times >= 5 for (by, _), times in refused.items())


def _deploys(company: SoakCompany, kept: list[Thread], verdict: Verdict) -> None:
    """Judge by the targets' journals alone what ran, how often, and whether anything overlapped."""
    started = {
        event.operation for thread in kept for event in thread.events
        if isinstance(event, DeployStarted)
    }  # fmt: skip
    begun: Counter[str] = Counter()
    for service, environment in places():
        owner, fence = "", 0
        for record in reversed(list(company.look.target(service, environment).records())):
            match record:
                case BeganRecord(approval_id=name):
                    begun[name] += 1
                    if record.fence <= fence:
                        verdict.wrong.append(f"{name} began under an old fence")
                    if owner:
                        verdict.doubled.append(f"{name} began while {owner} ran")
                    owner, fence = name, record.fence
                case EndedRecord(approval_id=name) | ClosedRecord(approval_id=name):
                    owner = "" if owner == name else owner
                case SwitchedRecord(approval_id=name) if name != owner:
                    verdict.doubled.append(f"{name} switched while {owner or 'nobody'} ran")
                case _:
                    pass
        if (left := company.store.operation(service, environment)) is not None:
            verdict.wrong.append(f"{left.id} is left on {service} in {environment}")
    verdict.doubled += [f"{name} began {n} times" for name, n in begun.items() if n > 1]
    verdict.lost += [f"{name} ran and no thread says so" for name in begun if name not in started]
    succeeded = {
        event.request_id for thread in kept for event in thread.events
        if isinstance(event, DeploySucceeded)
    }  # fmt: skip
    verdict.wrong += [
        f"{name} is said to be live and never began" for name in succeeded - set(begun)
    ]
    verdict.figures["approvals that began at a target"] = len(begun)


# -- untold --------------------------------------------------------------------------


def _told(company: SoakCompany, kept: list[Thread], verdict: Verdict) -> None:
    verdict.untold += untold(company, kept)
    posts = _posts(company)
    verdict.figures["messages in Slack"] = sum(map(len, posts.values()))
    verdict.figures["of them posted again"] = sum(len(found) - 1 for found in posts.values())
    verdict.figures["mails"] = len(company.sink.mails)


def untold(company: SoakCompany, kept: list[Thread]) -> list[str]:
    """Return what stands in the threads and not in Slack or in the mails."""
    missing = []
    posts, whispers = _posts(company), _whispers(company)
    mailed = {str(mail["Message-ID"]) for mail in company.sink.mails}
    assert company.mail is not None
    for thread in kept:
        told = tellings(thread)
        for telling in told:
            name = f"{thread.id}/{telling.key}"
            if isinstance(telling, Yours) and not any(told_to(telling, company.people)):
                continue  # it is for authors who want to hear, and none does
            if isinstance(telling, Private):
                heard = telling.channel != "slack" or escape(telling.text) in whispers
            else:
                heard = name in posts and (
                    not isinstance(telling, Card) or _shows(telling, posts[name], company.people)
                )
            if not heard:
                missing.append(name)
        noted = company.store.sent(thread.id)
        sent = {k.removeprefix("email:"): v for k, v in noted.items() if k.startswith("email:")}
        due = letters(thread, told, sent, company.people, company.mail)
        missing += [f"mail {thread.id}/{letter.key}" for letter in due]
        missing += [
            f"mail {thread.id}/{key}, noted as sent" for key, value in sent.items()
            if '"state": "sent"' in value and _id(value) not in mailed
        ]  # fmt: skip
    return missing


def _shows(card: Card, found: list[str], people: People) -> bool:
    """Tell whether a card that can no longer change says how it ended."""
    return card.state not in FINAL or all(in_short(card, people) in text for text in found[:1])


def _id(noted: str) -> str:
    return noted.partition('"id": "')[2].partition('"')[0].replace("\\u003c", "<")


def _posts(company: SoakCompany) -> dict[str, list[str]]:
    """Return the texts of the bot's messages, by thread and key."""
    found: dict[str, list[str]] = {}
    with company.workspace.lock:
        for where in company.workspace.conversations.by_id.values():
            for message in where.messages.values():
                payload = (message.metadata or {}).get("event_payload", {})
                if "thread" in payload:
                    name = f"{payload['thread']}/{payload['key']}"
                    found.setdefault(name, []).append(message.text)
    return found


def _heads(company: SoakCompany) -> dict[str, frozenset[str]]:
    """Return where threads stood when the bot's messages were drawn, by what these say."""
    found: dict[str, set[str]] = {}
    with company.workspace.lock:
        for where in company.workspace.conversations.by_id.values():
            for message in where.messages.values():
                payload = (message.metadata or {}).get("event_payload", {})
                if "head" in payload:
                    found.setdefault(payload["thread"], set()).add(payload["head"])
    return {thread: frozenset(heads) for thread, heads in found.items()}


def _whispers(company: SoakCompany) -> str:
    with company.workspace.lock:
        return "\n".join(
            f"{message.text} {message.blocks}"
            for where in company.workspace.conversations.by_id.values()
            for message in where.messages.values()
            if message.only_for
        )
