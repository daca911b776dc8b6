"""What the search draws."""

import importlib
from pathlib import Path

import pytest
from hypothesis import strategies as st

from conformance.explore.search import Budget, Search


def _drawn(seed: int) -> list[tuple[int, str]]:
    """The examples of a search that finds nothing."""
    seen: list[tuple[int, str]] = []
    search: Search[tuple[int, str], str] = Search(seen.append, str)
    assert search.run(st.tuples(st.integers(), st.text()), Budget(examples=200, seed=seed)) == []
    return seen


def test_what_is_imported_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed draws the same, whichever modules of a project there are, and another one draws others."""
    before = _drawn(1)
    constants = ", ".join(f"{number}, '{number}'" for number in range(1_000_000, 1_000_050))
    (tmp_path / "a_module_with_constants.py").write_text(f"CONSTANTS = [{constants}]\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("a_module_with_constants")
    assert _drawn(1) == before
    assert _drawn(2) != before
