"""What the plugin adds to the start of pytest where no model is named: the same empty run with and without it.

CPU seconds, since what it adds is far below what the clock on the wall scatters.

python benchmarks/plugin_start.py [ROUNDS]
"""

import statistics
import sys

from timing import children_cpu, head, row, seconds

LIMIT = 0.030
"""Seconds that the plugin may add."""

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
COMMANDS = {
    "without the plugin": ["-m", "pytest", "-q", "-p", "no:conformance"],
    "with the plugin": ["-m", "pytest", "-q"],
}
NO_TESTS = 5
taken = seconds(COMMANDS, rounds=rounds, status=[NO_TESTS], clock=children_cpu)
without, given = taken.values()
added = [two - one for one, two in zip(without, given, strict=True)]
ratios = [two / one for one, two in zip(without, given, strict=True)]
print(head("an empty pytest run, CPU"))
for name, values in taken.items():
    print(row(name, values))
print(row("added", added))
print(f"ratio with/without, median of pairs: {statistics.median(ratios):.3f}; added may be {LIMIT:.3f} at the most")
