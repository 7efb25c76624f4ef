import re
from collections.abc import Iterator

import pytest
from page_office import Browser, PageOffice, fields, opened

from deploybot.events import ApiMessageReceived, ApprovalDenied, ApprovalGranted, Forked
from deploybot.next_step import DoneForNow, RequestHumanInput
from deploybot.thread import Status


@pytest.fixture
def office(redis_url, tmp_path) -> Iterator[PageOffice]:
    with opened(redis_url, tmp_path) as office:
        yield office


def decides(browser: Browser, thread: str, answer: str, **typed: str):
    page = f"/threads/{thread}"
    return browser.sends(page, f"{page}/decision", answer=answer, **typed)


def test_a_thread_goes_from_words_to_live_on_the_pages_alone(office):
    story = office.story
    ann, ben = office.browser("ann"), office.browser("ben")
    office.asks_for_approval()
    page = f"/threads/{story.thread_id}"

    said = ann.sends(page, f"{page}/messages", text="wait, also say hello")
    assert said.headers["location"] == page
    heard = story.thread.events[-1]
    assert isinstance(heard, ApiMessageReceived)
    assert (heard.by, heard.text) == ("ann", "wait, also say hello")

    office.asks_for_approval()
    denied = decides(ben, story.thread_id, "deny", comment="frontend first")
    assert denied.status_code == 303
    no = story.thread.events[-1]
    assert isinstance(no, ApprovalDenied)
    assert (no.by, no.channel, no.feedback) == ("ben", "page", "frontend first")

    story.bot_works()
    office.asks_for_approval()
    story.model_will(DoneForNow(message="`backend` is live."))
    assert decides(ben, story.thread_id, "approve").status_code == 303
    story.bot_works()

    html = ben.get(page).text
    assert "backend" in html
    assert "is live on production" in html
    assert "<code>backend</code> is live." in html
    assert story.thread.status is Status.DONE


def test_what_is_asked_on_the_list_begins_a_thread_once(office):
    ann = office.browser("ann")
    sent = fields(ann.get("/").text, "/threads") | {"text": "what's live?"}

    one, two = ann.post("/threads", data=sent), ann.post("/threads", data=sent)

    assert one.headers["location"] == two.headers["location"]
    thread = office.story.store.load(one.headers["location"].rpartition("/")[2])
    assert [event.kind for event in thread.events] == ["api_message_received"]


def test_a_form_that_is_sent_twice_counts_once(office):
    thread = office.asks_for_approval()
    ben, page = office.browser("ben"), f"/threads/{thread.id}"
    sent = fields(ben.get(page).text, f"{page}/decision") | {"answer": "approve"}

    answers = [ben.post(f"{page}/decision", data=sent).status_code for _ in range(2)]

    granted = [e for e in office.story.thread.events if isinstance(e, ApprovalGranted)]
    assert answers == [303, 303]
    assert len(granted) == 1


@pytest.mark.parametrize(
    ("person", "status", "says"),
    [
        ("ann", 403, "You asked for this deploy"),
        ("eve", 403, "You may not answer for production"),
    ],
)
def test_whoever_may_not_answer_is_told_so_on_the_page(office, person, status, says):
    thread = office.asks_for_approval()
    browser, page = office.browser(person), f"/threads/{thread.id}"
    shown = browser.get(page).text
    assert says in shown
    assert f"{page}/decision" not in shown

    request = thread.standing.request
    forged = fields(shown, f"{page}/messages") | {
        "request": request.id,
        "digest": request.digest,
        "answer": "approve",
    }
    answer = browser.post(f"{page}/decision", data=forged)

    assert answer.status_code == status
    assert says in answer.text
    assert 'role="alert"' in answer.text
    assert office.story.thread.status is Status.AWAITING_APPROVAL


def test_an_answer_to_what_is_no_longer_open_says_what_became_of_it(office):
    thread = office.asks_for_approval()
    ben, mia, page = office.browser("ben"), office.browser("mia"), f"/threads/{thread.id}"
    late = fields(mia.get(page).text, f"{page}/decision") | {"answer": "approve"}
    decides(ben, thread.id, "deny", comment="not today")

    answer = mia.post(f"{page}/decision", data=late)

    assert answer.status_code == 409
    assert "already denied by Ben" in answer.text


