"""What holds of the files themselves: how each opens, how long it is, and where its tests stand.

Who may import whom is checked by `make arch`; style and banned names by `make lint`.
"""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from deploybot.queue import FUNCTIONS

ROOT = Path(__file__).parent.parent
PACKAGES = ("deploy", "deploybot", "workers", "prompts")
LINES = 300
LONGER = {
    "deploybot/agent.py": "the loop and its switch, a case an intent",
    "deploybot/bootstrap.py": "everything that is built, and from what",
    "deploybot/config.py": "every setting, and how each is checked",
    "deploybot/demo/company.py": "everything that the demo starts, and in which order it ends",
    "deploybot/demo/play.py": "the whole story, line by line",
    "deploybot/evals/telling.py": "an event or a step told by a case, a method each",
    "deploybot/events.py": "a class an event, and nothing else",
    "deploybot/memory.py": "every promise of the store's port, in memory",
    "deploybot/ports.py": "every port, each a protocol and its values",
    "deploybot/pipeline.py": "what plain code chooses, from the push to the roll back",
    "deploybot/store.py": "every promise of the store's port, on Redis",
    "deploybot/thread.py": "all that may follow what: one table and its fold",
}
"""The files that may grow beyond LINES, up to MOST, and why each is still one thing."""
MOST = 600

MODULES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "sample" not in path.parts
)
UNIT_TESTS = sorted(
    path for path in (ROOT / "tests/unit").rglob("test_*.py") if "demo" not in path.parts
)
"""The demo's workspace is another program behind HTTP: its tests go by what it does."""


def named(paths: list[Path]) -> list:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


@pytest.mark.parametrize("module", named(MODULES))
def test_a_module_opens_with_one_sentence(module):
    opening = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""

    first, *rest = opening.split("\n", maxsplit=2)
    assert first.endswith((".", ":", "?")), "one sentence on the first line"
    assert not re.search(r"[.?!] [A-Z]", first), "one sentence, and no more"
    assert not rest or rest[0] == "", "a blank line behind it"


@pytest.mark.parametrize("module", named(MODULES))
def test_a_module_fits_into_one_look(module):
    lines = module.read_text(encoding="utf-8").count("\n")

    assert lines <= (MOST if str(module.relative_to(ROOT)) in LONGER else LINES)


def test_every_exception_is_about_a_file_that_is_there():
    assert [name for name in LONGER if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("test", named(UNIT_TESTS))
def test_a_unit_test_stands_where_its_source_does(test):
    inside = test.relative_to(ROOT / "tests/unit").parent
    package = ROOT / inside if inside.parts[:1] == ("deploy",) else ROOT / "deploybot" / inside
    words = test.stem.removeprefix("test_").split("_")

    names = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    found = [
        name
        for name in names
        if (package / f"{name}.py").exists()
        or (package / f"__{name}__.py").exists()
        or (package / name).is_dir()
    ]

    assert found, f"no module of {package.relative_to(ROOT)} is called {' or '.join(names)}"


def test_the_wake_ups_are_the_jobs_and_the_jobs_are_the_wake_ups():
    jobs = import_module("workers.jobs")
    public = {
        f"workers.jobs.{name}"
        for name, function in vars(jobs).items()
        if inspect.isfunction(function) and function.__module__ == jobs.__name__
    }

    assert set(FUNCTIONS.values()) == {
        name for name in public if not name.split(".")[-1].startswith("_")
    }
    for name in FUNCTIONS.values():
        function = getattr(jobs, name.rpartition(".")[2])
        assert [p.annotation for p in inspect.signature(function).parameters.values()] == [str]
