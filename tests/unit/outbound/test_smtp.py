"""Sending over TLS, to a real server that wants a name and a password."""

import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from loopback_certificate import certificate
from smtp_sink import SmtpSink

from deploybot.errors import DeliveryError, NoSuchReaderError
from deploybot.outbound.smtp import RETRY, RETRY_LOGIN, SmtpSettings, connection

LOGIN = {"bot": "p@ss/word"}


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["starttls", "implicit"])
def server(request: pytest.FixtureRequest, pem: Path) -> Iterator[SmtpSink]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with SmtpSink(tls=context, implicit=request.param == "implicit", logins=LOGIN) as sink:
        yield sink


def url(server: SmtpSink, password: str = "p%40ss%2Fword") -> str:
    scheme = "smtps" if server.implicit else "smtp"
    return f"{scheme}://bot:{password}@127.0.0.1:{server.port}"


def send(to: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Hello"
    mail.set_content("there")
    with connection(SmtpSettings.from_url(to), "bot.example") as opened:
        opened.send(mail, "deploybot@bot.example", "mia@shop.example")


def test_mail_goes_over_tls_with_a_name_and_a_password(
    server: SmtpSink, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))

    send(url(server))

    assert [mail["Subject"] for mail in server.mails] == ["Hello"]
    assert server.over_tls == [True]


def test_a_server_that_nobody_vouches_for_gets_neither_password_nor_mail(
    server: SmtpSink, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "none.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    with pytest.raises(DeliveryError) as refused:
        send(url(server))

    assert refused.value.retry_after is not None
    assert (server.mails, server.tried) == ([], [])


def test_a_wrong_password_is_tried_again_after_minutes_only(
    server: SmtpSink, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))

    with pytest.raises(DeliveryError, match="name and password") as refused:
        send(url(server, "wrong"))

    assert refused.value.retry_after == RETRY_LOGIN
    assert server.mails == []


@pytest.mark.parametrize(
    ("where", "answer", "retry", "is_about_the_reader"),
    [
        ("mia@shop.example", "550 5.1.1 no such user", None, True),
        ("mia@shop.example", "550 5.7.1 relaying denied", None, False),
        ("mia@shop.example", "450 4.2.1 later", RETRY, False),
        ("mail", "530 5.7.0 authentication required", RETRY_LOGIN, False),
        ("mail", "451 4.3.0 later", RETRY_LOGIN, False),
        ("data", "554 5.7.1 looks like spam", None, False),
        ("data", "452 4.3.1 disk full", RETRY, False),
    ],
)
def test_a_refusal_for_good_is_told_from_one_for_now_and_the_reader_from_the_mail(
    where: str, answer: str, retry: float | None, is_about_the_reader: bool
) -> None:
    with SmtpSink(answers={where: answer}) as sink, pytest.raises(DeliveryError) as refused:
        send(sink.url)

    assert refused.value.retry_after == retry
    assert isinstance(refused.value, NoSuchReaderError) == is_about_the_reader
    assert "was not sent" in str(refused.value) or "tried again" in str(refused.value)


def test_an_address_that_the_server_cannot_write_is_refused_for_good() -> None:
    mail = EmailMessage()
    mail.set_content("there")
    with (
        SmtpSink() as sink,
        connection(SmtpSettings.from_url(sink.url), "bot.example") as opened,
        pytest.raises(DeliveryError) as refused,
    ):
        opened.send(mail, "deploybot@bot.example", "mi\u00e4@shop.example")

    assert refused.value.retry_after is None
