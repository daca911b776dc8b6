"""The server: aiohttp's low-level server on one loopback port, in a thread of its own or in the running loop."""

import asyncio
import errno
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from ..errors import MockServerError, Refused, Unencodable
from ..recording import Recording
from ..scripts.script import Script, Turn
from ..sending.answer import answer_of, refusal
from ..sending.delivery import Delivery
from ..sending.planning import planned
from ..sending.send import send
from ..wires import WIRES, Request, aside_for, meant_wire, wire_for
from ..wires.asides import answer as document
from . import admin
from .exchange import Ending, Exchange
from .incoming import LOG, body_of
from .space import Scriptable, Space, as_script
from .tls import certificate

_STOP_WITHIN: Final = 1.0
"""Seconds that open answers are given when the server stops."""
_SPACE: Final = re.compile(r"/t/([^/]+)(?=/|$)")
"""How the path of a request begins that is for a space."""


def serve(
    script: Scriptable = (),
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    lenient: bool = False,
    tls: bool = False,
    keep: int | None = None,
    asides: Mapping[str, Any] | None = None,
) -> "Server":
    """A server for `script`, started by `with` (in a thread of its own) or `async with` (in the running loop).

    Args:
        script: one answer or several, a function from request to answer, or the path of a YAML script or cassette.
        host: the address to bind; loopback by default.
        port: the port to bind; 0 takes a free one.
        lenient: whether to answer requests that the provider would refuse, as long as they can be understood.
        tls: whether to speak HTTPS, with a certificate of its own that `Server.authority` signs (needs trustme).
        keep: how many exchanges the journal keeps at most, the latest ones, beside those that are still open; all of
            them where it is `None`.
        asides: by method and path (``"GET /v1/models"``), the JSON document that answers a call beside the main ones,
            over the answers of the wires. `Server.answers_beside` holds them, and may be changed.

    Raises:
        MockServerError: the script cannot be read, trustme is missing, or (on start) the port cannot be bound.
    """
    server = Server(as_script(script), host=host, port=port, lenient=lenient, tls=tls, keep=keep)
    server.answers_beside = asides or {}
    return server


def has_uvloop() -> bool:
    """Whether uvloop is installed, which the command line and `workers` then use."""
    return find_spec("uvloop") is not None


