import pytest
from fakes import FakeClock
from redis_server import emptied

from deploybot.web.sessions import GRACE, Sessions


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def connection(redis_url):
    connection = emptied(redis_url)
    yield connection
    connection.close()


@pytest.fixture
def sessions(connection, clock) -> Sessions:
    return Sessions(connection, clock.now)


def test_a_session_is_found_by_its_id_and_by_no_other(sessions):
    session = sessions.begin("ann")

    assert sessions.find(session.id) == session
    assert sessions.find(session.id[:-1]) is None
    assert sessions.find("") is None


def test_the_store_holds_nothing_that_opens_a_session(sessions, connection):
    session = sessions.begin("ann")

    stored = [key for key in connection.keys("*") if b"session" in key]
    assert stored
    assert session.id.encode() not in b"".join(stored)
    assert session.id.encode() not in b"".join(connection.hvals(stored[0]))
    assert all(connection.pttl(key) > 0 for key in stored)


def test_signing_in_again_ends_the_session_before(sessions):
    before = sessions.begin("ann")

    after = sessions.begin("ann", instead_of=before.id)

    assert sessions.find(before.id) is None
    assert sessions.find(after.id) is not None
    assert after.token != before.token


def test_a_session_that_nobody_uses_ends(sessions, clock):
    session = sessions.begin("ann")

    clock.passes(hours=12)

    assert sessions.find(session.id) is None


def test_a_session_in_use_ends_after_a_week_all_the_same(sessions, clock):
    session = sessions.begin("ann")

    for _ in range(15):
        clock.passes(hours=11)
        assert sessions.find(session.id) is not None
    clock.passes(hours=11)

    assert sessions.find(session.id) is None


def test_an_id_is_replaced_after_an_hour_and_good_for_a_little_longer(sessions, clock, connection):
    session = sessions.begin("ann")
    assert sessions.turn(session) is session

    clock.passes(hours=1)
    turned = sessions.turn(session)

    assert turned.id != session.id
    assert turned.token == session.token, "forms that are on the screen stay good"
    assert turned.signed_in == session.signed_in
    assert sessions.find(turned.id) is not None
    assert sessions.find(session.id) is not None
    assert {
        connection.pttl(key) <= GRACE.total_seconds() * 1000 for key in connection.keys("*")
    } == {
        True,
        False,
    }


def test_of_two_requests_at_once_one_gets_the_new_id(sessions, clock):
    session = sessions.begin("ann")
    clock.passes(hours=1)

    assert sessions.turn(session) is not session
    assert sessions.turn(session) is session


def test_signing_out_everywhere_ends_what_was_open_and_nothing_that_comes(sessions):
    here, there, others = sessions.begin("ann"), sessions.begin("ann"), sessions.begin("ben")

    sessions.end_all("ann")

    assert sessions.find(here.id) is None
    assert sessions.find(there.id) is None
    assert sessions.find(others.id) is not None
    assert sessions.find(sessions.begin("ann").id) is not None


def test_a_sign_in_is_fresh_for_a_quarter_of_an_hour(sessions, clock):
    session = sessions.begin("ann")

    assert session.is_fresh(clock.now())
    clock.passes(minutes=15)
    assert not session.is_fresh(clock.now())
