"""Mail that comes in: that each mailbox lets the bot in, and that keys of signatures can be looked up."""

from collections.abc import Iterator

from deploybot.config import Settings
from deploybot.doctor.finding import Finding, ok, warning, wrong
from deploybot.errors import KeyLookupError
from deploybot.inbound.email_dkim import LookUp
from deploybot.mail_keys import look_up
from deploybot.mailbox_address import MailboxAddress
from deploybot.mailboxes.connection import AwayError, MailboxConnection, NotLetInError
from deploybot.mailboxes.reader import POLL_SECONDS

SECONDS = 5.0
ABOUT = "DEPLOYBOT_IMAP_URLS"


def of_mailboxes(settings: Settings, look_up: LookUp = look_up) -> Iterator[Finding]:
    """Log in to each, and read no mail."""
    for address in settings.mailboxes:
        yield from _of_one(address)
    if settings.email_secret.get_secret_value() or settings.mailboxes:
        yield from _of_trust(settings, look_up)


def _of_one(address: MailboxAddress) -> Iterator[Finding]:
    try:
        with MailboxConnection(address, timeout=SECONDS) as mailbox:
            idles, folders = mailbox.idles, mailbox.folders
    except NotLetInError as error:
        yield wrong(
            ABOUT, str(error), "Mend user, password or folder; % and two hex digits, if odd."
        )
        return
    except AwayError as error:
        yield wrong(ABOUT, str(error), "Check its host and port, and its certificate.")
        return
    yield ok(ABOUT, f"The mailbox {address.name} lets the bot in.")
    if not idles:
        yield warning(
            ABOUT,
            f"The server of {address.name} does not say when something comes (no IDLE), so it is "
            f"asked every {POLL_SECONDS:.0f} s.",
            "Nothing needs to be done.",
        )
    for folder in (name for name, is_there in folders.items() if not is_there):
        yield warning(
            ABOUT,
            f"{address.name} has no folder {folder}, and the bot may not make one, so its mails "
            "stay in the inbox with a flag.",
            f"Make the folder {folder}, or name another: ?processed=… or ?quarantine=….",
        )


def _of_trust(settings: Settings, look_up: LookUp) -> Iterator[Finding]:
    if settings.email_authserv_id:
        return
    about = "DEPLOYBOT_EMAIL_AUTHSERV_ID"
    if not settings.email_dkim:
        yield wrong(
            about,
            "DEPLOYBOT_EMAIL_AUTHSERV_ID is not set, so every mail is words by nobody.",
            "Set it to the name that your mail server writes into Authentication-Results, or "
            "DEPLOYBOT_EMAIL_DKIM to 1.",
        )
        return
    domain = settings.email_address.rpartition("@")[2]
    try:
        look_up(f"deploybot._domainkey.{domain}")
    except KeyLookupError:
        yield wrong(
            "DEPLOYBOT_EMAIL_DKIM",
            "No name server answers, so no mail can be shown to be its sender's.",
            "Mend this machine's DNS, or set DEPLOYBOT_EMAIL_AUTHSERV_ID.",
        )
        return
    yield ok(
        "DEPLOYBOT_EMAIL_DKIM", "Mails are believed by the signature of their sender's domain."
    )
