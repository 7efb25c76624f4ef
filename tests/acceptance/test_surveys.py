"""What nobody told of is found by looking: moved branches, drift, and commits that wait too long."""

from datetime import timedelta

from fakes import NOON, PEOPLE, catalog, sha_of
from story import Story

from deploy.plan import Commit
from deploybot.events import BranchUpdated, DriftFound, ScheduleFired
from deploybot.next_step import Deploy
from deploybot.ports import EnvironmentRow
from deploybot.surveys import ENVIRONMENTS, REPOSITORIES, Surveyor
from deploybot.thread import Status, thread_id_for


class Looking(Story):
    """A company that is looked at from time to time."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.kept: list[tuple[EnvironmentRow, ...]] = []
        self.heads: dict[str, str] = {}
        self.surveyor = Surveyor(
            store=self.store,
            deployer=self.deployer,
            people=PEOPLE,
            clock=self.clock.clockwork,
            heads=self,
            keep=self.kept.append,
        )

    def get(self, repository: str) -> str | None:
        return self.heads.get(repository)

    def put(self, repository: str, sha: str) -> None:
        self.heads[repository] = sha

    def looks(self, what: str) -> "Looking":
        self.surveyor.survey(what)
        return self

    def threads_of(self, kind: type) -> list[str]:
        """Return the threads that began with such an event."""
        found = self.store.list(limit=100).threads
        return [one for one in found if isinstance(self.store.load(one).events[0], kind)]


def test_a_branch_that_moved_unheard_is_deployed_as_if_the_webhook_had_come() -> None:
    story = Looking().looks(REPOSITORIES)
    assert story.threads_of(BranchUpdated) == []

    story.deployer.main = "next"
    story.looks(REPOSITORIES)
    story.bot_works()

    (thread,) = story.threads_of(BranchUpdated)
    assert thread == thread_id_for("github", "shop", "refs/heads/main", sha_of("next"))
    assert any(line.startswith("deploy backend") for line in story.deployer.ran)


def test_a_webhook_that_comes_late_is_the_same_push() -> None:
    story = Looking().looks(REPOSITORIES)
    story.deployer.main = "next"
    story.looks(REPOSITORIES)
    story.bot_works()
    ran = list(story.deployer.ran)

    story.looks(REPOSITORIES).looks(REPOSITORIES)
    key = f"github:ref:shop:refs/heads/main:{sha_of('next')}"
    (thread,) = story.threads_of(BranchUpdated)
    moved = story.store.load(thread).events[0]
    story.inbox.hear(thread, moved, dedupe=(key,))
    story.bot_works()

    assert len(story.threads_of(BranchUpdated)) == 1
    assert story.deployer.ran == ran


def test_drift_is_told_once() -> None:
    story = Looking()
    story.deployer.put_live("backend", "staging", sha_of("v1.0.0"))
    story.deployer.drifted["backend", "staging"] = sha_of("by hand")

    story.looks(ENVIRONMENTS).looks(ENVIRONMENTS).looks(ENVIRONMENTS)

    (thread,) = story.threads_of(DriftFound)
    assert [event.kind for event in story.store.load(thread).events] == ["drift_found"]
    assert story.store.load(thread).status is Status.DONE


def test_what_a_deploy_put_there_is_no_drift() -> None:
    story = Looking()
    story.deployer.put_live("backend", "staging", sha_of("v1.0.0"))

    story.looks(ENVIRONMENTS)

    assert story.threads_of(DriftFound) == []
    assert story.kept[-1][0].live is not None


def late(story: Looking, hours: float) -> None:
    """Have a commit wait for production for so long."""
    story.verified_on_staging("main")
    commit = Commit(
        sha=sha_of("main"),
        author="Ann",
        email="ann@shop.example",
        at=story.clock.now() - timedelta(hours=hours),
        subject="Add it",
    )
    story.deployer.put_live("backend", "production", sha_of("v1.0.0"))
    story.deployer.missing["backend", "production"] = (commit,)


def test_commits_that_wait_too_long_are_offered_once_a_day() -> None:
    story = Looking(table=catalog(offer_after_hours=24))
    late(story, hours=25)

    story.looks(ENVIRONMENTS).looks(ENVIRONMENTS)

    (thread,) = story.threads_of(ScheduleFired)
    offer = story.store.load(thread).events[0]
    assert isinstance(offer, ScheduleFired)
    assert offer.text == f"deploy backend {sha_of('main')[:7]} to production"

    story.clock.passes(hours=24)
    story.looks(ENVIRONMENTS)
    assert len(story.threads_of(ScheduleFired)) == 2


def test_nothing_to_do_is_not_announced() -> None:
    story = Looking(table=catalog(offer_after_hours=24))
    late(story, hours=23)

    story.looks(ENVIRONMENTS)

    assert story.threads_of(ScheduleFired) == []
    assert story.clock.now() > NOON


def test_the_overview_says_who_asked_for_what_is_live_and_who_approved_it() -> None:
    story = Looking()
    story.verified_on_staging()
    step = Deploy(service="backend", ref="main", environment="production", reason="asked for")
    story.model_will(step).person_says("deploy backend main to production", by="eve")
    story.approves(by="ann")

    story.looks(ENVIRONMENTS)

    (row,) = [
        row for row in story.kept[-1] if (row.service, row.environment) == ("backend", "production")
    ]
    assert (row.thread, row.asked_by, row.approved_by) == (story.thread_id, ("eve",), ("ann",))
