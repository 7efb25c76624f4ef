import os
import threading
import time
from http.client import HTTPConnection, HTTPException
from subprocess import Popen

import pytest
from shop import PYTHON, ROOT, Shop, now, quick

from deploy.look import Look
from deploy.process import pause
from deploy.targets.health import ask


@pytest.fixture(name="shop")
def _shop(tmp_path):
    return Shop(tmp_path)


def host(shop) -> Popen[bytes]:
    port = shop.ports["staging", "backend"]
    words = ["--base", str(shop.base), "--environment", "staging", "--service", "backend"]
    command = [PYTHON, "-m", "deploybot.demo.host", *words, "--port", str(port)]
    return Popen(command, cwd=ROOT)


def url(shop) -> str:
    return f"{shop.url('staging', 'backend')}/healthz"


def until(condition) -> bool:
    deadline = time.monotonic() + 15
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause(0.02)
    return True


def test_it_serves_what_current_points_at_and_follows_it(shop):
    look = Look(quick(shop), clock=now)
    running = host(shop)
    try:
        for ref in ("v1.0.0", "v1.1.0"):
            shop.deploy(look, "backend", ref, "staging")
            sha = look.repository("backend").resolve(ref).sha
            assert until(lambda sha=sha: ask(url(shop)).sha == sha)
    finally:
        running.terminate()

    assert running.wait(20) == 0
    assert until(lambda: ask(url(shop)).sha is None)


def test_nobody_is_turned_away_while_releases_change_places(shop):
    look = Look(quick(shop), clock=now)
    refs = ["v1.0.0", "v1.1.0", "v1.1.1", "v1.2.0", "v1.2.1"]
    shop.deploy(look, "backend", refs[0], "staging")
    running = host(shop)
    ended = threading.Event()
    bad: list[str] = []
    good: list[int] = []

    def keep_asking() -> None:
        while not ended.is_set():
            connection = HTTPConnection(f"127.0.0.1:{shop.ports['staging', 'backend']}", timeout=10)
            try:
                connection.request("GET", "/products")
                good.append(len(connection.getresponse().read()))
            except (OSError, HTTPException) as error:
                bad.append(repr(error))
            finally:
                connection.close()

    try:
        assert until(lambda: ask(url(shop)).sha is not None)
        customers = [threading.Thread(target=keep_asking) for _ in range(3)]
        for customer in customers:
            customer.start()
        for ref in refs[1:]:
            shop.deploy(look, "backend", ref, "staging")
            sha = look.repository("backend").resolve(ref).sha
            assert until(lambda sha=sha: all(ask(url(shop)).sha == sha for _ in range(8)))
        ended.set()
        for customer in customers:
            customer.join()
    finally:
        ended.set()
        running.terminate()
        running.wait(20)

    assert len(good) > 50
    assert bad == []


def test_a_server_that_dies_is_started_again(shop):
    look = Look(quick(shop), clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")
    running = host(shop)
    try:
        assert until(lambda: ask(url(shop)).sha is not None)
        for child in children(running.pid):
            os.kill(child, 9)

        assert until(lambda: ask(url(shop)).sha is not None)
        assert until(lambda: len(children(running.pid)) == 1)
    finally:
        running.terminate()
        running.wait(20)


def test_it_dies_with_its_parent(shop):
    look = Look(quick(shop), clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")
    parent = os.fork()
    if parent == 0:
        host(shop).wait()
        os._exit(0)
    try:
        assert until(lambda: ask(url(shop)).sha is not None)
    finally:
        os.kill(parent, 9)
        os.waitpid(parent, 0)

    assert until(lambda: ask(url(shop)).sha is None)


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123 (a file of the kernel)
        return [int(word) for word in file.read().split()]
