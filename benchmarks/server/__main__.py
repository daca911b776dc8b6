"""Measure all peers in turn, and print a table.

    python -m benchmarks.server [--quick] [--only WORD ...] [--rounds N] [--options="--loop uvloop"]

Run it at the root of a checkout, on Linux with two cores or more, in an environment with the project and uvloop; npm
is needed for aimock. The servers run on the first core and the client on the second.
"""

import argparse
import os
import resource
import shlex
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from . import load, measures
from .measures import Rate, median, worst
from .peers import CLIENT_CORE, Peer, Process, import_seconds, known, running

RATES: dict[str, tuple[str, Callable[[Process], Rate]]] = {
    "events/s, 1 stream": ("≥ 0.7 floor, ≥ 1.5 aimock", measures.streams("long", 1)),
    "events/s, 64 streams": ("≥ 0.7 floor, ≥ 1.5 aimock", measures.streams("many", 64)),
    "events/s, 256 streams": ("≥ 0.7 floor, ≥ 1.5 aimock", measures.streams("fewer", 256)),
    "events/s, whole": ("≥ 10 aimock", measures.streams("whole", 1)),
    "requests/s, not streamed": ("≥ 2.5 aimock", measures.requests(2000)),
}
STEPPED = "aimock stepped"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description="The speed of mockserver.")
    parser.add_argument("--quick", action="store_true", help="a short run, whose figures scatter more")
    parser.add_argument("--rounds", type=int, help="how often each rate is measured (default: 9, quick 3)")
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help="measures whose names hold a word")
    parser.add_argument("--options", type=shlex.split, default=[], help="further options of `mockserver serve`")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(known(folder, options.options), folder, options)
        os.sched_setaffinity(0, {CLIENT_CORE})
        bench.run()


