"""The measures, each a function from a running server to one figure or several."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import load
from .cases import CASES
from .peers import Process


@dataclass(frozen=True)
class Rate:
    """How many a second, by the clock and by the CPU time of the server; `segments` for each, and `busy` the client."""

    by_clock: float
    by_cpu: float
    segments: float
    busy: float


def _rate(process: Process, run: Callable[[], load.Load]) -> Rate:
    cpu = process.cpu
    done = run()
    cpu = process.cpu - cpu
    return Rate(done.rate, done.count / cpu, done.segments / done.count, done.busy)


def streams(model: str, size: int) -> Callable[[Process], Rate]:
    return lambda process: _rate(process, lambda: _all_events(load.streams(process.port, model, size), model, size))


def _all_events(done: load.Load, model: str, size: int) -> load.Load:
    # Peers differ in the last frames: usage, or a finish of its own.
    if done.count < (CASES[model].events - 1) * size:
        raise SystemExit(f"{done.count} events for {size} times {CASES[model].events}")
    return done


def requests(count: int) -> Callable[[Process], Rate]:
    return lambda process: _rate(process, lambda: load.requests(process.port, "short", 16, count))


def first_event(probes: int) -> Callable[[Process], list[float]]:
    """Milliseconds to the first event of a new stream while 64 run without delay."""
    return lambda process: [each * 1000 for each in load.first_bytes(process.port, "long", "short", 64, probes)]


def drift(model: str, size: int) -> Callable[[Process], list[float]]:
    """By how many per cent each stream took longer, from its first piece to its last, than its pace says."""
    case = CASES[model]
    planned = (case.pieces - 1) * case.every

    def measure(process: Process) -> list[float]:
        taken = []
        for arrivals in load.paced(process.port, model, size):
            # The role comes first, and with or after the last piece the finish.
            assert len(arrivals) >= case.pieces + 2
            taken.append(arrivals[case.pieces] - arrivals[1])
        return [100 * (each - planned) / planned for each in taken]

    return measure


def worst(values: Sequence[float]) -> float:
    return max(values, key=abs)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
