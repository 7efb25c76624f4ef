"""Draws the app's own page in Slack for everybody who has opened it; called by a worker, never by a request."""

import json
import logging
from dataclasses import replace

from slack_sdk import WebClient

from deploybot.bootstrap import Bot, page_url
from deploybot.errors import DeliveryError
from deploybot.homes import HOMES
from deploybot.outbound.slack_calls import RefusedCallError, call, slack_client
from deploybot.outbound.slack_home import Shown, Waits, digest, home
from deploybot.outbound.slack_places import current
from deploybot.ports import Person
from deploybot.web.pages.lists import Wait, waiting

NOBODY = Person("", "")
_GONE = {"user_not_found", "user_disabled", "not_enabled"}

_LOG = logging.getLogger(__name__)


def refresh(bot: Bot) -> None:
    """Publish the page of each user whose page has changed since they were shown it.

    Raises DeliveryError when Slack did not take one; what is left is done later.
    """
    due = bot.homes.take()
    token = bot.settings.slack_bot_token.get_secret_value()
    if not due or not token:
        return
    client = slack_client(token, bot.settings.slack_api_url)
    drawer = _Drawer(bot, client)
    for user, before in due.items():
        shown = drawer.shown(user)
        after = digest(shown, bot.people)
        if after != before:
            _publish(bot, client, user, shown, after)


def _publish(bot: Bot, client: WebClient, user: str, shown: Shown, after: str) -> None:
    try:
        call(client.views_publish, user_id=user, view=home(shown, bot.people))
    except RefusedCallError as error:
        extra = {"action": "home", "code": error.code, "why": str(error)}
        _LOG.warning("a home was not drawn", extra=extra)
        # Whatever it was, it is drawn anew when it is opened again.
        bot.homes.forget(user)
        return
    except DeliveryError as error:
        bot.homes.shown(user, "")
        bot.queues.later("survey", HOMES, error.retry_after or 30.0)
        raise
    bot.homes.shown(user, after)


class _Drawer:
    """What the pages of one round have in common, looked up once."""

    def __init__(self, bot: Bot, client: WebClient) -> None:
        self._bot = bot
        self._client = client
        seen = bot.overview.read()
        self._common = Shown(
            person=None,
            waiting=(),
            rows=seen.rows,
            holds=current(bot.store.holds(), bot.clock.now()),
            at=seen.at,
            url=bot.settings.url,
        )
        self._cards: dict[str, str] = {}

    def shown(self, user: str) -> Shown:
        """Return what this user's page shows."""
        bot = self._bot
        known = bot.people_for(user)
        person = bot.people.get(known.by_slack(user))
        found = waiting(bot.queues.connection, bot.store, bot.people, person or NOBODY)
        return replace(
            self._common,
            person=person,
            waiting=tuple(self._waits(one, known=person is not None) for one in found),
        )

    def _waits(self, wait: Wait, *, known: bool) -> Waits:
        return Waits(
            asks=wait.asks,
            title=wait.title,
            mine=wait.mine and known,
            until=wait.until,
            card=self._card(wait.id),
            page=page_url(self._bot.settings, wait.id),
        )

    def _card(self, thread_id: str) -> str:
        """Return the address of what was asked last there, as Slack knows it."""
        if thread_id not in self._cards:
            self._cards[thread_id] = self._link(thread_id)
        return self._cards[thread_id]

    def _link(self, thread_id: str) -> str:
        standing, noted = self._bot.store.load(thread_id).standing, self._bot.store.sent(thread_id)
        about = [f"card:{standing.request.id}"] if standing.request else []
        about += [f"question:{standing.question.question_id}"] if standing.question else []
        for key in about:
            for name in (f"slack:{key}@channel", f"slack:{key}"):
                at = json.loads(noted.get(name) or "{}")
                if not at.get("ts"):
                    continue
                try:
                    asked = self._client.chat_getPermalink
                    found = call(asked, channel=at["channel"], message_ts=at["ts"])
                except DeliveryError:
                    return ""
                return str(found["permalink"])
        return ""
