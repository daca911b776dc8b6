"""From a planned answer to bytes on a connection: when each write leaves, and how the answer ends.

The head and the framing of the body are written here and not by aiohttp, so that each byte and each segment is as the
delivery says. Of aiohttp only public names are used: a handler returns a response, which aiohttp prepares and ends; the
one returned here has been sent by then.
"""

import asyncio
import re
import time
import zlib
from collections.abc import Iterator
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, web

from ..recording import Recording
from ..serving.exchange import Ending, Exchange, Write
from .delivery import Delivery, Transfer
from .planning import Hold, Plan, Planned, planned
from .transport import Burst, was_reset
from .transport import reset as reset

_LOCAL: Final = {
    "content-length", "transfer-encoding", "content-encoding", "connection", "keep-alive", "date", "server",
}  # fmt: skip
"""Headers of a recording that belong to the recorded connection and not to the answer."""
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_BODILESS: Final = (204, 304)
_HIGH: Final = 64 * 1024
"""Bytes after which the connection is asked whether it takes more."""
_TICK: Final = 0.001
"""Seconds by which an event loop may be late: timers count whole milliseconds, and round up (`selectors`, libuv). To be
as near to recorded times as can be, one waits for that much less."""
_FULL: Final = Hold((), None)
"""To wait until the connection takes more."""
_GZIP: Final = re.compile(r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=([\d.]+))?\s*(?=,|$)", re.IGNORECASE)
_GZIP_FORM: Final = 16 + zlib.MAX_WBITS
"""The window of `zlib.compressobj` for which it writes gzip."""


async def send(
    request: web.BaseRequest,
    exchange: Exchange,
    answer: Recording,
    delivery: Delivery,
    *,
    ending: Ending = "finished",
    is_last: bool = False,
) -> web.StreamResponse:
    """Send an answer as its delivery says, and note in the exchange what was written and who ended it.

    `is_last`: whether the connection is closed after it, whatever the client asked for.
    """
    ready = answer if isinstance(answer, Planned) else planned(answer, delivery)
    exchange.frames = ready.plan.frames
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client has closed the connection")
    sender = _Sender(request, transport, exchange, ready, delivery, ending=ending, is_last=is_last)
    try:
        await sender.send()
    except (ConnectionError, asyncio.CancelledError):
        exchange.client_reset = was_reset(request)
        raise
    except BaseException:
        # aiohttp would answer with an HTTP error in the midst of what has been sent.
        transport.abort()
        raise
    exchange.end(sender.ending)
    return Sent(lives_on=sender.lives_on)


class Sent(web.StreamResponse):
    """Stands for an answer that has been sent; `lives_on` says whether its connection may bring another request."""

    def __init__(self, *, lives_on: bool) -> None:
        super().__init__()
        self._lives_on = lives_on

    @property
    def keep_alive(self) -> bool:
        return self._lives_on

    async def prepare(self, request: web.BaseRequest) -> None:
        pass

    async def write_eof(self, data: bytes = b"") -> None:
        pass


