"""A disk that is full before the switch: the old release stays live, and the error says so."""

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from shop import Shop, free, now, quick, unheard

from deploy.catalog import Catalog
from deploy.errors import JournalError
from deploy.look import Look
from deploy.run import run
from deploy.target import Ended, NeverBegan

SIZE = 600_000


@pytest.fixture(name="disk")
def _disk(tmp_path) -> Iterator[Path]:
    """Mount a small disk, which takes root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


class Place:
    """The sample shop's backend, v1.0.0 live, its releases on a small disk."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.shop = Shop(folder)
        self.base = base
        self.go()
        run(self.target, self.order("v1.0.0"), guard=free, progress=unheard)
        self.old = self.live()
        assert self.old is not None

    def go(self, **settings: object) -> None:
        tables = quick(self.shop, **settings).model_dump()
        tables["services"]["backend"]["target"]["base"] = str(self.base)
        self.look = Look(Catalog.model_validate(tables), clock=now)
        self.target = self.look.target("backend", "staging")

    def order(self, ref: str):
        return self.shop.order(self.look.plan("deploy", "backend", ref, "staging"))

    def live(self) -> str | None:
        live = self.target.current()
        return live.sha if live else None

    def commits_something_big(self) -> None:
        head = self.shop.repository.head().encode()
        self.shop.repository.load(
            b"commit refs/heads/main\ncommitter X <x@x> 1 +0000\ndata 3\nbig\nfrom %s\n"
            b"M 100644 inline backend/big\ndata %d\n%s\n" % (head, 2 * SIZE, b"x" * 2 * SIZE)
        )

    def fill(self) -> None:
        room = os.statvfs(self.base)
        with (self.base / "filler").open("wb", buffering=0) as filler:
            try:
                filler.write(b"x" * max(0, room.f_bavail * room.f_frsize))
            except OSError:
                return


@pytest.mark.row(32)
def test_a_build_that_fills_the_disk(tmp_path, disk):
    place = Place(tmp_path, disk / "releases")
    place.go(build=[["sh", "-c", "cat /dev/zero > big"]])
    order = place.order("v1.1.0")

    outcome = run(place.target, order, guard=free, progress=unheard)

    assert (outcome.outcome, outcome.step) == ("failed", "build")
    assert "No space left on device" in outcome.tail[-1]
    assert outcome.live_sha == place.live() == place.old


@pytest.mark.row(32)
def test_a_release_that_does_not_fit(tmp_path, disk):
    place = Place(tmp_path, disk / "releases")
    place.commits_something_big()
    order = place.order("main")

    outcome = run(place.target, order, guard=free, progress=unheard)

    assert (outcome.outcome, outcome.step) == ("failed", "export")
    assert outcome.error is not None
    assert outcome.error.startswith("The disk is full at ")
    assert "What was live still is; make room and deploy again." in outcome.error
    assert outcome.live_sha == place.live() == place.old


@pytest.mark.row(32)
def test_a_journal_that_cannot_be_written_lets_nothing_begin(tmp_path, disk):
    place = Place(tmp_path, disk / "releases")
    order = place.order("v1.1.0")
    journal = disk / "releases/staging/backend/journal.jsonl"
    text = (
        journal.read_text() + f'{{"at":"2026-01-01T00:00:00Z","kind":"verified","sha":"{place.old}"'
    )
    page = os.sysconf("SC_PAGE_SIZE")
    spaces = " " * (page - (len(text) + 2) % page)  # its last block has no room left either
    journal.write_text(f"{text}{spaces}}}\n")
    place.fill()

    with pytest.raises(JournalError, match="cannot be written"):
        run(place.target, order, guard=free, progress=unheard)

    assert place.target.probe(order.approval_id) == NeverBegan()
    assert place.live() == place.old
    (place.base / "filler").unlink()
    assert run(place.target, order, guard=free, progress=unheard).outcome == "succeeded"


def test_files_above_the_size_that_a_user_may_write_are_said(tmp_path):
    place = Place(tmp_path, tmp_path / "releases")
    place.commits_something_big()
    order = place.order("main")

    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))
        run(place.target, order, guard=free, progress=unheard)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    probe = place.target.probe(order.approval_id)

    assert os.waitstatus_to_exitcode(status) == 0
    assert isinstance(probe, Ended)
    assert (probe.outcome, probe.step) == ("failed", "export")
    assert probe.error is not None
    assert probe.error.startswith("The disk is full at ")
    assert place.live() == place.old
