"""The command `mockserver record`."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from ..errors import MockServerError
from ..serving.server import has_uvloop
from .interaction import Interaction
from .recorder import Recorder, check_upstream
from .redaction import Redaction, public_host
from .tape import Tape

_SIGNALLED = 128
"""What shells add to the number of the signal that has ended a command, for its status."""


def run(upstream: str, file: Path, command: Sequence[str], *, patterns: Sequence[str], host: str, port: int) -> int:
    """Record what goes through a proxy in front of `upstream`, until the command ends, or without one until
    interrupted; returns the status to end with.

    What is told goes to the standard error output where a command is run, which has the standard output for itself.

    Raises:
        MockServerError: something given cannot be used, or the cassette cannot be written.
    """
    check_upstream(upstream)
    if command and shutil.which(command[0]) is None:
        raise MockServerError(f"cannot run {command[0]!r}: there is no such command")
    told = f"recorded by mockserver in front of {public_host(urlsplit(upstream).netloc)}"
    tape = Tape(file, Redaction(tuple(patterns)), told)
    recorder = Recorder(upstream, tape, host=host, port=port)
    factory = None
    if has_uvloop():
        import uvloop  # noqa: PLC0415 - used where it is installed

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_record(recorder, command))


async def _record(recorder: Recorder, command: Sequence[str]) -> int:
    out = sys.stderr if command else sys.stdout
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    recorder.told = lambda interaction: _tell(interaction, out)
    try:
        async with recorder:
            _say(out, recorder.url)
            if command:
                return await _run(command, recorder.url, interrupted)
            await interrupted.wait()
            return 0
    finally:
        if recorder.url:
            _say(out, recorder.describe())


def _tell(interaction: Interaction, out: TextIO) -> None:
    path = urlsplit(interaction.uri).path
    parts = len(interaction.arrivals or ())
    size = f"{len(interaction.body)} bytes in {parts} {'part' if parts == 1 else 'parts'}"
    _say(out, f"{interaction.method} {path} {interaction.status}, {size}, {interaction.ended}")


def _say(out: TextIO, line: str) -> None:
    out.write(f"{line}\n")
    out.flush()


async def _run(command: Sequence[str], url: str, interrupted: asyncio.Event) -> int:
    """Run the command; it is told to end where this one is."""
    given = [argument.replace("{url}", url) for argument in command]
    try:
        process = await asyncio.create_subprocess_exec(*given, env={**os.environ, "MOCKSERVER_URL": url})
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise MockServerError(f"cannot run {given[0]!r}: {reason}") from None
    ended = asyncio.ensure_future(process.wait())
    stop = asyncio.ensure_future(interrupted.wait())
    await asyncio.wait((ended, stop), return_when=asyncio.FIRST_COMPLETED)
    if not ended.done():
        process.terminate()
    stop.cancel()
    status = await ended
    return status if status >= 0 else _SIGNALLED - status
