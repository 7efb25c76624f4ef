"""Whatever the policy, whoever asks, wrote it, is away, answers or leaves: an oracle agrees."""

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import permutations, product

from fakes import NOON, FakeDirectory, catalog
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from story import Story

from deploybot.next_step import Deploy
from deploybot.ports import Away, People, Person
from deploybot.thread import Status

WHO = "abcdef"
GROUPS = ("leads", "security", "ops")
BACKEND = Deploy(service="backend", ref="main", environment="production", reason="Asked.")
people = st.sets(st.sampled_from(WHO), max_size=4)
groups = st.sets(st.sampled_from(GROUPS), max_size=2)


@dataclass
class Policy:
    named: set[str]
    open_to: set[str]
    quorum: int
    one_from_each: list[str]
    members: dict[str, set[str]]
    asker: str
    asker_may: bool
    authors: set[str]
    authors_may: bool
    stand_ins: dict[str, str]
    """Who is away → who answers."""
    later: set[str] = field(default_factory=set)


def is_enough(policy: Policy, yes: list[tuple[str, bool]]) -> bool:
    """Say in ten lines when it is enough: `yes` are people, and whether they were called later on."""
    chairs = [seats(policy, who, late=late) for who, late in yes]
    for chosen in product(*(own for own in chairs if own)):
        taken = dict(chosen)  # whose chair → what it counts for; one that two sit on counts once
        for sitting in permutations(taken, len(policy.one_from_each)):
            fits = all(g in taken[s] for s, g in zip(sitting, policy.one_from_each, strict=True))
            if fits and len(taken) >= policy.quorum:
                return True
    return False


def seats(policy: Policy, who: str, *, late: bool) -> list[tuple[str, frozenset[str]]]:
    """Return the chairs that somebody may take, and for which groups each counts."""
    barred = set() if policy.asker_may else {policy.asker}
    barred |= set() if policy.authors_may else policy.authors
    known = policy.open_to | set(policy.one_from_each)
    found = []
    for owner in (who, *(away for away, to in policy.stand_ins.items() if to == who)):
        counts = {group for group in known if owner in policy.members[group]}
        called = late and owner == who and who in policy.later
        if (
            who not in barred
            and owner not in barred
            and (owner in policy.named or counts or called)
        ):
            found.append((owner, frozenset(policy.one_from_each if called else counts)))
    return found


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    away = draw(st.dictionaries(st.sampled_from(WHO), st.sampled_from(WHO), max_size=2))
    one_from_each = draw(groups) if draw(st.booleans()) else set()
    named = draw(people)
    if draw(st.booleans()):  # enough by name, and strangers to answer for some of them
        named, away = (
            {"a", "b", "c"},
            draw(st.dictionaries(st.sampled_from("ab"), st.sampled_from("ef"))),
        )
    return Policy(
        named=named,
        open_to=draw(groups),
        quorum=draw(st.integers(1, 3)),
        one_from_each=sorted(one_from_each),
        members={group: draw(people.filter(bool)) for group in GROUPS},
        asker=draw(st.sampled_from(WHO)),
        asker_may=draw(st.booleans()),
        authors=draw(st.sets(st.sampled_from(WHO), max_size=2)),
        authors_may=draw(st.booleans()),
        stand_ins={one: to for one, to in away.items() if one != to},
        later=draw(people) if draw(st.booleans()) else set(),
    )


@st.composite
def answers(draw: st.DrawFn) -> list[str]:
    """Let everybody answer in any order, some twice, now and then a no, and once time pass."""
    said = [*draw(st.permutations(WHO)), *draw(st.lists(st.sampled_from(WHO), max_size=2))]
    for word in draw(st.lists(st.sampled_from(["later", "later", "no a", "no c"]), max_size=2)):
        said.insert(draw(st.integers(0, len(said))), word)
    return said


