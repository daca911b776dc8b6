"""Options of this project's own tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--whole-matrix",
        action="store_true",
        help="try every broken model on all cases of all rules (tests/test_broken.py)",
    )