class Bench:
    """A run: which peers, how often, and what is printed."""

    def __init__(self, peers: Sequence[Peer], folder: Path, options: argparse.Namespace) -> None:
        self._peers = peers
        self._folder = folder
        self._quick: bool = options.quick
        self._rounds: int = options.rounds or (3 if options.quick else 9)
        self._words: list[str] = options.only

    def run(self) -> None:
        with ExitStack() as stack:
            here = {peer.name: stack.enter_context(running(peer, self._folder)) for peer in self._peers}
            loops = {name: process.loop for name, process in here.items() if name.startswith("mockserver")}
            print("loops:", ", ".join(f"{name} on {loop}" for name, loop in loops.items()), flush=True)
            for name, (target, measure) in RATES.items():
                if self._is_wanted(name):
                    self._print_rates(name, target, self._in_turn(here, measure), loops)
            unpaced = {name: each for name, each in here.items() if name != STEPPED}
            paced = {name: each for name, each in unpaced.items() if name != "llmock"}
            self._print_spread("first event with 64 streams open, ms", "≤ 10", unpaced, measures.first_event(10))
            for every, model, target in ((5, "five", "≤ 0.5"), (1, "one", "≤ 1")):
                self._print_spread(f"drift at {every} ms, %", target, paced, measures.drift(model, 1))
        self._print_crowd()
        self._print_memory()
        self._print_cold_start()

    def _is_wanted(self, name: str) -> bool:
        return any(word in name for word in self._words)

    def _in_turn(self, here: Mapping[str, Process], measure: Callable[[Process], Rate]) -> dict[str, list[Rate]]:
        """Each peer in each round, after one round that is not counted."""
        taken: dict[str, list[Rate]] = {name: [] for name in here}
        for number in range(self._rounds + 1):
            for name, process in here.items():
                if name == STEPPED and number > 2:
                    continue
                done = measure(process)
                if number:
                    taken[name].append(done)
        return taken

    def _print_rates(
        self, title: str, target: str, taken: Mapping[str, Sequence[Rate]], loops: Mapping[str, str]
    ) -> None:
        print(f"\n{title} (target {target})")
        print(f"  {'':<20} {'a second':>10} {'per CPU s':>10} {'segments':>9} {'client busy':>12}")
        for name, rates in taken.items():
            columns = [median(column) for column in zip(*(vars(each).values() for each in rates), strict=True)]
            print(f"  {name:<20} {columns[0]:>10,.0f} {columns[1]:>10,.0f} {columns[2]:>9.2f} {columns[3]:>12.2f}")
        for name, loop in loops.items():
            others = [f"floor {loop}", *(each for each in ("floor uvloop", "aimock", STEPPED) if each in taken)]
            for other in dict.fromkeys(others):
                pairs = list(zip(taken[name], taken[other], strict=False))
                clock = median(one.by_clock / two.by_clock for one, two in pairs)
                cpu = median(one.by_cpu / two.by_cpu for one, two in pairs)
                print(f"  {name} / {other}: {clock:.2f} by the clock, {cpu:.2f} by CPU")
        sys.stdout.flush()

    def _print_spread(
        self,
        title: str,
        target: str,
        here: Mapping[str, Process],
        measure: Callable[[Process], list[float]],
    ) -> None:
        if not self._is_wanted(title):
            return
        taken: dict[str, list[float]] = {name: [] for name in here}
        for _ in range(1 if self._quick else 3):
            for name, process in here.items():
                taken[name] += measure(process)
        print(f"\n{title} (target {target})\n  {'':<20} {'median':>10} {'worst':>10}")
        for name, values in taken.items():
            print(f"  {name:<20} {median(values):>10.3f} {worst(values):>10.3f}", flush=True)

    def _fresh(
        self,
        title: str,
        names: Sequence[str],
        measure: Callable[[Process], list[float]],
        *,
        rounds: int,
        leave: tuple[str, ...] = ("floor", "aiohttp", STEPPED),
    ) -> None:
        """Print figures of processes that are started for them; median and worst of the rounds.

        The servers of `plain` are left out where what they import, which is `mockserver`, is most of the figure.
        """
        if not self._is_wanted(title):
            return
        taken: dict[str, list[list[float]]] = {}
        for _ in range(rounds):
            for peer in self._peers:
                if peer.name.startswith(leave):
                    continue
                with running(peer, self._folder, names) as process:
                    taken.setdefault(peer.name, []).append(measure(process))
        print(f"\n{title}")
        for name, figures in taken.items():
            self._print_columns(name, figures)

    @staticmethod
    def _print_columns(name: str, figures: Sequence[Sequence[float]]) -> None:
        columns = (f"{median(column):>10.3f} ({worst(column):.3f})" for column in zip(*figures, strict=True))
        print(f"  {name:<20}", *columns, flush=True)

    def _print_crowd(self) -> None:
        def measure(process: Process) -> list[float]:
            before = process.memory("VmRSS")
            drifts = measures.drift("crowd", 1000)(process)
            return [median(drifts), worst(drifts), (process.memory("VmHWM") - before) * 1000 / len(drifts)]

        title = "1,000 paced streams at once, 100 ms, all complete: drift %, worst stream's drift % (≤ 5), KB a stream"
        self._fresh(title, ("crowd", "short"), measure, rounds=1 if self._quick else 3, leave=("llmock", STEPPED))

    def _print_memory(self) -> None:
        def measure(process: Process) -> list[float]:
            load.requests(process.port, "short", 16, 1000)
            load.streams(process.port, "many", 64)
            return [process.memory("VmHWM")]

        title = "peak memory, MB, after 1,000 requests and 64 streams of 300 pieces (target ≤ 60)"
        self._fresh(title, ("many", "short"), measure, rounds=1 if self._quick else 3)

    def _print_cold_start(self) -> None:
        title = "cold start to the end of the first answer (target ≤ 0.35), s by the clock, CPU s"
        rounds = 3 if self._quick else 9
        self._fresh(title, ("short",), lambda process: [process.cold_start, process.cpu], rounds=rounds)
        if self._is_wanted(title):
            self._print_columns(
                "import aiohttp.web", [import_seconds("aiohttp.web", self._folder) for _ in range(rounds)]
            )


if __name__ == "__main__":
    main()
