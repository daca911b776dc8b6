"""Defects that released versions had: the rule that would have told of each, tried on the release and on its mend.

``python -m tests.timetravel`` takes pairs of pins (`affected.txt` and `fixed.txt` in a folder a case), builds an
environment for each, and runs the rule of the case in both: it must fail in the first and hold in the second.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

PROJECT: Final = Path(__file__).parents[2]
PINS: Final = PROJECT.parent / "shared" / "timetravel"
SIDES: Final = ("affected", "fixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A defect that a release had.

    Args:
        name: folder of its pins.
        model: as `--chat-model` takes it.
        rule: the rule that tells of the defect.
        items: which of its items are to be run, as pytest's `-k` takes it, where others fail on both sides.
        stanza: how the model is built, where these releases are built otherwise than those of today.
    """

    name: str
    model: str
    rule: str
    items: str = ""
    stanza: Mapping[str, Any] = field(default_factory=dict)


def cases() -> tuple[Case, ...]:
    """All cases that are known, in the order of `cases.toml`."""
    document = tomllib.loads((Path(__file__).parent / "cases.toml").read_text(encoding="utf-8"))
    return tuple(Case(name=name, **told) for name, told in document.items())


def verdicts(report: Path) -> Mapping[str, str]:
    """The verdict of each item in a JUnit report, by the item's name."""
    found: dict[str, str] = {}
    for test in ElementTree.parse(report).iter("testcase"):
        told = {each.get("name"): each.get("value") for each in test.iter("property")}
        found[test.get("name", "")] = told.get("verdict") or "harness error"
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rule of a case found on both sides: verdicts by item."""

    affected: Mapping[str, str]
    fixed: Mapping[str, str]

    @property
    def told_apart(self) -> bool:
        """Whether an item that fails on the affected side passes on the fixed one, and none fails there."""
        mended = [name for name in failing(self.affected) if self.fixed.get(name) == "passed"]
        return bool(mended) and all(verdict in ("passed", "not applicable") for verdict in self.fixed.values())


def failing(side: Mapping[str, str]) -> list[str]:
    """The items that the rule rejects."""
    return [name for name, verdict in side.items() if verdict in ("failed", "warned")]
