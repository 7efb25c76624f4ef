"""The last look before a start: what was approved, by whose leave, and whether both still hold."""

from collections.abc import Iterator
from datetime import datetime

from deploy.errors import DeployError, RefusedError
from deploy.plan import Plan
from deploybot.answers import asked_at
from deploybot.approvals import POLICY, ApprovalRequest, Grant, Rights
from deploybot.differing import differences
from deploybot.directory import ConfiguredDirectory, rights_now, rule_of, stand_ins_now
from deploybot.errors import LookupFailedError
from deploybot.events import (
    ApprovalExpired,
    ApprovalSuperseded,
    DeployStarted,
    Event,
    StepFailed,
)
from deploybot.lines import WORTH_WAITING, lined_up
from deploybot.ports import Asking, Clockwork, Deployer, Directory, People, Store
from deploybot.propose import NOBODY_KNOWN
from deploybot.thread import Thread
from deploybot.votes import broke_glass, is_met, lost_rights


class Gate:
    """Plans anew what is about to start, and counts the approvals by the rights that hold now."""

    def __init__(
        self,
        *,
        store: Store,
        deployer: Deployer,
        clock: Clockwork,
        directory: Directory | None = None,
        people: People = NOBODY_KNOWN,
    ) -> None:
        self._people = people
        self._store = store
        self._deployer = deployer
        self._clock = clock
        self._directory = directory or ConfiguredDirectory(deployer.catalog.groups)

    def closed(self, thread: Thread, request: ApprovalRequest, part: int) -> Event | None:
        """Check everything again right before the start; return the event that closes, or None.

        Before the first change all of them are checked, before a later one only that.
        """
        now = self._clock.now()
        if part == 0 and now >= request.start_by:
            return ApprovalExpired(at=now, by="clock", request_id=request.id)
        grants, changes = thread.standing.grants, tuple[str, ...]()
        try:
            ruled = self._as_ruled_now(request)
            rights = self._rights(ruled, grants)
        except LookupFailedError as error:
            text = f"Who may approve could not be looked up again: {error}. Nothing was started."
            return self.refused(thread, request.plans[part], "rights_unknown", text)
        coming = {plan.service: plan.sha for plan in request.plans[:part]}
        deployer = self._deployer.at_once()
        for shown in request.plans[part:] if part == 0 else request.plans[part : part + 1]:
            asking = Asking(
                thread.id,
                request.requesters,
                dict(coming),
                asked_at=asked_at(thread, request),
                began_at=_began_at(thread, request),
                breaks_glass=any(broke_glass(ruled, grant, rights) for grant in grants),
            )
            try:
                ref = shown.sha if part else shown.ref  # what began goes on, whatever moved since
                plan = deployer.plan(
                    shown.action, shown.service, ref, shown.environment, asking=asking
                )
            except RefusedError as error:
                return self.refused(thread, shown, error.reason_code, str(error))
            except DeployError as error:
                return self.refused(thread, shown, "not_planned", str(error))
            changes = (*changes, *differences(shown, plan))
            coming[plan.service] = plan.sha
        if request.sealed().digest != request.digest:
            changes = (*changes, "the request does not match its digest")
        changes = (*changes, *_no_longer_met(ruled, grants, rights))
        if not changes:
            return None
        return ApprovalSuperseded(
            at=self._clock.now(), by="agent:code", request_id=request.id, changes=changes
        )

    def _as_ruled_now(self, request: ApprovalRequest) -> ApprovalRequest:
        """Return the request with the rule as it is configured and looked up now."""
        environment = request.plan.environment
        if environment not in self._deployer.catalog.environments:
            return request  # its plan is refused for that
        now = self._clock.now()
        rule = rule_of(self._deployer, environment, self._directory, self._people, now)
        if request.rule.anyone_may_stop:  # a countdown: the standing rule is the policy's own
            rule = rule.model_copy(update={"automatic": True, "anyone_may_stop": True})
        return request.model_copy(update={"rule": rule})

    def _rights(self, request: ApprovalRequest, grants: tuple[Grant, ...]) -> Rights:
        answers = [(grant.by, grant.channel) for grant in grants if grant.by != POLICY]
        table = self._deployer.catalog.environments.get(request.plan.environment)
        zone = table.time_zone if table else "UTC"
        stand_ins = stand_ins_now(self._people, zone, self._clock.now())
        return rights_now(self._directory, request.rule, answers, stand_ins)

    def refused(self, thread: Thread, shown: Plan, code: str, error: str) -> Event:
        """Return what a refusal at the start amounts to: a place in line, or an end in words."""
        now = self._clock.now()
        if code in WORTH_WAITING and thread.standing.part == 0:
            return lined_up(
                self._store,
                thread,
                shown.service,
                shown.environment,
                why=error,
                first=shown.action == "roll_back",
                now=now,
            )
        return StepFailed(at=now, by="agent:code", intent="start", code=code, error=error)


def _no_longer_met(
    request: ApprovalRequest, grants: tuple[Grant, ...], rights: Rights
) -> Iterator[str]:
    """Yield why the approvals are not enough by the rule and the rights as they are now."""
    if is_met(request, grants, rights):
        return
    lost = lost_rights(request, grants, rights)
    yield from (f"who may approve: {person} {what}" for person, what in lost.items())
    if not lost:
        yield "who may approve"


def _began_at(thread: Thread, request: ApprovalRequest) -> datetime | None:
    events = (e for e in thread.events if isinstance(e, DeployStarted))
    return next((event.at for event in events if event.request_id == request.id), None)
