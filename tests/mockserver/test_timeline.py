"""Streams drawn against time."""

from xml.etree import ElementTree

import httpx
import pytest
from syrupy.assertion import SnapshotAssertion

import mockserver
from mockserver import Delivery, Fault, Gate, MockServerError, Pace, Refused, Reply, Turn, When
from mockserver.drawing import inspection, timeline
from mockserver.drawing.timeline import Mark, Timeline

from .helpers import RICH, THREE, ask, fetch

PACED = Turn(reply=THREE, delivery=Delivery(pace=Pace(first=0.3, every=0.05)), when=When(wire="openai-chat"))
RESET = Turn(reply=THREE, delivery=Delivery(fault=Fault("reset", "finish")), when=When(wire="anthropic-messages"))


@pytest.mark.parametrize(
    "turn",
    [
        PACED,
        RESET,
        Turn(reply=RICH),
        Turn(reply=THREE, delivery=Delivery(cuts=100)),
        Turn(reply=THREE, delivery=Delivery(gates={1: Gate()}, fault=Fault("stall", 2))),
        Turn(error=Refused(429, "Slow down")),
    ],
    ids=["paced", "reset", "rich", "cut", "gated", "error"],
)
def test_a_turn_is_drawn_as_text(turn: Turn, snapshot: SnapshotAssertion) -> None:
    """When, where on the axis, bytes, what, and how it ends."""
    assert timeline.text(inspection.of_turn(turn, 1, wire="openai-chat"), width=100) == snapshot


def test_lines_keep_their_width() -> None:
    """However long a piece is, and whatever is in it."""
    reply = Reply.of("x" * 500, "line\nline\u202e\x07")
    drawn = timeline.text(inspection.of_turn(Turn(reply=reply), 1, wire="openai-chat"), width=90)
    assert max(map(len, drawn.splitlines()[1:])) <= 90
    assert "\u202e" not in drawn
    assert "\x07" not in drawn


def test_svg_is_one_drawing_of_all(snapshot: SnapshotAssertion) -> None:
    """It is well-formed, names every mark, and stands apart from the next."""
    drawn = timeline.svg([inspection.of_turn(turn, number, wire="x") for number, turn in enumerate((PACED, RESET), 1)])
    root = ElementTree.fromstring(drawn)
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[2] == "piece, 0.300 s, 257 bytes: piece 0: 'The moon '"
    assert drawn == snapshot


def test_an_unknown_wire_is_told() -> None:
    """With those there are."""
    with pytest.raises(MockServerError, match="there is no wire 'openai'; there are openai-chat, "):
        inspection.of_turn(Turn(reply=THREE), 1, wire="openai")


def test_an_exchange_is_drawn_as_it_was() -> None:
    """Each write stands at its time, in order, with the frame that it brought."""
    with mockserver.serve(THREE) as server:
        fetch(server)
        [exchange] = server.exchanges
    drawn = inspection.of_exchange(exchange)
    assert [mark.kind for mark in drawn.marks] == [frame.kind for frame in exchange.frames]
    assert [mark.size for mark in drawn.marks] == [len(frame.data) for frame in exchange.frames]
    times = [mark.at for mark in drawn.marks]
    assert times == sorted(times, key=lambda at: at or 0.0)
    assert drawn.ending == "finished"


def test_a_refused_request_has_a_line() -> None:
    """What is not streamed is one write."""
    with mockserver.serve(THREE) as server:
        assert ask(server.url + "/v1/chat/completions", content=b"{").status_code == httpx.codes.BAD_REQUEST
        [exchange] = server.exchanges
    assert "refused" in timeline.text(inspection.of_exchange(exchange))


@pytest.mark.parametrize(
    ("marks", "places"),
    [
        ((), []),
        ((Mark(0.0, 5, "piece", ""),), [0.0]),
        ((Mark(0.0, 5, "piece", ""), Mark(2.0, 5, "piece", ""), Mark(8.0, 1, "end", "")), [0.0, 0.25, 1.0]),
        ((Mark(None, 30, "piece", ""), Mark(None, 10, "end", "")), [0.0, 0.75]),
    ],
)
def test_marks_stand_by_time_or_by_bytes(marks: tuple[Mark, ...], places: list[float]) -> None:
    """Where times are not known, the axis is of bytes."""
    assert Timeline("t", marks, "").places() == places
