"""What an edit or a deletion of a message in Slack means: that it happened, and to what; no new words."""

from dataclasses import dataclass
from datetime import datetime

from deploybot.events import MessageAltered
from deploybot.inbound.slack_buttons import message_alias
from deploybot.inbound.slack_payloads import Changed, Json, parsed
from deploybot.inbound.slack_text import mentions
from deploybot.ports import People


@dataclass(frozen=True)
class Altered:
    """Somebody's edit or deletion of a message, and how its thread is found.

    `ours` tells whether the message was said to the bot, so that it ought to have been heard; `late`
    is how many seconds after the message it was changed.
    """

    event: MessageAltered
    alias: str
    dedupe: tuple[str, ...]
    ours: bool
    late: float


def read_altered(
    event: Json, event_id: str, bot: str, people: People, now: datetime
) -> Altered | None:
    """Return what its author edited or deleted; None for what Slack itself changes, such as a preview."""
    changed = parsed(Changed, event)
    before, after = changed.previous_message, changed.message
    gone = after is None or after.subtype == "tombstone"
    if before is None or not before.user or before.bot_id or before.user == bot:
        return None
    if after is not None and not gone and (after.edited is None or after.text == before.text):
        return None
    by = people.by_slack(before.user)
    direct = changed.channel_type == "im" or changed.channel.startswith("D")
    stamp = after.edited.ts if after is not None and after.edited and not gone else "gone"
    delivery = f"slack:altered:{changed.channel}:{before.ts}:{stamp}"
    return Altered(
        event=MessageAltered(
            at=now,
            by=by,
            delivery=delivery,
            how="deleted" if gone else "edited",
            channel=changed.channel,
            ts=before.ts,
        ),
        alias=message_alias(changed.channel, before.thread_ts or before.ts),
        dedupe=(delivery, f"slack:event:{event_id}"),
        ours=direct or mentions(before.text, bot),
        late=_seconds(changed.event_ts) - _seconds(before.ts),
    )


def _seconds(ts: str) -> float:
    try:
        return float(ts)
    except ValueError:
        return 0.0
