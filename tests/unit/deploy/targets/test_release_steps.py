import json
import os

import pytest
from shop import PYTHON, Shop, free, now, quick, unheard

from deploy.errors import CancelledError, LeaseLostError
from deploy.free_ports import free_ports
from deploy.look import Look
from deploy.run import run
from deploy.target import LogLine, StepDone, StepStarted

LIVE_FOR_A_WHILE = "import signal; signal.pause()"


@pytest.fixture(name="shop")
def _shop(tmp_path):
    return Shop(tmp_path)


def deploy(shop, catalog, ref: str = "v1.1.0", guard=free, progress=unheard):
    look = Look(catalog, clock=now)
    plan = look.plan("deploy", "backend", ref, "staging")
    return run(look.target("backend", "staging"), shop.order(plan), guard=guard, progress=progress)


def live(shop, catalog) -> str | None:
    now_live = Look(catalog, clock=now).live("backend", "staging")
    return now_live.sha if now_live else None


def sha(catalog, ref: str) -> str:
    return Look(catalog, clock=now).repository("backend").resolve(ref).sha


def test_a_release_holds_the_files_of_the_commit_and_says_which_it_is(shop):
    catalog = quick(shop)

    outcome = deploy(shop, catalog)
    release = shop.base / "staging/backend/current"

    assert outcome.outcome == "succeeded"
    assert (release / "RELEASE").read_text() == f"{sha(catalog, 'v1.1.0')}\n"
    assert (release / "built").exists()
    assert "pencil-case" in (release / "products.json").read_text()


def test_a_build_sees_what_it_is_about_and_nothing_else(shop, monkeypatch):
    monkeypatch.setenv("CANARY_TOKEN", "secret")
    catalog = quick(shop, build=[["env"]], variables={"PATH": "/usr/bin:/bin", "MODE": "fast"})
    lines: list[str] = []

    deploy(
        shop, catalog, progress=lambda p: lines.append(p.text) if isinstance(p, LogLine) else None
    )

    assert sorted(lines) == [
        "ENVIRONMENT=staging",
        "MODE=fast",
        "PATH=/usr/bin:/bin",
        "SERVICE=backend",
        f"SHA={sha(catalog, 'v1.1.0')}",
    ]


def test_a_failing_build_leaves_the_old_release_live(shop):
    deploy(shop, quick(shop), "v1.0.0")
    catalog = quick(shop, build=[["sh", "-c", "echo compiling; echo no semicolon >&2; exit 7"]])

    outcome = deploy(shop, catalog)

    assert (outcome.outcome, outcome.step, outcome.exit_code) == ("failed", "build", 7)
    assert outcome.error == "sh ended with exit code 7."
    assert outcome.tail == ("compiling", "no semicolon")
    assert outcome.live_sha == sha(catalog, "v1.0.0")


def test_a_build_out_of_time_is_ended_and_said(shop):
    catalog = quick(shop, build=[["sleep", "60"]], build_timeout_seconds=0.3)

    outcome = deploy(shop, catalog)

    assert outcome.error == ("sleep took longer than 0.3 s (build_timeout_seconds) and was ended.")
    assert outcome.exit_code is None


def test_a_program_that_is_not_there_is_said(shop):
    outcome = deploy(shop, quick(shop, build=[["no-such-program"]]))

    assert outcome.step == "build"
    assert outcome.error is not None
    assert "no-such-program" in outcome.error


def test_too_little_room_is_found_before_anything_is_written(shop):
    catalog = quick(shop, minimum_free_bytes=2**60)

    outcome = deploy(shop, catalog)

    assert outcome.step == "export"
    assert outcome.error is not None
    assert f"{2**60} are needed" in outcome.error
    assert not any((shop.base / "staging/backend/releases").iterdir())


def test_a_candidate_that_ends_by_itself_is_never_switched_to(shop):
    catalog = quick(shop, start=[PYTHON, "-c", "print('no config'); raise SystemExit(4)"])

    outcome = deploy(shop, catalog)

    assert (outcome.step, outcome.exit_code) == ("check", 4)
    assert outcome.tail == ("no config",)
    assert live(shop, catalog) is None


def test_a_candidate_that_is_never_well_is_ended_and_never_switched_to(shop, tmp_path):
    program = f"import os; open('{tmp_path}/pid', 'w').write(str(os.getpid())); {LIVE_FOR_A_WHILE}"
    catalog = quick(shop, start=[PYTHON, "-c", program], health_timeout_seconds=0.5)

    outcome = deploy(shop, catalog)

    assert outcome.step == "check"
    assert outcome.error is not None
    assert "it does not answer" in outcome.error
    assert live(shop, catalog) is None
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_candidate_that_runs_another_commit_is_not_well(shop):
    program = "import server; server.SHA = 'f' * 40; server.Server(('127.0.0.1', int(__import__('os').environ['PORT'])), server.Handler).run()"
    catalog = quick(shop, start=[PYTHON, "-B", "-c", program], health_timeout_seconds=2)

    outcome = deploy(shop, catalog)

    assert outcome.step == "check"
    assert outcome.error is not None
    assert "it runs 'fffffff'" in outcome.error


