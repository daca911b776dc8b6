"""What goes wrong with frames, and with the answers that they make; read off a bare socket."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest

import mockserver
from mockserver import WIRES, Delivery, Fault, Frame, Gate, Insert, Recording, Server, Turn, Unencodable
from mockserver.frames import join
from mockserver.framings import sse
from mockserver.framings.eventstream import Message, decode, encode
from mockserver.sending.delivery import EDITS, FAULTS, Byte, Edit
from mockserver.sending.faults import edited, edited_whole
from mockserver.sending.framing import Framing

from .helpers import LIMIT, THREE, WIRE_NAMES
from .rawbytes import Raw, raw, raw_client

WIRE: Final = WIRES["openai-chat"]
FRAMES: Final = WIRE.frames(THREE)
BODY: Final = join(FRAMES)
BOTH: Final = pytest.mark.parametrize("wire", WIRE_NAMES)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve(lenient=True) as running:
        yield running
        assert running.errors == []


def play(server: Server, **delivery: Any) -> None:
    server.play(Turn(reply=THREE, delivery=Delivery(**delivery)))


def edit(*edits: Edit, frames: tuple[Frame, ...] = FRAMES, wire: str = "openai-chat") -> tuple[Frame, ...]:
    return edited(frames, Delivery(edits=edits), WIRES[wire], ())


def order(frames: tuple[Frame, ...]) -> list[int]:
    """The places that frames had."""
    return [FRAMES.index(frame) for frame in frames]


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([Edit("drop", "end")], [0, 1, 2, 3, 4, 5]),
        ([Edit("drop", "finish")], [0, 1, 2, 3, 5, 6]),
        ([Edit("drop", "usage"), Edit("drop", 0), Edit("drop", "start")], [2, 3, 4, 6]),
        ([Edit("repeat", 1)], [0, 1, 2, 2, 3, 4, 5, 6]),
        ([Edit("repeat", "finish"), Edit("repeat", "end")], [0, 1, 2, 3, 4, 4, 5, 6, 6]),
        ([Edit("swap", 0)], [0, 2, 1, 3, 4, 5, 6]),
        ([Edit("swap", 0), Edit("swap", 0), Edit("drop", 2)], [0, 2, 1, 4, 5, 6]),
    ],
)
def test_frames_are_dropped_repeated_and_swapped(edits: list[Edit], expected: list[int]) -> None:
    """Edits are made in their order."""
    assert order(edit(*edits)) == expected


@BOTH
@pytest.mark.parametrize("kind", ["malform", "truncate"])
@pytest.mark.parametrize("at", [0, 2, "start", "finish"])
def test_spoilt_json_stands_in_a_whole_frame(wire: str, kind: Any, at: Any) -> None:
    """One event's data are no JSON any more; its name, its form and all other frames are what they were."""
    frames = WIRES[wire].frames(THREE)
    spoilt = edit(Edit(kind, at), frames=frames, wire=wire)
    [(before, after)] = [pair for pair in zip(frames, spoilt, strict=True) if pair[0] != pair[1]]
    [plain], [broken] = list(sse.events(before.data)), list(sse.events(after.data))
    assert (broken.name, after.kind, after.piece) == (plain.name, before.kind, before.piece)
    json.loads(plain.data)
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken.data)
    assert len(broken.data) == len(plain.data) if kind == "malform" else plain.data.startswith(broken.data)


@pytest.mark.parametrize("kind", ["malform", "truncate"])
def test_a_message_with_spoilt_json_has_right_checksums(kind: Any) -> None:
    """In AWS's event stream it is the payload that is spoilt, and the message is whole."""
    wire = WIRES["bedrock-converse"]
    message = Message({":event-type": "contentBlockDelta"}, b'{"delta":{"text":"\xc3\xb6"}}')
    [frame] = edit(Edit(kind, 0), frames=(Frame(encode(message), "piece", 0),), wire=wire.name)
    assert decode(frame.data).headers == message.headers
    with pytest.raises(json.JSONDecodeError):
        json.loads(decode(frame.data).payload)


