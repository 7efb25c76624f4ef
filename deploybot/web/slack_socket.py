"""Slack's door without an address: connects to Slack by Socket Mode, and acknowledges what is stored.

What comes in goes to the same desk, through the same Bolt app, as over HTTP. Slack believes the
connection, so nothing is signed. Any number of processes may be connected: Slack sends each
envelope to one of them, and again until one acknowledges it; the desk tells them apart.
"""

import json
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import redis
from slack_bolt import App, BoltRequest, BoltResponse
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from deploybot.bootstrap import Bot, bot_from_environment
from deploybot.errors import DeliveryError, InboundError
from deploybot.inbound.slack_payloads import check_outline
from deploybot.outbound.slack_calls import RefusedCallError, call, is_here, slack_client
from deploybot.vitals import listens_to_slack
from deploybot.web.slack_bolt import bolt_app, dispatched
from deploybot.web.slack_opening import desk_of

REFUSED = (
    "Slack refuses the connection ({code}). Check SLACK_APP_TOKEN: it is the app's own, begins with "
    "xapp-, and has the scope connections:write; and that Socket Mode is on."
)
OPEN_SECONDS = 10
LOOK_SECONDS = 0.25
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
_BUFFER = 65_536

_LOG = logging.getLogger(__name__)
_LIBRARY = logging.getLogger(f"{__name__}.library")
# What it would say of connections is said below, once and without what people wrote.
_LIBRARY.setLevel(logging.CRITICAL)


class _Ending:
    """A socket whose end is an error: the library takes silence for more to come, and spins."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        """Receive at least one byte."""
        received: bytes = self._sock.recv(size)
        if not received:
            raise ConnectionResetError("Slack closed the connection.")
        return received


class _Client(SocketModeClient):
    """The library's client, which says why it is not connected and connects only when told to."""

    why: str = ""

    def issue_new_wss_url(self) -> str:
        """Ask Slack where to connect; raises DeliveryError with the seconds to wait."""
        try:
            answer = call(self.web_client.apps_connections_open, app_token=self.app_token)
        except RefusedCallError as error:
            raise DeliveryError(REFUSED.format(code=error.code), retry_after=FIRST_PAUSE) from None
        return str(answer["url"])

    def connect(self) -> None:
        """Connect to the address that was asked for last."""
        super().connect()
        session = self.current_session
        if session is not None and session.sock is not None:
            session.sock = _Ending(session.sock)  # type: ignore[assignment]

    def try_to_connect(self) -> float | None:
        """Connect if it is not; return the seconds that Slack asks to wait, or None."""
        try:
            self.connect_to_new_endpoint()
        except DeliveryError as error:
            self.why = str(error)
            return error.retry_after
        except (SlackClientError, OSError) as error:
            self.why = f"{type(error).__name__}."
        return None

    def disconnect(self) -> None:
        """Close the connection, though whoever reads it may do so at this very moment."""
        try:
            super().disconnect()
        except AttributeError:  # the library looks whether there is a socket before it may
            if self.current_session is not None and self.current_session.sock is not None:
                raise

    def finish(self) -> None:
        """Acknowledge what was received and is stored, then close."""
        self.closed = True
        self.message_processor.shutdown()  # type: ignore[no-untyped-call]
        self.message_workers.shutdown()
        session = self.current_session
        if session is not None and session.sock is not None:
            with suppress(OSError):
                session.sock.shutdown(socket.SHUT_RDWR)  # whoever waits for more is woken
        self.close()


class SlackSocket:
    """One connection to Slack, made again whenever it ends."""

    def __init__(self, app: App, app_token: str, api_url: str) -> None:
        self._app = app
        self._client = _Client(
            app_token,
            logger=_LIBRARY,
            web_client=slack_client("", api_url, timeout=OPEN_SECONDS),
            auto_reconnect_enabled=False,
            receive_buffer_size=_BUFFER,
        )
        if is_here(api_url):
            self._client.proxy = None
        self._client.socket_mode_request_listeners.append(self._heard)

    def run(self, stop: threading.Event, alive: Callable[[], None] = lambda: None) -> None:
        """Stay connected until `stop`; `alive` is called now and then while it is."""
        pause, connected, told, looks = FIRST_PAUSE, False, "", 0
        try:
            while not stop.is_set():
                if self._client.is_connected():
                    if not connected:
                        _LOG.info("connected to Slack", extra={"action": "connect"})
                        connected, pause, told, looks = True, FIRST_PAUSE, "", 0
                    if looks % 20 == 0:
                        alive()
                    looks += 1
                    stop.wait(LOOK_SECONDS)
                    continue
                if connected:
                    connected = False
                    _LOG.warning("lost the connection to Slack", extra={"action": "connect"})
                asked = self._client.try_to_connect()
                if not self._client.is_connected():
                    if told != (told := self._client.why or "The connection could not be made."):
                        extra = {"action": "connect", "why": told}
                        _LOG.warning("not connected to Slack; it is tried again", extra=extra)
                    stop.wait(max(pause, asked or 0.0))
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            self._client.finish()

    def _heard(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        """Hand an envelope to the desk, and acknowledge it if it is stored; else Slack sends it again."""
        answer = self._answer(request)
        if answer.status != 200:
            return
        payload = json.loads(answer.body) if answer.body else None
        response = SocketModeResponse(envelope_id=request.envelope_id, payload=payload)
        try:
            client.send_socket_mode_response(response)
        except (SlackClientError, OSError):
            # It comes again, and is known then.
            _LOG.info("could not acknowledge what is stored", extra={"action": "receive"})

    def _answer(self, request: SocketModeRequest) -> BoltResponse:
        try:
            check_outline(request.payload)
        except InboundError as error:
            _LOG.warning("slack request refused", extra={"action": "refuse", "why": str(error)})
            return BoltResponse(status=error.status)
        # Which attempt it is decides nothing, so it is not passed on.
        return dispatched(self._app, BoltRequest(body=request.payload, mode="socket_mode"))


def socket_of(bot: Bot) -> SlackSocket:
    """Return the connection that this bot is to hold."""
    settings = bot.settings
    app = bolt_app(desk_of(bot), settings.slack_bot_token.get_secret_value())
    return SlackSocket(app, settings.slack_app_token.get_secret_value(), settings.slack_api_url)


def listen(stop: threading.Event) -> None:
    """Build the bot that the environment describes, and listen to Slack until `stop`."""
    bot = bot_from_environment()
    connection = bot.queues.connection

    def alive() -> None:
        with suppress(redis.RedisError):
            listens_to_slack(connection)

    with bot.watch.flushing():
        socket_of(bot).run(stop, alive)
