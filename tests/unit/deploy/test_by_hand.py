import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from shop import Shop, free, now, quick, unheard
from target_harness import until

from deploy.__main__ import main, read_catalog
from deploy.by_hand import unfinished
from deploy.look import Look
from deploy.run import run
from deploy.target import Ended

ROOT = Path(__file__).parents[3]
SLOW = "touch {folder}/started; while ! test -e {folder}/go; do sleep 0.05; done"


class Desk:
    """Where somebody sits at a shell, with the sample shop and one service that builds quickly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shop = Shop(folder)
        self.build: list[str] = ["touch", "built"]
        self.more = ""
        self.write()

    def write(self) -> None:
        (self.folder / "deploybot.toml").write_text(
            f"""
[repositories.shop]
path = "shop.git"
[services.backend]
repository = "shop"
path = "backend"
[services.backend.target]
kind = "releases"
base = "releases"
build = [{json.dumps(self.build)}]
minimum_free_bytes = 0
[environments.staging]
automatic = true
tests = ["true"]
{self.more}
[environments.staging.services.backend]
"""
        )

    def builds(self, *argv: str) -> None:
        self.build = [word.replace("{folder}", str(self.folder)) for word in argv]
        self.write()

    def ask(self, *arguments: str) -> int:
        return main(["--config", str(self.folder / "deploybot.toml"), *arguments])

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Type a command into a shell of its own."""
        command = [sys.executable, "-m", "deploy", "--config", f"{self.folder}/deploybot.toml"]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def look(self) -> Look:
        return Look(read_catalog(self.folder / "deploybot.toml"), clock=now)

    def live(self) -> str | None:
        live = self.look.live("backend", "staging")
        return live.sha if live else None

    def sha(self, ref: str) -> str:
        return self.look.repository("backend").resolve(ref).sha


@pytest.fixture(name="desk")
def _desk(tmp_path):
    return Desk(tmp_path)


def files(folder: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_a_plan_shows_commits_steps_checks_and_warnings_and_changes_nothing(desk, capsys):
    desk.ask("run", "backend", "v1.0.0", "staging", "--yes")
    before = files(desk.folder)
    capsys.readouterr()

    assert desk.ask("plan", "backend", "v1.1.0", "to", "staging") == 0

    out = capsys.readouterr().out
    commit = desk.look.log("backend", "v1.1.0", 1)[0]
    assert f"Deploy backend to staging: {desk.sha('v1.1.0')} (v1.1.0)" in out
    assert f"Live now: {desk.sha('v1.0.0')[:7]}" in out
    assert commit.subject in out
    assert "$ touch built" in out
    assert "nothing holds or changes it now" in out
    assert out.endswith("Nothing was changed.\n")
    assert files(desk.folder) == before


def test_a_warning_is_shown(desk, capsys):
    desk.ask("plan", "backend", "v1.1.0", "staging")

    assert "It is the first release of backend on staging." in capsys.readouterr().out


def test_what_others_wrote_cannot_steer_the_terminal(desk, capsys):
    desk.ask("run", "backend", "v1.2.0", "staging", "--yes")
    text = "\x1b]0;owned\x07\x1b[2Jwipe \u202e gpj"
    desk.shop.repository.load(
        b"commit refs/heads/main\ncommitter X <x@x> 1 +0000\ndata %d\n%s\nfrom %s\n"
        % (len(text.encode()), text.encode(), desk.shop.repository.head().encode())
    )

    desk.ask("plan", "backend", "main", "staging")

    out = capsys.readouterr().out
    assert "wipe" in out
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_nothing_runs_where_nobody_can_be_asked(desk, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", StringIO())

    assert desk.ask("run", "backend", "v1.1.0", "staging") == 1

    assert "Nobody can be asked here. Nothing was run; add --yes." in capsys.readouterr().err
    assert desk.live() is None


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("yep\n", 1)])
def test_a_person_at_a_terminal_is_asked(desk, answer, code):
    ours, theirs = os.openpty()
    os.write(ours, answer.encode())

    process = desk.start("run", "backend", "v1.1.0", "staging", stdin=theirs)
    _, said = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)

    assert process.returncode == code
    assert "Run it? [y/N]" in said
    assert desk.live() == (desk.sha("v1.1.0") if code == 0 else None)


def test_what_was_run_is_told_with_the_approval_it_ran_under(desk, capsys):
    assert desk.ask("run", "backend", "v1.1.0", "staging", "--yes", "--json") == 0

    told = json.loads(capsys.readouterr().out)
    assert told["approval_id"].startswith("by-hand:")
    assert told["result"]["outcome"] == "succeeded"
    assert told["plan"]["sha"] == desk.live()


def test_what_is_live_where_is_a_table(desk, capsys):
    desk.ask("run", "backend", "v1.1.0", "staging", "--yes")
    desk.ask("test", "staging")
    capsys.readouterr()

    assert desk.ask("status") == 0

    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == [
        *["ENVIRONMENT", "SERVICE", "LIVE", "SINCE", "TESTS", "BEHIND", "APPROVAL"],
    ]
    assert row.split()[:3] == ["staging", "backend", desk.sha("v1.1.0")[:7]]
    assert "passed" in row
    assert "by-hand:" in row


def test_what_cannot_be_told_is_a_line_of_the_table_and_an_exit_code(desk, capsys):
    broken = desk.folder / "releases" / "staging" / "backend"
    broken.mkdir(parents=True)
    (broken / "current").write_text("not a link")

    assert desk.ask("status", "staging") == 1

    assert "is not a link" in capsys.readouterr().out


