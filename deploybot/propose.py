"""Proposals: turns a chosen change into what people are asked to approve, or says why it cannot be.

Everything on the card but the reason is found by code. Nothing here runs anything: `operate` does,
once enough people said yes.
"""

from datetime import datetime, timedelta

from deploy.errors import DeployError, Refusal, RefusedError
from deploy.moments import parse_start
from deploy.plan import Plan
from deploybot.approvals import POLICY, ApprovalRequest, Rights, barred
from deploybot.differing import what_changed
from deploybot.directory import ConfiguredDirectory, rule_of
from deploybot.edited import Edited
from deploybot.editing import AS_SHOWN, started_by, with_editor
from deploybot.errors import LookupFailedError
from deploybot.events import (
    PERSON,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalSuperseded,
    EditRefused,
    EditRequested,
    Event,
    PlansShown,
    StepChosen,
    StepFailed,
)
from deploybot.lines import WORTH_WAITING, jumps, lined_up
from deploybot.next_step import Change, RollBack, to_wire
from deploybot.pipeline import this_turn
from deploybot.planning import Planning
from deploybot.ports import Clockwork, Deployer, Directory, People, Store
from deploybot.rule import Rule
from deploybot.thread import Thread
from deploybot.votes import could_be_met

NOBODY_KNOWN = People()


class Proposals:
    """Resolves and checks a change, and asks people; what runs is looked up here, not chosen."""

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
        self._directory = directory or ConfiguredDirectory(deployer.catalog.groups)
        self._store = store
        self._deployer = deployer
        self._clock = clock

    def propose(self, thread: Thread, step: Change) -> Thread:
        """Show people exactly what would run; or wait in line for it; or say why it cannot run."""
        intent = str(to_wire(step)["intent"])
        planning = Planning(self._deployer, thread, step, thread.standing.requesters)
        try:
            return self._append(thread, *self._outcome(thread, step, planning))
        except RefusedError as error:
            code, text = str(error.reason_code), str(error)
            if code in WORTH_WAITING and not thread.standing.dry_run:
                return self._append(thread, self._lined_up(thread, step, planning, text))
        except DeployError as error:
            code, text = "not_planned", str(error)
        except LookupFailedError as error:
            code = "rights_unknown"
            text = f"Who may approve could not be looked up: {error}. Nobody was asked."
        by = f"agent:{thread.standing.agent}"
        failed = StepFailed(at=self._clock.now(), by=by, intent=intent, code=code, error=text)
        return self._append(thread, failed)

    def edit(self, thread: Thread) -> Thread:
        """Show people what somebody wants instead of the open request; or say why it stays as it is.

        Either all of it happens or nothing: the old card ends in the moment in which the new one
        is there, or the place in line for it.
        """
        edit, shown = thread.standing.edit, thread.standing.request
        if edit is None or shown is None:
            return thread
        planning = Planning(self._deployer, thread, edit.step, with_editor(shown, edit.by))
        try:
            asked = self._outcome(thread, edit.step, planning, edit)
        except RefusedError as error:
            code, text = str(error.reason_code), str(error)
            if code in WORTH_WAITING:
                waits = self._lined_up(thread, edit.step, planning, text)
                where = f"it waits in line for {planning.at} on {edit.step.environment}"
                return self._append(thread, *self._superseded(edit, (where,)), waits)
        except DeployError as error:
            code, text = "not_planned", str(error)
        except LookupFailedError as error:
            code, text = "rights_unknown", f"Who may approve could not be looked up: {error}."
        else:
            changes = _changes_shown(asked)
            if changes:
                return self._append(thread, *self._superseded(edit, changes), *asked)
            code, text = "unchanged", AS_SHOWN
        refused = EditRefused(
            at=self._clock.now(),
            by="agent:code",
            request_id=edit.request_id,
            reason_code=code,
            error=text,
        )
        return self._append(thread, refused)

    def _superseded(self, edit: EditRequested, changes: tuple[str, ...]) -> tuple[Event, ...]:
        """Return the end of the old card, and the step that a person chose instead of the agent."""
        now = self._clock.now()
        superseded = ApprovalSuperseded(
            at=now,
            by="agent:code",
            request_id=edit.request_id,
            changes=changes,
            edited_by=edit.by,
        )
        return (superseded, StepChosen(at=now, by=edit.by, step=edit.step, model=PERSON))

    def _outcome(
        self, thread: Thread, step: Change, planning: Planning, edit: EditRequested | None = None
    ) -> tuple[Event, ...]:
        """Return what the step comes to when nothing is against it; raises what is."""
        now, by = self._clock.now(), f"agent:{thread.standing.agent}"
        start_at = self._start_at(thread, step, now, edit)
        rule = self._rule(step.environment, now)
        breaks = rule is not None and _may_break_freezes(rule, planning.requesters)
        plans = planning.plans(start_at, breaks_glass=breaks)
        if thread.standing.dry_run or rule is None:
            return (PlansShown(at=now, by=by, plans=plans, start_at=start_at),)
        request = self._request(thread, step, plans, rule, start_at)
        request = _asked_by(request, planning.requesters, edit, thread.standing.request)
        if not could_be_met(request, Rights.when_asked(request.rule)):
            raise RefusedError(_nobody_left(request))
        asked = ApprovalRequested(at=now, by=by, request=request)
        if not request.rule.automatic:
            return (asked,)
        granted = ApprovalGranted(
            at=now,
            by=POLICY,
            delivery=f"policy:{request.id}",
            request_id=request.id,
            digest=request.digest,
            channel="policy",
        )
        return (asked, granted)

    def _rule(self, environment: str, now: datetime) -> Rule | None:
        """Return who may approve there; None for an environment that there is not."""
        if environment not in self._deployer.catalog.environments:
            return None
        return rule_of(self._deployer, environment, self._directory, self._people, now)

    def _request(
        self,
        thread: Thread,
        step: Change,
        plans: tuple[Plan, ...],
        rule: Rule,
        start_at: datetime | None,
    ) -> ApprovalRequest:
        """Return what people are asked, or what the standing rule approves."""
        now = self._clock.now()
        countdown = self._countdown(thread, step)
        if countdown is not None:
            rule = rule.model_copy(update={"automatic": True, "anyone_may_stop": True})
            start_at = now + timedelta(seconds=countdown)
        return ApprovalRequest(
            id=self._clock.new_id(),
            thread=thread.id,
            head=thread.head,
            plan=plans[0],
            more=plans[1:],
            rule=rule,
            requesters=thread.standing.requesters,
            asked=thread.standing.asked,
            reason=step.reason,
            expires_at=start_at or now + timedelta(seconds=rule.expires_seconds),
            start_at=start_at,
            authors=self._authors(plans, rule),
        ).sealed()

    def _authors(self, plans: tuple[Plan, ...], rule: Rule) -> tuple[str, ...]:
        """Return who wrote what would go live, where they may not approve it."""
        if rule.author_may_approve or rule.automatic:
            return ()
        addresses = (address for plan in plans for address in plan.author_addresses)
        return tuple(dict.fromkeys(self._people.by_author(address) for address in addresses))

    def _start_at(
        self, thread: Thread, step: Change, now: datetime, edit: EditRequested | None
    ) -> datetime | None:
        """Return when the change is to start; None for at once. Raises RefusedError.

        A time without a day is the next one after it was asked for; planned anew once that has
        come, the change starts as soon as it is approved.
        """
        if isinstance(step, RollBack) or step.at is None:
            return None
        if edit is not None:
            start = started_by(step, self._deployer.catalog, edit.at)
            return start if start and start > now else None
        table = self._deployer.catalog.environments.get(step.environment)
        asked_at = next(
            event.at
            for event in this_turn(thread)
            if isinstance(event, StepChosen) and event.step == step
        )
        start = parse_start(step.at, asked_at, table.time_zone if table else "UTC")
        return start if start > now else None

    def _countdown(self, thread: Thread, step: Change) -> int | None:
        """Return after how many seconds plain code's own roll back starts by policy; None for never."""
        pending = thread.standing.pending
        if not isinstance(step, RollBack) or pending is None or pending.model != "code":
            return None
        return self._deployer.catalog.environments[step.environment].roll_back_after_seconds

    def _lined_up(self, thread: Thread, step: Change, planning: Planning, why: str) -> Event:
        return lined_up(
            self._store,
            thread,
            planning.at,
            step.environment,
            why=why,
            first=jumps(step),
            now=self._clock.now(),
        )

    def _append(self, thread: Thread, *events: Event) -> Thread:
        return self._store.append(thread, *events, wake=False)