def test_the_digest_of_another_card_approves_nothing(office):
    thread = office.asks_for_approval()

    answer = decides(office.browser("ben"), thread.id, "approve", digest="0" * 64)

    assert answer.status_code == 409
    assert "What you saw is not what is open now" in answer.text
    assert office.story.thread.status is Status.AWAITING_APPROVAL


def test_a_denial_takes_words_and_keeps_them_when_it_does_not_count(office):
    thread = office.asks_for_approval()
    ben = office.browser("ben")

    silent = decides(ben, thread.id, "deny", comment="  ")
    stale = decides(ben, thread.id, "deny", comment="do the frontend", digest="0" * 64)

    assert silent.status_code == 422
    assert "Say what should happen instead" in silent.text
    assert ">do the frontend</textarea>" in stale.text
    assert office.story.thread.status is Status.AWAITING_APPROVAL


def test_what_must_be_confirmed_on_its_own_is_and_a_denial_needs_none(office):
    deployer, also = office.story.deployer, {"confirm": ("It goes back.", "It is <large>.")}
    plan = deployer.plan
    deployer.plan = lambda *asked, **how: plan(*asked, **how).model_copy(update=also)
    thread = office.asks_for_approval()
    ben, page = office.browser("ben"), f"/threads/{thread.id}"

    half = decides(ben, thread.id, "approve", **{"confirm-1": "yes"})

    assert "It is &lt;large&gt;." in ben.get(page).text
    assert half.status_code == 422
    assert "nothing was approved" in half.text
    assert office.story.thread.status is Status.AWAITING_APPROVAL
    whole = {"confirm-1": "yes", "confirm-2": "yes"}
    assert decides(ben, thread.id, "approve", **whole).status_code == 303
    assert office.story.thread.status is Status.APPROVED


def test_what_was_approved_is_stopped_before_it_starts(office):
    thread = office.asks_for_approval()
    decides(office.browser("ben"), thread.id, "approve")
    page = f"/threads/{thread.id}"

    other = office.browser("eve").sends(page, f"{page}/stop")
    asker = office.browser("ann").sends(page, f"{page}/stop")

    assert other.status_code == 403
    assert "You may not stop this" in other.text
    assert asker.status_code == 303
    assert office.story.thread.status is Status.DONE


def test_approving_takes_a_sign_in_of_the_last_minutes_and_denying_does_not(office):
    thread = office.asks_for_approval()
    ben, page = office.browser("ben"), f"/threads/{thread.id}"
    early = fields(ben.get(page).text, f"{page}/decision") | {"answer": "approve"}

    office.story.clock.passes(minutes=16)
    shown = ben.get(page).text
    refused = ben.post(f"{page}/decision", data=early)

    assert "Sign in again to approve" in shown
    assert 'value="approve"' not in shown
    assert refused.status_code == 403
    assert "takes a sign-in of the last 15 minutes" in refused.text
    assert office.story.thread.status is Status.AWAITING_APPROVAL

    ben.signs_in("ben")
    assert decides(ben, thread.id, "approve").status_code == 303
    assert office.story.thread.status is Status.APPROVED


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_what_another_site_sends_does_nothing_though_the_cookie_comes_along(office, headers):
    thread = office.asks_for_approval()
    ben, page = office.browser("ben"), f"/threads/{thread.id}"
    sent = fields(ben.get(page).text, f"{page}/decision") | {"answer": "approve"}

    answer = ben.post(f"{page}/decision", data=sent, headers=headers)

    assert answer.status_code == 403
    assert "another site" in answer.text
    assert office.story.thread.status is Status.AWAITING_APPROVAL


def test_a_stolen_cookie_without_the_pages_token_does_nothing(office):
    thread = office.asks_for_approval()
    ben, request = office.browser("ben"), thread.standing.request
    others = fields(office.browser("mia").get(f"/threads/{thread.id}").text)

    for token in ("", "x" * 43, others["token"]):
        sent = {"token": token, "once": "1", "request": request.id, "digest": request.digest}
        answer = ben.post(f"/threads/{thread.id}/decision", data=sent | {"answer": "approve"})
        assert answer.status_code == 403

    assert office.story.thread.status is Status.AWAITING_APPROVAL


