import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from fakes import NOON, PEOPLE
from hypothesis import given
from hypothesis import strategies as st
from slack_bot import HOME, click, form, said

from deploybot.errors import InboundError
from deploybot.inbound.slack import (
    Chosen,
    Ignored,
    Pressed,
    Words,
    read_click,
    read_denial,
    read_message,
)
from deploybot.inbound.slack_buttons import Reference, choice_block
from deploybot.inbound.slack_payloads import check_home, read_body
from deploybot.inbound.slack_signature import verify
from deploybot.inbound.slack_text import readable, without_address
from deploybot.outbound.slack_text import escape

# Slack's own published example.
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
STAMP = "1531420618"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmi"
    b"bIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
THEN = datetime.fromtimestamp(int(STAMP), UTC)
ABOUT = Reference(thread="t1", request="r1", digest="d" * 64)


def _read(payload: dict[str, object]) -> Words:
    words = read_message(payload, HOME, PEOPLE, NOON)
    assert isinstance(words, Words), words
    return words


# -- signatures ------------------------------------------------------------------------


def test_slacks_own_example_is_genuine() -> None:
    verify([SECRET], BODY, [STAMP], [SIGNATURE], THEN)


def test_either_of_two_secrets_opens_while_one_replaces_the_other() -> None:
    verify(["the-new-one", SECRET], BODY, [STAMP], [SIGNATURE], THEN)


@pytest.mark.parametrize("at", range(len(BODY)))
def test_a_body_with_any_byte_changed_is_refused(at: int) -> None:
    changed = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]

    with pytest.raises(InboundError, match="Bad signature") as refused:
        verify([SECRET], changed, [STAMP], [SIGNATURE], THEN)

    assert refused.value.status == 401


@pytest.mark.parametrize("at", range(3, len(SIGNATURE)))
def test_a_signature_off_by_one_character_is_refused(at: int) -> None:
    other = "0" if SIGNATURE[at] != "0" else "1"

    with pytest.raises(InboundError, match="Bad signature"):
        verify([SECRET], BODY, [STAMP], [SIGNATURE[:at] + other + SIGNATURE[at + 1 :]], THEN)


@pytest.mark.parametrize(
    ("stamps", "signatures"),
    [
        ([], [SIGNATURE]),
        ([STAMP], []),
        ([STAMP, STAMP], [SIGNATURE]),
        ([STAMP], [SIGNATURE, SIGNATURE]),
        ([""], [SIGNATURE]),
        (["abc"], [SIGNATURE]),
        (["1531420618.5"], [SIGNATURE]),
        (["9" * 5000], [SIGNATURE]),
        (["-1531420618"], [SIGNATURE]),
        ([" 1531420618"], [SIGNATURE]),
        (["1531420618\n"], [SIGNATURE]),
        (["١٥٣١٤٢٠٦١٨"], [SIGNATURE]),
        ([STAMP], [""]),
        ([STAMP], ["v0=é"]),
        ([STAMP], ["v0="]),
        ([STAMP], [SIGNATURE.upper()]),
        ([STAMP], [SIGNATURE + "\n"]),
        ([STAMP], [SIGNATURE.removeprefix("v0=")]),
        ([STAMP], ["v1" + SIGNATURE[2:]]),
    ],
)
def test_garbled_headers_are_refused_and_never_raise_anything_else(
    stamps: list[str], signatures: list[str]
) -> None:
    with pytest.raises(InboundError) as refused:
        verify([SECRET], BODY, stamps, signatures, THEN)

    assert refused.value.status == 401


@given(st.binary(), st.lists(st.text()), st.lists(st.text()), st.lists(st.text()))
def test_nothing_forged_passes(
    body: bytes, secrets: list[str], stamps: list[str], signatures: list[str]
) -> None:
    with pytest.raises(InboundError):
        verify(secrets, body, stamps, signatures, THEN)


@pytest.mark.parametrize(("late", "word"), [(361, "old"), (301, "old"), (-301, "new")])
def test_a_genuine_request_from_another_time_is_refused_and_says_by_how_much(
    late: int, word: str
) -> None:
    with pytest.raises(InboundError, match=rf"Too {word} \({abs(late)} s > 300 s\)"):
        verify([SECRET], BODY, [STAMP], [SIGNATURE], THEN + timedelta(seconds=late))


def test_an_unset_secret_opens_nothing() -> None:
    signature = "v0=" + hmac.new(b"", b"v0:1531420618:" + BODY, hashlib.sha256).hexdigest()

    with pytest.raises(InboundError, match="Bad signature"):
        verify(["", ""], BODY, [STAMP], [signature], THEN)


