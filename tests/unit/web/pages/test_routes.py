import re
from collections.abc import Iterator

import pytest
from fakes import NOON, sha_of
from page_office import PageOffice, long_thread, opened

from deploy.plan import Commit
from deploybot.events import ApiMessageReceived, StepChosen
from deploybot.next_step import DoneForNow, RequestHumanInput
from deploybot.store import stream_key
from deploybot.thread import Thread

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def office(redis_url, tmp_path) -> Iterator[PageOffice]:
    with opened(redis_url, tmp_path) as office:
        yield office


def test_a_card_shows_every_fact_that_is_decided_upon(office):
    thread = office.asks_for_approval()
    request = thread.standing.request

    html = office.browser("ben").get(f"/threads/{thread.id}").text

    for fact in (
        "Deploy backend to production",
        request.plan.sha,
        request.id,
        request.digest,
        "make backend",
        "Ben, Mia",
        "Needs approval",
    ):
        assert fact in html, fact
    assert request.expires_at.isoformat(timespec="seconds") in html


def test_text_of_others_is_never_markup(office):
    thread = office.asks_for_approval(words=f"deploy {SCRIPT} & 'backend'")

    ben = office.browser("ben")
    for path in ("/", "/waiting", f"/threads/{thread.id}", f"/threads/{thread.id}/events/1"):
        html = ben.get(path).text
        assert SCRIPT not in html, path
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_a_commit_that_hides_something_shows_that_it_does(office):
    commit = Commit(sha=sha_of("x"), author="Eve", email="", at=NOON, subject=f"a\u202eb {SCRIPT}")
    deployer, coming = office.story.deployer, {"commits": (commit,), "commits_total": 1}
    plan = deployer.plan
    deployer.plan = lambda *asked, **how: plan(*asked, **how).model_copy(update=coming)
    thread = office.asks_for_approval()

    html = office.browser("ben").get(f"/threads/{thread.id}").text

    assert "a\N{REPLACEMENT CHARACTER}b &lt;script&gt;" in html
    assert "\u202e" not in html


def test_a_thread_of_two_thousand_events_is_a_small_page_with_a_way_back(office):
    thread = long_thread(office, 2000)
    ben = office.browser("ben")

    newest = ben.get(f"/threads/{thread.id}")
    way = re.search(r'href="(/threads/tlong\?before=\d+)">Earlier', newest.text)
    assert way
    earlier = ben.get(way[1])

    assert len(newest.content) < 100_000
    assert len(earlier.content) < 100_000
    assert 'id="e2000"' in newest.text
    assert 'id="e1940"' not in newest.text
    assert 'id="e1940"' in earlier.text
    assert "data-events" not in earlier.text, "what is over does not change"
    assert 'id="e1"' in ben.get(f"/threads/{thread.id}?before=5").text


def test_what_the_timeline_cuts_is_whole_on_the_events_own_page(office):
    thread = long_thread(office, 3, text="begin " + "x" * 3000 + " end")
    ben = office.browser("ben")

    assert " end" not in ben.get(f"/threads/{thread.id}").text
    assert "x end" in ben.get(f"/threads/{thread.id}/events/1").text


def test_which_model_chose_and_what_it_cost_is_on_the_threads_page(office):
    store, now = office.story.store, office.story.clock.now
    said = ApiMessageReceived(at=now(), by="ann", delivery="d", text="hi")
    chosen = StepChosen(
        at=now(),
        by="agent:deploy",
        step=DoneForNow(message="Hello."),
        model="gpt-5-mini",
        prompt="0" * 12,
        tokens_in=1200,
        tokens_out=34,
        ms=850,
        note="first-choice: no answer within 30 s",
    )
    thread = store.append(Thread("tmodel"), said, chosen)
    ben = office.browser("ben")

    page = ben.get(f"/threads/{thread.id}").text
    event = ben.get(f"/threads/{thread.id}/events/2").text

    assert re.search(r"<b>gpt-5-mini</b> 1 step, 1,234 tokens", page)
    assert "What gpt-5-mini was shown" in event
    assert "first-choice: no answer within 30 s" in event
    assert "The templates have changed since" in event


def test_what_the_model_was_shown_is_the_prompt_of_that_moment(office):
    office.story.model_will(RequestHumanInput(question="Sure?")).person_says("deploy the canary")
    thread = office.story.thread
    number = next(n for n, e in enumerate(thread.events, 1) if isinstance(e, StepChosen))

    html = office.browser("ben").get(f"/threads/{thread.id}/events/{number}").text
    shown = html.partition("The thread, as it read it")[2].partition("</details>")[0]

    assert "deploy the canary" in shown
    assert "Sure?" not in shown


