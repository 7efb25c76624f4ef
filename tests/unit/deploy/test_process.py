import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import pytest
from shop import free

from deploy import process
from deploy.errors import LeaseLostError

PATH = {"PATH": "/usr/bin:/bin"}


def run(tmp_path, *argv: str, seconds: float = 20, guard=free, variables=PATH):
    said: list[str] = []
    ran = process.run(
        argv, directory=tmp_path, variables=variables, seconds=seconds, guard=guard, log=said.append
    )
    return ran, said


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(condition) -> bool:
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        process.pause(0.01)
    return True


def test_a_command_that_ends_well_is_told_line_by_line(tmp_path):
    ran, said = run(tmp_path, "printf", "one\\ntwo\\nthree")

    assert ran.exit_code == 0
    assert said == ["one", "two", "three"]


def test_a_command_that_fails_keeps_its_exit_code_and_its_last_lines(tmp_path):
    ran, said = run(tmp_path, "sh", "-c", "seq 1 100; echo bad >&2; exit 3")

    assert ran.exit_code == 3
    assert len(said) == 101
    assert len(ran.tail) == 20
    assert ran.tail[-1] == "bad"


def test_a_command_sees_only_the_variables_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY_TOKEN", "secret")

    _, said = run(tmp_path, "env", variables=PATH | {"SHA": "abc"})

    assert sorted(said) == ["PATH=/usr/bin:/bin", "SHA=abc"]


def test_words_of_a_command_are_never_read_by_a_shell(tmp_path):
    _, said = run(tmp_path, "echo", "$(touch x)", "`touch x`", ";", "touch", "x")

    assert said == ["$(touch x) `touch x` ; touch x"]
    assert not (tmp_path / "x").exists()


def test_colours_and_control_characters_are_left_out(tmp_path):
    _, said = run(tmp_path, "printf", "\\033[31mred\\033[0m\\007 \\033]0;title\\007end\\r\\n")

    assert said == ["red end"]


def test_endless_lines_and_odd_bytes_do_no_harm(tmp_path):
    _, said = run(tmp_path, "sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; printf '\\n\\377'")

    assert len(said[0]) == process.LINE_LENGTH
    assert said[1] == "\ufffd"


def test_a_command_out_of_time_is_ended(tmp_path):
    started = time.monotonic()

    ran, _ = run(tmp_path, "sleep", "60", seconds=0.3)

    assert ran.exit_code is None
    assert time.monotonic() - started < 5


def test_a_guard_that_raises_ends_the_command_and_its_children(tmp_path):
    pids = tmp_path / "pids"

    def guard() -> None:
        if pids.exists() and len(pids.read_text().split()) == 2:
            raise LeaseLostError("another worker has it")

    with pytest.raises(LeaseLostError):
        run(tmp_path, "sh", "-c", "sleep 60 & echo $! $$ > pids; wait", guard=guard)

    assert until(lambda: not any(is_running(int(pid)) for pid in pids.read_text().split()))


def test_the_guard_is_asked_five_times_a_second(tmp_path):
    times: list[float] = []

    run(tmp_path, "sleep", "1", guard=lambda: times.append(time.monotonic()))

    assert len(times) >= 5
    assert max(b - a for a, b in pairwise(times)) < 0.5


def test_what_a_command_leaves_behind_is_ended_with_it(tmp_path):
    started = time.monotonic()

    ran, said = run(tmp_path, "sh", "-c", "sleep 60 & echo $!")

    assert ran.exit_code == 0
    assert time.monotonic() - started < 5
    assert until(lambda: not is_running(int(said[0])))


def test_a_command_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        run(tmp_path, "no-such-program")


def test_a_command_dies_with_the_process_that_started_it(tmp_path):
    program = (
        "import sys; from pathlib import Path; from deploy import process\n"
        "process.run(['sh', '-c', 'echo $$ > pid; exec sleep 60'], directory=Path(sys.argv[1]),"
        " variables={'PATH': '/usr/bin:/bin'}, seconds=60, guard=lambda: None, log=print)"
    )
    parent = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", program, str(tmp_path)],
        {"PYTHONPATH": str(Path(process.__file__).parent.parent)},
    )
    pid = tmp_path / "pid"
    assert until(lambda: pid.exists() and pid.read_text().strip())

    os.kill(parent, 9)
    os.waitpid(parent, 0)

    assert until(lambda: not is_running(int(pid.read_text())))


def test_a_server_runs_as_long_as_the_block(tmp_path):
    with tempfile.TemporaryFile() as output:
        with process.serving(
            ["sh", "-c", "echo up; exec sleep 60"],
            directory=tmp_path,
            variables=PATH,
            output=output,
        ) as server:
            assert server.poll() is None
        assert server.returncode == -15


def test_a_guarded_pipe_asks_while_it_waits():
    reading, writing = os.pipe()
    asked: list[int] = []

    def guard() -> None:
        asked.append(1)
        if len(asked) == 2:
            os.write(writing, b"late")

    pipe = process.GuardedPipe(reading, 20, guard)

    assert pipe.read(10) == b"late"
    with pytest.raises(TimeoutError):
        process.GuardedPipe(reading, 0, guard).read(10)
    os.close(reading)
    os.close(writing)
