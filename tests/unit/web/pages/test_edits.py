import re
from collections.abc import Iterator

import pytest
from page_office import PageOffice, opened

from deploybot.next_step import DeployTogether, DoneForNow, Part
from deploybot.thread import Status

BOTH = DeployTogether(
    parts=(Part(service="backend", ref="main"), Part(service="frontend", ref="main")),
    environment="production",
    reason="asked",
)


@pytest.fixture
def office(redis_url, tmp_path) -> Iterator[PageOffice]:
    with opened(redis_url, tmp_path) as office:
        office.story.verified_on_staging("main")
        office.story.model_will(BOTH, DoneForNow(message="Done.")).person_says("deploy both")
        yield office


def edits(office: PageOffice, person: str, **typed: str):
    page = f"/threads/{office.story.thread_id}"
    return office.browser(person).sends(page, f"{page}/edit", **typed)


def test_a_form_changes_the_order_the_start_and_leaves_a_service_out(office):
    assert edits(office, "ben", **{"turn-0": "2", "turn-1": "1"}).status_code == 303
    office.story.bot_works()
    assert [plan.service for plan in office.story.request.plans] == ["frontend", "backend"]

    assert edits(office, "ben", **{"turn-1": "out", "start": "23:00"}).status_code == 303
    office.story.bot_works()

    request = office.story.request
    assert [plan.service for plan in request.plans] == ["frontend"]
    assert request.start_at is not None
    assert request.requesters == ("ann", "ben")


def test_what_was_typed_is_kept_when_it_is_refused(office):
    answer = edits(office, "ben", **{"ref-0": "-x", "why": "only <this>"})

    assert answer.status_code == 409
    assert 'role="alert"' in answer.text
    assert 'value="-x"' in answer.text
    assert "only &lt;this&gt;" in answer.text
    assert office.story.thread.status is Status.AWAITING_APPROVAL


def test_while_it_is_planned_the_page_says_so_and_has_no_button_to_approve(office):
    edits(office, "ben", start="23:00")

    html = office.browser("mia").get(f"/threads/{office.story.thread_id}").text

    assert "Ben wants something else instead" in html
    assert "Being edited" in html
    assert 'value="approve"' not in html
    assert 'value="deny"' in html


def test_whoever_may_not_edit_has_no_form_and_is_told_so_when_they_send_one(office):
    page = f"/threads/{office.story.thread_id}"
    eve = office.browser("eve")

    html = eve.get(page).text
    request = office.story.request
    forged = {"request": request.id, "digest": request.digest, "start": "23:00"}
    answer = eve.sends(page, f"{page}/messages", **forged)
    sent = eve.post(f"{page}/edit", data=dict(forged) | _token(html))

    assert f"{page}/edit" not in html
    assert answer.status_code in (303, 422, 400, 409)
    assert sent.status_code == 403
    assert "You may not edit this request" in sent.text


def _token(html: str) -> dict[str, str]:
    return dict(re.findall(r'name="(token|once)" value="([^"]*)"', html))


def test_a_form_that_is_sent_twice_counts_once(office):
    page = f"/threads/{office.story.thread_id}"
    ben = office.browser("ben")
    sent = _token(ben.get(page).text) | {
        "request": office.story.request.id,
        "digest": office.story.request.digest,
        "start": "23:00",
    }

    answers = [ben.post(f"{page}/edit", data=sent).status_code for _ in range(2)]

    assert answers == [303, 303]
    assert office.story.kinds.count("edit_requested") == 1
