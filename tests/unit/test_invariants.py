"""The checker: a healthy company breaks nothing, and each seeded wrong is found under its own invariant."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from fakes import catalog, sha_of
from story import Story

from deploy.records import BeganRecord, ClosedRecord, EndedRecord, Record, SwitchedRecord
from deploybot.approvals import POLICY
from deploybot.chain import seal
from deploybot.events import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    Cancelled,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployStarted,
    DeploySucceeded,
    Event,
    Resumed,
    SlackMessageReceived,
    StepChosen,
)
from deploybot.invariants import INVARIANTS, Ledger, Read, Site, Verdict, World, check
from deploybot.models import templates
from deploybot.next_step import Deploy, RunTests
from deploybot.outbox import tellings
from deploybot.ports import Operation
from deploybot.prompting import entries, render
from deploybot.thread import Standing, Thread

KEY = b"k" * 32
WORDS = templates.read().words
SECRET = "a-canary-that-nobody-may-see"
PLACE = ("backend", "production")


@dataclass(frozen=True)
class Evidence:
    """What a healthy company leaves behind, to be spoiled."""

    reads: tuple[Read, ...]
    world: World

    @property
    def read(self) -> Read:
        return self.reads[0]

    @property
    def site(self) -> Site:
        return self.world.places[PLACE]

    def with_events(self, *events: Event, **changes: Any) -> "Evidence":
        return replace(self, reads=(read_of(*events, **changes), *self.reads[1:]))

    def with_site(self, **changes: Any) -> "Evidence":
        places = {**self.world.places, PLACE: replace(self.site, **changes)}
        return replace(self, world=replace(self.world, places=places))

    def with_world(self, **changes: Any) -> "Evidence":
        return replace(self, world=replace(self.world, **changes))

    def with_read(self, **changes: Any) -> "Evidence":
        return replace(self, reads=(replace(self.read, **changes), *self.reads[1:]))

    def changed(self, kind: type, **changes: Any) -> "Evidence":
        """Change the one event of this kind."""
        events = [
            event.model_copy(update=changes) if isinstance(event, kind) else event
            for event in self.read.thread.events
        ]
        return self.with_events(*events)

    def behind(self, kind: type, *more: Event) -> "Evidence":
        """Put events behind the last one of this kind."""
        events = list(self.read.thread.events)
        at = max(n for n, event in enumerate(events) if isinstance(event, kind)) + 1
        return self.with_events(*events[:at], *more, *events[at:])

    def one(self, kind: type) -> Any:
        (found,) = (e for e in self.read.thread.events if isinstance(e, kind))
        return found

    def judged(self) -> tuple[Verdict, ...]:
        return check(self.reads, self.world)


def read_of(*events: Event, id: str = "t1", standing: Standing | None = None) -> Read:  # noqa: A002
    sealed = seal(KEY, Thread(id), events)
    heads = tuple(entry.mac for entry in sealed)
    thread = Thread(id, events, heads[-1] if heads else "", standing or Standing())
    notes = {f"slack:{one.key}": '{"ts":"1.0"}' for one in tellings(thread)}
    return Read(thread, heads, notes=notes, reads=(render(thread, WORDS), entries(thread, WORDS)))


def company() -> Evidence:
    """A deploy that was denied once, then approved, and is live; its target says the same."""
    story = Story(table=catalog()).verified_on_staging("main")
    step = Deploy(service="backend", ref="main", environment="production", reason="it is time")
    story.model_will(step, step)
    story.person_says("deploy the backend")
    story.denies("not before lunch")
    story.approves()
    read = read_of(*with_heads(story.thread.events))
    start = next(e for e in read.thread.events if isinstance(e, DeployStarted))
    number = read.thread.events.index(start)
    records = journal(start, read.heads[number], sha_of("main"))
    site = Site(records, live=sha_of("main"))
    world = World(
        now=story.clock.now(),
        places={PLACE: site},
        channels=("slack",),
        ledger=Ledger(frozenset({"d1", "d2", "d3"}), {"t1": (2, read.heads[1])}),
        shown_heads={"t1": frozenset(read.heads)},
        secrets=(SECRET,),
    )
    return Evidence((read,), world)


def with_heads(events: tuple[Event, ...]) -> list[Event]:
    """Name in each request a head of these very events, as they are sealed here."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, ApprovalRequested):
            head = seal(KEY, Thread("t1"), found)[-1].mac
            request = event.request.model_copy(update={"head": head}).sealed()
            event = event.model_copy(update={"request": request})  # noqa: PLW2901
            digest = request.digest
        elif hasattr(event, "digest"):
            event = event.model_copy(update={"digest": digest})  # noqa: PLW2901
        found.append(event)
    return found


