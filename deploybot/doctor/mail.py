"""Mail: that it can go out, could come in, and is believed where it decides."""

import re
from collections.abc import Iterator

from deploybot.config import Configuration, Settings
from deploybot.doctor.finding import Finding, ok, warning, wrong
from deploybot.errors import ConfigError, DeliveryError
from deploybot.outbound.smtp import SmtpSettings, connection

ADDRESS = re.compile(r"[^@\s+]+@[^@\s]+")


def of_mail(settings: Settings, configuration: Configuration | None) -> Iterator[Finding]:
    """Check it without sending any."""
    address, smtp = settings.email_address, settings.smtp_url.get_secret_value()
    places = configuration.catalog.environments if configuration else {}
    by_mail = [name for name, table in places.items() if table.approve_by_mail]
    comes_in = settings.email_secret.get_secret_value() or settings.mailboxes
    if not address and not smtp:
        yield warning(
            "mail",
            "Mail is off:",
            "set DEPLOYBOT_EMAIL_ADDRESS and DEPLOYBOT_SMTP_URL to reach people by mail.",
        )
    elif not address or not ADDRESS.fullmatch(address):
        yield wrong(
            "DEPLOYBOT_EMAIL_ADDRESS",
            f"DEPLOYBOT_EMAIL_ADDRESS is {address or 'not set'}, and must be one plain address.",
            "Set it to the bot's own, without a plus sign: codes go behind one.",
        )
    if smtp:
        yield _login(smtp, address)
    elif address:
        yield wrong("DEPLOYBOT_SMTP_URL", "DEPLOYBOT_SMTP_URL is not set.", "No mail goes out.")
    if by_mail and not (comes_in and smtp and address):
        yield wrong(
            f"environments.{by_mail[0]}.approve_by_mail",
            f"{', '.join(by_mail)} may be approved by mail, and mail does not work both ways.",
            "Set DEPLOYBOT_IMAP_URLS or DEPLOYBOT_EMAIL_SECRET, DEPLOYBOT_EMAIL_ADDRESS, and "
            "DEPLOYBOT_SMTP_URL.",
        )


def _login(url: str, address: str) -> Finding:
    about = "DEPLOYBOT_SMTP_URL"
    try:
        with connection(SmtpSettings.from_url(url), "deploybot") as server:
            server.open()
    except ConfigError as error:
        return wrong(about, str(error), "")
    except DeliveryError as error:
        return wrong(about, str(error), "")
    return ok(about, f"The mail server lets the bot in; mail goes out as {address}.")
