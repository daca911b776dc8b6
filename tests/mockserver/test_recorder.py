"""The recorder, over real sockets, in front of our own server and of one that does what ours does not."""

import asyncio
import gzip
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
import pytest

import mockserver
import mockserver.cli
from mockserver import CassetteError, Delivery, Fault, Gate, MockServerError, Pace, Reply, Server, Turn
from mockserver.cassettes.interaction import Ended, Interaction, dump, read, write
from mockserver.cassettes.recorder import Recorder
from mockserver.cassettes.tape import Tape
from mockserver.sending.delivery import FaultKind, Point

from .helpers import LIMIT, PATHS, THREE, Answer, Connection, ask, fetch, question

CHAT: Final = PATHS["openai-chat"]
KEY: Final = "sk-proj-abcdefghijklmnop1234"


@contextmanager
def recording(upstream: str, file: Path, **more: Any) -> Iterator[Recorder]:
    """A recorder in a thread of its own; at the end, the file is written."""
    recorder = Recorder(upstream, Tape(file), **more)
    ready, failed = threading.Event(), list[BaseException]()
    loop = asyncio.new_event_loop()
    halt = asyncio.Event()

    async def run() -> None:
        async with recorder:
            ready.set()
            await halt.wait()

    def main() -> None:
        try:
            loop.run_until_complete(run())
        except MockServerError as error:
            failed.append(error)
        finally:
            loop.close()
            ready.set()

    thread = threading.Thread(target=main)
    thread.start()
    ready.wait(LIMIT)
    try:
        yield recorder
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(halt.set)
        thread.join(LIMIT)
    if failed:
        raise failed[0]


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    opened = Connection(socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=LIMIT))
    try:
        yield opened
    finally:
        opened.close()


def through(recorder: Recorder, **more: Any) -> Answer:
    with connected(recorder.url) as opened:
        opened.send(**more)
        return opened.answer()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.yaml"


@pytest.fixture
def server() -> Iterator[Server]:
    with mockserver.serve(THREE) as running:
        yield running


def headers_of(answer: Answer) -> dict[bytes, bytes]:
    """By name in lower case; without the date, and without the connection, which is each side's own."""
    lines = [line.partition(b": ") for line in answer.head.split(b"\r\n")[1:] if line]
    return {name.lower(): value for name, _, value in lines if name.lower() not in (b"date", b"connection")}


def only(file: Path) -> Interaction:
    [found] = read(file)
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_passed_on_and_kept(server: Server, file: Path, *, stream: bool) -> None:
    """The client gets upstream's bytes and head; the file has them with their arrivals, and nothing secret."""
    direct = fetch(server, stream=stream)
    server.reset()
    with recording(server.url, file) as recorder:
        answer = through(recorder, stream=stream)
    found = only(file)
    assert (answer.body, answer.ending) == (direct.body, "whole")
    assert headers_of(answer) == headers_of(direct)
    assert (found.method, found.uri, found.status, found.reason) == ("POST", server.url + CHAT, 200, "OK")
    assert json.loads(found.request_body) == question("openai-chat", stream=stream)
    assert (found.body, found.ended) == (answer.body, "whole")
    assert set(found.headers) == {"content-type"}
    assert {name.lower() for name in server.exchanges[0].headers} == {
        "host",
        "content-length",
        "authorization",
        "accept-encoding",
    }
    assert found.request_headers == {}
    assert found.arrivals
    assert found.head is not None
    assert 0 <= found.head <= found.arrivals[0].at
    assert server.exchanges[0].headers["accept-encoding"] == "identity"


def test_what_arrives_is_passed_on_before_the_rest_is_there(server: Server, file: Path) -> None:
    """The head and the first frames come through while upstream holds the others back."""
    gates: dict[Point, Gate] = {"head": Gate(), 1: Gate()}
    server.play(Turn(reply=THREE, delivery=Delivery(gates=gates)))
    with recording(server.url, file) as recorder, connected(recorder.url) as opened:
        opened.send()
        assert gates["head"].wait_arrived(timeout=LIMIT)
        gates["head"].open()
        assert b" 200 " in opened.head()
        chunk = opened.chunk()
        assert chunk
        assert gates[1].wait_arrived(timeout=LIMIT)
        first = chunk
        while b"The moon" not in first:
            first += opened.chunk() or b""
        assert server.exchanges[0].ended is None
        gates[1].open()
        rest = b""
        while chunk := opened.chunk():
            rest += chunk
    assert only(file).body == first + rest


