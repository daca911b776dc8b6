"""Server-sent events, both ways, without I/O.

Source: WHATWG HTML, section 9.2 "Server-sent events" (https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# 9.2.5: a line ends at CRLF, LF or CR, and at nothing else (U+2028, U+0085 and form feed are ordinary characters).
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"
# A frame is all bytes up to and including its blank line, so that frames joined are the stream.
# The line ends are atomic: a CRLF taken for a CR and an LF would be a blank line.
_FRAME: Final = re.compile(rb".*?(?>\r\n|\n|\r)(?>\r\n|\n|\r)+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Event:
    """A dispatched event: its data, and its name (`None` where the stream names none)."""

    data: str
    name: str | None = None


def encode(data: str, name: str | None = None) -> bytes:
    """One event. `data` may hold LF; each line of it becomes a `data:` line."""
    head = f"event: {name}\n" if name else ""
    return (head + "".join(f"data: {line}\n" for line in data.split("\n")) + "\n").encode()


def events(stream: bytes) -> Iterator[Event]:
    """The events of a whole stream. An event that its blank line does not end is discarded (9.2.6)."""
    data: list[str] = []
    name: str | None = None
    lines = _LINE_END.split(stream.removeprefix(_BOM))
    for raw in lines[:-1]:
        line = raw.decode("utf-8", "replace")
        if not line:
            if data:
                yield Event("\n".join(data), name)
            data, name = [], None
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value or None


def split(stream: bytes) -> Iterator[bytes]:
    """The stream cut after each blank line; the cuts of a recording that has none of its own."""
    at = 0
    while match := _FRAME.match(stream, at):
        yield match.group()
        at = match.end()
    if at < len(stream):
        yield stream[at:]
