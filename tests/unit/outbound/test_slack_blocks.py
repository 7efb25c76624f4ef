import json
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from fakes import NOON, PEOPLE
from hypothesis import given
from hypothesis import strategies as st
from slack_cards import NASTY, PROGRESS, SHA, card, plan, question, request
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from deploybot.approvals import ApprovalRequest, Grant, Rule
from deploybot.demo.workspace.blocks import checked, checked_view
from deploybot.inbound.slack_buttons import APPROVE, DENY, STOP, Reference, chosen_block
from deploybot.outbound.slack_blocks import BLOCKS, Drawing, Look, draw
from deploybot.outbound.slack_card import detail_blocks
from deploybot.outbound.slack_dialog import denial
from deploybot.outbound.slack_question import answer_dialog
from deploybot.telling import Asked, CardState, Opening, Said, Shown, Telling

LONG = "x" * 5000
LOOK = Look(PEOPLE, "t1", "https://bot.example/threads/t1", PROGRESS)


def _drawn(telling: Telling) -> Drawing:
    """Draw, and have everything checked that Slack checks."""
    drawing = draw(telling, LOOK)
    _check(list(drawing.blocks))
    assert 0 < len(drawing.text) <= 4000
    return drawing


def _check(blocks: list[dict[str, Any]]) -> None:
    ids = count()
    checked(json.loads(json.dumps(blocks)), lambda: f"b{next(ids)}")
    for block in Block.parse_all(json.loads(json.dumps(blocks))):
        block.validate_json()


ASKING = {CardState.OPEN, CardState.SCHEDULED, CardState.UNKNOWN}
"""States in which a card waits for a person."""
ANSWERABLE = {*ASKING, CardState.DEPLOYING}
"""States in which a person can do something about it."""


def _things(thing: object) -> Iterator[dict[str, Any]]:
    if isinstance(thing, dict):
        yield thing
        for value in thing.values():
            yield from _things(value)
    elif isinstance(thing, list | tuple):
        for value in thing:
            yield from _things(value)


def _buttons(drawing: Drawing) -> list[str]:
    return [t["action_id"] for t in _things(drawing.blocks) if "action_id" in t]


def _words(drawing: Drawing) -> str:
    return " ".join(t["text"] for t in _things(drawing.blocks) if isinstance(t.get("text"), str))


@pytest.mark.parametrize("words", ["no", NASTY, LONG, "&" * 5000, ""], ids=lambda w: w[:6])
@pytest.mark.parametrize("state", CardState)
def test_every_card_is_one_that_slack_takes(state: CardState, words: str) -> None:
    drawing = _drawn(card(state, words))

    assert bool(_buttons(drawing)) is (state in ANSWERABLE)


@pytest.mark.parametrize("words", ["no", NASTY, LONG])
@pytest.mark.parametrize("state", CardState)
def test_words_of_others_never_become_mark_up(state: CardState, words: str) -> None:
    drawing = _drawn(card(state, words))

    marked = [t["text"] for t in _things(drawing.blocks) if t.get("type") == "mrkdwn"]
    foreign = "".join([*marked, drawing.text])
    assert all(
        t.get("verbatim") is True for t in _things(drawing.blocks) if t.get("type") == "mrkdwn"
    )
    assert "<!channel>" not in foreign
    assert "<https://evil" not in foreign
    assert "bold" not in "".join(marked)
    assert "\u202e" not in json.dumps(drawing.blocks, ensure_ascii=False)


def test_an_open_card_says_all_that_an_approver_needs() -> None:
    shown = json.dumps(_drawn(card(CardState.OPEN)).blocks, ensure_ascii=False)

    for part in (
        "Deploy backend to production",
        SHA,
        "`abc1234` → `4af9ec0`",
        "7 commits go live",
        "+4 more · by Ann no, Ben, Cem +1 more in all · #30, #31, #32 +2 more",
        "*Asked by*\\nEve",
        "What led to this",
        "please ship it",
        "deploybot's reason: Because",
        "⚠️ Not on main",
        "Would run: `build` → `switch`",
        "<!date^1772454600^",
        "https://bot.example/threads/t1",
        "3 files, +40 \N{MINUS SIGN}2",
        "⚠️ Touches backend/migrations/no",
        "✓ Checked: build passed",
        "Elsewhere: staging abc1234 (tested)",
    ):
        assert part in shown, part


def test_the_detail_holds_what_the_card_has_no_room_for() -> None:
    blocks = detail_blocks(request())
    _check(blocks)
    shown = json.dumps(blocks, ensure_ascii=False)

    for part in ("#34", "Written by", "Dee", "✅ Add org routes: success", "ci.example"):
        assert part in shown, part
    assert "javascript:" not in shown