def test_half_of_a_document_has_no_half_character() -> None:
    """Truncated JSON is UTF-8."""
    for text in ("ö", "öö", "x\U0001f420y", "\U0001f420" * 3):
        [frame] = edit(Edit("truncate", 0), frames=(Frame(sse.encode(json.dumps({"a": text})), "piece", 0),))
        assert frame.data.decode()


@pytest.mark.parametrize("wire", ["openai-chat", "anthropic-messages", "ollama"])
def test_an_unknown_event_stands_before_its_point(wire: str) -> None:
    """It is one frame more, without text for whoever understands it."""
    frames = WIRES[wire].frames(THREE)
    changed = edit(Edit("unknown", 1), frames=frames, wire=wire)
    at = next(number for number, frame in enumerate(frames) if frame.piece == 1)
    assert (*changed[:at], *changed[at + 1 :]) == frames
    assert b"event_added_later" in changed[at].data


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([Edit("drop", 7)], "drop is at piece 7, which this stream has not; it has pieces 0 to 2, 'finish', 'end'"),
        ([Edit("drop", "end"), Edit("repeat", "end")], "repeat is at 'end', which this stream has not"),
        ([Edit("swap", "end")], "swap at 'end': no frame follows that could come before it"),
        ([Edit("malform", "end")], "malform at 'end': that frame of openai-chat has no JSON object: b'data: .DONE"),
    ],
)
def test_an_edit_that_finds_nothing_is_an_error(edits: list[Edit], words: str) -> None:
    """It says what the stream has."""
    with pytest.raises(Unencodable, match=words):
        edit(*edits)


def test_a_wire_without_unknown_events_says_so() -> None:
    """Its clients have none to pass over."""
    with pytest.raises(Unencodable, match="bedrock-converse has no event that its clients do not know"):
        edit(Edit("unknown", 0), wire="bedrock-converse")


@pytest.mark.parametrize("kind", EDITS)
def test_a_body_that_is_not_streamed_can_be_spoilt_only(kind: Any) -> None:
    """There is one document in it, and no frames."""
    body = Frame(b'{"a":"\xc3\xb6\xc3\xb6"}', "piece", 0)
    delivery = Delivery(edits=(Edit(kind, 1),), insert=(Insert("end", (FRAMES[0],)),))
    if kind not in ("malform", "truncate"):
        with pytest.raises(Unencodable, match=f"{kind} is for the frames of a stream, and this body has none"):
            edited_whole(body, delivery, WIRE)
        return
    with pytest.raises(json.JSONDecodeError):
        json.loads(edited_whole(body, delivery, WIRE).data)


def test_inserts_stand_before_their_point() -> None:
    """What is put in stands right before its point; `close` is after the terminator. Text is sent as it is."""
    noise = Frame(b": noise\n\n", "noise")
    places: dict[Any, int] = {0: 1, 1: 2, "finish": 4, "end": 6, "close": 7}
    for point, at in places.items():
        delivery = Delivery(insert=(Insert(point, (": noise\n\n", noise)),))
        assert edited(FRAMES, delivery, WIRE, ()) == (*FRAMES[:at], noise, noise, *FRAMES[at:])
    with pytest.raises(Unencodable, match="what is to be put in is before piece 9, which this stream has not"):
        edited(FRAMES, Delivery(insert=(Insert(9, (noise,)),)), WIRE, ())


def test_bytes_after_the_end(server: Server) -> None:
    """Whatever is put in at `close` follows the terminator, as it is."""
    play(server, insert=[Insert("close", ("\x00 trailing",))])
    assert raw(server).body == BODY + b"\x00 trailing"


