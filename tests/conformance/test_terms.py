"""On what terms a verdict counts."""

from pathlib import Path
from typing import Any

import pytest

from conformance.baseline import Baseline, Key
from conformance.catalogue import Case
from conformance.item import Item
from conformance.terms import Terms
from conformance.verdict import Result

from .helpers import item, rule

LATER = "2027.1"


@pytest.fixture(autouse=True)
def revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second revision of the catalogue."""
    monkeypatch.setattr("conformance.item.REVISIONS", ("2026.1", LATER))


def known(*cases: str, updating: bool = False) -> Terms:
    """Terms on which a rule may fail in some cases."""
    reasons = {Key("STREAM-99", case): "parrots bite" for case in cases}
    return Terms(Baseline(Path("known.toml"), reasons), "2026.1", updating)


@pytest.mark.parametrize(
    ("verdict", "settled"),
    [
        ("passed", "stale"),
        ("failed", "known"),
        ("warned", "known"),
        ("not applicable", "not applicable"),
        ("blocked", "blocked"),
        ("harness error", "harness error"),
    ],
)
def test_what_stands_in_the_baseline(verdict: Any, settled: str) -> None:
    """A failure is known and what passes is stale; what was not judged, and our own errors, stay what they are."""
    result = known("sync").settled(item(rule()), Result(verdict=verdict))
    assert result.verdict == settled
    assert result.known == ("parrots bite" if settled in ("known", "stale") else "")


@pytest.mark.parametrize("verdict", ["passed", "failed", "warned", "blocked"])
def test_what_does_not_stand_there(verdict: Any) -> None:
    """Verdicts stay, with another case's entry and without a baseline."""
    result = Result(verdict=verdict)
    assert known("async").settled(item(rule()), result) == result
    assert Terms().settled(item(rule()), result) == result


@pytest.mark.parametrize(("verdict", "settled"), [("passed", "passed"), ("failed", "known"), ("warned", "warned")])
def test_while_the_baseline_is_written(verdict: Any, settled: str) -> None:
    """What fails is known from now on; a SHOULD need not be; nothing is stale."""
    assert known(updating=True).settled(item(rule()), Result(verdict=verdict)).verdict == settled
    stale = known("sync", updating=True).settled(item(rule()), Result(verdict="passed"))
    assert stale.verdict == "passed"


@pytest.mark.parametrize(
    "judged",
    [
        item(rule(since=LATER)),
        item(rule(), case=Case(since=LATER)),
    ],
)
def test_what_is_newer_than_the_revision(judged: Item) -> None:
    """A rule or a case that came later is new where it fails, and counts for whoever holds to that revision."""
    for result in (Result(verdict="failed"), Result(verdict="warned")):
        assert Terms(revision="2026.1").settled(judged, result).verdict == "new"
        assert Terms(revision=LATER).settled(judged, result) == result
    assert Terms(revision="2026.1").settled(judged, Result(verdict="passed")).verdict == "passed"
