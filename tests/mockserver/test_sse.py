"""Our reader of server-sent events, beside an independent one."""

from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from mockserver.framings import sse
from mockserver.framings.sse import Event

from .strategies import LAW

ENDS: Final = ("\n", "\r", "\r\n")
SAMPLE: Final = "event: a\n: note\ndata: é\u2028\u0085\x0c 1\ndata:\ndata:  2\nother: x\nnocolon\n\ndata: [DONE]\n\n"
READ: Final = [Event("é\u2028\u0085\x0c 1\n\n 2", "a"), Event("[DONE]")]

_line = st.sampled_from(
    ("data: x", "data:x", "data:  x", "data", "data:", "data: é\u2028\u0085", ": note", ":", "x: y")
)
_event = st.lists(_line, max_size=4).map(lambda lines: [*lines, "data: end", ""])
_named = st.tuples(st.sampled_from(("event: a", "event:b")), _event).map(lambda parts: [parts[0], *parts[1]])


def independent(parts: list[bytes]) -> list[Event]:
    """What the reader of the openai package makes of the same bytes, arriving in `parts`."""
    return [Event(found.data, found.event) for found in SSEDecoder().iter_bytes(iter(parts))]


@LAW
@given(lines=st.lists(_event | _named, max_size=4), ends=st.lists(st.sampled_from(ENDS), min_size=1), tail=_line)
def test_events_are_those_of_an_independent_reader(lines: list[list[str]], ends: list[str], tail: str) -> None:
    """Over any lines with any mixture of line ends and an unfinished last event, both read the same events."""
    flat = [line for event in lines for line in event]
    stream = "".join(line + ends[number % len(ends)] for number, line in enumerate(flat)).encode() + tail.encode()
    assert list(sse.events(stream)) == independent([stream])


@pytest.mark.parametrize("end", ENDS)
def test_every_split_is_read_alike(end: str) -> None:
    """Wherever the bytes are cut, inside characters and line ends too, the independent reader agrees with ours."""
    stream = SAMPLE.replace("\n", end).encode()
    assert list(sse.events(stream)) == READ
    assert [independent([stream[:at], stream[at:]]) for at in range(len(stream) + 1)] == [READ] * (len(stream) + 1)
    assert independent([stream[at : at + 1] for at in range(len(stream))]) == READ


@pytest.mark.parametrize("end", ENDS)
def test_frames_are_cut_after_blank_lines(end: str) -> None:
    """`split` cuts between events, whatever ends the lines, so that each frame has its event."""
    stream = SAMPLE.replace("\n", end).encode()
    parts = list(sse.split(stream))
    assert [list(sse.events(part)) for part in parts] == [[READ[0]], [READ[1]]]
    assert b"".join(parts) == stream


@pytest.mark.parametrize(
    "mixed", [b"data: 1\r\n\ndata: 2\n\r\n", b"data: 1\n\rdata: 2\r\r\n", b"data: 1\r\rdata: 2\n\n"]
)
def test_line_ends_may_be_mixed(mixed: bytes) -> None:
    """A blank line is two line ends of any kinds."""
    assert list(sse.events(mixed)) == [Event("1"), Event("2")]
    assert [[event.data for event in sse.events(part)] for part in sse.split(mixed)] == [["1"], ["2"]]


@LAW
@given(st.text("data: xé\r\n", max_size=60).map(str.encode))
def test_split_keeps_every_byte_and_every_event(stream: bytes) -> None:
    """Frames joined are the stream; the events of the frames are those of the stream."""
    parts = list(sse.split(stream))
    assert b"".join(parts) == stream
    assert all(parts)
    assert [event for part in parts for event in sse.events(part)] == list(sse.events(stream))


def test_frames_of_a_stream_are_contiguous() -> None:
    """No frame is empty and none overlaps: each ends where the next begins."""
    stream = SAMPLE.encode()
    offsets = [0]
    for part in sse.split(stream):
        offsets.append(offsets[-1] + len(part))
    assert all(stream[start:end].endswith(b"\n\n") for start, end in pairwise(offsets))


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"\xef\xbb\xbfdata: 1\n\n", [Event("1")]),
        (b"data: 1\n\n\xef\xbb\xbfdata: 2\n\n", [Event("1")]),
        (b"data: 1", []),
        (b"data: 1\n", []),
        (b"data: 1\n\ndata: 2\n", [Event("1")]),
        (b": only a comment\n\n", []),
        (b"event: a\n\ndata: 1\n\n", [Event("1")]),
        (b"event:\ndata: 1\n\n", [Event("1")]),
        (b"event: a\nevent: b\ndata: 1\n\n", [Event("1", "b")]),
        (b"id: 1\nretry: 5\ndata: 1\n\n", [Event("1")]),
        (b"data\n\n", [Event("")]),
        (b"data: a: b\n\n", [Event("a: b")]),
        (b"Data: 1\n\n", []),
        (b" data: 1\n\n", []),
        (b"data: \xff\n\n", [Event("\ufffd")]),
        (b"", []),
    ],
)
def test_clauses_of_the_standard(stream: bytes, events: list[Event]) -> None:
    """Byte order mark only at the start, comments, last name wins, empty data, no event without its blank line."""
    assert list(sse.events(stream)) == events


@LAW
@given(st.binary(max_size=60))
def test_split_keeps_every_byte_of_anything(stream: bytes) -> None:
    """Bytes that are no events at all are kept too."""
    assert b"".join(sse.split(stream)) == stream


@LAW
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")), st.sampled_from([None, "a"]))
def test_what_is_encoded_is_read_back(data: str, name: str | None) -> None:
    """`encode` gives one event with the data, lines and all, and its name."""
    assert list(sse.events(sse.encode(data, name))) == [Event(data, name)]
