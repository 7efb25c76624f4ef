"""The whole state of the workspace and the few ways it changes; faces and people's actions build on it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

from deploybot.demo.workspace import payloads
from deploybot.demo.workspace.conversations import Conversation, Conversations
from deploybot.demo.workspace.courier import Courier, Delivery, json_parcel
from deploybot.demo.workspace.faults import Faults
from deploybot.demo.workspace.feed import Feed
from deploybot.demo.workspace.identifiers import Identifiers
from deploybot.demo.workspace.ledger import Ledger
from deploybot.demo.workspace.mail import Mailbox
from deploybot.demo.workspace.message import Message
from deploybot.demo.workspace.pacing import Pacing
from deploybot.demo.workspace.settings import Json, WorkspaceSettings
from deploybot.demo.workspace.sockets import Sockets
from deploybot.demo.workspace.views import Views


class Workspace:
    """A Slack workspace in memory. Safe to use from several threads.

    `now` returns seconds since the epoch; `url` is set by the server that shows it.
    """

    def __init__(self, settings: WorkspaceSettings, now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.now = now
        self.url = "http://127.0.0.1"
        self.lock = threading.RLock()
        self.ids = Identifiers(now)
        self.feed = Feed()
        self.ledger = Ledger(now)
        self.faults = Faults()
        self.pacing = Pacing(now, settings.burst, on=settings.paced)
        self.sockets = Sockets(settings.app_id, now)
        self.courier = Courier(settings, self.ledger, now, self.sockets)
        self.conversations = Conversations(settings)
        self.views = Views(settings, self.ids, self.feed, now)
        self.mailbox = Mailbox()
        self.response_urls: dict[str, ResponseUrl] = {}

    @property
    def bot_url(self) -> str | None:
        """Where the bot listens, without the path; may be set at any time."""
        return self.courier.bot_url

    @bot_url.setter
    def bot_url(self, url: str | None) -> None:
        self.courier.bot_url = url

    def post(
        self, where: Conversation, message: Message
    ) -> "tuple[Message, list[Future[Delivery]]]":
        """Keep a new message under a fresh timestamp, show it, and tell the bot."""
        with self.lock:
            message = replace(message, channel=where.id, ts=self.ids.ts())
            where.keep(message)
            self.show(where, message)
            return message, self.tell_bot(payloads.posted(self.settings, where, message))

    def change(
        self, where: Conversation, before: Message, after: Message, *, quietly: bool = False
    ) -> "list[Future[Delivery]]":
        """Put a changed message in place of the earlier; `quietly` makes no event of it."""
        with self.lock:
            where.keep(after)
            self.show(where, after)
            if quietly or after.only_for:
                return []
            ts = self.ids.ts()
            return self.tell_bot(payloads.changed(self.settings, where, after, before, ts))

    def delete(self, where: Conversation, message: Message) -> "list[Future[Delivery]]":
        """Take a message away; one with replies leaves a tombstone, as in Slack."""
        with self.lock:
            if where.thread(message.ts):
                stone = Message(
                    channel=where.id,
                    ts=message.ts,
                    user="USLACKBOT",
                    text="This message was deleted.",
                    thread_ts=message.ts,
                    tombstone=True,
                )
                return self.change(where, message, stone)
            where.drop(message.ts)
            gone = {"channel": where.id, "ts": message.ts}
            self.feed.tell("message_gone", gone, self._seen_by(where, message))
            if message.is_reply:
                self._show_parent(where, message)
            if message.only_for:
                return []
            ts = self.ids.ts()
            return self.tell_bot(payloads.deleted(self.settings, where, message, ts))

    def show(self, where: Conversation, message: Message) -> None:
        """Tell the open pages how a message looks now."""
        self.feed.tell("message", self.page_message(where, message), self._seen_by(where, message))
        if message.is_reply and not message.only_for:
            self._show_parent(where, message)

    def page_message(self, where: Conversation, message: Message) -> Json:
        """Return a message for the page: as Slack shows it, its channel, and who alone sees it."""
        shape = where.shape(self.settings, message)
        shape.pop("bot_profile", None)
        shape.pop("root", None)
        return {**shape, "channel": where.id, "only_for": message.only_for}

    def tell_bot(self, events: list[Json]) -> "list[Future[Delivery]]":
        """Send events to the bot; return the first attempts that are under way."""
        sent = []
        for event in events:
            event_id = self.ids.short("Ev")
            body = payloads.event_callback(self.settings, event, event_id, self.now())
            name = str(event["type"])
            future = self.courier.event(json_parcel("event", name, event_id, body))
            if future is not None:
                sent.append(future)
        return sent

    def response_url(self, where: Conversation, message: Message, user: str) -> str:
        """Return a fresh address at which the bot may answer one interaction."""
        secret = self.ids.secret()
        self.response_urls[secret] = ResponseUrl(self.now(), where, message, user)
        return f"{self.url}/response/{self.settings.team_id}/{secret}"

    def close(self) -> None:
        """End deliveries and the pages' streams."""
        self.feed.close()
        self.sockets.close()
        self.courier.close()

    def _show_parent(self, where: Conversation, message: Message) -> None:
        parent = where.messages.get(message.thread_ts or "")
        if parent is not None:
            body = self.page_message(where, parent)
            self.feed.tell("message", body, self._seen_by(where, parent))

    @staticmethod
    def _seen_by(where: Conversation, message: Message) -> frozenset[str]:
        return frozenset([message.only_for] if message.only_for else where.members)


class ResponseUrl:
    """One response address: since when, about which message, for whom, and how often used."""

    def __init__(self, at: float, where: Conversation, message: Message, user: str) -> None:
        self.at = at
        self.where = where
        self.message = message
        self.user = user
        self.used = 0
