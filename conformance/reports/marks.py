"""Markdown, as GitHub reads it, in which texts from elsewhere stay texts.

What a model said stands in code, so that it neither formats nor mentions anybody nor links an issue.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

LIMIT: Final = 60_000
"""Characters. A comment may have 65,536, a step's summary 1 MiB, which even of four bytes each so many stay below."""
_TICKS: Final = re.compile(r"`+")


def code(text: str) -> str:
    """A text in one line, as code."""
    line = " ".join(text.split())
    if not line:
        return ""
    fence = "`" * (_longest(line) + 1)
    gap = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{gap}{line}{gap}{fence}"


def fenced(text: str) -> str:
    """Lines, as a block of code."""
    fence = "`" * max(3, _longest(text) + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def _longest(text: str) -> int:
    """How many backticks stand in a row at most."""
    return max(map(len, _TICKS.findall(text)), default=0)


def folded(title: str, text: str) -> str:
    """Markdown behind a title that opens it; the title is plain text."""
    return f"<details><summary>{escape(title, quote=False)}</summary>\n\n{text}\n\n</details>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are Markdown."""
    return "\n".join(_rows(heads, rows))


def _rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a page that may be left out.

    Args:
        text: its Markdown.
        kind: what is left out where it is, in the singular: ``MUST rule``.
        heading: what it stands under; blocks that follow one another may share it.
    """

    text: str
    kind: str
    heading: str = ""


def page(head: str, blocks: Iterable[Block], *, limit: int = LIMIT) -> str:
    """Head and blocks, the first ones first; those that do not fit are left out, and the end says so."""
    parts, left_out, heading = [head], Counter[str](), ""
    room = limit - len(head) - 400  # for what is said of the rest
    for block in blocks:
        above = f"### {block.heading}\n\n" if block.heading not in ("", heading) else ""
        text = f"{above}{block.text}"
        if len(text) + 2 > room:
            left_out[block.kind] += 1
            continue
        parts.append(text)
        room -= len(text) + 2
        heading = block.heading
    if left_out:
        told = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in left_out.items())
        parts.append(f"**Left out, for want of room:** {told}. The report as JSON or HTML has all.")
    return "\n\n".join(parts) + "\n"


def cut(text: str, size: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= size else f"{text[: size - 1]}…"
