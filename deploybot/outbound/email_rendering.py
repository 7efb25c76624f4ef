"""One letter as a message: its values, headers and reply address; how it is laid out is `email_layout`'s."""

from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from deploy.plan import SHORT
from deploybot.approvals import ApprovalRequest
from deploybot.mail import MailSettings
from deploybot.outbound import email_facts, email_layout
from deploybot.outbound.email_content import Content, Letter, confirmations, describe
from deploybot.outbound.email_endings import how_to_answer
from deploybot.outbound.email_facts import line_of, text_of
from deploybot.ports import People
from deploybot.questions import choices_of
from deploybot.telling import Asked, Card, CardState, Shown

DETAIL = 40
"""Lines of output."""
CHOICES = 200
"""Choices that are written out; more are answered in words."""
REFERENCES = 20
"""Message-IDs of one header: the first, and the last ones."""
URGENCY = {"high": "Urgent: this waits for an answer.", "medium": "Please answer soon.", "low": ""}


def message(
    letter: Letter, *, settings: MailSettings, people: People, url: str, now: datetime
) -> EmailMessage:
    """Return the letter as a message, the same each time but for its date."""
    says = letter.says
    mail = EmailMessage(policy.SMTP)
    mail["From"] = Address("deploybot", addr_spec=settings.address)
    mail["To"] = Address(addr_spec=letter.reader.address)
    if letter.code:
        reply_to = settings.reply_address(letter.code)
        mail["Reply-To"] = Address("deploybot", addr_spec=reply_to)
    mail["Subject"] = line_of(letter.subject)[:200]
    mail["Date"] = format_datetime(now.astimezone(UTC))
    mail["Message-ID"] = letter.message_id
    if chain := letter.answers:
        mail["In-Reply-To"] = chain[-1]
        mail["References"] = " ".join((*chain[:1], *chain[1:][-REFERENCES + 1 :]))
    mail["List-Id"] = f"deploybot <{settings.list_id}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if says.asked and says.asked.is_open and says.asked.question.urgency == "high":
        mail["Importance"] = "high"
    values = _plainly(says, url) | _about(letter, settings, people, url)
    mail.set_content(email_layout.text(values), cte="quoted-printable")
    html = email_layout.html(values)
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    return mail


def _plainly(says: Content, url: str) -> dict[str, Any]:
    """Return what any letter shows, and nothing for what only some do."""
    return {
        "title": line_of(says.title),
        "tone": says.tone,
        "urgent": "",
        "intro": "",
        "what": "",
        "warnings": (),
        "paragraphs": [text_of(paragraph) for paragraph in says.paragraphs],
        "choices": (),
        "facts": (),
        "detail": [line_of(line) for line in says.detail[-DETAIL:]],
        "reason": "",
        "approve_link": "",
        "deny_link": "",
        "how": "",
        "dashes": "-- ",
        "footer": "deploybot wrote this mail. What you reply goes to its thread.",
        "mark": "",
        "url": url if urlsplit(url).scheme in ("http", "https") else "",
    }


def _about(letter: Letter, settings: MailSettings, people: People, url: str) -> dict[str, Any]:
    """Return what stands in it of a request, a dry run, a question or an end."""
    says = letter.says
    if says.shown:
        return _of_dry_run(says.shown)
    if says.card:
        return _of_request(letter, says.card, settings, people, url)
    if says.asked:
        return _of_question(says.asked)
    if says.about:
        return _of_fate(letter, says.about, settings, people, url)
    return {}


def _of_fate(
    letter: Letter, card: Card, settings: MailSettings, people: People, url: str
) -> dict[str, Any]:
    """Return what stands below how a request is: which it was, and what is to be done, if anything."""
    values: dict[str, Any] = {"facts": email_facts.in_short(card.request, people)}
    where = _elsewhere(letter, people, url)
    if card.state is CardState.UNKNOWN:
        values["how"] = f"Have a look at what runs there, and say how it ended: {where}."
    if letter.says.calls:
        values["how"] = _how(letter, card.request, where)
    return values | (_links(letter, settings, card.request) if letter.code else {})


def _of_request(
    letter: Letter, card: Card, settings: MailSettings, people: People, url: str
) -> dict[str, Any]:
    request = card.request
    link = _links(letter, settings, request) if letter.code else {}
    careful = (*confirmations(request), *email_facts.warnings(request.plans))
    return {
        "intro": _intro(letter),
        "what": describe(*request.plans),
        "facts": email_facts.of(request, people, card.grants),
        "warnings": [line_of(one) for one in careful],
        "reason": text_of(request.reason),
        "mark": f"Request {request.id}, digest {request.digest[:12]}.",
        "how": _how(letter, request, _elsewhere(letter, people, url)),
    } | link


def _of_dry_run(dry: Shown) -> dict[str, Any]:
    """Return what a request would show, without anything to answer."""
    return {
        "intro": "This was a dry run, so nothing was done and nothing waits",
        "what": describe(*dry.plans),
        "facts": email_facts.of_dry_run(dry.plans, dry.start_at),
        "warnings": [line_of(one) for one in email_facts.warnings(dry.plans)],
        "how": "To have it done, ask for it without a dry run.",
    }


def _of_question(asked: Asked) -> dict[str, Any]:
    if not asked.is_open:
        return {}
    return {
        "urgent": URGENCY[asked.question.urgency],
        "choices": [line_of(one) or "…" for one in choices_of(asked.question)[:CHOICES]],
        "how": how_to_answer(asked.question),
    }


def _intro(letter: Letter) -> str:
    """Return what begins the first line: one that decides nothing, should somebody send it back."""
    if letter.code or not letter.reader.answers:
        return "deploybot asks for your approval"
    return "Your request is waiting for an approval"


def _elsewhere(letter: Letter, people: People, url: str) -> str:
    """Say where this reader can answer, if not by mail."""
    person = people.get(letter.reader.id)
    places = ["in Slack"] if person and person.slack else []
    places += ["on the page below"] if url else []
    return " or ".join(places) or "over the API"


def _how(letter: Letter, request: ApprovalRequest, elsewhere: str) -> str:
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
        return f"This must be confirmed on its own, so not by mail: answer {elsewhere}."
    return f"Requests for {where} are not answered by mail: answer {elsewhere}."


def _links(letter: Letter, settings: MailSettings, request: ApprovalRequest) -> dict[str, str]:
    """Return links that begin a reply; following one decides nothing, sending the mail does."""
    address = quote(settings.reply_address(letter.code), safe="@+")
    subject = quote(f"Re: {describe(*request.plans)} ({request.plan.sha[:SHORT]})")
    link = f"mailto:{address}?subject={subject}&body="
    return {"approve_link": f"{link}approve", "deny_link": f"{link}{quote('deny: ')}"}
