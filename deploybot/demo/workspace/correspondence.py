"""People's mail: who sees which, and what happens when they write; the bot's mail server is told over HTTP."""

import http.client
import json
from urllib.parse import urlsplit

from deploybot.demo.workspace.actions import NotPossibleError, someone
from deploybot.demo.workspace.mail import Mail
from deploybot.demo.workspace.settings import Json, Person
from deploybot.demo.workspace.workspace import Workspace

_TIMEOUT = 10.0


def arrived(workspace: Workspace, mail: Mail) -> None:
    """Put mail into the box and show it to whom it is addressed."""
    if mail.at is None:
        mail = mail.model_copy(update={"at": workspace.now()})
    workspace.mailbox.keep(mail)
    readers = frozenset(p.id for p in workspace.settings.people if readable(workspace, p, mail))
    workspace.feed.tell("mail", mail.model_dump(by_alias=True), readers)


def readable(workspace: Workspace, person: Person, mail: Mail) -> bool:
    """Whether this person wrote or got the mail; what goes to no one here is open to all."""

    def named(other: Person) -> bool:
        address = other.email.lower()
        return bool(address) and address in f"{mail.sender} {mail.to}".lower()

    return named(person) or not any(named(other) for other in workspace.settings.people)


def reply(workspace: Workspace, user: str, mail_id: str, text: str) -> Json:
    """Answer a mail as this person; returns `{id, status}` of the mail server."""
    person = someone(workspace, user)
    try:
        mail = workspace.mailbox.get(mail_id)
    except KeyError:
        raise NotPossibleError(f"There is no mail {mail_id}.") from None
    if not readable(workspace, person, mail):
        raise NotPossibleError(f"{person.name} has no mail {mail_id}.")
    subject = mail.subject
    if not subject.lower().startswith("re:"):
        subject = f"Re: {subject}"
    named = {name.lower(): value for name, value in mail.headers.items()}
    to = mail.reply_to or mail.sender
    return _write(workspace, person, to, (subject, text), named.get("message-id", mail.id))


def write(workspace: Workspace, user: str, to: str, subject: str, text: str) -> Json:
    """Write a new mail as this person; returns `{id, status}` of the mail server."""
    person = someone(workspace, user)
    to = to or workspace.settings.mail_address
    return _write(workspace, person, to, (subject, text), None)


def _write(
    workspace: Workspace,
    person: Person,
    to: str,
    words: tuple[str, str],
    in_reply_to: str | None,
) -> Json:
    subject, text = words
    url = workspace.settings.mail_reply_url
    if url is None:
        raise NotPossibleError("No mail server is set up, the mail was not sent.")
    if not person.email:
        raise NotPossibleError(f"{person.name} has no mail address, the mail was not sent.")
    if not text.strip():
        raise NotPossibleError("An empty mail cannot be sent.")
    sender = f"{person.real_name or person.name} <{person.email}>"
    status = _tell(
        url,
        {
            "from": person.email,
            "to": to,
            "subject": subject,
            "text": text,
            "in_reply_to": in_reply_to,
        },
    )
    sent = Mail.model_validate(
        {"id": workspace.ids.short("M"), "from": sender, "to": to, "subject": subject, "text": text}
    )
    arrived(workspace, sent)
    return {"id": sent.id, "status": status}


def _tell(url: str, body: Json) -> int:
    server = urlsplit(url)
    connection = http.client.HTTPConnection(server.hostname or "", server.port, timeout=_TIMEOUT)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", server.path or "/", json.dumps(body), headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotPossibleError(f"The mail was not sent: {error}. Try again.") from None
    finally:
        connection.close()
    if response.status not in range(200, 300):
        raise NotPossibleError(f"The mail server answered {response.status}, nothing was sent.")
    return response.status
