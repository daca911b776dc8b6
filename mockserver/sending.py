"""From an answer in frames to bytes on a connection: when each write leaves, and how the answer ends."""

import asyncio
import socket
import struct
import time
from typing import Final, cast

from aiohttp import web

from .delivery import Delivery, writes
from .exchange import Ending, Exchange
from .frames import Frame
from .recording import Recording

_LOCAL: Final = {"content-length", "transfer-encoding", "content-encoding", "connection", "date", "server"}
"""Headers of a recording that belong to the recorded connection and not to the answer."""


async def send(
    request: web.BaseRequest,
    exchange: Exchange,
    answer: Recording,
    delivery: Delivery,
    *,
    ending: Ending = "finished",
) -> web.StreamResponse:
    """Send an answer as its delivery says, and note in the exchange what was written and who ended it."""
    exchange.frames, frames, fault = answer.frames, answer.frames, delivery.fault
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in _LOCAL}
    response = web.StreamResponse(status=answer.status, headers=kept)
    if answer.streamed:
        response.enable_chunked_encoding()
    else:
        response.content_length = len(frames[0].data)
        if fault:
            frames = (frames[0].half(),)
        if fault and fault.kind == "stop":
            response.content_length = len(frames[0].data)
    broken = fault if fault and fault.kind in ("close", "reset") else None
    if broken is None or broken.before != "head":
        exchange.status = answer.status
        await response.prepare(request)
        await _write(exchange, response, frames, delivery)
    if broken:
        _break_off(request, reset=broken.kind == "reset")
        ending = "closed by fault"
    else:
        await response.write_eof()
    exchange.end(ending)
    return response


async def _write(
    exchange: Exchange, response: web.StreamResponse, frames: tuple[Frame, ...], delivery: Delivery
) -> None:
    complete = frames is exchange.frames
    deadlines = delivery.pace.deadlines() if delivery.pace else None
    started = time.monotonic()
    planned = list(writes(frames, delivery))
    for number, (points, data, written) in enumerate(planned, 1):
        for point in points:
            if gate := delivery.gates.get(point):
                await gate.passage()
        if deadlines and any(isinstance(point, int) for point in points):
            await asyncio.sleep(max(0.0, started + next(deadlines) - time.monotonic()))
        if number == len(planned):
            exchange.let_go()
        await response.write(data)
        exchange.wrote(len(data), written if complete else 0)
        # A write that fits the buffer does not yield; without this, one stream would hold up all others and the
        # news that its client has gone.
        await asyncio.sleep(0)


def _break_off(request: web.BaseRequest, *, reset: bool) -> None:
    transport = request.transport
    if transport is None:
        return
    if reset:
        # Linger on, for 0 seconds: close() then sends RST (socket(7), SO_LINGER).
        linger = struct.pack("ii", 1, 0)
        cast("socket.socket", transport.get_extra_info("socket")).setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
    transport.close()
