"""Cards and questions in every state, with the longest and the nastiest of texts on request."""

from datetime import timedelta
from typing import Any

from fakes import NOON

from deploy.change import Elsewhere, Extent, PullRequest
from deploy.checks import Check
from deploy.plan import Commit, Plan, PlannedStep
from deploybot.approvals import POLICY, ApprovalRequest, Grant, Rule
from deploybot.events import QuestionAsked
from deploybot.telling import Asked, Card, CardState

SHA, BEFORE = "4af9ec0" + "1" * 33, "abc1234" + "2" * 33
NASTY = (
    "<!channel> <@U0BEN> <https://evil.example|Approve> &lt; *bold* `code` ```\n> quote "
    "\u202egnp.exe\u202c\u200b \x1b[31mred\x1b[0m https://evil.example @here :tada:"
)
PROGRESS = (
    {"kind": "step", "name": "build", "ok": True, "seconds": 1.25},
    {"kind": "log", "line": "…"},
)


BEGUN = {CardState.DEPLOYING, CardState.LIVE, CardState.FAILED, CardState.UNKNOWN}
"""States in which an operation runs, or ran."""


def plan(words: str = "Add org routes", **changes: Any) -> Plan:
    """Return a deploy of seven commits whose foreign texts are `words`."""
    commits = tuple(
        Commit(
            sha=SHA if number == 0 else f"{number:040x}",
            author=f"Ann {words}",
            email="ann@shop.example",
            at=NOON,
            subject=f"{words} {number}",
        )
        for number in range(7)
    )
    given: dict[str, Any] = {
        "action": "deploy",
        "service": "backend",
        "environment": "production",
        "repository": "shop",
        "ref": "main",
        "sha": SHA,
        "previous_sha": BEFORE,
        "steps": (
            PlannedStep(name="build", argv=("make", "all it's", words), says=f"build {words}"),
            PlannedStep(name="switch", says="make it live"),
        ),
        "config_hash": "c" * 64,
        "commits": commits,
        "commits_total": 7,
        "warnings": (f"Not on main: {words}",),
        "authors": (f"Ann {words}", "Ben", "Cem", "Dee"),
        "authors_total": 4,
        "pull_requests": tuple(
            PullRequest(number=30 + number, title=words[:200]) for number in range(5)
        ),
        "pull_requests_total": 5,
        "extent": Extent(files=3, added=40, removed=2),
        "risky": (f"backend/migrations/{words}"[:200],),
        "risky_total": 1,
        "elsewhere": (Elsewhere(environment="staging", sha=BEFORE, since=NOON, verified=True),),
        "checks": ("build passed",),
        "required": (
            Check(name=words or "build", state="success", link="https://ci.example/7"),
            Check(name="odd", state="success", link=f"javascript:{words}"),
        ),
    }
    return Plan(**(given | changes))


def request(words: str = "Add org routes", **changes: Any) -> ApprovalRequest:
    """Return a request by Eve that Ann and Ben may approve."""
    given: dict[str, Any] = {
        "id": "r1",
        "thread": "t0123456789abcdef",
        "head": "",
        "plan": plan(words),
        "rule": Rule(approvers=("ann", "ben", "mia")),
        "requesters": ("eve",),
        "asked": f"please ship it: {words}",
        "reason": f"Because {words}",
        "expires_at": NOON + timedelta(minutes=30),
    }
    return ApprovalRequest(**(given | changes)).sealed()


def card(state: CardState, words: str = "no", **changes: Any) -> Card:
    """Return the card of such a request as it would be told in this state."""
    asked = changes.pop("request", None) or request(words)
    granted = state not in {
        CardState.OPEN,
        CardState.DENIED,
        CardState.EXPIRED,
        CardState.SUPERSEDED,
        CardState.CLOSED,
    }
    who = POLICY if asked.rule.automatic else "ben"
    given: dict[str, Any] = {
        "key": "card:r1",
        "request": asked,
        "state": state,
        "grants": (Grant(by=who, at=NOON),) if granted else (),
        "at": None if state is CardState.OPEN else NOON,
        "by": "ben" if state in {CardState.DENIED, CardState.CLOSED} else "",
        "note": words if state is not CardState.OPEN else "",
        "operation": "op1" if state in BEGUN else "",
        "seconds": 3.21,
        "live": SHA if state is CardState.LIVE else BEFORE,
    }
    return Card(**(given | changes))


def question(words: str = "Which service?", **changes: Any) -> Asked:
    """Return an open question."""
    given: dict[str, Any] = {
        "at": NOON,
        "by": "agent:deploy",
        "question_id": "q1",
        "question": words,
        "context": words,
    }
    about = {key: changes.pop(key) for key in changes.keys() & {"format", "choices", "urgency"}}
    return Asked("question:q1", QuestionAsked(**(given | about)), **changes)
