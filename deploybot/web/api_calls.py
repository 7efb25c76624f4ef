"""What the API's calls change, once it is known who calls and what they sent; see `api` for routes."""

from collections.abc import Callable

from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from deploybot.answers import is_about_the_person
from deploybot.editing import Edit
from deploybot.errors import CallerError
from deploybot.events import (
    AnswerRefused,
    ApiMessageReceived,
    Event,
    HandedOver,
)
from deploybot.inbox import Answer, Receipt, Settling
from deploybot.next_step import Part
from deploybot.thread import Thread, thread_id_for
from deploybot.web import heard_again
from deploybot.web.api_bodies import (
    Decision,
    Editing,
    Ending,
    Forking,
    NewMessage,
    NewThread,
    Resolution,
)
from deploybot.web.api_models import Told
from deploybot.web.api_reading import Reading
from deploybot.web.deps import Deps
from deploybot.web.idempotency import Call, once, reused
from deploybot.web.problem import answer_to, problem


class Calls:
    """Each call stores at most one event, under a key by which a repeated call is known."""

    def __init__(self, deps: Deps, reading: Reading) -> None:
        self._deps = deps
        self._inbox = deps.inbox
        self._reading = reading

    def start(self, call: Call, body: NewThread) -> Response:
        """Start a thread with these words."""

        def do() -> JSONResponse:
            thread_id = thread_id_for("api", call.delivery)
            thread = self._deps.store.load(thread_id)
            if not thread.events:  # else the same call has begun it, and was not answered
                event = self._opening(call, body)
                thread = self._inbox.hear(thread_id, event, dedupe=(call.delivery,))
            return self._row(thread, 201)

        return self._once(call, body, do)

    def say(self, call: Call, thread_id: str, body: NewMessage) -> Response:
        """Add words to a thread."""

        def do() -> JSONResponse:
            self._reading.known(thread_id)
            event = ApiMessageReceived(
                at=self._deps.clock.now(),
                by=call.caller.by,
                delivery=call.delivery,
                text=body.text,
            )
            return self._row(self._inbox.hear(thread_id, event, dedupe=(call.delivery,)), 202)

        return self._once(call, body, do)

    def decide(self, call: Call, thread_id: str, body: Decision) -> Response:
        """Answer the open request or question."""

        def do() -> JSONResponse:
            thread = self._reading.known(thread_id)
            question = thread.standing.question
            if question and question.question_id == body.request:
                call.caller.require("ask", "decide")
                receipt = self._inbox.answer_question(
                    thread_id,
                    body.request,
                    heard_again.words_of(body),
                    by=call.caller.by,
                    delivery=call.delivery,
                    address=call.caller.by,
                )
            else:
                call.caller.require("decide")
                receipt = self._inbox.answer(_answer(call, thread_id, body))
            return self._told(
                call, thread_id, receipt, lambda heard: heard_again.was(thread, heard, body)
            )

        return self._once(call, body, do)

    def edit(self, call: Call, thread_id: str, body: Editing) -> Response:
        """Have the open request planned anew as somebody wants it instead."""

        def do() -> JSONResponse:
            self._reading.known(thread_id)
            receipt = self._inbox.edit(_edit(call, thread_id, body))
            return self._told(
                call, thread_id, receipt, lambda event: heard_again.edits(event, body)
            )

        return self._once(call, body, do)

    def resolve(self, call: Call, thread_id: str, body: Resolution) -> Response:
        """Settle a deploy of unknown outcome."""

        def do() -> JSONResponse:
            self._reading.known(thread_id)
            receipt = self._inbox.settle(
                Settling(
                    thread=thread_id,
                    request_id=body.request,
                    outcome=body.outcome,
                    by=call.caller.by,
                    delivery=call.delivery,
                    comment=body.comment,
                    address=call.caller.by,
                )
            )
            return self._told(
                call,
                thread_id,
                receipt,
                lambda event: heard_again.settles(event, call.caller.by, body),
            )

        return self._once(call, body, do)

    def pause(self, call: Call, thread_id: str, body: BaseModel) -> Response:
        """Hold the thread where it stands."""
        return self._moved(call, thread_id, body, self._inbox.pause)

    def resume(self, call: Call, thread_id: str, body: BaseModel) -> Response:
        """Let it go on."""
        return self._moved(call, thread_id, body, self._inbox.resume)

    def cancel(self, call: Call, thread_id: str, body: Ending) -> Response:
        """End it, or ask the deploy that runs to stop."""

        def cancel(thread_id: str, *, by: str, delivery: str) -> Thread:
            return self._inbox.cancel(thread_id, by=by, delivery=delivery, reason=body.reason)

        return self._moved(call, thread_id, body, cancel)

    def fork(self, call: Call, thread_id: str, body: Forking) -> Response:
        """Begin another thread with the first events of this one."""

        def do() -> JSONResponse:
            self._reading.known(thread_id)
            fork = self._inbox.fork(thread_id, body.at, by=call.caller.by, delivery=call.delivery)
            return self._row(fork, 201)

        return self._once(call, body, do)

    def _moved(
        self, call: Call, thread_id: str, body: BaseModel, move: Callable[..., Thread]
    ) -> Response:
        def do() -> JSONResponse:
            self._reading.known(thread_id)
            return self._row(move(thread_id, by=call.caller.by, delivery=call.delivery), 200)

        return self._once(call, body, do)

    def _once(self, call: Call, body: BaseModel, do: Callable[[], JSONResponse]) -> Response:
        """Do it unless it was done, and keep what is answered, refusals included."""

        def answered() -> JSONResponse:
            try:
                return do()
            except CallerError as error:
                if (answer := answer_to(error)) is None:
                    raise
                return answer

        return once(self._deps.answers, call, body, answered)

    def _opening(self, call: Call, body: NewThread) -> ApiMessageReceived | HandedOver:
        now, by = self._deps.clock.now(), call.caller.by
        if body.agent != "rollback":
            return ApiMessageReceived(
                at=now, by=by, delivery=call.delivery, text=body.text, dry_run=body.dry_run
            )
        return HandedOver(
            at=now,
            by=by,
            agent=body.agent,
            text=body.text,
            requesters=(by,),
            delivery=call.delivery,
        )

    def _row(self, thread: Thread, status: int) -> JSONResponse:
        row = self._reading.row(thread)
        headers = {"Location": f"/api/threads/{thread.id}"} if status == 201 else None
        return JSONResponse(row.model_dump(mode="json"), status, headers)

    def _told(
        self, call: Call, thread_id: str, receipt: Receipt, is_it: Callable[[Event], bool]
    ) -> JSONResponse:
        """Return what became of an answer; one heard before is looked up in the thread."""
        thread = self._deps.store.load(thread_id)
        if receipt.reason_code == "duplicate":
            heard = heard_again.heard_as(thread, call.delivery)
            if isinstance(heard, AnswerRefused):
                receipt = Receipt(accepted=False, text=heard.text, reason_code=heard.reason_code)
            elif not any(map(is_it, thread.events)):
                return reused()
        if not receipt.accepted:
            status = 403 if is_about_the_person(receipt.reason_code) else 409
            return problem(status, receipt.text, reason_code=receipt.reason_code)
        told = Told(**dict(self._reading.row(thread)), text=receipt.text)
        return JSONResponse(told.model_dump(mode="json"))


def _answer(call: Call, thread_id: str, body: Decision) -> Answer:
    return Answer(
        thread=thread_id,
        request_id=body.request,
        digest=body.digest,
        approved=body.approved,
        comment=body.comment,
        by=call.caller.by,
        channel="api",
        address=call.caller.by,
        delivery=call.delivery,
        confirmed=body.confirm,
        break_glass=body.break_glass.strip() if body.approved else "",
    )


def _edit(call: Call, thread_id: str, body: Editing) -> Edit:
    parts = body.parts
    return Edit(
        thread=thread_id,
        request_id=body.request,
        digest=body.digest,
        by=call.caller.by,
        delivery=call.delivery,
        parts=tuple(Part(service=p.service, ref=p.ref) for p in parts) if parts else None,
        start=body.start,
        comment=body.comment,
    )
