"""AWS's binary event stream (`application/vnd.amazon.eventstream`), both ways, without I/O.

Source: https://smithy.io/2.0/aws/amazon-eventstream.html. A message is, with all numbers big-endian:
its length and the length of its headers (4 bytes each), the CRC-32 of these 8 bytes, the headers, the payload, and the
CRC-32 of all that stands before it.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID
from zlib import crc32

HeaderValue: TypeAlias = bool | int | bytes | str | datetime | UUID

_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_SHORTEST: Final = _PRELUDE.size + _CRC.size
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_HEADERS: Final = 128 * 1024
_MOST_PAYLOAD: Final = 24 * 1024 * 1024
_BYTES: Final = 6
_TEXT: Final = 7
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value, by the number of its type; bytes and texts say their length themselves."""


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


_VALUES: Final[Mapping[int, Callable[[bytes], HeaderValue]]] = {
    0: lambda raw: True,
    1: lambda raw: False,
    2: _signed,
    3: _signed,
    4: _signed,
    5: _signed,
    _BYTES: bytes,
    _TEXT: lambda raw: raw.decode(),
    8: lambda raw: _EPOCH + timedelta(milliseconds=_signed(raw)),
    9: lambda raw: UUID(bytes=raw),
}


class EventStreamError(ValueError):
    """Bytes that are no message of an event stream; the text says what is wrong with them."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: headers by name, such as `:event-type`, and the payload."""

    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    payload: bytes = b""

    def text(self, name: str) -> str:
        """The text of a header; `""` where it is not there, or is no text."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""


def encode(message: Message) -> bytes:
    """The bytes of one message.

    Raises:
        ValueError: a header or the whole is longer, or a number or time greater, than the format can hold.
    """
    headers = b"".join(_header(name, value) for name, value in message.headers.items())
    if len(headers) > _MOST_HEADERS or len(message.payload) > _MOST_PAYLOAD:
        raise ValueError(
            f"a message has at most {_MOST_HEADERS} bytes of headers and {_MOST_PAYLOAD} of payload, "
            f"not {len(headers)} and {len(message.payload)}"
        )
    lengths = struct.pack(">II", _SHORTEST + len(headers) + len(message.payload), len(headers))
    checked = lengths + _CRC.pack(crc32(lengths)) + headers + message.payload
    return checked + _CRC.pack(crc32(checked))


def decode(data: bytes) -> Message:
    """The message that these bytes are.

    Raises:
        EventStreamError: they are not exactly one message, or a checksum does not fit.
    """
    total, headers = _lengths(data)
    if len(data) != total:
        raise EventStreamError(f"the message has {len(data)} bytes, and its prelude says {total}")
    [expected] = _CRC.unpack(data[-_CRC.size :])
    found = crc32(data[: -_CRC.size])
    if found != expected:
        raise EventStreamError(f"the checksum of the message is {expected:#010x}, and its bytes give {found:#010x}")
    start = _PRELUDE.size + headers
    return Message(dict(_headers(data[_PRELUDE.size : start])), data[start : -_CRC.size])


def split(stream: bytes) -> Iterator[bytes]:
    """The stream cut after each message, up to what is none; joined, the parts are the stream."""
    at = 0
    while at < len(stream):
        try:
            total, _ = _lengths(stream[at : at + _PRELUDE.size])
        except EventStreamError:
            total = len(stream)
        yield stream[at : at + total]
        at += total


def _lengths(data: bytes) -> tuple[int, int]:
    """The lengths of a message and of its headers, from its prelude."""
    if len(data) < _PRELUDE.size:
        raise EventStreamError(f"a prelude has {_PRELUDE.size} bytes, and there are {len(data)}")
    total, headers, expected = _PRELUDE.unpack_from(data)
    found = crc32(data[: _PRELUDE.size - _CRC.size])
    if found != expected:
        raise EventStreamError(f"the checksum of the prelude is {expected:#010x}, and its bytes give {found:#010x}")
    if total < _SHORTEST + headers:
        raise EventStreamError(f"a message of {total} bytes cannot have {headers} bytes of headers")
    return total, headers


def _header(name: str, value: HeaderValue) -> bytes:
    raw = name.encode()
    try:
        return struct.pack(">B", len(raw)) + raw + _value(value)
    except struct.error:
        raise ValueError(f"the header {name[:40]!r} is too long, or its value is too great for the format") from None


def _value(value: HeaderValue) -> bytes:
    """The number of the type and the value; numbers are of 4 bytes where that is enough, else of 8."""
    if isinstance(value, bool):
        return b"\x00" if value else b"\x01"
    if isinstance(value, int):
        return struct.pack(">Bi", 4, value) if -(2**31) <= value < 2**31 else struct.pack(">Bq", 5, value)
    if isinstance(value, datetime):
        return struct.pack(">Bq", 8, (value - _EPOCH) // timedelta(milliseconds=1))
    if isinstance(value, UUID):
        return b"\x09" + value.bytes
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack(">BH", _TEXT if isinstance(value, str) else _BYTES, len(raw)) + raw


def _headers(data: bytes) -> Iterator[tuple[str, HeaderValue]]:
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        raw = data[at : at + count]
        if len(raw) < count:
            raise EventStreamError(f"the headers end {count - len(raw)} bytes before the last of them does")
        at += count
        return raw

    while at < len(data):
        name = take(take(1)[0])
        kind = take(1)[0]
        if kind not in _VALUES:
            raise EventStreamError(f"the header {name!r} is of type {kind}, and types are 0 to {max(_VALUES)}")
        raw = take(_SIZES[kind] if kind in _SIZES else int.from_bytes(take(2), "big"))
        try:
            yield name.decode(), _VALUES[kind](raw)
        except (UnicodeDecodeError, OverflowError):
            raise EventStreamError(f"the header {name!r} has a value that cannot be read: {raw[:40]!r}") from None
