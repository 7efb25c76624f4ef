"""Slack's door: verifies each request, lets Bolt sort it, and answers 200 only once it is stored."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from redis.exceptions import RedisError
from slack_bolt import Ack, App, BoltRequest, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_sdk import WebClient

from deploybot.errors import CallerError, InboundError, OperatorError
from deploybot.inbound.slack_buttons import (
    ANSWER,
    APPROVE,
    CHOOSE,
    DENIAL,
    DENY,
    IT_FAILED,
    IT_IS_LIVE,
    QUESTION,
    STOP,
)
from deploybot.inbound.slack_payloads import Json, read_body
from deploybot.inbound.slack_signature import verify
from deploybot.web.body import limited
from deploybot.web.problem import STORE_DOWN, problem
from deploybot.web.slack_desk import SlackDesk

MOST_BYTES = 1_000_000

_LOG = logging.getLogger(__name__)
_BOLT = logging.getLogger(f"{__name__}.bolt")
# Bolt's warnings are about uses of it that are not ours, and may quote what people wrote.
_BOLT.setLevel(logging.ERROR)


@dataclass(frozen=True)
class SlackDoor:
    """Whose requests are let in. Two signing secrets serve while one replaces the other."""

    signing_secrets: tuple[str, ...] = field(repr=False)
    bot_token: str = field(repr=False)


def slack_router(door: SlackDoor, desk: SlackDesk) -> APIRouter:
    """Return the route `POST /slack/events`, for events and interactions alike.

    401: not from Slack, for another app or too old; 413: over 1 MB; 400: genuine and unreadable;
    503: the store did not take it, so Slack must try again.
    """
    app = bolt_app(door, desk)
    router = APIRouter()

    @router.post("/slack/events", include_in_schema=False)
    async def receive(request: Request) -> Response:
        try:
            body = await limited(request, MOST_BYTES)
            verify(
                door.signing_secrets,
                body,
                request.headers.getlist("x-slack-request-timestamp"),
                request.headers.getlist("x-slack-signature"),
                desk.now(),
            )
            content_type = request.headers.get("content-type", "")
            read_body(body, content_type)
        except InboundError as error:
            _LOG.warning("slack request refused", extra={"action": "refuse", "why": str(error)})
            return problem(error.status, str(error))
        answer = await run_in_threadpool(_dispatched, app, body.decode(), content_type)
        return Response(answer.body, answer.status, media_type=answer.first_headers().get(_TYPE))

    return router


_TYPE = "content-type"


def bolt_app(door: SlackDoor, desk: SlackDesk) -> App:
    """Return the Bolt app that hands each kind of payload to the desk; it calls nobody itself."""

    def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            bot_user_id=desk.home.bot_user or None,
            bot_token=door.bot_token,
        )

    app = App(
        name="deploybot",
        logger=_BOLT,
        # Without a token: what little is called goes through the desk.
        client=WebClient(),
        authorize=authorize,
        # The raw body and both headers were checked before, more strictly than Bolt would.
        request_verification_enabled=False,
        ssl_check_enabled=False,
        token_verification_enabled=False,
        process_before_response=True,
        raise_error_for_unhandled_request=True,
    )

    def heard(body: Json, ack: Ack) -> BoltResponse:
        desk.hear(body)
        return ack()

    def pressed(body: Json, ack: Ack) -> BoltResponse:
        desk.press(body)
        return ack()

    def sent_off(body: Json, ack: Ack) -> BoltResponse:
        refused = desk.deny(body)
        if refused:
            return ack(response_action="errors", errors={DENIAL: refused})
        return ack()

    def answered(body: Json, ack: Ack) -> BoltResponse:
        refused = desk.answer(body)
        if refused:
            return ack(response_action="errors", errors={QUESTION: refused})
        return ack()

    app.event("app_mention")(heard)
    app.event("message")(heard)
    buttons = f"{APPROVE}|{DENY}|{STOP}|{IT_IS_LIVE}|{IT_FAILED}|{ANSWER}"
    app.action(re.compile(f"^({buttons}|{CHOOSE}(:.*)?)$"))(pressed)
    app.view(DENIAL)(sent_off)
    app.view(QUESTION)(answered)
    app.error(_failed)
    return app


def _dispatched(app: App, body: str, content_type: str) -> BoltResponse:
    try:
        return app.dispatch(BoltRequest(body=body, headers={_TYPE: content_type}))
    except Exception as error:  # noqa: BLE001 - Bolt looks into parts before it knows what they are
        _LOG.warning("slack request not understood", extra=_about(error))
        return _sentence(400, "The request cannot be read; nothing was stored.")


def _failed(error: Exception) -> BoltResponse:
    """Turn what went wrong into an answer: Slack delivers again whatever is not answered 2xx."""
    match error:
        case BoltUnhandledRequestError():
            return BoltResponse(status=200)
        case InboundError():
            return _sentence(error.status, str(error))
        case CallerError():
            _LOG.warning("slack request had no effect", extra=_about(error))
            return BoltResponse(status=200)
        case OperatorError() | RedisError() | OSError():
            _LOG.error("slack request not stored", extra=_about(error))
            return _sentence(503, STORE_DOWN)
        case _:
            _LOG.error("slack request failed", extra=_about(error))
            return _sentence(500, "This request failed here; send it again or look in the log.")


def _about(error: Exception) -> dict[str, Any]:
    """Return what a log may hold of an error: never its text, which may quote what was said."""
    trace, where = error.__traceback__, ""
    while trace is not None:
        where = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
        trace = trace.tb_next
    return {"action": "receive", "error": type(error).__name__, "where": where}


def _sentence(status: int, text: str) -> BoltResponse:
    answer = problem(status, text)
    headers: dict[str, str | Sequence[str]] = {_TYPE: [str(answer.media_type)]}
    return BoltResponse(status=status, body=bytes(answer.body).decode(), headers=headers)
