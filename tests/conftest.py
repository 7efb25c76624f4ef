"""Fixtures that every kind of test may use."""

import pytest
from hypothesis import settings
from story import Story

settings.register_profile("fuzz")  # `make fuzz`: tests that know it send many more requests


@pytest.fixture
def story() -> Story:
    return Story()
