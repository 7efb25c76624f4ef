"""One letter as a message: text and HTML, headers and reply address; sending it is `smtp`'s."""

from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from deploy.plan import SHORT
from deploybot.approvals import ApprovalRequest
from deploybot.mail import MailSettings
from deploybot.outbound import email_facts
from deploybot.outbound.email_facts import line_of, text_of
from deploybot.outbound.email_letters import Letter, confirmations, describe
from deploybot.ports import People
from deploybot.telling import Shown

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
    mail["Subject"] = line_of(letter.subject)[:200]
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
        "title": line_of(letter.title),
        "paragraphs": [text_of(paragraph) for paragraph in letter.paragraphs],
        "detail": [line_of(line) for line in letter.detail[-DETAIL:]],
        "card": letter.card is not None or letter.shown is not None,
        "dashes": "-- ",
        "footer": "deploybot wrote this mail. What you reply goes to its thread.",
        "url": url if urlsplit(url).scheme in ("http", "https") else "",
    }
    if letter.shown is not None:
        return shown | _of_dry_run(letter.shown)
    if letter.card is None:
        return shown
    request = letter.card.request
    link = _links(letter, settings, request) if letter.code else {}
    return shown | {
        "intro": _intro(letter),
        "what": describe(*request.plans),
        "facts": email_facts.of(request, people),
        "warnings": [
            line_of(one) for one in (*confirmations(request), *email_facts.warnings(request.plans))
        ],
        "reason": text_of(request.reason),
        "how": _how(letter, request),
        "approve_link": link.get("approve", ""),
        "deny_link": link.get("deny", ""),
    }


def _of_dry_run(dry: Shown) -> dict[str, Any]:
    """Return what a request would show, without anything to answer."""
    return {
        "intro": "This was a dry run, so nothing was done and nothing waits",
        "what": describe(*dry.plans),
        "facts": email_facts.of_dry_run(dry.plans, dry.start_at),
        "warnings": [line_of(one) for one in email_facts.warnings(dry.plans)],
        "reason": "",
        "how": "To have it done, ask for it without a dry run.",
        "approve_link": "",
        "deny_link": "",
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
    if confirmations(request):
        return (
            "This must be confirmed on its own, so it is not answered by mail: answer in Slack, or "
            "on the page below."
        )
    return f"Requests for {where} are not answered by mail: answer in Slack, or on the page below."


def _links(letter: Letter, settings: MailSettings, request: ApprovalRequest) -> dict[str, str]:
    """Return links that begin a reply; following one decides nothing, sending the mail does."""
    address = quote(settings.reply_address(letter.code), safe="@+")
    subject = quote(f"Re: {describe(*request.plans)} ({request.plan.sha[:SHORT]})")
    link = f"mailto:{address}?subject={subject}&body="
    return {"approve": f"{link}approve", "deny": f"{link}{quote('deny: ')}"}
