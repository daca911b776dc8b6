"""Whether a slow machine changes a verdict: the suite again and again, with all cores busy, in random order.

    python benchmarks/steady.py [--runs N] [--model MODEL …] [--load PROCESSES]

Every other run is spread over two workers of pytest-xdist. Exit status 1 where a verdict is not the same in all runs.
"""

import argparse
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

MODELS = ("langchain_openai:ChatOpenAI", "langchain_anthropic:ChatAnthropic")
SHUFFLE = """
import random

def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.nodeid)
    random.Random({seed}).shuffle(items)
"""


def spin() -> None:
    """Keep a core busy."""
    while True:
        sum(range(10_000))


def run(model: str, seed: int, *, spread: bool) -> dict[str, str]:
    """The verdict of each item of one run."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "shuffle.py").write_text(SHUFFLE.format(seed=seed), encoding="utf-8")
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "shuffle", "-p", "no:cacheprovider"]
        command += [f"--chat-model={model}", f"--junitxml={report}", *(["-n", "2"] if spread else [])]
        environment = {**os.environ, "PYTHONPATH": folder}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if not report.exists():
            raise SystemExit(done.stdout + done.stderr)
        return {
            test.get("name", ""): next(
                (str(each.get("value")) for each in test.iter("property") if each.get("name") == "verdict"), "none"
            )
            for test in ElementTree.parse(report).iter("testcase")
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--model", nargs="+", default=MODELS)
    parser.add_argument("--load", type=int, default=os.cpu_count(), help="busy processes beside the suite")
    options = parser.parse_args()
    busy = [multiprocessing.Process(target=spin, daemon=True) for _ in range(options.load)]
    for process in busy:
        process.start()
    differing = 0
    for model in options.model:
        seen: defaultdict[str, set[str]] = defaultdict(set)
        seconds = []
        for number in range(options.runs):
            started = time.perf_counter()
            for name, verdict in run(model, random.randrange(1 << 30), spread=bool(number % 2)).items():
                seen[name].add(verdict)
            seconds.append(time.perf_counter() - started)
            changing = sum(len(verdicts) > 1 for verdicts in seen.values())
            print(f"  run {number + 1}: {seconds[-1]:.0f} s, {changing} verdicts not the same so far", flush=True)
        changed = {name: verdicts for name, verdicts in sorted(seen.items()) if len(verdicts) > 1}
        differing += len(changed)
        told = f"{options.runs} runs of {len(seen)} items, {min(seconds):.0f} to {max(seconds):.0f} s"
        print(f"{model}: {told}, {len(changed)} verdicts not the same in all", flush=True)
        for name, verdicts in changed.items():
            print(f"  {name}: {', '.join(sorted(verdicts))}")
    for process in busy:
        process.terminate()
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