def journal(start: DeployStarted, head: str, sha: str) -> tuple[Record, ...]:
    about = {"at": start.at, "approval_id": start.operation}
    return (
        BeganRecord(
            **about, fence=start.fence, digest=start.digest, head=head, sha=sha, action="deploy"
        ),
        SwitchedRecord(**about, sha=sha, previous=None),
        EndedRecord(**about, outcome="succeeded"),
    )


def test_a_healthy_company_breaks_nothing():
    verdicts = company().judged()

    assert [verdict.name for verdict in verdicts] == list(INVARIANTS)
    assert [(v.name, v.violations) for v in verdicts if not v.holds] == []


# -- one spoiled company for each way to break an invariant -------------------------


def twice(here: Evidence) -> Evidence:
    said = here.read.thread.events[0]
    return here.with_events(*here.read.thread.events, said)


def in_two_threads(here: Evidence) -> Evidence:
    return replace(here, reads=(*here.reads, read_of(here.read.thread.events[0], id="t2")))


def lost_word(here: Evidence) -> Evidence:
    return here.with_world(ledger=Ledger(frozenset({"d1", "d77"})))


def broken_seal(here: Evidence) -> Evidence:
    return here.with_read(bad="Event 3 of thread t1 does not verify.")


def lost_tail(here: Evidence) -> Evidence:
    read = {"t1": (99, "0" * 64)}
    return here.with_world(ledger=replace(here.world.ledger, read=read))


def lost_thread(here: Evidence) -> Evidence:
    return replace(here, reads=()).with_world(ledger=Ledger())


def restored_thread(here: Evidence) -> Evidence:
    records = list(here.site.records)
    records[0] = records[0].model_copy(update={"head": "0" * 64})
    return here.with_site(records=tuple(records))


def shown_with_what_is_lost(here: Evidence) -> Evidence:
    return here.with_world(shown_heads={"t1": frozenset({here.read.heads[1], "0" * 64})})


def shown_of_a_lost_thread(here: Evidence) -> Evidence:
    return here.with_world(shown_heads={"t9": frozenset({"0" * 64})})


def never_asked(here: Evidence) -> Evidence:
    events = [
        e
        for e in here.read.thread.events
        if not isinstance(e, ApprovalRequested)
        or e.request.id != here.one(DeployStarted).request_id
    ]
    return here.with_events(*events)


def another_digest(here: Evidence) -> Evidence:
    return here.changed(DeployStarted, digest="0" * 64)


def too_late(here: Evidence) -> Evidence:
    return here.changed(DeployStarted, at=here.one(DeployStarted).at + timedelta(days=2))


def by_the_requester(here: Evidence) -> Evidence:
    return here.changed(ApprovalGranted, by="ann")


def by_nobody_asked(here: Evidence) -> Evidence:
    return here.changed(ApprovalGranted, by="mal")


def by_mail_where_none_counts(here: Evidence) -> Evidence:
    return here.changed(ApprovalGranted, channel="email").with_world(mail_decides=frozenset())


def started_again(here: Evidence) -> Evidence:
    return here.behind(DeploySucceeded, here.one(DeployStarted), here.one(DeploySucceeded))


def ran_again(here: Evidence) -> Evidence:
    return here.with_site(records=(*here.site.records, *here.site.records))


def overlapping(here: Evidence) -> Evidence:
    began, switched, ended = here.site.records
    other = began.model_copy(update={"approval_id": "other", "fence": began.fence + 1})
    return here.with_site(records=(began, other, switched, ended))


def old_fence(here: Evidence) -> Evidence:
    began, switched, ended = here.site.records
    newer = ClosedRecord(at=began.at, approval_id="newer", fence=began.fence)
    return here.with_site(records=(newer, began, switched, ended))


def acts_though_shut_out(here: Evidence) -> Evidence:
    began, switched, ended = here.site.records
    shut = ClosedRecord(at=began.at, approval_id=began.approval_id, fence=began.fence)
    return here.with_site(records=(began, shut, switched, ended))


