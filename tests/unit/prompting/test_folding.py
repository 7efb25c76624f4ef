"""What is left out of a long thread, and what never is."""

from planning import COMMITS, LIVE, TAGS, TEMPLATES, Play

from deploybot.events import FACTS, ReadReturned, StepChosen
from deploybot.next_step import CheckDeployments, DoneForNow, ListGitCommits, RequestHumanInput
from deploybot.prompting import parse, render
from deploybot.prompting.folding import MOST_ENTRIES, TURNS_TOLD

WORDS = TEMPLATES.words


def tags(text: str) -> list[str]:
    return [tag for tag, _ in parse(text)]


def chooses(play: Play, step: object) -> Play:
    play.add(StepChosen(**play.at("agent:deploy"), step=step, model="m"))  # type: ignore[arg-type]
    return play


def reads(play: Play, result: object, intent: str = "list_git_commits") -> Play:
    chooses(play, ListGitCommits() if intent == "list_git_commits" else CheckDeployments())
    return play.add(ReadReturned(**play.at("agent:deploy"), intent=intent, result=result))


def days(turns: int) -> Play:
    """Play turns that are over."""
    play = Play()
    for turn in range(turns):
        play.says(f"what is new, day {turn}?")
        reads(play, COMMITS[:3])
        chooses(play, DoneForNow(message=f"Nothing on day {turn}.")).take()
    return play


def test_older_turns_become_a_line_each_when_the_budget_is_reached() -> None:
    play = days(30).says("deploy the backend")

    text = render(play.thread, WORDS, budget=400)

    (folded, body), *rest = parse(text)
    assert folded == "earlier"
    assert body["turns"] + sum(tag == "slack_message" for tag, _ in rest) == 31
    assert len(body["last"]) == TURNS_TOLD
    assert f"ann: what is new, day {body['turns'] - 1}? → Nothing on day" in body["last"][-1]
    assert rest[-1][1]["text"] == "deploy the backend"


def test_nothing_is_folded_within_the_budget() -> None:
    play = days(5)

    assert "earlier" not in tags(render(play.thread, WORDS))


def test_the_request_stays_whatever_the_budget() -> None:
    play = Play().says("deploy v1.2.3 of the backend to production")
    for _ in range(40):
        reads(play, COMMITS)

    text = render(play.thread, WORDS, budget=10)

    shown = parse(text)
    assert shown[0][1]["text"] == "deploy v1.2.3 of the backend to production"
    assert shown[1] == ("left_out", {"events": 79})
    assert shown[2][0] == "list_git_commits_result"


def test_what_people_said_last_and_the_open_question_stay_whatever_the_budget() -> None:
    play = Play().says("deploy it")
    chooses(play, RequestHumanInput(question="Which service is it?")).take()
    play.answers("the backend, please")
    for _ in range(40):
        reads(play, COMMITS)

    text = render(play.thread, WORDS, budget=10)

    assert "Which service is it?" in text
    assert "answer: the backend, please" in text
    assert "deploy it" in text


def test_one_turn_of_any_length_is_shown_in_bounds() -> None:
    play = Play().says("begin")
    for _ in range(600):
        reads(play, [])

    shown = parse(render(play.thread, WORDS))

    assert len(shown) <= MOST_ENTRIES + 2
    assert shown[0][1]["text"] == "begin"
    assert shown[1][0] == "left_out"
    assert shown[1][1]["events"] + len(shown) - 1 == 1201


def test_facts_are_shown_once_the_last_that_were_fetched() -> None:
    play = Play().hands_over("deploy SHA 4af9ec0 to production").hands_over("roll back", "rollback")

    first, last = parse(render(play.thread, WORDS))

    assert set(first[1]) == {"to", "text"}
    assert set(last[1]) == {"to", "text", "live", "tags", "commits"}


def test_facts_of_an_earlier_turn_are_not_shown() -> None:
    play = Play().says("what's live?")
    facts = {"live": LIVE, "tags": TAGS, "commits": COMMITS[:5]}
    play.add(ReadReturned(**play.at("agent:code"), intent=FACTS, result=facts))
    during = render(play.thread, WORDS)
    chooses(play, DoneForNow(message="That.")).take().says("thanks")

    after = render(play.thread, WORDS)

    assert tags(during) == ["slack_message", "facts"]
    assert "backend on production: 77de68d since 03-01 10:00, 3 behind" in during
    assert tags(after) == ["slack_message", "done_for_now", "slack_message"]


def test_an_error_says_what_can_be_tried_only_while_it_is_the_last() -> None:
    play = Play().says("deploy backend v9 to production")
    play.step()
    play.refuse("deploy_backend", "ref_missing", "There is no v9.")
    before = parse(render(play.thread, WORDS))[-1]
    reads(play, [])

    after = parse(render(play.thread, WORDS))

    assert before[0] == "error"
    assert set(before[1]) == {"code", "error", "try"}
    assert ("error", {"code": "ref_missing", "error": "There is no v9."}) in after
