"""What the server bears: requests that are no HTTP, bodies without end, clients that do not read, thousands of
requests, hundreds of open streams when it stops.
"""

import asyncio
import gc
import gzip
import json
import logging
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
import pytest

import mockserver
from mockserver import Delivery, Exchange, Frame, Gate, Pace, Recording, Reply, Script, Server, Turn, When
from mockserver.serving import incoming
from mockserver.serving.exchange import Journal

from .helpers import LIMIT, PATHS, THREE, Answer, Connection, ask, connection, keys, post, question
from .rawbytes import LINUX

CHAT: Final = PATHS["openai-chat"]
BODY: Final = json.dumps(question("openai-chat", stream=False)).encode()
STREAMED: Final = json.dumps(question("openai-chat")).encode()
CLOSE: Final = "connection: close"
CHUNKED: Final = "transfer-encoding: chunked"
ON_LINUX: Final = pytest.mark.skipif(not LINUX, reason="reads /proc")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve(THREE) as running:
        yield running


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Nothing is logged that a terminal would show."""
    with caplog.at_level(logging.WARNING):
        yield caplog
    assert caplog.records == []


def request(
    *fields: str,
    body: bytes = BODY,
    method: str = "POST",
    path: str = CHAT,
    version: str = "1.1",
    length: int | None = -1,
    host: bool = True,
) -> bytes:
    """A request. `length`: its content-length, where it is not that of the body; `None` leaves it out."""
    lines = [f"{method} {path} HTTP/{version}", *(["host: x"] if host else []), "authorization: Bearer k", *fields]
    if length is not None:
        lines.append(f"content-length: {len(body) if length < 0 else length}")
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


def raw(server: Server, *sent: bytes) -> list[tuple[int, bytes]]:
    """The status and the rest of each answer to these bytes, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT) as sock:
        for part in sent:
            sock.sendall(part)
        came = bytearray()
        try:
            while part := sock.recv(1 << 16):
                came += part
        except ConnectionResetError:
            pass
    found = re.split(rb"HTTP/1\.[01] (\d{3})", bytes(came))
    return [(int(status), rest) for status, rest in zip(found[1::2], found[2::2], strict=True)]


def flood(count: int) -> list[str]:
    return [f"x-{number}: y" for number in range(count)]


BROKEN: Final[dict[str, bytes]] = {
    "chunk size": request(CHUNKED, CLOSE, length=None, body=b"zz\r\nabc\r\n0\r\n\r\n"),
    "negative chunk": request(CHUNKED, CLOSE, length=None, body=b"-5\r\nabc\r\n0\r\n\r\n"),
    "endless chunk": request(CHUNKED, CLOSE, length=None, body=b"f" * 40 + b"\r\nabc\r\n0\r\n\r\n"),
    "chunk without its end": request(CHUNKED, CLOSE, length=None, body=b"3\r\nabcdef\r\n0\r\n\r\n"),
    "second chunk": request(CHUNKED, CLOSE, length=None, body=chunked(b"abc") + b"zz\r\n"),
    "length and chunks": request(CHUNKED, CLOSE, body=chunked(BODY, b"")),
    "two lengths": request("content-length: 5", CLOSE),
    "negative length": request("content-length: -5", CLOSE, length=None),
    "length too short": request(length=len(BODY) - 5),
    "gzip that is none": request("content-encoding: gzip", CLOSE),
    "half of a gzip": request("content-encoding: gzip", CLOSE, body=gzip.compress(BODY)[:20]),
    "brotli": request("content-encoding: br", CLOSE),
    "200 headers": request(*flood(200), CLOSE),
    "10,000 headers": request(*flood(10_000), CLOSE),
    "long header": request("x: " + "y" * 100_000, CLOSE),
    "long path": request(CLOSE, path="/" + "a" * 100_000),
    "NUL in a header": request("x: a\0b", CLOSE),
    "NUL in the path": request(CLOSE, path="/v1/\0"),
    "space in the path": request(CLOSE, path="/v1/ chat"),
    "folded header": request("x: a\r\n b", CLOSE),
    "no host": request(CLOSE, host=False),
    "URL of no host": request(CLOSE, path="http://[::1/v1"),
    "URL of no port": request(CLOSE, path="http://a:99999999/v1"),
    "method": request(CLOSE, method="F*O"),
    "method in small letters": request(CLOSE, method="post"),
    "TLS": bytes.fromhex("1603010200010001fc0303") + bytes(200),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "no HTTP": b"\0\1\2\3\r\n\r\n",
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN)
def test_broken_requests_are_answered_with_400(server: Server, logged: pytest.LogCaptureFixture, sent: bytes) -> None:
    """Not with 500, not with silence, and without a traceback in the log; the next client is served."""
    assert [status for status, _ in raw(server, sent)][-1] == 400
    assert post(server).status_code == 200
    assert server.errors == []