@pytest.mark.parametrize(
    ("kind", "body", "status", "says"),
    [
        ("application/x-www-form-urlencoded", b"text=" + b"x" * 1_000_000, 413, "larger than"),
        ("application/x-www-form-urlencoded", b"text=" + b"x" * 20_001, 413, "20,000 is the most"),
        ("application/json", b"{}", 415, "no form of ours"),
        ("multipart/form-data; boundary=x", b"--x--", 415, "no form of ours"),
        ("application/x-www-form-urlencoded", b"token=a&token=b", 400, "a field twice"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 60), 400, "cannot be read"),
        ("application/x-www-form-urlencoded", b"text=\xff\xfe", 400, "cannot be read"),
    ],
    ids=["a megabyte", "too long", "json", "multipart", "twice", "many", "no text"],
)
def test_what_is_no_form_of_ours_is_refused_in_a_sentence(office, kind, body, status, says):
    thread = office.asks_for_approval()
    ben, page = office.browser("ben"), f"/threads/{thread.id}"
    good = fields(ben.get(page).text, f"{page}/messages")
    if body.startswith(b"text=x"):
        body += b"&token=" + good["token"].encode() + b"&once=" + good["once"].encode()

    answer = ben.post(f"{page}/messages", content=body, headers={"content-type": kind})

    assert answer.status_code == status
    assert says in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert len(office.story.thread.events) == len(thread.events)


def test_a_question_is_answered_by_its_button(office):
    question = RequestHumanInput(
        question="Which one?", format="multiple_choice", choices=("backend", "<b>frontend</b>")
    )
    office.story.model_will(question).person_says("deploy it")
    ann, page = office.browser("ann"), f"/threads/{office.story.thread_id}"
    shown = ann.get(page).text

    answer = ann.sends(page, f"{page}/answer", answer="<b>frontend</b>")

    assert "<b>frontend" not in shown
    assert "&lt;b&gt;frontend" in shown
    assert answer.status_code == 303
    assert office.story.thread.events[-1].answer == "<b>frontend</b>"


def test_many_choices_are_a_list_to_choose_from_and_urgency_is_said(office):
    choices = tuple(f"service {number}" for number in range(1, 9))
    question = RequestHumanInput(
        question="Which one?", format="multiple_choice", choices=choices, urgency="high"
    )
    office.story.model_will(question).person_says("deploy it")
    ann, page = office.browser("ann"), f"/threads/{office.story.thread_id}"
    shown = ann.get(page).text

    ann.sends(page, f"{page}/answer", answer="service 8")

    assert shown.count("<option") == 9
    assert "Urgent" in shown
    assert office.story.thread.events[-1].answer == "service 8"


def test_a_thread_is_paused_resumed_and_cancelled(office):
    thread = office.asks_for_approval()
    ann, page = office.browser("ann"), f"/threads/{thread.id}"

    for move, status in (
        ("pause", Status.PAUSED),
        ("resume", Status.AWAITING_APPROVAL),
        ("cancel", Status.DONE),
    ):
        assert ann.sends(page, f"{page}/{move}").status_code == 303
        assert office.story.thread.status is status

    late = fields(ann.get(page).text, f"{page}/messages")
    answer = ann.post(f"{page}/cancel", data=late)
    assert answer.status_code == 409
    assert 'role="alert"' in answer.text


def test_a_fork_begins_with_the_first_events_and_nothing_open(office):
    thread = office.asks_for_approval()
    ann, page = office.browser("ann"), f"/threads/{thread.id}"

    answer = ann.sends(f"{page}/events/1", f"{page}/fork")

    fork = office.story.store.load(answer.headers["location"].rpartition("/")[2])
    assert [event.kind for event in fork.events] == ["api_message_received", "forked"]
    assert isinstance(fork.events[-1], Forked)
    assert fork.status is Status.DONE
    assert f'href="/threads/{fork.id}"' in ann.get(page).text
    assert f'href="{page}"' in ann.get(answer.headers["location"]).text


def test_whoever_fetches_what_a_form_would_send_changes_nothing(office):
    """Mail scanners, unfurlers and browsers fetch whatever they see, before anybody clicks."""
    thread = office.asks_for_approval()
    ben = office.browser("ben")
    page = f"/threads/{thread.id}"
    shown = ben.get(page).text
    forms = {action: fields(shown, action) for action in re.findall(r'action="([^"]+)"', shown)}
    assert f"{page}/decision" in forms

    for action, sent in forms.items():
        for method in ("GET", "HEAD", "OPTIONS"):
            ben.request(method, action, params={**sent, "answer": "approve", "text": "hello"})

    assert office.story.store.load(thread.id) == thread
