"""Mails that are not what they seem: none approves, whatever it forges, and the right person is told."""

from dataclasses import dataclass, replace
from email.message import EmailMessage

import pytest
from fakes import PEOPLE, FakeMailNotes
from letters import ANN, BEN, BOT, EVE, MAIL, Correspondence, raw_mail, room_of, vouched
from signed_mail import Keys, signed, unvouched
from smtp_sink import SmtpSink

from deploybot.events import AnswerRefused
from deploybot.inbound.email_intake import Taken
from deploybot.mail import code_alias, message_alias
from deploybot.outbound.email import EmailChannel
from deploybot.outbound.smtp import SmtpSettings
from deploybot.outbox import tellings
from deploybot.telling import Opening, Said
from deploybot.thread import Status

FAILS = ("mx.bot.example; dmarc=fail header.from=shop.example",)
EVIL = "ben@evil.example"


@dataclass
class Siege:
    """A request that Ben may answer, mails that come in, and what people are told of it by mail."""

    post: Correspondence
    notes: FakeMailNotes

    def takes(self, raw: bytes) -> Taken:
        return room_of(self.post.story).take(raw, self.post.story.clock.now())

    def told(self) -> list[tuple[str, str]]:
        """Send what is to be sent of every thread; return to whom, and what of, refusals go."""
        store, clock = self.post.story.store, self.post.story.clock
        with SmtpSink() as sink:
            channel = EmailChannel(
                SmtpSettings.from_url(sink.url),
                MAIL,
                people=PEOPLE,
                url_of=lambda _: "",
                alias=store.name,
                now=clock.now,
                notes=self.notes,
            )
            for thread_id in store.list().threads:
                thread = store.load(thread_id)
                channel.deliver(
                    thread,
                    tellings(thread),
                    store.sent(thread_id),
                    lambda key, value, of=thread_id: store.note_sent(of, key, value),
                )
            mails = [(str(mail["To"]), " ".join(_text(mail).split())) for mail in sink.mails]
        return [(to, text) for to, text in mails if "Not taken as an answer" in text]

    @property
    def refusals(self) -> list[AnswerRefused]:
        events = self.post.story.thread.events
        return [event for event in events if isinstance(event, AnswerRefused)]

    def holds(self) -> None:
        """Nothing was approved, and the request is still open."""
        thread = self.post.story.thread
        assert "approval_granted" not in [event.kind for event in thread.events]
        assert thread.status is Status.AWAITING_APPROVAL


def _text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


@pytest.fixture
def siege() -> Siege:
    return Siege(Correspondence().opened(), FakeMailNotes())


GOOD = vouched(BEN)
SPOOFED = {
    "from nowhere": {"results": ()},
    "dmarc fails": {"results": FAILS},
    "only spf passes": {"results": ("mx.bot.example; spf=pass; dkim=pass",)},
    "vouched for another domain": {"results": (vouched("x@evil.example"),)},
    "vouched by another server": {"results": (GOOD.replace("mx.bot", "mx.evil"),)},
    "a forged pass below a real fail": {"results": (*FAILS, GOOD)},
    "a pass in a comment": {"results": (f"mx.bot.example; none ({GOOD})",)},
    "a pass in a quotation": {"results": (f'mx.bot.example; spf=fail smtp.mailfrom="{GOOD}"',)},
    "a look-alike domain": {"sender": "ben@sh0p.example"},
    "a look-alike letter": {"sender": "ben@\u0455hop.example"},
    "a subdomain": {"sender": "ben@mail.shop.example"},
    "another's address with Ben's name": {"sender": f'"{BEN}" <{EVIL}>'},
    "Ben's address as a name": {"sender": f"{BEN} <{EVIL}>"},
    "two addresses": {"sender": f"{BEN}, {EVIL}"},
    "an address within another": {"sender": f"<{BEN}>@evil.example"},
    "a group": {"sender": f"friends: {BEN};"},
    "a comment": {"sender": f"{EVIL} ({BEN})"},
    "an empty name": {"sender": f"<> {BEN}"},
    "a colleague": {"sender": EVE},
    "who asked": {"sender": ANN},
    "a sender header": {"sender": EVIL, "headers": (("Sender", BEN),)},
    "a reply-to header": {"sender": EVIL, "headers": (("Reply-To", BEN),)},
    "a resent header": {"sender": EVIL, "headers": (("Resent-From", BEN),)},
    "two From headers": {"headers": (("From", EVIL),)},
    "two From headers of Ben": {"headers": (("From", BEN),)},
    "a folded From": {"sender": f"\r\n {EVIL}"},
    "an encoded name": {"sender": f"=?utf-8?q?=22ben=40shop=2Eexample=22?= <{EVIL}>"},
    "an encoded address": {"sender": "=?utf-8?q?ben=40shop=2Eexample?="},
}  # fmt: skip


@pytest.mark.parametrize("how", SPOOFED.values(), ids=SPOOFED.keys())
def test_nobody_but_ben_answers_with_bens_code(siege: Siege, how: dict[str, object]) -> None:
    """Threat T6."""
    siege.takes(raw_mail("approve", to=siege.post.address("ben"), **how))  # type: ignore[arg-type]

    siege.holds()


