"""A model's rules, counted from the items of its run as reports have them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..catalogue import MUST, SHOULD, Level
from ..reports.tally import HELD, Item

_SILENT: Final = ("not applicable", "blocked")
_OF_A_RULE: Final = ("sync", "async")


@dataclass(frozen=True, slots=True)
class Count:
    """How many rules were judged, and how many of them hold."""

    judged: int = 0
    held: int = 0

    def __str__(self) -> str:
        """``12`` where all hold, ``10 of 12``, and ``-`` where none was judged."""
        if not self.judged:
            return "-"
        return str(self.held) if self.held == self.judged else f"{self.held} of {self.judged}"

    def __add__(self, other: "Count") -> "Count":
        return Count(self.judged + other.judged, self.held + other.held)


@dataclass
class Counted:
    """The rules of an area.

    Args:
        by_level: those that were judged; a rule counts at each level at which it has items.
        silent: how many were not, by why: ``not applicable`` or ``blocked``.
    """

    by_level: dict[Level, Count] = field(default_factory=lambda: {MUST: Count(), SHOULD: Count()})
    silent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SILENT, 0))

    def add(self, other: "Counted") -> None:
        for level, count in other.by_level.items():
            self.by_level[level] += count
        for why, number in other.silent.items():
            self.silent[why] += number

    @property
    def rest(self) -> str:
        """``11 n/a, 2 blocked``: the rules that were not judged."""
        short = {"not applicable": "n/a"}
        return ", ".join(f"{count} {short.get(why, why)}" for why, count in self.silent.items() if count)


def counted(items: Iterable[Item]) -> Counted:
    """The rules of these items."""
    total = Counted()
    by_rule: dict[str, list[Item]] = {}
    for item in items:
        by_rule.setdefault(item["rule"], []).append(item)
    for of_rule in by_rule.values():
        judged = [item for item in of_rule if item["verdict"] not in _SILENT]
        if not judged:
            total.silent["blocked" if any(item["verdict"] == "blocked" for item in of_rule) else "not applicable"] += 1
        for level in total.by_level:
            if verdicts := {item["verdict"] for item in judged if item["level"] == level}:
                total.by_level[level] += Count(1, int(verdicts <= set(HELD)))
    return total


def cases(items: Sequence[Item]) -> str:
    """Which items of a rule: ``sync, async``, or with their cases ``async: early, late; sync: late``."""
    forms_of: dict[str, list[str]] = {}
    for item in items:
        forms_of.setdefault(item["case"], []).append(item["form"])
    by_forms: dict[str, list[str]] = {}
    for case, forms in forms_of.items():
        by_forms.setdefault(", ".join(sorted(set(forms), key=_OF_A_RULE.index)), []).append(case)
    told = ((forms, ", ".join(filter(None, names))) for forms, names in by_forms.items())
    return "; ".join(f"{forms}: {names}" if names else forms for forms, names in told)


def slowest(items: Iterable[Item]) -> Iterator[tuple[str, float]]:
    """The rules and their seconds, the slowest first."""
    seconds: dict[str, float] = {}
    for item in items:
        seconds[item["rule"]] = seconds.get(item["rule"], 0.0) + item["seconds"]
    yield from sorted(seconds.items(), key=lambda each: -each[1])


def by_area(items: Iterable[Item]) -> Mapping[str, Sequence[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item["area"], []).append(item)
    return found
