"""Find examples that fail, and make each as small as it gets; defects of different kinds are told apart.

Generating is Hypothesis's, and so is shrinking where nobody says what is simpler; what is kept here is which kind of
failure an example shows, so that one does not turn into another on the way.
"""

import tempfile
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from unittest import mock

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.internal.conjecture import providers
from hypothesis.strategies import SearchStrategy

E = TypeVar("E")
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Found(Generic[E, D]):
    """A failure. `example`: the smallest that was found; `failure`: what it shows."""

    example: E
    failure: D


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long is searched.

    Args:
        examples: how many examples at most, shrinking apart.
        seconds: how long at most, shrinking with it; no limit where it is `None`.
        seed: from which examples are drawn; the same ones each time.
        one: whether nothing more is looked for once something is found.
    """

    examples: int
    seconds: float | None = None
    seed: int = 0
    one: bool = False


@dataclass
class Search(Generic[E, D]):
    """One search.

    Args:
        judge: what an example shows; `None` where all is right.
        key: the kind of a failure.
        progress: is told after each example how many were tried.
        simpler: the examples that are simpler than one by a step, in the order in which they are tried; where it is
            `None`, Hypothesis shrinks.
    """

    judge: Callable[[E], D | None]
    key: Callable[[D], Hashable]
    progress: Callable[[int], object] = lambda count: None
    simpler: Callable[[E], Iterable[E]] | None = None
    tried: int = 0
    _known: dict[str, D | None] = field(default_factory=dict)
    _kinds: dict[Hashable, "type[_Failed]"] = field(default_factory=dict)
    _smallest: dict[Hashable, Found[E, D]] = field(default_factory=dict)
    _until: float = float("inf")

    def run(self, examples: SearchStrategy[E], budget: Budget) -> list[Found[E, D]]:
        """The failures, one of each kind, the smallest first."""
        if budget.seconds is not None:
            self._until = time.monotonic() + budget.seconds
        test = settings(
            max_examples=budget.examples,
            database=None,
            deadline=None,
            derandomize=False,
            phases=(Phase.generate,) if self.simpler else (Phase.generate, Phase.shrink),
            verbosity=Verbosity.quiet,
            print_blob=False,
            report_multiple_bugs=not budget.one,
            suppress_health_check=list(HealthCheck),
        )(given(examples)(self._try))
        try:
            with _leaving_no_files(), _drawing_from_the_seed():
                seed(budget.seed)(test)()
        except _Failed as failed:
            return [self._simplified(failed.found)]
        except BaseExceptionGroup as group:
            failures, others = group.split(_Failed)
            if others or not failures:
                raise
            found = [self._simplified(each.found) for each in failures.exceptions if isinstance(each, _Failed)]
            return sorted(found, key=_size)
        except _TimeIsUp:
            return sorted(self._smallest.values(), key=_size)
        return []

    def _simplified(self, found: Found[E, D]) -> Found[E, D]:
        """The same kind of failure, shown by an example of which no simpler one shows it."""
        kind = self.key(found.failure)
        try:
            while simpler := next(self._alike(found.example, kind), None):
                found = simpler
        except _TimeIsUp:
            pass
        return found

    def _alike(self, example: E, kind: Hashable) -> Iterator[Found[E, D]]:
        for each in self.simpler(example) if self.simpler else ():
            failure = self._shown(each)
            if failure is not None and self.key(failure) == kind:
                yield Found(each, failure)

    def _try(self, example: E) -> None:
        """Raise what the example shows, as an error of a type of its kind; for Hypothesis, one type is one defect."""
        failure = self._shown(example)
        if failure is not None:
            found, key = Found(example, failure), self.key(failure)
            self._smallest[key] = min(self._smallest.get(key, found), found, key=_size)
            raise self._kinds.setdefault(key, type("_FailedSo", (_Failed,), {}))(found)

    def _shown(self, example: E) -> D | None:
        """What the example shows. It is asked once, so that what a model does by chance cannot confuse the search."""
        name = repr(example)
        if name not in self._known:
            if time.monotonic() > self._until:
                raise _TimeIsUp
            self._known[name] = self.judge(example)
            self.tried += 1
            self.progress(self.tried)
        return self._known[name]


@contextmanager
def _leaving_no_files() -> Iterator[None]:
    """Hypothesis keeps tables of Unicode in the folder of a run; here it keeps them elsewhere meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


@contextmanager
def _drawing_from_the_seed() -> Iterator[None]:
    """Hypothesis draws constants of the sources of local modules too, of those that happen to be imported by then.

    A seed would draw other examples in each environment and in each worker. There is no setting for it; where a release
    of Hypothesis does not do so, or does it otherwise, this changes nothing.
    """
    names = vars(providers)
    if not {"_get_local_constants", "CONSTANTS_CACHE", "Constants"} <= names.keys():
        yield
        return
    none = names["Constants"]()
    with mock.patch.multiple(providers, _get_local_constants=lambda: none, CONSTANTS_CACHE={}):
        yield


def _size(found: Found[Any, Any]) -> int:
    return len(repr(found.example))


class _TimeIsUp(BaseException):
    """The search ends here; no `Exception`, which Hypothesis would take for what the example shows."""


class _Failed(Exception):
    """An example failed."""

    def __init__(self, found: Found[Any, Any]) -> None:
        super().__init__()
        self.found = found
