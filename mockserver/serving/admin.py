"""The admin path `/__admin/`: scripts, journal, gates and waiting over plain HTTP, with JSON, from any language.

`/t/NAME/__admin/` is that of the space NAME. The word is WireMock's (https://wiremock.org/docs/standalone/admin-api-reference/).
Calls of it stand in no journal and are matched by no turn. Times are seconds since 1970.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aiohttp import web

from ..errors import MockServerError
from ..scripts.loader import parse_script
from ..scripts.yamlnodes import Flaws
from ..sending.delivery import Gate
from ..wires import Asked
from .exchange import Exchange
from .incoming import body_of
from .space import Space

if TYPE_CHECKING:
    from .server import Server

_PATH: Final = re.compile(r"(?:/t/([^/]+))?/__admin(?:/(.*))?")
_EPOCH: Final = time.time() - time.monotonic()
"""When `time.monotonic` was 0, in seconds since 1970."""
_LOOKS_EVERY: Final = 0.005
"""Seconds between two looks of a waiting call."""
_LONGEST_WAIT: Final = 60.0
_WAITS_FOR: Final = "requests, ended, closed, open, connections, arrived"


class _Fault(Exception):
    """What is wrong with a call."""

    def __init__(self, status: int, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.said = {"error": error, **more}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A call: of which space, with what. `rest` is the part of the path that names something."""

    server: "Server"
    name: str | None
    rest: str
    query: Mapping[str, str]
    body: bytes

    @property
    def space(self) -> Space:
        if self.name is None:
            return self.server
        space = self.server.spaces.get(self.name)
        if space is None:
            raise _Fault(404, f"there is no space {self.name!r}; PUT /t/{self.name}/__admin/script makes it")
        return space


_Answer: TypeAlias = Callable[[_Call], Awaitable[Any]]


def is_meant(request: web.BaseRequest) -> bool:
    """Whether a request is for the admin path."""
    return _PATH.fullmatch(request.path) is not None


async def answer(server: "Server", request: web.BaseRequest) -> web.Response:
    """The answer to a call of the admin path: JSON, with an `error` where the call is not right."""
    found = _PATH.fullmatch(request.path)
    assert found
    name, path = found[1], found[2] or ""
    try:
        handler, rest = _route(request.method, path)
        body, unread = await body_of(request)
        if unread:
            raise _Fault(unread.status, unread.message)
        call = _Call(server=server, name=name, rest=rest, query=request.query, body=body)
        return web.json_response(await handler(call))
    except _Fault as fault:
        return web.json_response(fault.said, status=fault.status)


def _route(method: str, path: str) -> tuple[_Answer, str]:
    """Who answers, and the part of the path that names something."""
    first, _, rest = path.partition("/")
    known = {each: handler for (each, name), handler in _ROUTES.items() if name == (f"{first}/*" if rest else first)}
    if not known:
        paths = ", ".join(f"{each} /__admin/{name}".rstrip("/") for each, name in _ROUTES)
        raise _Fault(404, f"there is no /__admin/{path}; there are {paths}")
    if method not in known:
        raise _Fault(405, f"/__admin/{path} takes {', '.join(known)}, not {method}")
    return known[method], rest


async def _overview(call: _Call) -> Any:
    spaces = {} if call.name else {"spaces": [space.url for space in call.server.spaces.values()]}
    space = call.space
    return {"url": space.url, **_counts(space), "keep": space.keep, "forgotten": _forgotten(space), **spaces}


async def _remove(call: _Call) -> Any:
    if call.name is None:
        raise _Fault(400, "the server itself cannot be removed, only a space: DELETE /t/NAME/__admin")
    assert call.space
    call.server.remove_space(call.name)
    return {"removed": call.name}


async def _put_script(call: _Call) -> Any:
    try:
        script = parse_script(call.body.decode(), "script")
        space = call.server if call.name is None else call.server.space(call.name)
    except UnicodeDecodeError:
        raise _Fault(400, "a script is UTF-8 text") from None
    except Flaws as error:
        faults = [{"line": flaw.line, "key": flaw.key, "message": flaw.reason} for flaw in error.flaws]
        raise _Fault(400, str(error), faults=faults) from None
    except (MockServerError, ValueError) as error:
        raise _Fault(400, str(error)) from None
    space.play(script)
    return {"url": space.url, "turns": len(script.turns), "gates": list(script.gates)}


async def _script(call: _Call) -> Any:
    script = call.space.script
    turns = [
        {"turn": turn.describe(), "times": turn.times, "answered": answered}
        for turn, answered in zip(script.turns, script.answered, strict=True)
    ]
    return {
        "turns": turns,
        "loop": script.loop,
        "default": script.default.describe() if script.default else None,
    }


async def _requests(call: _Call) -> Any:
    space = call.space
    kept = [_exchange(each) for each in space.journal.exchanges]
    return {"requests": kept, **({"forgotten": _forgotten(space)} if _forgotten(space) else {})}


async def _request(call: _Call) -> Any:
    exchanges = call.space.journal.exchanges
    found = next((each for each in exchanges if str(each.number) == call.rest), None)
    if found is None:
        forgotten = f"; the last {call.space.keep} are kept" if _forgotten(call.space) else ""
        raise _Fault(404, f"there is no request {call.rest}; there are {call.space.journal.count}{forgotten}")
    return _exchange(found)


async def _gates(call: _Call) -> Any:
    return {"gates": [_gate(name, gate) for name, gate in call.space.script.gates.items()]}