# -- several changes, later starts, confirmations ----------------------------------


def _several(number: int, words: str = "Add org routes") -> ApprovalRequest:
    more = tuple(plan(words, service=f"service-{n}") for n in range(1, number))
    return request(words, more=more)


@pytest.mark.parametrize("words", [NASTY, LONG], ids=lambda w: w[:6])
@pytest.mark.parametrize("number", [2, 4, 40])
@pytest.mark.parametrize("state", sorted({*ANSWERABLE, CardState.LIVE, CardState.FAILED}))
def test_a_card_of_several_changes_is_one_that_slack_takes(state, number, words) -> None:
    asked = _several(number, words)

    drawing = _drawn(card(state, words, request=asked))

    _check(detail_blocks(asked))
    assert bool(_buttons(drawing)) is (state in ANSWERABLE)
    assert len(drawing.blocks) < BLOCKS


@pytest.mark.parametrize("number", [2, 4, 5, 40])
def test_a_card_of_several_changes_names_every_one_of_them(number) -> None:
    shown = _words(_drawn(card(CardState.OPEN, request=_several(number))))

    assert all(f"service-{n}" in shown for n in range(1, number))


def test_a_later_start_is_on_the_card_and_can_be_stopped() -> None:
    later = request(start_at=NOON + timedelta(hours=14))
    opened = _drawn(card(CardState.OPEN, request=later))
    waits = _drawn(card(CardState.SCHEDULED, request=later))

    assert "*Starts*" in json.dumps(opened.blocks)
    assert _buttons(waits) == [DENY]


def test_a_countdown_says_how_long_there_is_and_when_it_ends() -> None:
    rule = Rule(approvers=("ann",), automatic=True, anyone_may_stop=True)
    back = plan(action="roll_back")
    soon = request(plan=back, rule=rule, start_at=NOON + timedelta(seconds=60))

    shown = _drawn(card(CardState.SCHEDULED, request=soon))

    assert "*Rolls back in 60 s, at <!date^1772452860^{time_secs}|12:01:00 UTC>*" in _words(shown)
    assert _buttons(shown) == [DENY]


@pytest.mark.parametrize("state", [CardState.DENIED, CardState.CLOSED])
def test_what_was_approved_and_then_stopped_says_so(state: CardState) -> None:
    ben_said_yes = (Grant(by="ben", at=NOON),)

    shown = _words(_drawn(card(state, by="ann", grants=ben_said_yes)))

    assert "*Stopped by Ann* at" in shown
    assert "before it started. Nothing was deployed." in shown
    assert "Approved by Ben" in shown


def test_an_approval_whose_time_went_by_is_not_called_unanswered() -> None:
    shown = _words(_drawn(card(CardState.EXPIRED, grants=(Grant(by="ben", at=NOON),))))

    assert "it was approved, and could not start in time. Nothing was deployed." in shown


# -- several changes on their way --------------------------------------------------


def _three(state: CardState, **changes: Any) -> str:
    services = ("backend", "frontend", "worker")
    first, *more = (plan(service=service) for service in services)
    asked = request(plan=first, more=tuple(more))
    return _words(_drawn(card(state, "migrate: no", request=asked, **changes)))


def test_while_several_run_it_is_plain_which_is_live_which_runs_and_what_follows() -> None:
    shown = _three(CardState.DEPLOYING, part=1)

    assert "🟢 *Live:* backend `4af9ec0`." in shown
    assert "⏳ *Deploying frontend:* `switch`…" in shown
    assert "Then: worker." in shown


def test_between_two_changes_no_step_of_the_last_one_is_shown_as_the_next_one_s() -> None:
    shown = _three(CardState.DEPLOYING, part=1, operation="")

    assert "⏳ *Deploying frontend…*" in shown
    assert "Then: worker." in shown


def test_a_failure_of_several_says_what_is_live_and_what_was_not_begun() -> None:
    shown = _three(CardState.FAILED, part=1)

    assert "🟢 *Live:* backend `4af9ec0`." in shown
    assert "*frontend failed*" in shown
    assert "Live of it on production now: `abc1234`." in shown
    assert "Not begun: worker." in shown


def test_a_stop_between_two_changes_never_says_that_nothing_was_deployed() -> None:
    shown = _three(CardState.CLOSED, part=1, by="ann", operation="", grants=_YES)

    assert "*Stopped by Ann*" in shown
    assert "before frontend started. Nothing more was deployed." in shown
    assert "Not begun: frontend, worker." in shown


