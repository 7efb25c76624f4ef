"""Random people: they ask, approve, deny, talk, lock and stop, in Slack and over the API, and keep their own ledger."""

import json
import random
import threading
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from soak.company import CHANNELS, PEOPLE, REFS, SoakCompany, places

TRIES = 40
"""How often a client sends a call again, with the same key, before it gives up."""
BOT = "@deploybot"


@dataclass
class Ledger:
    """What clients of the bot know: what they sent, and what was acknowledged."""

    api_threads: dict[str, str] = field(default_factory=dict)
    """Nonce → thread that the bot said it made."""
    given_up: list[str] = field(default_factory=list)
    """Nonces whose call was never answered."""
    said: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Crowd:
    """One thread of the machine for each person."""

    def __init__(self, company: SoakCompany, seed: int, pause: float) -> None:
        self._company = company
        self._seed = seed
        self._pause = pause
        self._stop = threading.Event()
        self.ledger = Ledger()
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._lives, args=(who, nr), name=f"{who}-{nr}")
            for who in PEOPLE
            for nr in range(2)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _lives(self, who: str, nr: int) -> None:
        person = PersonAtWork(self, who, random.Random(f"{self._seed}/{who}/{nr}"), f"{who}{nr}")
        while not self._stop.wait(self._pause * person.chance.uniform(0.3, 1.7)):
            try:
                person.acts()
            except Exception as error:  # noqa: BLE001 - told at the end
                self.failures.append(f"{who} fell: {error!r}"[:500])
                return

    def call(self, who: str, method: str, path: str, body: Any, key: str) -> tuple[int, Any]:
        """Call the API, again with the same key until it answers; (0, None) when it never does."""
        for _ in range(TRIES):
            status, answer = self._company.web.call(method, path, body, by=who, key=key)
            if status and status != 503:
                with self.ledger.lock:
                    self.ledger.answered[f"api {status}"] += 1
                return status, answer
            if self._stop.wait(0.5):
                break
        return 0, None

    def slack(self, path: str, body: Any) -> Any:
        """Do in the workspace what a person does there; None when it was not possible."""
        parts = urlsplit(self._company.slack_url)
        headers = {"Content-Type": "application/json"}
        with (
            suppress(OSError, HTTPException, ValueError),
            closing(HTTPConnection(parts.hostname or "", parts.port, timeout=60)) as connection,
        ):
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
            return answer if response.status < 300 else None
        return None


