"""The sum of a run, as it stands at the end of the terminal. Results of xdist's workers come in as reports."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any, Final

import pytest
from langchain_core.language_models import BaseChatModel

from .. import wording
from ..catalogue import MUST, SHOULD, Level, rules
from ..compat import CORE
from ..reports.items import item_of
from ..reports.tally import Item, by_verdict
from ..snapshots import is_transcript
from ..target import Target
from .screen import NARROWEST, WIDEST, Line, Style, Words, columns, cut, heading, length, line, stripped
from .totals import Counted, by_area, cases, counted, slowest

_LABEL: Final = 11
_LISTED: Final[tuple[tuple[str, str, Style], ...]] = (
    ("harness error", "not judged, for an error of this suite (please report it)", "bad"),
    ("failed", "MUST rules that do not hold", "bad"),
    ("stale", "in the baseline, yet they hold (take them out)", "bad"),
    ("warned", "SHOULD rules that do not hold", "odd"),
    ("known", "known, by the baseline", "odd"),
    ("new", "new in the catalogue, and not yet counted", "odd"),
)
_COUNTED: Final[tuple[Level, ...]] = (MUST, SHOULD)
_WHERE_NOT: Final[tuple[Style, Style]] = ("bad", "odd")
"""How a count of each level is painted where some rules do not hold."""
_REASONED: Final = ("stale", "known", "blocked")
"""The verdicts that are told with their reasons, or the baseline's, and not with what the rule states."""
_ROWS: Final = 10
"""Rules of a list that are shown where not all are asked for."""
_SINGLY: Final = 2
"""Up to so many models have a screen each; more have a line each."""
_SLOW: Final = 3
"""Rules that are named as slow, each from so many seconds on."""
_WORTH: Final = 0.5


@dataclass(frozen=True, slots=True)
class Screen:
    """What there is room for, and what is asked for.

    Args:
        width: columns of the terminal.
        whole: whether lists are shown to their ends.
        blocked: whether blocked rules are listed.
        each: whether each of many models has a screen of its own.
    """

    width: int = 80
    whole: bool = False
    blocked: bool = False
    each: bool = False

    @classmethod
    def of(cls, config: pytest.Config) -> "Screen":
        """As pytest has been asked for by ``-r`` and ``-v``."""
        width = max(NARROWEST, min(WIDEST, config.get_terminal_writer().fullwidth))
        asked = config.getoption("reportchars") or ""
        every = bool({"a", "A"} & set(asked))
        return cls(width, every, every or "b" in asked, each=every or config.get_verbosity() > 0)


class Summary:
    """Gathers reports and tells the sum, a model at a time."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets
        self._items: dict[str, list[Item]] = {target.label: [] for target in targets}
        self._chosen: dict[str, set[str]] = {target.label: set() for target in targets}

    def expect(self, nodeids: Iterable[str]) -> None:
        """The items that are to have a verdict by the end; what is no item of a model is passed over."""
        for nodeid in nodeids:
            _, _, place = nodeid.partition("::")
            label, _, name = place.partition("::")
            if label in self._chosen and not is_transcript(nodeid):
                self._chosen[label].add(name)

    def add(self, report: pytest.TestReport) -> None:
        if item := item_of(report):
            self._items[str(dict(report.user_properties)["model"])].append(item)

    def header(self, target: Target) -> str:
        name = " ".join(part for part in (target.spec, version_of(target)) if part)
        told = f"chat model: {name} (wire {target.wire.name}, langchain-core {CORE})"
        return f"{told}\n  played {wording.PLAYED}; {wording.REPLAY_ALONE}" if target.stanza.in_process else told

    def lines(self, screen: Screen) -> Iterator[Line]:
        """The sum; nothing of models of which nothing was to run."""
        place = {id: number for number, id in enumerate(rules())}
        judged = [
            _Judged(target, sorted(items, key=lambda item: (place[item["rule"]], item["case"])), self._missing(target))
            for target in self._targets
            if (items := self._items[target.label]) or self._chosen[target.label]
        ]
        if len(judged) > _SINGLY and not screen.each:
            yield from _in_a_line_each(judged, screen)
            return
        for each in judged:
            yield from _of_one(each, screen)

    def _missing(self, target: Target) -> str:
        """How many items have no verdict; `""` where all have one, so that what is cut short never reads as a pass."""
        chosen = self._chosen[target.label]
        left = chosen - {item["name"] for item in self._items[target.label]}
        return f"no verdict on {len(left)} of {len(chosen)} items" if left else ""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A model, what became of its items, and how many have no verdict, in words."""

    target: Target
    items: Sequence[Item]
    missing: str


def _of_one(judged: _Judged, screen: Screen) -> Iterator[Line]:
    target, items = judged.target, judged.items
    yield ()
    yield heading(" ".join(part for part in ("conformance of", target.spec, version_of(target)) if part), screen.width)
    if judged.missing:
        yield line(f"  {'INCOMPLETE'.ljust(_LABEL)}{judged.missing}", "bad")
    if not items:
        return
    areas = {area: counted(of_area) for area, of_area in by_area(items).items()}
    yield from _table(areas, screen.width)
    for label, text in _notes(target, items, areas):
        yield line(f"  {label.ljust(_LABEL)}{text}")
    verdicts = by_verdict({"items": items})
    for verdict, title, style in (*_LISTED, *((("blocked", "blocked", "odd"),) if screen.blocked else ())):
        if found := verdicts.get(verdict):
            yield line(f"{title}:", style)
            yield from _list(found, screen, by_reason=verdict in _REASONED)
    yield line(cut(f"Read more: {'; '.join(_more(verdicts, screen))}", 2 * screen.width), "faint")


