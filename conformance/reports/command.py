"""The commands ``conformance compare`` and ``conformance report``."""

import argparse
import sys
from pathlib import Path
from typing import TypeAlias

from .comparison import compare
from .comparison_texts import FORMATS
from .merge import merged
from .reading import ReportError, load
from .sources import gathered
from .tally import number
from .writers import writer_for

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add(commands: _Commands) -> None:
    """Add both commands."""
    _add_compare(commands)
    _add_report(commands)


def _add_compare(commands: _Commands) -> None:
    told = "tell what changed from one report to a later one"
    parser = commands.add_parser(
        "compare",
        help=told,
        description=f"{told}: docs/reports.md. The exit status is 1 where a MUST newly fails or NEW is not complete.",
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="the earlier report (JSON)")
    parser.add_argument("new", type=Path, metavar="NEW", help="the later report (JSON)")
    parser.add_argument("--format", choices=list(FORMATS), default="text", help="how it is told (%(default)s)")
    parser.set_defaults(run=_compare)


def _add_report(commands: _Commands) -> None:
    told = "put reports together, and write them in another form"
    parser = commands.add_parser(
        "report",
        help=told,
        description=f"{told}: docs/reports.md. The exit status is 1 where one is not complete, whichever rules fail.",
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="reports (JSON), results of `conformance matrix`, and folders of either",
    )
    parser.add_argument(
        "-o",
        "--out",
        action="append",
        required=True,
        type=Path,
        metavar="OUT",
        help="FILE.json, .html, .md, .svg or .badge.json; may be repeated",
    )
    parser.set_defaults(run=_report)


def _compare(options: argparse.Namespace) -> int:
    try:
        names = str(options.old), str(options.new)
        found = compare(load(options.old), load(options.new), names=names)
    except ReportError as error:
        return _refuse("compare", error)
    sys.stdout.write(FORMATS[options.format](found))
    return 1 if found.is_worse else 0


def _report(options: argparse.Namespace) -> int:
    try:
        writers = [(out, writer_for(out.name)) for out in options.out]
        parts, lost = gathered(options.files)
        found = merged(parts, lost)
        for out, writer in writers:
            _write(out, writer(found.document))
    except (ReportError, ValueError) as error:
        return _refuse("report", error)
    for note in found.notes:
        sys.stderr.write(f"conformance report: {note}\n")
    models = number(len(found.document["models"]), "model")
    sys.stdout.write(f"{found.document['outcome']}: {models}, of {number(len(parts), 'report')}\n")
    return 0 if found.document["outcome"] != "incomplete" else 1


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{file}: cannot be written: {error.strerror}") from None


def _refuse(command: str, error: Exception) -> int:
    sys.stderr.write(f"conformance {command}: {error}\n")
    return 2
