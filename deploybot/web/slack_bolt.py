"""What Bolt sorts, whichever way it came in: each kind of payload to the desk, each error to an answer."""

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError
from slack_bolt import Ack, App, BoltRequest, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_sdk import WebClient

from deploybot.errors import CallerError, InboundError, OperatorError
from deploybot.inbound.slack_buttons import (
    ANSWER,
    APPROVE,
    BREAK_GLASS,
    CHOOSE,
    DENIAL,
    DENY,
    EDIT,
    EDITING,
    IT_FAILED,
    IT_IS_LIVE,
    QUESTION,
    STOP,
)
from deploybot.inbound.slack_payloads import Json
from deploybot.slack_directory import CLICK_SECONDS, within
from deploybot.web.problem import STORE_DOWN, problem
from deploybot.web.slack_desk import SlackDesk

TYPE = "content-type"

_LOG = logging.getLogger(__name__)
_BOLT = logging.getLogger(f"{__name__}.bolt")
# Bolt's warnings are about uses of it that are not ours, and may quote what people wrote.
_BOLT.setLevel(logging.ERROR)


def bolt_app(desk: SlackDesk, bot_token: str) -> App:
    """Return the Bolt app that hands each kind of payload to the desk; it calls nobody itself."""

    def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            bot_user_id=desk.home.bot_user or None,
            bot_token=bot_token,
        )

    app = App(
        name=_BOLT.name,  # Bolt sets the level of the logger of this name
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

    def edited(body: Json, ack: Ack) -> BoltResponse:
        refused = desk.edit(body)
        if refused:
            return ack(response_action="errors", errors=refused)
        return ack()

    def commanded(body: Json, ack: Ack) -> BoltResponse:
        return ack(**desk.command(body))

    def opened(body: Json, ack: Ack) -> BoltResponse:
        desk.opened(body)
        return ack()

    app.event("app_home_opened")(opened)
    app.command(re.compile("^/"))(commanded)
    app.event("app_mention")(heard)
    app.event("message")(heard)
    buttons = f"{APPROVE}|{DENY}|{BREAK_GLASS}|{EDIT}|{STOP}|{IT_IS_LIVE}|{IT_FAILED}|{ANSWER}"
    app.action(re.compile(f"^({buttons}|{CHOOSE}(:.*)?)$"))(pressed)
    app.view(DENIAL)(_taken_by(desk.deny, DENIAL))
    app.view(EDITING)(edited)
    app.view(BREAK_GLASS)(_taken_by(desk.break_glass, BREAK_GLASS))
    app.view(QUESTION)(_taken_by(desk.answer, QUESTION))
    app.error(_failed)
    return app


def _taken_by(take: Callable[[Json], str], block: str) -> Callable[[Json, Ack], BoltResponse]:
    """Return what hands a dialog that was sent off to the desk, and shows at its input what is wrong."""

    def sent_off(body: Json, ack: Ack) -> BoltResponse:
        refused = take(body)
        return ack(response_action="errors", errors={block: refused}) if refused else ack()

    return sent_off


def dispatched(app: App, asked: BoltRequest) -> BoltResponse:
    """Return Bolt's answer: 200 once all is stored, else a status with a sentence; never raises."""
    try:
        with within(CLICK_SECONDS):
            return app.dispatch(asked)
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
    headers: dict[str, str | Sequence[str]] = {TYPE: [str(answer.media_type)]}
    return BoltResponse(status=status, body=bytes(answer.body).decode(), headers=headers)
