"""The servers, each a process of its own on one core, and what the system says of their processes."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from . import cases
from .load import requests

AIMOCK = "@copilotkit/aimock@1.43.0"
LLMOCK = "llmock==0.2.2"
START_WITHIN = 30.0
_KIB = 1024


@dataclass(frozen=True)
class Peer:
    """A server to measure.

    Args:
        command: the command line for a port and a file.
        file: the file that it reads, for the names of cases.
        loads_late: whether it is told the answers only once it runs.
    """

    name: str
    command: Callable[[int, Path], Sequence[str]]
    file: Callable[[Iterable[str]], str] = lambda names: ""
    loads_late: bool = False


class Process:
    """A peer that runs."""

    def __init__(self, peer: Peer, process: subprocess.Popen[bytes], port: int, seconds: float) -> None:
        self.name = peer.name
        self.port = port
        self.cold_start = seconds
        """Seconds from the start of the process to the end of its first answer."""
        self._of = Path(f"/proc/{process.pid}")

    @property
    def loop(self) -> str:
        """The event loop that it runs on, told by what it has loaded."""
        return "uvloop" if "/uvloop/" in (self._of / "maps").read_text() else "asyncio"

    @property
    def cpu(self) -> float:
        """CPU seconds of all its threads that live."""
        return sum(int(each.read_text().split()[0]) for each in self._of.glob("task/*/schedstat")) / 1e9

    def memory(self, field: str) -> float:
        """MB by the name that /proc/PID/status has for it: VmRSS now, VmHWM at most."""
        found = re.search(rf"{field}:\s*(\d+) kB", (self._of / "status").read_text())
        assert found
        return int(found[1]) * _KIB / 1e6


def known(folder: Path, options: Sequence[str]) -> list[Peer]:
    """All peers that can be had here; packages go to `folder`. `options` are for `mockserver serve`."""
    return [*ours(options), *plain(), *_aimock(folder), *_llmock(folder)]


def ours(options: Sequence[str]) -> list[Peer]:
    """`mockserver`, on each loop where it leaves the choice."""
    serve = [sys.executable, "-m", "mockserver", "serve"]
    told = subprocess.run([*serve, "--help"], capture_output=True, text=True, check=True).stdout
    choices = {f"mockserver {loop}": ("--loop", loop) for loop in ("asyncio", "uvloop")}
    if "--loop" not in told or "--loop" in options:
        choices = {"mockserver": ()}
    return [
        Peer(
            name,
            lambda port, file, chosen=chosen: [*serve, str(file), "--port", str(port), *chosen, *options],
            cases.mockserver_script,
        )
        for name, chosen in choices.items()
    ]


def plain() -> list[Peer]:
    """The servers of `plain`."""
    kinds = (("floor", "asyncio"), ("floor", "uvloop"), ("aiohttp", "asyncio"), ("aiohttp", "uvloop"))
    return [
        Peer(
            f"{kind} {loop}",
            lambda port, file, kind=kind, loop=loop: (
                [sys.executable, "-m", "benchmarks.server.plain", kind, loop, str(port)]
            ),
        )
        for kind, loop in kinds
    ]


def _aimock(folder: Path) -> list[Peer]:
    """aimock, which puts all frames of an answer without latency into one write; and with its least latency."""
    if not _run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), AIMOCK):
        return []
    script = folder / "node_modules/@copilotkit/aimock/dist/cli.js"

    def command(port: int, file: Path) -> list[str]:
        return ["node", str(script), "-p", str(port), "-f", str(file), "--log-level", "silent"]

    return [
        Peer("aimock", command, cases.aimock_fixtures),
        Peer("aimock stepped", command, lambda names: cases.aimock_fixtures(names, least=0.001)),
    ]


def _llmock(folder: Path) -> list[Peer]:
    if not _run(sys.executable, "-m", "venv", str(folder / "llmock")):
        return []
    at = folder / "llmock/bin"
    if not _run(str(at / "pip"), "install", "-q", "--disable-pip-version-check", LLMOCK):
        return []
    return [
        Peer(
            "llmock",
            lambda port, file: [str(at / "llmock"), "serve", "--port", str(port), "--log-level", "warning"],
            cases.llmock_scenario,
            loads_late=True,
        )
    ]


def _run(*command: str) -> bool:
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"left out: {' '.join(command)}: {getattr(error, 'stderr', b'') or error!r}", file=sys.stderr)
        return False
    return True


@contextmanager
def running(peer: Peer, folder: Path, names: Iterable[str] = cases.CASES) -> Iterator[Process]:
    """Start a peer on the first core, and stop it at the end."""
    file = folder / f"{peer.name.replace(' ', '-')}.json"
    file.write_text(peer.file(names))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    log = file.with_suffix(".log")
    started = time.perf_counter()
    with log.open("wb") as said, _on_server_core():
        process = subprocess.Popen(peer.command(port, file), stdout=said, stderr=said, env=_environment(folder))
    try:
        _until_it_answers(process, port, log)
        seconds = time.perf_counter() - started
        if peer.loads_late:
            url = f"http://127.0.0.1:{port}/_llmock/scenario"
            asked = Request(url, file.read_bytes(), {"content-type": "application/json"})
            assert json.loads(urlopen(asked).read())["pending"]
        yield Process(peer, process, port, seconds)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def import_seconds(module: str, folder: Path) -> list[float]:
    """Seconds of a process that imports a module, on the core of the servers, by the clock and of CPU."""
    started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with _on_server_core():
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=_environment(folder))
    taken, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return [taken, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime]


def _environment(folder: Path) -> dict[str, str]:
    """The environment, with bytecode kept as an installed package has it, whatever is set here."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


@contextmanager
def _on_server_core() -> Iterator[None]:
    """What is started within runs there."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    yield
    os.sched_setaffinity(0, own)


def _until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    limit = time.perf_counter() + START_WITHIN
    while True:
        try:
            requests(port, "short", 1, 1)
        except ConnectionError:
            if process.poll() is not None:
                raise SystemExit(f"{process.args!r} failed: {log.read_text()}") from None
            if time.perf_counter() > limit:
                raise
            time.sleep(0.002)
        else:
            return


SERVER_CORE, CLIENT_CORE = (sorted(os.sched_getaffinity(0)) * 2)[:2]
"""The first two cores that there are; one machine with one core would measure both at once."""
