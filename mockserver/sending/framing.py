"""The form of a stream's events and lines, among those that say the same, without I/O.

Sources: WHATWG HTML, section 9.2 "Server-sent events"
(https://html.spec.whatwg.org/multipage/server-sent-events.html), for streams of SSE;
https://github.com/ndjson/ndjson-spec, 3.1 and 3.2 (CR before LF, empty lines), for those of NDJSON;
https://smithy.io/2.0/aws/amazon-eventstream.html (headers are a mapping by name), for AWS's event streams;
RFC 8259, 2 (white space around the elements of an array), for JSON arrays.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import cycle, pairwise
from typing import Final, Literal, TypeAlias, get_args

from ..errors import Unencodable
from ..frames import Frame
from ..framings import eventstream

LineEnds: TypeAlias = Literal["lf", "crlf", "cr", "mixed"]
Comments: TypeAlias = Literal["between", "inside", "everywhere"]
_ENDS: Final[dict[str, tuple[bytes, ...]]] = {
    "lf": (b"\n",),
    "crlf": (b"\r\n",),
    "cr": (b"\r",),
    "mixed": (b"\n", b"\r\n", b"\r"),
}
_OTHERS: Final[dict[str, tuple[str, ...]]] = {
    "ndjson": ("line_ends", "blank_lines"),
    "event-stream": ("unknown", "data_first"),
    "json-array": ("line_ends", "blank_lines", "space"),
}
"""What streams can be given that are not of SSE."""
_COMMA: Final = re.compile(rb"\s*,\s*")
_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_COMMENT: Final = b": keep-alive"
_DATALESS: Final = b"event: nothing"
_MEANT: Final = ("data", "event")
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[,{\[]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """The form of events (SSE) or lines (NDJSON, which has `line_ends` but ``cr``, and `blank_lines`).

    Elements of a JSON array have `line_ends` and `blank_lines` after the comma between them, or nothing there without
    `space`. Messages of an event stream have `unknown` headers, and with `data_first` their headers in reverse order.

    None of it changes what a client reads. A form that a stream cannot have is an error when it is played.

    Args:
        line_ends: what ends a line; ``mixed`` takes turns.
        bom: whether the stream begins with a byte order mark.
        comments: comments in blocks of their own ``between`` events, as first lines ``inside`` them, or ``everywhere``.
        ids: whether each event has an `id` line with its number.
        retry: the milliseconds that a `retry` line in the first event says.
        unknown: further lines of each event, such as ``trace: 1``; clients pass over fields that they do not know.
        dataless: whether events without data, which clients do not see, stand between the others.
        split: whether JSON data stand on several `data` lines, at commas, where a line feed says nothing.
        blank_lines: how many further blank lines follow each event.
        space: whether a space follows the colon of a field.
        data_first: whether the data stand before the event's name.
    """

    line_ends: LineEnds = "lf"
    bom: bool = False
    comments: Comments | None = None
    ids: bool = False
    retry: int | None = None
    unknown: tuple[str, ...] = ()
    dataless: bool = False
    split: bool = False
    blank_lines: int = 0
    space: bool = True
    data_first: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "unknown", tuple(self.unknown))
        if self.line_ends not in _ENDS:
            raise ValueError(f"line_ends is one of {', '.join(_ENDS)}, not {self.line_ends!r}")
        if self.comments is not None and self.comments not in get_args(Comments):
            raise ValueError(f"comments is one of {', '.join(get_args(Comments))}, not {self.comments!r}")
        for name in ("retry", "blank_lines"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name} is a number from 0, not {getattr(self, name)!r}")
        for line in self.unknown:
            if not line or re.search("[\r\n]", line) or line.partition(":")[0] in _MEANT:
                raise ValueError(f"a further line of an event is one line, and no {' or '.join(_MEANT)}, not {line!r}")

    @property
    def asked(self) -> tuple[str, ...]:
        """The names of what is not as it is without a framing."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name) != each.default)

    def dress(self, frames: Iterable[Frame], kind: str, *, begun: bool = False) -> tuple[Frame, ...]:
        """Frames of a stream of this kind (`sse`, `ndjson` or another) in this form; each stays one frame.

        `begun` says whether other frames of the stream stand before them.

        Raises:
            Unencodable: the stream cannot have this form.
        """
        asked = self.asked
        if not asked:
            return tuple(frames)
        if kind == "sse":
            return tuple(_Events(self, begun=begun).dress(frames))
        is_known = not set(asked) - set(_OTHERS[kind])
        if kind == "ndjson" and is_known and self.line_ends != "cr":
            return tuple(self._lines(frames))
        if kind == "event-stream" and is_known:
            return tuple(map(self._message, frames))
        if kind == "json-array" and is_known:
            return tuple(self._elements(frames))
        told = ", ".join(_OTHERS[kind]) + (", but not cr" if kind == "ndjson" else "")
        raise Unencodable(f"a stream of {kind} cannot have the framing {', '.join(asked)}; it has {told}")

    def _message(self, frame: Frame) -> Frame:
        try:
            messages = [eventstream.decode(data) for data in eventstream.split(frame.data)]
        except eventstream.EventStreamError:
            return frame
        return replace(frame, data=b"".join(map(self._dressed, messages)))

    def _dressed(self, message: eventstream.Message) -> bytes:
        further = (line.partition(":") for line in self.unknown)
        headers = {**message.headers, **{name: value.strip() for name, _, value in further}}
        ordered = reversed(headers.items()) if self.data_first else headers.items()
        return eventstream.encode(replace(message, headers=dict(ordered)))

    def _elements(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        ends = cycle(_ENDS[self.line_ends])
        for frame in frames:
            found = _COMMA.match(frame.data)
            if not found:
                yield frame
                continue
            between = b"".join(next(ends) for _ in range(1 + self.blank_lines)) if self.space else b""
            yield replace(frame, data=b"," + between + frame.data[found.end() :])

    def _lines(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        ends = cycle(each for each in _ENDS[self.line_ends] if each != b"\r")
        for frame in frames:
            lines = frame.data.splitlines() if frame.data.endswith(b"\n") else []
            dressed = b"".join(line + next(ends) for line in [*lines, *[b""] * self.blank_lines])
            yield replace(frame, data=dressed) if lines else frame


class _Events:
    """Dresses the frames of one stream of SSE."""

    def __init__(self, framing: Framing, *, begun: bool) -> None:
        self._framing = framing
        self._ends = cycle(_ENDS[framing.line_ends])
        self._last = b""
        self._number = 0
        self._begun = begun

    def dress(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            bom = _BOM if self._framing.bom and not self._begun else b""
            dressed = b"".join(self._frame(frame.data.removeprefix(_BOM) if bom else frame.data))
            self._begun = True
            yield replace(frame, data=bom + dressed)

    def _frame(self, data: bytes) -> Iterator[bytes]:
        """The bytes of a frame: lines in blocks that blank lines end. Bytes that no line end ends stay as they are."""
        *lines, rest = _LINE_END.split(data)
        block: list[bytes] = []
        for line in lines:
            if line:
                block.append(line)
                continue
            yield from self._block(block)
            yield self._ended(b"")
            if block:
                yield from (self._ended(b"") for _ in range(self._framing.blank_lines))
            block = []
        # Without its blank line the last event of a recording is none, and stays none.
        yield from self._block(block)
        yield rest

    def _ended(self, line: bytes) -> bytes:
        end = next(self._ends)
        if not line and self._last == b"\r" and end == b"\n":
            # CR and LF would be one line end, and the blank line would be gone.
            end = b"\r\n"
        self._last = end
        return line + end

    def _block(self, lines: list[bytes]) -> Iterator[bytes]:
        if any(_field(line)[0] == b"data" for line in lines):
            framing = self._framing
            if framing.comments in ("between", "everywhere"):
                yield self._ended(_COMMENT) + self._ended(b"")
            if framing.dataless:
                yield self._ended(_DATALESS) + self._ended(b"")
            lines = self._event(lines)
        yield from map(self._ended, lines)

    def _event(self, lines: list[bytes]) -> list[bytes]:
        """The lines of an event in the form that is asked."""
        framing = self._framing
        plain = [_field(line) for line in lines]
        data = b"\n".join(value for name, value in plain if name == b"data")
        others = [field for field in plain if field[0] != b"data"]
        values = _split(data) if framing.split else data.split(b"\n")
        said = [self._line(b"data", value) for value in values]
        rest = [self._line(name, value) for name, value in others]
        added = [_COMMENT] if framing.comments in ("inside", "everywhere") else []
        if framing.ids:
            added.append(self._line(b"id", str(self._number).encode()))
        if framing.retry is not None and self._number == 0 and not self._begun:
            added.append(self._line(b"retry", str(framing.retry).encode()))
        added += [line.encode() for line in framing.unknown]
        self._number += 1
        return [*added, *said, *rest] if framing.data_first else [*added, *rest, *said]

    def _line(self, name: bytes, value: bytes) -> bytes:
        # One space after the colon is not part of the value (9.2.6), so a value that begins with one needs another.
        space = b" " if self._framing.space or value.startswith(b" ") else b""
        return name + b":" + space + value


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.removeprefix(b" ")


def _split(data: bytes) -> list[bytes]:
    """JSON data over several lines: after each comma between values, or after the first bracket where there is none."""
    try:
        text = data.decode()
        json.loads(text)
    except ValueError:
        return data.split(b"\n")
    marks = [match for match in _TOKEN.finditer(text) if not match[0].startswith('"')]
    commas = [match.end() for match in marks if match[0] == ","] or [match.end() for match in marks[:1]]
    bounds = [0, *commas, len(text)]
    parts = [text[start:end] for start, end in pairwise(bounds)]
    return [line for part in parts for line in part.encode().split(b"\n")]
