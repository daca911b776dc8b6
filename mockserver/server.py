"""The server: aiohttp's low-level server on one loopback port, in a thread of its own or in the running loop."""

import asyncio
import errno
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias, cast

from aiohttp import web

from .answer import answer_of
from .delivery import Delivery, writes
from .errors import MockServerError, Refused, Unencodable
from .exchange import Ending, Exchange, Journal
from .frames import Frame
from .loader import load
from .reply import Reply
from .script import Recording, Responder, Script, Turn, as_turn
from .wires import WIRES, Wire, wire_for

Scriptable: TypeAlias = Script | Turn | Reply | Refused | Responder | str | Path | Iterable[Turn | Reply | Refused]
"""What a server can be scripted with; a string or path names a YAML script or a cassette."""

_STOP_WITHIN: Final = 1.0
"""Seconds that open answers are given when the server stops."""
_LOCAL: Final = {"content-length", "transfer-encoding", "content-encoding", "connection", "date", "server"}
"""Headers of a recording that belong to the recorded connection and not to the answer."""


def serve(script: Scriptable = (), *, host: str = "127.0.0.1", port: int = 0) -> "Server":
    """A server for `script`, started by `with` (in a thread of its own) or `async with` (in the running loop).

    Args:
        script: one answer or several, a function from request to answer, or the path of a YAML script or cassette.
        host: the address to bind; loopback by default.
        port: the port to bind; 0 takes a free one.

    Raises:
        MockServerError: the script cannot be read, or (on start) the port cannot be bound.
    """
    return Server(as_script(script), host=host, port=port)


def as_script(script: Scriptable) -> Script:
    """A script from all that `serve` takes."""
    if isinstance(script, Script):
        return script
    if isinstance(script, str | Path):
        return Script(load(Path(script)))
    if isinstance(script, Turn | Reply | Refused):
        return Script([as_turn(script)])
    if callable(script):
        return Script(script)
    return Script([as_turn(answer) for answer in script])


