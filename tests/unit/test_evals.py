import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from planning import TEMPLATES

from deploybot.errors import ConfigError, ModelUnavailableError
from deploybot.evals import case, playing
from deploybot.evals.case import Case, cases_in, shipped
from deploybot.evals.judging import fits
from deploybot.evals.telling import Teller
from deploybot.evals.world import World
from deploybot.models.chain import Chain
from deploybot.models.offline import OfflinePlanner
from deploybot.next_step import (
    Deploy,
    DoneForNow,
    ListGitCommits,
    ListGitTags,
    NextStep,
    from_wire,
    to_wire,
)
from deploybot.ports import Choice, Model, Prompt
from deploybot.prompting import RENDERERS, build
from deploybot.thread import Status, Thread

CASES = shipped()
WORLD = CASES[0].world
STAGING = {"chose": "deploy_backend", "ref": "v1.2.3", "environment": "staging"}


def prompt(thread: Thread, world: World) -> Prompt:
    services, environments = world.services, world.environments
    return build(thread, templates=TEMPLATES, services=services, environments=environments)


class Scripted:
    """Chooses these steps, one after the other, and counts what it was asked."""

    def __init__(self, *steps: NextStep) -> None:
        self.steps = list(steps)
        self.asked: list[Prompt] = []

    def next_step(self, prompt: Prompt) -> Choice:
        self.asked.append(prompt)
        if not self.steps:
            raise ModelUnavailableError("It has nothing more to say.", tokens=7)
        return Choice(self.steps.pop(0), "scripted", tokens_in=100, tokens_out=10)


def one(**given: Any) -> Case:
    text = {"group": "g", "cases": [{"said": "deploy backend v1.2.3 to staging", **given}]}
    return next(cases_in(str(text), "one.yaml", WORLD.model_dump(mode="json")))


def deploys(environment: str = "staging", ref: str = "v1.2.3") -> Deploy:
    return Deploy(service="backend", ref=ref, environment=environment, reason="r")


# -- the cases that come with it ---------------------------------------------------


def test_there_are_cases_enough_of_every_kind_to_mean_something() -> None:
    groups = Counter(case.group for case in CASES)

    assert len(CASES) >= 150
    assert len({(case.group, case.name) for case in CASES}) == len(CASES)
    assert groups["plain"] >= 50
    assert len(groups) >= 10
    assert min(groups.values()) >= 9
    assert sum(bool(case.never) for case in CASES) >= 100


@pytest.mark.parametrize("one_case", CASES, ids=lambda one_case: one_case.name[:50])
def test_every_case_can_be_told_and_somebody_has_to_choose(one_case: Case) -> None:
    thread = Teller(one_case.world).tell(one_case.thread)

    assert thread.status is Status.WORKING
    assert one_case.may


@pytest.fixture(scope="module", params=["rules alone", "commands and rules"])
def outcomes(request: pytest.FixtureRequest) -> list[playing.Outcome]:
    model: Model = OfflinePlanner() if request.param == "rules alone" else Chain()
    return list(playing.run(CASES, model, prompt, at_once=2))


def test_the_planner_does_what_plain_requests_ask_for(outcomes: list[playing.Outcome]) -> None:
    plain = [outcome for outcome in outcomes if outcome.group == "plain"]
    wrong = [outcome.name for outcome in plain if not outcome.passed]

    assert len(wrong) <= 0.05 * len(plain), wrong


def test_the_planner_never_does_what_a_case_forbids(outcomes: list[playing.Outcome]) -> None:
    assert [outcome for outcome in outcomes if outcome.forbidden] == []


def test_the_planner_is_right_or_asks_nearly_everywhere(outcomes: list[playing.Outcome]) -> None:
    wrong = [outcome.name for outcome in outcomes if not outcome.passed]

    assert len(wrong) <= 0.05 * len(outcomes), wrong


def test_every_case_can_be_shown_in_every_form() -> None:
    for one_case in CASES[::7]:
        thread = Teller(one_case.world).tell(one_case.thread)
        for renderer in RENDERERS:
            built = build(
                thread,
                templates=TEMPLATES,
                services=one_case.world.services,
                environments=one_case.world.environments,
                renderer=renderer,
            )
            assert built.text


# -- playing and judging -----------------------------------------------------------


def test_reads_are_answered_until_something_else_is_chosen() -> None:
    model = Scripted(ListGitTags(limit=2), ListGitCommits(limit=1), deploys())

    outcome = playing.play(one(**STAGING), model, prompt)

    assert outcome.passed
    assert [step["intent"] for step in outcome.steps][:2] == ["list_git_tags", "list_git_commits"]
    assert (outcome.tokens_in, outcome.tokens_out) == (300, 30)
    assert "v1.2.2" in model.asked[1].text
    assert "free shipping" in model.asked[2].text