@BOTH
def test_edits_framing_and_cuts_go_together(server: Server, wire: str) -> None:
    """A stream without its finish, in another form, byte by byte, broken off before its end."""
    frames = tuple(frame for frame in WIRES[wire].frames(THREE) if frame.kind != "finish")
    framing = Framing(line_ends="crlf", comments="between")
    play(server, edits=[Edit("drop", "finish")], framing=framing, cuts="crlf", fault=Fault("close", "end"))
    answer = raw(server, wire)
    assert answer.body == join(framing.dress(frames[:-1], "sse"))
    assert all(chunk.endswith(b"\r") for chunk in answer.chunks()[0][:-1])
    assert (answer.ending, answer.chunks()[1]) == ("closed", b"")
    assert not answer.raw_body.endswith(b"0\r\n\r\n")


@BOTH
@pytest.mark.parametrize("before", [0, 2, "finish", "end"])
@pytest.mark.parametrize("transfer", ["chunked", "content-length", "close"])
def test_a_frame_is_cut_inside_its_chunk(server: Server, wire: str, before: Any, transfer: Any) -> None:
    """A chunk of the frame's size is begun, and half of it comes."""
    frames = WIRES[wire].frames(THREE)
    at = next(n for n, frame in enumerate(frames) if before in (frame.piece, frame.kind))
    play(server, fault=Fault("cut", before), transfer=transfer)
    answer = raw(server, wire)
    half = frames[at].data[: len(frames[at].data) // 2]
    assert answer.ending == "closed"
    if transfer == "chunked":
        whole, rest = answer.chunks()
        assert (join(frames[:at]), rest) == (b"".join(whole), b"%x\r\n%b" % (len(frames[at].data), half))
    else:
        assert answer.raw_body == join(frames[:at]) + half
    if transfer == "content-length":
        assert answer.headers["content-length"] == str(len(join(frames)))


@pytest.mark.parametrize("byte", [0, 1, 300, -1])
def test_a_fault_at_a_byte(server: Server, byte: int) -> None:
    """Exactly the bytes before it come, in a whole chunk, or in one that promises more (`cut`)."""
    at = byte if byte >= 0 else len(BODY) + byte
    for kind in ("close", "stop", "cut", "reset"):
        play(server, fault=Fault(kind, Byte(byte)), cuts="whole")
        answer = raw(server)
        whole, rest = answer.chunks()
        sent = b"".join(whole) if kind != "cut" else rest.partition(b"\r\n")[2]
        assert sent == BODY[:at]
        assert answer.ending == ("reset" if kind == "reset" else "closed")
        assert answer.raw_body.endswith(b"0\r\n\r\n") == (kind == "stop")


@BOTH
@pytest.mark.parametrize(("kind", "ending"), [("close", "closed"), ("reset", "reset")])
def test_a_connection_can_break_after_the_terminator(server: Server, wire: str, kind: Any, ending: str) -> None:
    """All frames come, and the body has no end."""
    play(server, fault=Fault(kind, "close"))
    answer = raw(server, wire)
    assert (answer.body, answer.ending) == (join(WIRES[wire].frames(THREE)), ending)
    assert not answer.raw_body.endswith(b"\r\n0\r\n\r\n")
    assert server.exchanges[0].ended == "closed by fault"


def test_an_error_after_half_a_frame(server: Server) -> None:
    """The error frame follows the bytes before it, and the body ends properly."""
    play(server, fault=Fault("error", Byte(50), "out of fish"))
    answer = raw(server)
    assert answer.chunks()[0] == [BODY[:50], WIRE.error_frame("out of fish").data, b""]
    assert server.exchanges[0].frames_written == 2


@BOTH
@pytest.mark.parametrize("before", ["head", 0, 2, "end", "close"])
def test_a_stall_ends_when_the_client_goes(server: Server, wire: str, before: Any) -> None:
    """What comes before the point arrives, then nothing; the exchange is open until the client closes it."""
    frames = WIRES[wire].frames(THREE)
    at = len(frames) if before == "close" else 0
    at = next((n for n, frame in enumerate(frames) if before in (frame.piece, frame.kind)), at)
    gate = Gate()
    play(server, fault=Fault("stall", before), gates={before: gate})
    with raw_client(server) as client:
        client.ask(wire)
        assert gate.wait_arrived(timeout=LIMIT)
        while before != "head" and len(client.got.body) < len(join(frames[:at])):
            assert client.read()
        gate.open()
        client.sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.read()
        assert (client.got.body, server.open_requests) == (join(frames[:at]), 1)
        assert bool(client.got.data) == (before != "head")
    [exchange] = server.exchanges
    assert server.until(lambda: exchange.ended == "closed by client", timeout=LIMIT)


def test_a_stall_ends_when_the_server_stops() -> None:
    """Leaving the block does not hang."""
    turn = Turn(reply=THREE, delivery=Delivery(fault=Fault("stall", 1)))
    with ExitStack() as left:
        with mockserver.serve(turn, lenient=True) as server:
            client = left.enter_context(raw_client(server))
            client.ask()
            client.read_until(FRAMES[1].data)
        assert (server.exchanges[0].ended, server.errors) == ("stopped", [])


@BOTH
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [None, 200, 503])
def test_a_page_in_place_of_the_answer(server: Server, wire: str, status: int | None, *, stream: bool) -> None:
    """A gateway's page of HTML, with the status asked or 502."""
    play(server, fault=Fault("html", "head", "Bad <Gateway>", status))
    answer = raw(server, wire, stream=stream)
    assert (answer.status, answer.headers["content-type"]) == (status or 502, "text/html")
    assert b"<h1>Bad &#60;Gateway&#62;</h1>" in answer.body
    assert answer.headers["content-length"] == str(len(answer.body))


