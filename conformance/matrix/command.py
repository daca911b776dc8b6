"""The command ``conformance matrix``."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Final

from ..choice import ChoiceError, words
from .all_runs import measured
from .environments import Environments
from .listing import SHIPPED, ListError, chosen, load
from .page import page
from .results import Results, ResultsError, Row, merged
from .running import Settings

RESULTS: Final = "matrix-results"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's options."""
    told = "run the suite on many models, each in an environment of its own, and write one report"
    parser = commands.add_parser("matrix", help=told, description=f"{told}: docs/running-the-matrix.md.")
    parser.add_argument("list", nargs="?", metavar="FILE", help="models and packages (TOML); a list comes with this")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the report there")
    parser.add_argument("--no-times", action="store_true", help="leave out of it when and how long things ran")
    parser.add_argument(
        "--merge", nargs="+", type=Path, metavar="RESULTS", help="run nothing; report on these results folders"
    )
    parser.add_argument("--only", action="append", default=[], metavar="GLOB", help="by name or class; may be repeated")
    parser.add_argument("--shard", default="", metavar="1/4", help="one of several equal parts, for several machines")
    parser.add_argument("--names", action="store_true", help="print the names as JSON, for a CI job matrix")
    parser.add_argument("--prepare", action="store_true", help="build the environments, and run nothing")
    parser.add_argument(
        "--select", action="append", default=[], metavar="WORDS", help="these rules, areas or levels: TOOL,STREAM-08"
    )
    parser.add_argument("--again", action="store_true", help="measure what is finished again, too")
    parser.add_argument("--jobs", type=_count, default=_jobs(), metavar="N", help="how many run at once (%(default)s)")
    parser.add_argument(
        "--time-limit", type=_count, default=1800, metavar="SECONDS", help="for each model (%(default)s)"
    )
    parser.add_argument("--results", type=Path, metavar="FOLDER", help=f"a JSON file for each model ({RESULTS})")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help=f"the environments ({_cache()})")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; gives its exit status: 0 where all have results, 1 where one has none, 2 for bad input."""
    try:
        words(options.select)
        rows, whole = (merged(options.merge), True) if options.merge else _measured(options)
        if rows is None:
            return 0
        if options.out and whole:
            _write(options.out, rows, times=not options.no_times)
    except (ListError, ResultsError, ChoiceError) as error:
        sys.stderr.write(f"conformance matrix: {error}\n")
        return 2
    return _ended(rows, whole=whole, prepared=options.prepare and not options.merge)


def _measured(options: argparse.Namespace) -> tuple[list[Row] | None, bool]:
    """The rows, and whether they are all; `None` where names alone are asked for."""
    file = Path(options.list) if options.list else SHIPPED
    found = chosen(load(file), only=options.only, shard=options.shard)
    if options.names:
        sys.stdout.write(f"{json.dumps([each.name for each in found], ensure_ascii=False)}\n")
        return None, True
    settings = Settings(
        arguments=tuple(f"--conformance-select={each}" for each in options.select),
        limit=options.time_limit,
        folder=file.resolve().parent if options.list else None,
        jobs=options.jobs,
    )
    cache = (options.cache or _cache()).resolve()
    return measured(
        found,
        Results((options.results or Path(RESULTS)).resolve()),
        lambda children: Environments(cache, children),
        settings,
        again=options.again,
        prepare=options.prepare,
    )


def _write(file: Path, rows: list[Row], *, times: bool) -> None:
    try:
        file.write_text(page(rows, times=times), encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"--out {file}: cannot be written: {error.strerror}") from None


def _ended(rows: list[Row], *, whole: bool, prepared: bool) -> int:
    lost = [row.name for row in rows if row.reason or (row.model is None and not prepared)]
    if lost:
        sys.stderr.write(f"{len(lost)} of {len(rows)} without a result: {', '.join(lost)}\n")
    if not whole:
        sys.stderr.write(f"{len(rows) - len(lost)} are finished; the same command goes on from there\n")
    return 0 if whole and not lost else 1


def _cache() -> Path:
    """Where environments are kept: the user's folder for caches."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "chat-model-conformance"


def _jobs() -> int:
    return max(1, (os.cpu_count() or 2) // 2)


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"a number from 1 on, not {text!r}")
    return int(text)
