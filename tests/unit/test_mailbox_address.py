import pytest

from deploybot.config import read_settings
from deploybot.errors import ConfigError
from deploybot.mailbox_address import MailboxAddress

BOT = {"DEPLOYBOT_EMAIL_ADDRESS": "bot@bot.example"}


def test_a_mailbox_is_read_off_its_address() -> None:
    found = MailboxAddress.from_url(
        "imaps://bot%40bot.example:p%40ss%2C%20w%2Frd@mail.example/INBOX"
    )

    assert (found.host, found.port, found.tls) == ("mail.example", 993, "implicit")
    assert (found.user, found.password.get_secret_value()) == ("bot@bot.example", "p@ss, w/rd")
    assert (found.folder, found.processed, found.quarantine) == ("INBOX", "Processed", "Quarantine")


def test_its_folders_can_be_others() -> None:
    found = MailboxAddress.from_url(
        "imaps://b:p@mail.example/Deploys/New?processed=Deploys%2FDone&quarantine=Odd%20ones"
    )

    assert found.folder == "Deploys/New"
    assert (found.processed, found.quarantine) == ("Deploys/Done", "Odd ones")


@pytest.mark.parametrize(
    ("url", "tls"),
    [
        ("imap://b:p@mail.example", "starttls"),
        ("imap://b:p@127.0.0.1", "none"),
        ("imap://b:p@localhost:1143", "none"),
        ("imaps://b:p@127.0.0.1:1993", "implicit"),
    ],
)
def test_a_password_is_only_sent_over_tls_or_to_this_machine(url: str, tls: str) -> None:
    assert MailboxAddress.from_url(url).tls == tls


def test_the_password_is_in_no_name_and_no_print() -> None:
    found = MailboxAddress.from_url("imaps://bot:hunter2@mail.example/INBOX")

    assert "hunter2" not in f"{found} {found!r} {found.name}"
    assert found.name == "bot@mail.example:993/INBOX"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mail.example", "like imaps://"),
        ("http://b:p@mail.example", "like imaps://"),
        ("imaps://mail.example", "no user and password"),
        ("imaps://bot@mail.example", "no user and password"),
        ("imaps://b:p@mail.example:0", "like imaps://"),
        ("imaps://b:p@mail.example:port", "like imaps://"),
        ("imaps://b:p@mail.example?trash=x", "trash="),
        ("imaps://b:p,q@mail.example", "like imaps://"),
    ],
)
def test_a_wrong_address_stops_the_start_without_the_password(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match="DEPLOYBOT_IMAP_URLS is wrong") as caught:
        read_settings(BOT | {"DEPLOYBOT_IMAP_URLS": url})

    assert says in str(caught.value) or "no user and password" in str(caught.value)
    assert "b:p" not in str(caught.value)


def test_several_are_separated_by_commas_and_need_an_address_of_the_bot() -> None:
    urls = {"DEPLOYBOT_IMAP_URLS": "imaps://a:p@x.example, imaps://b:p@y.example"}

    assert [one.host for one in read_settings(BOT | urls).mailboxes] == ["x.example", "y.example"]
    with pytest.raises(ConfigError, match="DEPLOYBOT_EMAIL_ADDRESS"):
        read_settings(urls)


@pytest.mark.parametrize(
    ("dkim", "server", "checked"),
    [("", "", True), ("", "mx", False), ("1", "mx", True), ("0", "", False), ("0", "mx", False)],
)
def test_signatures_are_checked_where_no_server_speaks_unless_told(
    dkim: str, server: str, checked: bool
) -> None:
    settings = read_settings({"DEPLOYBOT_EMAIL_DKIM": dkim, "DEPLOYBOT_EMAIL_AUTHSERV_ID": server})

    assert settings.email_dkim is checked
