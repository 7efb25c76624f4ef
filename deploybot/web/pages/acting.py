"""What people do on the pages: every form ends here, and each stores what the same act in Slack would.

The inbox decides who may; a refusal is shown on the page that it came from, with what was typed.
"""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from deploybot.answers import is_about_the_person
from deploybot.approvals import Refusal
from deploybot.errors import IllegalEventError, NotAllowedError
from deploybot.events import ApiMessageReceived
from deploybot.inbox import Answer, Receipt, Settling
from deploybot.thread import Thread, thread_id_for
from deploybot.web.pages.cards import needs_fresh_sign_in, open_card, request_in, to_confirm
from deploybot.web.pages.desk import Desk
from deploybot.web.pages.door import Form, PageError, Visitor, read_form
from deploybot.web.pages.edits import edit_of
from deploybot.web.pages.views import thread_page

Sent = Annotated[Form, Depends(read_form)]
COMMENT = 2_000
"""Characters of a comment."""
STALE_SIGN_IN = (
    "Approving here takes a sign-in of the last 15 minutes, so nothing was approved. "
    "Sign in again, and approve then."
)
UNCONFIRMED = (
    "Confirm each sentence above the buttons first; nothing was approved. "
    "If one of them is not so, deny."
)
NO_REASON = "Breaking the glass takes a reason, which all approvers are told; nothing was approved."
EMPTY = "You sent no words, so nothing was stored."
BROKEN = "This form is not whole, so nothing was done. Load the page again."


def acting(desk: Desk) -> APIRouter:
    """Return the routes by which people act on threads."""
    routes = APIRouter(route_class=desk.route(), include_in_schema=False)
    acts = Acts(desk)
    routes.post("/threads")(acts.start)
    routes.post("/threads/{thread_id}/messages")(acts.say)
    routes.post("/threads/{thread_id}/decision")(acts.decide)
    routes.post("/threads/{thread_id}/edit")(acts.edit)
    routes.post("/threads/{thread_id}/answer")(acts.answer)
    routes.post("/threads/{thread_id}/settle")(acts.settle)
    routes.post("/threads/{thread_id}/pause")(acts.pause)
    routes.post("/threads/{thread_id}/resume")(acts.resume)
    routes.post("/threads/{thread_id}/cancel")(acts.cancel)
    routes.post("/threads/{thread_id}/stop")(acts.stop)
    routes.post("/threads/{thread_id}/fork")(acts.fork)
    return routes