# -- bodies ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"[1]", "application/json"),
        (b"\xff\xfe{}", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"payload=%7B", "application/x-www-form-urlencoded"),
        (b"commands=%2Fdeploybot&text=x", "application/x-www-form-urlencoded"),
        (b"payload=[]", "application/x-www-form-urlencoded"),
        (b"{}", ""),
    ],
)
def test_a_body_without_an_object_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(InboundError) as refused:
        read_body(body, kind)

    assert refused.value.status == 400


def test_a_command_is_a_form_whose_fields_are_read_as_they_are() -> None:
    body = b"command=%2Fdeploybot&text=&user_id=U0ANN"

    found = read_body(body, "application/x-www-form-urlencoded")

    assert found == {"command": "/deploybot", "text": "", "user_id": "U0ANN"}


def test_a_form_carries_its_payload() -> None:
    kind = "application/x-www-form-urlencoded; charset=utf-8"

    assert read_body(form({"type": "x", "a": 1}), kind) == {"type": "x", "a": 1}


@pytest.mark.parametrize(
    "payload",
    [
        said("x") | {"api_app_id": "A0OTHER"},
        said("x") | {"team_id": "T0OTHER"},
        click({}) | {"team": {"id": "T0OTHER"}},
        click({}) | {"team": None},
        click({}) | {"api_app_id": None},
        {},
    ],
)
def test_another_app_or_workspace_is_shown_the_door(payload: dict[str, object]) -> None:
    with pytest.raises(InboundError, match="another") as refused:
        check_home(payload, HOME)

    assert refused.value.status == 401


def test_our_own_app_and_workspace_come_in() -> None:
    check_home(said("x"), HOME)
    check_home(click({}), HOME)


# -- words -----------------------------------------------------------------------------


def test_a_mention_begins_a_thread_where_it_was_said() -> None:
    words = _read(said("<@U0DEPLOYBOT> deploy backend to production"))

    assert words.begins
    assert words.alias == "slack:C0DEPLOYS:1700000000.000100"
    assert words.event.text == "deploy backend to production"
    assert (words.event.by, words.event.name) == ("ann", "Ann")
    assert words.event.thread_ts == words.event.ts


def test_a_mention_and_the_message_event_of_the_same_post_are_one_thing() -> None:
    text = "<@U0DEPLOYBOT> hello"

    mention = _read(said(text))
    message = _read(said(text, type="message", channel_type="channel"))

    assert mention.begins == message.begins
    assert mention.event.delivery == message.event.delivery
    assert set(mention.dedupe) & set(message.dedupe)
    assert mention.dedupe != message.dedupe


def test_a_reply_in_a_thread_needs_no_mention_and_begins_none() -> None:
    words = _read(said("yes please", type="message", thread_ts="1600000000.000001"))

    assert words.begins == ""
    assert words.alias == "slack:C0DEPLOYS:1600000000.000001"
    assert words.event.thread_ts == "1600000000.000001"


def test_a_direct_message_is_always_to_the_bot() -> None:
    assert _read(said("hi", type="message", channel="D0ANN", channel_type="im")).begins


def test_the_bots_own_name_is_learnt_from_the_envelope_when_it_is_not_configured() -> None:
    payload = said("<@U0DEPLOYBOT> hello", type="message")
    home = type(HOME)()

    words = read_message(payload, home, PEOPLE, NOON)

    assert isinstance(words, Words)
    assert words.begins
    assert words.event.text == "hello"


@pytest.mark.parametrize(
    "changes",
    [
        {"bot_id": "B0OTHER"},
        {"user": "U0DEPLOYBOT"},
        {"subtype": "message_changed"},
        {"subtype": "message_deleted"},
        {"subtype": "channel_join"},
        {"subtype": "bot_message"},
        {"subtype": ["x"]},
        {"hidden": True},
        {"edited": {"user": "U0ANN", "ts": "1"}},
    ],
)
def test_what_no_person_newly_said_is_ignored(changes: dict[str, object]) -> None:
    assert isinstance(read_message(said("x", **changes), HOME, PEOPLE, NOON), Ignored)


@pytest.mark.parametrize("text", ["", "\u200b\u200d", "🚀", " "])
def test_words_without_words_are_heard_all_the_same(text: str) -> None:
    assert _read(said(text, type="message", channel="D1")).event.text == text.strip()


