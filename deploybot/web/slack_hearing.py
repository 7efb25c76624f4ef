"""What was said in Slack, and what was changed of it, on its way into the store; answers are the desk's."""

from deploybot.errors import InboundError
from deploybot.events import SlackMessageReceived
from deploybot.inbound.slack import Ignored, Words
from deploybot.inbound.slack_altered import Altered
from deploybot.inbox import Inbox
from deploybot.ports import Store
from deploybot.thread import Status

ON_ITS_WAY = 600.0
"""Seconds after a message within which it may still come behind its own change."""


def hear(inbox: Inbox, store: Store, heard: Words | Altered | Ignored) -> None:
    """Store it, if it was said to the bot or where the bot takes part."""
    match heard:
        case Words(alias=alias, event=event, dedupe=dedupe, begins=begins):
            if known := store.find(alias):
                inbox.hear(known, event, dedupe=dedupe)
            elif begins:
                inbox.hear(begins, event, dedupe=dedupe, aliases=(alias,))
        case Altered() as altered:
            _alter(inbox, store, altered)
        case Ignored():
            pass


def _alter(inbox: Inbox, store: Store, altered: Altered) -> None:
    """Keep that a message which was heard was edited or deleted.

    Raises InboundError (503) while the message itself is still on its way: Slack then sends the
    change again, behind it.
    """
    known = store.find(altered.alias)
    thread = store.load(known) if known else None
    about = (altered.event.channel, altered.event.ts)
    was_heard = thread is not None and any(
        isinstance(event, SlackMessageReceived) and (event.channel, event.ts) == about
        for event in thread.events
    )
    if thread is not None and was_heard:
        under_way = thread.standing.status is not Status.DONE
        event = altered.event.model_copy(update={"under_way": under_way})
        inbox.hear(thread.id, event, dedupe=altered.dedupe)
    elif (altered.ours or thread is not None) and altered.late < ON_ITS_WAY:
        raise InboundError("The message that was changed has not come yet.", status=503)
