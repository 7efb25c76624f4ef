"""Slack's door for requests over HTTP: verifies each, and answers 200 only once it is stored."""

import logging
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from slack_bolt import BoltRequest

from deploy.secret import Secret
from deploybot.errors import InboundError
from deploybot.inbound.slack_payloads import read_body
from deploybot.inbound.slack_signature import verify
from deploybot.web.body import limited
from deploybot.web.problem import problem
from deploybot.web.slack_bolt import TYPE, bolt_app, dispatched
from deploybot.web.slack_desk import SlackDesk

MOST_BYTES = 1_000_000

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SlackDoor:
    """Whose requests are let in. Two signing secrets serve while one replaces the other."""

    signing_secrets: tuple[Secret, ...]
    bot_token: Secret

    def __post_init__(self) -> None:
        """Keep all of them as secrets, however they were given."""
        object.__setattr__(self, "signing_secrets", tuple(map(Secret.of, self.signing_secrets)))
        object.__setattr__(self, "bot_token", Secret.of(self.bot_token))


def slack_router(door: SlackDoor, desk: SlackDesk) -> APIRouter:
    """Return the route `POST /slack/events`, for events and interactions alike.

    401: not from Slack, for another app or too old; 413: over 1 MB; 400: genuine and unreadable;
    503: the store did not take it, so Slack must try again.
    """
    app = bolt_app(desk, door.bot_token.get_secret_value())
    router = APIRouter()

    @router.post("/slack/events", include_in_schema=False)
    async def receive(request: Request) -> Response:
        try:
            body = await limited(request, MOST_BYTES)
            verify(
                [secret.get_secret_value() for secret in door.signing_secrets],
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
        asked = BoltRequest(body=body.decode(), headers={TYPE: content_type})
        answer = await run_in_threadpool(dispatched, app, asked)
        return Response(answer.body, answer.status, media_type=answer.first_headers().get(TYPE))

    return router
