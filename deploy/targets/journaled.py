"""What every target does with its journal: begin, note, end, probe and settle; the steps are its own."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from deploy import failpoints, history
from deploy.errors import Refusal, RefusedError, StepFailedError
from deploy.journal import Journal
from deploy.plan import Action, PlannedStep
from deploy.records import (
    BeganRecord,
    ClosedRecord,
    EndedRecord,
    Record,
    StepRecord,
    SwitchedRecord,
    VerifiedRecord,
)
from deploy.target import Began, Ended, Live, NeverBegan, Order, Probe, Site, StepDone


class Journaled:
    """A target whose past is one journal, `base/<environment>/<service>/journal.jsonl`.

    A kind of target adds `planned_steps` and `steps`, and says more about `live_sha` where the
    place itself can be asked.
    """

    remote = False

    def __init__(self, site: Site) -> None:
        self.site = site
        self.catalog = site.catalog
        self.service = site.service
        self.environment = site.environment
        self.clock = site.clock
        self.place = site.catalog.environments[site.environment].services[site.service]
        self.config_hash = site.catalog.config_hash(site.service, site.environment)
        base: Path = site.catalog.services[site.service].target.base
        self.folder = base / site.environment / site.service
        self.journal = Journal(self.folder / "journal.jsonl")

    def live_sha(self) -> str | None:
        """Return the commit that is live: the last that the journal saw go live."""
        switches = (r for r in self.records() if isinstance(r, SwitchedRecord))
        last = next(switches, None)
        return last.sha if last else None

    def live_since(self) -> datetime:
        """Return since when something is live that this journal knows nothing of."""
        return datetime.fromtimestamp(0, UTC)

    def planned_steps(self, action: Action, sha: str) -> tuple[PlannedStep, ...]:
        """Return the steps that would make `sha` live; each kind of target says its own."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make what must stand before an order may begin."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def current(self) -> Live | None:
        """Return what is live, with what the journal knows of it."""
        sha = self.live_sha()
        if sha is None:
            return None
        switched = history.last_switch_to(self.records(), sha)
        return Live(
            sha=sha,
            release=f"releases/{sha}",
            since=switched.at if switched else self.live_since(),
            approval_id=switched.approval_id if switched else None,
            verified=history.is_verified(self.records(), sha),
        )

    def records(self) -> Iterator[Record]:
        """Yield the journal, the newest record first."""
        return self.journal.newest_first()

    def begin(self, order: Order) -> None:
        """Record that the order begins; refuse one whose plan no longer fits what is here.

        Raises SeenApprovalError, OldFenceError, RefusedError (`plan_changed`) or TargetError.
        """
        self.prepare()
        self.journal.check(order.approval_id, order.fence)
        self._same_as_planned(order)
        self.journal.begin(
            BeganRecord(
                at=self.clock(),
                approval_id=order.approval_id,
                fence=order.fence,
                digest=order.digest,
                head=order.head,
                sha=order.plan.sha,
                action=order.plan.action,
            )
        )

    def note(self, order: Order, done: StepDone) -> None:
        """Record that a step has ended; OldFenceError if the order may not act here any more."""
        with self.journal.owned(order.fence) as write:
            write(
                StepRecord(
                    at=self.clock(),
                    approval_id=order.approval_id,
                    name=done.name,
                    ok=done.ok,
                    seconds=done.seconds,
                )
            )

    def switched(
        self, order: Order, sha: str | None, previous: str | None, *, back: bool
    ) -> SwitchedRecord:
        """Return the record that another commit went live."""
        return SwitchedRecord(
            at=self.clock(), approval_id=order.approval_id, sha=sha, previous=previous, back=back
        )

    def end(self, order: Order, failed: StepFailedError | None) -> None:
        """Record how the order ended."""
        with self.journal.owned(order.fence) as write:
            write(
                EndedRecord(
                    at=self.clock(),
                    approval_id=order.approval_id,
                    outcome="failed" if failed else "succeeded",
                    step=failed.step if failed else None,
                    error=failed.error if failed else None,
                    tail=failed.tail if failed else (),
                    stranded=failed.stranded if failed else False,
                )
            )

    def verify(self, sha: str) -> bool:
        """Record that tests passed on `sha`; False, recording nothing, if it is not live now."""
        if self.live_sha() != sha:
            return False
        self.journal.append(VerifiedRecord(at=self.clock(), sha=sha))
        return True

    def probe(self, approval_id: str) -> Probe:
        """Tell what became of an approval, from the journal."""
        records = self.journal.of(approval_id)
        began = next((r for r in records if isinstance(r, BeganRecord)), None)
        if began is None:
            return NeverBegan()
        live = self.live_sha()
        ended = next((r for r in records if isinstance(r, EndedRecord)), None)
        if ended is None:
            steps = [r.name for r in records if isinstance(r, StepRecord)]
            return Began(last_step=steps[-1] if steps else None, live_sha=live)
        return Ended(
            outcome=ended.outcome,
            sha=began.sha,
            live_sha=live,
            step=ended.step,
            error=ended.error,
            tail=ended.tail,
            link=ended.link,
            stranded=ended.stranded,
        )

    def settle(self, order: Order) -> Probe:
        """Close the order in the journal, so that its worker can do nothing more, and probe."""
        failpoints.at("target.settle.before")
        self.close(order)
        failpoints.at("target.settle.after")
        return self.probe(order.approval_id)

    def close(self, order: Order) -> None:
        """Shut the order's worker out, unless the order has ended."""
        self.prepare()
        self.journal.close(
            ClosedRecord(at=self.clock(), approval_id=order.approval_id, fence=order.fence)
        )

    def cancel(self, order: Order) -> None:
        """Do nothing: what runs here is stopped by the guard of its worker."""

    def _same_as_planned(self, order: Order) -> None:
        plan = order.plan
        changed = None
        if (plan.service, plan.environment) != (self.service, self.environment):
            changed = "it is for another place"
        elif plan.config_hash != self.config_hash:
            changed = "the configuration has changed"
        elif plan.previous_sha != self.live_sha():
            changed = "another release went live"
        elif plan.steps != self.planned_steps(plan.action, plan.sha):
            changed = "its steps have changed"
        if changed is not None:
            raise RefusedError(
                Refusal(
                    "plan_changed",
                    f"The plan was made earlier, and since then {changed}. Nothing was deployed; "
                    "ask for the deploy again to see it as it is now.",
                )
            )
