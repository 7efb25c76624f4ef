"""One letter as a message: text and HTML, headers and reply address; sending it is `smtp`'s."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from deploy.plan import SHORT, Plan
from deploybot.approvals import ApprovalRequest, may_answer
from deploybot.mail import MailSettings, visible
from deploybot.outbound.email_letters import Letter, describe
from deploybot.ports import People

COMMITS = 5
LONGEST = 4_000
"""Characters of one text that others wrote."""
DETAIL = 40
"""Lines of output."""

_TEMPLATES = Environment(
    loader=PackageLoader("deploybot.outbound"),
    autoescape=select_autoescape(("html.j2",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Fact:
    """One row of a card: what code found out, never what the agent says."""

    label: str
    value: str
    lines: tuple[str, ...] = ()
    code: bool = False


def message(
    letter: Letter, *, settings: MailSettings, people: People, url: str, now: datetime
) -> EmailMessage:
    """Return the letter as a message, the same each time but for its date."""
    shown = _shown(letter, settings, people, url)
    mail = EmailMessage(policy.SMTP)
    mail["From"] = Address("deploybot", addr_spec=settings.address)
    mail["To"] = Address(addr_spec=letter.reader.address)
    if letter.code:
        reply_to = settings.reply_address(letter.code)
        mail["Reply-To"] = Address("deploybot", addr_spec=reply_to)
    mail["Subject"] = _line(letter.subject)[:200]
    mail["Date"] = format_datetime(now.astimezone(UTC))
    mail["Message-ID"] = letter.message_id
    if letter.answers:
        mail["In-Reply-To"] = letter.answers[-1]
        mail["References"] = " ".join(letter.answers)
    mail["List-Id"] = f"deploybot <{settings.list_id}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    text = _TEMPLATES.get_template("letter.txt.j2").render(shown)
    mail.set_content(text.strip() + "\n", cte="quoted-printable")
    html = _TEMPLATES.get_template("letter.html.j2").render(shown)
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    return mail


def _shown(letter: Letter, settings: MailSettings, people: People, url: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "title": _line(letter.title),
        "paragraphs": [_text(paragraph) for paragraph in letter.paragraphs],
        "detail": [_line(line) for line in letter.detail[-DETAIL:]],
        "card": letter.card is not None,
        "dashes": "-- ",
        "footer": "deploybot wrote this mail. What you reply goes to its thread.",
        "url": url if urlsplit(url).scheme in ("http", "https") else "",
    }
    if letter.card is None:
        return shown
    request = letter.card.request
    link = _links(letter, settings, request.plan) if letter.code else {}
    return shown | {
        "intro": _intro(letter),
        "what": describe(request.plan),
        "facts": _facts(request, people),
        "warnings": [_line(warning) for warning in request.plan.warnings],
        "reason": _text(request.reason),
        "how": _how(letter, request),
        "approve_link": link.get("approve", ""),
        "deny_link": link.get("deny", ""),
    }


def _intro(letter: Letter) -> str:
    """Return what begins the first line: one that decides nothing, should somebody send it back."""
    if letter.code or not letter.reader.answers:
        return "deploybot asks for your approval"
    return "Your request is waiting for an approval"


def _how(letter: Letter, request: ApprovalRequest) -> str:
    if letter.code:
        return (
            "To approve, reply to this mail with the one word approve on the first line. To deny, "
            "reply with deny and what should happen instead. The address you reply to is for you "
            "alone: do not forward this mail. Any other words go to deploybot and close this request."
        )
    if letter.reader.answers:
        return "You need not do anything; you get a mail when it is decided."
    where = request.plan.environment
    return f"Requests for {where} are not answered by mail: answer in Slack, or on the page below."


def _links(letter: Letter, settings: MailSettings, plan: Plan) -> dict[str, str]:
    """Return links that begin a reply; following one decides nothing, sending the mail does."""
    address = quote(settings.reply_address(letter.code), safe="@+")
    subject = quote(f"Re: {describe(plan)} ({plan.sha[:SHORT]})")
    link = f"mailto:{address}?subject={subject}&body="
    return {"approve": f"{link}approve", "deny": f"{link}{quote('deny: ')}"}


def _facts(request: ApprovalRequest, people: People) -> tuple[Fact, ...]:
    plan = request.plan
    before = plan.previous_sha[:SHORT] if plan.previous_sha else "nothing"
    asked_by = ", ".join(_line(people.name(person)) for person in request.requesters)
    able = [person for person in request.rule.approvers if may_answer(request, person) is None]
    approvers = ", ".join(_line(people.name(person)) for person in able)
    quorum = f" ({request.rule.quorum} of them)" if request.rule.quorum > 1 else ""
    until = request.expires_at.astimezone(UTC)
    facts = [
        Fact("Change", f"{before} → {plan.sha[:SHORT]}"),
        Fact("Commit", plan.sha, code=True),
        Fact("Asked by", asked_by or "deploybot", _quoted(request.asked)),
        Fact("Approvers", (approvers or "nobody") + quorum),
        Fact("Until", f"{until.day} {until:%B %Y, %H:%M} UTC"),
        Fact("Commits", str(plan.commits_total), _commits(plan)),
        Fact("Checked", ", ".join(_line(check) for check in plan.checks)),
        Fact("Steps", _names(plan), tuple(_line(step.says) for step in plan.steps)),
    ]
    return tuple(fact for fact in facts if fact.value not in ("", "0"))


def _names(plan: Plan) -> str:
    return " → ".join(_line(step.name) for step in plan.steps)


def _commits(plan: Plan) -> tuple[str, ...]:
    lines = [
        f"{commit.sha[:SHORT]} {_line(commit.subject)[:120]} ({_line(commit.author)[:60]})"
        for commit in plan.commits[:COMMITS]
    ]
    more = plan.commits_total - len(lines)
    return (*lines, f"and {more} more") if more > 0 else tuple(lines)


def _quoted(words: str) -> tuple[str, ...]:
    return tuple(f"“{line}”" for line in _text(words).splitlines()[:10] if line.strip())


def _text(text: str) -> str:
    return visible(text)[:LONGEST].strip()


def _line(text: str) -> str:
    return " ".join(visible(text)[:LONGEST].split())