ODD: Final[dict[str, tuple[bytes, int]]] = {
    "HTTP/1.0": (request(version="1.0"), 200),
    "HTTP/0.9": (b"GET /\r\n\r\n", 404),
    "latin-1 in a header": (request("x: \xe9\xff", CLOSE), 200),
    "unknown encoding": (request("content-encoding: x-none", CLOSE), 200),
    "gzip": (request("content-encoding: gzip", CLOSE, body=gzip.compress(BODY)), 200),
    "trailers": (request(CHUNKED, CLOSE, length=None, body=chunked(BODY) + b"0\r\nx: y\r\n\r\n"), 200),
    "small chunks": (request(CHUNKED, CLOSE, length=None, body=chunked(*(b"%c" % c for c in BODY), b"")), 200),
    "blank lines before": (b"\r\n\r\n" + request(CLOSE), 200),
    "whole URL": (request(CLOSE, path=f"http://other{CHAT}"), 200),
    "percent signs": (request(CLOSE, path=f"/%ff%00%2f..%zz{CHAT}?%ff=%zz&a=%00&&=&a"), 200),
    "asterisk": (request(CLOSE, method="OPTIONS", path="*", body=b""), 404),
    "CONNECT": (request(CLOSE, method="CONNECT", path="host:443", body=b""), 404),
    "OPTIONS": (request(CLOSE, method="OPTIONS", body=b""), 405),
    "HEAD": (request(CLOSE, method="HEAD", body=b""), 405),
    "HTTP/2 offered": (request("connection: Upgrade, HTTP2-Settings, close", "upgrade: h2c", "http2-settings: A"), 200),
    "WebSocket": (request("connection: Upgrade", "upgrade: websocket", method="GET", body=b""), 405),
    "WebSocket with a body": (request("connection: Upgrade", "upgrade: websocket"), 200),
}


@pytest.mark.parametrize(("sent", "status"), ODD.values(), ids=ODD)
def test_odd_requests_are_answered(server: Server, logged: pytest.LogCaptureFixture, sent: bytes, status: int) -> None:
    """What is rare in HTTP, but right or nearly so, is answered and does not keep the connection waiting."""
    assert [found for found, _ in raw(server, sent)] == [status]
    assert server.errors == []


def test_plain_bytes_on_a_port_with_tls_are_no_defect(logged: pytest.LogCaptureFixture) -> None:
    """The connection is closed, and clients that speak TLS are served."""
    with mockserver.serve(THREE, tls=True) as server:
        assert raw(server, request(CLOSE)) == []
        assert post(server).status_code == 200
        assert server.errors == []


def test_pipelined_requests_are_answered_in_order() -> None:
    """As many answers as requests, though all came in one segment."""
    with mockserver.serve(lambda asked: Reply.of(asked.text)) as server:
        bodies = [json.dumps(question("openai-chat", text=f"n{n}", stream=bool(n % 2))).encode() for n in range(20)]
        answers = raw(server, b"".join(request(body=body) for body in bodies) + request(CLOSE))
    assert [re.findall(rb'"content":"(n\d+|hi)"', rest) for _, rest in answers] == [
        *([b"n%d" % n] for n in range(20)),
        [b"hi"],
    ]


def test_a_client_that_waits_to_send_its_body_is_told_to() -> None:
    """`Expect: 100-continue` is answered before the body has come."""
    with mockserver.serve(THREE) as server, connection(server) as client:
        client.sock.sendall(request("expect: 100-continue", body=b"", length=len(BODY)))
        assert client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sock.sendall(BODY)
        assert client.answer().status == 200


