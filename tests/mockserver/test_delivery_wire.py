"""How bytes leave, read off a bare socket."""

import gzip
import socket
import struct
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

import mockserver
from mockserver import WIRES, Delivery, Fault, Gate, Pace, Refused, Reply, Server, Turn
from mockserver.frames import join
from mockserver.scripts.script import named
from mockserver.sending.delivery import Byte, Cuts, Random, Transfer
from mockserver.sending.send import accepts_gzip
from mockserver.serving.exchange import Exchange

from .helpers import LIMIT, THREE, WIRE_NAMES, Answer, connection, fetch
from .rawbytes import LINUX, RawClient, raw, raw_client

WIRES_BOTH = pytest.mark.parametrize("wire", WIRE_NAMES)
POINTS = pytest.mark.parametrize("before", [0, 2, "finish", "end"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve(lenient=True) as running:
        yield running


def play(server: Server, **delivery: Any) -> None:
    server.play(Turn(reply=THREE, delivery=Delivery(**delivery)))


def stalled(server: Server) -> tuple[Exchange, ...]:
    """The exchanges, once nothing more has been written for a while."""
    assert server.until(lambda: bool(server.exchanges) and bool(server.exchanges[0].writes), timeout=LIMIT)
    [exchange] = server.exchanges
    written = -1
    while written != exchange.frames_written:
        written = exchange.frames_written
        server.until(lambda: exchange.ended is not None, timeout=0.2)
    return server.exchanges


def before_piece(wire: str, point: object) -> list[bytes]:
    """The frames of the plain stream before a point."""
    frames = WIRES[wire].frames(THREE)
    at = next(n for n, frame in enumerate(frames) if point in (frame.piece, frame.kind))
    return [frame.data for frame in frames[:at]]


@WIRES_BOTH
def test_each_frame_is_a_chunk_of_its_own(server: Server, wire: str) -> None:
    """With ``frame``, the default, the chunks on the wire are the frames."""
    play(server)
    answer = fetch(server, wire)
    assert answer.chunks == [frame.data for frame in WIRES[wire].frames(THREE)]
    assert (answer.status, answer.ending) == (200, "whole")
    assert server.exchanges[0].frames_written == len(answer.chunks)


@WIRES_BOTH
@pytest.mark.parametrize("cuts", ["whole", 1, 7, 1000, (1, 100, 10_000), "characters", Random(1, 40)])
def test_cuts_change_chunks_and_no_bytes(server: Server, wire: str, cuts: Cuts) -> None:
    """However the body is cut, the bytes are those of the frames, and the chunks are as asked."""
    play(server, cuts=cuts)
    answer = fetch(server, wire)
    assert answer.body == join(WIRES[wire].frames(THREE))
    if isinstance(cuts, int):
        assert {len(chunk) for chunk in answer.chunks[:-1]} <= {cuts}
    assert [write.size for write in server.exchanges[0].writes] == [len(chunk) for chunk in answer.chunks]


def test_a_cut_may_stand_inside_a_character(server: Server) -> None:
    """Offsets count bytes: the two bytes of one character can leave in two chunks."""
    body = join(WIRES["openai-chat"].frames(THREE))
    inside = body.index("ö".encode()) + 1
    play(server, cuts=(inside,))
    answer = fetch(server)
    assert answer.chunks == [body[:inside], body[inside:]]
    assert answer.chunks[0].endswith(b"\xc3")


@pytest.mark.parametrize("cuts", ["frame", "whole", 5])
def test_whole_bodies_are_cut_too(server: Server, cuts: Cuts) -> None:
    """A body that is not streamed has its length, and the same bytes whatever the cuts."""
    play(server, cuts=cuts)
    answer = fetch(server, stream=False)
    assert answer.body == WIRES["openai-chat"].whole(THREE)
    assert (answer.ending, b"content-length" in answer.head.lower()) == ("whole", True)


def test_an_unhurried_pace_changes_no_bytes(server: Server) -> None:
    """Paced frames are the same frames."""
    play(server, pace=Pace(first=0.001, every=0.001, jitter=0.5))
    assert fetch(server).body == join(WIRES["openai-chat"].frames(THREE))


@WIRES_BOTH
@POINTS
def test_a_gate_holds_what_comes_from_its_point_on(server: Server, wire: str, before: Any) -> None:
    """All frames before the point arrive; the rest does once the gate is open."""
    gate = Gate()
    play(server, gates={before: gate})
    expected = before_piece(wire, before)
    with connection(server) as client:
        client.send(wire)
        client.head()
        came = list(islice(iter(client.chunk, None), len(expected)))
        assert gate.wait_arrived(timeout=LIMIT)
        assert (came, server.exchanges[0].frames_written) == (expected, len(expected))
        gate.open()
        while chunk := client.chunk():
            came.append(chunk)
    assert came == [frame.data for frame in WIRES[wire].frames(THREE)]


@pytest.mark.parametrize("stream", [False, True])
def test_the_gate_at_the_head_holds_the_status_line(server: Server, *, stream: bool) -> None:
    """Before ``head`` nothing has left, streamed or not."""
    gate = Gate()
    play(server, gates={"head": gate})
    with connection(server) as client:
        client.send(stream=stream)
        assert gate.wait_arrived(timeout=LIMIT)
        assert (server.exchanges[0].status, server.exchanges[0].writes) == (None, [])
        gate.open()
        assert client.answer().ending == "whole"


@WIRES_BOTH
@POINTS
@pytest.mark.parametrize(("kind", "ending"), [("close", "closed"), ("reset", "reset")])
def test_a_broken_connection_ends_inside_the_body(
    server: Server, wire: str, before: Any, kind: Any, ending: str
) -> None:
    """The frames before the point leave, and no final chunk: the connection is closed (FIN) or reset (RST)."""
    play(server, fault=Fault(kind, before))
    answer = fetch(server, wire)
    assert answer.ending == ending
    assert answer.chunks == before_piece(wire, before)
    assert server.until(lambda: server.exchanges[0].ended == "closed by fault", timeout=LIMIT)


@WIRES_BOTH
@POINTS
def test_an_error_frame_ends_the_stream_properly(server: Server, wire: str, before: Any) -> None:
    """The provider's error frame stands at the point, and the body ends with its final chunk."""
    play(server, fault=Fault("error", before, "out of fish"))
    answer = fetch(server, wire)
    error = WIRES[wire].error_frame("out of fish").data
    assert (answer.chunks, answer.ending) == ([*before_piece(wire, before), error], "whole")
    assert WIRES[wire].decode_stream(answer.body).error == "out of fish"


@WIRES_BOTH
@POINTS
def test_a_stop_ends_the_stream_without_the_rest(server: Server, wire: str, before: Any) -> None:
    """The body ends with its final chunk, and what comes from the point on is missing."""
    play(server, fault=Fault("stop", before))
    answer = fetch(server, wire)
    assert (answer.chunks, answer.ending) == (before_piece(wire, before), "whole")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("kind", "ending"), [("close", "closed"), ("reset", "reset")])
def test_a_connection_can_break_before_the_head(server: Server, kind: Any, ending: str, *, stream: bool) -> None:
    """Before ``head``, not even the status line leaves."""
    play(server, fault=Fault(kind, "head"))
    answer = fetch(server, stream=stream)
    assert answer == Answer(ending="closed" if ending == "closed" else "reset")
    assert (server.exchanges[0].status, server.exchanges[0].ended) == (None, "closed by fault")
    assert server.errors == []


@pytest.mark.parametrize(("kind", "ending"), [("close", "closed"), ("reset", "reset"), ("stop", "whole")])
@pytest.mark.parametrize("cuts", ["frame", 5])
def test_a_fault_halves_a_whole_body(server: Server, kind: Any, ending: str, cuts: Cuts) -> None:
    """Half the body leaves: of a promised whole one (close, reset), or as if that were all (stop)."""
    play(server, fault=Fault(kind, before=1), cuts=cuts)
    answer = fetch(server, stream=False)
    body = WIRES["openai-chat"].whole(THREE)
    assert answer.ending == ending
    assert f"content-length: {len(body) // 2 if kind == 'stop' else len(body)}\r\n" in answer.head.decode().lower()
    assert answer.body == body[: len(body) // 2]
    assert server.exchanges[0].frames_written == 0


@WIRES_BOTH
@pytest.mark.parametrize(("stream", "before"), [(False, 1), (True, "head")])
def test_an_error_before_any_frame_is_an_http_error(server: Server, wire: str, before: Any, *, stream: bool) -> None:
    """Where no error frame fits, the provider's HTTP error says the same."""
    play(server, fault=Fault("error", before, "out of fish"))
    answer = fetch(server, wire, stream=stream)
    assert (answer.status, answer.ending) == (500, "whole")
    assert b"out of fish" in answer.body


def test_a_connection_lives_on_after_a_proper_end(server: Server) -> None:
    """After a stop and an error frame, the next request goes over the same connection."""
    with connection(server) as client:
        for fault in (Fault("stop", 1), Fault("error", 1), None):
            play(server, fault=fault)
            client.send()
            assert client.answer().ending == "whole"
            assert server.exchanges[0].connection == max(each.connection for each in server.exchanges)
        assert server.open_connections >= 1


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.skipif(not LINUX, reason="only Linux counts segments")
def test_each_write_is_a_segment(loop: str) -> None:
    """The head and each frame leave in TCP segments of their own, one after the other without delay."""
    with mockserver.serve(THREE, lenient=True) as server:
        pass
    if loop == "uvloop":
        server.loop_factory = pytest.importorskip("uvloop").new_event_loop
    with server, raw_client(server) as client:
        client.ask(connection="close")
        client.read_all()
        assert client.segments == 1 + len(server.exchanges[0].writes) == 8


def test_the_head_says_what_is_needed(server: Server) -> None:
    """Status line and headers, byte for byte; a delivery replaces, adds and leaves out."""
    play(server, headers={"content-type": "text/plain", "x-more": "ü", "cache-control": None})
    answer = raw(server)
    date = answer.headers["date"]
    assert answer.head.decode() == (
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-more: ü\r\nserver: mockserver\r\n"
        f"date: {date}\r\ntransfer-encoding: chunked\r\nconnection: close"
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("transfer", ["chunked", "content-length", "close"])
def test_the_end_of_the_body_is_known_as_asked(server: Server, transfer: Transfer, *, stream: bool) -> None:
    """By chunks, by its length, or by the end of the connection; the bytes are the same."""
    play(server, transfer=transfer)
    wire = WIRES["openai-chat"]
    body = join(wire.frames(THREE)) if stream else wire.whole(THREE)
    with raw_client(server) as client:
        client.ask(stream=stream)
        end = b"\r\n0\r\n\r\n" if transfer == "chunked" else body
        answer = client.read_all() if transfer == "close" else client.read_until(end)
        assert answer.body == body
        assert answer.headers.get("content-length") == (str(len(body)) if transfer == "content-length" else None)
        assert answer.headers.get("transfer-encoding") == ("chunked" if transfer == "chunked" else None)
        assert answer.headers.get("connection") == ("close" if transfer == "close" else None)
        if transfer == "chunked":
            assert answer.chunks()[1] == b""
            assert answer.raw_body.endswith(b"\r\n0\r\n\r\n")
    assert server.until(lambda: server.exchanges[0].ended == "finished", timeout=LIMIT)


def test_an_old_client_gets_no_chunks(server: Server) -> None:
    """HTTP/1.0 knows the end of a stream by the end of the connection."""
    play(server)
    answer = raw(server, version="1.0")
    assert (answer.body, answer.ending) == (join(WIRES["openai-chat"].frames(THREE)), "closed")
    assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("transfer", ["chunked", "content-length", "close"])
def test_a_compressed_body_can_be_unpacked_as_it_comes(server: Server, transfer: Transfer, *, stream: bool) -> None:
    """Each write brings all of its bytes at once, and the whole is a proper gzip file."""
    gate = Gate()
    play(server, transfer=transfer, gzip=True, gates={Byte(50): gate})
    wire = WIRES["openai-chat"]
    body = join(wire.frames(THREE)) if stream else wire.whole(THREE)
    with raw_client(server) as client:
        client.ask(stream=stream, accept_encoding="gzip, deflate, br", connection="close")
        assert gate.wait_arrived(timeout=LIMIT)
        while client.got.body != body[:50]:
            assert client.read()
        gate.open()
        answer = client.read_all()
    packed = b"".join(answer.chunks()[0]) if transfer == "chunked" else answer.raw_body
    assert (gzip.decompress(packed), answer.headers["content-encoding"]) == (body, "gzip")
    assert server.exchanges[0].bytes_written == len(body)
    if transfer == "content-length":
        assert answer.headers["content-length"] == str(len(packed))


@pytest.mark.parametrize(
    ("header", "is_accepted"),
    [
        ("gzip", True), ("deflate, GZIP;q=0.5", True), ("br, *", True), ("gzip ; q=1.0 ,br", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip;q=0.0, br", False), ("x-gzip-not", False),
    ],
)  # fmt: skip
def test_what_is_not_accepted_is_not_compressed(server: Server, header: str, *, is_accepted: bool) -> None:
    """The request decides, by RFC 9110, 12.5.3."""
    play(server, gzip=True)
    answer = raw(server, accept_encoding=header)
    assert accepts_gzip(header) == is_accepted == ("content-encoding" in answer.headers)
    assert answer.body == join(WIRES["openai-chat"].frames(THREE))


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_an_answer_to_head_has_no_body(server: Server, method: str) -> None:
    """What follows the head of such an answer would be taken for the next answer."""
    answer = raw(server, method=method)
    assert (answer.status >= 400, bool(answer.raw_body)) == (True, method != "HEAD")


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_is_a_head(server: Server, status: int) -> None:
    """Neither length nor chunks belong to these."""
    server.play(Turn(recording=mockserver.Recording(status, {}, ())))
    answer = raw(server)
    assert (answer.status, answer.raw_body, answer.ending) == (status, b"", "closed")
    assert not {"content-length", "transfer-encoding"} & set(answer.headers)


@WIRES_BOTH
def test_the_end_of_the_body_can_be_held_back(server: Server, wire: str) -> None:
    """The gate at ``close`` stands after the terminator and before the end of the body."""
    gate = Gate()
    play(server, gates={"close": gate})
    body = join(WIRES[wire].frames(THREE))
    with raw_client(server) as client:
        client.ask(wire)
        assert gate.wait_arrived(timeout=LIMIT)
        while len(client.got.body) < len(body):
            client.read()
        assert (client.got.chunks()[1], server.open_requests, server.exchanges[0].ended) == (b"", 1, None)
        gate.open()
        assert client.read_until(b"\r\n0\r\n\r\n").body == body
    assert server.until(lambda: server.exchanges[0].ended == "finished", timeout=LIMIT)


def test_a_gate_stands_before_any_byte(server: Server) -> None:
    """Exactly so many bytes of the body come, whatever the cuts."""
    gate = Gate()
    play(server, cuts=100, gates={Byte(250): gate})
    with connection(server) as client:
        client.send()
        client.head()
        assert [len(client.chunk() or b"") for _ in range(3)] == [100, 100, 50]
        assert gate.wait_arrived(timeout=LIMIT)
        assert server.exchanges[0].bytes_written == 250
        gate.open()
        assert len(client.chunk() or b"") == 50


def test_a_slow_head(server: Server) -> None:
    """The status line is held back, and the pieces are counted from it; the time that a gate holds does not count."""
    gate = Gate()
    play(server, pace=Pace(head=0.05, first=0.02, every=0.01), gates={1: gate})
    with raw_client(server) as client:
        began = time.monotonic()
        client.ask(connection="close")
        client.read()
        assert time.monotonic() - began >= 0.05
        assert gate.wait_arrived(timeout=LIMIT)
        opened = time.monotonic()
        gate.open()
        client.read_all()
    writes = server.exchanges[0].writes
    assert writes[1].at - began >= 0.07
    assert 0.009 < writes[3].at - opened < 0.02 + LIMIT


def test_a_pace_does_not_drift(server: Server) -> None:
    """Deadlines are absolute: what a busy machine delays does not delay what follows."""
    reply = Reply.of(*["word "] * 300)
    server.play(Turn(reply=reply, delivery=Delivery(pace=Pace(every=0.002))))
    fetch(server)
    pieces = [write.at for write in server.exchanges[0].writes[1:301]]
    late = [at - pieces[0] - number * 0.002 for number, at in enumerate(pieces)]
    assert abs(min(late[150:]) - min(late[:150])) < 0.01


def test_a_client_that_does_not_read_holds_the_server_up(server: Server) -> None:
    """What is not read is not written either, once the system's buffers are full; then the stream goes on."""
    reply = Reply.of(*["0123456789" * 1000] * 1500)
    server.play(Turn(reply=reply))
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    with sock:
        sock.settimeout(LIMIT)
        sock.connect(("127.0.0.1", server.port))
        client = RawClient(sock)
        client.ask(connection="close")
        [exchange] = stalled(server)
        assert 0 < exchange.frames_written < 1500
        assert client.read_all().ending == "closed"
    assert server.until(lambda: exchange.ended == "finished", timeout=LIMIT)
    assert exchange.frames_written == len(exchange.frames)


def test_a_reset_does_not_take_away_what_was_sent_before(server: Server) -> None:
    """The client reads everything up to the point, then the reset, even where it reads late."""
    reply = Reply.of(*["0123456789" * 1000] * 300)
    server.play(Turn(reply=reply, delivery=Delivery(fault=Fault("reset", "finish"))))
    with raw_client(server) as client:
        client.ask()
        assert server.until(lambda: bool(server.exchanges) and bool(server.exchanges[0].writes), timeout=LIMIT)
        answer = client.read_all()
    frames = WIRES["openai-chat"].frames(named(reply, id="chatcmpl-mock1", model="m-asked"))
    assert (answer.body, answer.ending) == (join(frames[:-3]), "reset")


def test_a_reset_by_the_client_is_told_apart(server: Server) -> None:
    """Who ended it stays the client; whether by a reset stands beside."""
    for is_reset in (False, True):
        gate = Gate()
        play(server, gates={1: gate})
        with raw_client(server) as client:
            client.ask()
            assert gate.wait_arrived(timeout=LIMIT)
            while len(client.got.chunks()[0]) < 2:
                client.read()
            if is_reset:
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        [exchange] = server.exchanges
        assert server.until(lambda exchange=exchange: exchange.ended is not None, timeout=LIMIT)  # type: ignore[misc]
        assert (exchange.ended, exchange.client_reset, exchange.frames_written) == ("closed by client", is_reset, 2)


def test_new_streams_are_not_held_up_by_many_others(server: Server) -> None:
    """With 64 streams without delay under way, a new one is answered while they run."""
    server.play(lambda asked: Reply.of(*["word "] * (5 if asked.text == "short" else 300)))
    clients = [socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT) for _ in range(64)]
    for sock in clients:
        RawClient(sock).ask(connection="close")
    assert server.until(lambda: len(server.exchanges) == 64, timeout=LIMIT)
    fetch(server, text="short")
    assert server.exchanges[-1].writes
    assert sum(exchange.ended is None for exchange in server.exchanges[:64]) > 0
    for sock in clients:
        sock.close()


def test_errors_are_answered_with_their_headers(server: Server) -> None:
    """An HTTP error in place of an answer, with what a client is to wait."""
    server.play(Refused(429, "slow", headers={"retry-after": "1", "retry-after-ms": "900"}))
    answer = raw(server)
    assert (answer.status, answer.headers["retry-after"], answer.headers["retry-after-ms"]) == (429, "1", "900")


def test_a_delivery_that_the_answer_cannot_have_is_told(server: Server) -> None:
    """The client gets a 500 that says it, and it stands in `errors`; nothing is passed over."""
    play(server, fault=Fault("close", Byte(10_000)))
    answer = raw(server)
    assert (answer.status, b"the fault 'close' is before byte 10000, and the body has" in answer.body) == (500, True)
    assert [type(error).__name__ for error in server.errors] == ["Unencodable"]
    server.errors.clear()


def test_an_http_error_is_delivered_as_its_turn_says() -> None:
    """Its headers, its cuts and its faults are those of the delivery."""
    refused = Refused(429, "Slow down", headers={"retry-after": "2"})
    close = Fault("close", Byte(10))
    with mockserver.serve([Turn(error=refused, delivery=Delivery(cuts=7, headers={"x-more": "1"}))]) as server:
        answer = fetch(server)
        assert (answer.status, answer.ending) == (429, "whole")
        assert b"\r\nretry-after: 2\r\n" in answer.head
        assert b"\r\nx-more: 1\r\n" in answer.head
        assert {write.size for write in server.exchanges[0].writes[:-1]} == {7}
        server.play(Turn(error=refused, delivery=Delivery(fault=close)))
        answer = fetch(server)
        assert (answer.status, answer.ending, len(answer.body)) == (429, "closed", 10)
        assert server.errors == []