def test_each_arrival_is_kept(server: Server, file: Path) -> None:
    """Pieces that come apart are apart in the file, at the times at which upstream sent them."""
    server.play(Turn(reply=THREE, delivery=Delivery(pace=Pace(first=0.1, every=0.05))))
    with recording(server.url, file) as recorder:
        through(recorder)
    found = only(file)
    assert found.arrivals
    starts = dict(
        zip((0, *accumulate(each.size for each in found.arrivals)), (e.at for e in found.arrivals), strict=False)
    )
    frames = server.exchanges[0].frames
    offsets = list(accumulate((len(frame.data) for frame in frames), initial=0))
    times = [starts[offset] for frame, offset in zip(frames, offsets, strict=False) if frame.kind == "piece"]
    assert times == sorted(times)
    assert all(at >= due for at, due in zip(times, (0.1, 0.15, 0.2), strict=True))


@pytest.mark.parametrize(
    ("fault", "ended", "ending"),
    [
        ("close", "closed", "closed"),
        ("cut", "closed", "closed"),
        ("reset", "reset", "reset"),
        ("stop", "whole", "whole"),
        ("error", "whole", "whole"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_end_is_upstreams(
    server: Server, file: Path, fault: FaultKind, ended: Ended, ending: str, *, stream: bool
) -> None:
    """How the body ended stands in the file, and the client's connection ends in the same way."""
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault(fault, 1))))
    with recording(server.url, file) as recorder:
        answer = through(recorder, stream=stream)
    found = only(file)
    assert (found.ended, answer.ending) == (ended, ending)
    assert found.body == answer.body
    assert found.body or fault == "stop"


def test_upstream_that_says_nothing_more_has_timed_out(server: Server, file: Path) -> None:
    """After the time given, the client's connection is closed, and the file has what had come."""
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault("stall", 1))))
    with recording(server.url, file, timeout=0.2) as recorder:
        answer = through(recorder)
    found = only(file)
    assert (found.ended, answer.ending) == ("timed out", "closed")
    assert found.body == answer.body != b""


def test_a_client_that_leaves_interrupts(server: Server, file: Path) -> None:
    """What had come by then is kept, and upstream is left too."""
    gate = Gate()
    server.play(Turn(reply=THREE, delivery=Delivery(gates={1: gate})))
    with recording(server.url, file) as recorder:
        with connected(recorder.url) as opened:
            opened.send()
            opened.head()
            came = b""
            while b"The moon" not in came:
                came += opened.chunk() or b""
        assert server.until_ended(timeout=LIMIT)
    assert server.exchanges[0].ended == "closed by client"
    assert (only(file).ended, only(file).body) == ("interrupted", came)


def test_a_recorder_that_is_stopped_keeps_what_arrived(server: Server, file: Path) -> None:
    """In the midst of a stream."""
    gate = Gate()
    server.play(Turn(reply=THREE, delivery=Delivery(gates={1: gate})))
    with recording(server.url, file) as recorder:
        opened = Connection(
            socket.create_connection(("127.0.0.1", int(recorder.url.rpartition(":")[2])), timeout=LIMIT)
        )
        opened.send()
        opened.head()
        came = b""
        while b"The moon" not in came:
            came += opened.chunk() or b""
    opened.close()
    assert (only(file).ended, only(file).body) == ("interrupted", came)


def test_requests_at_the_same_time_stand_in_their_order(server: Server, file: Path) -> None:
    """Each has its own answer; the file is in the order in which they came to the server, whichever ended first."""
    gates = [Gate() for _ in range(6)]
    server.play(
        [Turn(reply=Reply.of(f"answer {n}"), delivery=Delivery(gates={"end": gate})) for n, gate in enumerate(gates)]
    )
    with recording(server.url, file) as recorder, ThreadPoolExecutor(6) as pool:
        answers = []
        for number, gate in enumerate(gates):
            answers.append(pool.submit(through, recorder, text=f"question {number}"))
            assert gate.wait_arrived(timeout=LIMIT)
        for gate, answer in reversed(list(zip(gates, answers, strict=True))):
            gate.open()
            answer.result(LIMIT)
    found = read(file)
    asked = [json.loads(each.request_body)["messages"][0]["content"] for each in found]
    assert asked == [f"question {number}" for number in range(6)]
    assert all(f"answer {number}".encode() in each.body for number, each in enumerate(found))