def _table(areas: Mapping[str, Counted], width: int) -> Iterator[Line]:
    """The areas, each with how many of its rules hold."""
    cells = {area: [str(of.by_level[level]) for level in (MUST, SHOULD)] for area, of in areas.items()}
    must, should = (max(len(level), *(len(told[at]) for told in cells.values())) for at, level in enumerate(_COUNTED))
    name = max(map(len, areas))
    rest = max(len(of.rest) for of in areas.values())

    def row(area: str, *counts: Words, more: str = "") -> Line:
        first, second = (
            replace(words, text=words.text.rjust(w)) for words, w in zip(counts, (must, should), strict=True)
        )
        beside = (Words(f"  {more.ljust(rest)}", "faint"),) if rest else ()
        return Words(f"{area.ljust(name)}  "), first, Words("  "), second, *beside

    head = row("", *(Words(level, "faint") for level in _COUNTED))
    rows = [row(area, *_counts(of), more=of.rest) for area, of in areas.items()]
    yield from columns(head, rows, width)


def _counts(of: Counted) -> Iterator[Words]:
    """How many rules hold at each level, painted where some do not."""
    for level, style in zip(_COUNTED, _WHERE_NOT, strict=True):
        count = of.by_level[level]
        yield Words(str(count), "plain" if count.held == count.judged else style)


def _notes(target: Target, items: Sequence[Item], areas: Mapping[str, Counted]) -> Iterator[tuple[str, str]]:
    """Lines below the table, each with its label."""
    if len(areas) > 1:
        yield "together", _together(areas)
    if target.cassettes.chosen and (left_out := target.cassettes.others(target.families)):
        yield "cassettes", f"not applicable are {left_out}"
    if target.stanza.in_process:
        yield "played", f"{wording.PLAYED}; {wording.REPLAY_ALONE}"
    for note in dict.fromkeys(str(item["note"]) for item in items if "note" in item):
        yield "methods", note
    if slow := [f"{rule} {seconds:.1f} s" for rule, seconds in slowest(items) if seconds >= _WORTH][:_SLOW]:
        yield "slowest", ", ".join(slow)


def _together(areas: Mapping[str, Counted]) -> str:
    whole = Counted()
    for of_area in areas.values():
        whole.add(of_area)
    holding = ", ".join(
        f"{level} {count.held} of {count.judged}" for level, count in whole.by_level.items() if count.judged
    )
    silent = ", ".join(f"{count} {why}" for why, count in whole.silent.items() if count)
    return "; ".join(part for part in (holding and f"{holding} rules hold", silent) if part)


def _list(found: Mapping[str, Sequence[Item]], screen: Screen, *, by_reason: bool) -> Iterator[Line]:
    """A line a rule: what it states, or why it may fail or was not judged, and which of its items."""
    shown = list(found.items()) if screen.whole else list(found.items())[:_ROWS]
    room = screen.width - 2 - _LABEL
    for id, items in shown:
        which = cut(cases(items), max(12, room * 2 // 5))
        said = "; ".join(dict.fromkeys(map(_reason, items))) if by_reason else rules()[id].statement
        text = cut(said, room - len(which) - 4)
        yield Words(f"  {id.ljust(_LABEL)}{text}  "), Words(f"[{which}]", "faint")
    if len(shown) < len(found):
        yield line(f"  … and {len(found) - len(shown)} more rules")


def _reason(item: Item) -> str:
    return str(item.get("known") or item.get("reason") or "no reason is said")


def _more(verdicts: Mapping[str, Any], screen: Screen) -> Iterator[str]:
    """How what was left out is seen, of that which there is."""
    yield "conformance explain RULE"
    if "not applicable" in verdicts:
        yield "why rules are n/a: -rs"
    if "blocked" in verdicts and not screen.blocked:
        yield "what blocks rules: -rb"
    if not screen.whole and any(len(verdicts.get(verdict, ())) > _ROWS for verdict, *_ in _LISTED):
        yield "whole lists: -ra"
    if {"warned", "known", "new"} & verdicts.keys() and not screen.each:
        yield "what did not fail the run, in full: -v"


def _in_a_line_each(judged: Sequence[_Judged], screen: Screen) -> Iterator[Line]:
    """Many models on one screen."""
    yield ()
    yield heading(f"conformance of {len(judged)} models", screen.width)
    names = [cut(_named(each.target), screen.width // 2) for each in judged]
    totals = [counted(each.items) for each in judged]
    first = max(map(len, names))
    wide = [max(len(level), *(len(str(of.by_level[level])) for of in totals)) for level in _COUNTED]
    yield line(
        f"  {' ' * first}{''.join(f'  {level.rjust(w)}' for level, w in zip(_COUNTED, wide, strict=True))}", "faint"
    )
    for name, of, each in zip(names, totals, judged, strict=True):
        cells = (replace(words, text=f"  {words.text.rjust(w)}") for words, w in zip(_counts(of), wide, strict=True))
        start = (Words(f"  {name.ljust(first)}"), *cells)
        verdicts = by_verdict({"items": each.items})
        told = [each.missing, of.rest, *(f"{len(verdicts[name])} {name}" for name, *_ in _LISTED if name in verdicts)]
        rest = cut(", ".join(part for part in told if part), max(0, screen.width - length(start) - 2))
        yield stripped((*start, Words(f"  {rest}", "faint")))
    yield line("Read more: the sum of each: -v", "faint")


def _named(target: Target) -> str:
    return f"{target.label} {version_of(target)}".rstrip()


def version_of(target: Target) -> str:
    """The version of the distribution that the model's class comes from, or `""`."""
    if target.model_class is BaseChatModel:  # of an object of which no more is known
        return ""
    package = target.model_class.__module__.partition(".")[0]
    try:
        return metadata.version(package.replace("_", "-"))
    except metadata.PackageNotFoundError:
        return ""