def test_the_right_commit_may_be_named_by_any_of_its_names() -> None:
    sha = WORLD.full_sha("v1.2.3")
    assert sha

    for ref in ("v1.2.3", "b81c2de", sha):
        assert playing.play(one(**STAGING), Scripted(deploys(ref=ref)), prompt).passed
    assert not playing.play(one(**STAGING), Scripted(deploys(ref="v1.2.2")), prompt).passed


def test_a_ref_that_does_not_exist_is_refused_as_by_the_loop() -> None:
    ends = DoneForNow(message="There is no v9.")
    model = Scripted(deploys(ref="v9"), ends)

    outcome = playing.play(one(chose="done_for_now", says="no V9"), model, prompt)

    assert outcome.passed
    assert "ref_missing" in model.asked[1].text


def test_what_is_forbidden_fails_a_case_though_something_right_was_chosen_too() -> None:
    never = [{"chose": "change", "ref": "v9"}]

    outcome = playing.play(
        one(**STAGING, never=never), Scripted(deploys(ref="v9"), deploys()), prompt
    )

    assert (outcome.passed, outcome.forbidden) == (False, True)


def test_a_read_is_not_the_change_that_is_forbidden() -> None:
    wire = {"intent": "check_deployments", "environment": "production"}

    assert not fits(wire, {"chose": "change", "environment": "production"}, WORLD)
    assert fits(wire, {"chose": "check_*", "environment": "production"}, WORLD)


def test_a_model_that_gives_nothing_is_wrong_and_its_tokens_count() -> None:
    outcome = playing.play(one(**STAGING), Scripted(), prompt)

    assert not outcome.passed
    assert outcome.error == "It has nothing more to say."
    assert outcome.tokens_in == 7


def test_a_model_that_only_reads_is_left_after_a_while() -> None:
    model = Scripted(*(ListGitTags(limit=n) for n in range(1, 30)))

    outcome = playing.play(one(**STAGING), model, prompt)

    assert not outcome.passed
    assert len(outcome.steps) == playing.MOST_STEPS


@pytest.mark.parametrize(
    ("expected", "fits_it"),
    [
        ({"chose": "deploy_*"}, True),
        ({"chose": ["wait", "deploy_backend"]}, True),
        ({"chose": "deploy_frontend"}, False),
        ({"chose": "change", "environment": "prod*"}, False),
        ({"environment": ["production", "staging"]}, True),
        ({"to": None}, True),
        ({"ref": "no-such-ref"}, False),
        ({"says": "anything"}, False),
    ],
    ids=str,
)
def test_a_step_fits_when_it_has_everything_expected(
    expected: dict[str, Any], fits_it: bool
) -> None:
    assert fits(to_wire(deploys()), expected, WORLD) is fits_it


def test_words_and_choices_are_looked_for_and_not_compared() -> None:
    asked = {
        "intent": "request_human_input",
        "question": "Where should `backend` go?",
        "context": "It is on Staging.",
        "choices": ["Production (live)", "Stop"],
    }
    step = to_wire(from_wire(asked, WORLD.services))

    assert fits(step, {"says": ["BACKEND", "staging"], "choices": ["production"]}, WORLD)
    assert not fits(step, {"choices": ["moon"]}, WORLD)


# -- reading files -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cases: [{said: hi}", "holds no cases"),
        ("[]", "holds no cases"),
        ("group: g", "holds no cases"),
        ("cases: [{chose: wait}]", "case 1 is wrong"),
        ("cases: [{said: hi, may: 5}]", "case 1 is wrong"),
        ("cases: [{said: hi, world: {services: 5}}]", "case 1 is wrong"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_case(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        tuple(cases_in(text, "mine.yaml", WORLD.model_dump(mode="json")))

    assert "mine.yaml" in str(caught.value)
    assert "nothing was run" in str(caught.value)


@pytest.mark.parametrize(
    "thread",
    [
        ["hi", {"approved": "ben"}],
        ["hi", {"answer": "yes"}],
        ["hi", {"bot": "launch_missiles"}],
        ["hi", {"bot": "done_for_now", "message": "Bye."}],
        ["hi", {"bot": "run_tests", "environment": "staging"}],
        [{"woke": True}],
        [],
    ],
    ids=str,
)
def test_what_cannot_happen_cannot_be_told(thread: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Teller(WORLD).tell(tuple(thread))


def test_a_team_can_keep_cases_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("cases: [{said: hi, chose: done_for_now}]")

    found = case.from_paths([tmp_path])

    assert [(one.group, one.name) for one in found] == [("ours", "hi")]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(str(tmp_path / "none.yaml"))):
        case.from_paths([tmp_path / "none.yaml"])