def test_connections_are_kept_alive(server: Server, file: Path) -> None:
    """Several requests on one connection of the client's, which upstream sees on one too."""
    with recording(server.url, file) as recorder, connected(recorder.url) as opened:
        for stream in (True, False, True):
            opened.send(stream=stream, text=str(stream))
            assert opened.answer().ending == "whole"
    assert len(read(file)) == 3
    assert server.connections.made == 1


def test_large_bodies_pass(server: Server, file: Path) -> None:
    """Megabytes in either direction, byte for byte."""
    text = "x" * 1_000_000
    server.play(Reply.of(text))
    with recording(server.url, file) as recorder:
        answer = through(recorder, text=text)
    found = only(file)
    assert answer.body == found.body
    assert len(found.body) > len(text)
    assert json.loads(found.request_body)["messages"][0]["content"] == text


class _Odd(BaseHTTPRequestHandler):
    """Answers by path with what our server never sends."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.seen.append((self.path, body))
        getattr(self, f"answer_{self.path.split('?')[0].strip('/').replace('-', '_')}")(body)

    do_GET = do_HEAD = do_OPTIONS = do_POST  # noqa: N815 - the names are of the standard library

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "transfer_encoding" not in headers and status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_gzip(self, body: bytes) -> None:
        packed = gzip.compress(b"data: " + b"x" * 5000 + b"\n\n")
        self.send(200, content_encoding="gzip", transfer_encoding="chunked")
        for at in range(0, len(packed), 9):
            part = packed[at : at + 9]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def answer_br(self, body: bytes) -> None:
        self.send(200, b"\x8b\x00", content_encoding="br")

    def answer_broken(self, body: bytes) -> None:
        self.send(200, b"\x1f\x8b\x00", content_encoding="gzip")

    def answer_echo(self, body: bytes) -> None:
        self.send(200, body, x_a="1", content_type="a/b")

    def answer_twice(self, body: bytes) -> None:
        self.send_response(200, "Fine \xfc")
        self.send_header("retry-after", "1")
        self.send_header("retry-after", "\xfc2")
        self.send_header("content-length", "0")
        self.end_headers()

    def answer_empty(self, body: bytes) -> None:
        self.send(204)

    def answer_moved(self, body: bytes) -> None:
        self.send(307, location=f"http://{self.headers['host']}/echo?key=secret-value")

    def answer_away(self, body: bytes) -> None:
        self.send(302, location="https://elsewhere.example/x")

    def answer_closed(self, body: bytes) -> None:
        self.close_connection = True

    def answer_reset(self, body: bytes) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The connection is closed by its number, since files of the handler's hold it open.
        os.close(self.connection.detach())
        self.close_connection = True

    def answer_unframed(self, body: bytes) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nall of it")
        self.close_connection = True

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def odd() -> Iterator[str]:
    _Odd.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Odd) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join(LIMIT)


def test_a_compressed_answer_is_decoded_for_the_file(odd: str, file: Path) -> None:
    """The client gets what came; the arrivals in the file are of what could be read by then."""
    with recording(odd, file) as recorder:
        answer = httpx.post(f"{recorder.url}/gzip")
    found = only(file)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == found.body == b"data: " + b"x" * 5000 + b"\n\n"
    assert found.arrivals
    assert "content-encoding" not in found.headers


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("br", "its content encoding, br, cannot be read here"),
        ("broken", "its body is not one whole part in its content encoding, gzip"),
    ],
)
def test_a_body_that_cannot_be_read_is_left_out(odd: str, file: Path, path: str, words: str) -> None:
    """The client gets it; the end tells why it is not in the file."""
    with recording(odd, file) as recorder, httpx.stream("POST", f"{recorder.url}/{path}") as answer:
        assert b"".join(answer.iter_raw())
    assert not file.exists()
    assert f"0 answers recorded in {file}; 1 answer left out: POST /{path} (" in recorder.describe()
    assert words in recorder.describe()


def test_a_compressed_request_is_decoded_for_the_file(odd: str, file: Path) -> None:
    """Upstream gets what the client sent."""
    packed = gzip.compress(b'{"a": 1}')
    with recording(odd, file) as recorder:
        answer = httpx.post(f"{recorder.url}/echo", content=packed, headers={"content-encoding": "gzip"})
    assert answer.content == packed == _Odd.seen[0][1]
    assert only(file).request_body == b'{"a": 1}'


@pytest.mark.parametrize("method", ["HEAD", "GET", "OPTIONS"])
def test_preflights_pass(odd: str, file: Path, method: str) -> None:
    """Methods without bodies, with what is asked for in the query."""
    with recording(odd, file) as recorder:
        answer = httpx.request(method, f"{recorder.url}/echo?a=%2F+%20b&key=secret")
    assert (answer.status_code, answer.content, answer.headers["x-a"]) == (200, b"", "1")
    assert _Odd.seen == [("/echo?a=%2F+%20b&key=secret", b"")]
    assert (only(file).method, only(file).uri) == (method, f"{odd}/echo?a=REDACTED&key=REDACTED")


def test_answers_without_a_body_and_with_odd_heads_pass(odd: str, file: Path) -> None:
    """204; a reason and headers that are no UTF-8, of which one comes twice; a body that the connection ends."""
    with recording(odd, file) as recorder, httpx.Client(base_url=recorder.url) as client:
        assert client.post("/empty").status_code == 204
        twice = client.post("/twice")
        assert twice.headers.get_list("retry-after") == ["1", "\xfc2"]
        assert client.post("/unframed").text == "all of it"
    empty, odd_head, unframed = read(file)
    assert (empty.status, empty.body, empty.arrivals) == (204, b"", ())
    assert odd_head.headers["retry-after"].startswith("1, ")
    assert (unframed.body, unframed.ended) == (b"all of it", "whole")


def test_redirections_lead_through_the_recorder(odd: str, file: Path) -> None:
    """Those to upstream; others lead where they lead. Both requests are in the file, without what is secret."""
    with recording(odd, file) as recorder:
        answer = httpx.post(f"{recorder.url}/moved", content=b"{}", follow_redirects=True)
        away = httpx.post(f"{recorder.url}/away")
    assert str(answer.url) == f"{recorder.url}/echo?key=secret-value"
    assert (answer.content, away.headers["location"]) == (b"{}", "https://elsewhere.example/x")
    moved, followed, _ = read(file)
    assert (moved.status, moved.headers["location"]) == (307, f"{odd}/echo?key=REDACTED")
    assert followed.uri == moved.headers["location"]


def test_a_client_that_waits_for_leave_to_send_gets_it(odd: str, file: Path) -> None:
    """`Expect: 100-continue`, as curl sends it with large bodies."""
    with recording(odd, file) as recorder, connected(recorder.url) as opened:
        opened.sock.sendall(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert opened.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        opened.sock.sendall(b"{}")
        assert opened.answer().body == b"{}"


def test_a_client_of_http_1_0_gets_no_chunks(server: Server, file: Path) -> None:
    """Its connection ends the body."""
    with recording(server.url, file) as recorder, connected(recorder.url) as opened:
        body = json.dumps(question("openai-chat")).encode()
        head = f"POST {CHAT} HTTP/1.0\r\nauthorization: Bearer k\r\ncontent-length: {len(body)}\r\n\r\n"
        opened.sock.sendall(head.encode() + body)
        assert b"chunked" not in opened.head().lower()
        came = opened._reader.read()
    assert came == only(file).body != b""


@pytest.mark.parametrize(("path", "ending"), [("closed", "closed"), ("reset", "reset")])
def test_upstream_that_gives_no_answer_is_the_clients_loss_too(odd: str, file: Path, path: str, ending: str) -> None:
    """The client's connection ends in the same way, and the end of the recording tells of it."""
    with recording(odd, file) as recorder:
        answer = through(recorder, path=f"/{path}")
    assert (answer.head, answer.ending) == (b"", ending)
    assert f"1 request failed: POST /{path}: " in recorder.describe()
    assert not file.exists()


