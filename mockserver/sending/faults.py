"""What a delivery does to the frames of an answer: frames put in, and single frames that go wrong. Without I/O."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ..errors import Unencodable
from ..frames import Frame
from ..framings import eventstream, ndjson, sse
from ..wires import Wire
from .delivery import Delivery, Edit, Fault, Insert, Point, told

_UNKNOWN: Final = '{"type":"event_added_later","n":1}'
_WHOLE: Final = ("malform", "truncate")
"""What can be wrong with a body that is not streamed."""
_TAGS: Final = re.compile(r"[<>&]")


def points_of(frame: Frame) -> tuple[Point, ...]:
    """The points that lie before this frame."""
    points: list[Point] = []
    for kind in frame.kinds:
        if kind == "piece" and frame.piece is not None:
            points.append(frame.piece)
        elif kind in ("finish", "end"):
            points.append(kind)
    return tuple(points)


def place_of(frames: tuple[Frame, ...], point: Point, what: str) -> int:
    """The place of the first frame that the point lies before; `"close"` lies behind all.

    Raises:
        Unencodable: the stream has no such point; the text calls what is to happen there `what`.
    """
    if point == "close":
        return len(frames)
    for number, frame in enumerate(frames):
        if point in points_of(frame):
            return number
    raise _missing(frames, f"{what} is before {told(point)}")


def _missing(frames: tuple[Frame, ...], said: str) -> Unencodable:
    numbers = [frame.piece for frame in frames if frame.piece is not None]
    pieces = [f"pieces {min(numbers)} to {max(numbers)}"] if numbers else []
    words = dict.fromkeys(repr(point) for frame in frames for point in points_of(frame) if isinstance(point, str))
    return Unencodable(f"{said}, which this stream has not; it has {', '.join([*pieces, *words, repr('close')])}")


def edited(frames: tuple[Frame, ...], delivery: Delivery, wire: Wire, unknown: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """The frames of a stream with what is put in, then with the edits in their order. `unknown`: frames that clients of
    this wire do not know, where it has some of its own.

    Raises:
        Unencodable: the stream has no such frame, or the frame nothing that could be spoilt.
    """
    for insert in delivery.insert:
        frames = _inserted(frames, insert)
    for edit in delivery.edits:
        frames = _edited(frames, edit, wire, unknown)
    return frames


def edited_whole(body: Frame, delivery: Delivery, wire: Wire) -> Frame:
    """A body that is not streamed, with the edits that it can have. What is put into streams has no place in it.

    Raises:
        Unencodable: an edit is for streams.
    """
    for edit in delivery.edits:
        if edit.kind not in _WHOLE:
            raise Unencodable(f"{edit.kind} is for the frames of a stream, and this body has none")
        body = replace(body, data=_spoilt(body.data, edit, wire, "sse"))
    return body


def _inserted(frames: tuple[Frame, ...], insert: Insert) -> tuple[Frame, ...]:
    at = place_of(frames, insert.before, "what is to be put in")
    return (*frames[:at], *(frame for frame in insert.frames if isinstance(frame, Frame)), *frames[at:])


def _edited(frames: tuple[Frame, ...], edit: Edit, wire: Wire, unknown: tuple[Frame, ...]) -> tuple[Frame, ...]:
    at = _edited_place(frames, edit)
    before, frame, after = frames[:at], frames[at], frames[at + 1 :]
    if edit.kind == "drop":
        return before + after
    if edit.kind == "repeat":
        return (*before, frame, frame, *after)
    if edit.kind == "swap":
        if not after:
            raise Unencodable(f"swap at {_told(edit)}: no frame follows that could come before it")
        return (*before, after[0], frame, *after[1:])
    if edit.kind == "unknown":
        return (*before, *(unknown or _unknown(wire)), frame, *after)
    return (*before, replace(frame, data=_spoilt(frame.data, edit, wire, wire.framing)), *after)


def _edited_place(frames: tuple[Frame, ...], edit: Edit) -> int:
    wanted = ("piece", edit.at) if isinstance(edit.at, int) else (edit.at, None)
    for number, frame in enumerate(frames):
        if wanted[0] in frame.kinds and wanted[1] in (None, frame.piece):
            return number
    raise _missing(frames, f"{edit.kind} is at {_told(edit)}")


def _told(edit: Edit) -> str:
    return told(edit.at) if isinstance(edit.at, int) else repr(edit.at)


def _unknown(wire: Wire) -> tuple[Frame, ...]:
    if wire.framing == "sse":
        return (Frame(sse.encode(_UNKNOWN, "event_added_later"), "noise"),)
    if wire.framing == "ndjson":
        return (Frame(ndjson.encode(_UNKNOWN), "noise"),)
    raise Unencodable(f"{wire.name} has no event that its clients do not know")


def _spoilt(data: bytes, edit: Edit, wire: Wire, framing: str) -> bytes:
    """The bytes of a frame with JSON that is none, in a frame that is right."""
    change = _malformed if edit.kind == "malform" else _truncated
    if framing == "event-stream":
        message = eventstream.decode(data)
        return eventstream.encode(replace(message, payload=_changed(message.payload, change, edit, wire)))
    return _changed(data, change, edit, wire)


def _changed(data: bytes, change: Callable[[bytes], bytes], edit: Edit, wire: Wire) -> bytes:
    start, end = data.find(b"{"), data.rfind(b"}") + 1
    if start < 0 or end <= start:
        raise Unencodable(f"{edit.kind} at {_told(edit)}: that frame of {wire.name} has no JSON object: {data[:40]!r}")
    return data[:start] + change(data[start:end]) + data[end:]


def _malformed(document: bytes) -> bytes:
    """A bracket that is closed by one of the other kind."""
    return document[:-1] + b"]"


def _truncated(document: bytes) -> bytes:
    """The first half, without half a character."""
    return document[: len(document) // 2].decode("utf-8", "ignore").encode()


def page(fault: Fault, status: int) -> bytes:
    """A page of HTML as gateways send it, with the message of the fault."""
    message = _TAGS.sub(lambda found: f"&#{ord(found[0])};", fault.message)
    head = f"<head><title>{status}</title></head>"
    return f"<html>\r\n{head}\r\n<body>\r\n<h1>{message}</h1>\r\n</body>\r\n</html>\r\n".encode()