class _Sender:
    """Sends one answer."""

    def __init__(
        self,
        request: web.BaseRequest,
        transport: asyncio.Transport,
        exchange: Exchange,
        answer: Planned,
        delivery: Delivery,
        *,
        ending: Ending,
        is_last: bool,
    ) -> None:
        self._request = request
        self._transport = transport
        self._exchange = exchange
        self._answer = answer
        self._delivery = delivery
        self._plan: Plan = answer.plan
        self._transfer = self._chosen_transfer()
        self.is_broken = self._plan.end in ("close", "reset")
        self.ending: Ending = "closed by fault" if self.is_broken else ending
        self._keep_alive = request.keep_alive and not is_last
        self.lives_on = self._keep_alive and self._transfer != "close" and not self.is_broken
        self._has_body = request.method != "HEAD" and answer.status not in _BODILESS
        self._is_packed = delivery.gzip and self._has_body and accepts_gzip(request.headers.get("accept-encoding", ""))
        self._steps = self._plan.steps
        self._closing = b""
        if self._is_packed:
            self._pack()
        if self._transfer == "chunked":
            self._closing = chunk(self._closing) + b"0\r\n\r\n"
        self._start = 0.0
        self._early = 0.0
        self._is_begun = False

    async def send(self) -> None:
        plan, pace = self._plan, self._delivery.pace
        # Recorded times count from the request, so that what has been done since is in them.
        is_recorded = pace is not None and pace.recorded and "head" not in self._delivery.gates
        if is_recorded:
            self._start, self._early, self._is_begun = self._exchange.at, _TICK, True
        else:
            self._start = time.monotonic()
        if pace and pace.head:
            self._start += pace.head * pace.scale
            await self._sleep(self._start)
        if plan.has_head:
            await self._write()
        if plan.hold:
            await self._wait(plan.hold)
        if plan.end == "stall":
            await asyncio.get_running_loop().create_future()
        self._exchange.let_go()
        if plan.end == "end":
            self._transport.write(self._closing)
            await self._request.writer.drain()
        elif plan.end == "reset":
            await reset(self._transport)
        else:
            self._transport.close()

    async def _write(self) -> None:
        """Write the head and the body, as long as the client is there and takes it."""
        burst = Burst(self._writes())
        while (waits := await burst.run()) is not None:
            if waits is _FULL:
                await self._request.writer.drain()
            else:
                await self._wait(waits)

    def _writes(self) -> Iterator[Hold | None]:
        """Write part by part; gives what is to be waited for before the next, `None` where that is nothing."""
        transport, exchange = self._transport, self._exchange
        writes, changed, write, now = exchange.writes, exchange.journal.changed, transport.write, time.monotonic
        is_chunked, left, unsent = self._transfer == "chunked", len(self._steps), 0
        head = self._head()
        exchange.status = self._answer.status
        if not self._has_body:
            self._closing = head
            return
        if self._answer.streamed or not left or self._steps[0].hold:
            # The status line of a stream leaves before its first frame is there, as it does from a provider.
            write(head)
            head = b""
        for data, size, frames, hold in self._steps:
            if hold:
                yield hold
            if transport.is_closing():
                raise ConnectionResetError("the client has closed the connection")
            part = b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data
            left -= 1
            if not left:
                part = self._last(data, part)
            if head:
                part, head = head + part, b""
            # Noted first, so that what a client has read is in the journal.
            writes.append(Write(now(), size, frames))
            write(part)
            changed()
            if not left:
                self._note_end()
            unsent += len(part)
            if unsent > _HIGH:
                unsent = 0
                yield _FULL
            yield None
        self._note_end()

    def _note_end(self) -> None:
        """Note the end once the system has every byte: a client that has read them all may be gone at any time."""
        is_all = self._plan.end == "end" and not self._plan.hold and not self._closing
        if is_all and not self._transport.get_write_buffer_size():
            self._exchange.end(self.ending)

    def _last(self, data: bytes, part: bytes) -> bytes:
        """The last write, with what ends the body where nothing lies between; `part` is it as any other write."""
        plan = self._plan
        if plan.missing and self._transfer == "chunked":
            part = b"%x\r\n%b" % (len(data) + plan.missing, data)
        if plan.hold or plan.end == "stall":
            return part
        self._exchange.let_go()
        if plan.end == "end":
            part, self._closing = part + self._closing, b""
        return part

    async def _wait(self, hold: Hold) -> None:
        for gate in hold.gates:
            self._start += await self._exchange.pass_through(gate)
        if hold.due is None:
            return
        await self._sleep(self._start + hold.due)
        if not self._is_begun:
            # Where many answers begin at once, the first pieces are late; that is no reason to hurry with the others.
            self._is_begun = True
            self._start += max(0.0, time.monotonic() - self._start - hold.due)

    async def _sleep(self, until: float) -> None:
        left = until - time.monotonic() - self._early
        if left > 0:
            await asyncio.sleep(left)

    def _head(self) -> bytes:
        status = self._answer.status
        kept = {name: value for name, value in self._answer.headers.items() if name.lower() not in _LOCAL}
        headers: dict[str, str | None] = {**kept, **self._delivery.headers, "server": "mockserver"}
        headers["date"] = _date(int(time.time()))
        if self._is_packed:
            headers["content-encoding"] = "gzip"
        if self._has_body and self._transfer == "content-length":
            headers["content-length"] = str(self._length())
        elif self._has_body and self._transfer == "chunked":
            headers["transfer-encoding"] = "chunked"
        if self._transfer == "close" or not self._keep_alive:
            headers["connection"] = "close"
        elif self._request.version < HttpVersion11:
            headers["connection"] = "keep-alive"
        lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
        if wrong := next((line for line in lines if _CONTROLS.search(line)), None):
            raise ValueError(f"a header is a text of one line, not {wrong!r}")
        return "\r\n".join((f"HTTP/1.1 {status} {_REASONS.get(status, '')}", *lines, "", "")).encode()

    def _length(self) -> int:
        """How many bytes a `content-length` promises: more than are sent where the connection is broken off."""
        if not self._is_packed:
            return self._plan.length
        return sum(len(step.data) for step in self._steps) + len(self._closing)

    def _chosen_transfer(self) -> Transfer:
        chosen = self._delivery.transfer or ("chunked" if self._answer.streamed else "content-length")
        return "close" if chosen == "chunked" and self._request.version < HttpVersion11 else chosen

    def _pack(self) -> None:
        """Compress each write so that it can be unpacked when it comes."""
        packer = zlib.compressobj(wbits=_GZIP_FORM)
        self._steps = [
            step._replace(data=packer.compress(step.data) + packer.flush(zlib.Z_SYNC_FLUSH)) for step in self._steps
        ]
        self._closing = packer.flush()


def accepts_gzip(header: str) -> bool:
    """Whether an `accept-encoding` allows gzip (RFC 9110, 12.5.3)."""
    found = _GZIP.search(header)
    return found is not None and float(found[1] or 1) > 0


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
