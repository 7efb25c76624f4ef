"""Mailboxes on a real IMAP server: whatever is cut, restarted or renumbered, nothing is lost or doubled."""

import logging
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest
from broken_mail import broken_mails, corpus
from dovecot import HOST, Dovecot, counted, looking_into, require_dovecot
from letters import ANN, Correspondence, raw_mail
from loopback_certificate import certificate
from mail_reading import Reading
from redis_server import wait_until

from deploybot.errors import StoreUnavailableError
from deploybot.events import AnswerRefused
from deploybot.inbound.email_room import MailRoom
from deploybot.mailbox_address import MailboxAddress
from deploybot.mailboxes import reader
from deploybot.mailboxes.connection import AwayError, MailboxConnection, NotLetInError
from deploybot.thread import Status

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    binary = require_dovecot()
    with (
        tempfile.TemporaryDirectory(prefix="dbt-", ignore_cleanup_errors=True) as folder,
        Dovecot(Path(folder), binary) as running,
    ):
        yield running


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    # the pauses between tries, and nothing of what is tried
    monkeypatch.setattr(reader, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(reader, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(reader, "PAUSE_WHEN_SHUT_OUT", 0.05)


@pytest.fixture
def address(server: Dovecot) -> str:
    """An account of its own for each test."""
    return server.account()


@pytest.fixture
def reading() -> Reading:
    return Reading(Correspondence())


def hello(number: int = 1, **more: str) -> bytes:
    return raw_mail(
        f"deploy backend {number}", sender=ANN, message_id=f"<{number}@shop.example>", **more
    )


def said(reading: Reading) -> list[str]:
    store = reading.post.story.store
    return sorted(
        mail.text for thread in store.list().threads for mail in reading.post.mails_in(thread)
    )


def test_a_mail_is_heard_and_moved_where_what_was_taken_lies(
    server: Dovecot, address: str, reading: Reading
) -> None:
    server.deliver(hello(), address)

    with reading.of(server.url(address)):
        reading.waits_for("heard")
        reading.waits_for_looks(1)

    assert said(reading) == ["deploy backend 1"]
    assert counted(server, address) == 0
    assert counted(server, address, "Processed") == 1


def test_what_comes_while_the_server_is_listened_to_is_heard_at_once(
    server: Dovecot, address: str, reading: Reading
) -> None:
    with reading.of(server.url(address), listen_seconds=3600):
        reading.waits_for_looks(1)
        for number in range(1, 4):
            server.deliver(hello(number), address)
            reading.waits_for(*["heard"] * number)

    assert len(said(reading)) == 3


def test_a_server_that_does_not_speak_up_is_asked_again_and_again(
    server: Dovecot, address: str, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(MailboxConnection):
        def _open(self) -> None:
            super()._open()
            self.idles = False

        def listening(self) -> None:  # type: ignore[override]
            raise AssertionError("it was asked to listen")

    with reading.of(server.url(address), poll_seconds=0.05, connect=Silent):
        reading.waits_for_looks(2)
        server.deliver(hello(), address)
        reading.waits_for("heard")


@pytest.mark.parametrize("capability", ["MOVE", "MOVE UIDPLUS"])
def test_a_server_that_cannot_move_gets_a_copy_or_a_flag(
    server: Dovecot, address: str, reading: Reading, capability: str
) -> None:
    class Lacking(MailboxConnection):
        def _open(self) -> None:
            super()._open()
            self._moves = False
            self._expunges = "UIDPLUS" not in capability

    server.deliver(hello(), address)
    with reading.of(server.url(address), listen_seconds=0.05, connect=Lacking):
        reading.waits_for("heard")
        reading.waits_for_looks(3)

    assert reading.outcomes == ["heard"]
    assert counted(server, address, "Processed") == 1
    assert counted(server, address) == ("UIDPLUS" in capability)


def test_a_mail_that_can_be_neither_moved_nor_flagged_is_heard_once_and_the_next_one_too(
    server: Dovecot, address: str, reading: Reading, caplog: pytest.LogCaptureFixture
) -> None:
    class Frozen(MailboxConnection):
        def settle(self, uid: int, *, put_aside: bool) -> bool:
            return False

    for number in (1, 2):
        server.deliver(hello(number), address)
    for _ in range(2):  # and again by another process
        with reading.of(server.url(address), listen_seconds=0.05, connect=Frozen):
            reading.waits_for("heard", "heard")
            reading.waits_for_looks(2)

    assert len(said(reading)) == 2
    assert "neither move nor flag" in caplog.text


def test_what_cannot_be_read_lies_in_quarantine_and_is_told(
    server: Dovecot, address: str, reading: Reading
) -> None:
    server.deliver(hello().replace(b"From: ", b"From: eve@shop.example\r\nFrom: ", 1), address)
    server.deliver(hello(2), address)

    with reading.of(server.url(address)):
        reading.waits_for("quarantined", "heard")
        reading.waits_for_looks(1)

    assert counted(server, address, "Quarantine") == 1
    (note,) = (
        event
        for thread in reading.post.story.store.list().threads
        for event in reading.post.story.store.load(thread).events
        if isinstance(event, AnswerRefused)
    )
    assert note.reason_code == "quarantined"
    assert "2 From headers" in note.text
    assert "Message-ID: <1@shop.example>" in note.text


def test_a_mail_that_is_too_large_is_put_aside_unfetched(
    server: Dovecot, address: str, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploybot.mailboxes.connection.LARGEST", 10_000)
    server.deliver(hello() + b"\r\n" + b"x" * 70 + b"\r\nx" * 20_000, address)

    with reading.of(server.url(address)):
        reading.waits_for("quarantined")
        reading.waits_for_looks(1)

    assert counted(server, address, "Quarantine") == 1


def test_a_mail_that_breaks_the_bot_is_put_aside_and_the_next_one_is_heard(
    server: Dovecot, address: str, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes = MailRoom.take

    def breaks(self: MailRoom, raw: bytes, now: object) -> object:
        if b"backend 1" in raw:
            raise KeyError("backend 1")
        return takes(self, raw, now)  # type: ignore[arg-type]

    monkeypatch.setattr(MailRoom, "take", breaks)
    for number in (1, 2):
        server.deliver(hello(number), address)

    with reading.of(server.url(address)):
        reading.waits_for("quarantined", "heard")
        reading.waits_for_looks(1)

    assert counted(server, address, "Quarantine") == 1


def test_nothing_is_marked_before_it_is_stored(
    server: Dovecot, address: str, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes, tries = MailRoom.take, []

    def away(self: MailRoom, raw: bytes, now: object) -> object:
        tries.append(counted(server, address))
        if len(tries) < 3:
            raise StoreUnavailableError("gone")
        return takes(self, raw, now)  # type: ignore[arg-type]

    monkeypatch.setattr(MailRoom, "take", away)
    server.deliver(hello(), address)
    with reading.of(server.url(address)):
        reading.waits_for("heard")

    assert tries == [1, 1, 1]


def test_one_that_was_stored_and_not_marked_is_only_marked(
    server: Dovecot, address: str, reading: Reading
) -> None:
    """As when the process is killed in between."""

    class Loses(MailboxConnection):
        def settle(self, uid: int, *, put_aside: bool) -> bool:
            self.close()
            return False

    server.deliver(hello(), address)
    with reading.of(server.url(address), connect=Loses):
        reading.waits_for("heard")
    with reading.of(server.url(address)):
        reading.waits_for_looks(2)

    assert reading.outcomes == ["heard"]
    assert counted(server, address) == 0


class Cutting:
    """A line to the server that is cut in the middle of the first mails' bytes."""

    def __init__(self, port: int, cuts: int, after: int) -> None:
        self._port, self.cuts, self._after = port, cuts, after
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(30)

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection((HOST, self._port))
            self._begin(self._pass_on, near, far, False)
            self._begin(self._pass_on, far, near, True)

    def _pass_on(self, source: socket.socket, sink: socket.socket, cut: bool) -> None:
        seen = b""
        with source, sink:
            while True:
                try:
                    data = source.recv(4096)
                    at = (seen + data).find(b"BODY[]") if cut and self.cuts > 0 else -1
                    if at >= 0 and len(seen) + len(data) >= at + self._after:
                        self.cuts -= 1
                        sink.sendall(data[: max(at + self._after - len(seen), 0)])
                        data = b""
                    if not data:
                        for line in (source, sink):
                            line.shutdown(socket.SHUT_RDWR)
                        return
                    seen += data
                    sink.sendall(data)
                except OSError:
                    return


class Gluing(Cutting):
    """Keeps back that the server listens now, until it can be said in one breath with what came."""

    glued = False

    def _pass_on(self, source: socket.socket, sink: socket.socket, cut: bool) -> None:
        kept = b""
        with source, sink, suppress(OSError):
            while data := source.recv(4096):
                kept += data
                waits = cut and not self.glued and b"+ idling" in kept
                if waits and b"EXISTS" not in kept.partition(b"+ idling")[2]:
                    continue
                self.glued = self.glued or waits
                sink.sendall(kept)
                kept = b""
            for line in (source, sink):
                line.shutdown(socket.SHUT_RDWR)


def test_a_mail_that_is_announced_in_one_breath_with_the_first_word_is_heard_soon(
    server: Dovecot, address: str, reading: Reading
) -> None:
    """The library waits for the line to speak, and not for what it has read from the line already."""
    with (
        Gluing(server.ports[0], cuts=0, after=0) as line,
        reading.of(server.url(address, port=line.port), listen_seconds=3600),
    ):
        reading.waits_for_looks(1)
        server.deliver(hello(), address)
        reading.waits_for("heard")

    assert line.glued


@pytest.mark.row(36)
@pytest.mark.parametrize("after", [0, 10, 100, 300])
def test_a_line_that_is_cut_within_a_mail_loses_and_doubles_nothing(
    server: Dovecot, address: str, reading: Reading, after: int
) -> None:
    for number in range(1, 4):
        server.deliver(hello(number), address)

    with (
        Cutting(server.ports[0], cuts=3, after=after) as line,
        reading.of(server.url(address, port=line.port)),
    ):
        reading.waits_for("heard", "heard", "heard")
        reading.waits_for_looks(1)

    assert line.cuts == 0
    assert said(reading) == [f"deploy backend {number}" for number in (1, 2, 3)]
    assert counted(server, address) == 0


def test_a_server_that_restarts_is_read_again(
    server: Dovecot, address: str, reading: Reading
) -> None:
    with reading.of(server.url(address)):
        server.deliver(hello(1), address)
        reading.waits_for("heard")
        server.stop()
        server.start()
        server.deliver(hello(2), address)
        reading.waits_for("heard", "heard")

    assert len(said(reading)) == 2


@pytest.mark.row(36)
def test_mails_that_are_numbered_anew_are_not_heard_anew(
    server: Dovecot, address: str, reading: Reading
) -> None:
    """UIDVALIDITY changes, and everything that was taken lies in the inbox again."""

    class Leaving(MailboxConnection):
        validities: set[int] = set()  # noqa: RUF012 - one for the test

        def settle(self, uid: int, *, put_aside: bool) -> bool:
            self.validities.add(self.validity)
            return False  # as if it had come back

    for number in (1, 2):
        server.deliver(hello(number), address)
    with reading.of(server.url(address), connect=Leaving):
        reading.waits_for("heard", "heard")
    with looking_into(server, address) as client:
        client.create_folder("other")
        client.select_folder("INBOX")
        client.copy(client.search("ALL"), "other")
        client.delete_messages(client.search("ALL"))
        client.expunge()
    server.deliver(hello(3), address)
    url = server.url(address).replace("/INBOX", "/other")
    with reading.of(url, connect=Leaving):
        reading.waits_for("heard", "heard", "duplicate", "duplicate")

    assert len(Leaving.validities) == 2
    assert said(reading) == ["deploy backend 1", "deploy backend 2"]


@pytest.mark.row(36)
def test_the_same_mail_in_two_mailboxes_and_over_http_is_heard_once(
    server: Dovecot, address: str, reading: Reading
) -> None:
    other = server.account()
    urls = (server.url(address), server.url(other))
    for number, to in enumerate((address, other)):
        server.deliver(hello(headers=(("X-Way", str(number)),)), to)  # type: ignore[arg-type]
    reading.post.arrives(hello())

    with reading.of(*urls):
        reading.waits_for("duplicate", "duplicate")

    assert said(reading) == ["deploy backend 1"]


def test_a_wrong_password_is_said_in_a_sentence_and_the_other_mailbox_is_read(
    server: Dovecot, address: str, reading: Reading, caplog: pytest.LogCaptureFixture
) -> None:
    server.deliver(hello(), address)
    wrong = server.url(address, password="wrong-and-secret")

    with caplog.at_level(logging.INFO), reading.of(wrong, server.url(address)):
        reading.waits_for("heard")
        reading.waits_for_looks(1)

    assert "does not let the bot in" in caplog.text
    assert "wrong-and-secret" not in caplog.text
    assert "deploy backend" not in caplog.text
    with pytest.raises(NotLetInError, match="name or password"):
        MailboxConnection(MailboxAddress.from_url(wrong))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    binary, pem = require_dovecot(), certificate(tmp_path_factory.mktemp("tls"))
    with (
        tempfile.TemporaryDirectory(prefix="dbt-", ignore_cleanup_errors=True) as folder,
        Dovecot(Path(folder), binary, pem=pem) as running,
    ):
        yield running


@pytest.fixture(params=["implicit", "starttls"])
def over_tls(request: pytest.FixtureRequest, secure: Dovecot) -> MailboxAddress:
    plain = MailboxAddress.from_url(secure.url(secure.account()))
    port = secure.imaps if request.param == "implicit" else secure.ports[0]
    return replace(plain, port=port, tls=request.param)


def test_a_mailbox_is_read_over_tls(
    over_tls: MailboxAddress, secure: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.pem))
    secure.deliver(hello(), over_tls.user)

    with MailboxConnection(over_tls) as mailbox:
        (uid,) = mailbox.uids()
        found = mailbox.fetch(uid)

    assert isinstance(found, bytes)
    assert b"deploy backend 1" in found


def test_a_server_that_nobody_vouches_for_gets_no_password(
    over_tls: MailboxAddress, secure: Dovecot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "none.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    with pytest.raises(AwayError, match=r"cannot be read now \(SSL"):
        MailboxConnection(over_tls)

    log = secure.folder / "dovecot.log"
    wait_until(lambda: "no auth attempts" in log.read_text().splitlines()[-1], seconds=60)


@pytest.mark.long
def test_two_hundred_broken_mails_and_those_of_pythons_own_tests_end_well(
    server: Dovecot, address: str, reading: Reading
) -> None:
    mails = [raw for raw in (*broken_mails(200), *corpus()) if raw.strip(b"\r\n")]
    with reading.of(server.url(address)):
        for raw in mails:
            server.deliver(raw, address)
        server.deliver(hello(), address)
        wait_until(lambda: len(reading.outcomes) == len(mails) + 1, seconds=150)
        reading.waits_for_looks(1)

    assert reading.outcomes[-1] == "heard"
    assert counted(server, address) == 0
    assert counted(server, address, "Quarantine") == reading.outcomes.count("quarantined")


def test_a_folder_that_is_not_there_is_said_in_a_sentence(server: Dovecot, address: str) -> None:
    url = server.url(address).replace("/INBOX", "/Nowhere")

    with pytest.raises(NotLetInError, match="no folder Nowhere"):
        MailboxConnection(MailboxAddress.from_url(url))


def test_a_mail_in_the_mailbox_of_a_code_approves(
    server: Dovecot, address: str, reading: Reading
) -> None:
    post = reading.post.opened()
    with reading.of(server.url(address)):
        reading.waits_for_looks(1)
        server.deliver(raw_mail("approve\n\n> approve?", to=post.address("ben")), address)
        reading.waits_for("approved")

    assert post.story.thread.status is Status.APPROVED
