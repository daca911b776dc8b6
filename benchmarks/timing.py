"""Times commands as whole processes, in turn, so that a machine whose speed drifts slows all of them alike."""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryDirectory


def children_cpu() -> float:
    """CPU seconds, of user and system, of all processes that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(
    commands: Mapping[str, Sequence[str]],
    *,
    rounds: int,
    status: Sequence[int],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each command in each round, after one round that is not counted.

    Args:
        commands: arguments of `python`, by name.
        rounds: how often each is run.
        status: the exit statuses that are right.
        clock: what is read before and after; `children_cpu` for CPU seconds.
    """
    taken: dict[str, list[float]] = {name: [] for name in commands}
    with TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for name, arguments in commands.items():
                started = clock()
                done = subprocess.run(
                    [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
                )
                if done.returncode not in status:
                    raise SystemExit(f"{name} failed:\n{done.stdout}{done.stderr}")
                if number:
                    taken[name].append(clock() - started)
    return taken


def row(name: str, values: Sequence[float]) -> str:
    return f"{name:<34} {min(values):7.3f} {statistics.median(values):7.3f} {max(values):7.3f}"


def head(title: str) -> str:
    return f"{title}, Python {sys.version.split()[0]}\n{'seconds':<34} {'min':>7} {'median':>7} {'max':>7}"
