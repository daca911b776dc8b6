"""``conformance fuzz``: explores a model for as long as it is told."""

import argparse
import secrets
from typing import Any

import pytest

from .exploring import FOLDER

MINUTE = 60.0


def add(commands: Any) -> None:
    """Add the command to those of `conformance`."""
    fuzzing = commands.add_parser("fuzz", help="explore a model for as long as told, from a seed that is new each time")
    fuzzing.add_argument("model", metavar="MODULE:NAME", help="as --chat-model takes it")
    fuzzing.add_argument("--seconds", type=_seconds, default=MINUTE, metavar="SECONDS", help="how long (60)")
    fuzzing.add_argument("--seed", type=int, metavar="SEED", help="draw the examples of this seed")
    fuzzing.add_argument("--folder", default=FOLDER, metavar="FOLDER", help=f"where scripts are written ({FOLDER})")
    fuzzing.add_argument("--kwargs", metavar="JSON", help="constructor arguments, as --chat-model-kwargs takes them")
    fuzzing.add_argument("--baseline", metavar="FILE", help="known kinds of failures, which are passed over")
    fuzzing.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run pytest with the options that do so; gives its exit status."""
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    return pytest.main(
        [
            f"--chat-model={options.model}",
            f"--explore-seconds={options.seconds:g}",
            f"--explore-seed={seed}",
            f"--explore-folder={options.folder}",
            *([f"--chat-model-kwargs={options.kwargs}"] if options.kwargs else []),
            *([f"--conformance-baseline={options.baseline}"] if options.baseline else []),
        ]
    )


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"a number of seconds above 0, not {text!r}")
    return value
