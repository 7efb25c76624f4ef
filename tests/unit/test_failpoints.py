"""The list of points is exactly what the code comes to, and a setting that names none is refused."""

import ast
import re
from pathlib import Path

import pytest

from deploybot.config import read_settings
from deploybot.errors import ConfigError
from deploybot.failpoints import POINTS, problem

ROOT = Path(__file__).parent.parent.parent


def _in_the_code() -> list[str]:
    """Return the name of each call of `failpoints.at` in the code."""
    found = []
    for package in ("deploy", "deploybot", "workers"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "failpoints.at":
                    (name,) = node.args
                    assert isinstance(name, ast.Constant), f"{path}: the name must stand there"
                    found.append(str(name.value))
    return found


def test_each_point_is_listed_and_each_listed_one_is_there():
    found = _in_the_code()

    assert sorted(set(found)) == sorted(POINTS)


def test_each_point_says_on_which_side_it_is():
    assert all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)*\.(before|after)", name) for name in POINTS)


@pytest.mark.parametrize("setting", ["store.append.elsewhere:kill", "1", "store.append.before"])
def test_a_setting_that_names_no_point_stops_the_start(setting):
    with pytest.raises(ConfigError, match="DEPLOYBOT_FAILPOINT is wrong"):
        read_settings({"DEPLOYBOT_FAILPOINT": setting})


@pytest.mark.parametrize(
    "setting", ["", "*:kill@3", "store.append.after:drop,mail.*:stall=2", "/a/file"]
)
def test_a_setting_that_names_points_is_taken(setting):
    assert problem(setting) == ""
    assert read_settings({"DEPLOYBOT_FAILPOINT": setting}).failpoint == setting
