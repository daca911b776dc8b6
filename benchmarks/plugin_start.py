"""What the plugin adds to the start of pytest where no model is named.

Two measures: the same empty run with and without it, as whole processes in turn (CPU seconds), whose scatter is larger
than what is measured; and the import of the plugin into a process that has pytest already, which is all that it does
in such a run beside declaring two options and three fixtures.

    python benchmarks/plugin_start.py [ROUNDS]
"""

import statistics
import subprocess
import sys

from timing import children_cpu, head, row, seconds

LIMIT = 0.030
"""Seconds that the plugin may add."""
IMPORT = "import pytest, time; t = time.perf_counter(); import conformance.plugin; print(time.perf_counter() - t)"
NO_TESTS = 5

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
COMMANDS = {
    "without the plugin": ["-m", "pytest", "-q", "-p", "no:conformance"],
    "with the plugin": ["-m", "pytest", "-q"],
}
taken = seconds(COMMANDS, rounds=rounds, status=[NO_TESTS], clock=children_cpu)
without, given = taken.values()
added = [two - one for one, two in zip(without, given, strict=True)]
ratios = [two / one for one, two in zip(without, given, strict=True)]
imports = [float(subprocess.check_output([sys.executable, "-c", IMPORT], text=True)) for _ in range(rounds)]
print(head("an empty pytest run, CPU"))
for name, values in taken.items():
    print(row(name, values))
print(row("added", added))
print(row("import of the plugin", imports))
print(f"ratio with/without, median of pairs: {statistics.median(ratios):.3f}; added may be {LIMIT:.3f} at the most")
