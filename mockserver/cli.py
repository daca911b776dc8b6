"""The command `mockserver`."""

import argparse
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from shutil import get_terminal_size
from tempfile import NamedTemporaryFile

from .cassettes.cassette import MATCHES, Playing, passed_over
from .cassettes.interaction import is_cassette, read
from .drawing import inspection, timeline
from .errors import MockServerError
from .scripts.loader import faults, load, load_script, schema
from .serving.exchange import Exchange
from .serving.server import Server, has_uvloop, serve

_LONG = 1.0
"""Seconds after which a request that is still open is told of."""
_KEPT = 1000
"""How many exchanges the journal keeps, so that a server that runs for long does not grow."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status (1 where `validate` finds faults, 2 for bad input)."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except MockServerError as error:
        print(f"mockserver: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read the output has seen enough; without this, Python would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mockserver", description="A scripted mock provider of chat models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("serve", help="answer requests from scripts and cassettes until interrupted")
    run.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="a YAML script or a cassette (none: over /__admin/)"
    )
    run.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    run.add_argument("--port", default=0, type=_port, help="port to bind (default: a free one)")
    run.add_argument(
        "--match",
        choices=MATCHES,
        default="order",
        help="what finds a recording: its order, or the body of its request",
    )
    run.add_argument(
        "--pace", type=_pace, metavar="PACE", help="of recordings: none (the default), recorded, or a speed such as 2x"
    )
    run.add_argument("--lenient", action="store_true", help="answer requests that the provider would refuse")
    run.add_argument("--tls", action="store_true", help="speak HTTPS, with a certificate made for this run")
    run.add_argument("--ca-file", type=Path, metavar="FILE", help="where to write the certificate that clients trust")
    run.add_argument("--timelines", action="store_true", help="draw what was sent for each request, and when")
    run.add_argument("--workers", type=_count, metavar="N", help="answer in N processes (each with its own journal)")
    run.set_defaults(run=_serve)

    look = commands.add_parser("inspect", help="draw the timeline of the streams of a script or cassette")
    look.add_argument("file", type=Path, metavar="FILE", help="a YAML script or a cassette")
    look.add_argument("--turn", type=_count, metavar="N", help="the Nth turn only")
    look.add_argument("--wire", default="openai-chat", help="the wire for turns that name none (default: %(default)s)")
    look.add_argument("--svg", type=Path, metavar="FILE", help="write a drawing in place of text")
    look.set_defaults(run=_inspect)

    check = commands.add_parser("validate", help="read scripts and cassettes, and name each fault by file and line")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a YAML script or a cassette")
    check.set_defaults(run=_validate)

    tape = commands.add_parser("record", help="stand in front of a provider, and record what it sends in a cassette")
    tape.add_argument("--upstream", required=True, metavar="URL", help="the provider's base URL")
    tape.add_argument("--out", required=True, type=Path, metavar="FILE", help="the cassette; what it holds is kept")
    tape.add_argument("--redact", action="append", default=[], metavar="REGEX", help="what is to be taken out too")
    tape.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    tape.add_argument("--port", default=0, type=_port, help="port to bind (default: a free one)")
    tape.add_argument(
        "command", nargs="*", metavar="-- COMMAND", help="run it, with {url} in its arguments and MOCKSERVER_URL set"
    )
    tape.set_defaults(run=_record)

    turn = commands.add_parser("convert", help="make a script of recordings, or a cassette of scripts")
    turn.add_argument(
        "files", nargs="+", type=Path, metavar="IN", help="a cassette, HAR, output of curl, script, fixtures, or folder"
    )
    turn.add_argument("--out", required=True, type=Path, metavar="FILE", help="where to write it")
    turn.add_argument("--to", choices=("script", "cassette"), help="what to make (default: the other of the two)")
    turn.add_argument("--wire", default="", metavar="NAME", help="the wire of what names none")
    turn.add_argument("--uri", default="", help="the address of requests that are made up, and of captures")
    turn.add_argument("--force", action="store_true", help="write over FILE")
    pieces = turn.add_mutually_exclusive_group()
    pieces.add_argument("--keep-pieces", action="store_false", dest="join", help="as they streamed (the default)")
    pieces.add_argument("--join", action="store_true", help="each block in one piece, which is easier to edit")
    turn.set_defaults(run=_convert, join=False)

    shape = commands.add_parser("schema", help="print the JSON Schema of scripts")
    shape.set_defaults(run=_schema)
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def _pace(text: str) -> float | None:
    """The factor for recorded times."""
    if text in ("none", "recorded"):
        return None if text == "none" else 1.0
    found = re.fullmatch(r"(\d+(?:\.\d+)?)x", text)
    if not found or not float(found[1]):
        raise argparse.ArgumentTypeError(f"a pace is none, recorded, or a speed such as 2x, not {text!r}")
    return 1 / float(found[1])


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"a number above 0 is wanted here, not {text!r}")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    script = load_script(*options.files, playing=Playing(match=options.match, pace=options.pace))
    for file in filter(is_cassette, options.files):
        for line in passed_over(read(file)):
            print(f"mockserver: {file}: {line}", file=sys.stderr)
    server = serve(script, host=options.host, port=options.port, lenient=options.lenient, tls=options.tls, keep=_KEPT)
    if options.workers:
        if options.tls:
            raise MockServerError("--workers and --tls do not go together")
        from .serving import workers  # noqa: PLC0415 - `serve` is to start soon, and needs none of it

        workers.run(server, options.workers, lambda url: print(url, flush=True))
        return 0
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    if has_uvloop():
        import uvloop  # noqa: PLC0415 - used where it is installed

        server.loop_factory = uvloop.new_event_loop
    with server, _Authority(server, options.ca_file):
        print(server.url, flush=True)
        told = _Told(drawn=options.timelines)
        while not interrupted.wait(0.1):
            told.tell(server)
    told.tell(server, at_end=True)
    for turn in server.script.unused:
        if turn.recording:
            print(f"not asked for: {turn.describe()}", flush=True)
    print(f"{server.journal.count} requests answered", flush=True)
    return 0


class _Authority:
    """The file with the certificate that clients of a TLS server trust; a temporary one unless it is named."""

    def __init__(self, server: Server, file: Path | None) -> None:
        self._pem = server.authority
        self._file = file
        self._is_temporary = file is None

    def __enter__(self) -> None:
        if not self._pem:
            return
        if self._file is None:
            with NamedTemporaryFile(prefix="mockserver-ca-", suffix=".pem", delete=False) as file:
                self._file = Path(file.name)
        try:
            self._file.write_bytes(self._pem)
        except OSError as error:
            raise MockServerError(f"{self._file}: {error.strerror or error}") from None
        print(f"trust {self._file}", flush=True)

    def __exit__(self, *_: object) -> None:
        if self._pem and self._file and self._is_temporary:
            self._file.unlink(missing_ok=True)


class _Told:
    """Which exchanges a line was printed for."""

    def __init__(self, *, drawn: bool) -> None:
        self._drawn = drawn
        self._told: dict[Exchange, bool] = {}
        """What was told of, and whether it had ended by then."""

    def tell(self, server: Server, *, at_end: bool = False) -> None:
        """Print a line for each exchange that has ended since, and one for each that is open for long."""
        found = [each for space in (server, *server.spaces.values()) for each in space.journal.exchanges]
        self._told = {each: self._told[each] for each in found if each in self._told}
        for exchange in found:
            is_over = exchange.ended is not None or at_end
            if self._told.get(exchange) or (not is_over and (exchange in self._told or not _is_long(exchange))):
                continue
            self._told[exchange] = is_over
            is_drawn = self._drawn and is_over and exchange.writes
            print(timeline.text(inspection.of_exchange(exchange)) if is_drawn else exchange.describe(), flush=True)


def _is_long(exchange: Exchange) -> bool:
    return time.monotonic() - exchange.at >= _LONG


def _inspect(options: argparse.Namespace) -> int:
    turns = load(options.file)
    if options.turn and options.turn > len(turns):
        raise MockServerError(f"{options.file} has {len(turns)} turns, so there is no turn {options.turn}")
    chosen = [options.turn] if options.turn else range(1, len(turns) + 1)
    drawn = [inspection.of_turn(turns[number - 1], number, wire=options.wire) for number in chosen]
    if not options.svg:
        width = get_terminal_size((100, 24)).columns
        print("\n\n".join(timeline.text(each, width=width) for each in drawn))
        return 0
    try:
        options.svg.write_text(timeline.svg(drawn), encoding="utf-8")
    except OSError as error:
        raise MockServerError(f"{options.svg}: {error.strerror or error}") from None
    return 0


def _validate(options: argparse.Namespace) -> int:
    found = [fault for file in options.files for fault in faults(file)]
    for fault in found:
        print(fault, file=sys.stderr)
    sound = len(options.files) - len({fault.file for fault in found})
    print(f"{sound} of {len(options.files)} files are sound" + (f"; {len(found)} faults" if found else ""))
    return 1 if found else 0


def _record(options: argparse.Namespace) -> int:
    from .cassettes import recording_command  # noqa: PLC0415 - `serve` is to start soon, and needs none of it

    return recording_command.run(
        options.upstream,
        options.out,
        options.command,
        patterns=options.redact,
        host=options.host,
        port=options.port,
    )


def _convert(options: argparse.Namespace) -> int:
    from .converting import convert  # noqa: PLC0415 - `serve` is to start soon, and needs none of it

    choice = convert.Choice(to=options.to, wire=options.wire, uri=options.uri, joined=options.join)
    made = convert.convert(options.files, choice)
    convert.write(made, options.out, force=options.force)
    for line in made.left_out:
        print(f"mockserver: left out: {line}", file=sys.stderr)
    what = "turn" if made.what == "script" else "interaction"
    print(f"{options.out}: a {made.what} with {made.count} {what}{'s' if made.count > 1 else ''}")
    return 0


def _schema(options: argparse.Namespace) -> int:
    print(schema(), end="")
    return 0
