"""What people and models are shown: I7, I9, I10 and I11."""

import json
from collections.abc import Iterator

from deploybot.events import EVENT, EmailReceived, SlackMessageReceived, StepChosen
from deploybot.invariants.evidence import Known, Read, World
from deploybot.outbox import tellings
from deploybot.prompting import parse
from deploybot.redaction import REMOVED, Redactor
from deploybot.telling import Private, Telling, Yours
from deploybot.thread import STEP_BUDGET

_BY_SLACK = "slack"
_FREE = ("code", "offline")
"""Who chooses without being paid for it."""


def told(read: Read, known: Known, world: World) -> Iterator[str]:
    """I7: whatever people are to know went out by one way, or is not due yet."""
    del known
    thread = read.thread
    if not thread.events or not world.channels:
        return
    if read.untold:
        if world.now - thread.events[-1].at > world.told_within:
            yield f"{thread.id}: people have not been told everything since {thread.events[-1].at:%Y-%m-%d %H:%M:%S} UTC"
        return
    for telling in tellings(thread):
        if not _went_out(telling, read, world):
            yield f"{thread.id}: nobody was told {telling.key}"


def _went_out(telling: Telling, read: Read, world: World) -> bool:
    """Tell whether a channel has noted it; a mail goes only to those who are concerned."""
    if isinstance(telling, Private):
        if telling.channel not in world.channels or not telling.address:
            return True
        return bool(read.notes.get(f"{telling.channel}:{telling.key}"))
    if isinstance(telling, Yours) or _BY_SLACK not in world.channels:
        return True  # of one's own commits hears only who wants to
    keys = (telling.key, f"{telling.key}@channel")
    return any(_is_there(read.notes.get(f"{_BY_SLACK}:{key}", "")) for key in keys)


def _is_there(note: str) -> bool:
    found = json.loads(note) if note else {}
    return isinstance(found, dict) and bool(found.get("ts"))


def shown_truly(known: Known, world: World) -> Iterator[str]:
    """I7: nothing stands in Slack that the threads do not say."""
    for thread, messages in (world.shown or {}).items():
        true = known.keys.get(thread)
        if true is None:
            yield f"Slack shows {thread}, and there is no such thread"
            continue
        for key in messages:
            plain = key.partition("@")[0].removesuffix(":detail")
            if plain not in true:
                yield f"Slack shows {key} of {thread}, which did not happen"


def read_back(read: Read, known: Known, world: World) -> Iterator[str]:
    """I9: what a model would read can be read back into exactly the events that it shows."""
    del known, world
    if read.reads is not None:
        text, entries = read.reads
        if parse(text) != entries:
            yield f"{read.thread.id}: what a model reads of it is not what happened"


def without_secrets(read: Read, known: Known, world: World) -> Iterator[str]:
    """I10: no event and no note holds a secret, plain or encoded."""
    del known
    for number, event in enumerate(read.thread.events, start=1):
        if _holds_one(world.secrets, EVENT.dump_json(event).decode()):
            yield f"event {number} of {read.thread.id} holds a secret"
    for key, note in read.notes.items():
        if _holds_one(world.secrets, note):
            yield f"the note {key} of {read.thread.id} holds a secret"


def no_sink_holds_one(known: Known, world: World) -> Iterator[str]:
    """I10: nothing else that leaves the bot holds one, either."""
    del known
    for name, text in world.sinks.items():
        if _holds_one(world.secrets, text):
            yield f"{name} holds a secret"


def _holds_one(secrets: tuple[str, ...], text: str) -> bool:
    """Tell whether one of these is in the text; what only looks like one may be a command's word."""
    known, plain = Redactor(secrets).text(text), Redactor().text(text)
    return known.count(REMOVED) > plain.count(REMOVED)


def bounded(read: Read, known: Known, world: World) -> Iterator[str]:
    """I11: a model chooses so many steps, and never because of what the bot itself has said."""
    del known
    if read.thread.standing.steps > STEP_BUDGET:
        yield f"{read.thread.id}: a model chose {read.thread.standing.steps} steps in a row"
    for number, event in enumerate(read.thread.events, start=1):
        match event:
            case SlackMessageReceived(user=who) | EmailReceived(address=who) if who in world.bots:
                yield f"event {number} of {read.thread.id} is the bot's own word"
            case _:
                pass
    chose = [e for e in read.thread.events if isinstance(e, StepChosen) and e.model not in _FREE]
    if world.calls_of_a_thread and len(chose) > world.calls_of_a_thread:
        yield f"{read.thread.id}: models chose {len(chose)} times, and may {world.calls_of_a_thread}"


def within_budgets(known: Known, world: World) -> Iterator[str]:
    """I11: what models have used is within what they may."""
    del known
    for name, (used, may) in world.spent.items():
        if may and used > may:
            yield f"models have used {used} {name}, and may use {may}"