@pytest.mark.parametrize(
    "half", [b"POST /v1/ch", request(length=99, body=b"{"), request(CHUNKED, length=None, body=b"5\r\n{")]
)
def test_a_client_that_leaves_in_the_middle_is_no_defect(logged: pytest.LogCaptureFixture, half: bytes) -> None:
    """It leaves its connection half-closed, and is gone for the server."""
    with mockserver.serve(THREE) as server, connection(server) as client:
        client.sock.sendall(half)
        client.sock.shutdown(socket.SHUT_WR)
        assert client.sock.recv(1) == b""
        assert server.until(lambda: server.open_connections == 0, timeout=LIMIT)
        assert (server.exchanges, server.errors) == ((), [])


@pytest.mark.parametrize(
    ("fields", "length", "part"),
    [((), 99, b"{"), ((CHUNKED,), None, b"zz\r\nabc\r\n")],
    ids=["half a body", "a chunk that is none"],
)
def test_a_body_that_does_not_go_on_is_refused(
    monkeypatch: pytest.MonkeyPatch, fields: tuple[str, ...], length: int | None, part: bytes
) -> None:
    """With 408, in the provider's shape, after a while; aiohttp does not tell of a chunk that is broken."""
    monkeypatch.setattr(incoming, "PATIENCE", 0.05)
    with mockserver.serve(THREE) as server, connection(server) as client:
        client.sock.sendall(request("expect: 100-continue", *fields, length=length, body=b""))
        assert client.head().startswith(b"HTTP/1.1 100")
        client.sock.sendall(part)
        answer = client.answer()
        assert server.until_ended(timeout=LIMIT)
        assert (answer.status, server.exchanges[0].ended, server.errors) == (408, "refused", [])
        assert json.loads(answer.body)["error"]["message"].startswith("mockserver: the body of the request did not go")


MEBIBYTE: Final = bytes(1 << 20)


def huge(server: Server, head: bytes, part: bytes, end: bytes = b"") -> Answer:
    """The answer to 100 MiB of body."""
    with connection(server) as client:
        client.sock.sendall(head)
        for _ in range(100):
            client.sock.sendall(part)
        client.sock.sendall(end)
        return client.answer()


@pytest.mark.parametrize("wire", ["openai-chat", "anthropic-messages"])
@pytest.mark.parametrize("framing", ["length", "chunks", "gzip"])
def test_a_body_without_end_is_refused(
    logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, wire: str, framing: str
) -> None:
    """With 413, in the provider's shape; no more of it is held than what a body may have."""
    path = PATHS[wire]
    monkeypatch.setattr(incoming, "MOST", 8 << 20)
    with mockserver.serve(THREE) as server:
        before = resident()
        if framing == "length":
            answer = huge(server, request(path=path, body=b"", length=100 << 20), MEBIBYTE)
        elif framing == "chunks":
            head = request(CHUNKED, path=path, body=b"", length=None)
            answer = huge(server, head, chunked(MEBIBYTE), chunked(b""))
        else:
            with connection(server) as client:
                client.sock.sendall(request("content-encoding: gzip", path=path, body=gzip.compress(100 * MEBIBYTE, 1)))
                answer = client.answer()
        grown = resident() - before
        assert server.until_ended(timeout=LIMIT)
        assert (answer.status, b"connection: close" in answer.head) == (413, True)
        assert "has at most 8388608 bytes" in json.loads(answer.body)["error"]["message"]
        assert (server.exchanges[0].body, server.exchanges[0].ended, server.errors) == (b"", "refused", [])
        assert grown < 24 << 20
        assert post(server).status_code == 200


def test_a_long_body_is_read() -> None:
    """30 MiB, as pictures may have, are answered."""
    with mockserver.serve(THREE) as server:
        answer = post(server, text="x" * (30 << 20), stream=False)
        assert (answer.status_code, len(server.exchanges[0].asked.text)) == (200, 30 << 20)  # type: ignore[union-attr]


def resident() -> int:
    """Bytes of memory of this process."""
    if not LINUX:
        return 0
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def recorded(size: int, count: int) -> Turn:
    """A stream of `count` frames of `size` bytes, which all answers share."""
    frame = Frame(b"data: " + b"x" * (size - 8) + b"\n\n", "piece")
    headers = {"content-type": "text/event-stream"}
    return Turn(recording=Recording(200, headers, (frame,) * count), when=When(stream=True))


