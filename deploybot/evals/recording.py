"""A thread of real use, saved as a case: what was chosen last is what may come next.

Names of people and secrets are replaced; services, environments, refs and the words themselves stay, so
whoever shares a case reads it first.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from deploy.plan import SHORT
from deploybot.agent import CODE
from deploybot.errors import ConfigError
from deploybot.evals.case import cases_in
from deploybot.evals.pseudonyms import Pseudonyms
from deploybot.evals.telling import Teller
from deploybot.events import (
    EVENT,
    ApprovalRequested,
    BranchUpdated,
    Event,
    HandedOver,
    Inbound,
    ReadReturned,
    StepChosen,
)
from deploybot.next_step import to_wire
from deploybot.ports import People
from deploybot.redaction import Redactor
from deploybot.thread import Thread

NOT_COMPARED = frozenset(
    {"reason", "message", "question", "context", "urgency", "format", "choices"}
)
"""Fields in a model's own words."""
_NOBODY = ("agent:", "policy", "clock", "github", "worker", "pipeline")


def recorded(
    thread: Thread,
    *,
    services: tuple[str, ...],
    environments: tuple[str, ...],
    people: People,
    redactor: Redactor,
    name: str = "",
) -> dict[str, Any]:
    """Return the thread as a case, in the form of the files; raises ConfigError when it is none."""
    at = _last_choice(thread)
    chosen = thread.events[at]
    assert isinstance(chosen, StepChosen)  # noqa: S101 - `_last_choice` says so
    others = Pseudonyms(_called(thread.events, people), kept=(*services, *environments))
    events = [
        others.plain(redactor.plain(EVENT.dump_python(event, mode="json")))
        for event in thread.events[:at]
    ]
    wire = others.plain(redactor.plain(to_wire(chosen.step)))
    wanted = {key: value for key, value in wire.items() if key not in NOT_COMPARED}
    case = {
        "name": name or f"recorded {thread.id}",
        "world": others.plain(redactor.plain(_world(thread.events, services, environments))),
        "thread": [{"event": event} for event in events],
        "may": [{"chose": wanted.pop("intent"), **wanted}],
    }
    _check(case)
    return case


def added(text: str, case: dict[str, Any]) -> str:
    """Return a file of cases with one more; `text` is the file so far, or ""."""
    table = yaml.safe_load(text) if text.strip() else {"group": "recorded", "cases": []}
    if not isinstance(table, dict) or not isinstance(table.get("cases"), list):
        raise ConfigError("The file holds no cases, so nothing was added to it; name another.")
    names = {one.get("name") for one in table["cases"] if isinstance(one, dict)}
    number = next(n for n in range(1, len(names) + 2) if _named(case["name"], n) not in names)
    table["cases"].append({**case, "name": _named(case["name"], number)})
    return yaml.safe_dump(table, sort_keys=False, allow_unicode=True, width=100)


def _named(name: str, number: int) -> str:
    return name if number == 1 else f"{name} ({number})"


def _check(case: dict[str, Any]) -> None:
    """Refuse what would not play."""
    text = yaml.safe_dump({"group": "recorded", "cases": [case]}, allow_unicode=True)
    for one in cases_in(text, "the recording", {}):
        try:
            Teller(one.world).tell(one.thread)
        except ValueError as error:
            raise ConfigError(
                f"The thread cannot be played again, so no case was saved: {error}."
            ) from None


def _last_choice(thread: Thread) -> int:
    for at in reversed(range(len(thread.events))):
        event = thread.events[at]
        if isinstance(event, StepChosen) and event.model != CODE:
            return at
    raise ConfigError(
        f"No model or planner has chosen anything in thread {thread.id}, so no case was saved."
    )


def _called(events: Iterable[Event], people: People) -> dict[str, list[str]]:
    """Return everyone in the thread, and what they are called: people first, as they came in."""
    called: dict[str, list[str]] = {}
    for event in events:
        for who in _who(event):
            called.setdefault(who, [])
        if isinstance(event, Inbound):
            name = getattr(event, "name", "")
            called.get(event.by, []).extend([name] if isinstance(name, str) and name else [])
    for person in people.known:
        names = [person.name, person.slack, person.email, person.github]
        called.setdefault(person.id, []).extend(name for name in names if name)
    return called


def _who(event: Event) -> Iterator[str]:
    yield from () if event.by.startswith(_NOBODY) else (event.by,)
    if isinstance(event, BranchUpdated) and event.pusher:
        yield event.pusher
    for commit in _rows(event, "author"):
        yield str(commit["author"])


def _world(
    events: tuple[Event, ...], services: tuple[str, ...], environments: tuple[str, ...]
) -> dict[str, Any]:
    """Return what the thread tells of commits, tags and what is live."""
    commits: dict[str, dict[str, str]] = {}
    tags: dict[str, dict[str, str]] = {}
    live: dict[str, dict[str, str]] = {}
    approvers: tuple[str, ...] = ()
    for event in events:
        for row in _rows(event, "subject"):
            sha = str(row["sha"])
            told = {"author": str(row.get("author", "")), "subject": str(row["subject"])}
            commits.setdefault(sha, {"sha": sha[:SHORT], "digits": sha, **told})
        for row in _rows(event, "name"):
            tags.setdefault(row["name"], {"name": str(row["name"]), "sha": str(row["sha"])[:SHORT]})
            commits.setdefault(row["sha"], {"sha": row["sha"][:SHORT], "digits": row["sha"]})
        for row in _rows(event, "environment"):
            live.setdefault(row["environment"], {})[row["service"]] = str(row.get("live") or "")
        if isinstance(event, ApprovalRequested):
            plan, approvers = event.request.plan, event.request.rule.approvers
            commits.setdefault(plan.sha, {"sha": plan.sha[:SHORT], "digits": plan.sha})
            if plan.ref != plan.sha and not plan.sha.startswith(plan.ref):
                tags.setdefault(plan.ref, {"name": plan.ref, "sha": plan.sha[:SHORT]})
    return {
        "services": list(services),
        "environments": list(environments),
        "approvers": list(approvers),
        "commits": list(commits.values()),
        "tags": list(tags.values()),
        "live": live,
    }


def _rows(event: Event, key: str) -> list[dict[str, Any]]:
    """Return the rows of a read, or of what was fetched ahead, that have this key."""
    told: Any = None
    if isinstance(event, ReadReturned):
        told = event.result
    elif isinstance(event, HandedOver):
        told = event.context
    parts = told.values() if isinstance(told, dict) else (told,)
    found = [row for part in parts if isinstance(part, list) for row in part]
    return [row for row in found if isinstance(row, dict) and row.get(key)]
