"""All words that a user reads on failure are put together here."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from langchain_core.messages import BaseMessage

from .baseline import Change, Key
from .cassettes import Recorded
from .catalogue import Form, Level, Rule
from .loopback import Attempt
from .verdict import Broken, Result

if TYPE_CHECKING:
    from mockserver import Exchange, Script

    from .drive import Probe
    from .item import Item

WIDTH: Final = 110
GUESSED: Final = "how it is built was guessed; to pin it, write into pyproject.toml:"
PLAYED: Final = "in-process through vcrpy: no timing, no cuts"
"""How answers come to a model whose client takes no URL."""
REPLAY_ALONE: Final = "its client takes no URL, so REPLAY is all that runs"
_LABEL: Final = 11
_METHODS: Final = {
    "INVOKE": "invoke",
    "STREAM": "stream",
    "BATCH": "batch",
    "EVENTS": "stream_events",
    "DEFAULT": "stream",
    "REPLAY": "stream",
}


def facts(item: "Item", probe: "Probe", broken: Broken) -> tuple[tuple[str, str], ...]:
    """The facts of a rule that does not hold, labelled, in the order in which they are shown."""
    told = [
        ("expected", broken.expected),
        ("observed", broken.observed),
        ("because", broken.because),
        ("script", script(probe.server.script, probe.wire.name, probe.exchanges)),
        ("wire", wire(probe.exchanges, broken.frame)),
        ("level", item.case.why if item.case.level else ""),
        *broken.more,
        ("hint", item.rule.hint),
        ("rerun", rerun(item) + broken.options),
    ]
    return tuple((label, text) for label, text in told if text)


def sayable(text: str) -> str:
    """A text in which halves of surrogate pairs, which UTF-8 cannot say, are written as Python writes them."""
    return text.encode(errors="backslashreplace").decode()


def item(item: "Item", result: Result) -> str:
    """The text of an item whose rule does not hold, or that a baseline wrongly says so of."""
    if result.verdict == "stale":
        stale = (("baseline", f"says that this fails ({result.known}); it passes"), ("rerun", rerun(item)))
        return failure(item.rule, item.level, item.target.label, stale)
    return failure(item.rule, item.level, f"{item.target.label} · {method(item.rule, item.form)}", result.facts)


def method(rule: Rule, form: Form) -> str:
    """The method that a rule is about, by its area."""
    name = _METHODS.get(rule.area)
    if name is None:
        return form
    return f"a{name}" if form == "async" else name


def failure(rule: Rule, level: Level, who: str, facts: Iterable[tuple[str, str]]) -> str:
    """The failure text: rule, level, statement and model, then the facts."""
    head = f"{rule.id}  {level}  {rule.statement}"
    gap = " " * max(2, WIDTH - len(head) - len(who))
    lines = [f"{head}{gap}{who}" if len(head) + len(who) + 2 <= WIDTH else f"{head}\n{' ' * 2}{who}"]
    return "\n".join([*lines, *labelled(facts)])


def labelled(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The lines of facts, each after its label."""
    for label, text in facts:
        first, *more = text.rstrip("\n").split("\n")
        yield f"  {label.ljust(_LABEL)}{first}"
        yield from (f"  {' ' * _LABEL}{line}" for line in more)


def rerun(item: "Item") -> str:
    """The command that runs this item again."""
    kwargs = f" --chat-model-kwargs={shlex.quote(json.dumps(dict(item.target.extra)))}" if item.target.extra else ""
    recorded = item.case.value
    if not isinstance(recorded, Recorded):
        return f"pytest --chat-model={item.target.spec}{kwargs} -k {item.name}"
    name = item.name.removesuffix(recorded.label) + recorded.alone
    return f"pytest --chat-model={item.target.spec}{kwargs} --cassette={shlex.quote(recorded.path)} -k {name}"


def script(script: "Script", wire: str, exchanges: tuple["Exchange", ...]) -> str:
    """What the server was scripted with: ``openai-chat: text in 3 pieces, finish, usage``."""
    turns = script.turns or [each.turn for each in exchanges if each.turn]
    told = list(dict.fromkeys(turn.describe() for turn in turns))
    more = f"; and {len(told) - 3} more answers" if len(told) > 3 else ""
    return f"{wire}: {'; then '.join(told[:3])}{more}" if told else ""


def wire(exchanges: tuple["Exchange", ...], kind: str) -> str:
    """What was on the wire: how many frames of the last answer, and the one of that kind."""
    if not exchanges:
        return "no request"
    exchange = exchanges[-1]
    count = f"{exchange.frames_written} of {len(exchange.frames)} frames"
    if exchange.frames_written == len(exchange.frames):
        count = f"{len(exchange.frames)} frame{'s' if len(exchange.frames) != 1 else ''}"
    requests = f"{len(exchanges)} requests; the last: " if len(exchanges) > 1 else ""
    if exchange.refused:
        return f"{requests}{exchange.describe()}"
    written = list(enumerate(exchange.frames, 1))[: exchange.frames_written]
    shown = next(((number, frame) for number, frame in written if frame.kind == kind), None)
    if shown is None:
        return f"{requests}{count}, {exchange.ended or 'open'}"
    number, frame = shown
    return f"{requests}{count}; #{number} {_cut(frame.data.decode(errors='replace').strip(), 70)}"


def _cut(text: str, width: int) -> str:
    line = " ⏎ ".join(text.splitlines())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def left(attempts: Sequence[Attempt]) -> str:
    """What was kept from leaving loopback; `""` where nothing was."""
    told = _cut("; ".join(dict.fromkeys(map(str, attempts))), 300)
    return f"kept from reaching {told}: loopback alone can be reached while a model is under test" if told else ""


def change(file: str, change: Change) -> str:
    """What an update did to a baseline."""
    told = f"{change.added} added, {change.kept} kept, {change.removed} removed"
    more = "; say in each that was added why it may stand" if change.added else ""
    return f"baseline {file}: {told}{more}"


def lost(file: str, keys: Sequence[Key]) -> str:
    """The entries of a baseline that name no item of this run's models."""
    return f"baseline {file}: names no item of this model: {', '.join(f'{key.rule} {key.case}' for key in keys)}"


def row(rule: Rule) -> str:
    """A rule in one line."""
    return f"{rule.id.ljust(_LABEL)}{rule.level.ljust(7)}{rule.statement}"


def explanation(rule: Rule) -> str:
    """All that the catalogue says of a rule."""
    forms = " and ".join(method(rule, form) for form in rule.forms)
    told = [
        ("forms", forms),
        ("needs", ", ".join(rule.needs)),
        ("after", ", ".join(rule.after)),
        ("hint", rule.hint),
        ("mend", rule.mend),
        ("source", rule.source),
        ("since", rule.since),
    ]
    lines = [f"{rule.id}  {rule.level}", f"  {rule.statement}", ""]
    return "\n".join([*lines, *(f"  {label.ljust(_LABEL)}{text}" for label, text in told if text)])


def describe_error(error: BaseException) -> str:
    """Type and first line of an error."""
    try:
        text = str(error).strip()
    except Exception:  # noqa: BLE001 - an error of a package may not be able to say what it is
        text = ""
    first = text.splitlines()[0] if text else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def brief(value: object) -> str:
    """A value in at most 120 characters."""
    if isinstance(value, BaseMessage):
        text = f"{type(value).__name__}(content={value.content!r}"
        text += ", …)"
    else:
        text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
