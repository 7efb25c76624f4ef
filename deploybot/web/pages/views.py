"""What stands on a thread's page: where it stands, what is open, what happened, what one may do."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import Response

from deploybot.events import ApprovalRequested, DeployStarted, Event
from deploybot.questions import choices_of
from deploybot.thread import Status, Thread
from deploybot.web.pages.cards import CardView, card, open_card, request_in
from deploybot.web.pages.desk import Desk
from deploybot.web.pages.door import Visitor
from deploybot.web.pages.standing import label, title
from deploybot.web.pages.timeline import choosers, span
from deploybot.web.sessions import new_id


def thread_page(
    desk: Desk,
    visitor: Visitor,
    thread: Thread,
    *,
    status: int = 200,
    before: int = 0,
    refusal: str = "",
    typed: str = "",
    edited: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Return a thread's page; `refusal` says why something was not done, what was typed is kept."""
    people, standing = desk.bot.people, thread.standing
    request = open_card(thread)
    return desk.show(
        "thread.html",
        visitor,
        status=status,
        here="threads",
        thread=thread,
        standing=standing,
        title=title(thread.events[0]),
        label=label(thread.status),
        below=label(standing.status) if standing.paused else None,
        card=_view(desk, visitor, thread, request.id) if request else None,
        question=standing.question,
        choices=choices_of(standing.question) if standing.question else (),
        span=span(thread.events, people, before),
        choosers=choosers(thread.events),
        moves=moves(thread),
        refusal=refusal,
        typed=typed,
        edited=edited,
        once=new_id(),
    )


def moves(thread: Thread) -> tuple[str, ...]:
    """Return what a person may do with the thread as it stands: pause, resume, cancel, stop."""
    standing = thread.standing
    running = standing.status in (Status.DEPLOYING, Status.OUTCOME_UNKNOWN)
    found = ["resume"] if standing.paused else ["pause"]
    about_to = standing.status is Status.APPROVED
    if about_to or (standing.status is Status.DEPLOYING and standing.stop is None):
        found.append("stop")
    if not running and not about_to and standing.status is not Status.DONE:
        found.append("cancel")
    idle = standing.status is Status.DONE and not standing.paused
    return () if idle else tuple(found)


def card_about(desk: Desk, visitor: Visitor, thread: Thread, event: Event) -> CardView | None:
    """Return the request that an event made or started, as it stands now."""
    match event:
        case ApprovalRequested(request=request):
            return _view(desk, visitor, thread, request.id)
        case DeployStarted(request_id=request_id):
            return _view(desk, visitor, thread, request_id)
        case _:
            return None


def _view(desk: Desk, visitor: Visitor, thread: Thread, request_id: str) -> CardView | None:
    request = request_in(thread.events, request_id)
    if request is None:
        return None
    bot = desk.bot
    return card(
        thread,
        request,
        reader=visitor.person,
        people=bot.people,
        is_fresh=visitor.is_fresh,
        catalog=bot.configuration.catalog,
        progress=bot.store.progress,
    )
