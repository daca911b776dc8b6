"""Options of this project's own tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--whole-matrix",
        action="store_true",
        help="try every broken model on all rules, and not on those of its area alone (tests/test_broken.py)",
    )
