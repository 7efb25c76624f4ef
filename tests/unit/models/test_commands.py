import pytest
from planning import COMMITS, ENVIRONMENTS, LIVE, SERVICES, TAGS, Play

from deploybot.models.commands import PlainCommands, command
from deploybot.next_step import (
    CheckDeployments,
    Deploy,
    DoneForNow,
    ListGitCommits,
    ListGitTags,
    NextStep,
    RequestHumanInput,
    RollBack,
)

WHY = "a plain command"


@pytest.mark.parametrize(
    ("text", "step"),
    [
        (
            "deploy backend v1.2.3 to staging",
            Deploy(service="backend", ref="v1.2.3", environment="staging", reason=WHY),
        ),
        (
            "<@U07BOT> deploy frontend 4af9ec0 to production",
            Deploy(service="frontend", ref="4af9ec0", environment="production", reason=WHY),
        ),
        (
            "Deploy `backend` `feature/x` to *prod*.",
            Deploy(service="backend", ref="feature/x", environment="production", reason=WHY),
        ),
        (
            "roll back backend on production",
            RollBack(service="backend", environment="production", reason=WHY),
        ),
        (
            "rollback backend on production to v1.2.2",
            RollBack(service="backend", environment="production", to="v1.2.2", reason=WHY),
        ),
        ("what's live?", CheckDeployments()),
        ("What\N{RIGHT SINGLE QUOTATION MARK}s live?", CheckDeployments()),
        ("what is live on staging?", CheckDeployments(environment="staging")),
        ("status", CheckDeployments()),
        ("last 5 commits", ListGitCommits(limit=5)),
        ("tags", ListGitTags(limit=10)),
    ],
)
def test_a_plain_command_is_understood_without_a_model(text: str, step: NextStep) -> None:
    assert step == command(text, SERVICES, ENVIRONMENTS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deploy backend",
        "deploy backend to staging",
        "deploy backend latest to staging",
        "deploy payments v1.2.3 to staging",
        "deploy backend v1.2.3 to moon",
        "please deploy backend v1.2.3 to staging",
        "don't deploy backend v1.2.3 to staging",
        "deploy backend v1.2.3 to staging tomorrow",
        "deploy backend v1.2.3 to staging\nand frontend too",
        "what's live on the moon?",
        "status of things",
        "roll back backend",
        "is deploy backend v1.2.3 to staging a good idea?",
    ],
)
def test_anything_less_plain_is_left_to_a_model(text: str) -> None:
    assert command(text, SERVICES, ENVIRONMENTS) is None


@pytest.mark.parametrize("ref", ["-x", "--upload-pack=touch${IFS}x", "v1;id", "v1$(id)", "<b>"])
def test_a_name_that_can_be_none_is_refused_and_asked_about_and_reaches_no_deploy(ref: str) -> None:
    step = command(f"deploy backend {ref} to staging", SERVICES, ENVIRONMENTS)

    assert isinstance(step, RequestHumanInput)
    assert "is refused: " in step.context
    assert "Nothing was deployed" in step.context


@pytest.mark.parametrize("ref", ["that,", "please!", "everything,"])
def test_a_word_with_a_sign_behind_it_is_no_name_and_is_left_to_a_model(ref: str) -> None:
    assert command(f"deploy backend {ref} to staging", SERVICES, ENVIRONMENTS) is None


def test_a_command_counts_for_the_first_step_only() -> None:
    play = Play().says("deploy backend v1.2.3 to staging")
    first = PlainCommands().choose(play.prompt())
    play.step()
    play.take()

    assert first is not None
    assert first.model == "command"
    assert PlainCommands().choose(play.prompt()) is None


def test_a_plain_question_is_answered_without_a_model_too() -> None:
    asked = {"what's live?": LIVE, "last 5 commits": COMMITS[:5], "tags": TAGS}
    for text, result in asked.items():
        play = Play(CommandsOnly()).says(text)
        play.step()

        told = play.returns(result)

        assert isinstance(told, DoneForNow)
        assert all(told.message.count(name(row)) for row in result)


def name(row):
    return row.get("live") or row.get("short") or row["name"]


class CommandsOnly:
    def next_step(self, prompt):
        choice = PlainCommands().choose(prompt)
        assert choice is not None
        return choice
