"""The form of events and lines: what is said stays what it is."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver import Frame, Unencodable
from mockserver.frames import join
from mockserver.framings import eventstream, ndjson, sse
from mockserver.sending.framing import Framing

from .strategies import LAW, names, texts

LINES: Final = st.sampled_from(["trace: 1", ": note", "x", "retry: 5", "é:ü"])
FRAMINGS: Final = st.builds(
    Framing,
    line_ends=st.sampled_from(["lf", "crlf", "cr", "mixed"]),
    bom=st.booleans(),
    comments=st.sampled_from([None, "between", "inside", "everywhere"]),
    ids=st.booleans(),
    retry=st.none() | st.integers(0, 9999),
    unknown=st.lists(LINES, max_size=2).map(tuple),
    dataless=st.booleans(),
    blank_lines=st.integers(0, 3),
    space=st.booleans(),
    data_first=st.booleans(),
)
WORDS: Final = names.map(lambda text: "".join(each for each in text if each.isalnum()) or "x")
DATA: Final[Any] = st.recursive(
    texts | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value, ensure_ascii=False))
EVENTS: Final[Any] = st.lists(st.tuples(DATA | st.sampled_from(["[DONE]", " [1]", "", "a\nb"]), st.none() | WORDS))
ONE: Final = (Frame(sse.encode('{"a":[1,2],"b":"x,{y"}', "told"), "piece", 0),)


def frames_of(events: list[tuple[str, str | None]]) -> tuple[Frame, ...]:
    return tuple(Frame(sse.encode(data, name), "piece", number) for number, (data, name) in enumerate(events))


@LAW
@given(EVENTS, FRAMINGS)
def test_events_stay_what_they_are(events: Any, framing: Framing) -> None:
    """In every framing the events are those of the plain stream, and frames keep what they are."""
    frames = frames_of(events)
    dressed = framing.dress(frames, "sse")
    assert list(sse.events(join(dressed))) == list(sse.events(join(frames)))
    assert [(frame.kind, frame.piece) for frame in dressed] == [(frame.kind, frame.piece) for frame in frames]


@LAW
@given(EVENTS, FRAMINGS)
def test_split_data_are_the_same_json(events: Any, framing: Framing) -> None:
    """Data over several lines are the same JSON document; what is no JSON stays one line."""
    frames = frames_of(events)
    split = Framing(**{name: getattr(framing, name) for name in framing.asked}, split=True)
    plain, dressed = (list(sse.events(join(each))) for each in (frames, split.dress(frames, "sse")))
    assert [event.name for event in dressed] == [event.name for event in plain]
    for one, other in zip(plain, dressed, strict=True):
        try:
            assert json.loads(one.data) == json.loads(other.data)
        except json.JSONDecodeError:
            assert one == other


@pytest.mark.parametrize(
    ("framing", "expected"),
    [
        (Framing(), b'event: told\ndata: {"a":[1,2],"b":"x,{y"}\n\n'),
        (Framing(line_ends="crlf"), b'event: told\r\ndata: {"a":[1,2],"b":"x,{y"}\r\n\r\n'),
        (Framing(line_ends="cr"), b'event: told\rdata: {"a":[1,2],"b":"x,{y"}\r\r'),
        (Framing(line_ends="mixed"), b'event: told\ndata: {"a":[1,2],"b":"x,{y"}\r\n\r'),
        (Framing(bom=True), b'\xef\xbb\xbfevent: told\ndata: {"a":[1,2],"b":"x,{y"}\n\n'),
        (Framing(comments="between"), b': keep-alive\n\nevent: told\ndata: {"a":[1,2],"b":"x,{y"}\n\n'),
        (Framing(comments="inside"), b': keep-alive\nevent: told\ndata: {"a":[1,2],"b":"x,{y"}\n\n'),
        (Framing(ids=True, retry=9), b'id: 0\nretry: 9\nevent: told\ndata: {"a":[1,2],"b":"x,{y"}\n\n'),
        (Framing(unknown=("t: 1",)), b't: 1\nevent: told\ndata: {"a":[1,2],"b":"x,{y"}\n\n'),
        (Framing(dataless=True), b'event: nothing\n\nevent: told\ndata: {"a":[1,2],"b":"x,{y"}\n\n'),
        (Framing(split=True), b'event: told\ndata: {"a":[1,\ndata: 2],\ndata: "b":"x,{y"}\n\n'),
        (Framing(blank_lines=2), b'event: told\ndata: {"a":[1,2],"b":"x,{y"}\n\n\n\n'),
        (Framing(space=False), b'event:told\ndata:{"a":[1,2],"b":"x,{y"}\n\n'),
        (Framing(data_first=True), b'data: {"a":[1,2],"b":"x,{y"}\nevent: told\n\n'),
    ],
    ids=repr,
)
def test_each_form_byte_for_byte(framing: Framing, expected: bytes) -> None:
    """What each option does to one event."""
    assert join(framing.dress(ONE, "sse")) == expected


def test_a_value_that_begins_with_a_space_keeps_it() -> None:
    """One space after the colon belongs to the form, a second one to the value."""
    assert join(Framing(space=False).dress((Frame(sse.encode(" x"), "piece"),), "sse")) == b"data:  x\n\n"


def test_a_stream_begins_only_once() -> None:
    """Byte order mark and retry stand before the first event alone, also where a stream goes on."""
    framing = Framing(bom=True, retry=9)
    dressed = join(framing.dress(ONE * 2, "sse"))
    assert (dressed.count(b"\xef\xbb\xbf"), dressed.count(b"retry")) == (1, 1)
    assert framing.dress(ONE, "sse", begun=True) == ONE


@pytest.mark.parametrize("data", [b": ping\n\n", b"id: 1\n\n", b"\n"])
def test_blocks_without_data_get_line_ends_only(data: bytes) -> None:
    """They are no events, so nothing is said in them."""
    dressed = Framing(line_ends="crlf", ids=True, comments="everywhere", dataless=True).dress(
        (Frame(data, "noise"),), "sse"
    )
    assert join(dressed) == data.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("data", [b"garbage", b"data: {", b"data: x\n", b"data: x\ndata: y"])
def test_what_is_no_whole_event_does_not_become_one(data: bytes) -> None:
    """A recording that breaks off stays broken off."""
    dressed = join(Framing(line_ends="crlf").dress((Frame(data, "noise"),), "sse"))
    assert (list(sse.events(dressed)), dressed.replace(b"\r\n", b"\n")) == ([], data)


@pytest.mark.parametrize(
    ("framing", "expected"),
    [
        (Framing(line_ends="crlf"), b'{"a":1}\r\n{"b":2}\r\n'),
        (Framing(line_ends="mixed"), b'{"a":1}\n{"b":2}\r\n'),
        (Framing(blank_lines=1), b'{"a":1}\n\n{"b":2}\n\n'),
        (Framing(line_ends="crlf", blank_lines=2), b'{"a":1}\r\n\r\n\r\n{"b":2}\r\n\r\n\r\n'),
    ],
)
def test_lines_of_json_have_forms_too(framing: Framing, expected: bytes) -> None:
    """CR before LF, and blank lines; a line that does not end stays so."""
    frames = (Frame(ndjson.encode('{"a":1}'), "piece", 0), Frame(ndjson.encode('{"b":2}'), "end"))
    assert join(framing.dress(frames, "ndjson")) == expected
    rest = (Frame(b'{"c"', "noise"),)
    assert framing.dress(rest, "ndjson") == rest


ARRAY: Final = tuple(Frame(data, "piece", number) for number, data in enumerate((b'[{"a":1}', b',\r\n{"b":2}', b"]")))


@pytest.mark.parametrize(
    ("framing", "expected"),
    [
        (Framing(space=False), b'[{"a":1},{"b":2}]'),
        (Framing(blank_lines=1), b'[{"a":1},\n\n{"b":2}]'),
        (Framing(line_ends="mixed", blank_lines=1), b'[{"a":1},\n\r\n{"b":2}]'),
    ],
)
def test_elements_of_an_array_have_other_white_space(framing: Framing, expected: bytes) -> None:
    """White space after a comma; the end of the array stays as it is."""
    assert join(framing.dress(ARRAY, "json-array")) == expected


def test_messages_of_an_event_stream_have_other_headers() -> None:
    """Further headers come last, or all in reverse order; what is no message stays as it is."""
    message = eventstream.Message({":event-type": "chunk", "n": 5}, b"{}")
    frame = Frame(eventstream.encode(message), "piece", 0)
    [dressed] = Framing(unknown=("later: 1",), data_first=True).dress((frame,), "event-stream")
    read = eventstream.decode(dressed.data)
    assert list(read.headers.items()) == [("later", "1"), ("n", 5), (":event-type", "chunk")]
    assert (read.payload, dressed.piece) == (b"{}", 0)
    damaged = Frame(frame.data[:-1] + b"x", "noise")
    assert Framing(data_first=True).dress((damaged,), "event-stream") == (damaged,)


@pytest.mark.parametrize(
    ("framing", "kind", "words"),
    [
        (Framing(bom=True), "ndjson", "a stream of ndjson cannot have the framing bom; it has line_ends, blank_lines"),
        (Framing(line_ends="cr"), "ndjson", "it has line_ends, blank_lines, but not cr"),
        (Framing(ids=True, retry=1), "event-stream", "cannot have the framing ids, retry; it has unknown, data_first"),
        (Framing(bom=True), "json-array", "a stream of json-array cannot have the framing bom; it has line_ends"),
    ],
)
def test_a_form_that_a_stream_cannot_have_is_an_error(framing: Framing, kind: str, words: str) -> None:
    """It is not passed over."""
    with pytest.raises(Unencodable, match=words):
        framing.dress(ONE, kind)
    assert Framing().dress(ONE, kind) == ONE


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"line_ends": "nel"}, "line_ends is one of lf, crlf, cr, mixed, not 'nel'"),
        ({"comments": "here"}, "comments is one of between, inside, everywhere, not 'here'"),
        ({"retry": -1}, "retry is a number from 0, not -1"),
        ({"blank_lines": -2}, "blank_lines is a number from 0, not -2"),
        ({"unknown": ("data: 1",)}, "a further line of an event is one line, and no data or event, not 'data: 1'"),
        ({"unknown": ("a\nb",)}, "a further line of an event is one line"),
        ({"unknown": ("",)}, "a further line of an event is one line"),
    ],
)
def test_what_would_change_the_meaning_is_refused(wrong: dict[str, Any], words: str) -> None:
    """The error names the option and what was given."""
    with pytest.raises(ValueError, match=words):
        Framing(**wrong)
