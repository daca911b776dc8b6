"""The command `conformance`: prints the catalogue, runs the matrix, and compares and merges reports."""

import argparse
import difflib
import sys
from collections.abc import Sequence

from . import wording
from .catalogue import rules
from .choice import ChoiceError, rule_id
from .explore import command as fuzz
from .matrix import command as matrix
from .reports import command as reports


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    made = argparse.ArgumentParser(prog="conformance", description="The rules that a chat model must keep.")
    commands = made.add_subparsers(required=True, metavar="COMMAND", dest="command")
    listing = commands.add_parser("rules", help="list all rules, or those of some areas")
    listing.add_argument("areas", nargs="*", metavar="AREA", type=str.upper)
    listing.set_defaults(run=lambda options: _list(options.areas))
    explaining = commands.add_parser("explain", help="tell what a rule wants, and what usually breaks it")
    explaining.add_argument("rule", metavar="RULE", type=str.upper)
    explaining.set_defaults(run=lambda options: _explain(options.rule))
    matrix.add(commands)
    reports.add(commands)
    fuzz.add(commands)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status (2 for bad input)."""
    options = parser().parse_args(arguments)
    status: int = options.run(options)
    return status


def _list(areas: Sequence[str]) -> int:
    known = {rule.area for rule in rules().values()}
    if unknown := [area for area in areas if area not in known]:
        nearest = difflib.get_close_matches(unknown[0], sorted(known), 1, cutoff=0.3)
        hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(sorted(known))}"
        return _refuse(f"there is no area {unknown[0]}; {hint}")
    for rule in rules().values():
        if not areas or rule.area in areas:
            print(wording.row(rule))
    return 0


def _explain(word: str) -> int:
    try:
        print(wording.explanation(rules()[rule_id(word)]))
    except ChoiceError as error:
        return _refuse(str(error))
    return 0


def _refuse(why: str) -> int:
    print(f"conformance: {why}", file=sys.stderr)
    return 2