class Server(Space):
    """A running mock provider. Use `serve` to make one."""

    def __init__(
        self, script: Script, *, host: str, port: int, lenient: bool, tls: bool, keep: int | None = None
    ) -> None:
        super().__init__(script, keep)
        self._host = host
        self._certificate = certificate(host, "localhost") if tls else None
        self._wanted_port = port
        self._lenient = lenient
        self._port = 0
        self._spaces: dict[str, _Part] = {}
        self._connection_numbers: dict[object, int] = {}
        self._connections_made = 0
        self._thread: _Thread | None = None
        self._runner: web.BaseRunner | None = None
        self._stopping = False
        self._answering: set[asyncio.Task[Any]] = set()
        """What answers requests now."""
        self.answers_beside: Mapping[str, Any] = {}
        """By method and path, the JSON documents that answer calls beside the main ones, over those of the wires."""
        self.loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
        """Makes the event loop of the server's own thread; asyncio's default where it is `None`."""

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end: ``http://127.0.0.1:40123``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._certificate else 'http'}://{host}:{self.port}"

    @property
    def authority(self) -> bytes:
        """The certificate, as PEM, that a client must trust; empty without TLS."""
        return self._certificate.authority if self._certificate else b""

    @property
    def port(self) -> int:
        if not self._port:
            raise MockServerError("the server is not started: use it in a `with` or `async with` block")
        return self._port

    def space(self, name: str, script: Scriptable | None = None) -> Space:
        """A script and a journal of its own under ``{url}/t/{name}``, so that parallel tests share one server.

        Args:
            name: made of letters, digits, `-`, `_` and `.`; a name that is there already gives the same space.
            script: what it answers with, if that is to change.

        Raises:
            ValueError: the name cannot stand in a path.
        """
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            raise ValueError(f"the name of a space is made of letters, digits, '-', '_' and '.', not {name!r}")
        space = self._spaces.get(name)
        if space is None:
            space = self._spaces[name] = _Part(self, name)
        if script is not None:
            space.play(script)
        return space

    @property
    def spaces(self) -> Mapping[str, Space]:
        """The spaces that were made, by name."""
        return dict(self._spaces)

    def remove_space(self, name: str) -> None:
        """Forget a space; what it answers right now goes on."""
        self._spaces.pop(name, None)

    @property
    def open_connections(self) -> int:
        return len(self._living())

    def living_connections(self) -> set[int]:
        living = set(self._living())
        return {number for each, number in self._connection_numbers.items() if each in living}

    def _living(self) -> list[Any]:
        """The connections that are open now."""
        server = self._runner.server if self._runner else None
        return server.connections if server else []

    def __enter__(self) -> Self:
        self._thread = _Thread(self, self.bind())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread:
            self._thread.stop()
            self._thread = None

    async def __aenter__(self) -> Self:
        await self.start(self.bind())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def bind(self) -> socket.socket:
        """Take the port, which `url` then names.

        Raises:
            MockServerError: it cannot be taken.
        """
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
        server = web.Server(self.handle, handler_cancellation=True, access_log=None, logger=LOG)
        # What is open is ended before aiohttp is told to stop: it would wait for this time twice.
        self._runner = web.ServerRunner(server, shutdown_timeout=_STOP_WITHIN / 10)
        await self._runner.setup()
        context = self._certificate.context if self._certificate else None
        await web.SockSite(self._runner, bound, ssl_context=context, backlog=1024).start()

    async def stop(self) -> None:
        self._stopping = True
        if self._runner is None:
            return
        for site in self._runner.sites:
            await site.stop()
        if self._answering:
            await asyncio.wait(self._answering, timeout=_STOP_WITHIN)
        transports = [each.transport for each in self._living()]
        if late := set(self._answering):
            for answering in late:
                answering.cancel()
            await asyncio.wait(late, timeout=_STOP_WITHIN)
        await self._runner.cleanup()
        for transport in transports:
            # One that is only closed stays open until its client has read all.
            if transport:
                transport.abort()
        await asyncio.sleep(0)

    async def application(self) -> web.AppRunner:
        """The server as an aiohttp application, for a process manager that binds and stops by itself."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.handle, expect_handler=_expected)
        self._runner = web.AppRunner(
            application, handler_cancellation=True, access_log=None, logger=LOG, shutdown_timeout=_STOP_WITHIN
        )
        return self._runner

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        answering = asyncio.current_task()
        assert answering
        self._answering.add(answering)
        try:
            return await self._handle(request)
        finally:
            self._answering.discard(answering)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if admin.is_meant(request):
            return await admin.answer(self, request)
        body, unread = await body_of(request)
        found, path = self._space_of(request.path)
        space = found or self
        exchange = Exchange(
            number=space.journal.count + 1,
            connection=self._connection(request),
            method=request.method,
            path=request.path_qs,
            headers=request.headers.copy(),
            body=body,
            journal=space.journal,
        )
        space.came_on(exchange.connection)
        asked = Request(
            method=request.method,
            path=path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
        )
        try:
            answer, delivery, ending = self._answer(found, asked, exchange, unread)
            if gate := delivery.gates.get("head"):
                await exchange.pass_through(gate)
            # After these, what comes on the connection cannot be read as a request any more.
            is_last = unread is not None or request.headers.get("upgrade", "").lower() == "websocket"
            return await send(request, exchange, answer, delivery, ending=ending, is_last=is_last)
        except ConnectionError:
            exchange.end("stopped" if self._stopping else "closed by client")
            # Nobody reads it; to raise would make aiohttp log a client that has left as an error of the server.
            return web.Response()
        except asyncio.CancelledError:
            exchange.end("stopped" if self._stopping else "closed by client")
            raise
        except Exception as error:
            space.failed(error)
            exchange.end("stopped")
            raise

    def _space_of(self, path: str) -> tuple[Space | None, str]:
        """The space that a path belongs to (`None` where nobody made it), and the path within it."""
        found = _SPACE.match(path)
        return (self._spaces.get(found[1]), path[found.end() :] or "/") if found else (self, path)

    def _connection(self, request: web.BaseRequest) -> int:
        """The number of the request's connection; connections that are gone are forgotten."""
        numbers = self._connection_numbers
        if request.protocol not in numbers:
            if len(numbers) > 2 * self.open_connections:
                living = set(self._living())
                numbers = {each: number for each, number in numbers.items() if each in living}
                self._connection_numbers = numbers
            self._connections_made += 1
            numbers[request.protocol] = self._connections_made
        return numbers[request.protocol]

    def _answer(
        self, space: Space | None, request: Request, exchange: Exchange, unread: Refused | None
    ) -> tuple[Recording, Delivery, Ending]:
        """What is sent, how, and who has ended the exchange once it is. `unread`: why its body was not read."""
        wire = meant_wire(request)
        if unread:
            exchange.refused = unread.message
            return refusal(wire, unread), Delivery(), "refused"
        try:
            if space is None:
                raise MockServerError(f"there is no space at {exchange.path}")
            own = self.answers_beside.get(f"{request.method} {request.path}")
            if own is not None or wire_for(request.path) is not wire or request.method != wire.method:
                beside = aside_for(request) if own is None else document(own)
                if beside is None:
                    known = ", ".join(WIRES)
                    exchange.refused = f"no wire answers {request.method} {request.path} (wires: {known})"
                    raise wire.unknown(request)
                exchange.is_aside = True
                return beside, Delivery(), "finished"
            asked = exchange.asked = wire.read(request)
            wire = WIRES[asked.wire]
            if not self._lenient:
                wire.check(asked)
            turn = exchange.turn = space.script.answer(asked)
            answer = answer_of(turn, wire, asked, exchange.number)
            if isinstance(answer, Refused):
                delivery = _of_error(turn)
                return planned(refusal(wire, answer), delivery), delivery, "refused"
        except Exception as error:
            refused = self._refused(space or self, error)
            exchange.refused, exchange.refused_at = exchange.refused or refused.message, refused.at
            return refusal(wire, refused), Delivery(), "refused"
        return answer, turn.delivery, "finished"

    @staticmethod
    def _refused(space: Space, error: Exception) -> Refused:
        """What is said in place of an answer that could not be made."""
        if isinstance(error, Refused):
            return error
        if isinstance(error, MockServerError) and not isinstance(error, Unencodable):
            return Refused(400, f"mockserver: {error}")
        space.failed(error)
        return Refused(500, f"mockserver: {type(error).__name__}: {error}")


async def _expected(request: web.Request) -> None:
    """Leaves it to `body_of` to say that a body may come, which knows whether it may."""


def _of_error(turn: Turn) -> Delivery:
    """How an HTTP error is delivered: as its turn says, but for a fault that is this error."""
    fault = turn.delivery.fault
    return replace(turn.delivery, fault=None) if fault and fault.kind in ("error", "html") else turn.delivery


class _Part(Space):
    """A space under a path of its own."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__(Script(()), server.keep)
        self._server = server
        self._name = name

    @property
    def url(self) -> str:
        return f"{self._server.url}/t/{self._name}"

    def living_connections(self) -> set[int]:
        return self._server.living_connections()


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
            with asyncio.Runner(loop_factory=self._server.loop_factory) as runner:
                runner.run(self._main())
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
