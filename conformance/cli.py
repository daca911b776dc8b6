"""The command `conformance`: prints the catalogue."""

import argparse
import difflib
import sys
from collections.abc import Sequence

from . import wording
from .catalogue import rules


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status (2 for bad input)."""
    parser = argparse.ArgumentParser(prog="conformance", description="The rules that a chat model must keep.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    listing = commands.add_parser("rules", help="list all rules, or those of some areas")
    listing.add_argument("areas", nargs="*", metavar="AREA", type=str.upper)
    explaining = commands.add_parser("explain", help="tell what a rule wants, and what usually breaks it")
    explaining.add_argument("rule", metavar="RULE", type=str.upper)
    options = parser.parse_args(arguments)
    if options.command == "rules":
        return _list(options.areas)
    return _explain(options.rule)


def _list(areas: Sequence[str]) -> int:
    known = {rule.area for rule in rules().values()}
    if unknown := [area for area in areas if area not in known]:
        return _unknown("area", unknown[0], sorted(known))
    for rule in rules().values():
        if not areas or rule.area in areas:
            print(wording.row(rule))
    return 0


def _explain(id: str) -> int:
    area, _, number = id.partition("-")
    if number.isdigit():
        id = f"{area}-{int(number):02d}"
    if id not in rules():
        return _unknown("rule", id, list(rules()))
    print(wording.explanation(rules()[id]))
    return 0


def _unknown(what: str, name: str, known: list[str]) -> int:
    nearest = difflib.get_close_matches(name, known, 1, cutoff=0.3)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known)}"
    print(f"conformance: there is no {what} {name}; {hint}", file=sys.stderr)
    return 2