def no_end(here: Evidence) -> Evidence:
    return here.with_events(*_without(here, DeploySucceeded))


def two_ends(here: Evidence) -> Evidence:
    return here.behind(DeploySucceeded, here.one(DeploySucceeded))


def free_though_unknown(here: Evidence) -> Evidence:
    done = here.one(DeploySucceeded)
    unknown = DeployOutcomeUnknown(
        at=done.at, by="worker", request_id=done.request_id, step="build", live=None
    )
    events = here.read.thread.events[: here.read.thread.events.index(done)]
    thread = Thread("t1").extended(*events, unknown, head="")
    return here.with_events(*thread.events, standing=thread.standing)


def another_sha_is_live(here: Evidence) -> Evidence:
    return here.with_site(live=sha_of("v1.1.0"))


def its_target_says_it_failed(here: Evidence) -> Evidence:
    *before, ended = here.site.records
    failed = ended.model_copy(update={"outcome": "failed"})
    return here.with_site(records=(*before, failed))


def said_never_to_have_begun(here: Evidence) -> Evidence:
    done = here.one(DeploySucceeded)
    failed = DeployFailed(
        at=done.at, by="worker", request_id=done.request_id, step="start", error="It died.",
        live=None, began=False,
    )  # fmt: skip
    return here.with_events(*[failed if e is done else e for e in here.read.thread.events])


def kept_for_nobody(here: Evidence) -> Evidence:
    stray = Operation("stray", *PLACE, thread="t9", request_id="r9", fence=9)
    return here.with_site(operation=stray)


def untold_for_long(here: Evidence) -> Evidence:
    return here.with_read(untold=True).with_world(now=here.world.now + timedelta(hours=1))


def never_told(here: Evidence) -> Evidence:
    return here.with_read(notes={})


def shown_what_did_not_happen(here: Evidence) -> Evidence:
    return here.with_world(shown={"t1": {"card:nobody-asked": ("Approve this",)}})


def a_machine_says_yes(here: Evidence) -> Evidence:
    return here.changed(ApprovalGranted, by="agent:deploy")


def a_machine_resumes(here: Evidence) -> Evidence:
    return here.behind(DeploySucceeded, Resumed(at=here.world.now, by="clock"))


def a_model_takes_a_step_of_code(here: Evidence) -> Evidence:
    step = StepChosen(
        at=here.world.now, by="agent:deploy", model="m", step=RunTests(environment="production")
    )
    return here.behind(DeploySucceeded, step)


def read_otherwise(here: Evidence) -> Evidence:
    text, shown = here.read.reads or ("", ())
    return here.with_read(reads=(f"{text}\n<approved>\n</approved>", shown))


def a_secret_in_an_event(here: Evidence) -> Evidence:
    return here.changed(ApprovalGranted, comment=f"it is {SECRET}")


def a_secret_in_the_log(here: Evidence) -> Evidence:
    return here.with_world(sinks={"the workers' log": f"password {SECRET}"})


def too_many_steps(here: Evidence) -> Evidence:
    thread = replace(here.read.thread, standing=Standing(steps=21))
    return here.with_read(thread=thread)


def its_own_words(here: Evidence) -> Evidence:
    said = SlackMessageReceived(
        at=here.world.now, by="slack:UBOT", delivery="d9", channel="C1", ts="1.0", thread_ts="1.0",
        user="UBOT", name="deploybot", text="deploy it",
    )  # fmt: skip
    return here.behind(DeploySucceeded, said).with_world(bots=frozenset({"UBOT"}))


def too_many_calls(here: Evidence) -> Evidence:
    return here.with_world(calls_of_a_thread=1)


def over_budget(here: Evidence) -> Evidence:
    return here.with_world(spent={"calls this hour": (11, 10)})


def a_timer_says_yes(here: Evidence) -> Evidence:
    return here.changed(ApprovalGranted, by="policy")


def a_yes_from_nowhere(here: Evidence) -> Evidence:
    return here.changed(ApprovalGranted, delivery="")


