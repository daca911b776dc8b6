"""What a stream of content-block events must keep (`stream_events` and `astream_events`, version v3).

A message is `message-start`, its blocks, `message-finish`. A block is `content-block-start`, any number of
`content-block-delta`, `content-block-finish`; blocks are counted from 0 and may take turns. The shapes are those of
`langchain_protocol.protocol.MessagesData`. Event types and delta types that are not known are passed over, as the
protocol asks of its readers.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .verdict import Broken
from .wording import brief

Event = Mapping[str, Any]

MESSAGE_START: Final = "message-start"
MESSAGE_FINISH: Final = "message-finish"
START: Final = "content-block-start"
DELTA: Final = "content-block-delta"
FINISH: Final = "content-block-finish"
_OF_BLOCKS: Final = (START, DELTA, FINISH)

_CALLS: Final[Mapping[str, str]] = {"tool_call_chunk": "tool_call", "server_tool_call_chunk": "server_tool_call"}
"""What a call is while it streams, and what it is in the end, where its arguments are right."""
_INVALID: Final = "invalid_tool_call"
_FINAL: Final = (
    "text", "reasoning", "tool_call", _INVALID, "server_tool_call", "server_tool_result", "image", "audio", "video",
    "file", "non_standard",
)  # fmt: skip
"""`langchain_protocol.protocol.FinalizedContentBlock`; langchain-core leaves a block of another type out of the
message."""
_PIECE: Final = {"text-delta": "text", "reasoning-delta": "reasoning", "tool-call-delta": "args", "data-delta": "data"}
"""By the type of a delta, the field that holds its piece."""
_BELONGS: Final[Mapping[str, tuple[str, ...]]] = {
    "text-delta": ("text",),
    "reasoning-delta": ("reasoning",),
    "tool-call-delta": tuple(_CALLS),
    "data-delta": ("image", "audio", "video", "file", "non_standard"),
}
"""By the type of a delta, the types of blocks that it belongs to."""
_SNAPSHOT: Final = "block-delta"
"""A delta that says again what came before it: that of calls up to langchain-core 1.6."""


@dataclass
class Block:
    """One block as its events tell it.

    Args:
        index: its place in the message.
        start: content of its start.
        finish: content of its finish; `None` before that.
        kinds: the types of its deltas, each once.
    """

    index: int
    start: Mapping[str, Any]
    finish: Mapping[str, Any] | None = None
    kinds: list[str] = field(default_factory=list)
    _pieces: list[str] = field(default_factory=list)

    @property
    def type(self) -> str:
        return str(self.start.get("type"))

    @property
    def joined(self) -> str:
        """All its deltas joined; what a call's start holds of its arguments comes first."""
        begun = str(self.start.get("args") or "") if self.type in _CALLS else ""
        return begun + "".join(self._pieces)

    def add(self, delta: Mapping[str, Any]) -> None:
        """Add a delta."""
        kind = str(delta["type"])
        fields = delta.get("fields")
        if kind == _SNAPSHOT and isinstance(fields, Mapping):
            kind = f"{_SNAPSHOT} of {fields.get('type')}"
            if self.type in _CALLS:
                self._pieces = [str(fields.get("args") or "")]
        elif kind in _PIECE:
            self._pieces.append(str(delta.get(_PIECE[kind]) or ""))
        if kind not in self.kinds:
            self.kinds.append(kind)


def envelope(events: Sequence[Event]) -> None:
    """A message starts first and once, and finishes last and once.

    Raises:
        Broken: it does not.
    """
    kinds = [str(event.get("event")) for event in events]
    if not events:
        raise Broken(f"{MESSAGE_START} … {MESSAGE_FINISH}", "no events")
    for kind, place, where in ((MESSAGE_START, 0, "first"), (MESSAGE_FINISH, len(kinds) - 1, "last")):
        found = [number for number, each in enumerate(kinds) if each == kind]
        if found != [place]:
            told = ", ".join(str(number + 1) for number in found) or "none"
            raise Broken(f"{kind} {where} and once", f"of {len(kinds)} events: {told}", because=_told(kinds))
    if (role := events[0].get("role")) != "ai":
        raise Broken(f"{MESSAGE_START} with the role 'ai'", repr(role))


