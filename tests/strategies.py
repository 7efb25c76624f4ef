"""What hypothesis draws from: steps that a model may answer, and anything that may arrive."""

from datetime import timedelta
from random import Random

from fakes import NOON, FakeClock, FakeDeployer, catalog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from deploybot.approvals import ApprovalRequest, Rule
from deploybot.errors import IllegalEventError
from deploybot.events import (
    ApiMessageReceived,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalSuperseded,
    Cancelled,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployStarted,
    DeploySucceeded,
    EditRefused,
    EditRequested,
    Event,
    Finished,
    Paused,
    QuestionAsked,
    Resumed,
    StepChosen,
)
from deploybot.next_step import (
    CheckDeployments,
    Deploy,
    DoneForNow,
    ListGitTags,
    NextStep,
    NothingToDo,
    RequestHumanInput,
    RollBack,
    Wait,
)
from deploybot.thread import Standing, after

MANY_STEPS = settings(
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
"""How a machine of states is played: the same each time, and far into its story."""

names = st.sampled_from(["backend", "frontend", "bakend", "", "production", "../x"])
refs = st.sampled_from(["main", "v1.1.0", "v9", "--output=x", "HEAD", "", "a" * 40])
environments = st.sampled_from(["staging", "production", "prod", ""])
people = st.sampled_from(["ann", "ben", "mia", "eve", "slack:U1", "policy", "agent:deploy"])
words = st.text(max_size=40)


def steps() -> st.SearchStrategy[NextStep]:
    """Return anything that a model may answer, sensible or not."""
    return st.one_of(
        st.builds(Deploy, service=names, ref=refs, environment=environments, reason=words),
        st.builds(RollBack, service=names, environment=environments, to=st.none(), reason=words),
        st.builds(CheckDeployments, environment=st.none() | environments),
        st.builds(ListGitTags, service=st.none() | names, limit=st.integers(-5, 10**15)),
        st.builds(RequestHumanInput, question=words),
        st.builds(Wait, seconds=st.integers(-1, 10**9), reason=words),
        st.builds(DoneForNow, message=words),
        st.builds(NothingToDo, message=words),
    )


def _request(name: str) -> ApprovalRequest:
    clock = FakeClock()
    deployer = FakeDeployer(catalog(verified_in=None), clock.now)
    return ApprovalRequest(
        id=name,
        thread="t1",
        head="",
        plan=deployer.plan("deploy", "backend", "main", "production"),
        rule=Rule(approvers=("ann", "ben", "mia"), quorum=2 if name == "r2" else 1),
        requesters=("ann",),
        expires_at=NOON + timedelta(minutes=30),
    ).sealed()


STEP = Deploy(service="backend", ref="v1.1.0", environment="production", reason="")
REQUESTS = {name: _request(name) for name in ("r1", "r2")}


def _pool(minute: int) -> list[Event]:
    """Return everything that could be tried at this minute, right or wrong."""
    at = NOON + timedelta(minutes=minute)
    by = "ben"
    pool: list[Event] = [
        ApiMessageReceived(at=at, by=by, delivery="d", text="words"),
        StepChosen(at=at, by=by, step=DoneForNow(message=""), model="scripted"),
        QuestionAsked(at=at, by=by, question_id="q", question="which?"),
        Finished(at=at, by=by, message="done"),
        Cancelled(at=at, by=by),
        Paused(at=at, by=by),
        Resumed(at=at, by=by),
    ]
    for name, request in REQUESTS.items():
        about = {"at": at, "by": by, "request_id": name}
        digests = (request.digest, "0" * 64)
        pool += [
            ApprovalRequested(at=at, by="agent:deploy", request=request),
            ApprovalDenied(
                **about, delivery="d", digest=request.digest, channel="api", feedback="no"
            ),
            ApprovalExpired(**about),
            ApprovalSuperseded(**about, changes=("sha",)),
            ApprovalSuperseded(**about, changes=("sha",), edited_by="ben"),
            EditRequested(**about, delivery="d", digest=request.digest, step=STEP, channel="api"),
            EditRefused(**about, reason_code="ref_missing", error="No such ref."),
            DeploySucceeded(**about, sha="a" * 40, seconds=1),
            DeployFailed(**about, step="build", error="no", live=None),
            DeployOutcomeUnknown(**about, step="build", live=None),
            *(DeployStarted(**about, digest=d, operation=name, fence=1) for d in digests),
            *(
                ApprovalGranted(**(about | {"by": who}), delivery="d", digest=digest, channel="api")
                for who in ("ann", "ben", "mia", "eve", "policy")
                for digest in digests
            ),
        ]
    return pool


ONWARD = (ApiMessageReceived, ApprovalRequested, ApprovalGranted, DeployStarted)
"""What a history needs to get anywhere; drawn half of the time."""


def _by_kind(pool: list[Event]) -> dict[str, list[Event]]:
    kinds: dict[str, list[Event]] = {}
    for event in pool:
        kinds.setdefault(event.kind, []).append(event)
    return kinds


POOLS = {minute: _by_kind(_pool(minute)) for minute in (1, 31)}
KINDS = sorted(POOLS[1]) + 5 * [event.model_fields["kind"].default for event in ONWARD]


def walk(chance: Random, longest: int = 25) -> list[Event]:
    """Return a history that the table lets through, each event chosen from all that it would."""
    standing, history, minute = Standing(), [], 1
    for _ in range(longest):
        minute = 31 if chance.random() < 0.05 else minute
        tried = POOLS[minute][chance.choice(KINDS)]
        legal = [(event, after_) for event in tried if (after_ := _try(standing, event))]
        if legal:
            event, standing = chance.choice(legal)
            history.append(event)
    return history


histories = st.randoms(use_true_random=False).map(walk)


def _try(standing: Standing, event: Event) -> Standing | None:
    try:
        return after(standing, event)
    except IllegalEventError:
        return None