async def _open_gate(call: _Call) -> Any:
    try:
        gate = call.space.gate(call.rest)
    except MockServerError as error:
        raise _Fault(404, str(error)) from None
    gate.open()
    return _gate(call.rest, gate)


async def _reset(call: _Call) -> Any:
    call.space.reset()
    return _counts(call.space)


async def _connections(call: _Call) -> Any:
    return asdict(call.space.connections)


async def _wait(call: _Call) -> Any:
    """Wait until all that the query names holds; says whether it does."""
    conditions = [_condition(name, text) for name, text in call.query.items() if name != "timeout"]
    if not conditions:
        raise _Fault(400, f"say what to wait for: {_WAITS_FOR}")
    timeout = min(_number("timeout", call.query.get("timeout", "5"), float), _LONGEST_WAIT)
    limit = time.monotonic() + timeout
    while True:
        holds = all(condition(call.space) for condition in conditions)
        if holds or time.monotonic() >= limit:
            return {"holds": holds, **_counts(call.space)}
        await asyncio.sleep(_LOOKS_EVERY)


_ROUTES: Final[Mapping[tuple[str, str], _Answer]] = {
    ("GET", ""): _overview,
    ("DELETE", ""): _remove,
    ("PUT", "script"): _put_script,
    ("GET", "script"): _script,
    ("GET", "requests"): _requests,
    ("GET", "requests/*"): _request,
    ("GET", "gates"): _gates,
    ("POST", "gates/*"): _open_gate,
    ("POST", "reset"): _reset,
    ("GET", "connections"): _connections,
    ("GET", "wait"): _wait,
}


def _condition(name: str, text: str) -> Callable[[Space], bool]:
    """What a parameter of `wait` waits for: so many at least, or (`open`, `connections`) so many at most."""
    if name == "arrived":
        gate, _, count = text.partition(":")
        least = _number(name, count or "1", int)
        return lambda space: (found := space.script.gates.get(gate)) is not None and found.arrived >= least
    if name not in _COUNTS:
        raise _Fault(400, f"one cannot wait for {name!r}, but for {_WAITS_FOR}")
    wanted = _number(name, text, int)
    count_of = _COUNTS[name]
    if name in ("open", "connections"):
        return lambda space: count_of(space) <= wanted
    return lambda space: count_of(space) >= wanted


_COUNTS: Final[Mapping[str, Callable[[Space], int]]] = {
    "requests": lambda space: space.journal.forgotten.total() + len(space.exchanges),
    "open": lambda space: space.open_requests,
    "ended": lambda space: space.journal.forgotten.total() + sum(each.ended is not None for each in space.exchanges),
    "closed": lambda space: (
        space.journal.forgotten["closed by client"] + sum(each.ended == "closed by client" for each in space.exchanges)
    ),
    "connections": lambda space: space.connections.open,
}
"""Requests that came, those whose answer is held back, those that have ended, those whose client hung up, and the
connections that are open."""


def _counts(space: Space) -> dict[str, int]:
    return {name: count_of(space) for name, count_of in _COUNTS.items()}


def _forgotten(space: Space) -> int:
    """How many of the requests that came are not in the journal any more."""
    return space.journal.count - len(space.journal.exchanges)


def _number(name: str, text: str, kind: type[int] | type[float]) -> Any:
    try:
        number = kind(text)
        if not 0 <= number < float("inf"):
            raise ValueError
    except ValueError:
        raise _Fault(400, f"{name} is a number from 0, not {text!r}") from None
    return number


def _gate(name: str, gate: Gate) -> dict[str, Any]:
    return {"name": name, "open": gate.is_open, "arrived": gate.arrived}


def _exchange(exchange: Exchange) -> dict[str, Any]:
    writes = [{"at": each.at + _EPOCH, "size": each.size, "frames": each.frames} for each in tuple(exchange.writes)]
    return {
        "number": exchange.number,
        "connection": exchange.connection,
        "at": exchange.at + _EPOCH,
        "method": exchange.method,
        "path": exchange.path,
        "headers": [[name, value] for name, value in exchange.headers.items()],
        "body": exchange.body.decode("utf-8", "replace"),
        "json": _json(exchange.body),
        "wire": exchange.asked.wire if exchange.asked else None,
        "asked": _asked(exchange.asked) if exchange.asked else None,
        "aside": exchange.is_aside,
        "turn": exchange.turn.describe() if exchange.turn else None,
        "status": exchange.status,
        "refused": exchange.refused,
        "refused_at": exchange.refused_at or None,
        "frames": {"planned": len(exchange.frames), "written": exchange.frames_written},
        "writes": writes,
        "open": exchange.ended is None,
        "ended": exchange.ended,
        "client_reset": exchange.client_reset,
        "ended_at": None if exchange.ended_at is None else exchange.ended_at + _EPOCH,
        "told": exchange.describe(),
    }


def _asked(asked: Asked) -> dict[str, Any]:
    return {
        "model": asked.model,
        "stream": asked.stream,
        "stream_usage": asked.stream_usage,
        "text": asked.text,
        "messages": [asdict(message) for message in asked.messages],
        "tools": list(asked.tools),
        "stop": list(asked.stop),
    }


def _json(body: bytes) -> Any:
    """The body as JSON; `None` where it is none, or none that can be told: NaN, or nested too deep."""
    try:
        value = json.loads(body)
        # The answer nests it deeper by a few levels.
        json.dumps([[[[[[[[value]]]]]]]], allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return value
