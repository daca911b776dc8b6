"""Search in rounds, and tell what is found: the smallest example, as a script, and the rules that it resembles."""

import re
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hypothesis.strategies import SearchStrategy

from mockserver import Turn
from mockserver.converting.scriptwriting import dump

from ..catalogue import Case
from ..collector import sweep
from ..drive import Probe
from ..verdict import Broken, NotApplicable
from .exploring import Exploring
from .search import Budget, Found, Search

E = TypeVar("E")

_ROUND = 1000
"""Examples that are drawn from one seed. What was found is passed over in the next round, which draws from the next."""
_SHOWN = 3
"""So many kinds are told of in full; the others by name."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What an example shows.

    Args:
        where: the method or the step that shows it.
        what: what does not hold.
        expected: what must hold.
        observed: what was seen.
        resembles: ids of rules that are about the same.
    """

    where: str
    what: str
    expected: str
    observed: str
    resembles: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Its name; failures of one kind are taken for one defect."""
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, kw_only=True)
class Subject(Generic[E]):
    """What is explored.

    Args:
        rule: the rule that it is.
        examples: what is generated.
        failures: all that an example shows, one after the other.
        turns: the answers of a script for an example.
        about: what the script says of itself.
        simpler: the examples that are simpler than one by a step.
    """

    rule: str
    examples: SearchStrategy[E]
    failures: Callable[[E], Iterator[Failure]]
    turns: Callable[[E], Sequence[Turn]]
    about: Callable[[E], dict[str, Any]]
    simpler: Callable[[E], Iterable[E]]


@dataclass
class Seen:
    """The kinds that are passed over, and which of them an example showed."""

    passed: frozenset[str] = frozenset()
    met: set[str] = field(default_factory=set)

    def is_new(self, failure: Failure) -> bool:
        """Whether a failure is of no kind that is passed over."""
        if failure.kind not in self.passed:
            return True
        self.met.add(failure.kind)
        return False


def look(probe: Probe, subject: Subject[E], case: Case) -> None:
    """Search for what does not hold, as `Target.exploring` says.

    Raises:
        Broken: something does not hold.
    """
    exploring = probe.target.exploring
    name = "-".join(part for part in (subject.rule, probe.form, case.name) if part)
    seen = Seen(frozenset(exploring.known.get(name, ())))
    found, tried = _rounds(subject, exploring, name, seen)
    probe.kinds = tuple(sorted(seen.met))
    if found:
        raise _broken(probe, subject, list(_shown(subject, found, seen)), _Told(name, tried, exploring))


def again(probe: Probe, subject: Subject[E], examples: Sequence[E], file: str) -> None:
    """Try the examples of a script.

    Raises:
        Broken: one of them shows something.
        NotApplicable: there are none.
    """
    if not examples:
        raise NotApplicable(f"{file} has no reply that could be compared")
    for example in examples:
        if failures := list(subject.failures(example)):
            shown = _Shown(example, failures[0], tuple(failures))
            more, options = tuple(_resembling(shown.failure)), f" --script={shlex.quote(file)}"
            raise Broken(shown.failure.expected, shown.failure.observed, shown.told, more=more, options=options)


def _rounds(subject: Subject[E], exploring: Exploring, name: str, seen: Seen) -> tuple[list[Found[E, Failure]], int]:
    """What is found, the smallest of each kind, and how many examples were tried."""
    until = time.monotonic() + exploring.seconds if exploring.seconds is not None else None
    found: list[Found[E, Failure]] = []
    tried = number = 0
    while tried < exploring.examples:
        left = until - time.monotonic() if until else None
        if left is not None and left <= 0:
            break
        before = tried
        passed = Seen(seen.passed | {each.failure.kind for each in found})
        search: Search[E, Failure] = Search(
            lambda example: _first(filter(passed.is_new, subject.failures(example))),  # noqa: B023 - of this round
            lambda failure: failure.kind,
            lambda count: exploring.progress(name, before + count, len(found)),  # noqa: B023
            subject.simpler,
        )
        budget = Budget(examples=min(_ROUND, exploring.examples - tried), seconds=left, seed=exploring.seed + number)
        found += search.run(subject.examples, budget)
        tried += search.tried
        number += 1
        seen.met |= passed.met & seen.passed
        if not search.tried:
            break
    return sorted(found, key=lambda each: len(repr(each.example))), tried


def _first(failures: Iterator[Failure]) -> Failure | None:
    """The first thing that an example shows. What it leaves behind is not for the next one to meet."""
    first = next(failures, None)
    sweep()
    return first


@dataclass(frozen=True, slots=True)
class _Shown(Generic[E]):
    """What was found, and all that the smallest example of it shows when it is tried once more."""

    example: E
    failure: Failure
    failures: tuple[Failure, ...]

    @property
    def alike(self) -> list[Failure]:
        """The failures that tell the same of several methods or steps."""
        found = [self.failure, *(each for each in self.failures if each.what == self.failure.what)]
        return list({each.kind: each for each in found}.values())

    @property
    def told(self) -> str:
        """Where it shows, and what."""
        return f"{', '.join(each.where for each in self.alike)}: {self.failure.what}"

    @property
    def is_steady(self) -> bool:
        return any(each.kind == self.failure.kind for each in self.failures)


def _shown(subject: Subject[E], found: Iterable[Found[E, Failure]], seen: Seen) -> Iterator[_Shown[E]]:
    """What was found, without what an example before shows as well."""
    covered: set[str] = set()
    for each in found:
        if each.failure.kind not in covered:
            failures = tuple(filter(seen.is_new, subject.failures(each.example)))
            shown = _Shown(each.example, each.failure, failures)
            covered |= {alike.kind for alike in shown.alike}
            yield shown


@dataclass(frozen=True, slots=True)
class _Told:
    """What is said of a search beside what it found."""

    name: str
    tried: int
    exploring: Exploring

    @property
    def options(self) -> str:
        """The options that draw the same examples again."""
        exploring = self.exploring
        if not exploring.chosen:
            return ""
        count = self.tried if exploring.seconds else exploring.examples
        return f" --explore={count}" + (f" --explore-seed={exploring.seed}" if exploring.seed else "")


def _broken(probe: Probe, subject: Subject[E], found: Sequence[_Shown[E]], told: _Told) -> Broken:
    """The first of what was found in full, and the others beside it."""
    first = found[0]
    files = [_written(probe, subject, each, told, number) for number, each in enumerate(found, 1)]
    list(subject.failures(first.example))  # so that the exchanges that are shown are its own
    more = [] if first.is_steady else [("steady", "no: asked again, it did not show")]
    more += [("example", _script(subject, first.example))] if not files[0] else []
    more += _resembling(first.failure)
    more += [("also", _also(each, file)) for each, file in list(zip(found, files, strict=True))[1:_SHOWN]]
    if rest := [each.told for each in found[_SHOWN:]]:
        more.append(("also", "; ".join(rest)))
    seed = f"seed {told.exploring.seed}"
    more.append(("explored", f"{told.tried} examples from {seed}" + ("" if told.options else "; more: --explore")))
    if files[0]:
        more.append(("again", f"pytest --chat-model={probe.target.spec} --script={files[0]}"))
    return Broken(
        first.failure.expected,
        first.failure.observed,
        first.told,
        more=tuple(more),
        kinds=tuple(alike.kind for each in found for alike in each.alike),
        options=told.options,
    )


def _resembling(failure: Failure) -> list[tuple[str, str]]:
    return [("resembles", ", ".join(failure.resembles))] if failure.resembles else []


def _also(found: _Shown[E], file: str) -> str:
    failure = found.failure
    where = f" ({file})" if file else ""
    return f"{found.told}: {failure.expected}, and not {failure.observed}{where}"


def _script(subject: Subject[E], example: E, head: Sequence[str] = ()) -> str:
    return dump(subject.turns(example), head=head, about=subject.about(example)).rstrip("\n")


def _written(probe: Probe, subject: Subject[E], found: _Shown[E], told: _Told, number: int) -> str:
    """The script of what was found, as a file; gives its name as the command line shows it, or `""`."""
    exploring = told.exploring
    if exploring.folder is None:
        return ""
    name = re.sub(r"[^\w.-]", "_", f"{probe.target.label}-{told.name}-{number}.yaml")
    shown = f"{exploring.shown}/{name}"
    failure = found.failure
    head = [
        f"{probe.target.label}, {told.name}: {found.told}",
        f"expected {failure.expected}",
        f"observed {failure.observed}",
        f"again    pytest --chat-model={probe.target.spec} --script={shown}",
        f"play it  mockserver serve {shown}",
    ]
    try:
        exploring.folder.mkdir(parents=True, exist_ok=True)
        (exploring.folder / name).write_text(f"{_script(subject, found.example, head)}\n", encoding="utf-8")
    except OSError as error:
        return f"not written: {error}"
    return shown
