"""Which items run: chosen by id, area and level."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .catalogue import LEVELS, Level, rules
from .item import Item


class ChoiceError(Exception):
    """A word that names no rule, area or level; the text says which was meant."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What runs.

    Args:
        select: ids, areas and levels; all where it is empty.
        ignore: ids, areas and levels that do not run.
        level: the lowest level that runs.
    """

    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    level: Level = LEVELS[-1]

    def takes(self, item: Item) -> bool:
        words = {item.rule.id, item.rule.area, item.level}
        high_enough = LEVELS.index(item.level) <= LEVELS.index(self.level)
        return high_enough and not words & self.ignore and (not self.select or bool(words & self.select))


def words(given: Iterable[str]) -> frozenset[str]:
    """The ids, areas and levels in texts such as ``TOOL,STREAM-08``.

    Raises:
        ChoiceError: one of them is none.
    """
    found = [word.strip().upper() for text in given for word in text.split(",") if word.strip()]
    areas = {rule.area for rule in rules().values()}
    return frozenset(_known(word, [*rules(), *areas, *LEVELS], "rule, area or level") for word in found)


def rule_id(word: str) -> str:
    """The id that is meant by a word such as ``stream-8``.

    Raises:
        ChoiceError: there is no such rule.
    """
    return _known(word.upper(), list(rules()), "rule")


def _known(word: str, known: Sequence[str], what: str) -> str:
    area, _, number = word.partition("-")
    if number.isdigit():
        word = f"{area}-{int(number):02d}"
    if word in known:
        return word
    nearest = difflib.get_close_matches(word, known, 1, cutoff=0.3)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    raise ChoiceError(f"there is no {what} {word}{hint}")
