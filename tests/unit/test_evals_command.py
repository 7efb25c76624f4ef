import json
from pathlib import Path

import pytest
from click.testing import Result
from model_server import chooses, serving
from typer.testing import CliRunner

from deploybot.cli.app import app
from deploybot.errors import ConfigError

STEP = {"intent": "deploy_backend", "ref": "v1.2.3", "environment": "staging", "reason": "asked"}
CASES = """
group: ours
cases:
- {said: "get v1.2.3 of the backend onto staging", chose: deploy_backend, ref: v1.2.3, environment: staging}
- {said: "what is new?", chose: done_for_now, never: ["deploy_*"]}
"""


@pytest.fixture(name="ours")
def _ours(tmp_path: Path) -> str:
    path = tmp_path / "ours.yaml"
    path.write_text(CASES)
    return str(path)


@pytest.fixture(autouse=True)
def _nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "DEPLOYBOT_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def run(*options: str) -> Result:
    return CliRunner().invoke(app, ["eval", *options])


def test_with_nothing_configured_the_planner_is_measured() -> None:
    done = run("--group", "plain", "--threshold", "0.95")

    assert done.exit_code == 0, done.output
    assert "plain" in done.output
    assert "offline · tags" in done.output


def test_a_run_is_told_as_json_with_groups_and_sums(ours: str) -> None:
    done = run("--cases", ours, "--json", "--renderer", "lines")

    told = json.loads(done.stdout)

    assert told["model"] == "offline"
    assert told["renderer"] == "lines"
    assert [row["group"] for row in told["groups"]] == ["ours", "all"]
    assert len(told["outcomes"]) == 2


def test_a_model_is_asked_and_its_tokens_are_priced(
    ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving([chooses(**STEP)]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        done = run("--cases", ours, "--model", "m-7", "--price-in", "1", "--price-out", "10")

    assert {body["model"] for body in server.requests} == {"m-7"}
    assert "200 tokens read, 40 written · cost 0.0006" in done.output
    assert "forbidden ours: what is new?" in done.output
    assert "expected chose='done_for_now'" in done.output
    assert done.exit_code == 1


def test_the_models_of_the_file_are_known_by_their_names(
    ours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving([chooses(**STEP)], api_key="sk-of-the-second") as server:
        monkeypatch.setenv("SECOND_KEY", "sk-of-the-second")
        (tmp_path / "deploybot.toml").write_text(
            '[[models]]\nname = "first"\n[[models]]\nname = "second"\n'
            f'base_url = "{server.base_url}"\napi_key_env = "SECOND_KEY"\nanswer_tokens = 77\n'
        )
        done = run("--cases", ours, "--model", "second")

    assert "50.0%" in done.output
    assert {body["max_completion_tokens"] for body in server.requests} == {77}


def test_two_runs_are_compared(ours: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving([chooses(**STEP)]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        run("--cases", ours, "--model", "m", "--save", "before.json")

    done = run("--cases", ours, "--model", "offline", "--compare", "before.json")
    told = json.loads(
        run("--cases", ours, "--model", "offline", "--compare", "before.json", "--json").stdout
    )

    assert "+ ours: what is new?" in done.output
    assert "Against m · tags:" in done.output
    assert told["difference"]["better"] == ["ours: what is new?"]


def test_the_exit_code_says_whether_it_was_good_enough(ours: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("cases: [{said: hi, chose: wait}]")

    assert run("--cases", ours, "--threshold", "1").exit_code == 0
    assert run("--cases", "wrong.yaml").exit_code == 0
    assert run("--cases", "wrong.yaml", "--threshold", "0.5").exit_code == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--renderer", "hieroglyphs"), "There is no renderer hieroglyphs"),
        (("--group", "none such"), "No case fits"),
        (("--model", "gpt-x"), "There is no way to ask gpt-x"),
        (("--compare", "none.json"), "nothing was compared"),
        (("--cases", "none.yaml"), "nothing was run"),
    ],
    ids=str,
)
def test_what_cannot_be_run_is_said_in_a_sentence(options: tuple[str, ...], says: str) -> None:
    done = run(*options)

    assert isinstance(done.exception, ConfigError)
    assert says in str(done.exception)


def test_only_the_cases_of_one_agent_are_played() -> None:
    told = json.loads(run("--agent", "rollback", "--json").stdout)

    assert 3 <= len(told["outcomes"]) < 20
    assert all(one["passed"] for one in told["outcomes"])