def slow(server: Server, left: ExitStack, sent: bytes) -> Connection:
    """A client that asks, with little room for what it does not read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(LIMIT)
    sock.connect(("127.0.0.1", server.port))
    client = Connection(sock)
    left.callback(client.close)
    client.sock.sendall(sent)
    return client


def stands_still(exchange: Exchange) -> bool:
    """Whether nothing has been written for a while."""
    return bool(exchange.writes) and time.monotonic() - exchange.writes[-1].at > 0.1


def test_a_client_that_does_not_read_holds_back_the_stream() -> None:
    """A stream of 256 MiB takes no more memory than the buffers; other clients go on, and so may this one."""
    with ExitStack() as left:
        server = left.enter_context(mockserver.serve([recorded(64 << 10, 4096), Turn(reply=THREE)]))
        before = resident()
        client = slow(server, left, request(body=STREAMED))
        assert server.until(lambda: any(map(stands_still, server.exchanges)), timeout=LIMIT)
        [exchange] = server.exchanges
        written = exchange.frames_written
        assert 0 < written < 400
        assert resident() - before < 24 << 20
        assert post(server, stream=False).json()["choices"][0]["message"]["content"] == THREE.text
        assert client.head().startswith(b"HTTP/1.1 200")
        while exchange.frames_written <= written:
            assert client.chunk()
    assert exchange.ended in ("closed by client", "stopped")


# A journal that does not keep all.


def kept_exchange(journal: Journal, number: int, *, size: int = 0) -> Exchange:
    return Exchange(number, 1, "POST", "/", {}, b"x" * size, journal=journal)


def test_a_journal_keeps_the_last_ones() -> None:
    """Numbers and counts go on; those that are open stay, and how the others ended is counted."""
    journal = Journal(keep=3)
    first = kept_exchange(journal, 1)
    for number in range(2, 8):
        kept_exchange(journal, number).end("closed by client" if number == 2 else "finished")
    assert [each.number for each in journal.exchanges] == [1, 6, 7]
    assert (journal.count, journal.forgotten) == (7, {"closed by client": 1, "finished": 3})
    first.end("finished")
    kept_exchange(journal, 8)
    assert [each.number for each in journal.exchanges] == [6, 7, 8]


def test_a_journal_keeps_fewer_where_they_are_large() -> None:
    """64 MiB are the most that those take that have ended, but one of them is always kept."""
    journal = Journal(keep=1000)
    for number in range(1, 11):
        kept_exchange(journal, number, size=10 << 20).end("refused")
    assert [each.number for each in journal.exchanges] == [5, 6, 7, 8, 9, 10]
    kept_exchange(journal, 11, size=65 << 20).end("refused")
    assert [each.number for each in journal.exchanges] == [11]


def test_a_server_says_what_it_has_forgotten() -> None:
    """The admin path counts on; waiting counts what is forgotten too; a request that is gone is told of."""
    with mockserver.serve(THREE, keep=5) as server:
        for _ in range(12):
            post(server)
        httpx.get(f"{server.url}/v1/models", headers=keys(""))
        admin = httpx.Client(base_url=f"{server.url}/__admin")
        with admin:
            told = admin.get("/").json()
            assert (told["requests"], told["ended"], told["keep"], told["forgotten"]) == (12, 12, 5, 8)
            assert admin.get("/wait", params={"ended": "12", "timeout": "1"}).json()["holds"]
            found = admin.get("/requests").json()
            assert ([each["number"] for each in found["requests"]], found["forgotten"]) == ([9, 10, 11, 12, 13], 8)
            gone = admin.get("/requests/2")
            assert (gone.status_code, gone.json()["error"]) == (
                404,
                "there is no request 2; there are 13; the last 5 are kept",
            )
        assert server.until_ended(12, timeout=0)
        assert (server.exchanges[0].number, server.connections.made) == (9, 13)
        server.reset()
        assert (server.journal.count, server.exchanges) == (0, ())


def test_all_is_kept_by_default() -> None:
    """Tests see each exchange; a space keeps what its server does."""
    with mockserver.serve(THREE) as server:
        assert server.space("a").keep is None
        for _ in range(3):
            post(server)
        assert [each.number for each in server.exchanges] == [1, 2, 3]


def test_errors_are_not_kept_without_end() -> None:
    """As many as exchanges are."""

    def broken(asked: object) -> Reply:
        raise KeyError(asked)

    with mockserver.serve(broken, keep=2) as server:
        for _ in range(5):
            assert post(server).status_code == 500
        assert len(server.errors) == 2


# Thousands of requests.


async def many(server: Server, count: int, *, connections: int = 8) -> None:
    """So many requests over so many connections, streamed and not in turn."""

    async def some(share: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for number in range(share):
            if number % 2:
                writer.write(request(body=STREAMED))
                assert (await reader.readuntil(b"\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            else:
                writer.write(request())
                head = await reader.readuntil(b"\r\n\r\n")
                [length] = re.findall(rb"content-length: (\d+)", head)
                assert (await reader.readexactly(int(length))).endswith(b"}")
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(some(count // connections) for _ in range(connections)))


def held() -> tuple[dict[str, int], int, int]:
    """Objects of this package by class, tasks of this loop, descriptors of this process."""
    gc.collect()
    kinds = (type(each) for each in gc.get_objects())
    objects = Counter(kind.__qualname__ for kind in kinds if str(kind.__module__).startswith("mockserver."))
    return dict(objects), len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))


@ON_LINUX
async def test_thousands_of_requests_leave_nothing_behind() -> None:
    """Objects, tasks and descriptors are as many after 2,000 requests as after 1,000, and memory does not grow."""
    turns = [Turn(reply=THREE, when=When(stream=True)), Turn(reply=THREE)]
    async with mockserver.serve(Script(turns), keep=100) as server:
        before = held()[0]
        await many(server, 1000)
        first, size = held(), resident()
        await many(server, 1000)
        second, grown = held(), resident() - size
        assert server.journal.count == 2000
    assert first == second
    assert first[0]["Exchange"] - before.get("Exchange", 0) == 100
    assert grown < 8 << 20


# Stopping.


@pytest.fixture
def many_files() -> Iterator[None]:
    """Room for the sockets of both sides."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 2048:
        pytest.skip(f"no more than {hard} open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def asked_for(model: str) -> bytes:
    return request(body=json.dumps(question("openai-chat", model=model)).encode())


def rest(client: Connection) -> str:
    """How a connection ends, whatever comes before."""
    try:
        while client.sock.recv(1 << 20):
            pass
    except ConnectionResetError:
        return "reset"
    return "closed"


def test_stopping_ends_500_open_streams(many_files: None, logged: pytest.LogCaptureFixture) -> None:
    """None is waited for, held by a gate, its pace, or a client that does not read; each client sees the end."""
    turns = [
        Turn(reply=THREE, when=When(model="gated"), delivery=Delivery(gates={1: Gate()})),
        Turn(reply=THREE, when=When(model="paced"), delivery=Delivery(pace=Pace(every=60))),
        Turn(reply=THREE, when=When(model="late"), delivery=Delivery(gates={"head": Gate()})),
        Turn(recording=recorded(64 << 10, 256).recording, when=When(model="pressed")),
    ]
    models = ["gated"] * 250 + ["paced"] * 150 + ["late"] * 50 + ["pressed"] * 50
    with ExitStack() as left:
        with mockserver.serve(turns) as server:
            clients = [slow(server, left, asked_for(model)) for model in models]
            assert server.until(lambda: all_wait(server, len(models)), timeout=LIMIT)
            started = time.monotonic()
        assert time.monotonic() - started < LIMIT
        assert {rest(client) for client in clients} <= {"closed", "reset"}
    assert Counter(each.ended for each in server.exchanges) == {"stopped": len(models)}
    assert (server.open_requests, server.errors) == (0, [])


def all_wait(server: Server, count: int) -> bool:
    """Whether so many streams have come, and none of them goes on."""
    found = server.exchanges
    return len(found) == count and all(map(is_waiting, found))


def is_waiting(exchange: Exchange) -> bool:
    assert exchange.asked
    return exchange.asked.model == "late" or stands_still(exchange)


def test_stopping_ends_connections_that_ask_for_nothing(logged: pytest.LogCaptureFixture) -> None:
    """Idle ones, and those whose request has come in half, are closed with the server."""
    sent = {"nothing": b"", "half a head": b"POST /v1/ch", "half a body": request(length=99, body=b"{")}
    with ExitStack() as left:
        with mockserver.serve(THREE) as server:
            clients = [left.enter_context(connection(server)) for _ in range(20) for _ in sent]
            for client, half in zip(clients, 20 * [*sent.values()], strict=True):
                client.sock.sendall(half)
            assert server.until(lambda: server.open_connections == len(clients), timeout=LIMIT)
            started = time.monotonic()
        assert time.monotonic() - started < LIMIT
        assert {rest(client) for client in clients} <= {"closed", "reset"}
    assert server.errors == []


async def test_stopping_in_the_loop_of_its_caller_ends_all() -> None:
    """When the block is left, each exchange has its end and no task is left."""
    before = asyncio.all_tasks()
    gate = Gate()
    async with mockserver.serve(Turn(reply=THREE, delivery=Delivery(gates={1: gate}))) as server:
        pairs = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(20)]
        for _, writer in pairs:
            writer.write(request(body=STREAMED))
        for reader, _ in pairs:
            await reader.readuntil(b"The moon")
    assert {each.ended for each in server.exchanges} == {"stopped"}
    for reader, writer in pairs:
        await reader.read()
        writer.close()
    assert asyncio.all_tasks() == before


