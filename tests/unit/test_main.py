"""The command itself: what was typed wrong is one line, and each exit code means one thing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploybot.__main__ import main

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {"PATH": "/usr/bin:/bin"})


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["deploybot", *arguments])
    return main()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["shw"], "Did you mean 'show'?"),
        (["threads", "--limit", "many"], "--limit"),
        (["threads", "--limt", "3"], "--limt"),
        (["ask"], "Missing argument"),
        (["show", "t1", "--follow", "--timeout", "soon"], "90s, 30m, 2h or 1d"),
        (["audit", "--format", "pdf"], "jsonl and markdown"),
        (["threads"], "DEPLOYBOT_TOKEN is not set"),
        (["ask", "--approve-in-terminal", "hello"], "needs a terminal"),
        (["deny", "t1"], "DEPLOYBOT_TOKEN"),
    ],
)
def test_what_is_typed_wrong_is_one_line_and_exit_code_two(monkeypatch, capsys, typed, said):
    code = run(monkeypatch, *typed)

    out, err = capsys.readouterr()
    assert code == 2
    assert said in err
    assert err.count("\n") == 1
    assert out == ""


@pytest.mark.parametrize("typed", [["--help"], ["-h"], ["ask", "--help"], ["--version"]])
def test_help_and_version_are_no_errors(monkeypatch, capsys, typed):
    code = run(monkeypatch, *typed)

    out, err = capsys.readouterr()
    assert code == 0
    assert out.strip()
    assert err == ""


def test_nothing_typed_shows_the_help_once(monkeypatch, capsys):
    code = run(monkeypatch)

    out, err = capsys.readouterr()
    assert code == 2
    assert (out + err).count("Usage:") == 1


def test_a_result_that_nobody_reads_on_is_no_traceback():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "deploybot", "manifest", "--url", "https://bot.example"]

    ended = subprocess.run(
        command, stdout=write, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False
    )
    os.close(write)

    assert ended.stderr == ""
    assert ended.returncode in (0, 1)
