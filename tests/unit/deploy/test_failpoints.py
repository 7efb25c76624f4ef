"""The points at which things go wrong on purpose: what each action does, and that nothing does without it."""

import dis
import multiprocessing
import signal
import subprocess
import sys

import pytest
from failing import Failing, going_wrong

from deploy import failpoints
from deploy.failpoints import Armed, FailpointError, entries

SPAWN = multiprocessing.get_context("fork")


def test_without_the_setting_a_point_is_a_function_that_does_nothing():
    code = failpoints.at.__code__

    assert failpoints.at is failpoints._nothing
    assert [i.opname for i in dis.get_instructions(code)][-2:] in (
        ["LOAD_CONST", "RETURN_VALUE"],
        ["RESUME", "RETURN_CONST"],
    )
    assert code.co_names == ()


def test_the_setting_is_read_when_the_process_begins():
    ask = "from deploy import failpoints; failpoints.at('target.begin.before')"

    ended = subprocess.run(
        [sys.executable, "-c", ask], env={failpoints.SETTING: "target.begin.*:kill"}, check=False
    )

    assert ended.returncode == -signal.SIGKILL


def test_an_entry_means_each_visit_or_the_one_that_it_names():
    with going_wrong("store.append.before:raise@2") as visits:
        failpoints.at("store.append.before")
        with pytest.raises(FailpointError):
            failpoints.at("store.append.before")
        failpoints.at("store.append.before")

    assert visits.counts == {"store.append.before": 3}
    assert visits.happened == ["store.append.before:raise@2"]


def test_visits_of_all_points_that_a_star_stands_for_are_counted_together():
    with going_wrong("store.*:raise@2"):
        failpoints.at("store.append.before")
        failpoints.at("mail.send.before")
        with pytest.raises(FailpointError):
            failpoints.at("store.append.after")


def test_a_lost_answer_is_raised_as_its_own_transport_would():
    with going_wrong("mail.send.after:drop"), pytest.raises(TimeoutError):
        failpoints.at("mail.send.after", lost=TimeoutError)


def test_a_stall_lasts_as_long_as_it_says_and_then_goes_on():
    with going_wrong("mail.send.before:stall=0.01") as visits:
        failpoints.at("mail.send.before")

    assert visits.happened == ["mail.send.before:stall@1"]


def test_a_failure_of_the_power_takes_the_process_above_along():
    ask = (
        "import os\nfrom deploy import failpoints\n"
        "if not os.fork():\n"
        "    failpoints.falls_with(os.getppid())\n"
        "    failpoints.at('mail.send.before')\n"
        "os.wait()\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", ask],
        env={failpoints.SETTING: "mail.send.before:power"},
        check=False,
    )

    assert ended.returncode == -signal.SIGKILL


def test_with_a_file_visits_are_counted_over_all_processes(tmp_path):
    failing = Failing(tmp_path)
    failing.arm("mail.send.before:kill@2")

    def begins_anew() -> int | None:
        process = SPAWN.Process(target=Armed(failing.setting), args=("mail.send.before",))
        process.start()
        process.join()
        return process.exitcode

    assert [begins_anew() for _ in range(3)] == [0, -signal.SIGKILL, 0]
    assert failing.visits().of("mail.*") == 3
    assert failing.happened == ["mail.send.before:kill@2"]


def test_a_file_is_read_at_each_visit(tmp_path):
    failing = Failing(tmp_path)
    at = Armed(failing.setting)

    at("mail.send.before")
    failing.arm("mail.send.before:raise")
    with pytest.raises(FailpointError):
        at("mail.send.before")
    failing.arm()
    at("mail.send.before")


@pytest.mark.parametrize("text", ["mail.send.before", "mail.send.before:explode", "a b:kill", "x:"])
def test_what_is_no_entry_is_refused_in_a_sentence(text):
    with pytest.raises(ValueError, match="name:action"):
        tuple(entries(text))
