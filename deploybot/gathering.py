"""Gathers what the invariants are judged by, from one installation: its store and its targets.

What must hold is written in `invariants`, how it is told in the command line.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import cast

import redis

from deploy.catalog import Catalog
from deploy.errors import DeployError
from deploy.look import Look
from deploybot.audit import PAGE, Stored
from deploybot.chain import Entry, opened
from deploybot.errors import DeploybotError, StoreUnavailableError
from deploybot.invariants import Place, Read, Site, Verdict, World, check
from deploybot.ledger import RedisLedger
from deploybot.ports import Store
from deploybot.prompting import Words, entries, render
from deploybot.queue import PREFIX, answering, due_key
from deploybot.thread import Thread


class Gathering:
    """Reads threads as they are kept, sealed with `key`; `words` are those that models read them in."""

    def __init__(self, connection: redis.Redis, key: bytes, words: Words | None = None) -> None:
        self._redis = connection
        self._key = key
        self._words = words
        self.ledger = RedisLedger(connection)

    def threads(self) -> Iterator[Read]:
        """Yield all threads there are."""
        with self.ledger.threads() as names:
            for name in names:
                yield self.thread(name)

    def thread(self, thread_id: str) -> Read:
        """Read one thread, as far as it is as it was sealed."""
        thread, heads, bad = Thread(thread_id), [], ""
        try:
            stored = tuple(self._entries(thread_id))
            for event, mac in opened(self._key, thread_id, stored):
                thread = thread.extended(event, head=mac)
                heads.append(mac)
            if not stored:
                bad = "it is listed, and has no events"
            elif self.ledger.cut_off(thread_id, len(stored)):
                bad = f"event {len(stored) + 1} was there once, and has been removed"
        except StoreUnavailableError:
            raise
        except DeploybotError as error:
            bad = str(error)
        with answering():
            notes = cast(dict[bytes, bytes], self._redis.hgetall(f"{PREFIX}outbox:{thread_id}"))
            untold = self._redis.zscore(due_key("deliver"), thread_id) is not None
        return Read(
            thread,
            tuple(heads),
            bad,
            {key.decode(): value.decode() for key, value in notes.items()},
            untold,
            self._reads(thread),
        )

    def _entries(self, thread_id: str) -> Iterator[Entry]:
        number = 0
        while page := self.ledger.page(thread_id, number, PAGE):
            for entry in page:
                number += 1
                yield _in_place(thread_id, number, entry)

    def _reads(self, thread: Thread) -> tuple[str, tuple[tuple[str, object], ...]] | None:
        if self._words is None or not thread.events:
            return None
        return render(thread, self._words), entries(thread, self._words)


def _in_place(thread_id: str, number: int, stored: Stored) -> Entry:
    entry_id, fields = stored
    if entry_id != b"%d-0" % number or fields.keys() != {b"e", b"m"}:
        raise DeploybotError(f"Event {number} of thread {thread_id} is missing or was replaced.")
    return Entry(fields[b"e"], fields[b"m"].decode(errors="replace"))


def sites(catalog: Catalog, look: Look, store: Store) -> Mapping[Place, Site]:
    """Ask each place for its journal and what is live, and the store for what runs there."""
    return {
        (service, environment): _site(look, store, service, environment)
        for environment, table in catalog.environments.items()
        for service in table.services
    }


def _site(look: Look, store: Store, service: str, environment: str) -> Site:
    operation = store.operation(service, environment)
    try:
        target = look.target(service, environment)
        records = tuple(reversed(tuple(target.records())))
        live = target.current()
    except DeployError as error:
        return Site(operation=operation, problem=str(error))
    return Site(records, live.sha if live else None, operation, remote=target.remote)


def settled_verdicts(
    threads: Callable[[], Iterable[Read]], world: Callable[[], World], looks: int = 2
) -> tuple[Verdict, ...]:
    """Judge a company at work: only what is wrong at each of several looks counts as wrong.

    Threads and targets cannot be read at one instant, so what changes between them may look wrong
    once.
    """
    verdicts = check(threads(), world())
    for _ in range(looks - 1):
        if all(verdict.holds for verdict in verdicts):
            break
        again = {verdict.name: verdict.violations for verdict in check(threads(), world())}
        verdicts = tuple(
            Verdict(v.name, v.says, tuple(w for w in v.violations if w in again[v.name]))
            for v in verdicts
        )
    return verdicts
