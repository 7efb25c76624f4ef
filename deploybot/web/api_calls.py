"""What the API's routes do, once it is known who calls and what they sent; see `api` for routes."""

import re
from typing import Any

from fastapi.responses import JSONResponse

from deploybot.errors import ThreadNotFoundError
from deploybot.events import (
    Answered,
    AnswerRefused,
    ApiMessageReceived,
    ApprovalDenied,
    ApprovalGranted,
    Cancelled,
    DeployResolved,
    Event,
    HandedOver,
    Paused,
    Resumed,
)
from deploybot.inbox import Answer, Receipt, Settling
from deploybot.ports import EnvironmentRow
from deploybot.thread import Status, Thread, thread_id_for
from deploybot.web.api_bodies import Decision, NewMessage, NewThread, Resolution
from deploybot.web.deps import Deps
from deploybot.web.problem import problem

CURSOR = re.compile(r"(?:[0-9]{1,20}(?:-[A-Za-z0-9:._-]{1,200})?)?")
MOVES: dict[str, type[Paused | Resumed | Cancelled]] = {
    "pause": Paused,
    "resume": Resumed,
    "cancel": Cancelled,
}
FORBIDDEN = ("unknown_person", "not_an_approver", "own_request")
"""Reasons that are about the person; the others are about the time and answer 409."""


class Calls:
    """Each call stores at most one event, under a key by which a repeated call is known."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def start(self, by: str, key: str, body: NewThread) -> JSONResponse:
        """Start a thread with these words."""
        deps = self._deps
        if body.agent is not None and body.agent not in deps.agents:
            known = ", ".join(deps.agents)
            text = f"There is no agent {body.agent!r}, so nothing was started. Known: {known}."
            return problem(422, text, field="agent")
        delivery = self._delivery(by, key)
        event = self._opening(by, delivery, body)
        thread = deps.inbox.hear(thread_id_for("api", delivery), event, dedupe=(delivery,))
        if thread.events[0] != _same(event, thread.events[0]):
            return _reused()
        row = self._row(thread)
        return JSONResponse(row, 201, {"Location": row["url"]})

    def say(self, by: str, key: str, thread_id: str, body: NewMessage) -> JSONResponse:
        """Add words to a thread."""
        deps = self._deps
        self.known(thread_id)
        delivery = self._delivery(by, key)
        event = ApiMessageReceived(at=deps.clock.now(), by=by, delivery=delivery, text=body.text)
        thread = deps.inbox.hear(thread_id, event, dedupe=(delivery,))
        heard = _heard_as(thread, delivery)
        if thread.id != thread_id or heard is None or heard != _same(event, heard):
            return _reused()
        return JSONResponse(self._row(thread), 202)

    def decide(self, by: str, key: str, thread_id: str, body: Decision) -> JSONResponse:
        """Answer the open request or question."""
        delivery = self._delivery(by, key)
        receipt = self._answer(self.known(thread_id), by, delivery, body)
        thread = self._deps.store.load(thread_id)
        if receipt.reason_code == "duplicate":
            heard = _heard_as(thread, delivery)
            if isinstance(heard, AnswerRefused) and heard.request_id == body.request:
                receipt = Receipt(accepted=False, text=heard.text, reason_code=heard.reason_code)
            elif not _was(heard, body):
                return _reused()
        return self._told(thread, receipt)

    def resolve(self, by: str, key: str, thread_id: str, body: Resolution) -> JSONResponse:
        """Settle a deploy of unknown outcome."""
        delivery = self._delivery(by, key)
        thread = self.known(thread_id)
        receipt = self._deps.inbox.settle(
            Settling(
                thread=thread.id,
                request_id=body.request,
                outcome=body.outcome,
                by=by,
                delivery=delivery,
                comment=body.comment,
                address=by,
            )
        )
        thread = self._deps.store.load(thread_id)
        if receipt.reason_code == "duplicate":
            heard = _heard_as(thread, delivery)
            if isinstance(heard, AnswerRefused) and heard.request_id == body.request:
                receipt = Receipt(accepted=False, text=heard.text, reason_code=heard.reason_code)
            elif not _was_settled(thread, by, body):
                return _reused()
        return self._told(thread, receipt)

    def move(self, by: str, key: str, thread_id: str, move: str) -> JSONResponse:
        """Do one of MOVES; raises IllegalEventError when the thread cannot."""
        deps = self._deps
        self.known(thread_id)
        event = MOVES[move](at=deps.clock.now(), by=by)
        thread = deps.inbox.hear(thread_id, event, dedupe=(self._delivery(by, key),))
        if not any(isinstance(moved, MOVES[move]) and moved.by == by for moved in thread.events):
            return _reused()
        return JSONResponse(self._row(thread))

    def list(self, status: Status | None, limit: int, cursor: str) -> JSONResponse:
        """Return one page of threads, without their events."""
        if not CURSOR.fullmatch(cursor):
            text = "cursor is not one that was given out; begin again without it."
            return problem(422, text, field="cursor")
        page = self._deps.store.list(status=status or "", limit=limit, cursor=cursor)
        rows = [self._row(self._deps.store.load(thread_id)) for thread_id in page.threads]
        return JSONResponse({"threads": rows, "cursor": page.cursor})

    def show(self, thread_id: str) -> JSONResponse:
        """Return the whole thread as plain JSON; `request` is the open approval, question or outcome."""
        thread = self.known(thread_id)
        events = [event.model_dump(mode="json") for event in thread.events]
        return JSONResponse({**self._row(thread), "events": events, "request": _open(thread)})

    def environments(self) -> JSONResponse:
        """Return what is live where."""
        rows = self._deps.deployer.environments()
        return JSONResponse({"environments": [_environment(row) for row in rows]})

    def known(self, thread_id: str) -> Thread:
        """Return a thread that somebody has started; raises ThreadNotFoundError."""
        thread = self._deps.store.load(thread_id)
        if not thread.events:
            raise ThreadNotFoundError(f"There is no thread {thread_id[:60]!r}; nothing was done.")
        return thread

    def _answer(self, thread: Thread, by: str, delivery: str, body: Decision) -> Receipt:
        inbox, question = self._deps.inbox, thread.standing.question
        if question and question.question_id == body.request:
            return inbox.answer_question(
                thread.id, body.request, _words(body), by=by, delivery=delivery, address=by
            )
        return inbox.answer(
            Answer(
                thread=thread.id,
                request_id=body.request,
                digest=body.digest,
                approved=body.approved,
                comment=body.comment,
                by=by,
                channel="api",
                address=by,
                delivery=delivery,
            )
        )

    def _opening(self, by: str, delivery: str, body: NewThread) -> ApiMessageReceived | HandedOver:
        now = self._deps.clock.now()
        if body.agent is None:
            return ApiMessageReceived(at=now, by=by, delivery=delivery, text=body.text)
        agent, text = body.agent, body.text
        return HandedOver(
            at=now, by=by, agent=agent, text=text, requesters=(by,), delivery=delivery
        )

    def _told(self, thread: Thread, receipt: Receipt) -> JSONResponse:
        """Return what became of an answer."""
        if not receipt.accepted:
            status = 403 if receipt.reason_code in FORBIDDEN else 409
            return problem(status, receipt.text, reason_code=receipt.reason_code)
        return JSONResponse({**self._row(thread), "text": receipt.text})

    def _delivery(self, by: str, key: str) -> str:
        """Return what one call is told apart by: the caller's own key, or one of ours."""
        return f"api:{by}:{key}" if key else f"api-once:{by}:{self._deps.clock.new_id()}"

    def _row(self, thread: Thread) -> dict[str, Any]:
        status = str(thread.status)
        return {"id": thread.id, "status": status, "url": self._deps.url_of(thread.id)}


