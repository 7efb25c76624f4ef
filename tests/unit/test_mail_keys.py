"""Keys looked up in a real name server on the loopback, and what is said when there is none."""

import socket
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from deploybot import mail_keys
from deploybot.errors import KeyLookupError
from deploybot.mail_keys import look_up

RECORDS = {
    "s1._domainkey.shop.example.": ['"v=DKIM1; k=rsa; " "p=abc"'],
    "two._domainkey.shop.example.": ['"something else"', '"v=DKIM1; p=abc"'],
    "other._domainkey.shop.example.": ['"something else"'],
}


class NameServer:
    """Answers over UDP; `asked` is what it was asked for."""

    def __init__(self) -> None:
        self.line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.line.bind(("127.0.0.1", 0))
        self.asked: list[str] = []
        self.fails = False
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            data, sender = self.line.recvfrom(4096)
            if data == b"end":
                return
            query = dns.message.from_wire(data)
            name = query.question[0].name.to_text()
            self.asked.append(name)
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.AA | dns.flags.RA
            if self.fails:
                answer.set_rcode(dns.rcode.SERVFAIL)
            elif name in RECORDS:
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *RECORDS[name]))
            elif not name.startswith("empty."):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self.line.sendto(answer.to_wire(), sender)

    def close(self) -> None:
        self.line.sendto(b"end", self.line.getsockname())
        self.thread.join()
        self.line.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = server.line.getsockname()[1]
    resolver.search = [dns.name.from_text("evil.example.")]
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
    yield server
    server.close()


def test_the_parts_of_a_record_are_put_together(server: NameServer) -> None:
    assert look_up("s1._domainkey.shop.example") == b"v=DKIM1; k=rsa; p=abc"


def test_of_several_records_the_one_with_a_key_counts(server: NameServer) -> None:
    assert look_up("two._domainkey.shop.example") == b"v=DKIM1; p=abc"
    assert look_up("other._domainkey.shop.example") is None


def test_no_record_is_no_key_and_nothing_behind_the_name_is_tried(server: NameServer) -> None:
    assert look_up("none._domainkey.shop.example") is None
    assert look_up("empty._domainkey.shop.example") is None

    assert not [name for name in server.asked if "evil" in name]


def test_a_name_server_that_fails_or_is_silent_says_so_in_a_sentence(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_keys, "SECONDS", 0.5)
    server.fails = True

    with pytest.raises(
        KeyLookupError, match=r"key that shop\.example signs its mails with could not"
    ):
        look_up("s1._domainkey.shop.example")


def test_a_name_that_cannot_be_one_is_no_key(server: NameServer) -> None:
    for name in ("a" * 64 + "._domainkey.shop.example", "a..b._domainkey.x", ".".join("a" * 200)):
        with pytest.raises(KeyLookupError):
            look_up(name)
