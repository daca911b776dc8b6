"""The command `mockserver`."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from .errors import MockServerError
from .exchange import Exchange
from .loader import load
from .script import Script
from .server import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status (2 for bad input)."""
    options = _parser().parse_args(arguments)
    try:
        return _serve(options)
    except MockServerError as error:
        print(f"mockserver: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mockserver", description="A scripted mock provider of chat models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("serve", help="answer requests from scripts and cassettes until interrupted")
    run.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a YAML script or a cassette")
    run.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    run.add_argument("--port", default=0, type=_port, help="port to bind (default: a free one)")
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    script = Script([turn for file in options.files for turn in load(file)])
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    with serve(script, host=options.host, port=options.port) as server:
        print(server.url, flush=True)
        told = 0
        while not interrupted.wait(0.1):
            told = _tell(server.exchanges, told)
    _tell(server.exchanges, told, all_of_them=True)
    print(f"{len(server.exchanges)} requests answered", flush=True)
    return 0


def _ended(exchanges: Sequence[Exchange]) -> int:
    """How many exchanges from the first on have ended."""
    return next((number for number, each in enumerate(exchanges) if each.ended is None), len(exchanges))


def _tell(exchanges: Sequence[Exchange], told: int, *, all_of_them: bool = False) -> int:
    """Print a line for each exchange that has ended since; returns how many are told now."""
    until = len(exchanges) if all_of_them else _ended(exchanges)
    for exchange in exchanges[told:until]:
        print(exchange.describe(), flush=True)
    return until
