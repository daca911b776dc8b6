"""A JSON array that streams element by element."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver import Frame
from mockserver.frames import join
from mockserver.framings import jsonarray

from .strategies import LAW, args

ELEMENTS = st.lists(args, max_size=4)


def frames(*elements: object) -> tuple[Frame, ...]:
    return tuple(Frame(json.dumps(element).encode(), "piece") for element in elements)


@LAW
@given(found=ELEMENTS)
def test_elements_are_read_back(found: list[object]) -> None:
    """Linked frames are the array, and are cut where they were made."""
    linked = jsonarray.link((*frames(*found), Frame(b"]", "end")))
    assert json.loads(join(linked)) == found
    assert list(jsonarray.elements(join(linked))) == found
    if found:
        assert list(jsonarray.split(join(linked))) == [frame.data for frame in linked]


def test_the_separators_are_googles() -> None:
    """The first opens the array, the others follow a comma and a line end."""
    assert [frame.data for frame in jsonarray.link((*frames({}, {"a": 1}), Frame(b"]", "end")))] == [
        b"[{}",
        b',\r\n{"a": 1}',
        b"]",
    ]


def test_what_is_put_in_is_linked_again() -> None:
    """An element before the first, and one after the last, leave an array."""
    linked = jsonarray.link((*frames({"n": 1}, {"n": 2}), Frame(b"]", "end")))
    mended = jsonarray.link((*frames({"n": 0}), *linked[:2], *frames({"n": 3}), linked[2]))
    assert [each["n"] for each in json.loads(join(mended))] == [0, 1, 2, 3]


@pytest.mark.parametrize("before", [0, 1])
def test_an_error_closes_the_array(before: int) -> None:
    """Wherever it stands."""
    found = jsonarray.link((*frames(*[{"n": 1}] * before), Frame(b'{"error":{}}', "error")))
    assert json.loads(join(found)) == [*[{"n": 1}] * before, {"error": {}}]


def test_recorded_bytes_stay_as_they_are() -> None:
    """Other spaces and separators are kept; joined, the parts are the stream."""
    stream = b'[{\n  "a": "],["\n}\n,\n{\n  "b": 1\n}\n]\n'
    parts = list(jsonarray.split(stream))
    assert parts == [b'[{\n  "a": "],["\n}', b'\n,\n{\n  "b": 1\n}', b"\n]\n"]
    kept = jsonarray.link((Frame(parts[0], "piece"), Frame(parts[1], "piece"), Frame(parts[2], "end")))
    assert join(kept) == stream


@pytest.mark.parametrize("stream", [b"", b"[", b"[]", b'[{"a":1},{"b"', b"\xff[", b"nonsense"])
def test_cutting_never_fails(stream: bytes) -> None:
    """What is broken off, or is no JSON, is the last part."""
    assert b"".join(jsonarray.split(stream)) == stream