MACHINES = {
    "an automatic answer": (("Auto-Submitted", "auto-replied"),),
    "a generated mail": (("Auto-Submitted", "auto-generated; owner=ben"),),
    "an old automatic answer": (("X-Autoreply", "yes"),),
    "an answer of Exchange": (("X-Auto-Response-Suppress", "All"),),
    "bulk mail": (("Precedence", "bulk"),),
    "a mailing list": (("Precedence", "list"),),
    "a list with a way out": (("List-Unsubscribe", "<mailto:x@shop.example>"),),
    "our own mail": (("List-Id", f"<{MAIL.list_id}>"),),
    "a bounce": (("Return-Path", "<>"),),
}


@pytest.mark.parametrize("headers", MACHINES.values(), ids=MACHINES.keys())
def test_no_machine_answers_for_ben_and_none_is_answered(
    siege: Siege, headers: tuple[tuple[str, str], ...]
) -> None:
    """Threat T7, and bad input 19: never to automatic answers."""
    taken = siege.takes(raw_mail("approve", to=siege.post.address("ben"), headers=headers))

    assert taken.outcome.startswith("ignored: ")
    assert siege.told() == []
    siege.holds()


def test_who_got_the_mail_forwarded_or_as_a_copy_cannot_use_its_code(siege: Siege) -> None:
    """Threat T7: stolen, forwarded and copied codes."""
    address = siege.post.address("ben")
    headers = (("Cc", f"{BOT}, {address}"),)

    for number, sender in enumerate((EVE, ANN, "mia@shop.example", "bob@else.example")):
        siege.takes(raw_mail("approve", sender=sender, headers=headers, message_id=f"<{number}@x>"))

    siege.holds()


def test_a_code_decides_once(siege: Siege) -> None:
    address = siege.post.address("ben")
    siege.takes(raw_mail("approve", to=address))
    siege.post.story.bot_works()

    again = siege.takes(raw_mail("approve", to=address, message_id="<2@shop.example>"))

    assert again.outcome != "approved"
    kinds = [event.kind for event in siege.post.story.thread.events]
    assert kinds.count("approval_granted") == kinds.count("deploy_started") == 1


def test_every_person_and_every_request_has_a_code_of_its_own(siege: Siege) -> None:
    first = {person: siege.post.code(person) for person in ("ann", "ben", "mia")}
    siege.post.story.denies("not now", by="ben")
    second = Correspondence(siege.post.story).opened()

    codes = [*first.values(), *(second.code(person) for person in first)]
    assert len(set(codes)) == 6
    assert all(len(code) == 26 for code in codes)


@pytest.mark.parametrize("code", ["a" * 26, "", "7" * 26, "approve"])
def test_a_guessed_code_is_none(siege: Siege, code: str) -> None:
    siege.takes(raw_mail("approve", to=f"deploybot+{code}@bot.example"))

    siege.holds()


# -- threat T26: dedupe as a weapon ------------------------------------------------


def test_a_mail_that_was_sent_ahead_by_others_takes_nobodys_place(siege: Siege) -> None:
    address = siege.post.address("ben")
    real = raw_mail("approve", to=address)

    for number, (sender, results) in enumerate(
        [(BEN, FAILS), (BEN, ()), (EVIL, None), (EVIL, ()), (f'"{BEN}" <{EVIL}>', None)]
    ):
        siege.takes(raw_mail("approve", sender=sender, results=results))
        siege.takes(raw_mail("approve", sender=sender, results=results, to=f"{BOT}, x{number}@x.x"))
    taken = siege.takes(real)

    assert taken.outcome == "approved"


def test_a_forged_mail_with_the_code_cannot_hide_the_warning_of_the_next(siege: Siege) -> None:
    """The same words and Message-ID as the mail that would warn Ben."""
    keys = Keys(error=None, records={})
    room = room_of(siege.post.story, replace(MAIL, authserv_id="", dkim=True), keys.look_up)
    now = siege.post.story.clock.now

    room.take(unvouched("approve", to=BOT), now())
    taken = room.take(signed(unvouched("approve", to=siege.post.address("ben"))), now())

    assert taken.outcome == "code_misused"


# -- bad inputs 19 to 22 -----------------------------------------------------------


def test_a_yes_without_a_code_is_told_what_to_do_once_an_hour(siege: Siege) -> None:
    """Bad input 19."""
    store = siege.post.story.store
    store.name(message_alias("<card@bot.example>"), siege.post.request.thread)
    for number, to in enumerate((BOT, f"deploybot+{'a' * 26}@bot.example", BOT)):
        headers = (("In-Reply-To", "<card@bot.example>"),) if number == 2 else ()
        raw = raw_mail("yes", to=to, message_id=f"<{number}@x>", headers=headers)
        assert siege.takes(raw).outcome in ("no_code", "heard")

    first, later = siege.told(), siege.told()

    assert [to for to, _ in first] == [BEN]
    assert "nothing was approved or deployed" in first[0][1]
    assert "reply to the mail that asks you, from your own address" in first[0][1]
    assert later == []
    siege.holds()
    siege.notes.helped.clear()  # an hour later
    siege.post.story.clock.passes(hours=25)
    siege.takes(raw_mail("ok", message_id="<9@x>", to=f"deploybot+{'a' * 26}@bot.example"))
    assert [to for to, _ in siege.told()] == [BEN]