def test_the_list_is_by_last_activity_a_page_at_a_time_and_by_status(office):
    for number in range(55):
        office.story.thread_id = f"t{number}"
        office.story.model_will(DoneForNow(message=f"told {number}")).person_says(f"ask {number}")
    office.story.thread_id = "tasks"
    office.asks_for_approval()
    ben = office.browser("ben")

    first = ben.get("/").text
    older = re.search(r'href="(/\?cursor=[^"]+)">Older', first)
    assert older
    second = ben.get(older[1]).text
    open_ones = ben.get("/?status=awaiting_approval").text

    assert first.index("/threads/tasks") < first.index("/threads/t54") < first.index("/threads/t6")
    assert '/threads/t5"' not in first
    assert '/threads/t5"' in second
    assert "told 54" in first
    assert re.findall(r"/threads/(t\w+)", open_ones) == ["tasks"]


def test_waiting_begins_with_what_waits_for_the_reader(office):
    office.asks_for_approval(by="ann")
    office.story.thread_id = "tquestion"
    office.story.model_will(RequestHumanInput(question="Which `service`?")).person_says("deploy")

    def part(person: str, heading: str) -> list[str]:
        html = office.browser(person).get("/waiting").text
        return re.findall(r"/threads/(t\w+)", html.partition(heading)[2])

    assert part("ben", "Waiting for you") == ["t1", "tquestion"]
    assert part("eve", "Waiting for you")[0] == "tquestion"
    assert part("eve", "Waiting for others") == ["t1"]
    assert part("ann", "Waiting for others") == ["t1"]


def test_environments_are_as_workers_saw_them_last(office):
    ben = office.browser("ben")
    before = ben.get("/environments").text
    office.story.verified_on_staging("main")
    office.bot.overview.keep(office.story.deployer.environments())

    after = ben.get("/environments").text

    assert "No worker has looked yet" in before
    assert sha_of("main")[:7] in after
    assert "tests passed" in after
    assert "May approve changes: Ann, Ben, Mia." in after
    assert after.index(">staging<") < after.index(">production<")


def test_a_freeze_is_on_the_page_while_it_is_on_and_before(office):
    always = {"reason": "Sales <week>", "begins": "2026-03-01T00:00", "ends": "2026-03-09T00:00"}
    office.configured(production={"freezes": [always]})
    office.bot.overview.keep(office.story.deployer.environments())

    assert "Frozen until" in (html := office.browser("ben").get("/environments").text)
    assert "Sales &lt;week&gt;" in html
    office.story.clock.passes(days=-3)
    assert "Next freeze from" in office.browser("ben").get("/environments").text


def test_a_thread_that_does_not_verify_is_not_shown(office):
    thread = office.asks_for_approval()
    entry = office.connection.xrange(stream_key(thread.id))[0][1]
    office.connection.xadd(stream_key("tforged"), entry, id="1-0")

    answer = office.browser("ben").get("/threads/tforged")

    assert answer.status_code == 503
    assert "does not verify" in answer.text


@pytest.mark.parametrize(
    "path",
    ["/threads/nobody", "/threads/t1/events/99", "/threads/t1/events/0", "/?cursor=%3Cscript%3E"],
)
def test_what_is_not_there_is_said_in_a_sentence(office, path):
    office.asks_for_approval()

    answer = office.browser("ben").get(path)

    assert answer.status_code in (404, 422)
    assert 'role="alert"' in answer.text


def test_nothing_of_a_page_is_kept_and_nothing_on_it_runs_by_itself(office):
    thread = office.asks_for_approval()
    answer = office.browser("ben").get(f"/threads/{thread.id}")

    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]* src=)|\sstyle=|\son\w+=", answer.text)


def test_what_pages_load_is_kept_for_as_long_as_its_address_is_the_same(office):
    ben = office.browser("ben")
    loaded = re.findall(r'(?:href|src)="(/static/[^"]+)"', ben.get("/").text)

    assert len(set(loaded)) == 3
    for address in loaded:
        answer = ben.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert ben.get("/static/000000000000/pages.css").status_code == 404
    assert ben.get(loaded[0].rpartition("/")[0] + "/..%2F__init__.py").status_code == 404


def test_an_id_that_got_old_is_replaced_on_the_way(office):
    ben = office.browser("ben")
    before = ben.cookies["deploybot"]
    office.story.clock.passes(hours=2)

    ben.get("/")

    assert ben.cookies["deploybot"] != before
    assert ben.get("/").status_code == 200
