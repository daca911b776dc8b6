"""Two servers to compare with: the floor, which only writes bytes made beforehand, and aiohttp as it comes.

    python -m benchmarks.server.plain (floor|aiohttp) (asyncio|uvloop) PORT

The floor is one callback of the loop for each frame: what a turn of the loop and a write to a socket cost, and no more.
"""

import asyncio
import re
import signal
import sys
from collections.abc import Coroutine, Iterator
from typing import Any, cast

from aiohttp import web

from mockserver import WIRES, Reply, Text

from .cases import CASES, PIECE, Case

_MODEL = re.compile(rb'"model": "(\w+)"')
_STREAMED = b'"stream": true'
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncache-control: no-cache\r\n%s\r\n\r\n"


def reply_of(case: Case) -> Reply:
    return Reply(blocks=(Text((PIECE,) * case.pieces),), id="chatcmpl-mock1", model="model")


def frames_of(case: Case) -> tuple[bytes, ...]:
    frames = tuple(frame.data for frame in WIRES["openai-chat"].frames(reply_of(case), usage=False))
    return (b"".join(frames),) if case.in_one_write else frames


def whole_of(case: Case) -> bytes:
    return WIRES["openai-chat"].whole(reply_of(case))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


STREAMS = {
    name: (
        _HEAD % (b"text/event-stream; charset=utf-8", b"transfer-encoding: chunked"),
        *map(chunk, frames_of(case)),
        b"0\r\n\r\n",
    )
    for name, case in CASES.items()
}
WHOLES = {
    name: _HEAD % (b"application/json", b"content-length: %d" % len(whole_of(case))) + whole_of(case)
    for name, case in CASES.items()
}


class Floor(asyncio.Protocol):
    """Answers a request that comes in one segment; a write for each frame, and a turn of the loop between them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._writes: Iterator[bytes] = iter(())
        self._every = self._at = 0.0
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        found = _MODEL.search(data)
        assert found
        name = found[1].decode()
        if _STREAMED not in data:
            self._transport.write(WHOLES[name])
            return
        self._writes = iter(STREAMS[name])
        self._transport.write(next(self._writes))
        self._every = CASES[name].every
        self._at = self._loop.time()
        self._step()

    def _step(self) -> None:
        data = next(self._writes, None)
        if data is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._every:
            self._at += self._every
            self._loop.call_at(self._at, self._step)
        elif not self._paused:
            self._loop.call_soon(self._step)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._loop.call_soon(self._step)


async def aiohttp_answer(request: web.BaseRequest) -> web.StreamResponse:
    """What a handler does that writes frames with aiohttp and takes no care of other streams."""
    body = await request.content.read()
    found = _MODEL.search(body)
    assert found
    name = found[1].decode()
    if _STREAMED not in body:
        return web.Response(body=whole_of(CASES[name]), content_type="application/json")
    response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    started = asyncio.get_running_loop().time()
    for number, frame in enumerate(FRAMES[name]):
        if every := CASES[name].every:
            await asyncio.sleep(started + number * every - asyncio.get_running_loop().time())
        await response.write(frame)
    await response.write_eof()
    return response


FRAMES = {name: frames_of(case) for name, case in CASES.items()}


async def serve(kind: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    factory = Floor if kind == "floor" else web.Server(aiohttp_answer, access_log=None)
    server = await loop.create_server(factory, "127.0.0.1", port, backlog=1024)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    server.close()


def run(main: Coroutine[Any, Any, None], loop: str) -> None:
    if loop == "uvloop":
        import uvloop  # noqa: PLC0415

        uvloop.run(main)
    else:
        asyncio.run(main)


if __name__ == "__main__":
    run(serve(sys.argv[1], int(sys.argv[3])), sys.argv[2])
