"""Keeps a process from reaching anything but loopback, and notes who tried.

Python tells an audit hook of each connection and each look-up of a name before it is made (PEP 578), whichever client
makes it, in whichever thread: `socket`, asyncio, urllib3 and anyio alike. What has sockets of its own in C (gRPC,
uvloop) and what another process does is not told.
"""

import asyncio
import ipaddress
import socket
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from inspect import currentframe
from pathlib import Path
from types import FrameType
from typing import Any, Final
from weakref import WeakSet

CLIENTS: Final = frozenset(
    {"aiohappyeyeballs", "aiohttp", "anyio", "botocore", "h11", "h2", "httpcore", "httpcore2", "httplib2", "httpx"}
    | {"httpx2", "httpx_aiohttp", "requests", "sniffio", "trio", "urllib3", "vcr", "websockets"}
)
"""Packages that make connections for others, and are not to be named for it."""
_SENT_TO: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
"""Events that tell a socket and an address."""
_LOOKED_UP: Final = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
"""Events that tell a name, and some of them a port."""
_STDLIB: Final = sysconfig.get_paths()["stdlib"]
_PACKAGES: Final = ("site-packages", "dist-packages")


class LeavesLoopback(RuntimeError):
    """A connection or a look-up that was kept from leaving.

    It is no `OSError`, so that clients neither take it for a broken network nor try again.
    """


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was kept from leaving.

    Args:
        peer: host, and port where it is known: ``api.openai.com:443``.
        caller: file and line of the innermost frame outside the standard library and the HTTP clients.
        during: what was done meanwhile: the name of an item, or that a model was built.
    """

    peer: str
    caller: str
    during: str

    def __str__(self) -> str:
        return f"{self.peer}, from {self.caller}"


class Guard:
    """While it is on, loopback alone can be reached.

    The thread that turned it on is held to that only `within` what it does for a model, for it is pytest's own besides;
    threads that were there before are others' and are let be.
    """

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.paused = False
        self._during = ""
        self._inside = False
        self._unnoted: list[Attempt] | None = None
        self._main = threading.current_thread()
        self._others: WeakSet[threading.Thread] = WeakSet(threading.enumerate())

    @property
    def is_on(self) -> bool:
        return self in _GUARDS

    def start(self) -> None:
        _hook()
        _GUARDS.append(self)

    def stop(self) -> None:
        if self.is_on:
            _GUARDS.remove(self)

    @contextmanager
    def within(self, during: str) -> Iterator[None]:
        """Meanwhile this thread is held to loopback as well; `during` says what is done."""
        self._during, self._inside = during, True
        try:
            yield
        finally:
            self._inside = False

    @contextmanager
    def quiet(self) -> Iterator[list[Attempt]]:
        """Meanwhile attempts are not noted, but given: they are this suite's doing."""
        before, self._unnoted = self._unnoted, []
        try:
            yield self._unnoted
        finally:
            self._unnoted = before

    def refuse(self, peer: str) -> None:
        """Keep the calling thread from reaching `peer`.

        Raises:
            LeavesLoopback: the thread is one of those that are held to loopback.
        """
        thread = threading.current_thread()
        if self.paused or (not self._inside if thread is self._main else thread in self._others):
            return
        attempt = Attempt(peer, _caller(currentframe()), self._during)
        (self.attempts if self._unnoted is None else self._unnoted).append(attempt)
        raise LeavesLoopback(
            f"kept from reaching {attempt} (during {attempt.during}): while a model is under test loopback alone "
            "can be reached"
        )


_GUARDS: Final[list[Guard]] = []
"""Those that are on; the last one counts."""


def attempts() -> tuple[Attempt, ...]:
    """What the guard that is on has seen so far."""
    return tuple(_GUARDS[-1].attempts) if _GUARDS else ()


@contextmanager
def unnoted() -> Iterator[list[Attempt]]:
    """Meanwhile what is kept from leaving is not noted, for it is this suite's doing, and given instead."""
    if not _GUARDS:
        yield []
        return
    with _GUARDS[-1].quiet() as seen:
        yield seen


def is_local(host: object) -> bool:
    """Whether a host, an address or a name of `socket`'s, is this machine's loopback. Nothing stands for it, too."""
    name = host.decode(errors="replace") if isinstance(host, bytes) else str(host or "")
    name = name.partition("%")[0].rstrip(".").lower()
    if name in ("", "localhost", "ip6-localhost") or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == _own_name()
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


@cache
def _own_name() -> str:
    """The machine's name; to look it up asks nobody else."""
    return socket.gethostname().lower()


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not _GUARDS or not event.startswith("socket."):
        return
    if event in _SENT_TO:
        sock, address = args
        if sock.family in (socket.AF_INET, socket.AF_INET6) and address and not is_local(address[0]):
            _GUARDS[-1].refuse(_peer(*address[:2]))
    elif event in _LOOKED_UP and not is_local(args[0]):
        _GUARDS[-1].refuse(_peer(*args[:2]))


def _peer(host: object, port: object = None) -> str:
    name = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
    if ":" in name:
        name = f"[{name}]"
    return f"{name}:{port.decode() if isinstance(port, bytes) else port}" if port else name


@cache
def _hook() -> None:
    """Hear of connections and look-ups from now on. A hook cannot be taken away, so there is one for all guards."""
    sys.addaudithook(_audit)
    look_up = asyncio.base_events.BaseEventLoop.getaddrinfo

    async def getaddrinfo(self: Any, host: Any, port: Any, **kwargs: Any) -> Any:
        # The event loop looks names up in a thread of its own, in which the caller cannot be seen any more.
        if _GUARDS and not is_local(host):
            _GUARDS[-1].refuse(_peer(host, port))
        return await look_up(self, host, port, **kwargs)

    asyncio.base_events.BaseEventLoop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]


def _caller(frame: FrameType | None) -> str:
    """File and line of the innermost frame that is neither the standard library's nor a client's.

    Where there is none, as in a task that a client started, that of the client.
    """
    frames: list[FrameType] = []
    while frame:
        frames.append(frame)
        frame = frame.f_back
    outside = [each for each in frames if not _is_stdlib(each.f_code.co_filename)]
    outside = [each for each in outside if each.f_code.co_filename != __file__]
    found = next((each for each in outside if _package(each.f_code.co_filename) not in CLIENTS), None)
    found = found or next(iter(outside), None)
    return f"{_short(found.f_code.co_filename)}:{found.f_lineno}" if found else threading.current_thread().name


def _is_stdlib(file: str) -> bool:
    return file.startswith("<frozen") or (file.startswith(_STDLIB) and not any(name in file for name in _PACKAGES))


def _installed(path: Path) -> tuple[str, ...]:
    """The parts of an installed file's path from its package on; none where it is not installed."""
    at = next((path.parts.index(name) for name in _PACKAGES if name in path.parts), None)
    return path.parts[at + 1 :] if at is not None else ()


def _package(file: str) -> str:
    """The top package of an installed file, or `""`."""
    return next(iter(_installed(Path(file))), "").removesuffix(".py")


def _short(file: str) -> str:
    """A file from its package on, or from the current folder on."""
    path = Path(file)
    if installed := _installed(path):
        return "/".join(installed)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