def _same(event: Event, stored: Event) -> Event:
    """Return the event as it would be if it had come when the stored one did."""
    return event.model_copy(update={"at": stored.at})


def _heard_as(thread: Thread, delivery: str) -> Event | None:
    """Return the event that a call has left in the thread, if any."""
    found = (event for event in thread.events if getattr(event, "delivery", None) == delivery)
    return next(found, None)


def _was(heard: Event | None, body: Decision) -> bool:
    """Tell whether this is the decision that was heard."""
    match heard:
        case ApprovalGranted():
            said: tuple[str, str, bool, str] = (
                heard.request_id,
                heard.digest,
                True,
                heard.comment,
            )
            return said == (body.request, body.digest, body.approved, body.comment)
        case ApprovalDenied():
            said = (heard.request_id, heard.digest, False, heard.feedback)
            return said == (body.request, body.digest, body.approved, body.comment)
        case Answered():
            return (heard.question_id, heard.answer) == (body.request, _words(body))
        case _:
            return False


def _was_settled(thread: Thread, by: str, body: Resolution) -> bool:
    """Tell whether this person has settled this request in this way."""
    said = (body.request, body.outcome, body.comment, by)
    return any(
        isinstance(event, DeployResolved)
        and (event.request_id, event.outcome, event.comment, event.by) == said
        for event in thread.events
    )


def _words(body: Decision) -> str:
    return body.comment or ("yes" if body.approved else "no")


def _open(thread: Thread) -> dict[str, Any] | None:
    standing = thread.standing
    if standing.request and standing.status in (Status.AWAITING_APPROVAL, Status.APPROVED):
        shown = standing.request.model_dump(mode="json")
        return {"kind": "approval", **shown, "approved_by": [g.by for g in standing.grants]}
    if standing.request and standing.status is Status.OUTCOME_UNKNOWN:
        return {"kind": "outcome", **standing.request.model_dump(mode="json")}
    if standing.question:
        shown = standing.question.model_dump(mode="json")
        return {**shown, "kind": "question", "id": standing.question.question_id, "digest": ""}
    return None


def _environment(row: EnvironmentRow) -> dict[str, Any]:
    return {
        "service": row.service,
        "environment": row.environment,
        "live": row.live.model_dump(mode="json") if row.live else None,
        "hold": row.hold.model_dump(mode="json") if row.hold else None,
        "operation": {"id": row.operation.id, "thread": row.operation.thread}
        if row.operation
        else None,
        "behind": row.behind,
    }


def _reused() -> JSONResponse:
    text = (
        "This Idempotency-Key was used for something else, so nothing was stored. "
        "Use a new key for each request."
    )
    return problem(409, text, reason_code="idempotency_key_reused")