class PersonAtWork:
    """One person, who does one thing at a time."""

    def __init__(self, crowd: Crowd, who: str, chance: random.Random, mark: str) -> None:
        self._crowd = crowd
        self._company = crowd._company
        self.who = who
        self.chance = chance
        self._mark = mark
        self._count = 0

    def acts(self) -> None:
        acts = {
            "asks_in_slack": 30,
            "asks_by_api": 15,
            "answers_in_slack": 35,
            "answers_by_api": 25,
            "talks": 8,
            "locks": 4,
            "unlocks": 6,
            "stops": 4,
            "settles": 10,
        }
        act = self.chance.choices(tuple(acts), tuple(acts.values()))[0]
        with self._crowd.ledger.lock:
            self._crowd.ledger.said[act] += 1
        getattr(self, f"_{act}")()

    def _wish(self) -> str:
        service, environment = self.chance.choice(places())
        return f"deploy {service} {self.chance.choice(REFS)} to {environment}"

    def _nonce(self) -> str:
        self._count += 1
        return f"{self._mark}-{self._count}"

    def _says(self, text: str, thread_ts: str | None = None, channel: str = "") -> None:
        said = {"channel": channel or self.chance.choice(CHANNELS), "text": f"{BOT} {text}"}
        self._crowd.slack(f"/_human/{self.who}/say", {**said, "thread_ts": thread_ts})

    def _asks_in_slack(self) -> None:
        wish = self._wish()
        words = wish if self.chance.random() < 0.6 else f"could you please {wish} for us, thanks"
        self._says(words)

    def _asks_by_api(self) -> None:
        nonce = self._nonce()
        text = f"please {self._wish()} ({nonce})"
        status, answer = self._crowd.call(self.who, "POST", "/api/threads", {"text": text}, nonce)
        with self._crowd.ledger.lock:
            if status == 201:
                self._crowd.ledger.api_threads[nonce] = answer["id"]
            elif not status:
                self._crowd.ledger.given_up.append(nonce)

    def _answers_in_slack(self) -> None:
        """Press a button of any card, open or long closed; now and then twice."""
        cards = self._cards()
        if not cards:
            return
        requests = [card for card in cards if any("approve" in action for action in card[2])]
        if requests and self.chance.random() < 0.8:
            cards = requests
        channel, ts, actions = self.chance.choice(cards[-12:])
        approve = next((a for a in actions if "approve" in a), None)
        action = approve if approve and self.chance.random() < 0.8 else self.chance.choice(actions)
        for _ in range(self.chance.choice((1, 1, 2))):
            click = {"channel": channel, "ts": ts, "action_id": action}
            done = self._crowd.slack(f"/_human/{self.who}/click", click)
            with self._crowd.ledger.lock:
                self._crowd.ledger.answered[f"click {action} {'done' if done else 'too late'}"] += 1

    def _answers_by_api(self) -> None:
        waiting = self._threads("awaiting_approval")
        if not waiting:
            return
        name = self.chance.choice(waiting)
        status, thread = self._crowd.call(self.who, "GET", f"/api/threads/{name}", None, "")
        request = (thread or {}).get("request") if status == 200 else None
        if not request:
            return
        approved = self.chance.random() < 0.75
        body = {
            "request": request["id"], "digest": request.get("digest", ""), "approved": approved,
            "comment": "" if approved else "not today",
        }  # fmt: skip
        path = f"/api/threads/{name}/decision"
        self._crowd.call(self.who, "POST", path, body, self._nonce())

    def _talks(self) -> None:
        """Say something in a thread that the bot takes part in."""
        cards = self._cards()
        words = self.chance.choice(("what's live?", "never mind", self._wish()))
        if cards and self.chance.random() < 0.7:
            channel, ts, _ = self.chance.choice(cards[-12:])
            self._says(words, ts, channel)
        else:
            self._says(words)

    def _locks(self) -> None:
        service, environment = self.chance.choice(places())
        self._says(f"lock {service} on {environment} for 1m: a look at the tables")

    def _unlocks(self) -> None:
        service, environment = self.chance.choice(places())
        self._says(f"unlock {service} on {environment}")

    def _stops(self) -> None:
        if cards := self._cards():
            channel, ts, _ = self.chance.choice(cards[-6:])
            self._says("stop", ts, channel)

    def _settles(self) -> None:
        for name in self._threads("outcome_unknown")[:3]:
            settle(self._crowd, self.who, name, self._nonce())

    def _threads(self, status: str) -> list[str]:
        path = f"/api/threads?status={status}&limit=50"
        answered, found = self._crowd.call(self.who, "GET", path, None, "")
        return [row["id"] for row in found["threads"]] if answered == 200 else []

    def _cards(self) -> list[tuple[str, str, list[str]]]:
        """Return messages of the bot with buttons, oldest first: channel, ts, the buttons."""
        workspace = self._company.workspace
        with workspace.lock:
            found = [
                (channel, message.ts, buttons)
                for channel in CHANNELS
                for message in list(workspace.conversations.by_id[channel].messages.values())[-60:]
                if message.by_bot and (buttons := _buttons(message.blocks))
            ]
        return sorted(found, key=lambda card: card[1])


def settle(crowd: Crowd, who: str, thread: str, key: str) -> None:
    """Look at what is live, as a person would, and say how the deploy ended."""
    status, shown = crowd.call(who, "GET", f"/api/threads/{thread}", None, "")
    request = (shown or {}).get("request") if status == 200 else None
    if not request:
        return
    kept = crowd._company.store.load(thread).standing.request
    if kept is None or kept.id != request["id"]:
        return
    live = crowd._company.look.live(kept.plan.service, kept.plan.environment)
    outcome = "succeeded" if live is not None and live.sha == kept.plan.sha else "failed"
    body = {"request": request["id"], "outcome": outcome}
    crowd.call(who, "POST", f"/api/threads/{thread}/resolve", body, key)


def _buttons(blocks: tuple[Any, ...]) -> list[str]:
    return [
        element["action_id"]
        for block in blocks
        for element in block.get("elements", [])
        if element.get("type") == "button" and "action_id" in element and "url" not in element
    ]
