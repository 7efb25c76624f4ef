import json
import os
import signal

import pytest
from shop import Shop, free, now, quick, unheard

from deploy.catalog import Catalog
from deploy.errors import CancelledError, RefusedError, TargetError
from deploy.look import Look
from deploy.records import SwitchedRecord
from deploy.run import run
from deploy.target import Began, Ended, LogLine, StepDone, StepStarted

LIVE = "test ! -e live || cat live"
SET = 'echo "$SHA" > live'


class Site:
    """The sample shop, deployed by commands in its folder."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.shop = Shop(folder)

    def look(self, *, url: str | None = None, **target: object) -> Look:
        tables = quick(self.shop).model_dump()
        tables["services"]["backend"]["target"] = {
            "kind": "command",
            "base": str(self.shop.base),
            "directory": str(self.folder),
            "deploy": ["sh", "-c", SET],
            **target,
        }
        tables["environments"]["staging"]["services"]["backend"]["url"] = url
        return Look(Catalog.model_validate(tables), clock=now)

    def order(self, look: Look, ref: str, action: str = "deploy"):
        return self.shop.order(look.plan(action, "backend", ref, "staging"))

    def run(self, look: Look, ref: str, action: str = "deploy", guard=free, progress=unheard):
        target = look.target("backend", "staging")
        return run(target, self.order(look, ref, action), guard=guard, progress=progress)


@pytest.fixture(name="site")
def _site(tmp_path):
    return Site(tmp_path)


def test_a_command_gets_its_words_and_its_variables_and_nothing_else(site, monkeypatch):
    monkeypatch.setenv("CANARY_TOKEN", "secret")
    words = ["{service}", "{environment}", "{sha}", "{previous_sha}", "{operation}", "{url}"]
    look = site.look(
        deploy=["sh", "-c", 'printf "%s\\n" "$@"; env', "sh", *words],
        variables={"PATH": "/usr/bin:/bin", "MODE": "fast"},
        url="http://127.0.0.1:1",
    )
    lines: list[str] = []

    plan = look.plan("deploy", "backend", "v1.0.0", "staging")
    site.run(
        look, "v1.0.0", progress=lambda p: lines.append(p.text) if isinstance(p, LogLine) else None
    )

    sha = plan.sha
    assert plan.steps[0].argv is not None
    assert plan.steps[0].argv[4:] == (
        *("backend", "staging", sha, "", "{operation}", "http://127.0.0.1:1"),
    )
    assert lines[:6] == ["backend", "staging", sha, "", "approval-1", "http://127.0.0.1:1"]
    assert sorted(line for line in lines[6:] if not line.startswith(("PWD=", "_=", "SHLVL="))) == [
        "ENVIRONMENT=staging",
        "MODE=fast",
        "OPERATION=approval-1",
        "PATH=/usr/bin:/bin",
        "SERVICE=backend",
        f"SHA={sha}",
    ]


def test_words_that_look_like_a_shell_stay_words(site):
    look = site.look(deploy=["printf", "%s\n", "$(touch hacked)", "; touch hacked", "{sha}"])

    assert site.run(look, "v1.0.0").outcome == "succeeded"

    assert not (site.folder / "hacked").exists()


def test_without_a_word_from_the_place_what_is_live_is_what_the_journal_says(site):
    look = site.look()

    site.run(look, "v1.0.0")
    live = look.live("backend", "staging")

    assert live is not None
    assert (live.sha, live.approval_id) == (
        look.repository("backend").resolve("v1.0.0").sha,
        "approval-1",
    )


def test_the_command_that_rolls_back_is_its_own_or_that_of_a_deploy(site):
    back = ["sh", "-c", 'echo "back to $SHA from $0" > back', "{previous_sha}"]
    for look in (site.look(), site.look(roll_back=back)):
        site.run(look, "v1.0.0")
        site.run(look, "v1.1.0")
        outcome = site.run(look, "v1.0.0", "roll_back")

        assert outcome.outcome == "succeeded"
        assert outcome.live_sha == look.repository("backend").resolve("v1.0.0").sha
        site.run(look, "v1.2.0")

    shas = [look.repository("backend").resolve(ref).sha for ref in ("v1.0.0", "v1.1.0")]
    assert (site.folder / "back").read_text() == f"back to {shas[0]} from {shas[1]}\n"


def test_a_command_that_ends_well_and_makes_nothing_live_has_failed(site):
    look = site.look(deploy=["true"], current=["sh", "-c", LIVE], ask_timeout_seconds=0.3)

    outcome = site.run(look, "v1.0.0")

    assert (outcome.outcome, outcome.step) == ("failed", "confirm")
    assert outcome.error == "The command ended well, and yet nothing is live."


def test_a_command_that_fails_after_the_switch_is_told_with_what_is_live_now(site):
    look = site.look(deploy=["sh", "-c", f"{SET}; exit 3"], current=["sh", "-c", LIVE])

    outcome = site.run(look, "v1.0.0")
    live = look.live("backend", "staging")

    assert (outcome.outcome, outcome.exit_code) == ("failed", 3)
    assert live is not None
    assert outcome.live_sha == live.sha == look.repository("backend").resolve("v1.0.0").sha
    assert live.approval_id == "approval-1"


@pytest.mark.parametrize(
    ("current", "says"),
    [
        (["sh", "-c", "echo v1.0.0"], "printed 'v1.0.0', which is no full commit name"),
        (["sh", "-c", "exit 4"], "ended with exit code 4"),
        (["/nonexistent"], "/nonexistent cannot be run"),
        (["sleep", "60"], "took longer than 0.3 s (ask_timeout_seconds)"),
    ],
)
def test_what_is_live_is_never_guessed(site, current, says):
    look = site.look(current=current, ask_timeout_seconds=0.3)

    with pytest.raises(TargetError) as error:
        look.live("backend", "staging")
    with pytest.raises(RefusedError) as refused:
        look.plan("deploy", "backend", "v1.0.0", "staging")

    assert says in str(error.value)
    assert refused.value.reason_code == "facts_unavailable"


def test_the_first_word_of_the_last_line_is_what_is_live(site):
    sha = "a" * 40
    look = site.look(current=["sh", "-c", f"echo warming up; echo {sha} since Monday"])

    live = look.live("backend", "staging")

    assert live is not None
    assert live.sha == sha


def test_a_command_that_is_not_there_is_a_failed_step(site):
    outcome = site.run(site.look(deploy=["/nonexistent/deploy"]), "v1.0.0")

    assert outcome.outcome == "failed"
    assert outcome.error is not None
    assert outcome.error.startswith("/nonexistent/deploy cannot be run in ")


def test_the_end_of_a_failure_is_shown(site):
    outcome = site.run(site.look(deploy=["sh", "-c", "echo one; echo two >&2; exit 9"]), "v1.0.0")

    assert (outcome.error, outcome.exit_code) == ("sh ended with exit code 9.", 9)
    assert outcome.tail == ("one", "two")


@pytest.mark.parametrize(
    ("exit_code", "outcome"), [(0, "succeeded"), (1, "failed"), (2, None), (77, None)]
)
def test_after_a_crash_the_probe_decides_and_is_believed_from_then_on(site, exit_code, outcome):
    probe = ["sh", "-c", f'echo "$1" >> asked; exit {exit_code}', "sh", "{operation}"]
    look = site.look(probe=probe)
    target = look.target("backend", "staging")
    order = site.order(look, "v1.0.0")
    _run_and_kill(target, order)

    found = target.settle(order)
    again = look.target("backend", "staging").settle(order)
    switched = [r.sha for r in target.records() if isinstance(r, SwitchedRecord)]

    asked = (site.folder / "asked").read_text().split()
    assert set(asked) == {order.approval_id}
    if outcome is None:
        assert isinstance(found, Began)
        assert isinstance(again, Began)
        assert switched == []
    else:
        assert isinstance(found, Ended)
        assert (found.outcome, again) == (outcome, found)
        assert len(asked) == 1
        assert switched == ([order.plan.sha] if outcome == "succeeded" else [])
        live = look.live("backend", "staging")
        assert (live.sha if live else None) == found.live_sha


def test_without_a_probe_a_crash_leaves_what_cannot_be_told(site):
    target = site.look().target("backend", "staging")
    order = site.order(site.look(), "v1.0.0")
    _run_and_kill(target, order)

    assert isinstance(target.settle(order), Began)


def test_a_command_may_tidy_up_when_it_is_asked_to_end(site):
    tidy = "trap 'echo tidied > tidy; exit 1' TERM; touch started; while :; do sleep 0.05; done"
    look = site.look(deploy=["sh", "-c", tidy])

    def guard() -> None:
        if (site.folder / "started").exists():
            raise CancelledError("stopped by ann: wrong one")

    outcome = site.run(look, "v1.0.0", guard=guard)

    assert (outcome.outcome, outcome.error) == ("failed", "stopped by ann: wrong one")
    assert (site.folder / "tidy").read_text() == "tidied\n"


def test_the_journal_tells_what_the_command_did(site):
    look = site.look()
    site.run(look, "v1.0.0")

    journal = site.shop.base / "staging" / "backend" / "journal.jsonl"
    kinds = [json.loads(line)["kind"] for line in journal.read_text().splitlines()]

    assert kinds == ["began", "spawned", "step", "switched", "ended"]


def test_what_is_told_is_what_the_plan_says(site):
    told: list[object] = []

    site.run(site.look(current=["sh", "-c", LIVE]), "v1.0.0", progress=told.append)

    assert [one for one in told if isinstance(one, StepStarted)] == [
        StepStarted("deploy"),
        StepStarted("confirm"),
    ]
    assert all(one.ok for one in told if isinstance(one, StepDone))


def _run_and_kill(target, order) -> None:
    def progress(told: object) -> None:
        if isinstance(told, StepDone):
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        run(target, order, guard=free, progress=progress)
        os._exit(0)
    os.waitpid(child, 0)
