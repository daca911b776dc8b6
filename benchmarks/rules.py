"""How long each rule takes on a model, and whose CPU time that is: this suite's or the model's.

    python benchmarks/rules.py [MODEL] [SLOWEST]

The server runs in threads of its own and the rules in the main thread; all other threads are the model's, with
LangChain and the provider's SDK in them. Rules are told by their CPU seconds, which other work on the machine changes
little; what is by the clock beside them is waiting, on a machine that has nothing else to do.
"""

import sys
import threading
import time
import warnings
from collections import Counter

from conformance.bench import Benches
from conformance.item import items
from conformance.judge import Judge
from conformance.session import HIDDEN, hidden
from conformance.target import resolve

MODEL = "langchain_openai:ChatOpenAI"

model = sys.argv[1] if len(sys.argv) > 1 else MODEL
shown = int(sys.argv[2]) if len(sys.argv) > 2 else 10


def server_cpu() -> float:
    """CPU seconds of the server's threads that are running."""
    threads = [each for each in threading.enumerate() if each.name.startswith("mockserver") and each.ident]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(each.ident or 0)) for each in threads)


warnings.simplefilter("ignore")
taken: Counter[str] = Counter()
used: Counter[str] = Counter()
counts: Counter[str] = Counter()
whose: Counter[str] = Counter()
benches = Benches()
with hidden((*HIDDEN, "OPENAI_*", "ANTHROPIC_*")):
    target = resolve(model, {}, {})
    judge = Judge(benches)
    for item in items(target):
        before = time.process_time(), time.thread_time(), server_cpu()
        started = time.perf_counter()
        judge.result(item)
        taken[item.rule.id] += time.perf_counter() - started  # type: ignore[assignment]
        whole_cpu = time.process_time() - before[0]
        used[item.rule.id] += whole_cpu  # type: ignore[assignment]
        counts[item.rule.id] += 1
        # A bench that an item closes takes its server's thread along, whose last seconds are then not known.
        server = max(0.0, server_cpu() - before[2])
        rule = time.thread_time() - before[1]
        whose["server"] += server  # type: ignore[assignment]
        whose["rules"] += rule  # type: ignore[assignment]
        whose["model"] += max(0.0, whole_cpu - server - rule)  # type: ignore[assignment]
benches.close()

whole, cpu = sum(taken.values()), sum(whose.values())
print(f"{model}: {len(taken)} rules, {counts.total()} items, {whole:.1f} s")
print("CPU: " + ", ".join(f"{who} {seconds:.1f} s ({seconds / cpu:.0%})" for who, seconds in whose.items()))
print(f"{'the most':<12} {'items':>5} {'CPU s':>8} {'share':>6} {'clock s':>8}")
for id, seconds in used.most_common(shown):
    print(f"{id:<12} {counts[id]:>5} {seconds:8.2f} {seconds / cpu:6.0%} {taken[id]:8.2f}")
