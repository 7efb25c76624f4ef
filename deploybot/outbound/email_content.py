"""What one mail says, as values: its words, a request or a question, and what the reader can do."""

from dataclasses import dataclass

from deploy.plan import Plan
from deploybot.approvals import ApprovalRequest
from deploybot.outbound.email_readers import Reader
from deploybot.telling import Asked, Card, Shown

SEVERAL = 4
"""Of more changes the number is told, and not their names."""


@dataclass(frozen=True)
class Content:
    """What stands in a mail, whoever gets it; nothing in it is laid out yet."""

    title: str = ""
    tone: str = ""
    """good, bad or calm, where the mail says how something stands."""
    paragraphs: tuple[str, ...] = ()
    detail: tuple[str, ...] = ()
    card: Card | None = None
    """Set when the mail shows a whole request."""
    shown: Shown | None = None
    """Set when the mail shows a dry run."""
    asked: Asked | None = None
    """Set when the mail is about a question, open or over."""
    about: Card | None = None
    """Set when the mail says what became of a request."""
    calls: bool = False
    """Whether it calls somebody to that request once more."""
    code: str = ""
    """Set when the reader may answer the request by mail."""


@dataclass(frozen=True)
class Letter:
    """One mail: `key` is noted once it is sent, and names it for good."""

    key: str
    reader: Reader
    subject: str
    message_id: str
    answers: tuple[str, ...]
    """Message-IDs of the conversation so far, oldest first."""
    says: Content

    @property
    def code(self) -> str:
        """Return the reply code that it carries, if it does."""
        return self.says.code


def describe(plan: Plan, *more: Plan) -> str:
    """Return a change, or several, in one line: `Deploy backend, then frontend to production`."""
    verb, where = ("Roll back", "on") if plan.action == "roll_back" else ("Deploy", "to")
    services = ", then ".join(one.service for one in (plan, *more))
    if len(more) >= SEVERAL:
        services = f"{1 + len(more)} services"
    return f"{verb} {services} {where} {plan.environment}"


def confirmations(request: ApprovalRequest) -> tuple[str, ...]:
    """Return what must be confirmed on its own, and so is not decided by mail."""
    return tuple(dict.fromkeys(one for plan in request.plans for one in plan.confirm))
