"""Fixtures that every kind of test may use."""

import pytest
from faults import matrix
from hypothesis import settings
from story import Story

pytest_itemcollected = matrix.pytest_itemcollected
pytest_terminal_summary = matrix.pytest_terminal_summary

settings.register_profile("fuzz")  # `make fuzz`: tests that know it send many more requests


@pytest.fixture
def story() -> Story:
    return Story()