def _told(kinds: Iterable[str]) -> str:
    return ", ".join(f"{kind} ×{count}" if count > 1 else kind for kind, count in Counter(kinds).items())


def blocks(events: Sequence[Event]) -> list[Block]:
    """The blocks of a message, each with its start, deltas and finish.

    Raises:
        Broken: the blocks are not counted from 0 without gaps; a delta or finish belongs to no open block; a block
            is left open.
    """
    found: list[Block] = []
    for number, event in enumerate(events, 1):
        kind = event.get("event")
        if kind not in _OF_BLOCKS:
            continue
        index = event.get("index")
        if type(index) is not int:
            raise Broken("the index of a block is an integer", f"{index!r} in event {number}, {kind}")
        if kind == START:
            if index != len(found):
                raise Broken(f"block {len(found)} starts next", f"event {number} starts block {index}")
            found.append(Block(index, _content(event, "content", number)))
            continue
        if not 0 <= index < len(found) or found[index].finish is not None:
            why = "finished before" if 0 <= index < len(found) else "never started"
            raise Broken(f"{kind} of an open block", f"event {number}: block {index} {why}")
        if kind == DELTA:
            found[index].add(_content(event, "delta", number))
        else:
            found[index].finish = _content(event, "content", number)
    if left := [block.index for block in found if block.finish is None]:
        raise Broken(f"{FINISH} for each block", f"none for {', '.join(f'block {index}' for index in left)}")
    return found


def _content(event: Event, name: str, number: int) -> Mapping[str, Any]:
    """The block or delta in an event; it has a type."""
    content = event.get(name)
    if not isinstance(content, Mapping) or not isinstance(content.get("type"), str):
        raise Broken(f"a {name} with a type", f"{brief(content)} in event {number}, {event.get('event')}")
    return content


def same_throughout(block: Block) -> None:
    """A finished block is what its start and its deltas said.

    Deltas are not demanded: what arrives whole may stand in the finish alone.

    Raises:
        Broken: its type, id or name changes, a delta is of another type, or the deltas say something else.
    """
    assert block.finish is not None
    _same_type(block, block.finish)
    for name in ("id", "name"):
        begun, ended = block.start.get(name), block.finish.get(name)
        # One that comes late is right, and so is one that text does not tell again.
        if begun and begun != ended and (ended or block.type in _CALLS):
            raise Broken(f"block {block.index} with the {name} {begun!r}, as it started", f"{ended!r} in its finish")
    if block.joined:
        _same_payload(block, block.finish)


def _same_type(block: Block, finish: Mapping[str, Any]) -> None:
    wanted = (_CALLS[block.type], _INVALID) if block.type in _CALLS else (block.type,)
    if finish["type"] not in wanted:
        told = " or ".join(wanted)
        raise Broken(f"block {block.index} finishes as {told}, for it started as {block.type}", finish["type"])
    if finish["type"] not in _FINAL:
        raise Broken(f"block {block.index} is of one of the types {', '.join(_FINAL)}", finish["type"])
    for kind in block.kinds:
        again = kind.removeprefix(f"{_SNAPSHOT} of ")
        if block.type not in _BELONGS.get(kind, (block.type,)) or again not in (kind, block.type):
            raise Broken(f"deltas of block {block.index}, a {block.type}, are of its type", kind)


def _same_payload(block: Block, finish: Mapping[str, Any]) -> None:
    kind, joined = str(finish["type"]), block.joined
    if kind in _CALLS.values():
        said, wanted = finish.get("args"), _parsed(joined)
    elif kind in ("text", "reasoning", _INVALID):
        said, wanted = finish.get("args" if kind == _INVALID else kind), joined
    else:
        said, wanted = next((finish[name] for name in ("base64", "data") if finish.get(name)), joined), joined
    if said != wanted:
        raise Broken(f"block {block.index} finishes with what its deltas say: {brief(wanted)}", brief(said))


def _parsed(text: str) -> Any:
    """Arguments as JSON reads them; `None` where it cannot."""
    try:
        return json.loads(text, strict=False)
    except ValueError:
        return None


def said(events: Sequence[Event], kind: str) -> str:
    """All deltas of a type, joined as they came."""
    deltas = [event.get("delta") or {} for event in events if event.get("event") == DELTA]
    return "".join(str(delta.get(_PIECE[kind]) or "") for delta in deltas if delta.get("type") == kind)