def played(policy: Policy) -> Story | None:
    """Return the story in which it was asked for; None when the configuration is refused."""
    rule = {
        "approvers": [*sorted(policy.named), *(f"@{group}" for group in sorted(policy.open_to))],
        "quorum": policy.quorum,
        "one_from_each": policy.one_from_each,
        "requester_may_approve": policy.asker_may,
        "author_may_approve": policy.authors_may,
    }
    if policy.later:
        rule |= {"escalate_to": sorted(policy.later), "escalate_after_seconds": 60}
    tables = {group: {"people": sorted(members)} for group, members in policy.members.items()}
    try:
        table = catalog(groups=tables, **rule)
    except ValidationError:
        return None
    day = NOON.date()
    known = People(
        tuple(
            Person(
                id=who,
                name=who,
                email=f"{who}@x.example",
                away=(Away(day, day, policy.stand_ins[who]),) if who in policy.stand_ins else (),
            )
            for who in WHO
        )
    )
    directory = FakeDirectory({group: set(policy.members[group]) for group in GROUPS})
    story = Story(table=table, directory=directory, people=known).verified_on_staging()
    wrote = tuple(f"{who}@x.example" for who in sorted(policy.authors))
    story.deployer.addresses_of["backend"] = wrote
    return story.model_will(BACKEND).person_says("deploy it", by=policy.asker)


def everybody(policy: Policy) -> list[tuple[str, bool]]:
    return [(who, True) for who in WHO]


@settings(max_examples=300, deadline=None)
@given(policies(), answers(), st.sampled_from(GROUPS), st.sets(st.sampled_from(WHO), max_size=2))
def test_what_is_approved_and_started_is_what_the_oracle_says(policy, said, left, leavers):
    story = played(policy)
    if story is None:
        assert not could_ever_be_met(policy)
        return
    assert could_ever_be_met(policy)
    if "approval_requested" not in story.kinds:
        assert not is_enough(policy, everybody(policy))
        return
    works = story.bot_works
    story.bot_works = lambda: story  # type: ignore[method-assign] - the worker is slow
    yes = answered(story, policy, said)
    if story.thread.status is not Status.APPROVED:
        return
    policy.members[left] -= leavers
    story.directory.groups[left] -= leavers  # type: ignore[union-attr]
    story.bot_works = works  # type: ignore[method-assign]
    story.operator.operate("t1")
    assert bool(story.deployer.ran) is is_enough(policy, yes)


def answered(story: Story, policy: Policy, said: list[str]) -> list[tuple[str, bool]]:
    """Play the answers, each held against the oracle; return who said yes."""
    yes: list[tuple[str, bool]] = []
    late = False
    for word in said:
        request = story.request
        if word == "later":
            story.clock.time = max(story.clock.time, request.expires_at - timedelta(seconds=60))
            story.agent.advance("t1")
            late = bool(policy.later)
            continue
        who = word[-1]
        may = bool(seats(policy, who, late=late))
        if word.startswith("no"):
            assert story.denies("not now", by=who).accepted is may
            if may:
                break
            continue
        fresh = who not in [one for one, _ in yes]
        assert story.approves(by=who).accepted is (may and fresh)
        yes += [(who, late)] if may and fresh else []
        approved = is_enough(policy, yes)
        assert (story.thread.status is Status.APPROVED) is approved
        if approved:
            break
    return yes


def could_ever_be_met(policy: Policy) -> bool:
    """Tell whether enough are left whoever of those who may approve asks."""
    unasked = Policy(**vars(policy) | {"asker": "", "authors": set(), "stand_ins": {}})
    able = [who for who, late in everybody(policy) if seats(unasked, who, late=late)]
    if not (policy.named | policy.open_to | set(policy.one_from_each)):
        return False
    askers = ["", *able] if not policy.asker_may else [""]
    return all(
        is_enough(Policy(**vars(unasked) | {"asker": asker}), everybody(policy)) for asker in askers
    )
