"""What is told instead where Slack takes something nowhere or not whole: in another channel, or in short."""

import logging
from dataclasses import replace

from deploybot.outbound.slack_blocks import Drawing
from deploybot.outbound.slack_calls import NO_PLACE, RefusedCallError
from deploybot.outbound.slack_posting import MOVED, Noted, Place, Posting
from deploybot.outbound.slack_rich import Json
from deploybot.outbound.slack_text import cut

_LOG = logging.getLogger(__name__)

_SAID = f"{MOVED}:said"
_KEPT_OF_A_LONG_ONE = {"header", "actions"}


def moves(
    noted: Noted, posting: Posting, error: RefusedCallError, *, at: Place, to: str, thread: str
) -> bool:
    """Note that the thread goes on in the channel `to`; False when that would not help.

    What still waits there for people is told anew; what was said stays where it was said.
    """
    helps = to and to != at.channel == posting.place.channel and not noted.get(MOVED)
    if not helps or error.code not in NO_PLACE:
        return False
    extra = {"action": "move", "thread_id": thread, "code": error.code, "why": str(error)}
    _LOG.warning("a thread goes on in another channel", extra=extra)
    noted.put(MOVED, channel=at.channel, code=error.code)
    noted.put("root")
    for key in tuple(noted.values):
        waits = key.startswith(("card:", "question:")) and not noted.get(key).get("state")
        if waits and noted.get(key).get("channel") == at.channel:
            noted.put(key)
    return True


def sentence(noted: Noted, place: Place) -> Posting | None:
    """Return the message that says in the new channel why the thread goes on there."""
    was = noted.get(MOVED)
    if not was or noted.get(_SAID).get("ts"):
        return None
    why = NO_PLACE.get(str(was.get("code")), "Slack refuses it")
    text = f"⚠️ This began in <#{was.get('channel')}>, where I cannot write: {why}. It goes on here."
    return Posting(_SAID, place, Drawing(text, (_text(text),)))


def shortened(drawing: Drawing, url: str) -> Drawing:
    """Return what Slack finds too long without all that is long, and the way to the whole."""
    page = f"<{url}|the thread's page>" if url else "the thread's page"
    whole = _text(f"⚠️ The rest is too long for Slack. Read it all on {page}.")
    kept = [one for one in drawing.blocks if one.get("type") in _KEPT_OF_A_LONG_ONE]
    heads = [one for one in kept if one["type"] == "header"]
    ends = [one for one in kept if one["type"] == "actions"]
    return replace(drawing, text=cut(drawing.text, 300), blocks=(*heads, whole, *ends))


def _text(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}
