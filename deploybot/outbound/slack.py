"""Tells a thread's people in Slack: posts each telling once, and updates it through its life.

What a telling looks like is drawn in `slack_blocks`, where it belongs is decided in
`slack_posting`, what a failed call means is known in `slack_calls`.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from slack_sdk import WebClient

from deploy import failpoints
from deploybot.errors import DeliveryError
from deploybot.inbound.slack_buttons import message_alias
from deploybot.outbound import slack_overtaken as overtaken
from deploybot.outbound.slack_anchored import anchored
from deploybot.outbound.slack_blocks import Look, draw
from deploybot.outbound.slack_calls import (
    NO_PLACE,
    OF_THE_BOT,
    TOO_LONG,
    Pace,
    Pacing,
    RefusedCallError,
    UnsureCallError,
    call,
)
from deploybot.outbound.slack_finding import NO_THREAD, found
from deploybot.outbound.slack_personal import Personal, write_to
from deploybot.outbound.slack_posting import (
    LATE,
    Noted,
    Place,
    Posting,
    card_postings,
    detail_posting,
    place_of,
    whisper_place,
)
from deploybot.outbound.slack_refuge import moves, sentence, shortened
from deploybot.outbound.slack_text import escape
from deploybot.ports import People
from deploybot.telling import Card, Opening, Private, Telling, Yours
from deploybot.thread import Thread
from deploybot.yours import told_to

_LOG = logging.getLogger(__name__)

_GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}
_BETWEEN_STEPS = timedelta(seconds=1)


@dataclass(frozen=True)
class SlackChannel:
    """One Slack workspace, as a way to reach people.

    A thread that began in Slack is told where it began; any other gets a message of its own in
    `channel`, and everything else goes below it; cards that wait for a person are shown in both.
    `client` must not repeat calls by itself (`slack_calls.slack_client`).
    """

    client: WebClient
    channel: str
    """Id of the channel for what did not begin in Slack."""
    people: People
    url_of: Callable[[str], str]
    """Thread id → address of its page, or ""."""
    alias: Callable[[str, str], None]
    """Keeps that an alias finds a thread: (alias, thread id)."""
    progress: Callable[[str], tuple[dict[str, Any], ...]]
    """Operation id → its steps so far."""
    now: Callable[[], datetime]
    pacing: Pace = field(default_factory=Pacing)
    name: str = "slack"

    def deliver(
        self,
        thread: Thread,
        tellings: tuple[Telling, ...],
        sent: Mapping[str, str],
        note: Callable[[str, str], None],
    ) -> float | None:
        """Post what is missing and update what differs, in order, as far as Slack takes it.

        Returns the seconds after which to deliver once more because of what Slack may still do
        late (`slack_overtaken`). Raises DeliveryError; what was done until then is noted.
        """
        return min(self._tell(thread, tellings, Noted(dict(sent), note)), default=None)

    def _tell(self, thread: Thread, tellings: tuple[Telling, ...], noted: Noted) -> list[float]:
        late: DeliveryError | None = None
        left: list[float] = []
        if moved := sentence(noted, place_of(thread, noted, self.channel)):
            self._bring(thread, moved, noted)
        for telling in tellings:
            if self._was_personal(thread, telling, tellings, noted):
                continue
            for posting in self._postings(thread, telling, noted):
                try:
                    left += self._bring(thread, posting, noted)
                except RefusedCallError as error:
                    if not self._moves(thread, noted, posting, error):
                        raise
                    return self._tell(thread, tellings, noted)
                except DeliveryError as error:
                    if not posting.running or not noted.get(posting.key).get("ts"):
                        raise
                    late = error
        if late is not None:
            raise late
        return left

    def _was_personal(
        self, thread: Thread, telling: Telling, tellings: tuple[Telling, ...], noted: Noted
    ) -> bool:
        """Tell what is for single people to those people; False for what is for all."""
        match telling:
            case Private():
                self._whisper(thread, telling, tellings, noted)
            case Yours():
                for told in told_to(telling, self.people):
                    write_to(self, Personal(telling.key, thread.id, told), noted)
            case _:
                return False
        return True

    def _moves(
        self, thread: Thread, noted: Noted, posting: Posting, error: RefusedCallError
    ) -> bool:
        """Go on in the channel of the file, where the one that the thread began in takes nothing."""
        at, to = place_of(thread, noted, self.channel), self.channel
        return moves(noted, posting, error, at=at, to=to, thread=thread.id)

    def _postings(self, thread: Thread, telling: Telling, noted: Noted) -> Iterator[Posting]:
        place = place_of(thread, noted, self.channel)
        runs = isinstance(telling, Card) and telling.operation
        steps = self.progress(runs) if runs else ()
        look = Look(self.people, thread.id, self.url_of(thread.id), steps)
        if not isinstance(telling, Card):
            patient = isinstance(telling, Opening)
            yield Posting(telling.key, place, draw(telling, look), running=patient)
            return
        yield from card_postings(telling, place, self.channel, look, noted)
        # The card itself may have been the first message of the thread.
        detail = detail_posting(telling, place_of(thread, noted, self.channel), noted)
        if detail:
            yield detail

    def _bring(self, thread: Thread, posting: Posting, noted: Noted) -> list[float]:
        """Make this one message as it should be: nothing, an update, or a post.

        Returns the seconds after which it must be brought once more, if it must.
        """
        before = noted.get(posting.key)
        again = overtaken.is_due(before, self.now())
        if before.get("digest") != posting.drawing.digest or again:
            ts, channel = before.get("ts", ""), before.get("channel", posting.place.channel)
            if not ts and before.get("trying"):
                # An earlier try ended without an answer: look before posting a second time.
                ts = next(found(self.client, posting, thread.id, before["trying"]), "")
            if not (ts and self._updated(thread, posting, Place(channel, ts), noted)):
                self._post(thread, posting, noted)
            elif again:
                overtaken.take_away(self.client, posting, thread.id, before[LATE], ts)
        left = overtaken.seconds_left(noted.get(posting.key), self.now())
        return [] if left is None else [left]

    def _updated(self, thread: Thread, posting: Posting, at: Place, noted: Noted) -> bool:
        """Update the message; False when it is gone, so that it must be posted anew."""
        before = noted.get(posting.key)
        if posting.running and before.get("at"):
            wait = _BETWEEN_STEPS - (self.now() - datetime.fromisoformat(before["at"]))
            if wait > timedelta(0):
                seconds = min(wait, _BETWEEN_STEPS).total_seconds()
                raise DeliveryError(
                    f"The next steps follow in {seconds:.1f} s.", retry_after=seconds
                )
        late = "" if overtaken.is_due(before, self.now()) else before.get(LATE, "")
        overtaken.trying(noted, posting.key, self.now())
        try:
            self._sent(self.client.chat_update, thread, posting, channel=at.channel, ts=at.root)
        except UnsureCallError:
            raise
        except DeliveryError as error:
            noted.put(posting.key, **before)
            code = error.code if isinstance(error, RefusedCallError) else ""
            elsewhere = code in NO_PLACE and at.channel != posting.place.channel
            if code not in _GONE and not elsewhere:
                raise
            return False
        self._keep(thread, posting, noted, at, late)
        return True

    def _sent(
        self,
        method: Callable[..., Any],
        thread: Thread,
        posting: Posting,
        **arguments: Any,
    ) -> Any:
        """Make the call with the whole message, or in short where Slack finds it too long."""
        drawing, mark = posting.drawing, posting.mark(thread.id, thread.head)
        send = partial(call, method, metadata=mark, **arguments)
        try:
            return send(text=drawing.text, blocks=anchored(drawing.blocks, thread))
        except RefusedCallError as error:
            if error.code not in TOO_LONG:
                raise
            extra = {"action": "shorten", "thread_id": thread.id, "why": str(error)}
            _LOG.warning("told in short", extra=extra)
            short = shortened(drawing, self.url_of(thread.id))
            return send(text=short.text, blocks=anchored(short.blocks, thread))

    def _post(self, thread: Thread, posting: Posting, noted: Noted) -> None:
        late = noted.get(posting.key).get("trying", "")
        self.pacing.take(posting.place.channel, self.now())
        noted.put(posting.key, trying=self.now().isoformat())
        failpoints.at("slack.post.before")
        where = posting.place.channel
        arguments = {"channel": where, "unfurl_links": False, "unfurl_media": False}
        below: dict[str, Any] = {"thread_ts": posting.place.root} if posting.place.root else {}
        if below and posting.broadcast:
            below["reply_broadcast"] = True
        try:
            try:
                post = partial(self._sent, self.client.chat_postMessage, thread, posting)
                answer = post(**arguments, **below)
            except RefusedCallError as error:
                if error.code not in NO_THREAD:
                    raise
                # Somebody deleted the message that all this hung on: go on below this one.
                answer, below = post(**arguments), {}
        except UnsureCallError:
            raise
        except DeliveryError:
            noted.put(posting.key)
            raise
        failpoints.at("slack.post.after", lost=_unheard)
        posted = Place(str(answer.get("channel", posting.place.channel)), str(answer["ts"]))
        self._keep(thread, posting, noted, posted, late)
        if not below and not posting.key.endswith("@channel"):
            noted.put("root", channel=posted.channel, ts=posted.root)

    def _keep(
        self, thread: Thread, posting: Posting, noted: Noted, at: Place, late: str = ""
    ) -> None:
        """Keep where it is: first so that replies find the thread, then so that it is not redone."""
        if noted.get(posting.key).get("ts") != at.root:
            self.alias(message_alias(at.channel, at.root), thread.id)
        state = {"state": posting.state} if posting.state else {}
        # Noted, since another process may draw the next step.
        state |= {"at": self.now().isoformat()} if posting.running else {}
        state |= {LATE: late} if late else {}
        digest = posting.drawing.digest
        noted.put(posting.key, channel=at.channel, ts=at.root, digest=digest, **state)

    def _whisper(
        self, thread: Thread, private: Private, tellings: tuple[Telling, ...], noted: Noted
    ) -> None:
        if private.channel != self.name or not private.address or noted.get(private.key):
            return
        place = whisper_place(thread, private, tellings, place_of(thread, noted, self.channel))
        where = {"thread_ts": place.root} if place.root else {}
        try:
            call(
                self.client.chat_postEphemeral,
                channel=place.channel,
                user=private.address,
                text=escape(private.text),
                **where,
            )
        except RefusedCallError as error:
            if error.code in OF_THE_BOT:
                raise
            # That person cannot be whispered to there; the refusal stays on record.
            extra = {"action": "whisper", "thread_id": thread.id, "code": error.code}
            _LOG.warning("not told", extra=extra)
            noted.put(private.key, refused=error.code)
            return
        noted.put(private.key, told=self.now().isoformat())


def _unheard() -> Exception:
    return UnsureCallError("Slack did not answer; the message may be missing there.", retry_after=2)
