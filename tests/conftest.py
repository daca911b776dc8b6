"""Options of this project's own tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--whole-matrix",
        action="store_true",
        help="try broken models on all rules, not on those of their areas alone, and right ones on all cases",
    )
