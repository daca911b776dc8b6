"""A stream drawn as pieces against time, for the terminal and as SVG."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Final

_SIGNS: Final = {"start": "o", "piece": "#", "finish": "F", "usage": "U", "end": "E", "noise": ".", "error": "!"}
"""The sign of each kind of frame, so that a drawing can be read without colours."""
_COLOURS: Final = {
    "start": "#64748b",
    "piece": "#2563eb",
    "finish": "#15803d",
    "usage": "#7c3aed",
    "end": "#0f172a",
    "noise": "#94a3b8",
    "error": "#dc2626",
}
_LEGEND: Final = ", ".join(f"{sign} {kind}" for kind, sign in _SIGNS.items())
_AXIS: Final = 40
"""Characters of the axis in the terminal."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One write: seconds from the start (`None` where times are not known), bytes, kind of frame, what it says."""

    at: float | None
    size: int
    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The writes of one stream in order, a line that says what it is, and how it ends."""

    title: str
    marks: tuple[Mark, ...]
    ending: str

    @property
    def is_timed(self) -> bool:
        return any(mark.at for mark in self.marks)

    @property
    def length(self) -> float:
        """Seconds, or bytes where times are not known."""
        if self.is_timed:
            return max(mark.at or 0.0 for mark in self.marks)
        return float(sum(mark.size for mark in self.marks))

    def places(self) -> list[float]:
        """Where each mark stands on the axis, from 0 to 1: by time, or by bytes where times are not known."""
        whole = self.length or 1.0
        if self.is_timed:
            return [(mark.at or 0.0) / whole for mark in self.marks]
        before = 0
        places = []
        for mark in self.marks:
            places.append(before / whole)
            before += mark.size
        return places

    def span(self) -> str:
        """The length of the axis: ``0.350 s``, or ``1204 bytes``."""
        return f"{self.length:.3f} s" if self.is_timed else f"{self.length:.0f} bytes"

    def summary(self) -> str:
        """Writes, bytes, seconds, ending: ``7 writes, 1204 bytes, 0.350 s; then the body ends``."""
        if not self.marks:
            return self.ending
        counts = f"{len(self.marks)} writes, {sum(mark.size for mark in self.marks)} bytes"
        return f"{counts}, {self.span() if self.is_timed else 'times not known'}; {self.ending}"


def text(timeline: Timeline, *, width: int = 100) -> str:
    """The drawing in lines of at most `width` characters: when, where on the axis, bytes, what."""
    lines = [timeline.title, timeline.summary()]
    for mark, place in zip(timeline.marks, timeline.places(), strict=True):
        column = round(place * (_AXIS - 1))
        axis = "." * column + _SIGNS.get(mark.kind, "?") + " " * (_AXIS - 1 - column)
        when = f"{mark.at:8.3f} s" if timeline.is_timed and mark.at is not None else " " * 10
        head = f"{when} |{axis}| {mark.size:6} "
        lines.append(head + _short(mark.label, max(10, width - len(head))))
    lines += textwrap.wrap(_LEGEND, width)
    return "\n".join(line.rstrip() for line in lines)


def svg(timelines: Iterable[Timeline]) -> str:
    """One drawing of all timelines, each under its title; every mark names itself when pointed at."""
    parts: list[str] = []
    top = 0
    for timeline in timelines:
        lane, height = _lane(timeline, top)
        parts += lane
        top += height
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 {top + 30}" role="img" '
        f'font-family="ui-monospace, monospace" font-size="12">\n'
        f"<title>Timelines of streams</title>\n"
        f'<rect width="1000" height="{top + 30}" fill="#ffffff"/>\n{body}\n'
        f'<text x="20" y="{top + 20}" fill="#475569">{escape(_LEGEND)}</text>\n</svg>\n'
    )


def _lane(timeline: Timeline, top: int) -> tuple[list[str], int]:
    """The elements of one timeline, and its height. Marks that stand close take rows of their own."""
    rows: list[float] = []
    marks = []
    for mark, place in zip(timeline.marks, timeline.places(), strict=True):
        x = 20 + place * 940
        row = next((number for number, taken in enumerate(rows) if x - taken >= 14), len(rows))
        rows[row:] = [x, *rows[row + 1 :]]
        marks.append((mark, x, row))
    axis = top + 60
    parts = [
        f'<text x="20" y="{top + 20}" font-weight="bold" fill="#0f172a">{escape(timeline.title)}</text>',
        f'<text x="20" y="{top + 36}" fill="#475569">{escape(timeline.summary())}</text>',
        f'<line x1="20" y1="{axis}" x2="980" y2="{axis}" stroke="#94a3b8"/>',
        f'<text x="20" y="{axis - 4}" fill="#475569">0</text>',
        f'<text x="980" y="{axis - 4}" text-anchor="end" fill="#475569">{escape(timeline.span())}</text>',
    ]
    for mark, x, row in marks:
        when = f"{mark.at:.3f} s, " if timeline.is_timed and mark.at is not None else ""
        said = escape(f"{mark.kind}, {when}{mark.size} bytes: {mark.label}")
        colour, sign = _COLOURS.get(mark.kind, "#0f172a"), escape(_SIGNS.get(mark.kind, "?"))
        y = axis + 16 + 16 * row
        parts.append(
            f'<g><title>{said}</title><line x1="{x:.1f}" y1="{axis}" x2="{x:.1f}" y2="{y - 10}" stroke="{colour}" '
            f'stroke-opacity="0.4"/><text x="{x - 4:.1f}" y="{y}" fill="{colour}">{sign}</text></g>'
        )
    return parts, 60 + 16 + 16 * max(1, len(rows)) + 16


def _short(label: str, width: int) -> str:
    printable = "".join(each if each.isprintable() else repr(each)[1:-1] for each in label)
    return printable if len(printable) <= width else printable[: width - 1] + "\u2026"