def test_upstream_that_is_not_there_is_told(file: Path) -> None:
    """The client gets a 502 that says who says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with recording(f"http://127.0.0.1:{port}", file) as recorder:
        answer = httpx.post(recorder.url + CHAT)
    assert answer.status_code == 502
    assert answer.text.startswith("mockserver record: no answer from upstream (ClientConnectorError: ")
    assert f"1 request failed: POST {CHAT}: ClientConnectorError: " in recorder.describe()


def test_upstream_that_does_not_begin_is_told(server: Server, file: Path) -> None:
    """A 504 after the time given."""
    server.play(Turn(reply=THREE, delivery=Delivery(gates={"head": Gate()})))
    with recording(server.url, file, timeout=0.2) as recorder:
        assert through(recorder).status == 504


@pytest.mark.parametrize(
    "url", ["api.example.com", "ftp://x.example", "http://", "https://x.example?a=b", "http://[", ""]
)
def test_an_upstream_that_is_none_is_told(file: Path, url: str) -> None:
    """What a URL looks like, and what was given."""
    with pytest.raises(MockServerError, match=r"the upstream is a URL such as https://api\.example\.com, not "):
        Recorder(url, Tape(file))


def test_a_port_in_use_is_told(server: Server, file: Path) -> None:
    """And the way out."""
    with (
        pytest.raises(MockServerError, match="it is in use; choose another, or 0 for a free one"),
        recording(server.url, file, port=server.port),
    ):
        pass


def test_a_file_that_cannot_be_written_is_told_at_the_end(server: Server, tmp_path: Path) -> None:
    """The client has its answer all the same."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(CassetteError, match=r"a\.yaml: "),
        recording(server.url, tmp_path / "file" / "a.yaml") as recorder,
    ):
        assert through(recorder).ending == "whole"


