"""What the reports of items carry from the processes that judge to the one that writes."""

from typing import Any, Final

import pytest

from ..verdict import Result

_ITEM: Final = ("rule", "level", "area", "form", "case", "verdict")
"""The properties that each judged item has."""
_NAMED: Final = (*_ITEM, "model", "known")
"""Those that name the item, what became of it, and why it may fail."""
_FACTS: Final = (
    *("reason", "expected", "observed", "because", "why", "script", "wire", "rerun", "error", "server", "network"),
)
"""The facts of a result that are carried, by their labels."""
_TOLD: Final = (*_FACTS, "note", "known")
_TIMELINE: Final = "timeline"
_LOWER: Final = "level"
"""The label of the fact that says why a case has a lower level; there is a property of that name already."""


def properties(result: Result) -> list[tuple[str, object]]:
    """What a report carries of a result beside its verdict: its seconds, and its facts by their labels."""
    told = {"why" if label == _LOWER else label: text for label, text in result.facts}
    return [("seconds", round(result.seconds, 4)), *((name, told[name]) for name in _FACTS if name in told)]


def carry(report: pytest.TestReport, result: Result | None) -> None:
    """Have the report of a call carry the timeline of its result.

    It is no property: those are for all plugins that write reports, and pytest's own writes them into its XML.
    """
    if result and result.timeline and report.when == "call":
        vars(report)[_TIMELINE] = result.timeline


def name_alone(report: pytest.TestReport) -> None:
    """Have the report of a teardown tell which item it is of, and its verdict, and no more.

    pytest's own XML has the properties of that report; facts stand in the text of the failure, and seconds as its time.
    """
    if report.when == "teardown":
        report.user_properties = [each for each in report.user_properties if each[0] in _NAMED]


def item_of(report: pytest.TestReport) -> dict[str, Any] | None:
    """The item that a report tells the verdict on; `None` where it is of a test that is none, or of another phase."""
    facts: dict[str, Any] = dict(report.user_properties)
    if "rule" not in facts or report.when == "teardown" or (report.when == "setup" and report.passed):
        return None
    if "verdict" not in facts:
        facts |= {"verdict": "harness error", "error": report.longreprtext}
    item: dict[str, Any] = {"name": report.nodeid.rpartition("::")[2]}
    item |= {name: facts[name] for name in _ITEM}
    item["seconds"] = facts.get("seconds", 0.0)
    item |= {name: str(facts[name]) for name in _TOLD if facts.get(name)}
    timeline = getattr(report, _TIMELINE, None)
    return item | {_TIMELINE: timeline} if timeline else item