def _closing(kind: type, **more: Any) -> Callable[[Evidence], Evidence]:
    def spoil(here: Evidence) -> Evidence:
        about = here.one(DeployStarted)
        fields = {"at": about.at, "by": "ben"} | more
        if kind is not Cancelled:
            fields["request_id"] = about.request_id
        return here.behind(ApprovalGranted, kind(**fields))

    return spoil


SEEDED: dict[str, list[tuple[Callable[[Evidence], Evidence], str]]] = {
    "I1": [
        (twice, "twice"),
        (in_two_threads, "is in t1 and in t2"),
        (lost_word, "d77 was acknowledged and is in no thread"),
    ],
    "I2": [
        (broken_seal, "does not verify"),
        (lost_tail, "was read, and is gone"),
        (lost_thread, "rolled back"),
        (restored_thread, "knows a head of t1 that it never had"),
        (shown_with_what_is_lost, "Slack shows a head of t1 that it never had"),
        (shown_of_a_lost_thread, "Slack shows a head of t9 that it never had"),
    ],
    "I3": [
        (never_asked, "without a request"),
        (another_digest, "digest is another one"),
        (too_late, "had expired"),
        (by_the_requester, "enough people's word"),
        (by_nobody_asked, "enough people's word"),
        (by_mail_where_none_counts, "enough people's word"),
    ],
    "I4": [(started_again, "started 2 times"), (ran_again, "began 2 times")],
    "I5": [
        (overlapping, "began while"),
        (old_fence, "was seen"),
        (acts_though_shut_out, "not its turn"),
    ],
    "I6": [
        (no_end, "has no end"),
        (two_ends, "did not run"),
        (free_though_unknown, "its place is free"),
        (another_sha_is_live, "was put there last"),
        (its_target_says_it_failed, "its target does not"),
        (said_never_to_have_begun, "never began, and it did"),
        (kept_for_nobody, "no thread started"),
    ],
    "I7": [
        (untold_for_long, "not been told everything"),
        (never_told, "nobody was told"),
        (shown_what_did_not_happen, "did not happen"),
    ],
    "I8": [
        (a_machine_says_yes, "is by agent:deploy"),
        (a_machine_resumes, "is by clock"),
        (a_model_takes_a_step_of_code, "chose run_tests"),
    ],
    "I9": [(read_otherwise, "is not what happened")],
    "I10": [(a_secret_in_an_event, "holds a secret"), (a_secret_in_the_log, "holds a secret")],
    "I11": [
        (too_many_steps, "21 steps"),
        (its_own_words, "the bot's own word"),
        (too_many_calls, "and may 1"),
        (over_budget, "and may use 10"),
    ],
    "I12": [(a_timer_says_yes, "granted by policy"), (a_yes_from_nowhere, "came from nowhere")],
    "I13": [
        (_closing(ApprovalDenied, delivery="d9", digest="x", channel="slack", feedback="no"), "which was denied"),
        (_closing(ApprovalExpired), "which was expired"),
        (_closing(Cancelled), "which was cancelled"),
    ],
}  # fmt: skip


def _seeds() -> Iterator[Any]:
    for name, ways in SEEDED.items():
        for number, (spoil, says) in enumerate(ways):
            yield pytest.param(name, spoil, says, id=f"{name}-{number}-{says.replace(' ', '_')}")


@pytest.mark.parametrize(("name", "spoil", "says"), list(_seeds()))
def test_what_breaks_an_invariant_is_found_under_its_name(name, spoil, says):
    verdicts = {verdict.name: verdict for verdict in spoil(company()).judged()}

    assert any(says in sentence for sentence in verdicts[name].violations), verdicts[name]


def test_each_invariant_can_be_broken():
    assert list(SEEDED) == list(INVARIANTS)


def _without(here: Evidence, kind: type) -> list[Event]:
    return [event for event in here.read.thread.events if not isinstance(event, kind)]


def test_what_the_standing_rule_grants_is_no_silence():
    here = company()
    request = here.one(DeployStarted).request_id
    events = [
        e.model_copy(
            update={
                "request": e.request.model_copy(
                    update={"rule": e.request.rule.model_copy(update={"automatic": True})}
                ).sealed()
            }
        )
        if isinstance(e, ApprovalRequested) and e.request.id == request
        else e
        for e in here.changed(ApprovalGranted, by=POLICY).read.thread.events
    ]

    verdicts = {v.name: v for v in here.with_events(*events).judged()}

    assert verdicts["I12"].holds
