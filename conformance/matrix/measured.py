"""The measured integration table: what a class can do, each column told by the verdicts of named rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..catalogue import LEVELS

Model = Mapping[str, Any]
"""What a report says of one model."""
NONE: Final = "–"
UNKNOWN: Final = "?"
_NOT_KEPT: Final = ("failed", "warned", "known", "new")
_JUDGED: Final = ("passed", *_NOT_KEPT, "stale")


_WHOLE: Final = ("STREAM-04", "REQUEST-04")
"""Rules that both fail where a stream asks for a whole answer, of which no piece can be held back."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Args:
        title: its head.
        rules: those by which it is told.
        legend: how, in words.
        cell: what stands in it for a model.
    """

    title: str
    rules: tuple[str, ...]
    legend: str
    cell: Callable[[Model], str]


def _verdicts(model: Model, rules: Sequence[str], form: str = "") -> list[str]:
    return [item["verdict"] for item in model["items"] if item["rule"] in rules and (not form or item["form"] == form)]


def held(model: Model, rules: Sequence[str], form: str = "") -> str:
    """``yes``: all items of the rules hold; ``3 of 4``: so many do; ``no``: none.

    A dash where the rules have nothing to say of the class, `?` where there is no verdict: they are blocked or did
    not run.
    """
    found = _verdicts(model, rules, form)
    judged = _judged(model, rules, form)
    if not judged:
        return NONE if found and set(found) <= {"not applicable"} else UNKNOWN
    good = sum(verdict not in _NOT_KEPT for verdict in judged)
    if good == len(judged):
        return "yes"
    return f"{good} of {len(judged)}" if good else "no"


def _judged(model: Model, rules: Sequence[str], form: str) -> list[str]:
    """The verdicts that count: those on the cases of the highest level, as others are of what few providers do."""
    items = [item for item in model["items"] if item["rule"] in rules and (not form or item["form"] == form)]
    judged = [item for item in items if item["verdict"] in _JUDGED]
    level = min((LEVELS.index(item["level"]) for item in judged), default=0)
    return [item["verdict"] for item in judged if item["level"] == LEVELS[level]]


def _called(method: str, form: str) -> Callable[[Model], str]:
    """`native` or `default`, of a method that gives its answer whole."""

    def cell(model: Model) -> str:
        return _with_share("native" if model["native"][method] else "default", held(model, ("INVOKE-01",), form))

    return cell


def _streamed(method: str, form: str) -> Callable[[Model], str]:
    """`native`, `default`, or `fake`, of a method that streams."""

    def kind(model: Model) -> str:
        if not model["native"][method]:
            return "default"
        if all(held(model, (rule,), form) == "no" for rule in _WHOLE):
            return "fake"
        at_once = held(model, ("STREAM-03",), form)
        return {"yes": "native", "no": "fake"}.get(at_once, UNKNOWN)

    return lambda model: _with_share(kind(model), held(model, ("STREAM-02",), form))


def _with_share(kind: str, told: str) -> str:
    """A kind of method, with how many cases of the rule on its answers hold where some do not."""
    if told == "no":
        return "fails"
    return kind if told in ("yes", NONE, UNKNOWN) else f"{kind}, {told}"


def _rules(*rules: str) -> Callable[[Model], str]:
    return lambda model: held(model, rules)


COLUMNS: Final = (
    Column("invoke", ("INVOKE-01",), "the class implements it", _called("invoke", "sync")),
    Column("ainvoke", ("INVOKE-01",), "default: langchain-core runs `invoke` in a thread", _called("ainvoke", "async")),
    Column(
        "stream",
        ("STREAM-02", "STREAM-03", *_WHOLE),
        "default: langchain-core yields what `invoke` gives; fake: implemented, but it asks for a whole answer, or no "
        "chunk comes until more than the first piece of the answer has been sent",
        _streamed("stream", "sync"),
    ),
    Column(
        "astream",
        ("STREAM-02", "STREAM-03", *_WHOLE),
        "default: langchain-core runs `stream` in a thread, piece by piece; fake: as for `stream`",
        _streamed("astream", "async"),
    ),
    Column("tools", ("TOOL-01",), "name, arguments and id of a call arrive", _rules("TOOL-01")),
    Column("parallel tools", ("TOOL-03",), "calls stay separate and in order", _rules("TOOL-03")),
    Column("reasoning", ("META-05",), "it arrives as reasoning, and not inside the text", _rules("META-05")),
    Column("usage on streams", ("META-02",), "the sum of the stream has the provider's counts", _rules("META-02")),
    Column("structured output", ("TOOL-11",), "`with_structured_output` parses the reply", _rules("TOOL-11")),
    Column(
        "closes on cancel",
        ("CANCEL-01", "CANCEL-02"),
        "a stream that is left, or a task that is cancelled, closes the connection",
        _rules("CANCEL-01", "CANCEL-02"),
    ),
    Column("second loop", ("ASYNC-03",), "one instance works in a second `asyncio.run`", _rules("ASYNC-03")),
)


def legend() -> list[str]:
    """What the cells mean, a line for each column."""
    general = (
        "**yes**: all cases of the rule hold, those left out that are a SHOULD within a MUST; "
        "**3 of 4**: so many of its cases do; **no**: none does; "
        f"**{NONE}**: the class does not claim it, or its provider's wire has no place for it; "
        f"**{UNKNOWN}**: not told, because a more basic rule fails or the rule did not run; "
        "**native, 3 of 4**: so many cases of the rule on the method's answers hold; **fails**: none does."
    )
    columns = [f"- *{each.title}* ({', '.join(each.rules)}): {each.legend}." for each in COLUMNS]
    return [general, "", *columns]
