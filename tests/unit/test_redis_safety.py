from collections.abc import Iterator

import pytest
import redis
from redis_server import emptied

from deploybot.errors import ConfigError
from deploybot.redis_safety import check, require_safe


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    connection = emptied(redis_url)
    yield connection
    connection.config_set("appendonly", "yes")
    connection.config_set("appendfsync", "always")
    connection.config_set("maxmemory-policy", "noeviction")
    connection.close()


def test_the_embedded_server_is_safe(connection: redis.Redis) -> None:
    assert check(connection) == ()


@pytest.mark.row(23)
@pytest.mark.parametrize(
    ("setting", "value"),
    [("appendonly", "no"), ("appendfsync", "no"), ("maxmemory-policy", "allkeys-lru")],
)
def test_a_redis_that_can_lose_threads_is_refused_by_the_name_of_the_setting(
    connection: redis.Redis, setting: str, value: str
) -> None:
    connection.config_set(setting, value)

    with pytest.raises(ConfigError, match=setting):
        require_safe(connection)

    assert [problem.setting for problem in require_safe(connection, allow_unsafe=True)] == [setting]


def test_losing_a_second_in_a_power_cut_is_a_warning(connection: redis.Redis) -> None:
    connection.config_set("appendfsync", "everysec")

    (problem,) = require_safe(connection)

    assert not problem.fatal
    assert "everysec" in problem.text


def tenant(connection: redis.Redis, redis_url: str, *rights: str) -> redis.Redis:
    """Return the connection of somebody who has all rights but some."""
    connection.execute_command("ACL", "SETUSER", "tenant", "reset")
    connection.execute_command("ACL", "SETUSER", "tenant", "on", "nopass", "~*", "+@all", *rights)
    return redis.Redis.from_url(redis_url, username="tenant", password="any")


def test_a_service_that_hides_its_settings_gets_a_warning(
    connection: redis.Redis, redis_url: str
) -> None:
    (problem,) = require_safe(tenant(connection, redis_url, "-config", "-info"))

    assert problem.setting == "config"


def test_where_settings_are_not_for_us_to_read_the_rest_is_found_another_way(
    connection: redis.Redis, redis_url: str
) -> None:
    (problem,) = require_safe(tenant(connection, redis_url, "-config"))

    assert problem.setting == "appendfsync"
    assert "CONFIG is refused" in problem.text
    assert not problem.fatal


@pytest.mark.parametrize(
    ("setting", "value"), [("appendonly", "no"), ("maxmemory-policy", "allkeys-lru")]
)
def test_a_redis_that_can_lose_threads_is_refused_though_it_hides_its_settings(
    connection: redis.Redis, redis_url: str, setting: str, value: str
) -> None:
    connection.config_set(setting, value)

    with pytest.raises(ConfigError, match=setting):
        require_safe(tenant(connection, redis_url, "-config"))


def test_a_replica_is_refused(connection: redis.Redis) -> None:
    connection.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(ConfigError, match="must be the master"):
            require_safe(connection)
    finally:
        connection.execute_command("REPLICAOF", "NO", "ONE")
