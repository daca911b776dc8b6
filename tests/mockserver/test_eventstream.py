"""AWS's event stream, against botocore's own reader and bytes that are not right."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from mockserver.framings import eventstream
from mockserver.framings.eventstream import EventStreamError, HeaderValue, Message

from .strategies import LAW

NAMES = st.text(min_size=1, max_size=20).filter(lambda name: len(name.encode()) <= 255)
TIMES = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
VALUES: st.SearchStrategy[HeaderValue] = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=20), st.text(max_size=20), TIMES, st.uuids()
)
MESSAGES = st.builds(Message, st.dictionaries(NAMES, VALUES, max_size=4), st.binary(max_size=50))
ONE = Message({":event-type": "chunk"}, b'{"a":1}')
DATA = eventstream.encode(ONE)


def reseal(data: bytes) -> bytes:
    """The same message with checksums that fit what was changed."""
    data = data[:8] + crc32(data[:8]).to_bytes(4, "big") + data[12:-4]
    return data + crc32(data).to_bytes(4, "big")


@LAW
@given(message=MESSAGES)
def test_messages_are_read_back(message: Message) -> None:
    """What is encoded decodes to itself, headers of every type included."""
    assert eventstream.decode(eventstream.encode(message)) == message


@LAW
@given(messages=st.lists(MESSAGES, max_size=4), rest=st.binary(max_size=11))
def test_a_stream_is_cut_after_each_message(messages: list[Message], rest: bytes) -> None:
    """The parts are the messages, and a last one of what is no message."""
    encoded = [eventstream.encode(message) for message in messages]
    assert list(eventstream.split(b"".join(encoded) + rest)) == [*encoded, *([rest] if rest else [])]


@LAW
@given(messages=st.lists(MESSAGES, min_size=1, max_size=3), size=st.integers(1, 40))
def test_botocore_reads_the_same(messages: list[Message], size: int) -> None:
    """AWS's own reader finds the same headers and payloads, wherever the stream is cut."""
    stream = b"".join(eventstream.encode(message) for message in messages)
    buffer = EventStreamBuffer()
    found: list[Message] = []
    for at in range(0, len(stream), size):
        buffer.add_data(stream[at : at + size])
        found += [Message(each.headers, each.payload) for each in buffer]
    assert found == [Message(botocore_headers(each.headers), each.payload) for each in messages]


def botocore_headers(headers: Mapping[str, HeaderValue]) -> dict[str, Any]:
    """Times as milliseconds and UUIDs as bytes, as botocore has them."""
    return {
        name: round(value.timestamp() * 1000)
        if isinstance(value, datetime)
        else value.bytes
        if isinstance(value, UUID)
        else value
        for name, value in headers.items()
    }


BROKEN = [
    (b"", "a prelude has 12 bytes, and there are 0"),
    (DATA[:11], "a prelude has 12 bytes, and there are 11"),
    (DATA[:-1], f"the message has {len(DATA) - 1} bytes, and its prelude says {len(DATA)}"),
    (DATA + b"x", f"the message has {len(DATA) + 1} bytes, and its prelude says {len(DATA)}"),
    (b"\x01" + DATA[1:], "the checksum of the prelude is 0x"),
    (DATA[:-5] + b"!" + DATA[-4:], "the checksum of the message is 0x"),
    (reseal(DATA[:4] + b"\x00\x00\xff\xff" + DATA[8:]), f"a message of {len(DATA)} bytes cannot have 65535 bytes of"),
    (reseal(DATA[:12] + b"\xff" + DATA[13:]), "the headers end 236 bytes before the last of them does"),
    (reseal(DATA[:24] + b"\x2a" + DATA[25:]), "the header b':event-type' is of type 42, and types are 0 to 9"),
    (reseal(DATA[:27] + b"\xff" + DATA[28:]), "the header b':event-type' has a value that cannot be read: b'\\xff"),
]


@pytest.mark.parametrize(("data", "words"), BROKEN, ids=[words[:40] for _, words in BROKEN])
def test_what_is_wrong_is_said(data: bytes, words: str) -> None:
    """Bytes that are no message: the error says what is wrong with them."""
    with pytest.raises(EventStreamError) as caught:
        eventstream.decode(data)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (Message({"x" * 256: "a"}), "the header 'xxx.* is too long"),
        (Message({"x": "a" * 65_536}), "the header 'x' is too long"),
        (Message({"x": 2**63}), "its value is too great"),
        (Message({str(number): "a" * 60_000 for number in range(3)}), "at most 131072 bytes of headers"),
        (Message(payload=b"x" * (24 * 1024 * 1024 + 1)), "25165824 of payload, not 0 and 25165825"),
    ],
)
def test_what_is_too_long_is_refused(message: Message, words: str) -> None:
    """What the format cannot hold is not encoded."""
    with pytest.raises(ValueError, match=words):
        eventstream.encode(message)