def test_a_page_in_the_midst_of_a_stream(server: Server) -> None:
    """It stands in place of the rest, under the stream's own head, and the body ends properly."""
    play(server, fault=Fault("html", 1))
    answer = raw(server)
    *kept, page, last = answer.chunks()[0]
    assert (kept, page[:6], last) == ([frame.data for frame in FRAMES[:2]], b"<html>", b"")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


@pytest.mark.parametrize("stream", [False, True])
def test_an_empty_body(server: Server, *, stream: bool) -> None:
    """A stop before the head leaves the head alone."""
    play(server, fault=Fault("stop", "head"))
    answer = raw(server, stream=stream)
    assert (answer.status, answer.raw_body) == (200, b"0\r\n\r\n" if stream else b"")
    assert answer.headers.get("content-length") == (None if stream else "0")


def test_an_error_has_the_status_that_is_asked(server: Server) -> None:
    """Where no error frame fits, the provider's HTTP error says the same."""
    for stream, before in ((False, 1), (True, "head")):
        play(server, fault=Fault("error", before, "overloaded", 529))  # type: ignore[arg-type]
        answer = raw(server, "anthropic-messages", stream=stream)
        assert (answer.status, json.loads(answer.body)["error"]["message"]) == (529, "overloaded")


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind not in ("error", "html")])
def test_a_recording_goes_wrong_like_a_reply(server: Server, kind: Any) -> None:
    """Its frames have the same points."""
    recording = Recording(200, {"content-type": "text/event-stream"}, WIRE.label(WIRE.split(BODY)))
    answers: list[Raw] = []
    for answer in (Turn(reply=THREE, delivery=Delivery(fault=Fault(kind, 1))),
                   Turn(recording=recording, delivery=Delivery(fault=Fault(kind, 1)))):  # fmt: skip
        server.play(answer)
        with raw_client(server) as client:
            client.ask(connection="close")
            client.read_until(FRAMES[1].data if kind == "stall" else b"no such bytes")
            answers.append(client.got)
    assert answers[0].raw_body == answers[1].raw_body