class Acts:
    """Each stores at most one event, under a key by which a form that is sent twice is known."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._inbox = desk.bot.inbox

    def start(self, request: Request, form: Sent) -> Response:
        """Start a thread with somebody's words."""
        visitor = self._desk.door.sender(request, form)
        delivery = _delivery(visitor, form)
        if not form.text("text"):
            raise PageError(422, EMPTY, title="Nothing was said")
        event = self._words(visitor, form, delivery)
        thread_id = thread_id_for("page", delivery)
        return to_thread(self._inbox.hear(thread_id, event, dedupe=(delivery,)))

    def say(self, request: Request, thread_id: str, form: Sent) -> Response:
        """Say something in a thread."""
        visitor = self._desk.door.sender(request, form)
        thread, delivery = self._desk.known(thread_id), _delivery(visitor, form)
        if not form.text("text"):
            return self._refused(visitor, thread, 422, EMPTY)
        event = self._words(visitor, form, delivery)
        return to_thread(self._inbox.hear(thread_id, event, dedupe=(delivery,)))

    def decide(self, request: Request, thread_id: str, form: Sent) -> Response:
        """Approve or deny exactly what the form was drawn from."""
        visitor = self._desk.door.sender(request, form)
        thread, comment = self._desk.known(thread_id), form.text("comment", COMMENT)
        answer = _one_of(form, "answer", ("approve", "deny", "break_glass"))
        approved, breaks_glass = answer != "deny", answer == "break_glass"
        if breaks_glass and not comment:
            return self._refused(visitor, thread, 422, NO_REASON)
        if not approved and not comment:
            text = "Say what should happen instead: deploybot reads it. Nothing was denied yet."
            return self._refused(visitor, thread, 422, text)
        if approved and self._is_stale(visitor, thread, form):
            return self._refused(visitor, thread, 403, STALE_SIGN_IN, typed=comment)
        if approved and _is_unconfirmed(thread, form):
            return self._refused(visitor, thread, 422, UNCONFIRMED, typed=comment)
        receipt = self._inbox.answer(
            Answer(
                thread=thread_id,
                request_id=form.text("request", 200),
                digest=form.text("digest", 200),
                approved=approved,
                comment="" if breaks_glass else comment,
                by=visitor.person.id,
                channel="page",
                address=visitor.person.id,
                delivery=_delivery(visitor, form),
                break_glass=comment if breaks_glass else "",
                confirmed=approved,  # each sentence was asked for above
            )
        )
        return self._told(visitor, thread_id, receipt, comment)

    def edit(self, request: Request, thread_id: str, form: Sent) -> Response:
        """Have the open request planned anew as somebody wants it instead."""
        visitor = self._desk.door.sender(request, form)
        thread = self._desk.known(thread_id)
        shown = request_in(thread.events, form.text("request", 200))
        if shown is None:
            raise PageError(422, BROKEN)
        edit = edit_of(form, shown, visitor, _delivery(visitor, form))
        receipt = edit if isinstance(edit, Refusal) else self._inbox.edit(edit)
        if isinstance(receipt, Receipt) and receipt.accepted:
            return to_thread(thread)
        status = 403 if is_about_the_person(receipt.reason_code) else 409
        return thread_page(
            self._desk,
            visitor,
            self._desk.known(thread_id),
            status=status,
            refusal=receipt.text,
            edited=form.fields,
        )

    def answer(self, request: Request, thread_id: str, form: Sent) -> Response:
        """Answer the open question."""
        visitor = self._desk.door.sender(request, form)
        thread, words = self._desk.known(thread_id), form.text("answer")
        if not words:
            return self._refused(visitor, thread, 422, EMPTY)
        receipt = self._inbox.answer_question(
            thread_id,
            form.text("question", 200),
            words,
            by=visitor.person.id,
            delivery=_delivery(visitor, form),
            channel="page",
            address=visitor.person.id,
        )
        return self._told(visitor, thread_id, receipt, words)

    def settle(self, request: Request, thread_id: str, form: Sent) -> Response:
        """Say how a deploy ended that its worker died with."""
        visitor = self._desk.door.sender(request, form)
        self._desk.known(thread_id)
        is_live = _one_of(form, "outcome", ("succeeded", "failed")) == "succeeded"
        outcome: Literal["succeeded", "failed"] = "succeeded" if is_live else "failed"
        receipt = self._inbox.settle(
            Settling(
                thread=thread_id,
                request_id=form.text("request", 200),
                outcome=outcome,
                by=visitor.person.id,
                delivery=_delivery(visitor, form),
                comment=form.text("comment", COMMENT),
                channel="page",
                address=visitor.person.id,
            )
        )
        return self._told(visitor, thread_id, receipt, form.text("comment"))

    def pause(self, request: Request, thread_id: str, form: Sent) -> Response:
        """Let the thread start nothing."""
        return self._move(request, thread_id, form, self._inbox.pause)

    def resume(self, request: Request, thread_id: str, form: Sent) -> Response:
        """Let it go on."""
        return self._move(request, thread_id, form, self._inbox.resume)

    def cancel(self, request: Request, thread_id: str, form: Sent) -> Response:
        """End it."""
        return self._move(request, thread_id, form, self._inbox.cancel)

    def stop(self, request: Request, thread_id: str, form: Sent) -> Response:
        """Stop the deploy that runs, at its next safe step."""
        return self._move(request, thread_id, form, self._inbox.stop)

    def fork(self, request: Request, thread_id: str, form: Sent) -> Response:
        """Begin another thread with the first events of this one."""
        visitor = self._desk.door.sender(request, form)
        self._desk.known(thread_id)
        delivery, at = _delivery(visitor, form), form.number("at")
        return to_thread(self._inbox.fork(thread_id, at, by=visitor.person.id, delivery=delivery))

    def _move(
        self, request: Request, thread_id: str, form: Form, move: Callable[..., Thread]
    ) -> Response:
        visitor = self._desk.door.sender(request, form)
        thread = self._desk.known(thread_id)
        try:
            thread = move(thread_id, by=visitor.person.id, delivery=_delivery(visitor, form))
        except IllegalEventError as error:
            return self._refused(visitor, self._desk.known(thread_id), 409, str(error))
        except NotAllowedError as error:
            return self._refused(visitor, self._desk.known(thread_id), 403, str(error))
        return to_thread(thread)

    def _words(self, visitor: Visitor, form: Form, delivery: str) -> ApiMessageReceived:
        now, by = self._desk.bot.clock.now(), visitor.person.id
        return ApiMessageReceived(at=now, by=by, delivery=delivery, text=form.text("text"))

    def _is_stale(self, visitor: Visitor, thread: Thread, form: Form) -> bool:
        """Tell whether this approves something that takes a fresh sign-in, without one."""
        request = open_card(thread)
        if visitor.is_fresh or request is None or request.id != form.fields.get("request"):
            return False
        return needs_fresh_sign_in(request, self._desk.bot.configuration.catalog)

    def _told(
        self, visitor: Visitor, thread_id: str, receipt: Receipt, typed: str = ""
    ) -> Response:
        """Return to the thread, or say there why the answer did not count."""
        thread = self._desk.known(thread_id)
        if receipt.accepted:
            return to_thread(thread)
        status = 403 if is_about_the_person(receipt.reason_code) else 409
        return self._refused(visitor, thread, status, receipt.text, typed=typed)

    def _refused(
        self, visitor: Visitor, thread: Thread, status: int, text: str, typed: str = ""
    ) -> Response:
        return thread_page(self._desk, visitor, thread, status=status, refusal=text, typed=typed)


def to_thread(thread: Thread) -> Response:
    """Return the way to a thread's page; a reload of it sends nothing again."""
    return RedirectResponse(f"/threads/{thread.id}", 303)


def _delivery(visitor: Visitor, form: Form) -> str:
    """Return the key by which a form that is sent twice is known."""
    once = form.text("once", 100)
    if not once:
        raise PageError(422, BROKEN)
    return f"page:{visitor.person.id}:{once}"


def _is_unconfirmed(thread: Thread, form: Form) -> bool:
    """Tell whether something that must be confirmed on its own was not."""
    request = open_card(thread)
    if request is None or request.id != form.fields.get("request"):
        return False
    asked = range(1, len(to_confirm(request)) + 1)
    return any(form.fields.get(f"confirm-{number}") != "yes" for number in asked)


def _one_of(form: Form, name: str, known: tuple[str, ...]) -> str:
    value = form.fields.get(name, "")
    if value not in known:
        raise PageError(422, BROKEN)
    return value
