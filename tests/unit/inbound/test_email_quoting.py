"""Every way to quote, with every thing that one may mean: no yes that was not given, no reply lost."""

import time

import pytest
from letters import BEN, BOT, Correspondence, html_mail, raw_mail
from quoting import STYLES, Style

from deploybot.events import AnswerRefused, ApprovalDenied, EmailReceived
from deploybot.inbound.email import Unwanted
from deploybot.inbound.email_reading import written
from deploybot.thread import Status

INTENTS = {
    "approve": "approve",
    "deny with words": "deny: the frontend first",
    "question": "Which commits are in it?",
    "unrelated": "Lunch at noon?\n\nBen",
    "auto-reply": "I am away until Monday. approve",
    "a no above the quoted approval": "No, don't deploy this",
    "empty": "",
    "two commands": "approve\ndeny: not before noon",
}


def mail(post: Correspondence, style: Style, intent: str) -> bytes:
    said = style.body(INTENTS[intent])
    headers = (("Auto-Submitted", "auto-replied"),) if intent == "auto-reply" else ()
    if style.html:
        return html_mail(said, to=post.address("ben"), headers=headers)
    return raw_mail(said, to=post.address("ben"), headers=headers)


@pytest.mark.parametrize("intent", INTENTS)
@pytest.mark.parametrize("name", STYLES)
def test_a_reply_in_any_style_does_what_its_first_line_says_and_is_never_lost(
    name: str, intent: str
) -> None:
    style, post = STYLES[name], Correspondence().opened()
    raw = mail(post, style, intent)

    if intent == "auto-reply":
        assert isinstance(post.refused(raw), Unwanted)
        assert post.story.thread.status is Status.AWAITING_APPROVAL
        return
    taken = post.arrives(raw)

    thread = post.story.thread
    decides = style.first and intent in ("approve", "deny with words")
    assert (thread.status is Status.APPROVED) == (decides and intent == "approve")
    kinds = [event.kind for event in thread.events]
    assert kinds.count("approval_granted") == (decides and intent == "approve")
    last = thread.events[-1]
    assert taken.thread == thread.id
    match intent:
        case "approve" if decides:
            assert taken.outcome == "approved"
        case "deny with words" if decides:
            assert isinstance(last, ApprovalDenied)
            assert last.feedback == "the frontend first"
        case "question" | "unrelated" | "a no above the quoted approval":
            heard = next(
                event for event in reversed(thread.events) if event.kind == "email_received"
            )
            assert isinstance(heard, EmailReceived)
            said, text = (body.replace("\n\n", "\n") for body in (INTENTS[intent], heard.text))
            assert text == said if style.first else said in text
        case "two commands" if not style.first:
            assert taken.outcome in ("heard", "unreadable")
        case _:
            assert isinstance(last, AnswerRefused)
            assert (last.reason_code, last.address) == ("unreadable", BEN)


def test_a_list_and_a_greeting_of_ones_own_are_never_taken_for_a_signature() -> None:
    said = "Take the backend first:\n- backend\n- frontend\n/api is broken\nThanks,\nBen"

    assert written(said) == said
    assert written(f"{said}\n\nAm 02.03.26 um 12:03 schrieb {BOT}:\n> x") == said


def test_an_error_that_looks_like_an_attribution_is_kept() -> None:
    assert written("On staging the app wrote:\nno space left") == (
        "On staging the app wrote:\nno space left"
    )


@pytest.mark.parametrize(
    "line",
    ["El " + "escribió " * 20, "On " + "a " * 95, "> " * 95, "From: " + "a " * 95, "Am Am " + "schrieb " * 23, "On " + "wrote: " * 27,
     "2026年3月2日(月) 12:03" + "<a " * 50, "Le Le " + "a écrit " * 20, "From:" * 30, "_" * 190, " \t" * 90],
    ids=range(11),
)  # fmt: skip
def test_no_text_makes_the_reading_slow(line: str) -> None:
    began = time.process_time()

    written("\n".join([line] * (20_000 // len(line))))
    written(line * (20_000 // len(line)))

    assert time.process_time() - began < 30, "a pattern that goes over the text again and again"
