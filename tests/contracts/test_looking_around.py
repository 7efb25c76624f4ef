"""The surveys over a real repository, real release directories and a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from fakes import PEOPLE
from redis_server import running_server
from shop import Shop, now, quick

from deploy.look import Look
from deploybot.deployer import CatalogDeployer
from deploybot.events import BranchUpdated, DriftFound
from deploybot.overview import RedisHeads, RedisOverview
from deploybot.ports import Clockwork
from deploybot.redis_safety import client
from deploybot.store import RedisStore
from deploybot.surveys import ENVIRONMENTS, REPOSITORIES, Surveyor


@pytest.fixture
def connection() -> Iterator[redis.Redis]:
    with running_server() as url:
        yield client(url)


class Place:
    """The sample shop's backend on staging, and whoever looks around there."""

    def __init__(self, folder: Path, connection: redis.Redis) -> None:
        self.shop = Shop(folder)
        self.store = RedisStore(connection, key=b"k" * 32, now=now)
        catalog = quick(self.shop)
        self.look = Look(catalog, clock=now)
        self.overview = RedisOverview(connection, self.store, now)
        self.surveyor = Surveyor(
            store=self.store,
            deployer=CatalogDeployer(catalog, self.store, now),
            people=PEOPLE,
            clock=Clockwork(now=now, new_id=lambda: "id"),
            heads=RedisHeads(connection),
            keep=self.overview.keep,
        )

    def threads_of(self, kind: type) -> list[str]:
        """Return the threads that began with such an event."""
        found = self.store.list(limit=100).threads
        return [one for one in found if isinstance(self.store.load(one).events[0], kind)]


@pytest.fixture
def place(tmp_path: Path, connection: redis.Redis) -> Place:
    return Place(tmp_path, connection)


def test_three_merges_that_no_webhook_told_of_are_found_as_the_newest(place: Place) -> None:
    place.surveyor.survey(REPOSITORIES)
    place.shop.repository.merge_good(now())
    newest = place.shop.repository.merge_broken(now())

    place.surveyor.survey(REPOSITORIES)
    place.surveyor.survey(REPOSITORIES)

    (thread,) = place.threads_of(BranchUpdated)
    moved = place.store.load(thread).events[0]
    assert isinstance(moved, BranchUpdated)
    assert moved.after == newest
    assert moved.subject == place.shop.repository.subject(newest)


def test_a_release_that_somebody_switched_by_hand_is_told_once(place: Place) -> None:
    place.shop.deploy(place.look, "backend", "v1.0.0", "staging")
    place.surveyor.survey(ENVIRONMENTS)
    place.shop.deploy(place.look, "backend", "v1.1.0", "staging")
    place.surveyor.survey(ENVIRONMENTS)
    assert place.threads_of(DriftFound) == []

    current = next(place.shop.base.rglob("current"))
    older = next(
        path
        for path in current.parent.rglob("*")
        if path.is_dir() and (path / "built").exists() and path.resolve() != current.resolve()
    )
    current.unlink()
    current.symlink_to(Path("releases") / older.name)
    for _ in range(3):
        place.surveyor.survey(ENVIRONMENTS)

    (thread,) = place.threads_of(DriftFound)
    found = place.store.load(thread).events[0]
    assert isinstance(found, DriftFound)
    assert found.live != found.expected


def test_what_is_live_where_is_kept_for_those_who_must_not_ask(place: Place) -> None:
    assert place.overview.read().rows == ()
    place.shop.deploy(place.look, "backend", "v1.0.0", "staging")
    place.surveyor.survey(ENVIRONMENTS)

    overview = place.overview.read()

    (row,) = overview.rows
    live = place.look.live("backend", "staging")
    assert overview.at is not None
    assert row.live == live
    assert row.behind == len(row.missing) > 0
    assert row.waiting_since == row.missing[-1].at


def test_a_target_that_cannot_be_asked_is_named_with_its_trouble(place: Place) -> None:
    place.shop.deploy(place.look, "backend", "v1.0.0", "staging")
    journal = next(path for path in place.shop.base.rglob("*") if "journal" in path.name)
    journal.write_text("{ broken\n" * 3)

    place.surveyor.survey(ENVIRONMENTS)

    (row,) = place.overview.read().rows
    assert row.problem
    assert place.threads_of(DriftFound) == []
