"""A reverse proxy that passes streams on as they arrive, and keeps them whole: bytes, times, and how they ended."""

import errno
import itertools
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from types import SimpleNamespace, TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import HttpVersion11, web
from multidict import CIMultiDict
from yarl import URL

from ..errors import MockServerError
from ..sending.send import Sent, chunk, reset
from .interaction import Arrival, Ended, Interaction, unpacked
from .tape import Tape

_HOP: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to one connection (RFC 9110, 7.6.1) or are made anew."""
_AUTOMATIC: Final = ("accept", "accept-encoding", "content-type", "user-agent")
"""Headers that aiohttp would add."""
_READ_TIMEOUT: Final = 300.0
_CONNECT_TIMEOUT: Final = 30.0
_KEEP_ALIVE: Final = 2.0
"""Seconds for which a connection to upstream is kept; shorter than servers keep them, so that none is used that the
server is just closing."""
_LONGEST_HEADER: Final = 64 * 1024
_BODILESS: Final = (204, 304)
_DECODED: Final = ("gzip", "x-gzip", "deflate")
_ANY_ZLIB: Final = 32 + zlib.MAX_WBITS
"""The window of `zlib.decompressobj` for which it reads gzip and zlib (RFC 9110's deflate)."""


class Recorder:
    """The proxy, between a client and a provider. Use it with `async with`; `url` is what the client is aimed at.

    The cassette is written whenever no request is under way, and at the end: to look for secrets and to write takes
    time that would hold up streams.

    Args:
        upstream: the provider's base URL.
        tape: the cassette.
        host, port: where the proxy listens; 0 takes a free port.
        timeout: seconds without a byte after which an answer has timed out.

    Raises:
        MockServerError: the upstream is no URL; on start, the port cannot be bound; at the end, the cassette could not
            be written.
    """

    def __init__(
        self, upstream: str, tape: Tape, *, host: str = "127.0.0.1", port: int = 0, timeout: float = _READ_TIMEOUT
    ) -> None:
        check_upstream(upstream)
        self._upstream = upstream.rstrip("/")
        self._tape = tape
        self._host, self._port = host, port
        self._timeout = timeout
        self._runner: web.ServerRunner | None = None
        self._client: aiohttp.ClientSession | None = None
        self._numbers = itertools.count(1)
        self._open = 0
        self._waiting: list[_Exchange] = []
        self._failed: MockServerError | None = None
        self.url = ""
        self.failures: list[str] = []
        """Requests that brought no answer from upstream; one line each."""
        self.told: Callable[[Interaction], None] = lambda _: None
        """Called with each interaction that is kept."""

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT, sock_read=self._timeout)
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE),
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_AUTOMATIC,
            trace_configs=[_stamps()],
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )
        server = web.Server(
            self._handle,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._stop()
            in_use = error.errno == errno.EADDRINUSE
            reason = "it is in use; choose another, or 0 for a free one" if in_use else error.strerror
            raise MockServerError(f"cannot listen on {self._host} port {self._port}: {reason}") from None
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()
        self._settle()
        if self._failed and error is None:
            raise self._failed

    async def _stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
        if self._client:
            await self._client.close()

    def describe(self) -> str:
        """One line: what was recorded, taken out, left out, and what failed."""
        tape = self._tape
        told = [f"{_counted(tape.recorded, 'answer')} recorded in {tape.file}"]
        if tape.replaced:
            told[0] += f" ({tape.replaced} in place of what it held)"
        if tape.recorded:
            told.append(f"{_counted(tape.masked, 'secret')} overwritten, {_counted(tape.headers, 'header')} left out")
        if tape.left_out:
            told.append(f"{_counted(len(tape.left_out), 'answer')} left out: {', '.join(tape.left_out)}")
        if self.failures:
            told.append(f"{_counted(len(self.failures), 'request')} failed: {', '.join(self.failures)}")
        return "; ".join(told)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        number = next(self._numbers)
        self._open += 1
        try:
            return await self._exchange(request, number)
        except ConnectionError:
            # Nobody reads it; to raise would make aiohttp log a client that has left as an error of the server.
            return web.Response()
        finally:
            self._open -= 1
            if not self._open:
                self._settle()

    async def _exchange(self, request: web.BaseRequest, number: int) -> web.StreamResponse:
        assert self._client
        if request.transport and request.headers.get("expect", "").lower() == "100-continue":
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await request.content.read()
        uri = self._upstream + request.path_qs
        headers = CIMultiDict((name, value) for name, value in request.headers.items() if name.lower() not in _HOP)
        # Arrivals are of the bytes as they are read, so nothing is to be compressed on the way.
        headers["accept-encoding"] = "identity"
        taken = _Taken()
        try:
            answer = await self._client.request(
                request.method,
                URL(uri, encoded=True),
                headers=headers,
                data=BytesIO(body) if body else None,
                allow_redirects=False,
                trace_request_ctx=taken,
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return await self._no_answer(request, error)
        async with answer:
            taken.begin()
            try:
                return await self._pass_on(request, answer, taken)
            finally:
                self._waiting.append(_Exchange(number, request, uri, body, answer, taken))

    async def _no_answer(self, request: web.BaseRequest, error: Exception) -> web.StreamResponse:
        """Do to the client what upstream did, or say what was wrong."""
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self.failures.append(f"{request.method} {request.path}: {reason}")
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has closed the connection")
        if isinstance(error, OSError) and error.errno == errno.ECONNRESET:
            await reset(transport)
            return Sent(lives_on=False)
        if isinstance(error, aiohttp.ServerDisconnectedError):
            transport.close()
            return Sent(lives_on=False)
        status = 504 if isinstance(error, TimeoutError) else 502
        return web.Response(status=status, text=f"mockserver record: no answer from upstream ({reason})")

    async def _pass_on(
        self, request: web.BaseRequest, answer: aiohttp.ClientResponse, taken: "_Taken"
    ) -> web.StreamResponse:
        """Send on what arrives, when it arrives, and end as upstream ends."""
        client = _Client(request)
        client.begin(answer, self._aimed_here)
        try:
            # The client is not waited for: the times are those of upstream, and all of the body is kept anyway.
            while data := await answer.content.readany():
                taken.take(data)
                if not client.write(data):
                    return Sent(lives_on=False)
        except (aiohttp.ClientError, OSError) as error:
            taken.ended = _ending(error)
            return await client.break_off(taken.ended)
        taken.ended = "whole"
        return await client.end()

    def _aimed_here(self, location: str) -> str:
        """Where a redirection leads when it leads to upstream: through the proxy."""
        if location == self._upstream or location.startswith((f"{self._upstream}/", f"{self._upstream}?")):
            return self.url + location[len(self._upstream) :]
        return location

    def _settle(self) -> None:
        """Take what was recorded onto the tape, and write it."""
        waiting, self._waiting = sorted(self._waiting, key=lambda each: each.number), []
        for each in waiting:
            try:
                interaction = each.interaction()
            except ValueError as error:
                self._tape.leave_out(each.request.method, each.uri, str(error))
                continue
            if kept := self._tape.add(interaction, each.number):
                self.told(kept)
        try:
            self._tape.save()
            self._failed = None
        except MockServerError as error:
            self._failed = error


def check_upstream(upstream: str) -> None:
    """See that a recorder can stand in front of it.

    Raises:
        MockServerError: it is no URL of a server.
    """
    with suppress(ValueError):
        parts = urlsplit(upstream)
        if parts.scheme in ("http", "https") and parts.hostname and not parts.query and parts.port != 0:
            return
    raise MockServerError(f"the upstream is a URL such as https://api.example.com, not {upstream!r}")


class _Taken:
    """What has arrived of one answer, and when, in seconds of `time.monotonic`."""

    def __init__(self) -> None:
        self.sent = time.monotonic()
        self.head = 0.0
        self.parts: list[tuple[float, bytes]] = []
        self.ended: Ended = "interrupted"

    def begin(self) -> None:
        self.head = time.monotonic()

    def take(self, data: bytes) -> None:
        self.parts.append((time.monotonic(), data))

    def since(self, at: float) -> float:
        """Seconds from the request, to the microsecond, as files have them."""
        return round(max(0.0, at - self.sent), 6)


def _stamps() -> aiohttp.TraceConfig:
    """Notes when a request has left, which is when connecting is over."""

    async def note(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
        context.trace_request_ctx.sent = time.monotonic()

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(note)
    config.on_request_chunk_sent.append(note)
    return config


@dataclass(frozen=True, slots=True, eq=False)
class _Exchange:
    """A request and its answer, as they were passed on. `number` is that of the request, in order of arrival."""

    number: int
    request: web.BaseRequest
    uri: str
    body: bytes
    answer: aiohttp.ClientResponse
    taken: _Taken

    def interaction(self) -> Interaction:
        """What is kept of it, with its secrets.

        Raises:
            ValueError: the answer is in an encoding that cannot be read, or has a status that none has.
        """
        headers, asked = _joined(self.answer.headers.items()), _joined(self.request.headers.items())
        parts = self.taken.parts
        if (encoding := headers.pop("content-encoding", "").strip().lower()) not in ("", "identity"):
            parts = _decoded(parts, encoding, is_whole=self.taken.ended == "whole")
        body = self.body
        with suppress(ValueError, OSError, EOFError, zlib.error):
            body, asked = unpacked(body, asked)
        return Interaction(
            method=self.request.method,
            uri=self.uri,
            request_headers=asked,
            request_body=body,
            status=self.answer.status,
            reason=_text(self.answer.reason or ""),
            headers=headers,
            body=b"".join(data for _, data in parts),
            arrivals=tuple(Arrival(at=self.taken.since(at), size=len(data)) for at, data in parts),
            head=self.taken.since(self.taken.head),
            ended=self.taken.ended,
        )


def _decoded(parts: Iterable[tuple[float, bytes]], encoding: str, *, is_whole: bool) -> list[tuple[float, bytes]]:
    """The parts of a compressed body as they can be read when they have come; those that give nothing yet are none."""
    if encoding not in _DECODED:
        raise ValueError(f"its content encoding, {encoding}, cannot be read here")
    packer = zlib.decompressobj(_ANY_ZLIB)
    try:
        decoded = [(at, packer.decompress(data)) for at, data in parts]
    except zlib.error:
        raise ValueError(f"its body is not in its content encoding, {encoding}") from None
    if packer.unused_data or (is_whole and not packer.eof):
        raise ValueError(f"its body is not one whole part in its content encoding, {encoding}")
    return [(at, data) for at, data in decoded if data]


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by name in lower case; of several values, all in one line (RFC 9110, 5.3)."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]}, {_text(value)}" if key in joined else _text(value)
    return joined


def _text(value: str) -> str:
    """A text of a head, in which aiohttp keeps bytes that are no UTF-8 as half surrogates."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _Client:
    """The client's side of an answer: what is sent on, in writes of its own."""

    def __init__(self, request: web.BaseRequest) -> None:
        if request.transport is None:
            raise ConnectionResetError("the client has closed the connection")
        self._request = request
        self._transport = request.transport
        self._is_chunked = False
        self._lives_on = request.keep_alive

    def begin(self, answer: aiohttp.ClientResponse, aimed: Callable[[str], str]) -> None:
        """Send the head: upstream's own, but for what belongs to one connection, and for where it redirects to."""
        named = {name.strip().lower() for name in answer.headers.get("connection", "").split(",")}
        lines = [f"HTTP/1.1 {answer.status} {answer.reason or ''}".encode("utf-8", "surrogateescape")]
        for name, value in answer.raw_headers:
            key = name.decode("latin-1").lower()
            if key == "location":
                location = aimed(value.decode("utf-8", "surrogateescape"))
                lines.append(b"location: " + location.encode("utf-8", "surrogateescape"))
            elif key not in _HOP and key not in named:
                lines.append(name + b": " + value)
        lines += self._framing(answer)
        self._transport.write(b"\r\n".join((*lines, b"", b"")))

    def _framing(self, answer: aiohttp.ClientResponse) -> list[bytes]:
        """How the client is to know where the body ends."""
        length = answer.headers.get("content-length")
        has_body = self._request.method != "HEAD" and answer.status not in _BODILESS
        lines = []
        if length is not None:
            lines.append(f"content-length: {length}".encode())
        elif has_body and self._request.version >= HttpVersion11:
            self._is_chunked = True
            lines.append(b"transfer-encoding: chunked")
        elif has_body:
            self._lives_on = False
        lines.append(b"connection: keep-alive" if self._lives_on else b"connection: close")
        return lines

    def write(self, data: bytes) -> bool:
        """Send on what has come; says whether the client is still there."""
        if not self._transport.is_closing():
            self._transport.write(chunk(data) if self._is_chunked else data)
        return not self._transport.is_closing()

    async def end(self) -> web.StreamResponse:
        if self._is_chunked:
            self._transport.write(b"0\r\n\r\n")
        await self._request.writer.drain()
        return Sent(lives_on=self._lives_on)

    async def break_off(self, ended: Ended) -> web.StreamResponse:
        """End as upstream has ended."""
        if ended == "reset":
            await reset(self._transport)
        else:
            self._transport.close()
        return Sent(lives_on=False)


def _ending(error: Exception) -> Ended:
    """How the body ended upstream, from what aiohttp raises."""
    if isinstance(error, TimeoutError):
        return "timed out"
    # Of a reset inside a body aiohttp tells in words only.
    return "reset" if isinstance(error, ConnectionResetError) or "ConnectionResetError" in str(error) else "closed"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
