"""Who may lock a place, or change a lock, and what comes of it; where locks are kept is the store's.

Pure: locks, configuration, people and time are given. `holding` and `agent` store what comes of it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from deploy.catalog import Catalog, EnvironmentTable
from deploy.locks import Hold
from deploybot.events import HoldPlaced, HoldReleased
from deploybot.hold_phrases import (
    HoldRefusal,
    anothers,
    held_by_a_roll_back,
    misnamed,
    not_locked,
    not_yours,
    place,
    until,
    written,
)
from deploybot.next_step import PlaceHold, ReleaseHold
from deploybot.ports import People

LONGEST = timedelta(days=30)
"""How far ahead the end of a lock may lie; one without an end lasts until somebody unlocks."""
NO_REASON = "no reason was given"
LONGEST_REASON = 500

HoldStep = PlaceHold | ReleaseHold


@dataclass(frozen=True)
class Scene:
    """What a word about a lock is judged by."""

    holds: tuple[Hold, ...]
    catalog: Catalog
    people: People
    now: datetime
    approvers: tuple[str, ...]
    """Who may approve there, as looked up now."""


@dataclass(frozen=True)
class HoldChange:
    """What a word about a lock comes to: the event, what stands then (`hold`), and what stood (`free`)."""

    event: HoldPlaced | HoldReleased
    hold: Hold | None
    free: Hold | None
    text: str
    """For whoever said it."""


def decide(
    step: HoldStep, scene: Scene, *, delivery: str, thread: str = ""
) -> HoldChange | HoldRefusal:
    """Return what the step changes, or why it may not."""
    if refusal := misnamed(step.service, step.environment, scene.catalog):
        return refusal
    word = _Word(step, scene, delivery, thread)
    held = word.meant()
    if isinstance(step, PlaceHold) and step.how == "locked":
        return word.locked(held)
    if held is None:
        return word.not_locked()
    if isinstance(step, ReleaseHold):
        return word.released(held)
    changes = {
        "extended": word.extended,
        "handed_over": word.handed_over,
        "taken_over": word.taken_over,
    }
    return changes[step.how](held)


@dataclass(frozen=True)
class _Word:
    """One person's word about one place."""

    step: HoldStep
    scene: Scene
    delivery: str
    thread: str

    @property
    def _where(self) -> str:
        return place(self.step.service, self.step.environment)

    @property
    def _table(self) -> EnvironmentTable:
        return self.scene.catalog.environments[self.step.environment]

    @property
    def _approves(self) -> bool:
        """Whether the speaker may approve there; where nobody needs to, whoever is known may."""
        approvers = self.scene.approvers
        return self.step.by in approvers if approvers else self._is_known

    @property
    def _is_known(self) -> bool:
        return self.scene.people.get(self.step.by) is not None

    def _may_change(self, held: Hold) -> bool:
        return self._approves or (held.made_by == "person" and self.step.by == held.owner)

    def meant(self) -> Hold | None:
        """Return the hold that it is about: a roll back's to be freed first, else a person's first."""
        here = {
            hold.made_by: hold
            for hold in self.scene.holds
            if (hold.service, hold.environment) == (self.step.service, self.step.environment)
        }
        by_person, by_roll_back = here.get("person"), here.get("rollback")
        if isinstance(self.step, ReleaseHold) and by_roll_back and self._approves:
            return by_roll_back
        return by_person or by_roll_back

    # -- each kind of word ---------------------------------------------------------

    def locked(self, held: Hold | None) -> HoldChange | HoldRefusal:
        step = _placing(self.step)
        if not self._is_known:
            text = (
                "I do not know you here, so nothing was locked. Ask an operator to add you to "
                "deploybot's people."
            )
            return HoldRefusal("unknown_person", text)
        in_the_way = held or self._everything_locked_by_others()
        if in_the_way and in_the_way.made_by == "rollback":
            return held_by_a_roll_back(in_the_way)
        if in_the_way and in_the_way.owner != step.by:
            return anothers(in_the_way)
        expires = self._end(step, self.scene.now)
        if isinstance(expires, HoldRefusal):
            return expires
        hold = Hold(
            service=step.service,
            environment=step.environment,
            owner=step.by,
            reason=_plain(step.reason) or (held.reason if held else NO_REASON),
            at=self.scene.now,
            expires=expires,
            warn_only=step.warn_only,
            thread=self.thread,
        )
        kind = " It only warns: deploys go on." if hold.warn_only else ""
        text = f"{self._where} is locked by you{until(hold)}.{kind}"
        return self._placed(hold, held, text)

    def released(self, held: Hold) -> HoldChange | HoldRefusal:
        if not self._may_change(held):
            return not_yours(held, self.scene.approvers, "release", "so it stays held")
        event = HoldReleased(
            at=self.scene.now,
            by=self.step.by,
            service=self.step.service or "",
            environment=self.step.environment,
            was=held.reason,
            was_owner=held.owner,
            delivery=self.delivery,
        )
        text = f"{self._where} is free again. It had been held: {held.reason}."
        return HoldChange(event, None, held, text)

    def extended(self, held: Hold) -> HoldChange | HoldRefusal:
        step = _placing(self.step)
        if not self._may_change(held):
            return not_yours(
                held, self.scene.approvers, "change the lock of", "so it stays as it is"
            )
        if held.expires is None and step.until is None:
            text = f"The lock of {self._where} has no end, so nothing was changed."
            return HoldRefusal("no_end", text)
        expires = self._end(step, held.expires or self.scene.now)
        if isinstance(expires, HoldRefusal):
            return expires
        if expires is None:
            return HoldRefusal(
                "time_refused",
                "You did not say for how long, so nothing was changed. Write "
                f"`extend the lock of {written(step.service, step.environment)} by 1h`.",
            )
        hold = held.model_copy(update={"expires": expires, "reminded": self.scene.now})
        return self._placed(hold, held, f"{self._where} stays locked{until(hold)}.")

    def handed_over(self, held: Hold) -> HoldChange | HoldRefusal:
        step = _placing(self.step)
        if held.made_by == "rollback":
            return held_by_a_roll_back(held)
        if not self._may_change(held):
            return not_yours(held, self.scene.approvers, "hand over", "so it stays theirs")
        new = _person(step.to, self.scene.people)
        if new is None:
            known = ", ".join(person.id for person in self.scene.people.known) or "nobody"
            text = f"I know nobody called {step.to[:60]!r}, so nothing was changed. Known: {known}."
            return HoldRefusal("unknown_person", text)
        if new == held.owner:
            text = f"{self._where} is {new}'s already; nothing was changed."
            return HoldRefusal("yours_already", text)
        hold = self._anew(held, owner=new)
        return self._placed(hold, held, f"The lock of {self._where} is {new}'s now.")

    def taken_over(self, held: Hold) -> HoldChange | HoldRefusal:
        step = _placing(self.step)
        if held.made_by == "rollback":
            return held_by_a_roll_back(held)
        if held.owner == step.by:
            text = f"{self._where} is yours already; nothing was changed."
            return HoldRefusal("yours_already", text)
        if not self._approves:
            return not_yours(held, self.scene.approvers, "take over", f"so it stays {held.owner}'s")
        why = f" (taken over: {_plain(step.reason)})" if step.reason.strip() else ""
        hold = self._anew(held, owner=step.by, reason=_plain(held.reason + why))
        text = f"The lock of {self._where} is yours now; {held.owner} is told."
        return self._placed(hold, held, text)

    def not_locked(self) -> HoldRefusal:
        return not_locked(self.step.service, self.step.environment, self._everything())

    # -- what they share -----------------------------------------------------------

    def _placed(self, hold: Hold, held: Hold | None, text: str) -> HoldChange:
        event = HoldPlaced(
            at=self.scene.now,
            by=self.step.by,
            delivery=self.delivery,
            hold=hold,
            how=_placing(self.step).how,
            was_owner=held.owner if held and held.owner != hold.owner else "",
        )
        return HoldChange(event, hold, held, text)

    def _anew(self, held: Hold, **changes: object) -> Hold:
        begun = {"at": self.scene.now, "reminded": None, "thread": self.thread}
        return held.model_copy(update={**begun, **changes})

    def _end(self, step: PlaceHold, start: datetime) -> datetime | HoldRefusal | None:
        """Return when the lock ends, None for never, or why not then."""
        try:
            end = step.until or (start + timedelta(seconds=step.seconds) if step.seconds else None)
        except OverflowError:
            end = self.scene.now + 2 * LONGEST
        if end is None:
            return None
        if end <= self.scene.now:
            text = f"{end:%Y-%m-%d %H:%M} UTC is past, so nothing was changed. Name a later time."
            return HoldRefusal("time_refused", text)
        if end - self.scene.now > LONGEST:
            text = (
                f"A lock lasts at most {LONGEST.days} days, so nothing was changed. Name an earlier "
                "end, or none."
            )
            return HoldRefusal("time_refused", text)
        return end

    def _everything(self) -> Hold | None:
        return next(
            (
                hold
                for hold in self.scene.holds
                if hold.service is None and hold.environment == self.step.environment
            ),
            None,
        )

    def _everything_locked_by_others(self) -> Hold | None:
        hold = self._everything()
        if hold is None or hold.warn_only or hold.owner == self.step.by:
            return None
        return hold


def _placing(step: HoldStep) -> PlaceHold:
    if isinstance(step, PlaceHold):
        return step
    raise AssertionError(step)  # a release is decided apart


def _plain(reason: str) -> str:
    return " ".join(reason.split()).rstrip(".")[:LONGEST_REASON]


def _person(name: str, people: People) -> str | None:
    """Return the one known person whom this names: by id, or by name as people write it."""
    wanted = name.strip().removeprefix("@").casefold()
    known = people.known
    for names in (
        [person.id for person in known],
        [person.name for person in known],
        [person.name.partition(" ")[0] for person in known],
    ):
        found = [
            one.id for one, called in zip(known, names, strict=True) if called.casefold() == wanted
        ]
        if len(found) == 1:
            return found[0]
    return None
