"""What people do in the workspace: say, edit, delete, react; clicks and modals are in `interactions`."""

import secrets
import uuid
from concurrent.futures import Future
from dataclasses import replace

from deploybot.demo.workspace import payloads
from deploybot.demo.workspace.conversations import Conversation
from deploybot.demo.workspace.courier import Delivery
from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.message import Message
from deploybot.demo.workspace.people import everybody
from deploybot.demo.workspace.said import marked
from deploybot.demo.workspace.settings import Json, Person
from deploybot.demo.workspace.workspace import Workspace

_LONGEST = 12_000


class NotPossibleError(Exception):
    """A person tried what Slack's client would not let them do; nothing was sent to the bot."""


def someone(workspace: Workspace, user: str) -> Person:
    """Return the person, by id or by name; raise `NotPossibleError` for nobody or a former member."""
    for person in workspace.settings.people:
        if user.lower() in {person.id.lower(), person.name.lower()}:
            if person.deleted:
                raise NotPossibleError(f"{person.name} has left the workspace.")
            return person
    raise NotPossibleError(f"There is no {user} in the workspace.")


def place(workspace: Workspace, person: Person, channel: str) -> Conversation:
    """Return the conversation, if this person is in it."""
    try:
        return workspace.conversations.for_person(channel, person.id)
    except SlackError:
        raise NotPossibleError(f"{person.name} is in no conversation {channel}.") from None


def visible(where: Conversation, person: Person, ts: str) -> Message:
    """Return the message, if this person sees it."""
    message = where.messages.get(ts)
    if message is None or message.only_for not in {None, person.id}:
        raise NotPossibleError(f"{person.name} sees no message {ts} in {where.id}.")
    return message


def say(
    workspace: Workspace,
    user: str,
    channel: str,
    text: str,
    thread_ts: str | None = None,
    *,
    broadcast: bool = False,
) -> Json:
    """Say something; wait for the bot's first answers. Returns `{ts, channel, deliveries}`."""
    person = someone(workspace, user)
    where = place(workspace, person, channel)
    _writable(where, text)
    if thread_ts is not None:
        parent = visible(where, person, thread_ts)
        thread_ts = parent.thread_ts or parent.ts
    stored, blocks = marked_by(workspace, text)
    draft = Message(
        channel=where.id,
        ts="",
        user=person.id,
        text=stored,
        blocks=(blocks,),
        thread_ts=thread_ts,
        broadcast=broadcast,
        client_msg_id=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
    )
    message, sent = workspace.post(where, draft)
    return {"ts": message.ts, "channel": where.id, "deliveries": outcomes(sent)}


def edit(workspace: Workspace, user: str, channel: str, ts: str, text: str) -> Json:
    """Change what one said; returns `{ts, channel, deliveries}`."""
    person = someone(workspace, user)
    where = place(workspace, person, channel)
    before = _own(where, person, ts)
    _writable(where, text)
    stored, blocks = marked_by(workspace, text)
    edited = (person.id, workspace.ids.ts())
    after = replace(before, text=stored, blocks=(blocks,), edited=edited)
    sent = workspace.change(where, before, after)
    return {"ts": ts, "channel": where.id, "deliveries": outcomes(sent)}


def delete(workspace: Workspace, user: str, channel: str, ts: str) -> Json:
    """Take back what one said, or dismiss an ephemeral message; returns `{ts, channel, deliveries}`."""
    person = someone(workspace, user)
    where = place(workspace, person, channel)
    message = visible(where, person, ts)
    if not message.only_for:
        message = _own(where, person, ts)
    sent = workspace.delete(where, message)
    return {"ts": ts, "channel": where.id, "deliveries": outcomes(sent)}


def react(workspace: Workspace, user: str, channel: str, ts: str, name: str) -> Json:
    """Put a mark on a message, or take it away again; returns `{ts, channel}`."""
    person = someone(workspace, user)
    where = place(workspace, person, channel)
    message = visible(where, person, ts)
    there = person.id in dict(message.reactions).get(name, ())
    after = message.unreacted(name, person.id) if there else message.reacted(name, person.id)
    workspace.change(where, message, after, quietly=True)
    return {"ts": ts, "channel": where.id}


def open_home(workspace: Workspace, user: str) -> Json:
    """Look at the app's Home; returns `{channel, deliveries}`."""
    person = someone(workspace, user)
    where = workspace.conversations.direct(person.id)
    events = payloads.home_opened(workspace.settings, where, person.id, workspace.ids.ts())
    return {"channel": where.id, "deliveries": outcomes(workspace.tell_bot(events))}


def outcomes(sent: "list[Future[Delivery]]") -> list[Json]:
    """Wait for deliveries and return what came of them."""
    return [future.result().shape() for future in sent]


def _writable(where: Conversation, text: str) -> None:
    if where.archived:
        raise NotPossibleError(f"#{where.name} is archived: nobody can write there.")
    if not text.strip():
        raise NotPossibleError("An empty message cannot be sent.")
    if len(text) > _LONGEST:
        raise NotPossibleError(f"A message may have {_LONGEST} characters, this has {len(text)}.")


def marked_by(workspace: Workspace, text: str) -> tuple[str, Json]:
    """Return what a person typed as Slack stores it, and its block."""
    names = {person.name.lower(): person.id for person in everybody(workspace.settings)}
    rooms = {channel.name: channel.id for channel in workspace.settings.channels}
    stored, blocks = marked(text, names, rooms)
    return stored, {**blocks, "block_id": workspace.ids.short(length=5)}


def _own(where: Conversation, person: Person, ts: str) -> Message:
    message = visible(where, person, ts)
    if message.user != person.id or message.tombstone:
        raise NotPossibleError(f"{ts} is not a message of {person.name}.")
    return message