def with_live_url(shop, catalog_of, url: str, **target: object):
    tables = json.loads(catalog_of(shop, confirm_timeout_seconds=0.5, **target).model_dump_json())
    tables["environments"]["staging"]["services"]["backend"]["url"] = url
    return type(quick(shop)).model_validate(tables)


def test_a_release_that_is_not_confirmed_is_switched_back(shop):
    deploy(shop, quick(shop), "v1.0.0")
    catalog = with_live_url(shop, quick, f"http://127.0.0.1:{free_ports(1)[0]}")

    outcome = deploy(shop, catalog)

    assert (outcome.outcome, outcome.step) == ("failed", "confirm")
    assert outcome.error is not None
    assert "is live again" in outcome.error
    assert outcome.live_sha == sha(catalog, "v1.0.0")
    assert live(shop, catalog) == sha(catalog, "v1.0.0")


def test_a_first_release_that_is_not_confirmed_leaves_nothing_live(shop):
    catalog = with_live_url(shop, quick, f"http://127.0.0.1:{free_ports(1)[0]}")

    outcome = deploy(shop, catalog)

    assert outcome.step == "confirm"
    assert outcome.live_sha is None
    assert outcome.error is not None
    assert outcome.error.endswith("Nothing was live before, and nothing is now.")


def test_a_release_that_cannot_be_activated_is_switched_back_and_the_old_one_activated(shop):
    deploy(shop, quick(shop), "v1.0.0")
    log = shop.folder / "log"
    script = f'echo "$1" >> {log}; grep -q pencil products.json && exit 9; exit 0'
    catalog = quick(shop, activate=["sh", "-c", script, "sh", "{sha}"])

    outcome = deploy(shop, catalog)

    assert (outcome.step, outcome.exit_code, outcome.stranded) == ("activate", 9, False)
    assert log.read_text().split() == [sha(catalog, "v1.1.0"), sha(catalog, "v1.0.0")]
    assert live(shop, catalog) == sha(catalog, "v1.0.0")


def test_a_release_whose_activation_cannot_even_start_is_switched_back(shop):
    deploy(shop, quick(shop), "v1.0.0")
    catalog = quick(shop, activate=["no-such-program"])

    outcome = deploy(shop, catalog)

    assert outcome.step == "activate"
    assert outcome.error is not None
    assert outcome.error.startswith("no-such-program cannot be run")
    assert "is live again, but the service could not be told" in outcome.error
    assert outcome.stranded
    assert live(shop, catalog) == sha(catalog, "v1.0.0")


def test_a_switch_back_that_fails_too_says_what_is_live(shop):
    deploy(shop, quick(shop), "v1.0.0")
    catalog = quick(shop)
    mark = shop.base / f"staging/backend/releases/{sha(catalog, 'v1.0.0')}.complete"
    catalog = quick(shop, activate=["sh", "-c", f"rm {mark}; exit 1"])

    outcome = deploy(shop, catalog)

    assert outcome.error is not None
    assert "It is live still, because the switch back failed too" in outcome.error
    assert outcome.live_sha == sha(catalog, "v1.1.0")


def test_a_commit_that_was_switched_away_from_is_remembered_as_given_up(shop):
    deploy(shop, quick(shop), "v1.0.0")
    deploy(shop, with_live_url(shop, quick, f"http://127.0.0.1:{free_ports(1)[0]}"))

    plan = Look(quick(shop), clock=now).plan("deploy", "backend", "v1.1.0", "staging")

    assert any("was rolled back from staging before" in text for text in plan.warnings)


@pytest.mark.parametrize("error", [LeaseLostError("lost"), OSError("net")])
def test_whatever_the_guard_raises_ends_the_run_at_once_and_nothing_more_is_recorded(shop, error):
    deploy(shop, quick(shop), "v1.0.0")
    catalog = quick(shop, build=[["sh", "-c", "touch started; sleep 60"]])
    started = shop.base / f"staging/backend/releases/{sha(catalog, 'v1.1.0')}/started"

    def guard() -> None:
        if started.exists():
            raise error

    with pytest.raises(type(error)) as raised:
        deploy(shop, catalog, guard=guard)

    kinds = [r.kind for r in Look(catalog, clock=now).target("backend", "staging").records()]
    assert raised.value is error
    assert kinds[:2] == ["step", "began"]
    assert live(shop, catalog) == sha(catalog, "v1.0.0")


def test_the_guard_is_asked_between_the_last_build_and_the_switch(shop):
    deploy(shop, quick(shop), "v1.0.0")
    catalog = quick(shop)
    built: list[StepDone] = []

    def hear(progress) -> None:
        if isinstance(progress, StepDone) and progress.name == "build":
            built.append(progress)

    def guard() -> None:
        if built:
            raise LeaseLostError("lost between two steps")

    with pytest.raises(LeaseLostError):
        deploy(shop, catalog, guard=guard, progress=hear)

    assert live(shop, catalog) == sha(catalog, "v1.0.0")