def test_words_that_sound_like_a_yes_are_words(siege: Siege) -> None:
    taken = siege.takes(raw_mail("yes go ahead"))

    assert taken.outcome == "heard"
    siege.holds()


@pytest.mark.parametrize(
    ("sender", "results"), [(EVIL, None), (EVE, None), (BEN, FAILS), (BEN, ())]
)
def test_a_misused_code_is_revoked_and_its_owner_and_the_thread_are_told(
    siege: Siege, sender: str, results: tuple[str, ...] | None
) -> None:
    """Bad input 20: nothing to the sender."""
    siege.takes(raw_mail("approve", sender=sender, results=results, to=siege.post.address("ben")))

    ((to, text),) = siege.told()
    assert to == BEN
    assert f"says it is from {sender}" in text
    assert "It was refused: nothing was approved, and the code no longer counts" in text
    said = [one.text for one in siege.post.story.told if isinstance(one, Said)]
    assert any("nothing was approved, and the code no longer counts" in one for one in said)
    late = siege.takes(raw_mail("approve", to=siege.post.address("ben"), message_id="<2@x>"))
    assert late.outcome == "code_revoked"
    siege.holds()


def test_the_warning_about_a_misused_code_is_never_held_back(siege: Siege) -> None:
    siege.takes(raw_mail("> what?", to=siege.post.address("ben"), message_id="<1@x>"))
    assert [to for to, _ in siege.told()] == [BEN]

    siege.takes(raw_mail("approve", sender=EVIL, to=siege.post.address("ben")))

    assert ["code no longer counts" in text for _, text in siege.told()] == [True]


def test_a_no_in_words_is_read_as_words_and_its_sender_is_told_so(siege: Siege) -> None:
    """Bad input 21."""
    quoted = "\n".join(f"> {line}" for line in ("deploybot asks:", "approve", "approve"))
    raw = raw_mail(f"No, don't deploy\n\n{quoted}", to=siege.post.address("ben"))

    taken = siege.takes(raw)

    assert taken.outcome == "heard"
    ((to, text),) = siege.told()
    assert to == BEN
    assert "read as words and not as an answer" in text
    assert "begin a reply with deny and why" in text
    assert "approval_granted" not in [event.kind for event in siege.post.story.thread.events]
    assert siege.post.story.thread.status is Status.WORKING


def parts(count: int) -> bytes:
    body = "".join(f"--b\r\nContent-Type: text/plain\r\n\r\n{n}\r\n" for n in range(count))
    head = 'Content-Type: multipart/mixed; boundary="b"'
    return raw_mail("").replace(b"Content-Type: text/plain; charset=utf-8", head.encode()) + (
        f"{body}--b--\r\n".encode()
    )


def test_what_is_too_much_is_put_aside_with_its_size_hash_and_headers(siege: Siege) -> None:
    """Bad input 22."""
    for raw in (raw_mail("x" * 5_000_001), parts(5_000)):
        taken = siege.takes(raw)
        assert taken.put_aside
        note = siege.post.story.store.load(taken.thread).events[-1]
        assert isinstance(note, AnswerRefused)
        assert f"({len(raw)} bytes, SHA-256 " in note.text
        assert f"From: {BEN}" in note.text
        assert "Nothing was done with it" in note.text
    opening = tellings(siege.post.story.store.load(taken.thread))[0]
    assert isinstance(opening, Opening)
    assert len(opening.lines) == 2
    siege.holds()


@pytest.mark.parametrize("charset", ["utf-9", "no such thing", "ascii", "\x00"])
def test_a_broken_charset_and_no_message_id_lose_no_words(siege: Siege, charset: str) -> None:
    raw = raw_mail("Wäit for Mia", message_id="").replace(b"utf-8", charset.encode())

    taken = siege.takes(raw)

    assert taken.outcome == "heard"
    (mail,) = siege.post.mails_in(taken.thread)
    assert "it for Mia" in mail.text


def test_a_flood_of_unreadable_mails_makes_one_message_of_few_lines(siege: Siege) -> None:
    for number in range(50):
        taken = siege.takes(raw_mail(f"{number}", headers=(("From", EVIL),)))

    thread = siege.post.story.store.load(taken.thread)
    (opening,) = tellings(thread)
    assert isinstance(opening, Opening)
    assert len(opening.lines) <= 6
    assert len(thread.events) == 50


def test_a_code_that_nobody_knows_yet_finds_nothing(siege: Siege) -> None:
    assert siege.post.story.store.find(code_alias("a" * 26)) is None