_YES = (Grant(by="ben", at=NOON),)


# -- stopping ----------------------------------------------------------------------


def test_what_runs_can_be_stopped_after_one_more_question() -> None:
    shown = _drawn(card(CardState.DEPLOYING))

    (button,) = (thing for thing in _things(shown.blocks) if thing.get("action_id") == STOP)
    assert button["confirm"]["title"]["text"] == "Stop this deploy?"
    assert "ends at its next safe step" in button["confirm"]["text"]["text"]
    assert Reference.loads(button["value"]).request == "r1"


def test_who_asked_it_to_stop_is_named_and_nobody_need_ask_again() -> None:
    shown = _drawn(card(CardState.DEPLOYING, stopping="ann"))

    assert _buttons(shown) == []
    assert "Ann wants it to stop: it ends at the next safe step." in _words(shown)


def test_the_page_of_what_runs_elsewhere_is_linked_while_it_runs() -> None:
    steps = ({"kind": "running", "step": "switch", "link": "https://ci.example/runs/7"},)

    drawing = draw(card(CardState.DEPLOYING), Look(PEOPLE, "t1", "", steps))

    assert "<https://ci.example/runs/7|Where it runs>" in _words(drawing)


# -- dry runs ----------------------------------------------------------------------


@pytest.mark.parametrize("words", ["Add org routes", NASTY, LONG], ids=lambda w: w[:6])
@pytest.mark.parametrize("number", [0, 1, 2, 4, 40])
def test_a_dry_run_has_the_facts_of_a_request_and_no_buttons(number: int, words: str) -> None:
    plans = tuple(plan(words, service=f"service-{n}") for n in range(number))

    drawing = _drawn(Shown("said:1", plans, NOON))

    assert _buttons(drawing) == []
    assert "Nothing was done, and nothing waits." in _words(drawing)
    assert drawing.text.startswith("Dry run: ")
    assert len(drawing.blocks) < BLOCKS


@pytest.mark.parametrize("number", [2, 4, 7, 40])
def test_every_command_of_many_changes_can_be_read_below_the_card(number: int) -> None:
    blocks = detail_blocks(_several(number))

    _check(blocks)
    shown = " ".join(t["text"] for t in _things(blocks) if isinstance(t.get("text"), str))
    assert all(f"Deploy service-{n} to production" in shown for n in range(1, min(number, 30)))
    assert shown.count("$ make") >= min(number, 30)
    assert ("more on the page of this thread" in shown) is (number > 30)


def test_a_dry_run_shows_each_command_as_it_would_run() -> None:
    shown = _words(_drawn(Shown("said:1", (plan(),), NOON + timedelta(hours=14))))

    assert "Deploy backend to production" in shown
    assert "$ make 'all it'\"'\"'s' 'Add org routes'" in shown
    assert "It would start <!date^1772503200^" in shown


def test_what_must_be_confirmed_is_asked_once_more_before_the_approval_is_sent() -> None:
    twice = request(plan=plan(confirm=("4af9ec0 is older than what is live.",) * 2))
    buttons = {
        thing["action_id"]: thing
        for thing in _things(_drawn(card(CardState.OPEN, request=twice)).blocks)
        if "action_id" in thing
    }

    dialog = buttons[APPROVE]["confirm"]
    assert dialog["title"]["text"] == "Deploy backend to production?"
    assert dialog["text"]["text"] == "4af9ec0 is older than what is live."
    assert "confirm" not in buttons[DENY]


def test_an_ordinary_approval_is_one_click() -> None:
    shown = _drawn(card(CardState.OPEN))

    assert all("confirm" not in thing for thing in _things(shown.blocks) if "action_id" in thing)


def test_the_page_of_a_run_is_linked_only_if_it_is_an_address() -> None:
    linked = _drawn(card(CardState.LIVE, link="https://github.example/runs/7"))
    odd = _drawn(card(CardState.LIVE, link="https://x.example/|Approve>"))

    assert "<https://github.example/runs/7|Where it runs>" in json.dumps(linked.blocks)
    assert "Where it runs" not in json.dumps(odd.blocks)


def test_an_open_card_mentions_those_who_can_still_act_and_nobody_else() -> None:
    rule = Rule(approvers=("ann", "ben", "mia", "eve"), quorum=2)
    half = Grant(by="ann", at=request().expires_at)

    shown = _words(_drawn(card(CardState.OPEN, request=request(rule=rule), grants=(half,))))

    assert "<@U0BEN>, Mia (1 more needed)" in shown
    assert "<@U0ANN>" not in shown
    assert "<@U0EVE>" not in shown
    assert "1 of 2 approvals so far: Ann" in shown


