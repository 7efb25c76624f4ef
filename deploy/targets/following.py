"""Following what was launched elsewhere to its end, within its limits, from the journal alone."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

from deploy import failpoints
from deploy.errors import BusyError, DeployError, PlaceError
from deploy.journal import Journal
from deploy.records import (
    BeganRecord,
    EndedRecord,
    IntentRecord,
    SeenRecord,
    StopRecord,
    SwitchedRecord,
)
from deploy.remote_tables import RemoteTable
from deploy.target import Began, Ended, NeverBegan, Probe, Running
from deploy.targets.elsewhere import Elsewhere, Going, Over, Sight, Unseen, Work
from deploy.targets.past import Past

SELDOM_SECONDS = 60.0
"""However long something has run, it is looked at again after so long."""
_NEVER_LAUNCHED = "its worker ended before it was launched; nothing was changed"


class Following:
    """Follows the launched work of one service in one environment; holds nothing between looks."""

    def __init__(
        self,
        journal: Journal,
        place: Elsewhere,
        table: RemoteTable,
        clock: Callable[[], datetime],
    ) -> None:
        self._journal = journal
        self._place = place
        self._table = table
        self._clock = clock

    def probe(self, approval_id: str) -> Probe:
        """Tell what became of an approval; changes nothing, here or there."""
        past = Past(self._journal.of(approval_id))
        if past.began is None:
            return NeverBegan()
        if past.ended is not None:
            return self._ended(past.began, past.ended)
        if past.asked is None:
            return Began(last_step=None, live_sha=self._live_sha())
        sight = self._look(past.work(past.began, past.asked))
        if isinstance(sight, Over) and not _must_undo(past, sight):
            return self._ended(past.began, self._end_of(past, past.began, sight))
        return self._going(past, past.asked, sight)

    def settle(self, approval_id: str) -> Probe:
        """Look how it goes, stop what is over its limits, and record the end once it is there."""
        past = Past(self._journal.of(approval_id))
        if past.began is None:
            return NeverBegan()
        if past.ended is not None:
            return self._ended(past.began, past.ended)
        if past.asked is None:
            end = self._end(past.began, "failed", "launch", _NEVER_LAUNCHED)
            return self._ended(past.began, self._journal.finish(end))
        work = past.work(past.began, past.asked)
        sight = self._look(work)
        if isinstance(sight, Over):
            if not _must_undo(past, sight):
                return self._over(past, past.began, past.asked, work, sight)
            self._stop(past, sight.error or "it failed", sight.step, sight.tail)
        else:
            self._note(past, approval_id, sight)
            self._keep_within_limits(Past(self._journal.of(approval_id)), past.asked)
        return self._going(Past(self._journal.of(approval_id)), past.asked, sight)

    def stop(self, approval_id: str, reason: str) -> None:
        """Ask that the work stops; what has ended, or was never launched, stays as it is."""
        past = Past(self._journal.of(approval_id))
        if past.ended is None:
            self._stop(past, reason, past.step)

    def _look(self, work: Work) -> Sight | BusyError | None:
        """Look at the place; without a sight, return what it asked for, or None."""
        failpoints.at("elsewhere.look.before")
        try:
            return self._place.look(work)
        except BusyError as error:
            return error
        except PlaceError:
            return None

    def _note(self, past: Past, approval_id: str, sight: Sight | BusyError | None) -> None:
        """Write down what has changed since the last look."""
        if not isinstance(sight, Going) or (past.seen and past.seen.mark == sight.mark):
            return
        self._journal.note(
            SeenRecord(
                at=self._clock(),
                approval_id=approval_id,
                mark=sight.mark,
                step=sight.step,
                link=sight.link,
            )
        )

    def _keep_within_limits(self, past: Past, asked: IntentRecord) -> None:
        """Ask the place to stop what takes too long, or was silent too long."""
        table, now = self._table, self._clock()
        heard = past.seen.at if past.seen else asked.at
        if past.stop is not None:
            self._stop(past, past.stop.reason, None)  # the place may not have heard it
        elif now >= asked.at + timedelta(seconds=table.timeout_seconds):
            reason = f"it took longer than {table.timeout_seconds:g} s (timeout_seconds)"
            self._stop(past, reason, past.step)
        elif now >= heard + timedelta(seconds=table.silence_seconds):
            reason = f"nothing changed for {table.silence_seconds:g} s (silence_seconds)"
            self._stop(past, reason, past.step)

    def _stop(self, past: Past, reason: str, step: str | None, tail: tuple[str, ...] = ()) -> None:
        if past.began is None or past.asked is None:
            return
        if past.stop is None:
            approval = past.began.approval_id
            self._journal.note(
                StopRecord(
                    at=self._clock(), approval_id=approval, reason=reason, step=step, tail=tail
                )
            )
        with suppress(PlaceError):  # it is asked again at the next look
            self._place.stop(past.work(past.began, past.asked))

    def _going(
        self, past: Past, asked: IntentRecord, sight: Sight | BusyError | None
    ) -> Running | Began:
        """Tell that it still goes on, or, once all time is up, that this cannot be told."""
        table, now = self._table, self._clock()
        limit = timedelta(seconds=table.stops_within_seconds)
        is_lost = past.stop is not None and now >= past.stop.at + limit
        if isinstance(sight, Unseen):
            appears_by = asked.at + timedelta(seconds=table.appears_within_seconds)
            is_lost = is_lost or now >= appears_by
        if is_lost:
            return Began(last_step=past.step, live_sha=self._live_sha())
        again = table.look_again_seconds
        if past.stop is None:  # what has run for long is looked at less often
            again = max(again, min((now - asked.at).total_seconds() / 20, SELDOM_SECONDS))
        if isinstance(sight, BusyError):
            again = max(again, sight.retry_after)
        if isinstance(sight, Going):
            return Running(step=sight.step, link=sight.link, look_again_seconds=again)
        return Running(step=past.step or "launch", link=past.link, look_again_seconds=again)

    def _over(
        self, past: Past, began: BeganRecord, asked: IntentRecord, work: Work, over: Over
    ) -> Probe:
        """Tell the place how it ended, then record it; the first may be tried again."""
        try:
            self._place.finish(work, over)
        except PlaceError:
            limit = self._table.timeout_seconds + self._table.stops_within_seconds
            if self._clock() < asked.at + timedelta(seconds=limit):
                return self._going(past, asked, None)
        end = self._end_of(past, began, over)
        if not over.ok:
            return self._ended(began, self._journal.finish(end))
        switched = SwitchedRecord(
            at=end.at,
            approval_id=began.approval_id,
            sha=began.sha,
            previous=asked.previous,
            back=began.action == "roll_back",
        )
        return self._ended(began, self._journal.finish(end, switched))

    def _end_of(self, past: Past, began: BeganRecord, over: Over) -> EndedRecord:
        link = over.link or past.link
        if over.ok:
            return self._end(began, "succeeded", None, None, link=link)
        if past.stop is None:
            return self._end(began, "failed", over.step, over.error, over.tail, link)
        error = f"{past.stop.reason}; {over.error or 'it has stopped'}"
        step, tail = past.stop.step or over.step, past.stop.tail or over.tail
        return self._end(began, "failed", step, error, tail, link)

    def _end(
        self,
        began: BeganRecord,
        outcome: Literal["succeeded", "failed"],
        step: str | None,
        error: str | None,
        tail: tuple[str, ...] = (),
        link: str = "",
    ) -> EndedRecord:
        return EndedRecord(
            at=self._clock(),
            approval_id=began.approval_id,
            outcome=outcome,
            step=step,
            error=error,
            tail=tail,
            link=link,
        )

    def _ended(self, began: BeganRecord, end: EndedRecord) -> Ended:
        return Ended(
            outcome=end.outcome,
            sha=began.sha,
            live_sha=self._live_sha(),
            step=end.step,
            error=end.error,
            tail=end.tail,
            link=end.link,
        )

    def _live_sha(self) -> str | None:
        try:
            live = self._place.current(self._journal.newest_first())
        except DeployError:
            return None  # how an order ended is told even where what is live cannot be
        return live.sha if live else None


def _must_undo(past: Past, over: Over) -> bool:
    return over.undo and past.stop is None
