import json

import pytest
from shop import PYTHON, Shop

from deploy.__main__ import main


@pytest.fixture(name="config")
def _config(tmp_path):
    shop = Shop(tmp_path)
    text = f"""
[people.ann]
name = "Ann"

[repositories.shop]
path = "shop.git"

[services.backend]
repository = "shop"
path = "backend"
[services.backend.target]
kind = "releases"
base = "releases"
start = ["{PYTHON}", "server.py"]

[environments.staging]
automatic = true
[environments.staging.services.backend]
url = "{shop.url("staging", "backend")}"
"""
    path = tmp_path / "deploybot.toml"
    path.write_text(text)
    return path


def ask(config, *arguments: str) -> int:
    return main(["--config", str(config), *arguments])


def test_a_plan_is_shown_as_json(config, capsys):
    assert ask(config, "plan", "--json", "deploy", "backend", "v1.2.0", "staging") == 0

    plan = json.loads(capsys.readouterr().out)

    assert plan["ref"] == "v1.2.0"
    assert [step["name"] for step in plan["steps"]] == ["export", "check", "switch", "confirm"]


def test_what_is_live_and_what_happened_are_shown(config, capsys):
    assert ask(config, "current", "backend", "staging") == 0
    assert ask(config, "journal", "backend", "staging") == 0

    out = capsys.readouterr().out

    assert "Nothing is live: backend on staging." in out
    assert "Nothing has happened there yet." in out


def test_a_refusal_is_one_sentence_and_exit_code_one(config, capsys):
    assert ask(config, "current", "backned", "staging") == 1

    assert capsys.readouterr().err == (
        "unknown_service: No service 'backned'. Did you mean backend? Nothing was deployed.\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('kind = "releases"', 'kind = "ftp"', "services.backend.target"),
        ("automatic = true", "", "environments.staging"),
        ("[services.backend]", "[services.backend", "is not TOML"),
    ],
)
def test_a_wrong_setting_is_named(config, capsys, old, new, says):
    config.write_text(config.read_text().replace(old, new))

    assert ask(config, "current", "backend", "staging") == 1

    assert says in capsys.readouterr().err


def test_a_configuration_that_is_not_there_is_said(tmp_path, capsys):
    assert ask(tmp_path / "none.toml", "current", "backend", "staging") == 1

    assert "none.toml" in capsys.readouterr().err