def _asked_by(
    request: ApprovalRequest,
    requesters: tuple[str, ...],
    edit: EditRequested | None,
    shown: ApprovalRequest | None,
) -> ApprovalRequest:
    """Return the request with who asked for it, and with what an edit changed of what was shown."""
    if edit is None or shown is None:
        return request
    changes = what_changed(shown, request.plans, request.start_at)
    edited = Edited(by=edit.by, changes=changes, comment=edit.comment)
    return request.model_copy(update={"requesters": requesters, "edited": edited}).sealed()


def _changes_shown(asked: tuple[Event, ...]) -> tuple[str, ...]:
    requests = (event.request for event in asked if isinstance(event, ApprovalRequested))
    return next((one.edited.changes for one in requests if one.edited), ())


def _nobody_left(request: ApprovalRequest) -> Refusal:
    """Say that nobody could approve it, so that people are not asked."""
    rule = request.rule
    left = ", ".join(one for one in rule.everybody if not barred(request, one))
    who = f"{', '.join(request.requesters) or 'nobody'} asked"
    if request.authors:
        who += f", and {', '.join(request.authors)} wrote it"
    groups = f", one from each of {', '.join(rule.one_from_each)}" if rule.one_from_each else ""
    return Refusal(
        "nobody_can_approve",
        f"{request.plan.environment} takes the word of {rule.quorum}{groups}, and left are "
        f"{left or 'none'}: {who}. Nobody was asked and nothing was deployed; let somebody else "
        "ask, or add approvers.",
    )


def _may_break_freezes(rule: Rule, requesters: tuple[str, ...]) -> bool:
    """Tell whether somebody asked who may break the glass, and so may be shown what is frozen."""
    circle = rule.break_glass
    return circle is not None and bool(set(circle.people) & set(requesters))
