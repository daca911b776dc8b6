"""How bytes leave, read off a bare socket."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

import mockserver
from mockserver import WIRES, Delivery, Fault, Gate, Pace, Server, Turn
from mockserver.delivery import Cuts
from mockserver.frames import join

from .helpers import LIMIT, THREE, WIRE_NAMES, Answer, connection, fetch

WIRES_BOTH = pytest.mark.parametrize("wire", WIRE_NAMES)
POINTS = pytest.mark.parametrize("before", [0, 2, "finish", "end"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


def play(server: Server, **delivery: Any) -> None:
    server.play(Turn(reply=THREE, delivery=Delivery(**delivery)))


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
@pytest.mark.parametrize("cuts", ["whole", 1, 7, 1000, (1, 100, 10_000)])
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
    if kind == "close":
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
    if kind != "reset":
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
