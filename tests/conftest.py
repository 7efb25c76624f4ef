"""Fixtures that every kind of test may use."""

from collections.abc import Iterator

import pytest
import redis
from faults import matrix
from hypothesis import settings
from redis_server import emptied, running_server
from story import Story

pytest_itemcollected = matrix.pytest_itemcollected
pytest_terminal_summary = matrix.pytest_terminal_summary

settings.register_profile("fuzz")  # `make fuzz`: tests that know it send many more requests


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A Redis of its own for each file of tests."""
    with running_server() as url:
        yield url


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    """A connection to it, emptied before each test."""
    connection = emptied(redis_url)
    yield connection
    connection.close()


@pytest.fixture
def story() -> Story:
    return Story()
