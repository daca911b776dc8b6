"""What a stream of content-block events must keep: each way to break it is told, and what is allowed is not blamed."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from conformance.block_events import blocks, envelope, said, same_throughout
from conformance.verdict import Broken

Events = list[dict[str, Any]]

HEAD: Final[dict[str, Any]] = {"event": "message-start", "role": "ai", "id": "1"}
TAIL: Final[dict[str, Any]] = {"event": "message-finish"}


def start(index: Any, type: str = "text", **more: Any) -> dict[str, Any]:
    return {"event": "content-block-start", "index": index, "content": {"type": type, **more}}


def delta(index: Any, type: str = "text-delta", **more: Any) -> dict[str, Any]:
    return {"event": "content-block-delta", "index": index, "delta": {"type": type, **more}}


def finish(index: Any, type: str = "text", **more: Any) -> dict[str, Any]:
    return {"event": "content-block-finish", "index": index, "content": {"type": type, **more}}


def text(index: int = 0, *pieces: str) -> Events:
    """A block of text, whole."""
    return [
        start(index, text=""), *(delta(index, text=each) for each in pieces), finish(index, text="".join(pieces)),
    ]  # fmt: skip


def call(*deltas: dict[str, Any], begun: dict[str, Any] | None = None, **ended: Any) -> Events:
    """A call from start to finish."""
    opened = {"id": "c", "name": "f", "args": "", **(begun or {})}
    closed = {"type": "tool_call", "id": "c", "name": "f", "args": {"x": 1}, **ended}
    return [start(0, "tool_call_chunk", **opened), *deltas, finish(0, **closed)]


def args(*pieces: str) -> list[dict[str, Any]]:
    return [delta(0, "tool-call-delta", args=each) for each in pieces]


def all_of(events: Events) -> None:
    """All that is asked of a stream of events."""
    envelope(events)
    for block in blocks(events):
        same_throughout(block)


def again(*pieces: str) -> list[dict[str, Any]]:
    """Deltas that say again what came before, as langchain-core made them up to 1.6."""
    fields = {"type": "tool_call_chunk", "id": "c", "name": "f"}
    return [delta(0, "block-delta", fields={**fields, "args": each}) for each in pieces]


ALLOWED: Final[dict[str, Events]] = {
    "no blocks": [HEAD, TAIL],
    "text": [HEAD, *text(0, "Hel", "lo"), TAIL],
    "empty text": [HEAD, *text(), TAIL],
    "text that is told in the end alone": [HEAD, start(0, text=""), finish(0, text="Hello"), TAIL],
    "empty deltas": [HEAD, *text(0, "", "Hello", ""), TAIL],
    "two blocks in turns": [
        HEAD, start(0, text=""), delta(0, text="a"), start(1, "reasoning"),
        delta(1, "reasoning-delta", reasoning="b"), delta(0, text="c"), finish(1, "reasoning", reasoning="b"),
        finish(0, text="ac"), TAIL,
    ],
    "an id that comes late": [HEAD, start(0, text=""), finish(0, text="", id="msg_1"), TAIL],
    "an id of text that is not told again": [HEAD, start(0, text="", id="msg_1"), finish(0, text=""), TAIL],
    "reasoning without text": [HEAD, start(0, "reasoning"), finish(0, "reasoning"), TAIL],
    "a call": [HEAD, *call(*args('{"x":', "1}")), TAIL],
    "a call whose start holds some of its arguments": [HEAD, *call(*args("1}"), begun={"args": '{"x":'}), TAIL],
    "a call whose name comes late": [HEAD, *call(*args('{"x":1}'), begun={"name": None, "id": None}), TAIL],
    "a call without arguments": [HEAD, *call(args={}), TAIL],
    "a call that arrives whole": [HEAD, start(0, "tool_call", args={}), finish(0, "tool_call", args={"x": 1}), TAIL],
    "a call in snapshots": [HEAD, *call(*again("", '{"x":', '{"x":1}')), TAIL],
    "a call that is not right": [HEAD, *call(*args('{"x":'), type="invalid_tool_call", args='{"x":'), TAIL],
    "a call of the server's": [
        HEAD, start(0, "server_tool_call_chunk", args=""), delta(0, "tool-call-delta", args="{}"),
        finish(0, "server_tool_call", args={}), TAIL,
    ],
    "an image": [HEAD, start(0, "image"), delta(0, "data-delta", data="aGk="), finish(0, "image", base64="aGk="), TAIL],
    "an image elsewhere": [HEAD, start(0, "image"), delta(0, "data-delta", data="aGk="), finish(0, "image"), TAIL],
    "deltas and events of types that are not known": [
        HEAD, {"event": "new"}, start(0, text=""), delta(0, "new-delta", x=1), finish(0, text=""), TAIL,
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed_is_not_blamed(name: str) -> None:
    """A stream that the protocol allows holds."""
    all_of(ALLOWED[name])


BROKEN: Final[dict[str, tuple[Callable[[Events], object], Events]]] = {
    "no events": (envelope, []),
    "no start": (envelope, [*text(0, "a"), TAIL]),
    "two starts": (envelope, [HEAD, HEAD, TAIL]),
    "a late start": (envelope, [start(0), HEAD, finish(0), TAIL]),
    "no finish": (envelope, [HEAD, *text(0, "a")]),
    "two finishes": (envelope, [HEAD, TAIL, TAIL]),
    "something after the finish": (envelope, [HEAD, TAIL, start(0)]),
    "another role": (envelope, [{**HEAD, "role": "human"}, TAIL]),
    "counted from 1": (blocks, [start(1), finish(1)]),
    "a gap": (blocks, [*text(0), *text(2)]),
    "one index for two blocks": (blocks, [*text(0), *text(0)]),
    "an index that is text": (blocks, [start("0"), finish("0")]),
    "an index that is a boolean": (blocks, [start(index=False), finish(index=False)]),
    "an index that is a float": (blocks, [start(0.0), finish(0.0)]),
    "an index below 0": (blocks, [start(0), delta(-1, text="a"), finish(0)]),
    "a delta before its start": (blocks, [delta(0, text="a"), *text(0)]),
    "a delta after its finish": (blocks, [*text(0), delta(0, text="a")]),
    "a finish without a start": (blocks, [finish(0)]),
    "two finishes of a block": (blocks, [*text(0), finish(0)]),
    "a block that is left open": (blocks, [start(0), start(1), finish(1)]),
    "a start without a block": (blocks, [{"event": "content-block-start", "index": 0}]),
    "a delta without a type": (blocks, [start(0), {"event": "content-block-delta", "index": 0, "delta": {}}]),
    "another type in the end": (all_of, [HEAD, start(0, text=""), finish(0, "reasoning"), TAIL]),
    "a call that stays a chunk": (all_of, [HEAD, *call(type="tool_call_chunk"), TAIL]),
    "a type of the provider's own": (all_of, [HEAD, start(0, "thinking"), finish(0, "thinking"), TAIL]),
    "another id": (all_of, [HEAD, start(0, id="a"), finish(0, text="", id="b"), TAIL]),
    "a call whose id is lost": (all_of, [HEAD, *call(id=None), TAIL]),
    "another name": (all_of, [HEAD, *call(name="g"), TAIL]),
    "reasoning in a block of text": (
        all_of, [HEAD, start(0), delta(0, "reasoning-delta", reasoning="a"), finish(0, text="a"), TAIL],
    ),
    "text in a call": (all_of, [HEAD, *call(delta(0, text='{"x":1}')), TAIL]),
    "arguments in a block of text": (all_of, [HEAD, start(0), *args("a"), finish(0, text="a"), TAIL]),
    "a snapshot of another type": (all_of, [HEAD, start(0), *again("a"), finish(0, text=""), TAIL]),
    "text that is not the deltas'": (all_of, [HEAD, start(0), delta(0, text="a"), finish(0, text="b"), TAIL]),
    "text that goes on in the end": (all_of, [HEAD, start(0), delta(0, text="a"), finish(0, text="ab"), TAIL]),
    "text that is stripped in the end": (all_of, [HEAD, start(0), delta(0, text="a "), finish(0, text="a"), TAIL]),
    "text that is missing in the end": (all_of, [HEAD, start(0), delta(0, text="a"), finish(0), TAIL]),
    "reasoning that is missing in the end": (
        all_of,
        [HEAD, start(0, "reasoning"), delta(0, "reasoning-delta", reasoning="a"), finish(0, "reasoning"), TAIL],
    ),
    "other arguments": (all_of, [HEAD, *call(*args('{"x":2}')), TAIL]),
    "arguments as text": (all_of, [HEAD, *call(*args('{"x":1}'), args='{"x":1}'), TAIL]),
    "arguments that were guessed": (all_of, [HEAD, *call(*args('{"x":1')), TAIL]),
    "other text of a call that is not right": (
        all_of, [HEAD, *call(*args('{"x":'), type="invalid_tool_call", args="{}"), TAIL],
    ),
    "other data": (
        all_of, [HEAD, start(0, "image"), delta(0, "data-delta", data="aGk="), finish(0, "image", base64="eA=="), TAIL],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_told(name: str) -> None:
    """A stream that breaks the protocol does not hold, and the text says what was seen."""
    check, events = BROKEN[name]
    with pytest.raises(Broken) as broken:
        check(events)
    assert broken.value.expected
    assert broken.value.observed


def test_pieces_of_one_kind_are_joined_as_they_came() -> None:
    """Deltas of other kinds are left out."""
    events = [delta(1, text="a"), delta(0, "reasoning-delta", reasoning="b"), delta(0, text="c")]
    assert said(events, "text-delta") == "ac"
    assert said(events, "reasoning-delta") == "b"
