"""What a verified Slack payload means: words, a yes, a no, a choice; acting on it is `web.slack`'s.

Pure: no network, no store, no clock. What cannot be read is refused with a sentence; what is read
and concerns nobody is `Ignored` with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from deploybot.events import SlackMessageReceived
from deploybot.inbound.slack_altered import Altered, read_altered
from deploybot.inbound.slack_buttons import (
    ANSWER,
    BREAK_GLASS,
    CHOOSE,
    DENIAL,
    DENY,
    EDIT,
    IT_FAILED,
    IT_IS_LIVE,
    OF_A_REQUEST,
    QUESTION,
    STOP,
    WORDS,
    Reference,
    chosen_block,
    message_alias,
)
from deploybot.inbound.slack_payloads import (
    Action,
    Callback,
    Click,
    Home,
    Json,
    Submission,
    bot_of,
    parsed,
    unreadable,
)
from deploybot.inbound.slack_text import mentions, readable, without_address
from deploybot.inbox import Answer, Settling
from deploybot.ports import People
from deploybot.thread import thread_id_for

_SAID_BY_PEOPLE = {None, "thread_broadcast", "file_share", "me_message"}


@dataclass(frozen=True)
class Words:
    """Somebody's message, ready to be stored, and how its thread is found.

    `alias` finds the thread that the bot already takes part in; `begins` is the id of the thread
    which the message begins when there is none, "" when it was not said to the bot.
    """

    event: SlackMessageReceived
    alias: str
    begins: str
    dedupe: tuple[str, ...]


@dataclass(frozen=True)
class Ignored:
    """Heard, and of no concern."""

    reason: str


@dataclass(frozen=True)
class Pressed:
    """Approve or Deny on a card, and what is needed to answer the click; a no has no words yet."""

    answer: Answer
    channel: str
    trigger: str


@dataclass(frozen=True)
class Breaking:
    """Somebody wants to approve alone in an emergency; the reason is asked for in a dialog."""

    answer: Answer
    channel: str
    trigger: str


@dataclass(frozen=True)
class EditPressed:
    """Somebody's wish to change what a card asks for, and what is needed to ask them how."""

    about: Reference
    by: str
    user: str
    channel: str
    trigger: str
    delivery: str


@dataclass(frozen=True)
class Stopping:
    """Somebody's wish that a running deploy stops, and where they are told if it may not."""

    thread: str
    request_id: str
    by: str
    user: str
    channel: str
    delivery: str


@dataclass(frozen=True)
class Chosen:
    """One of a question's choices, by its index as shown, and who chose it."""

    thread: str
    question_id: str
    index: int
    by: str
    user: str
    delivery: str


@dataclass(frozen=True)
class Answering:
    """Somebody's answer to a question in words of their own; none yet when the dialog is to open."""

    thread: str
    question_id: str
    words: str
    by: str
    user: str
    delivery: str
    channel: str = ""
    trigger: str = ""


def read_message(
    payload: Json, home: Home, people: People, now: datetime
) -> Words | Altered | Ignored:
    """Return what somebody said, or changed of what they said, or why it is of no concern.

    Raises InboundError (400) when it is a new message by a person and garbled.
    """
    event = payload.get("event")
    if not isinstance(event, dict):
        raise unreadable("no event")
    bot = home.bot_user or bot_of(payload)
    if event.get("bot_id") or (bot and event.get("user") == bot):
        return Ignored("said by a bot")
    if event.get("subtype") in ("message_changed", "message_deleted"):
        altered = read_altered(event, str(payload.get("event_id")), bot, people, now)
        return altered or Ignored("not changed by its author")
    new = not (event.get("hidden") or event.get("edited"))
    subtype = event.get("subtype")
    if not new or not isinstance(subtype, str | None) or subtype not in _SAID_BY_PEOPLE:
        return Ignored("not a new message")
    callback = parsed(Callback, payload)
    said = callback.event
    root = said.thread_ts or said.ts
    direct = said.channel_type == "im" or said.channel.startswith("D")
    # A post with a mention comes as two events in any order: the first to come begins the thread.
    addressed = direct or said.type == "app_mention" or mentions(said.text, bot)
    by = people.by_slack(said.user)
    delivery = f"slack:msg:{said.channel}:{said.ts}"
    return Words(
        event=SlackMessageReceived(
            at=now,
            by=by,
            delivery=delivery,
            channel=said.channel,
            ts=said.ts,
            thread_ts=root,
            user=said.user,
            name=people.name(by),
            text=readable(without_address(said.text, bot), names_of(people, bot)),
        ),
        alias=message_alias(said.channel, root),
        begins=thread_id_for("slack", callback.team_id, said.channel, root) if addressed else "",
        dedupe=(delivery, f"slack:event:{callback.event_id}"),
    )