def test_an_interrupt_ends_the_command_with_100_open_streams(tmp_path: Path) -> None:
    """None is waited for, and the status is 0; each stream has its line, and no traceback is printed."""
    file = tmp_path / "script.yaml"
    file.write_text("turns:\n- reply: [text: [a, b]]\n  delivery: {gates: {1: never}}\n")
    with (
        subprocess.Popen(
            [sys.executable, "-m", "mockserver", "serve", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        ExitStack() as left,
    ):
        left.callback(process.kill)
        assert process.stdout
        url = httpx.URL(process.stdout.readline().strip())
        clients = []
        for _ in range(100):
            sock = left.enter_context(socket.create_connection((url.host, url.port), timeout=LIMIT))
            sock.sendall(request(body=STREAMED))
            clients.append(Connection(sock))
        for client in clients:
            client.head()
            assert client.chunk()
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert {rest(client) for client in clients} == {"closed"}
        out, errors = process.communicate(timeout=LIMIT)
        assert time.monotonic() - started < LIMIT
    lines = out.splitlines()
    assert (process.returncode, errors, lines[-1]) == (0, "", "100 requests answered")
    assert sum(line.endswith(", stopped") for line in lines) == 100


# Spaces.


def test_a_space_that_is_removed_goes_on_streaming() -> None:
    """What it answers then is sent to its end; what comes later finds no space."""
    gate = Gate()
    with mockserver.serve() as server, connection(server) as client:
        space = server.space("a", Turn(reply=THREE, delivery=Delivery(gates={1: gate})))
        client.send(path=f"/t/a{CHAT}")
        assert gate.wait_arrived(timeout=LIMIT)
        server.remove_space("a")
        refused = ask(space.url + CHAT, json=question("openai-chat"))
        assert (refused.status_code, server.spaces) == (400, {})
        gate.open()
        assert client.answer().ending == "whole"
        assert space.until_ended(timeout=LIMIT)
        assert space.exchanges[0].ended == "finished"
        assert server.errors == []


OF_A_SPACE: Final = ("_Part", "Script", "Turn", "Journal", "Exchange")
"""What each space has of its own."""


async def test_1000_spaces_are_apart() -> None:
    """Each answers by its own script and has its own journal; once removed, nothing of them is left."""
    async with mockserver.serve(THREE) as server:
        before = held()[0]
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for number in range(1000):
            server.space(f"s{number}", Reply.of(f"answer {number}"))
        for number in range(1000):
            writer.write(request(path=f"/t/s{number}{CHAT}"))
            head = await reader.readuntil(b"\r\n\r\n")
            [length] = re.findall(rb"content-length: (\d+)", head)
            assert b'"answer %d"' % number in await reader.readexactly(int(length))
        assert {len(space.exchanges) for space in server.spaces.values()} == {1}
        assert server.exchanges == ()
        for name in server.spaces:
            server.remove_space(name)
        writer.close()
        await writer.wait_closed()
        after = held()[0]
        assert [after.get(name, 0) - before.get(name, 0) for name in OF_A_SPACE] == [0, 0, 0, 0, 0]
