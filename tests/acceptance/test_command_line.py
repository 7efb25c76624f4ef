"""The command line against real processes: what scripts get, and what people see and type."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from small_company import Company, open_company
from typing_person import Terminal

from deploybot.demo.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with open_company(tmp_path_factory.mktemp("c")) as company:
        yield company


def asked(company: Company, person: str, *arguments: str) -> tuple[int, str]:
    """Ask as a script does; return the exit code and the thread."""
    return read(company.does(person, "ask", "--json", *arguments))


def read(ended: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    found = re.search(r'"id": "(t[0-9a-f]{16})"', ended.stdout)
    assert found, ended.stderr
    return ended.returncode, found[1]


def shown(company: Company, thread: str) -> dict[str, Any]:
    return json.loads(company.does("eve", "show", thread, "--json").stdout)


def kinds(company: Company, thread: str) -> list[str]:
    return [event["kind"] for event in shown(company, thread)["events"]]


# -- scripts -----------------------------------------------------------------------


def test_launched_denied_approved_and_finished_by_the_command_line_alone(company):
    code, thread = asked(company, "eve", "deploy", "backend", "main", "to", "production")
    assert code == 4
    first = shown(company, thread)["request"]

    denied = company.does("ben", "deny", thread, "use v1.0.0 instead", "--follow")
    answered = company.does("eve", "reply", thread, "deploy backend main to production", "--follow")
    second = shown(company, thread)["request"]
    approved = company.does("ben", "approve", thread, "--digest", second["digest"][:12], "--follow")

    assert denied.returncode in (3, 4), denied.stderr
    assert answered.returncode == 4
    assert approved.returncode == 0, approved.stderr
    assert first["id"] != second["id"]
    happened = kinds(company, thread)
    assert happened.index("approval_denied") < happened.index("approval_granted")
    assert happened.index("approval_granted") < happened.index("deploy_succeeded")
    assert shown(company, thread)["status"] == "done"


def test_what_is_open_is_edited_and_approved_by_somebody_else(company):
    _, thread = asked(company, "eve", "deploy backend v1.0.0 to production")

    edited = company.does("ben", "edit", thread, "--start", "23:59", "--why", "not yet", "--follow")
    open_now = shown(company, thread)["request"]
    own = company.does("ben", "approve", thread, "--yes")
    same = company.does("ann", "edit", thread, "--ref", "v1.0.0")
    company.does("eve", "cancel", thread)

    assert edited.returncode == 4, edited.stderr
    assert open_now["start_at"] is not None
    assert open_now["edited"]["by"] == "ben"
    assert own.returncode == 1
    assert "You asked for this deploy" in own.stderr
    assert same.returncode == 1
    assert "shows already" in same.stderr


def test_what_the_command_line_follows_is_what_the_api_shows(company):
    followed = company.does("eve", "ask", "--json", "what's live?")

    lines = [json.loads(line) for line in followed.stdout.splitlines()]
    thread = lines[0]["id"]

    assert [line["event"] for line in lines if "event" in line] == shown(company, thread)["events"]
    assert [line["seq"] for line in lines if "seq" in line] == list(range(1, len(lines) - 1))
    assert lines[-1] == {"id": thread, "status": "done", "exit_code": 0}


def test_a_deploy_that_fails_ends_with_five_and_its_step(company):
    ended = company.does("eve", "ask", "deploy frontend main to staging")

    assert ended.returncode == 5, ended.stdout + ended.stderr
    assert "the deploy failed at build" in ended.stdout


def test_an_unknown_service_is_not_an_answered_wish(company):
    code, thread = asked(company, "eve", "deploy bakend main to staging")

    assert code in (1, 4)
    assert "deploy_started" not in kinds(company, thread)


def test_without_a_digest_or_a_terminal_nothing_is_approved(company):
    _, thread = asked(company, "eve", "deploy backend v1.0.0 to production")

    ended = company.does("ben", "approve", thread)
    wrong = company.does("ben", "approve", thread, "--digest", "0" * 12)
    company.does("eve", "cancel", thread, "--reason", "a test")

    assert ended.returncode == 2
    assert "Nobody sits at this terminal" in ended.stderr
    assert "--digest" in ended.stderr
    assert wrong.returncode == 1
    assert "approval_granted" not in kinds(company, thread)


def test_whoever_asked_is_told_why_they_cannot_approve(company):
    _, thread = asked(company, "ann", "deploy backend v1.0.0 to production")

    ended = company.does("ann", "approve", thread, "--yes")
    company.does("ann", "cancel", thread)

    assert ended.returncode == 1
    assert ended.stderr.startswith("You asked for this deploy")
    assert ended.stderr.count("\n") == 1


def test_a_thread_is_paused_resumed_cancelled_and_forked(company):
    _, thread = asked(company, "eve", "deploy backend v1.0.0 to production")

    paused = company.does("eve", "pause", thread)
    listed = company.does("eve", "threads", "--status", "paused", "--json")
    resumed = company.does("eve", "resume", thread)
    cancelled = company.does("eve", "cancel", thread, "--reason", "not today", "--json")
    forked = company.does("ann", "fork", thread, "--at", "1", "--json")

    assert paused.stdout == "Paused: nothing starts.\n"
    assert thread in [row["id"] for row in json.loads(listed.stdout)["threads"]]
    assert resumed.returncode == 0
    assert json.loads(cancelled.stdout)["status"] == "done"
    assert "not today" in company.does("eve", "show", thread).stdout
    new = json.loads(forked.stdout)["id"]
    assert kinds(company, new)[0] == "api_message_received"


def test_threads_come_page_by_page(company):
    for number in range(3):
        asked(company, "eve", "--no-follow", f"what's live? {number}")

    first = json.loads(company.does("eve", "threads", "--limit", "2", "--json").stdout)
    cursor = first["cursor"]
    second = json.loads(
        company.does("eve", "threads", "--limit", "2", "--cursor", cursor, "--json").stdout
    )

    assert len(first["threads"]) == len(second["threads"]) == 2
    assert not {row["id"] for row in first["threads"]} & {row["id"] for row in second["threads"]}


def test_time_runs_out_with_seven_and_the_thread_goes_on(company):
    _, thread = asked(company, "eve", "deploy backend v1.0.0 to production")

    ended = company.does("eve", "show", thread, "--follow", "--timeout", "1s")
    company.does("eve", "cancel", thread)

    assert ended.returncode == 7
    assert "it goes on" in ended.stderr


def test_a_script_may_wait_for_the_people_who_must_move(company):
    _, thread = asked(company, "eve", "--no-follow", "deploy backend v1.0.0 to production")
    waited: list[int] = []
    waiting = threading.Thread(
        target=lambda: waited.append(company.types("eve", "show", thread, "--follow").returncode)
    )
    waiting.start()

    until_status(company, thread, "awaiting_approval")
    company.does("ben", "deny", thread, "not now")
    company.does("eve", "cancel", thread)
    waiting.join(60)

    assert waited == [3]


def until_status(company: Company, thread: str, status: str) -> None:
    try:
        until(lambda: shown(company, thread)["status"] == status, 40, f"{thread} is {status}")
    except TimeoutError:
        pytest.fail(company.does("eve", "show", thread).stdout)


def test_a_dry_run_shows_what_would_run_and_proposes_nothing(company):
    ended = company.does("eve", "ask", "--dry-run", "--json", "deploy backend v1.0.0 to production")

    happened = [json.loads(line).get("event", {}).get("kind") for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, ended.stdout
    assert "plans_shown" in happened
    assert "approval_requested" not in happened


def test_a_command_goes_on_when_the_web_process_comes_back(company):
    company.kill("web")
    ended: list[tuple[int, str]] = []
    words = ("ask", "--json", "what's live?")
    asking = threading.Thread(target=lambda: ended.append(read(company.types("eve", *words))))
    asking.start()
    company.start("web")
    asking.join(60)

    [(code, thread)] = ended
    assert code == 0
    assert kinds(company, thread).count("api_message_received") == 1


def test_a_service_is_locked_handed_over_and_freed(company):
    locked = company.does(
        "ann", "lock", "backend", "staging", "--for", "2h", "--reason", "demo day"
    )
    listed = company.does("eve", "environments", "staging")
    code, thread = asked(company, "eve", "deploy backend v1.0.0 to staging")
    handed = company.does("ann", "lock", "backend", "staging", "--hand-over", "ben", "--json")
    freed = company.does("ben", "unlock", "backend", "staging")
    both = company.does("ben", "lock", "backend", "staging", "--extend", "--take-over")

    assert locked.returncode == 0, locked.stderr
    assert "held by ann" in listed.stdout
    assert "demo day" in listed.stdout
    assert "deploy_started" not in kinds(company, thread)
    assert code != 0
    assert json.loads(handed.stdout)["hold"]["owner"] == "ben"
    assert freed.returncode == 0, freed.stderr
    assert both.returncode == 2
    assert "exclude each other" in both.stderr


# -- people ------------------------------------------------------------------------


def put_live(company: Company, ref: str) -> None:
    """Have this live on production, whatever is now."""
    code, thread = asked(company, "eve", f"deploy backend {ref} to production")
    if code == 4:
        code = company.does("ben", "approve", thread, "--yes", "--follow").returncode
    assert code == 0, company.does("eve", "show", thread).stdout


def test_a_card_is_approved_on_a_terminal_and_what_needs_it_is_confirmed_on_its_own(company):
    put_live(company, "main")

    with Terminal(
        "ask", "deploy backend v1.1.0 to production", environ=company.laptop("ann")
    ) as ann:
        ann.sees("waiting for an approver")
        assert re.search(r"approvers +ben\b", ann.text)
        thread = re.findall(r"\bt[0-9a-f]{16}\b", ann.text)[0]
        unconfirmed = company.does("ben", "approve", thread, "--digest", digest(company, thread))
        with Terminal("approve", thread, "--follow", environ=company.laptop("ben")) as ben:
            ben.sees("taken back")
            ben.sees("[yes/no] >")
            assert "Approve exactly this?" not in ben.text
            ben.types("maybe")
            ben.types("yes")
            ben.sees("Approve exactly this? [yes/no] >")
            ben.types("yes")
            ben.sees("Approved.")
            assert ben.ends() == 0
        assert ann.ends() == 0

    assert unconfirmed.returncode == 2
    assert "This needs to be confirmed" in unconfirmed.stderr
    assert "approval_granted · ben" in ann.text
    assert "is live after" in ann.text


def digest(company: Company, thread: str) -> str:
    return str(shown(company, thread)["request"]["digest"])


def test_whoever_asked_and_may_approve_does_so_in_place(company):
    ask = ("ask", "deploy backend main to qa")

    with Terminal(*ask, environ=company.laptop("mia")) as mia:
        mia.sees("[a]pprove, [d]eny, [l]eave it open >")
        mia.types("d")
        mia.sees("Why not?")
        mia.types("")
        mia.types("not before lunch")
        mia.sees("approval_denied · mia")
        mia.presses(b"\x03")
        mia.ends()
        thread = re.findall(r"\bt[0-9a-f]{16}\b", mia.text)[0]
    with Terminal(*ask, environ=company.laptop("mia")) as mia:
        mia.sees("[a]pprove, [d]eny, [l]eave it open >")
        mia.types("what?")
        mia.sees("Type a, d or l")
        mia.types("a")
        mia.sees("is live after")
        assert mia.ends() == 0

    denied = shown(company, thread)["events"]
    assert "not before lunch" in [event.get("feedback") for event in denied]


def test_what_others_answered_meanwhile_is_not_asked_any_more(company):
    with Terminal("ask", "deploy backend v1.0.0 to qa", environ=company.laptop("mia")) as mia:
        mia.sees("[l]eave it open >")
        mia.types("d")
        mia.sees("Why not?")
        thread = re.findall(r"\bt[0-9a-f]{16}\b", mia.text)[0]
        company.does("mia", "cancel", thread)
        assert mia.ends() == 3

    assert "cancelled · mia" in mia.text


def test_a_question_is_answered_in_place(company):
    with Terminal("ask", "deploy it", environ=company.laptop("eve")) as eve:
        eve.sees("its words >")
        eve.types("nothing, thanks")
        eve.forgets()
        eve.sees("its words >")
        eve.types("1")
        eve.sees("answered · eve")
        eve.presses(b"\x03")
        eve.ends()


def test_ctrl_c_leaves_without_a_trace_and_the_thread_stays(company):
    with Terminal(
        "ask", "deploy backend v1.0.0 to production", environ=company.laptop("eve")
    ) as eve:
        eve.sees("waiting for an approver")
        thread = re.findall(r"\bt[0-9a-f]{16}\b", eve.text)[0]
        eve.presses(b"\x03")
        assert eve.ends() == 130

    assert "Traceback" not in eve.text
    assert shown(company, thread)["status"] == "awaiting_approval"
    company.does("eve", "cancel", thread)


@pytest.mark.parametrize("columns", [40, 80])
def test_tables_and_cards_fit_the_terminal(company, columns):
    _, thread = asked(company, "eve", "deploy backend main to staging")
    _, thread = asked(company, "eve", "deploy backend v1.0.0 to production")

    for command in (["environments"], ["threads"], ["show", thread]):
        with Terminal(*command, environ=company.laptop("eve"), columns=columns) as eve:
            eve.ends()
        for line in eve.text.splitlines():
            assert len(line) <= columns, line
    company.does("eve", "cancel", thread)


def test_colours_are_for_terminals_and_may_be_declined(company):
    piped = company.does("eve", "environments")
    with Terminal("environments", environ=company.laptop("eve")) as coloured:
        coloured.ends()
    with Terminal("environments", environ={**company.laptop("eve"), "NO_COLOR": "1"}) as plain:
        plain.ends()

    assert "\x1b" not in piped.stdout + piped.stderr
    assert re.search(r"\x1b\[[0-9;]*3[1-6]m", coloured.shown)
    assert not re.search(r"\x1b\[[0-9;]*3[1-6]m", plain.shown)


def test_escape_sequences_of_others_are_shown_and_not_obeyed(company):
    evil = "hello \x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil"

    _, thread = asked(company, "eve", "--no-follow", evil)
    with Terminal("show", thread, environ=company.laptop("eve")) as eve:
        eve.ends()
    with Terminal("threads", "--limit", "1", environ=company.laptop("eve"), columns=200) as listed:
        listed.ends()
    as_json = company.does("eve", "show", thread, "--json").stdout

    for text in (eve.shown, listed.shown):
        assert "owned" in text
        assert not re.search(r"\x1b\]|\x1b\[2J|\x9b|\u202e|\x07", text)
    assert not re.search(r"[\x1b\x9b\u202e\x07]", as_json)
    assert json.loads(as_json)["events"][0]["text"] == evil


# -- on the bot's own host -----------------------------------------------------------


def test_an_audit_of_everything_holds_and_exports_who_approved_what(tmp_path):
    with open_company(tmp_path) as company:
        _, thread = asked(company, "eve", "deploy backend main to production")
        company.does("ben", "approve", thread, "--yes", "--follow")
        asked(company, "ann", "what's live?")

        _audited(company)


def _audited(company: Company) -> None:
    verified = company.run("audit", "--json")
    exported = company.run("audit", "--format", "jsonl", "--environment", "production")
    report = company.run("audit", "--format", "markdown", "--service", "backend")

    assert verified.returncode == 0, verified.stderr
    told = json.loads(verified.stdout)
    assert told["bad"] == []
    assert told["threads"] >= 2
    changes = [json.loads(line) for line in exported.stdout.splitlines()]
    live = [change for change in changes if change["how"] == "live"]
    assert live
    assert {run["environment"] for change in changes for run in change["runs"]} == {"production"}
    assert live[0]["words"][-1]["by"] == "ben"
    assert live[0]["runs"][0]["outcome"] == "live"
    assert "approved over api" in report.stdout


def test_the_prompt_is_shown_where_the_store_is(company):
    _, thread = asked(company, "eve", "hello there")

    prompt = company.run("show", thread, "--prompt")

    assert prompt.returncode == 0, prompt.stderr
    assert "hello there" in prompt.stdout