@pytest.mark.parametrize("state", [state for state in CardState if state not in ASKING])
def test_a_card_that_nobody_can_answer_mentions_nobody(state: CardState) -> None:
    assert "<@" not in json.dumps(_drawn(card(state)).blocks)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (CardState.APPROVED, "✅ *Approved by Ben* at <!date^1772452800^{time}|12:00 UTC>."),
        (CardState.DENIED, "❌ *Denied by Ben* at"),
        (CardState.EXPIRED, "nobody answered in time. Nothing was deployed."),
        (CardState.SUPERSEDED, "This can no longer be approved."),
        (CardState.CLOSED, "*Closed by Ben* at"),
        (CardState.DEPLOYING, "✅ `build` 1.2 s\n⏳ *Deploying:* `switch`…"),
        (CardState.LIVE, "🟢 *Live:* `4af9ec0` on production in 3.2 s."),
        (CardState.FAILED, "Live on production now: `abc1234`."),
        (CardState.UNKNOWN, "until a person settles it. Last seen live: `abc1234`."),
    ],
)
def test_a_card_says_what_became_of_it(state: CardState, says: str) -> None:
    assert says in _words(_drawn(card(state)))


@pytest.mark.parametrize("state", [CardState.DENIED, CardState.SUPERSEDED, CardState.FAILED])
def test_a_card_gives_the_reason_in_the_words_in_which_it_came(state: CardState) -> None:
    drawing = _drawn(card(state, "can you deploy the backend first?"))

    quotes = [t for t in _things(drawing.blocks) if t.get("type") == "rich_text_quote"]
    assert quotes[0]["elements"][0]["text"] == "can you deploy the backend first?"


def test_a_settled_outcome_names_who_settled_it() -> None:
    live = _words(_drawn(card(CardState.LIVE, by="ann")))
    failed = _words(_drawn(card(CardState.FAILED, by="ann")))

    assert "as Ann settled" in live
    assert "as Ann settled. Live now: `abc1234`" in failed


def test_a_deploy_that_needs_nobody_has_no_buttons_and_says_why() -> None:
    automatic = request(rule=Rule(automatic=True))

    waiting = _drawn(card(CardState.OPEN, request=automatic))
    approved = _drawn(card(CardState.APPROVED, request=automatic))

    assert _buttons(waiting) == []
    assert "Approved by the standing rule of production" in _words(approved)


def test_a_roll_back_says_what_is_taken_back() -> None:
    back = request(plan=plan(action="roll_back", previous_sha=None))

    shown = _words(_drawn(card(CardState.OPEN, request=back)))

    assert "Roll back backend on production" in shown
    assert "7 commits are taken back" in shown
    assert "nothing → `4af9ec0`" in shown


def test_a_button_carries_only_what_names_the_request() -> None:
    drawing = _drawn(card(CardState.OPEN))

    values = {t["action_id"]: t["value"] for t in _things(drawing.blocks) if "action_id" in t}
    about = Reference.loads(values["approve"])
    assert values["approve"] == values["deny"]
    assert (about.thread, about.request, about.digest) == (
        "t0123456789abcdef",
        "r1",
        request("no").digest,
    )


@pytest.mark.parametrize("words", ["no", NASTY, LONG])
def test_the_detail_shows_each_command_as_it_runs(words: str) -> None:
    blocks = detail_blocks(request(words))

    _check(blocks)
    shown = json.dumps(blocks, ensure_ascii=False)
    assert request(words).digest[:12] in shown


def test_the_detail_quotes_arguments_so_that_each_can_be_told_from_the_next() -> None:
    shown = [t["text"] for t in _things(detail_blocks(request("$HOME"))) if "text" in t]

    assert any("$ make 'all it'\"'\"'s' '$HOME'" in text for text in shown)


@pytest.mark.parametrize("words", ["no", NASTY, LONG])
def test_the_dialog_is_one_that_slack_takes_and_shows_what_is_denied(words: str) -> None:
    ids = count()
    view = denial(request(words))

    checked_view(json.loads(json.dumps(view)), "modal", lambda: f"b{next(ids)}")
    View(**json.loads(json.dumps(view))).validate_json()
    assert "Deploy backend to production" in json.dumps(view)
    assert Reference.loads(view["private_metadata"]).request == "r1"