def test_a_release_that_someone_switched_to_by_hand_meanwhile_is_left_as_it_is(shop):
    deploy(shop, quick(shop), "v1.0.0")
    deploy(shop, quick(shop), "v1.2.0")
    catalog = quick(shop)
    current = shop.base / "staging/backend/current"

    def by_hand(progress) -> None:
        if progress == StepStarted("switch"):
            current.unlink()
            current.symlink_to(f"releases/{sha(catalog, 'v1.0.0')}")

    outcome = deploy(shop, catalog, progress=by_hand)

    assert (outcome.outcome, outcome.step) == ("failed", "switch")
    assert outcome.error == "Another release went live meanwhile. It was left as it is."
    assert live(shop, catalog) == sha(catalog, "v1.0.0")


def test_progress_is_told_in_order(shop):
    told: list[str] = []

    def hear(progress) -> None:
        match progress:
            case StepStarted(name=name):
                told.append(f"{name} …")
            case StepDone(name=name, ok=ok):
                told.append(f"{name} {ok}")
            case LogLine(text=text):
                told.append(text)

    deploy(shop, quick(shop, build=[["echo", "hello"]]), progress=hear)

    assert told == [
        "export …",
        "export True",
        "build …",
        "hello",
        "build True",
        "switch …",
        "switch True",
    ]


def test_an_error_of_the_disk_is_said_with_what_is_live(shop):
    deploy(shop, quick(shop), "v1.0.0")
    releases = shop.base / "staging/backend/releases"
    catalog = quick(shop)
    (releases / sha(catalog, "v1.1.0")).write_text("a file where a folder should be")

    outcome = deploy(shop, catalog)

    assert outcome.step == "export"
    assert outcome.error is not None
    assert "What was live still is." in outcome.error


def test_what_a_person_stops_once_it_is_live_is_switched_back(shop):
    deploy(shop, quick(shop), "v1.0.0")
    told = shop.folder / "told"
    slow = ["sh", "-c", 'echo "$SHA" >> "$0"; test "$1" = "$SHA" || exec sleep 60', str(told)]
    old = sha(quick(shop), "v1.0.0")
    catalog = quick(shop, activate=[*slow, old])

    def guard() -> None:
        if told.exists() and told.read_text():  # the shell opens the file before it writes
            raise CancelledError("stopped by ann: wrong day")

    outcome = deploy(shop, catalog, guard=guard)

    assert (outcome.outcome, outcome.step) == ("failed", "activate")
    assert outcome.error == (
        f"stopped by ann: wrong day. The release before, {old[:7]}, is live again."
    )
    assert outcome.live_sha == live(shop, catalog) == old
    assert told.read_text().split() == [sha(catalog, "v1.1.0"), old]


def test_a_stop_that_comes_with_the_switch_neither_tears_it_nor_is_forgotten(shop):
    deploy(shop, quick(shop), "v1.0.0")
    catalog = quick(shop, activate=["touch", "told"])
    stop: list[object] = []

    def guard() -> None:
        if stop:
            raise CancelledError("stopped by ann: no")

    def progress(told: object) -> None:
        if told == StepStarted("switch"):
            stop.append(told)
            guard()  # as a report that beats the heart would

    outcome = deploy(shop, catalog, guard=guard, progress=progress)
    records = Look(catalog, clock=now).target("backend", "staging").records()

    assert (outcome.outcome, outcome.step) == ("failed", "activate")
    assert outcome.live_sha == sha(catalog, "v1.0.0")
    assert [(r.kind, r.back) for r in records if r.kind == "switched"][:2] == [
        ("switched", True),
        ("switched", False),
    ]


def test_a_stop_after_the_last_step_comes_too_late(shop):
    catalog = quick(shop)
    stop: list[object] = []

    def guard() -> None:
        if stop:
            raise CancelledError("stopped by ann: no")

    def progress(told: object) -> None:
        if isinstance(told, StepDone) and told.name == "switch":
            stop.append(told)

    assert deploy(shop, catalog, guard=guard, progress=progress).outcome == "succeeded"


def test_a_build_that_falls_silent_is_ended_and_said(shop):
    catalog = quick(shop, build=[["sh", "-c", "echo hello; sleep 60"]], silence_seconds=0.4)

    outcome = deploy(shop, catalog)

    assert outcome.error == "sh printed nothing for 0.4 s (silence_seconds) and was ended."
    assert outcome.tail == ("hello",)


def test_the_time_of_the_whole_order_counts_over_all_its_steps(shop):
    each_is_in_time = [["sleep", "0.7"]] * 3

    outcome = deploy(shop, quick(shop, build=each_is_in_time, timeout_seconds=1))

    assert outcome.outcome == "failed"
    assert outcome.error == "It took longer than 1 s in all (timeout_seconds) and was ended."