def asked(text: str, answer: str = "") -> Interaction:
    body = json.dumps({"text": text}).encode()
    return Interaction(
        method="POST", uri="https://a.example/v1/chat/completions", request_headers={}, request_body=body,
        status=200, reason="OK", headers={}, body=answer.encode(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("again", "left"),
    [
        ([("b", "2")], ["a1", "b2", "a1"]),
        ([("a", "2")], ["a2", "b1"]),
        ([("a", "2"), ("c", "2"), ("a", "3")], ["a2", "b1", "a3", "c2"]),
        ([("a", "2"), ("a", "3"), ("a", "4")], ["a2", "b1", "a3", "a4"]),
    ],
)
def test_recording_again_adds_or_replaces(file: Path, again: list[tuple[str, str]], left: list[str]) -> None:
    """By request, each in the place of the one that it replaces."""
    write(file, dump([asked("a", "1"), asked("b", "1"), asked("a", "1")], origin="told before"))
    tape = Tape(file, origin="not told")
    for number, (text, answer) in enumerate(again):
        tape.add(asked(text, answer), number)
        tape.save()
    assert [json.loads(each.request_body)["text"] + each.body.decode() for each in read(file)] == left
    assert 'origin: "told before"' in file.read_text()
    assert Tape(file).recorded == 0


def test_a_file_with_a_key_is_not_added_to(file: Path) -> None:
    """It says which interaction holds it, and not the key."""
    write(file, dump([asked("fine"), asked(KEY)]))
    with pytest.raises(CassetteError, match=r"a\.yaml: interaction 2 holds a key \(OpenAI") as caught:
        Tape(file)
    assert KEY not in str(caught.value)


def test_a_later_request_shows_what_is_secret(file: Path) -> None:
    """An answer that was kept before its secret was known is overwritten."""
    tape = Tape(file)
    tape.add(asked("a", '{"text": "Hunter2Hunter2"}'), 1)
    tape.add(replace(asked("b"), request_headers={"x-api-key": "Hunter2Hunter2"}), 2)
    tape.save()
    assert "Hunter2" not in file.read_text()
    assert (tape.recorded, len(read(file))) == (2, 2)


def played_again(file: Path, times: int) -> list[Interaction]:
    """A cassette, played at its recorded pace and recorded anew, each time from the one before."""
    found = [only(file)]
    for number in range(times):
        other = file.with_name(f"{number}.yaml")
        with mockserver.serve(mockserver.replay(file, pace=1.0)) as server, recording(server.url, other) as recorder:
            through(recorder)
        found.append(only(other))
    return found


def test_record_replay_record_gives_the_same(server: Server, file: Path) -> None:
    """The same bytes, ended alike, at about the same times. benchmarks/recorder.py measures how near they are."""
    pace = Pace(head=0.05, first=0.05, every=0.06)
    server.play(Turn(reply=Reply.of(*"abcdefgh"), delivery=Delivery(pace=pace, fault=Fault("close", "end"))))
    with recording(server.url, file) as recorder:
        through(recorder)
    first, *others = played_again(file, 3)
    for other in others:
        assert (other.body, other.ended, other.status) == (first.body, "closed", first.status)
    offs = [abs(_time_of(other, at) - _time_of(first, at)) for other in others for at in range(0, len(first.body), 50)]
    assert median(offs) < 0.1


def _time_of(found: Interaction, offset: int) -> float:
    """When the byte at this offset arrived."""
    assert found.arrivals
    ends = accumulate(each.size for each in found.arrivals)
    return next(each.at for each, end in zip(found.arrivals, ends, strict=True) if offset < end)


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "mockserver", "record", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


ASKS: Final = """
import os, sys, httpx
assert sys.argv[1] == os.environ["MOCKSERVER_URL"] + "/v1", sys.argv
httpx.post(sys.argv[1] + "/chat/completions", json={"model": "m", "messages": [{"role": "user", "content": "hi"}]},
           headers={"authorization": "Bearer %s"})
print("its own output")
sys.exit(3)
""".replace("%s", KEY)


def test_the_command_runs_a_command(server: Server, file: Path) -> None:
    """It gets the URL, has the standard output for itself, and its status is ours; the end is one line."""
    with command("--upstream", server.url, "--out", str(file), "--", sys.executable, "-c", ASKS, "{url}/v1") as process:
        out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, out) == (3, "its own output\n")
    url, told, end = err.splitlines()
    assert url.startswith("http://127.0.0.1:")
    assert told.startswith(f"POST {CHAT} 200, ")
    assert end.startswith(f"1 answer recorded in {file}; 0 secrets overwritten, ")
    assert KEY not in file.read_text() + err
    assert server.exchanges[0].headers["authorization"] == f"Bearer {KEY}"
    assert "recorded by mockserver in front of 127.0.0.1" in file.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_records_until_interrupted(server: Server, file: Path, number: signal.Signals) -> None:
    """The first line is the URL; a stream that is under way is kept as far as it came."""
    gate = Gate()
    server.play([Turn(reply=THREE, times=1), Turn(reply=THREE, delivery=Delivery(gates={1: gate}))])
    with command("--upstream", server.url, "--out", str(file), "--redact", "moon") as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert ask(url + CHAT, json=question("openai-chat")).status_code == 200
        with connected(url) as opened:
            opened.send(text="again")
            opened.head()
            came = b""
            while b"The " not in came:
                came += opened.chunk() or b""
            process.send_signal(number)
            out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err) == (0, "")
    first, second = read(file)
    assert (first.ended, second.ended) == ("whole", "interrupted")
    assert (second.body, len(second.body)) == (came.replace(b"moon", b"REDA"), len(came))
    assert out.splitlines()[-1].startswith(f"2 answers recorded in {file}; 2 secrets overwritten, ")


@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_the_command_that_is_told_to_end_tells_its_command(server: Server, file: Path, number: signal.Signals) -> None:
    """Its status is then that of a command that a signal has ended."""
    waits = "import signal, sys; print('ready', flush=True); signal.pause()"
    with command("--upstream", server.url, "--out", str(file), "--", sys.executable, "-c", waits) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + number


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--upstream", "nothing", "--out", "a.yaml"), "the upstream is a URL such as https://api.example.com"),
        (("--upstream", "http://x", "--out", "a.yaml", "--redact", "("), "'(' is no regular expression"),
        (("--upstream", "http://x", "--out", "broken.yaml"), "broken.yaml, line 2: "),
        (("--upstream", "http://x", "--out", "a.yaml", "--", "no-such-command"), "cannot run 'no-such-command'"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Status 2, before anything is recorded."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text("interactions: [\n")
    assert mockserver.cli.main(["record", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mockserver: ")
    assert words in err
    assert err.count("\n") == 1
