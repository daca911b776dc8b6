"""Hooks that a `conftest.py` or a plugin may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.hookspec
def pytest_chat_model_stanzas() -> Mapping[str, Mapping[str, Any]]:  # type: ignore[empty-body]
    """Stanzas for chat models, by ``package.module:Class``, each with the keys that it has in `pyproject.toml`."""