class Server:
    """A running mock provider. Use `serve` to make one."""

    def __init__(self, script: Script, *, host: str, port: int) -> None:
        self._script = script
        self._host = host
        self._wanted_port = port
        self._port = 0
        self._journal = Journal()
        self._connections: dict[object, int] = {}
        self._connections_made = 0
        self._web: web.Server | None = None
        self._thread: _Thread | None = None
        self._runner: web.ServerRunner | None = None
        self._stopping = False
        self.errors: list[BaseException] = []
        """Why an answer could not be made: a script's function raised, a wire has no place for a reply, or this server
        has a defect."""

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end: ``http://127.0.0.1:40123``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    @property
    def port(self) -> int:
        if not self._port:
            raise MockServerError("the server is not started: use it in a `with` or `async with` block")
        return self._port

    @property
    def script(self) -> Script:
        return self._script

    def play(self, script: Scriptable) -> None:
        """Answer from now on by another script, with an empty journal."""
        self._script = as_script(script)
        self._journal = Journal()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """What the client did so far, a request each."""
        return self._journal.exchanges

    @property
    def open_requests(self) -> int:
        return self._journal.open

    @property
    def peak_requests(self) -> int:
        """The most requests that were open at one time."""
        return self._journal.peak

    @property
    def open_connections(self) -> int:
        return len(self._web.connections) if self._web else 0

    def until(self, holds: Callable[[], bool], *, timeout: float = 5.0) -> bool:
        """Wait up to `timeout` seconds until `holds()`; says whether it does. Not for use in the server's own loop."""
        return self._journal.until(holds, timeout=timeout)

    def __enter__(self) -> Self:
        self._thread = _Thread(self, self._bind())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread:
            self._thread.stop()
            self._thread = None

    async def __aenter__(self) -> Self:
        await self.start(self._bind())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _bind(self) -> socket.socket:
        try:
            bound = socket.create_server(
                (self._host, self._wanted_port), family=socket.AF_INET6 if ":" in self._host else socket.AF_INET
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = f"port {self._wanted_port} of {self._host} is in use; choose another, or 0 for a free one"
            else:
                reason = f"cannot listen on {self._host} port {self._wanted_port}: {error.strerror or error}"
            raise MockServerError(reason) from None
        except (RuntimeError, Warning) as error:
            raise MockServerError(
                f"sockets are disabled here ({type(error).__name__}); the server needs loopback: "
                "allow it for this test (pytest-socket: the marker `enable_socket`)"
            ) from None
        self._port = bound.getsockname()[1]
        return bound

    async def start(self, bound: socket.socket) -> None:
        self._stopping = False
        self._web = web.Server(self._handle, handler_cancellation=True, access_log=None)
        # aiohttp waits for this time twice: for the handlers to end, and to end after it has told them to.
        self._runner = web.ServerRunner(self._web, shutdown_timeout=_STOP_WITHIN / 2)
        await self._runner.setup()
        await web.SockSite(self._runner, bound).start()

    async def stop(self) -> None:
        self._stopping = True
        if self._runner:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        exchange = Exchange(
            number=len(self._journal.exchanges) + 1,
            connection=self._connection(request),
            method=request.method,
            path=request.path_qs,
            headers=request.headers.copy(),
            body=body,
            journal=self._journal,
        )
        try:
            return await self._answer(request, exchange)
        except ConnectionError:
            exchange.end("stopped" if self._stopping else "closed by client")
            # Nobody reads it; to raise would make aiohttp log a client that has left as an error of the server.
            return web.Response()
        except asyncio.CancelledError:
            exchange.end("stopped" if self._stopping else "closed by client")
            raise
        except Exception as error:
            self.errors.append(error)
            exchange.end("stopped")
            raise

    def _connection(self, request: web.BaseRequest) -> int:
        """The number of the request's connection; connections that are gone are forgotten."""
        assert self._web
        if request.protocol not in self._connections:
            living = self._web.connections
            self._connections = {each: number for each, number in self._connections.items() if each in living}
            self._connections_made += 1
            self._connections[request.protocol] = self._connections_made
        return self._connections[request.protocol]

    async def _answer(self, request: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
        wire = wire_for(request.method, request.path)
        if wire is None:
            known = ", ".join(WIRES)
            exchange.refused = f"no wire answers {request.method} {request.path} (wires: {known})"
            return await self._refuse(request, exchange, Refused(404, exchange.refused), next(iter(WIRES.values())))
        try:
            exchange.asked = wire.read(exchange.headers, exchange.body)
            turn = exchange.turn = self._script.answer(exchange.asked)
            answer = answer_of(turn, wire, exchange.asked, exchange.number)
        except Exception as error:
            refused = self._refused(error)
            exchange.refused = refused.message
            return await self._refuse(request, exchange, refused, wire)
        if gate := turn.delivery.gates.get("head"):
            await gate.passage()
        if isinstance(answer, Refused):
            return await self._refuse(request, exchange, answer, wire)
        return await self._send(request, exchange, answer, turn.delivery)

    def _refused(self, error: Exception) -> Refused:
        """What is said in place of an answer that could not be made."""
        if isinstance(error, Refused):
            return error
        if isinstance(error, MockServerError) and not isinstance(error, Unencodable):
            return Refused(400, f"mockserver: {error}")
        self.errors.append(error)
        return Refused(500, f"mockserver: {type(error).__name__}: {error}")

    async def _refuse(
        self, request: web.BaseRequest, exchange: Exchange, refused: Refused, wire: Wire
    ) -> web.StreamResponse:
        body = Frame(wire.error(refused), "error")
        recording = Recording(refused.status, {"content-type": "application/json", **refused.headers}, (body,))
        return await self._send(request, exchange, recording, Delivery(), ending="refused")

    async def _send(
        self,
        request: web.BaseRequest,
        exchange: Exchange,
        answer: Recording,
        delivery: Delivery,
        *,
        ending: Ending = "finished",
    ) -> web.StreamResponse:
        exchange.frames, frames, fault = answer.frames, answer.frames, delivery.fault
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _LOCAL}
        response = web.StreamResponse(status=answer.status, headers=kept)
        if not answer.is_whole:
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
            await self._write(exchange, response, frames, delivery)
        if broken:
            self._break_off(request, reset=broken.kind == "reset")
            ending = "closed by fault"
        else:
            await response.write_eof()
        exchange.end(ending)
        return response

    @staticmethod
    async def _write(
        exchange: Exchange, response: web.StreamResponse, frames: tuple[Frame, ...], delivery: Delivery
    ) -> None:
        complete = frames is exchange.frames
        deadlines = delivery.pace.deadlines() if delivery.pace else None
        started = time.monotonic()
        planned = list(writes(frames, delivery))
        for number, (point, data, written) in enumerate(planned, 1):
            if point is not None and (gate := delivery.gates.get(point)):
                await gate.passage()
            if deadlines and isinstance(point, int):
                await asyncio.sleep(max(0.0, started + next(deadlines) - time.monotonic()))
            if number == len(planned):
                exchange.let_go()
            await response.write(data)
            exchange.wrote(len(data), written if complete else 0)
            # A write that fits the buffer does not yield; without this, one stream would hold up all others and the
            # news that its client has gone.
            await asyncio.sleep(0)

    @staticmethod
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


class _Thread(threading.Thread):
    """Runs a server in a loop of its own."""

    def __init__(self, server: Server, bound: socket.socket) -> None:
        super().__init__(name=f"mockserver-{server.port}", daemon=True)
        self._server = server
        self._bound = bound
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._halt = asyncio.Event()
        self._failed: Exception | None = None

    def start(self) -> None:
        super().start()
        self._ready.wait()
        if self._failed:
            self.join()
            raise self._failed

    def stop(self) -> None:
        assert self._loop
        self._loop.call_soon_threadsafe(self._halt.set)
        self.join()

    def run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:
            self._failed = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.start(self._bound)
        self._ready.set()
        await self._halt.wait()
        await self._server.stop()
