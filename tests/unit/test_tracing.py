"""Which trace each turn of a thread is in, and the spans that events tell, over conversations in memory."""

from fakes import sha_of
from story import Story

from deploybot.next_step import Deploy, DoneForNow
from deploybot.thread import Thread
from deploybot.tracing import Told, told, turn_of

PRODUCTION = Deploy(service="backend", ref="main", environment="production", reason="asked")
DONE = DoneForNow(message="done")


def spans(story: Story) -> tuple[Told, ...]:
    return told(Thread(story.thread_id), story.thread)


def named(name: str, story: Story) -> list[Told]:
    return [span for span in spans(story) if span.name == name]


def test_a_turn_keeps_its_trace_while_people_answer(story: Story) -> None:
    story.verified_on_staging().model_will(PRODUCTION, PRODUCTION, DONE).person_says("deploy")
    asked = turn_of(story.thread)

    story.denies("again, please")
    story.approves()

    assert turn_of(story.thread) == asked
    assert {span.turn for span in spans(story)} == {asked}


def test_whoever_speaks_to_a_thread_at_rest_begins_a_trace(story: Story) -> None:
    story.model_will(DONE, DONE).person_says("hello")
    first = turn_of(story.thread)
    story.person_says("hello again")
    second = turn_of(story.thread)

    assert (first.number, second.number) == (1, 2)
    assert first.trace != second.trace
    assert len(named("thread", story)) == 2


def test_every_process_finds_the_same_ids_for_the_same_thread(story: Story) -> None:
    story.model_will(DONE).person_says("hello")
    thread = story.thread

    assert turn_of(thread) == turn_of(Thread(thread.id, thread.events, "", thread.standing))


def test_a_thread_that_was_handed_the_matter_hangs_below_the_one_that_did(story: Story) -> None:
    story.model_will(PRODUCTION).branch_moves(sha_of("main"))
    origin = turn_of(story.thread)
    others = [t for t in story.store.list().threads if t != story.thread_id]

    (other,) = others
    handed = turn_of(story.store.load(other))

    assert handed.trace == origin.trace
    assert handed.below == origin.span
    assert handed.span != origin.span


def test_the_wait_for_people_lasts_from_the_card_to_the_answer(story: Story) -> None:
    story.verified_on_staging().model_will(PRODUCTION, DONE).person_says("deploy")
    story.clock.passes(minutes=5)
    story.denies("no")

    (waited,) = named("wait for approval", story)

    assert 300 <= (waited.end - waited.start).total_seconds() < 301
    assert waited.attributes["deploybot.answer"] == "approval_denied"


def test_what_a_standing_rule_grants_is_neither_heard_nor_waited_for(story: Story) -> None:
    staging = PRODUCTION.model_copy(update={"environment": "staging"})

    story.model_will(staging, DONE).person_says("deploy to staging")

    assert named("wait for approval", story) == []
    assert named("hear approval_granted", story) == []
    assert len(named("propose", story)) == 1


def test_the_turn_is_told_once_when_it_rests(story: Story) -> None:
    story.verified_on_staging().model_will(PRODUCTION, DONE).person_says("deploy")
    before = story.thread
    assert named("thread", story) == []

    story.approves()

    (turn,) = [span for span in told(before, story.thread) if span.is_turn]
    assert turn.turn == turn_of(story.thread)
    assert turn.start == story.thread.events[0].at
    assert turn.end == story.thread.events[-1].at


def test_no_span_holds_anybodys_words(story: Story) -> None:
    story.verified_on_staging().model_will(PRODUCTION, DONE).person_says("deploy, secretly")
    story.denies("for private reasons")

    for span in spans(story):
        assert not {"deploy, secretly", "for private reasons"} & set(span.attributes.values())
