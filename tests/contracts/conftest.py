"""The options of the contracts."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--harness",
        action="append",
        default=[],
        help="hold the contract of targets against this one instead: package.module:Class",
    )
