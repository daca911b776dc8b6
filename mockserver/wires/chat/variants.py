"""Chat Completions, written otherwise: streams that make the same calls in the ways in which servers make them.

Sources, beside those that a dialect names in `call_sources`: the id on each fragment, BerriAI/litellm#20480; an empty
id and name on later ones, InternLM/lmdeploy#3412; calls under one index, langchain-ai/langchain#34807 and
ai-dynamo/dynamo#4723; calls without an index, THU-MAIC/OpenMAIC#1556; no arguments, the type
`ChoiceDeltaToolCallFunction` of `openai`, whose fields are all optional.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from ...frames import Frame
from ...framings import sse
from ...reply import Reply
from ..base import Variant, dumps, recorded_object
from .dialects import Dialect
from .writing import Stream

_Call = dict[str, Any]
_Edit = Callable[[_Call], None]
_ABSENT_ARGUMENTS: Final = "type ChoiceDeltaToolCallFunction of openai: arguments are optional"


def call_variants(dialect: Dialect, reply: Reply, word: str) -> dict[str, Variant]:
    """By name, streams of `reply`. `word`: why the answer ended."""
    if dialect.calls != "tool_calls" or not reply.tool_calls:
        return {}
    pieces = _frames(dialect, reply, word, whole=False)
    whole = _frames(dialect, reply, word, whole=True)
    found = {"in-pieces": pieces} if dialect.whole_calls else {"whole": whole}
    if any(len(call.pieces) > 1 for call in reply.tool_calls):
        ids = dict(enumerate(call.id for call in reply.tool_calls))
        found["id-on-each"] = _edited(pieces, _later(lambda call: call.update(id=ids[call["index"]])))
        found["empty-id"] = _edited(pieces, _later(_placeholder("")))
        if "null-id" in dialect.call_sources:
            found["null-id"] = _edited(pieces, _later(_placeholder("null")))
    if len(reply.tool_calls) > 1:
        found["one-frame"] = tuple(_together(whole))
        found["same-index"] = _edited(whole, lambda call: call.update(index=0))
    found["no-index"] = _edited(whole, lambda call: call.pop("index"))
    if all(not call.pieces for call in reply.tool_calls):
        found["absent-arguments"] = _edited(whole, lambda call: call["function"].pop("arguments"))
        found["null-arguments"] = _edited(whole, lambda call: call["function"].update(arguments=None))
    sources = {"absent-arguments": _ABSENT_ARGUMENTS, "null-arguments": _ABSENT_ARGUMENTS, **dialect.call_sources}
    return {name: Variant(frames, sources.get(name, "")) for name, frames in found.items()}


def _frames(dialect: Dialect, reply: Reply, word: str, *, whole: bool) -> tuple[Frame, ...]:
    return tuple(Stream(replace(dialect, whole_calls=whole), reply, usage=True).frames(word))


def _later(edit: _Edit) -> _Edit:
    """Edits fragments that follow the first of a call, which alone has a type."""

    def edit_later(call: _Call) -> None:
        if "type" not in call:
            edit(call)

    return edit_later


def _placeholder(id: str) -> _Edit:
    def edit(call: _Call) -> None:
        call["id"] = id
        call["function"]["name"] = ""

    return edit


def _edited(frames: tuple[Frame, ...], edit: _Edit) -> tuple[Frame, ...]:
    """The frames with each fragment of a call edited."""

    def edited(frame: Frame) -> Frame:
        chunk = _chunk(frame)
        calls = _calls(chunk)
        for call in calls:
            edit(call)
        return replace(frame, data=sse.encode(dumps(chunk))) if calls else frame

    return tuple(map(edited, frames))


def _together(frames: tuple[Frame, ...]) -> Iterator[Frame]:
    """The frames with all calls in the first that has one."""
    calling = [frame for frame in frames if _calls(_chunk(frame))]
    calls = [call for frame in calling for call in _calls(_chunk(frame))]
    for frame in frames:
        if frame is calling[0]:
            chunk = _chunk(frame)
            chunk["choices"][0]["delta"]["tool_calls"] = calls
            yield replace(frame, data=sse.encode(dumps(chunk)))
        elif frame not in calling:
            yield frame


def _chunk(frame: Frame) -> dict[str, Any]:
    event = next(sse.events(frame.data), None)
    return recorded_object(event.data) if event else {}


def _calls(chunk: dict[str, Any]) -> list[_Call]:
    """The calls in a chunk, as they stand in it."""
    return [call for choice in chunk.get("choices") or () for call in choice["delta"].get("tool_calls") or ()]
