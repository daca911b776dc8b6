"""All integrations of a list, several at a time: what is finished stays, and what is not is measured."""

import queue
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from .children import Children, Stopped
from .environments import Environments
from .listing import Integration
from .progress import Progress, outcome
from .results import Results, Row, key_of
from .running import Runs, Settings

_TICK: Final = 0.5
"""Seconds after which the last line is drawn anew."""


def finished(of: Sequence[Integration], results: Results, arguments: Sequence[str]) -> dict[str, Row]:
    """The rows that need not be measured again: they have a result, of the same packages, rules and suite."""
    rows = {each.name: (results.of(each.name), key_of(each, arguments)) for each in of}
    return {name: row for name, (row, key) in rows.items() if row and row.model is not None and row.key == key}


def measured(
    of: Sequence[Integration],
    results: Results,
    environments: Callable[[Children], Environments],
    settings: Settings,
    *,
    again: bool = False,
    prepare: bool = False,
) -> tuple[list[Row], bool]:
    """The rows of these integrations, in their order, and whether all of them came to be (`False`: interrupted).

    Args:
        of: what is measured.
        results: where rows are kept.
        environments: makes what builds environments.
        settings: how each is measured.
        again: whether what is finished is measured again.
        prepare: whether environments are built and nothing is run.
    """
    rows = {} if again or prepare else finished(of, results, settings.arguments)
    waiting = [each for each in of if each.name not in rows]
    progress = Progress({} if prepare else _expected(waiting, results), len(waiting), settings.jobs)
    for row in rows.values():
        progress.line(f"finished before: {row.name}: {outcome(row)}")
    children = Children()
    runs = Runs(settings, environments(children), children, results, progress)
    step = runs.prepare if prepare else runs.measure
    told = progress.prepared if prepare else progress.ends
    try:
        with _interrupted_by_termination():
            for row in _done(waiting, step, settings.jobs, progress):
                rows[row.name] = row
                told(row)
    except KeyboardInterrupt:
        progress.line("interrupted; ending what runs")
        return [rows[each.name] for each in of if each.name in rows], False
    finally:
        children.stop()
    return [rows[each.name] for each in of], True


@contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """What ends this process ends its children too: a termination is taken for an interruption meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _expected(of: Iterable[Integration], results: Results) -> Mapping[str, float]:
    """How long each took when it was last measured."""
    rows = {each.name: results.of(each.name) for each in of}
    return {name: row.seconds for name, row in rows.items() if row and row.seconds}


def _done(
    of: Sequence[Integration], step: Callable[[Integration], Row], jobs: int, progress: Progress
) -> Iterator[Row]:
    """The rows, as several threads are done with them; the threads end when their processes do."""
    waiting: queue.SimpleQueue[Integration] = queue.SimpleQueue()
    done: queue.SimpleQueue[Row | BaseException] = queue.SimpleQueue()
    for each in of:
        waiting.put(each)
    for _ in range(min(jobs, len(of))):
        threading.Thread(target=_work, args=(waiting, step, done), daemon=True).start()
    for _ in of:
        yield _next(done, progress)


def _work(
    waiting: "queue.SimpleQueue[Integration]",
    step: Callable[[Integration], Row],
    done: "queue.SimpleQueue[Row | BaseException]",
) -> None:
    while True:
        try:
            done.put(step(waiting.get_nowait()))
        except (queue.Empty, Stopped):
            return
        except BaseException as error:  # noqa: BLE001 - raised where the rows are gathered
            done.put(error)


def _next(done: "queue.SimpleQueue[Row | BaseException]", progress: Progress) -> Row:
    """The next row that is done; meanwhile the last line is kept up to date."""
    while True:
        progress.show()
        try:
            row = done.get(timeout=_TICK)
        except queue.Empty:
            continue
        if isinstance(row, BaseException):
            raise row
        return row