@pytest.mark.parametrize(
    ("telling", "actions"),
    [
        (question(), ["answer_in_words"]),
        (question(NASTY, format="yes_no"), ["choose:0", "choose:1"]),
        (
            question(format="multiple_choice", choices=tuple("abcde")),
            [f"choose:{index}" for index in range(5)],
        ),
        (question(format="multiple_choice", choices=tuple("abcdef")), ["choose"]),
        (question(format="multiple_choice", choices=(LONG, "", NASTY) * 60), ["choose"]),
        (question(format="multiple_choice", choices=tuple(map(str, range(1200)))), ["choose"]),
        (question(LONG, urgency="high"), ["answer_in_words"]),
        (question(format="yes_no", answer="Yes", by="ann"), []),
        (question(format="yes_no", closed=True, by="ann"), []),
    ],
)
def test_a_question_has_its_choices_while_it_is_open(telling: Asked, actions: list[str]) -> None:
    assert _buttons(_drawn(telling)) == actions


@pytest.mark.parametrize("words", ["Why?", NASTY, LONG])
def test_the_dialog_for_an_answer_is_one_that_slack_takes(words: str) -> None:
    ids = count()
    view = answer_dialog("t1", question(words).question)

    checked_view(json.loads(json.dumps(view)), "modal", lambda: f"b{next(ids)}")
    View(**json.loads(json.dumps(view))).validate_json()
    assert chosen_block(view["private_metadata"]) == ("t1", "q1")


def test_only_an_urgent_question_calls_who_is_to_answer_it_and_only_one() -> None:
    def called(telling: Asked) -> list[str]:
        return re.findall(r'"user_id": "(\w+)"', json.dumps(_drawn(telling).blocks))

    who = ("github:nobody", "ann", "ben")

    assert called(question(to=who, urgency="high")) == ["U0ANN"]
    assert called(question(to=who, urgency="medium")) == []
    assert called(question(to=who, urgency="high", answer="so", by="ben")) == []
    assert "Urgent" in _words(_drawn(question(urgency="high")))


def test_choices_that_are_cut_on_their_buttons_are_written_out_above() -> None:
    long = "deploy the backend, and then the frontend, and then look at it for a while, and go on"

    drawing = _drawn(question(format="multiple_choice", choices=("stop", long)))

    assert f"2. {long}" in _words(drawing)


def test_an_answered_question_shows_the_answer() -> None:
    assert "Ann answered: Yes" in _words(_drawn(question(format="yes_no", answer="Yes", by="ann")))


@pytest.mark.parametrize("words", ["no", NASTY, LONG])
def test_openings_and_sentences_are_ones_that_slack_takes(words: str) -> None:
    _drawn(Opening("opening", words, lines=(words,) * 40))
    _drawn(Said("said:1", words, "bad", mention=("ann", "mia"), detail=(words,) * 40))


def test_whoever_a_sentence_begins_with_is_called_by_their_name() -> None:
    drawing = _drawn(Said("said:1", "ann locked backend on production.", by="ann"))

    assert _words(drawing) == drawing.text == "Ann locked backend on production."


def test_rows_with_bullets_are_a_list_between_the_words_around_it() -> None:
    text = "Live now:\n• staging: `4af9ec0`\n• production: `abc1234`\nAnything else?"

    (block,) = _drawn(Said("said:1", text, mention=("ann",))).blocks

    kinds = [part["type"] for part in block["elements"]]
    assert kinds == ["rich_text_section", "rich_text_list", "rich_text_section"]
    assert [e["type"] for e in block["elements"][2]["elements"]] == ["text", "text", "user"]
    assert "• " not in json.dumps(block, ensure_ascii=False)


def test_the_newest_output_is_kept_when_there_is_too_much() -> None:
    telling = Said("said:1", "Failed.", "bad", detail=tuple(f"line {n}" for n in range(2000)))

    shown = _words(_drawn(telling))

    assert "line 1999" in shown
    assert "line 1 " not in shown


def test_drawing_the_same_twice_gives_the_same_digest() -> None:
    one, two = (draw(card(CardState.OPEN), LOOK) for _ in range(2))

    assert one.digest == two.digest
    assert one.digest != draw(card(CardState.DENIED), LOOK).digest


@given(st.text(), st.sampled_from(CardState))
def test_no_text_makes_a_card_that_slack_refuses(words: str, state: CardState) -> None:
    _drawn(card(state, words))


@given(st.text(), st.lists(st.text(max_size=100), max_size=120))
def test_no_text_makes_a_message_that_slack_refuses(words: str, more: list[str]) -> None:
    _drawn(Said("said:1", words, detail=tuple(more)))
    _drawn(Opening("opening", words, tuple(more)))
    _drawn(question(words, format="multiple_choice", choices=tuple(more)))
