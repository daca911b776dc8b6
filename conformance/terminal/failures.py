"""The texts of failures, as the terminal shows them: painted, and folded where it is narrow."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pytest

from .screen import Line, Style, Words, cut, line

_FACT: Final = re.compile(r"  ([a-z][a-z ]*?) +(?=\S)")
_HEAD: Final = re.compile(r"(\S+)  (MUST|SHOULD|INFO)  ")
_PROSE: Final = ("expected", "observed", "because", "level", "hint", "baseline")
"""The facts that may be folded; others are commands, or lines of what was sent."""
_STYLES: Final[dict[str, Style]] = {"expected": "good", "observed": "bad"}
_SHORT: Final = 160
"""Characters of the one line in pytest's short summary, which shows all of it where it believes to run in CI."""


class Writer(Protocol):
    """What pytest writes to the terminal with."""

    fullwidth: int

    def write(self, text: str, **markup: bool) -> None: ...

    def line(self, text: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class _Crash:
    message: str

    def __str__(self) -> str:
        return self.message


class Told:
    """The text of a failure, in place of a traceback. It is text to whoever asks for text, such as pytest's XML.

    Args:
        text: as `wording` puts it: a head, then facts after their labels.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.reprcrash = _Crash(in_short(text))

    def __str__(self) -> str:
        return self._text

    def toterminal(self, tw: Writer) -> None:
        file: Any = getattr(tw, "_file", None)
        for each in painted(self._text, tw.fullwidth if file is not None and file.isatty() else None):
            for words in each:
                tw.write(words.text, **words.markup)
            tw.line()


def tell(report: pytest.TestReport) -> None:
    """Have a failure be shown so; reports of xdist's workers bring its text alone."""
    if isinstance(report.longrepr, str):
        report.longrepr = Told(report.longrepr)  # type: ignore[assignment]


def in_short(text: str) -> str:
    """The first two facts in one line, of those in words: what was expected, and what was observed."""
    facts = [(found[1], each[found.end() :]) for each in text.split("\n") if (found := _FACT.match(each))]
    facts = [(label, said) for label, said in facts if label in _PROSE]
    return "; ".join(cut(f"{label} {said}", _SHORT // 2) for label, said in facts[:2]) or cut(text, _SHORT)


def painted(text: str, width: int | None) -> Iterator[Line]:
    """The lines of a failure. Where a width is given, its head and prose are folded, each below its beginning."""
    for each in text.split("\n"):
        if head := _HEAD.match(each):
            first, *more = _folded(each, width, 2)
            rest = first[head.end(2) :]
            yield (
                Words(head[1], "bold"),
                Words("  "),
                Words(head[2], "bad" if head[2] == "MUST" else "odd"),
                Words(rest),
            )
            yield from (line(f"  {words}") for words in more)
        elif fact := _FACT.match(each):
            at, label = fact.end(), fact[1]
            first, *more = _folded(each[at:], width and width - at, 0) if label in _PROSE else [each[at:]]
            yield Words(each[:at], _STYLES.get(label, "faint")), Words(first)
            yield from (line(f"{' ' * at}{words}") for words in more)
        else:
            yield line(each)


def _folded(text: str, width: int | None, indent: int) -> list[str]:
    """The text in lines of at most this width, those after the first shorter by the indent; words stay whole."""
    if width is None or len(text) <= width or width < 2 * indent + 20:
        return [text]
    wrapped = textwrap.TextWrapper(
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        drop_whitespace=True,
    ).wrap(text)
    return [wrapped[0], *(each[indent:] for each in wrapped[1:])]
