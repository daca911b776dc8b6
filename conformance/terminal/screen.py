"""Lines for a terminal of any width: painted words, cut to what fits, in as many columns as there is room for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import pytest

Style: TypeAlias = Literal["plain", "bold", "faint", "good", "bad", "odd"]
_MARKUP: Final[dict[Style, dict[str, bool]]] = {
    "plain": {},
    "bold": {"bold": True},
    "faint": {"light": True},
    "good": {"green": True},
    "bad": {"red": True, "bold": True},
    "odd": {"yellow": True},
}
NARROWEST: Final = 40
WIDEST: Final = 120
_GAP: Final = 4


@dataclass(frozen=True, slots=True)
class Words:
    """Words of one style. What they say does not hang on it: terminals without colours show the text alone."""

    text: str
    style: Style = "plain"

    @property
    def markup(self) -> dict[str, bool]:
        """As pytest's writers take it, which heed ``NO_COLOR``, ``--color`` and what they write to."""
        return _MARKUP[self.style]


Line: TypeAlias = tuple[Words, ...]
"""Words that stand beside each other."""


def line(text: str, style: Style = "plain") -> Line:
    return (Words(text, style),)


def length(line: Line) -> int:
    return sum(len(words.text) for words in line)


def stripped(line: Line) -> Line:
    """The line without white space at its end, which has something else in it."""
    *words, last = line
    return (*words, replace(last, text=last.text.rstrip())) if last.text.strip() else stripped(tuple(words))


def cut(text: str, width: int) -> str:
    """The text in one line and at most this many characters; ``…`` stands for what is left out."""
    flat = " ⏎ ".join(text.splitlines())
    return flat if len(flat) <= width else f"{flat[: max(0, width - 1)]}…"


def heading(text: str, width: int) -> Line:
    """``==== text ====`` over the whole width."""
    told = cut(text, width - 10)
    return line(f"==== {told} {'=' * max(4, width - len(told) - 6)}", "bold")


def columns(head: Line, rows: Sequence[Line], width: int) -> Iterator[Line]:
    """A list in columns that are read downwards, as many as fit, each below the head; all rows are of one length."""
    of_one = length(head)
    fit = max(1, (width - 2 + _GAP) // (of_one + _GAP))
    depth = -(-len(rows) // fit)
    chunks = [[head, *rows[at : at + depth]] for at in range(0, len(rows), depth or 1)]
    for number in range(depth + 1):
        beside = [chunk[number] for chunk in chunks if number < len(chunk)]
        spaced = [words for each in beside for words in (Words(" " * _GAP), *each)][1:]
        yield stripped((Words("  "), *spaced))


def write(reporter: pytest.TerminalReporter, line: Line) -> None:
    for words in line:
        reporter.write(words.text, **words.markup)
    reporter.line("")