def test_a_roll_back_goes_to_the_last_verified_release_without_building_it_again(desk, capsys):
    desk.ask("run", "backend", "v1.0.0", "staging", "--yes")
    desk.ask("test", "staging")
    desk.ask("run", "backend", "v1.1.0", "staging", "--yes")
    capsys.readouterr()

    assert desk.ask("rollback", "backend", "staging", "--yes") == 0

    err = capsys.readouterr().err
    assert "built before and still whole" in err
    assert "build …" not in err
    assert desk.live() == desk.sha("v1.0.0")


def test_a_failure_is_told_with_its_last_lines_and_exit_code_three(desk, capsys):
    desk.builds("sh", "-c", "echo no semicolon >&2; exit 7")

    assert desk.ask("run", "backend", "v1.1.0", "staging", "--yes") == 3

    out = capsys.readouterr().out
    assert "at build: sh ended with exit code 7." in out
    assert "    no semicolon" in out
    assert "Live is nothing." in out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("backned", "v1.1.0", "staging"), "unknown_service"),
        (("backend", "v9", "staging"), "ref_missing"),
        (("backend", "--", "-x", "staging"), "ref_malformed"),
        (("backend", "v1.1.0", "stagging"), "unknown_environment"),
    ],
)
def test_a_refusal_is_one_line_with_its_reason_code(desk, capsys, arguments, code):
    assert desk.ask("run", "--yes", *arguments) == 1

    err = capsys.readouterr().err
    assert err.startswith(f"{code}: ")
    assert err.count("\n") == 1
    assert "Nothing was deployed" in err


def test_a_refusal_can_be_read_by_a_program(desk, capsys):
    assert desk.ask("plan", "--json", "backend", "v9", "staging") == 1

    assert json.loads(capsys.readouterr().out)["error"]["reason_code"] == "ref_missing"


def test_what_is_to_be_confirmed_on_its_own_takes_more_than_yes(desk, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", StringIO())
    desk.ask("run", "backend", "v1.1.0", "staging", "--yes")
    capsys.readouterr()

    assert desk.ask("run", "backend", "v1.0.0", "staging", "--yes") == 1
    assert "add --yes and" in capsys.readouterr().err
    assert desk.live() == desk.sha("v1.1.0")
    assert desk.ask("run", "backend", "v1.0.0", "staging", "--yes", "--confirm") == 0
    assert desk.live() == desk.sha("v1.0.0")


def test_an_interrupt_stops_at_the_next_safe_step_and_says_so(desk):
    desk.ask("run", "backend", "v1.0.0", "staging", "--yes")
    desk.builds("sh", "-c", SLOW)
    process = desk.start("run", "backend", "v1.1.0", "staging", "--yes")
    until((desk.folder / "started").exists, "the build")

    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)

    assert process.returncode == 3
    assert "interrupted at the keyboard" in out
    assert desk.live() == desk.sha("v1.0.0")
    assert unfinished(desk.look.target("backend", "staging")) is None


def test_a_second_interrupt_stops_at_once_and_says_what_to_do(desk):
    desk.builds("sh", "-c", "trap '' TERM; " + SLOW)
    process = desk.start("run", "backend", "v1.1.0", "staging", "--yes")
    until((desk.folder / "started").exists, "the build")

    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)

    assert "Traceback" not in said
    assert process.returncode in (3, 4)  # the second one may find that the first was quick
    assert "Interrupted in the middle" in said or "interrupted at the keyboard" in out


def test_what_died_in_the_middle_blocks_until_it_is_given_up(desk, capsys):
    desk.builds("sh", "-c", SLOW)
    process = desk.start("run", "backend", "v1.1.0", "staging", "--yes")
    until((desk.folder / "started").exists, "the build")
    process.kill()
    process.communicate(timeout=30)
    desk.builds("touch", "built")

    assert desk.ask("run", "backend", "v1.1.0", "staging", "--yes") == 1
    assert capsys.readouterr().err.startswith("operation_running: ")
    assert desk.ask("status") == 0
    assert "has no end" in capsys.readouterr().out
    assert desk.ask("unlock", "backend", "staging") == 0
    assert "was given up" in capsys.readouterr().out
    assert desk.ask("unlock", "backend", "staging") == 1
    assert "Nothing was unlocked" in capsys.readouterr().err
    assert desk.ask("run", "backend", "v1.1.0", "staging", "--yes") == 0


def test_a_deploy_by_hand_takes_no_number_that_the_bot_will_need(tmp_path):
    shop = Shop(tmp_path)
    look = Look(quick(shop), clock=now)
    target = look.target("backend", "staging")
    desk_file = tmp_path / "deploybot.toml"
    desk_file.write_text(
        f"""
[repositories.shop]
path = "shop.git"
[services.backend]
repository = "shop"
path = "backend"
[services.backend.target]
kind = "releases"
base = "{shop.base}"
build = [["touch", "built"]]
minimum_free_bytes = 0
[environments.staging]
automatic = true
[environments.staging.services.backend]
"""
    )

    for number, (by_hand, by_the_bot) in enumerate((("v1.0.0", "v1.1.0"), ("v1.2.0", "v1.2.1")), 1):
        config = ["--config", str(desk_file)]
        assert main([*config, "run", "backend", by_hand, "staging", "--yes"]) == 0
        plan = look.plan("deploy", "backend", by_the_bot, "staging")
        order = shop.order(plan, fence=number)
        assert run(target, order, guard=free, progress=unheard).outcome == "succeeded"

    assert isinstance(target.probe("approval-2"), Ended)
