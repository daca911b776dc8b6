"""What became of a model's rules, counted, and the outcome that comes of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ..verdict import RED

Item: TypeAlias = Mapping[str, Any]
Model: TypeAlias = Mapping[str, Any]
Tally: TypeAlias = Mapping[str, Mapping[str, Sequence[Item]]]
"""Items by verdict, and of each verdict by rule."""

BROKEN: Final = ("failed", "warned", "known", "new")
"""The verdicts on rules that do not hold."""
HELD: Final = ("passed", "stale")
"""The verdicts on rules that do."""


def by_verdict(model: Model) -> dict[str, dict[str, list[Item]]]:
    """The items of a model by their verdicts, and of each verdict by their rules, in the order of the report."""
    found: dict[str, dict[str, list[Item]]] = {}
    for item in model["items"]:
        found.setdefault(item["verdict"], {}).setdefault(item["rule"], []).append(item)
    return found


def outcome_of(items: Iterable[Item], *, complete: bool) -> str:
    """``passed``, ``failed`` or ``incomplete``, of a model with these items."""
    verdicts = {item["verdict"] for item in items}
    if not complete or not verdicts:
        return "incomplete"
    return "failed" if verdicts.intersection(RED) else "passed"


def worst(outcomes: Sequence[str]) -> str:
    """The outcome of all, of those of each."""
    return next((each for each in ("incomplete", "failed") if each in outcomes), "passed" if outcomes else "incomplete")


def named(model: Model) -> str:
    """The model's package with its version: ``langchain-openai 1.7.3``; empty where it is of none."""
    package = model.get("package")
    return f"{package['name']} {package['version']}" if package else ""


def number(count: int, what: str) -> str:
    """``1 rule``, ``2 rules``."""
    return f"{count} {what}{'' if count == 1 else 's'}"
