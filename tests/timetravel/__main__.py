"""Run the cases: ``python -m tests.timetravel [CASE …]``. Needs the package index, and some minutes."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tomlkit

from . import PINS, PROJECT, SIDES, Case, Outcome, cases, verdicts


def main() -> int:
    """Returns the exit status: 1 where a case is not told apart, 2 for bad input."""
    known = {case.name: case for case in cases()}
    parser = argparse.ArgumentParser(prog="python -m tests.timetravel", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(known)}; all where none is named")
    parser.add_argument("--pins", type=Path, default=PINS, help="folder with affected.txt and fixed.txt for each case")
    parser.add_argument("--environments", type=Path, default=PROJECT / ".timetravel", help="kept for the next run")
    parser.add_argument("--jobs", type=int, default=1, help="cases at a time")
    options = parser.parse_args()
    if unknown := [name for name in options.cases if name not in known]:
        parser.error(f"there is no case {unknown[0]}; known: {', '.join(known)}")
    chosen = [known[name] for name in options.cases or known]
    if missing := [case.name for case in chosen if not (options.pins / case.name).is_dir()]:
        parser.error(f"{options.pins} has no folder {missing[0]}; say with --pins where the pins are")
    with ThreadPoolExecutor(options.jobs) as pool:
        ran = pool.map(lambda case: run(case, options.pins, options.environments), chosen)
        told = [report(case, outcome) for case, outcome in zip(chosen, ran, strict=True)]
    print(f"{sum(told)} of {len(told)} cases are told apart")
    return 0 if all(told) else 1


def run(case: Case, pins: Path, environments: Path) -> Outcome | str:
    """What the rule of a case finds on both sides, or why it could not be run."""
    found: dict[str, Mapping[str, str]] = {}
    for side in SIDES:
        try:
            python = environment(environments / f"{case.name}-{side}", pins / case.name / f"{side}.txt")
            found[side] = judged(case, python)
        except subprocess.CalledProcessError as error:
            return f"{side}: {' '.join(map(str, error.cmd))}\n{error.output}"
    return Outcome(**found)


def environment(folder: Path, pins: Path) -> Path:
    """The interpreter of an environment with these pins and this project, made where it is not there."""
    python, made = folder / "bin" / "python", folder / "made"
    if made.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    if uv := shutil.which("uv"):
        call([uv, "venv", "-q", "--python", sys.executable, folder])
        install: list[Any] = [uv, "pip", "install", "-q", "--python", python]
    else:
        call([sys.executable, "-m", "venv", folder])
        install = [python, "-m", "pip", "install", "-q"]
    call([*install, "-r", pins, "-e", PROJECT])
    made.touch()
    return python


def judged(case: Case, python: Path) -> Mapping[str, str]:
    """The verdicts of the case's rule in an environment."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"tool": {"conformance": {"models": {case.model: dict(case.stanza)}}}} if case.stanza else {}
        (Path(folder) / "pyproject.toml").write_text(tomlkit.dumps(settings), encoding="utf-8")
        report = Path(folder) / "report.xml"
        chosen = [f"--chat-model={case.model}", f"--conformance-select={case.rule}", f"--junitxml={report}"]
        only = ["-k", case.items] if case.items else []
        command: list[Any] = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, *only]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if not report.exists():
            raise subprocess.CalledProcessError(ran.returncode, command, ran.stdout + ran.stderr)
        return verdicts(report)


def call(command: Sequence[Any]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def report(case: Case, outcome: Outcome | str) -> bool:
    """Print what came of a case; says whether its sides are told apart."""
    head = f"{case.name:45} {case.rule:10}"
    if isinstance(outcome, str):
        print(f"{head} not run: {outcome}", flush=True)
        return False
    sides = []
    for side in SIDES:
        found = getattr(outcome, side)
        other = [f"{name.removeprefix(f'{case.rule}-')} ({each})" for name, each in found.items() if each != "passed"]
        sides.append(f"{side}: {len(found) - len(other)} pass{''.join(f', {each}' for each in other)}")
    print(f"{head} {'told apart' if outcome.told_apart else 'NOT TOLD APART'}; {'; '.join(sides)}", flush=True)
    return outcome.told_apart


if __name__ == "__main__":
    sys.exit(main())
