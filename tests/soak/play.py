"""One soak from its start to its verdict."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from soak.company import SoakCompany, places
from soak.monkey import Monkey
from soak.people import Crowd, settle
from soak.verdict import RESTING, Verdict, judged, threads, untold

from deploybot.errors import StoreUnavailableError
from deploybot.thread import Status

QUIET_WITHIN = 900.0
"""Seconds within which everything comes to rest once nothing breaks any more."""


class Soak:
    """Plays people against the monkey in a folder."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        kills_per_second: float,
        *,
        pause: float = 2.0,
        quiet_within: float = QUIET_WITHIN,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._seed = seed
        self._rate = kills_per_second
        self._pause = pause
        self._quiet_within = quiet_within
        self._say = say
        self.quiet_after = 0.0
        self.log = ""

    def play(self, seconds: float) -> Verdict:
        """Play for so long, wait for quiet, and judge."""
        with SoakCompany(self._folder, self._seed) as company:
            self.monkey = Monkey(company, self._seed, self._rate)
            self.crowd = Crowd(company, self._seed, self._pause)
            self.crowd.start()
            self.monkey.start()
            self._watch(seconds)
            self.crowd.stop()
            self.monkey.stop()
            since = time.monotonic()
            verdict = self._quiet(company)
            self.quiet_after = time.monotonic() - since
            verdict.wrong[:0] = self.monkey.failures + self.crowd.failures
            self.moods = dict(company.model.moods)
            if not verdict.good:
                self.log = company.log()
        return verdict

    def _watch(self, seconds: float) -> None:
        """Let it play for so long, and say every minute how far it is."""
        began = time.monotonic()
        while (left := seconds - (time.monotonic() - began)) > 0:
            threading.Event().wait(min(left, 60))
            played = (time.monotonic() - began) / 60
            said = f"{self.monkey.kills} kills, {sum(self.crowd.ledger.said.values())} things said"
            self._say(f"{played:.0f} min: {said}")

    def _quiet(self, company: SoakCompany) -> Verdict:
        """Free every place, settle what is not known, and let the bot finish and tell everything."""
        number = 0

        def at_rest() -> bool:
            nonlocal number
            company.supervise()  # it gives up while the store is away
            company.hurry_slack()
            for service, environment in places():
                company.store.release_hold(service, environment)
            busy = [thread for thread in threads(company) if thread.status not in RESTING]
            for thread in busy:
                if thread.status is Status.OUTCOME_UNKNOWN:
                    number += 1
                    settle(self.crowd, "ann", thread.id, f"settle-{number}")
            return not busy and not untold(company, list(threads(company)))

        try:
            company.until(at_rest, "everything comes to rest and is told", self._quiet_within)
        except (AssertionError, StoreUnavailableError) as error:
            verdict = judged(company, self.crowd.ledger)
            verdict.wrong.append(str(error))
            return verdict
        return judged(company, self.crowd.ledger)

    def report(self, verdict: Verdict) -> str:
        """Return the figures in words."""
        rows: dict[str, object] = {
            "kills": self.monkey.kills,
            "restarts": self.monkey.restarts,
            **dict(sorted(self.monkey.broken.items())),
            "the model": ", ".join(f"{mood} {n}" for mood, n in sorted(self.moods.items())),
            "what people did": dict(self.crowd.ledger.said),
            "what they were answered": dict(self.crowd.ledger.answered),
            **verdict.figures,
            "seconds until all was quiet": round(self.quiet_after, 1),
            "lost": len(verdict.lost),
            "doubled": len(verdict.doubled),
            "untold": len(verdict.untold),
            "otherwise wrong": len(verdict.wrong),
        }
        lines = [f"{name:<36} {value}" for name, value in rows.items()]
        found = verdict.wrong + verdict.lost + verdict.doubled + verdict.untold
        return "\n".join([*lines, *(f"  ! {one}" for one in found[:50])])
