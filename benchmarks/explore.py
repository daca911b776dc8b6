"""How many examples a second exploring tries on a model, and where the time of one goes.

    python benchmarks/explore.py [MODULE:CLASS ...] [--examples N]

The CPU seconds are those of the whole process: the model, the server and the rule run in threads of it.
"""

import argparse
import contextlib
import time
import warnings
from collections.abc import Callable
from typing import Any

from hypothesis.strategies import SearchStrategy

from conformance.bench import Benches
from conformance.drive import Probe
from conformance.explore.actions import Walk, alone, sequences
from conformance.explore.answers import Asker
from conformance.explore.deliveries import examples
from conformance.explore.replies import Shapes
from conformance.explore.search import Budget, Search
from conformance.session import HIDDEN, hidden
from conformance.target import resolve

MODELS = ("langchain_openai:ChatOpenAI", "langchain_anthropic:ChatAnthropic")


def searched(judge: Callable[[Any], Any], drawn: SearchStrategy[Any], count: int) -> tuple[int, float, float]:
    """Examples tried, and seconds by the clock and of the CPU."""
    search: Search[Any, Any] = Search(judge, repr)
    clock, cpu = time.perf_counter(), time.process_time()
    search.run(drawn, Budget(examples=count))
    return search.tried, time.perf_counter() - clock, time.process_time() - cpu


def rows(spec: str, count: int) -> None:
    """Print what exploring costs for one model, in both forms."""
    benches = Benches()
    with hidden((*HIDDEN, "OPENAI_*", "ANTHROPIC_*")), contextlib.closing(benches):
        target = resolve(spec, {}, {})
        for form in ("sync", "async"):
            probe = Probe(target, form, benches.take(alone=True))
            shapes = Shapes(target.wire)
            asker, walk = Asker(probe, shapes), Walk(probe)
            steps = sequences(alone(probe))
            searched(lambda example: None, examples(shapes), count)  # what is made once is made before
            kinds: dict[str, tuple[Callable[[Any], Any], SearchStrategy[Any]]] = {
                "drawing alone": (lambda example: None, examples(shapes)),
                "EXPLORE-01": (lambda example, asker=asker: next(asker.untold(example), None), examples(shapes)),
                "EXPLORE-02": (walk.judge, steps),
            }
            for name, (judge, drawn) in kinds.items():
                tried, clock, cpu = searched(judge, drawn, count)
                rate, each = tried / clock, cpu / tried * 1000
                print(f"{target.label:<16} {form:<6} {name:<14} {tried:>6} {rate:>10.1f} {each:>10.1f}")


def main() -> None:
    """Measure the models of the command line, or two released ones."""
    warnings.simplefilter("ignore")
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("models", nargs="*", default=MODELS)
    options.add_argument("--examples", type=int, default=200)
    given = options.parse_args()
    print(f"{'model':<16} {'form':<6} {'':<14} {'tried':>6} {'a second':>10} {'CPU ms':>10}")
    for spec in given.models:
        rows(spec, given.examples)


if __name__ == "__main__":
    main()
