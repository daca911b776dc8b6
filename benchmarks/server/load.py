"""The load client: plain sockets in one epoll, and between two reads nothing but counting.

A client that cannot keep up finds more bytes in each read, which makes it faster: the reads of one frame each are those
that it has time for. `Load` says what share of the time it was at work.
"""

import json
import re
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

_buffer = bytearray(1 << 18)
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_LAST_CHUNK = b"0\r\n\r\n"
_NEWLINE = 10
_PROBING = 5
"""Seconds after which no further new stream is tried."""
_PATIENCE = 60
"""Seconds that the client waits for any next byte."""
_DATA_SEGMENTS_IN = 152
"""Where tcp_info (linux/tcp.h) counts the segments with data that came in."""


def request(model: str, *, stream: bool = True) -> bytes:
    body = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": "go"}]}).encode()
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer unused\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )


class Connection:
    """A connection that asks, and counts the events of the answer."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _PATIENCE, 0))
        self.is_complete = True

    def ask(self, request: bytes, *, note_arrivals: bool = False) -> None:
        self.events = 0
        self.is_complete = False
        self.arrivals: list[float] | None = [] if note_arrivals else None
        """When each event came."""
        self._in_body = False
        self._left: int | None = None
        self._ends_in_newline = False
        self._tail = bytearray()
        self.socket.sendall(request)

    def read(self) -> bool:
        """Read what is there; says whether the answer is complete."""
        size = self.socket.recv_into(_buffer)
        if not size:
            raise ConnectionError("the server closed a connection")
        start = 0 if self._in_body else self._head(size)
        events = _buffer.count(b"\n\n", start, size)
        if self._ends_in_newline and start < size and _buffer[start] == _NEWLINE:
            events += 1
        self._ends_in_newline = _buffer[size - 1] == _NEWLINE and start < size
        self.events += events
        if self.arrivals is not None:
            self.arrivals += [time.perf_counter()] * events
        if self._left is None:
            if size - start < len(_LAST_CHUNK):
                self._tail = (self._tail + _buffer[start:size])[-len(_LAST_CHUNK) :]
            else:
                self._tail = _buffer[size - len(_LAST_CHUNK) : size]
            self.is_complete = self._tail == _LAST_CHUNK
        else:
            self._left -= size - start
            self.is_complete = self._left <= 0
        return self.is_complete

    def _head(self, size: int) -> int:
        """Read the head, which a server on loopback sends in one segment; returns where the body begins."""
        end = _buffer.find(b"\r\n\r\n", 0, size)
        if end < 0 or not _buffer.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(f"no answer: {bytes(_buffer[:size])[:300]!r}")
        length = _LENGTH.search(_buffer, 0, end + 2)
        self._left = int(length[1]) if length else None
        self._in_body = True
        return end + 4

    @property
    def segments(self) -> int:
        """How many TCP segments with data have come in so far."""
        info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return int(struct.unpack_from("I", info, _DATA_SEGMENTS_IN)[0])


def _nothing_came() -> NoReturn:
    raise TimeoutError(f"nothing came for {_PATIENCE} s")


@dataclass(frozen=True)
class Load:
    """What a load came to. `busy` is the share of the time in which the client was at work."""

    seconds: float
    count: int
    segments: int
    busy: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds


class Crowd:
    """Connections that are read as they become readable."""

    def __init__(self, port: int, size: int) -> None:
        self.connections = [Connection(port) for _ in range(size)]
        self._by_fd = {each.socket.fileno(): each for each in self.connections}
        self._epoll = select.epoll()
        for fd in self._by_fd:
            self._epoll.register(fd, select.EPOLLIN)

    def add(self, connection: Connection) -> None:
        self._by_fd[connection.socket.fileno()] = connection
        self._epoll.register(connection.socket.fileno(), select.EPOLLIN)

    def readable(self) -> list[Connection]:
        return [self._by_fd[fd] for fd, _ in self._epoll.poll(_PATIENCE) or _nothing_came()]

    def completed(self) -> Iterator[Connection]:
        """Connections as their answers are complete, for as long as one is asked for."""
        by_fd, poll = self._by_fd, self._epoll.poll
        if len(by_fd) == 1:
            [alone] = by_fd.values()
            while True:
                while not alone.read():
                    pass
                yield alone
        while True:
            for fd, _ in poll(_PATIENCE) or _nothing_came():
                if by_fd[fd].read():
                    yield by_fd[fd]

    def close(self) -> None:
        self._epoll.close()
        for each in self._by_fd.values():
            each.socket.close()


@contextmanager
def crowd(port: int, size: int) -> Iterator[Crowd]:
    made = Crowd(port, size)
    try:
        yield made
    finally:
        made.close()


def streams(port: int, model: str, size: int) -> Load:
    """Events of `size` streams at once, from the requests to the end of the last one."""
    asked = request(model)
    with crowd(port, size) as made:
        started, cpu = time.perf_counter(), time.process_time()
        for each in made.connections:
            each.ask(asked)
        ended = made.completed()
        for _ in range(size):
            next(ended)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        count = sum(each.events for each in made.connections)
        return Load(seconds, count, sum(each.segments for each in made.connections), cpu / seconds)


def requests(port: int, model: str, size: int, count: int) -> Load:
    """`count` requests that are not streamed, over `size` connections, each of which asks again when it is answered."""
    asked = request(model, stream=False)
    with crowd(port, size) as made:
        started, cpu = time.perf_counter(), time.process_time()
        for each in made.connections:
            each.ask(asked)
        ended = made.completed()
        for number in range(count):
            each = next(ended)
            if number < count - size:
                each.ask(asked)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        return Load(seconds, count, 0, cpu / seconds)


def first_bytes(port: int, busy: str, model: str, size: int, probes: int) -> list[float]:
    """Seconds from the connect to the first event of new streams, one by one, while `size` others run.

    The others never end: each of them asks again when its stream is complete.
    """
    asked = request(busy)
    taken: list[float] = []
    with crowd(port, size) as made:
        for each in made.connections:
            each.ask(asked)
        silent = set(made.connections)
        while silent:
            silent -= _read(made, asked)
        limit = time.perf_counter() + _PROBING
        for _ in range(probes):
            started = time.perf_counter()
            if taken and started > limit:
                break
            probe = Connection(port)
            made.add(probe)
            probe.ask(request(model))
            while not probe.events:
                _read(made, asked, first=probe)
            taken.append(time.perf_counter() - started)
            probe.socket.close()
            until = time.perf_counter() + 0.02
            while time.perf_counter() < until:
                _read(made, asked)
    return taken


def _read(made: Crowd, asked: bytes, first: Connection | None = None) -> set[Connection]:
    """Read once what is readable, or only from `first` where that is; returns what was read."""
    ready = {first} if first in (readable := made.readable()) else set(readable)
    for each in ready:
        if each.read() and each is not first:
            each.ask(asked)
    return ready


def paced(port: int, model: str, size: int) -> list[list[float]]:
    """When the events of `size` streams came, opened at once and read to their ends."""
    asked = request(model)
    with crowd(port, size) as made:
        for each in made.connections:
            each.ask(asked, note_arrivals=True)
        ended = made.completed()
        for _ in range(size):
            next(ended)
        return [each.arrivals or [] for each in made.connections]