def read_click(  # noqa: PLR0911 - a case a button
    payload: Json, people: People
) -> Pressed | Breaking | EditPressed | Stopping | Chosen | Answering | Settling | Ignored:
    """Return which button was pressed on what; raises InboundError (400) when it is garbled."""
    click = parsed(Click, payload)
    action, where, user = click.actions[0], click.container, click.user.id
    team = click.team.id if click.team else ""
    delivery = (
        f"slack:click:{team}:{where.channel_id}:{where.message_ts}:{user}"
        f":{action.action_id}:{action.action_ts}"
    )
    by = people.by_slack(user)
    if action.action_id.partition(":")[0] == CHOOSE:
        return _chosen(action, by, user, delivery)
    if action.action_id == ANSWER:
        asked = chosen_block(action.block_id)
        if asked is None:
            return Ignored("no such question")
        return Answering(*asked, "", by, user, delivery, where.channel_id, click.trigger_id)
    if action.action_id not in OF_A_REQUEST:
        return Ignored("no such button")
    about = Reference.loads(action.value)
    if action.action_id == EDIT:
        return EditPressed(about, by, user, where.channel_id, click.trigger_id, delivery)
    if action.action_id == STOP:
        return Stopping(about.thread, about.request, by, user, where.channel_id, delivery)
    if action.action_id in {IT_IS_LIVE, IT_FAILED}:
        return Settling(
            thread=about.thread,
            request_id=about.request,
            outcome="succeeded" if action.action_id == IT_IS_LIVE else "failed",
            by=by,
            delivery=delivery,
            channel="slack",
            address=user,
        )
    answer = Answer(
        thread=about.thread,
        request_id=about.request,
        digest=about.digest,
        approved=action.action_id != DENY,
        comment="",
        by=by,
        channel="slack",
        address=user,
        delivery=delivery,
        confirmed=True,  # the card's button asks, where it must, before it sends
    )
    if action.action_id == BREAK_GLASS:
        unsaid = replace(answer, break_glass="not said yet")
        return Breaking(unsaid, where.channel_id, click.trigger_id)
    return Pressed(answer, where.channel_id, click.trigger_id)


def read_denial(payload: Json, people: People) -> Answer:
    """Return the denial that the dialog was sent with; its words may be blank."""
    return _sent_off(payload, people, DENIAL)


def read_broken_glass(payload: Json, people: People) -> Answer:
    """Return the approval of one person alone; its reason may be blank."""
    sent = _sent_off(payload, people, BREAK_GLASS)
    return replace(sent, approved=True, confirmed=True, comment="", break_glass=sent.comment)


def _sent_off(payload: Json, people: People, block: str) -> Answer:
    sent = parsed(Submission, payload)
    about = Reference.loads(sent.view.private_metadata)
    given = sent.view.state.values.get(block, {}).get(WORDS)
    user = sent.user.id
    return Answer(
        thread=about.thread,
        request_id=about.request,
        digest=about.digest,
        approved=False,
        comment=(given.value or "").strip() if given else "",
        by=people.by_slack(user),
        channel="slack",
        address=user,
        delivery=f"slack:view:{sent.view.id}:{sent.view.hash}",
    )


def read_answer(payload: Json, people: People) -> Answering:
    """Return the answer that the dialog was sent with; its words may be blank.

    Raises InboundError (400) when the dialog is not ours.
    """
    sent = parsed(Submission, payload)
    asked = chosen_block(sent.view.private_metadata)
    if asked is None:
        raise unreadable("no question is named")
    given = sent.view.state.values.get(QUESTION, {}).get(WORDS)
    return Answering(
        *asked,
        words=(given.value or "").strip() if given else "",
        by=people.by_slack(sent.user.id),
        user=sent.user.id,
        delivery=f"slack:view:{sent.view.id}:{sent.view.hash}",
    )


def _chosen(action: Action, by: str, user: str, delivery: str) -> Chosen | Ignored:
    about = chosen_block(action.block_id)
    index = action.selected_option.value if action.selected_option else action.value
    if about is None or not (index.isascii() and index.isdigit() and len(index) < 4):
        return Ignored("no such choice")
    thread, question = about
    return Chosen(thread, question, int(index), by, user, delivery)


def names_of(people: People, bot: str) -> Callable[[str], str]:
    """Return what turns a Slack user id into a name."""
    return lambda user: "deploybot" if user == bot else people.name(people.by_slack(user))