@pytest.mark.parametrize("event", [None, 5, [], {"user": ""}, {"type": "message", "user": 5}])
def test_a_garbled_event_is_unreadable(event: object) -> None:
    with pytest.raises(InboundError) as refused:
        read_message(said("x") | {"event": event}, HOME, PEOPLE, NOON)

    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("ask <@U0BEN> or <@U9NEW|new>", "ask @Ben or @U9NEW"),
        ("<!channel> <!here|here> <!subteam^S1|@ops>", "@channel here @ops"),
        ("<!date^1^{time}|noon>", "noon"),
        ("in <#C1|deploys> and <#C2>", "in #deploys and #C2"),
        ("<http://shop.example|shop.example>", "shop.example"),
        ("<https://a.example/?x=1&amp;y=2>", "https://a.example/?x=1&y=2"),
        ("<https://evil.example|Approve>", "Approve (https://evil.example)"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("&lt;@U0BEN&gt;", "<@U0BEN>"),
    ],
)
def test_text_is_read_as_a_person_sees_it(stored: str, shown: str) -> None:
    assert readable(stored, lambda user: PEOPLE.name(PEOPLE.by_slack(user))) == shown


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_reading_undoes_escaping(text: str) -> None:
    assert readable(escape(text, 10_000), str) == text


@pytest.mark.parametrize(
    ("stored", "rest"),
    [
        ("<@U1> deploy", "deploy"),
        ("  <@U1|bot>: <@U1>, deploy", "deploy"),
        ("deploy <@U1>", "deploy <@U1>"),
        ("<@U12> deploy", "<@U12> deploy"),
    ],
)
def test_only_the_address_at_the_front_is_taken_off(stored: str, rest: str) -> None:
    assert without_address(stored, "U1") == rest


# -- clicks ----------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "approved"), [("approve", True), ("deny", False)])
def test_a_button_brings_back_what_the_card_was_about(action: str, approved: bool) -> None:
    pressed = read_click(click({"action_id": action, "value": ABOUT.dumps()}), PEOPLE)

    assert isinstance(pressed, Pressed)
    answer = pressed.answer
    assert (answer.thread, answer.request_id, answer.digest) == ("t1", "r1", "d" * 64)
    assert (answer.by, answer.address, answer.approved) == ("ben", "U0BEN", approved)
    assert answer.delivery == (
        "slack:click:T0HARBOUR:C0DEPLOYS:1700000001.000100:U0BEN:" + action + ":1700000002.5"
    )


def test_a_stranger_stays_a_stranger() -> None:
    pressed = read_click(
        click({"action_id": "approve", "value": ABOUT.dumps()}, user="U9NEW"), PEOPLE
    )

    assert isinstance(pressed, Pressed)
    assert pressed.answer.by == "slack:U9NEW"


@pytest.mark.parametrize(
    "value", ["", "{}", "null", '{"t":"t1"}', '{"t":1,"r":2,"d":3}', "x" * 2000]
)
def test_a_garbled_button_is_refused(value: str) -> None:
    with pytest.raises(InboundError) as refused:
        read_click(click({"action_id": "approve", "value": value}), PEOPLE)

    assert refused.value.status == 400


@pytest.mark.parametrize(
    "action",
    [
        {"action_id": "choose:2", "value": "2"},
        {"action_id": "choose", "selected_option": {"value": "2"}},
    ],
)
def test_a_choice_comes_back_by_its_index(action: dict[str, object]) -> None:
    chosen = read_click(click(action | {"block_id": choice_block("t1", "q1")}), PEOPLE)

    assert isinstance(chosen, Chosen)
    assert (chosen.thread, chosen.question_id, chosen.index) == ("t1", "q1", 2)


@pytest.mark.parametrize(
    "action",
    [
        {"action_id": "choose:1", "value": "1", "block_id": "elsewhere"},
        {"action_id": "choose:1", "value": "-1", "block_id": choice_block("t1", "q1")},
        {"action_id": "choose:1", "value": "1e9", "block_id": choice_block("t1", "q1")},
        {"action_id": "other", "value": "1"},
    ],
)
def test_a_button_of_nobody_is_ignored(action: dict[str, object]) -> None:
    assert isinstance(read_click(click(action), PEOPLE), Ignored)


@pytest.mark.parametrize(("typed", "words"), [(" backend first ", "backend first"), (None, "")])
def test_a_dialog_brings_the_words(typed: str | None, words: str) -> None:
    view = {
        "id": "V1",
        "hash": "1.abc",
        "private_metadata": ABOUT.dumps(),
        "state": {"values": {"denial": {"words": {"type": "plain_text_input", "value": typed}}}},
    }

    answer = read_denial({"user": {"id": "U0BEN"}, "view": view}, PEOPLE)

    assert (answer.comment, answer.approved, answer.by) == (words, False, "ben")
    assert answer.delivery == "slack:view:V1:1.abc"
