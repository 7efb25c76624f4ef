import json

import pytest
import yaml
from planning import ENVIRONMENTS, SERVICES, TEMPLATES, Play

from deploybot.errors import ConfigError
from deploybot.evals.case import Case, cases_in
from deploybot.evals.playing import play
from deploybot.evals.pseudonyms import Pseudonyms
from deploybot.evals.recording import added, recorded
from deploybot.models.offline import OfflinePlanner
from deploybot.ports import People, Person, Prompt
from deploybot.prompting import build
from deploybot.redaction import Redactor
from deploybot.thread import Thread

PEOPLE = People(
    (
        Person("mlopez", "Maria López", "U07MARIA99", "maria.lopez@shop.example", "mlopez-gh"),
        Person("backend", "Back End", "U07BACK001"),
        Person("tomk", "Tom Kowalski", "U07TOM0001", "tom@shop.example", "tomk"),
    )
)
CANARY = "hunter2-CANARY-0123456789"


def record(thread: Thread, name: str = "") -> dict[str, object]:
    return recorded(
        thread,
        services=SERVICES,
        environments=ENVIRONMENTS,
        people=PEOPLE,
        redactor=Redactor([CANARY]),
        name=name,
    )


def conversation() -> Play:
    """Maria asks, Tom denies, the planner proposes anew: with names and a secret in the words."""
    told = Play()
    words = (
        "deploy frontend v1.2.2 to production; Maria López asked for it, see "
        f"https://wiki.shop.example/deploys?key={CANARY} or mail maria.lopez@shop.example"
    )
    told.says(words, by="mlopez").step()
    told.take().denies("not that one, the one before, says <@U07MARIA99>", by="tomk").settled()
    return told


def as_cases(*recordings: dict[str, object]) -> tuple[Case, ...]:
    text = ""
    for recording in recordings:
        text = added(text, recording)
    return tuple(cases_in(text, "recorded.yaml", {}))


def prompt(thread: Thread, world: object) -> Prompt:
    return build(thread, templates=TEMPLATES, services=SERVICES, environments=ENVIRONMENTS)


def test_what_was_chosen_last_is_what_may_come_next() -> None:
    (case,) = as_cases(record(conversation().thread, "the one before"))

    assert case.name == "the one before"
    assert case.may == ({"chose": "deploy_frontend", "ref": "v1.2.0", "environment": "production"},)


def test_a_recorded_case_plays_and_its_own_planner_passes_it() -> None:
    (case,) = as_cases(record(conversation().thread))

    outcome = play(case, OfflinePlanner(), prompt)

    assert outcome.passed, outcome


def test_no_name_no_address_and_no_secret_is_left() -> None:
    text = json.dumps(record(conversation().thread), ensure_ascii=False)

    for gone in ("maria", "López", "mlopez", "tomk", "U07MARIA99", "shop.example", "CANARY"):
        assert gone.casefold() not in text.casefold(), gone
    assert "deploy frontend v1.2.2 to production" in text
    assert "example.test" in text


def test_who_was_one_person_stays_one_person() -> None:
    case = as_cases(record(conversation().thread))[0]
    first, *_, denied = (item["event"] for item in case.thread if item["event"].get("delivery"))

    assert first["by"] != denied["by"]
    assert first["name"] == first["by"]
    assert first["by"] in first["text"].casefold()


def test_a_service_that_is_called_like_a_person_keeps_its_name() -> None:
    told = Play().says("deploy backend v1.2.3 to staging", by="backend")
    told.step()

    case = as_cases(record(told.thread))[0]

    assert case.may[0]["chose"] == "deploy_backend"
    assert "deploy backend v1.2.3" in case.thread[0]["event"]["text"]


def test_a_thread_in_which_nobody_chose_is_no_case() -> None:
    with pytest.raises(ConfigError, match="no case was saved"):
        record(Play().says("hi").thread)


def test_a_case_is_added_behind_the_others_under_a_name_of_its_own() -> None:
    one = record(conversation().thread, "mine")

    text = added(added("", one), one)

    assert [case["name"] for case in yaml.safe_load(text)["cases"]] == ["mine", "mine (2)"]


@pytest.mark.parametrize("text", ["[]", "cases: 5", "hello"])
def test_a_file_of_something_else_is_left_alone(text: str) -> None:
    with pytest.raises(ConfigError, match="nothing was added"):
        added(text, record(conversation().thread))


def test_pseudonyms_are_the_same_each_time_and_leave_other_words_alone() -> None:
    others = Pseudonyms({"jsmith": ["John Smith"], "will": ["Will"]}, kept=("will",))

    assert others.text("John will ask JSMITH, not Johnson") == "Ann will ask Ann, not Johnson"
    assert others.text("a@b.example, A@B.example, c@d.example") == (
        "mail-1@example.test, mail-1@example.test, mail-2@example.test"
    )
    assert others.text("<@U07ABCDEF1> in C0123456789") == "<@U00000001> in C00000001"
    assert others.text("https://ci.corp.example/x?y=1 at 10.0.12.7") == (
        "https://example.test/ at 192.0.2.1"
    )
    assert others.plain({"smith": [1, None, "smith"]}) == {"smith": [1, None, "ann"]}
