"""What it means to stop a change that was approved, or runs, and who may; how it then stops is `operate`'s.

Pure: the thread, the people and the time are given.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from deploybot.answers import UNKNOWN_PERSON
from deploybot.approvals import ApprovalRequest, Refusal
from deploybot.events import (
    AnswerRefused,
    ApiMessageReceived,
    ApprovalDenied,
    Cancelled,
    EmailReceived,
    Event,
    Message,
    SlackMessageReceived,
    StopRequested,
)
from deploybot.ports import People
from deploybot.thread import Status, Thread

SERVICE = "service:"
"""What the id of a service begins with, which an operator gave a token of its own."""

LONGEST = 1000
"""Letters of the longest message that can say nothing but stop."""

_STOP = re.compile(
    r"(?:please,? )?(?:stop|cancel|abort|halt)"
    r"(?: (?:it|that|this|everything|(?:the |this |that )?(?:deploy(?:ment)?s?|roll[ -]?back|release)))?"
    r"(?: (?:now|please|at once))*(?:(?:: ?| because | - )(?P<reason>.+?))?[.!]*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wish:
    """One person's wish that what was approved, or runs, comes to an end."""

    by: str
    at: datetime
    delivery: str
    reason: str = ""
    channel: str = "api"


def stop(thread: Thread, wish: Wish, people: People) -> Event | Refusal | None:
    """Return what the wish comes to, why it may not, or None when there is nothing to stop.

    What runs stops at its next safe step. What has not started is over: a roll back by policy is
    denied, so that plain code says what stays live, and anything else ends its thread.
    """
    standing = thread.standing
    request = standing.request
    if request is None or standing.status not in (Status.APPROVED, Status.DEPLOYING):
        return None
    if refusal := may_stop(request, wish.by, people):
        return refusal
    at, by, delivery = wish.at, wish.by, wish.delivery
    if standing.status is Status.DEPLOYING:
        return StopRequested(at=at, by=by, delivery=delivery, reason=wish.reason)
    if request.rule.anyone_may_stop or standing.part:
        return ApprovalDenied(
            at=at,
            by=by,
            delivery=delivery,
            request_id=request.id,
            digest=request.digest,
            channel=wish.channel,
            feedback=wish.reason or "stopped before it started",
        )
    return Cancelled(at=at, by=by, delivery=delivery, reason=wish.reason)


def may_stop(request: ApprovalRequest, by: str, people: People) -> Refusal | None:
    """Return why `by` may not stop the change, or None: who asked, and who could have said no, may.

    A countdown, and what nobody needs to approve, everybody may stop who is known.
    """
    if people.get(by) is None and not by.startswith(SERVICE):
        return Refusal(reason_code="unknown_person", text=UNKNOWN_PERSON)
    rule = request.rule
    may = {*request.requesters, *rule.everybody}
    if by in may or rule.anyone_may_stop or rule.asks_nobody:
        return None
    return Refusal(
        reason_code="not_an_approver",
        text=f"You may not stop this on {request.plan.environment}, so it goes on. "
        f"These may: {', '.join(sorted(may))}.",
    )


def said(thread: Thread, message: Message, people: People) -> tuple[Event, ...]:
    """Return what a message comes to, besides being heard, that says nothing but stop."""
    if len(message.text) > LONGEST:
        return ()
    found = _STOP.fullmatch(" ".join(message.text.split()))
    if found is None or (isinstance(message, ApiMessageReceived) and message.dry_run):
        return ()
    channel, address = _whence(message)
    wish = Wish(
        by=message.by,
        at=message.at,
        delivery=f"{message.delivery}/stop",
        reason=found["reason"] or "",
        channel=channel,
    )
    match stop(thread, wish, people):
        case None:
            return ()
        case Refusal() as refusal:
            return (
                AnswerRefused(
                    at=message.at,
                    by=message.by,
                    delivery=wish.delivery,
                    request_id=thread.standing.request.id if thread.standing.request else "",
                    reason_code=refusal.reason_code,
                    text=refusal.text,
                    channel=channel,
                    address=address,
                ),
            )
        case event:
            return (event,)


def _whence(message: Message) -> tuple[str, str]:
    """Return the channel a message came by, and where in it its sender is reached."""
    match message:
        case SlackMessageReceived(user=user):
            return "slack", user
        case EmailReceived(address=address):
            return "email", address
        case ApiMessageReceived(by=by):
            return "api", by
