"""What is done with a connection, beyond what asyncio's transports have ready. All of it is public."""

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Final, Generic, TypeVar, cast

from aiohttp import web

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import TIOCOUTQ

T = TypeVar("T")

_GLANCE: Final = 0.001
_GRACE: Final = 0.05
"""Seconds for bytes to reach the client, where the system does not say whether they have."""
_RESETS: Final = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)


class Burst(Generic[T]):
    """Runs writes, each in a turn of the loop of its own, up to one that waits for something.

    A write that fits the buffer does not yield by itself; without the turns, one stream would hold up all others and
    the news that its client has gone. They are callbacks, since a turn of a task takes half as long again.
    """

    def __init__(self, writes: Iterator[T | None]) -> None:
        self._writes = writes
        self._loop = asyncio.get_running_loop()
        self._waits: asyncio.Future[T | None] = self._loop.create_future()

    async def run(self) -> T | None:
        """What is to be waited for before it runs again; `None` at the end."""
        self._waits = self._loop.create_future()
        self._turn()
        return await self._waits

    def _turn(self) -> None:
        if self._waits.done():
            # The task that waits was cancelled: the client has gone, or the server stops.
            return
        try:
            for waits in self._writes:
                if waits is None:
                    self._loop.call_soon(self._turn)
                else:
                    self._waits.set_result(waits)
                return
            self._waits.set_result(None)
        except Exception as error:  # noqa: BLE001 - the task that waits raises it
            self._waits.set_exception(error)


async def reset(transport: asyncio.Transport) -> None:
    """Reset the connection once the client's side has all bytes, which the reset would take away.

    Linux says whether they were acknowledged. Elsewhere they are given a little time.
    """
    sock = cast("socket.socket", transport.get_extra_info("socket"))
    while not transport.is_closing() and _unacknowledged(transport, sock):  # noqa: ASYNC110 - nobody is told of it
        await asyncio.sleep(_GLANCE)
    if sys.platform != "linux":
        await asyncio.sleep(_GRACE)
    if not transport.is_closing():
        # Linger on, for 0 seconds: closing then sends RST (socket(7), SO_LINGER).
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _unacknowledged(transport: asyncio.Transport, sock: socket.socket) -> int:
    """How many bytes the client's side has not acknowledged, as far as is known; for Linux see tcp(7), SIOCOUTQ."""
    unsent = transport.get_write_buffer_size()
    if sys.platform != "linux":
        return unsent
    return unsent + int.from_bytes(ioctl(sock.fileno(), TIOCOUTQ, bytes(4)), sys.byteorder)


def was_reset(request: web.BaseRequest) -> bool:
    """Whether the connection was lost by a reset; where it was closed, aiohttp's error has no number."""
    error = request.content.exception()
    return isinstance(error, OSError) and error.errno in _RESETS
