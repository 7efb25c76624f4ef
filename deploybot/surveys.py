"""Looks around from time to time: what is live, what moved unheard, what drifted, what waits too long.

No I/O of its own: the store, the deployer and where things are kept are given. When it looks is the
clock's; what comes of a finding is the thread's that it opens.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from deploy.plan import SHORT
from deploybot.errors import ConflictError, DuplicateError
from deploybot.events import (
    ApprovalGranted,
    ApprovalRequested,
    BranchUpdated,
    DriftFound,
    Event,
    ScheduleFired,
)
from deploybot.ports import Clockwork, Deployer, EnvironmentRow, Head, People, Store
from deploybot.thread import thread_id_for

ENVIRONMENTS, REPOSITORIES, LOCKS = "environments", "repositories", "locks"
EVERY = {ENVIRONMENTS: 60.0, REPOSITORIES: 300.0, LOCKS: 60.0}
"""What is looked at, and after how many seconds again."""

DAILY = "daily look"


class Heads(Protocol):
    """Where each branch stood when it was looked at last."""

    def get(self, repository: str) -> str | None:
        """Return the SHA; None when it was never looked at."""

    def put(self, repository: str, sha: str) -> None:
        """Remember the SHA."""


class Surveyor:
    """Finds what nobody told of, and opens a thread for it, once."""

    def __init__(
        self,
        *,
        store: Store,
        deployer: Deployer,
        people: People,
        clock: Clockwork,
        heads: Heads,
        keep: Callable[[tuple[EnvironmentRow, ...]], None],
    ) -> None:
        self._store = store
        self._deployer = deployer
        self._people = people
        self._clock = clock
        self._heads = heads
        self._keep = keep

    def survey(self, what: str) -> None:
        """Look at the environments or the repositories; anything else is nothing to look at."""
        if what == ENVIRONMENTS:
            self.environments()
        elif what == REPOSITORIES:
            self.repositories()

    def environments(self) -> None:
        """Keep what is live where, tell of drift once, and offer what has waited for too long."""
        rows = tuple(map(self._with_origin, self._deployer.environments()))
        self._keep(rows)
        for row in rows:
            self._tell_drift(row)
        for environment, table in self._deployer.catalog.environments.items():
            if table.offer_after_hours is not None:
                here = tuple(row for row in rows if row.environment == environment)
                self._offer(environment, here, timedelta(hours=table.offer_after_hours))

    def repositories(self) -> None:
        """Hear of branches that moved though no webhook said so."""
        for head in self._deployer.heads():
            before = self._heads.get(head.repository)
            if before is not None and before != head.commit.sha:
                self._moved(head, before)
            self._heads.put(head.repository, head.commit.sha)

    def _moved(self, head: Head, before: str) -> None:
        """Append what the webhook would have: the same thread, and the same key if it still comes."""
        ref, commit = f"refs/heads/{head.branch}", head.commit
        key = f"github:ref:{head.repository}:{ref}:{commit.sha}"
        moved = BranchUpdated(
            at=self._clock.now(),
            by="clock",
            delivery=key,
            repository=head.repository,
            branch=head.branch,
            before=before,
            after=commit.sha,
            pusher=self._people.by_email(commit.email),
            subject=commit.subject,
        )
        self._open(thread_id_for("github", head.repository, ref, commit.sha), moved, key)

    def _tell_drift(self, row: EnvironmentRow) -> None:
        live = row.live.sha if row.live else None
        drifted = row.ours is not None and live != row.ours
        if not drifted or row.problem or row.operation is not None:
            return
        place = (row.service, row.environment, str(live), str(row.ours))
        found = DriftFound(
            at=self._clock.now(),
            by="clock",
            service=row.service,
            environment=row.environment,
            live=live,
            expected=row.ours,
        )
        self._open(thread_id_for("drift", *place), found, ":".join(("drift", *place)))

    def _offer(
        self, environment: str, rows: tuple[EnvironmentRow, ...], patience: timedelta
    ) -> None:
        """Offer the deploy of commits that have waited for longer than the environment's patience."""
        now = self._clock.now()
        late = [
            row
            for row in rows
            if row.waiting_since is not None
            and now - row.waiting_since >= patience
            and row.hold is None
            and row.operation is None
        ]
        offers = [(row, sha) for row in late if (sha := self._may_go_there(row))]
        if not offers:
            return
        row, sha = offers[0]
        hours = round((now - (row.waiting_since or now)).total_seconds() / 3600)
        text = f"deploy {row.service} {sha[:SHORT]} to {environment}"
        why = f"{row.behind or len(row.missing)} commits have waited for up to {hours} h"
        key = f"offer:{environment}:{now:%Y-%m-%d}"
        offer = ScheduleFired(at=now, by="clock", delivery=key, name=f"{DAILY}: {why}", text=text)
        self._open(thread_id_for("offer", environment, f"{now:%Y-%m-%d}"), offer, key)

    def _may_go_there(self, row: EnvironmentRow) -> str | None:
        """Return the newest commit that could be deployed there now, if it is not live already."""
        earlier = self._deployer.catalog.environments[row.environment].verified_in
        if earlier is None:
            return row.missing[0].sha
        live = self._deployer.live(row.service, earlier)
        missing = {commit.sha for commit in row.missing}
        return live.sha if live and live.verified and live.sha in missing else None

    def _open(self, thread_id: str, event: Event, key: str) -> None:
        """Begin a thread with the event, unless that was done before."""
        with suppress(DuplicateError, ConflictError):
            thread = self._store.load(thread_id)
            if not thread.events:
                self._store.append(thread, event, dedupe=(key,))

    def _with_origin(self, row: EnvironmentRow) -> EnvironmentRow:
        """Add to a row who asked for what is live, and who approved it."""
        approval = row.live.approval_id if row.live else None
        thread_id = self._store.find(f"operation:{approval}") if approval else None
        if thread_id is None or approval is None:
            return row
        request_id = approval.partition(".")[0]
        asked: tuple[str, ...] = ()
        approved: list[str] = []
        for event in self._store.load(thread_id).events:
            match event:
                case ApprovalRequested(request=request) if request.id == request_id:
                    asked = request.requesters
                case ApprovalGranted(request_id=found, by=by) if found == request_id:
                    approved.append(by)
                case _:
                    pass
        return replace(row, thread=thread_id, asked_by=asked, approved_by=tuple(approved))
