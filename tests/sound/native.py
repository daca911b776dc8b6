"""Models that make content-block events themselves, instead of leaving it to langchain-core."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk

from ..reference import ReferenceChat

BlockEvent = dict[str, Any]
"""An event of `langchain_protocol.protocol.MessagesData`."""


@dataclass
class OpenBlock:
    """A block that has started. `key` tells it from the others of its message."""

    index: int
    start: dict[str, Any]
    pieces: list[str] = field(default_factory=list)

    @property
    def joined(self) -> str:
        return "".join(self.pieces)

    def finished(self) -> dict[str, Any]:
        """The block as it is in the end."""
        kind = self.start["type"]
        if kind != "tool_call_chunk":
            return {**self.start, kind: self.joined}
        call = {"id": self.start["id"], "name": self.start["name"]}
        try:
            return {"type": "tool_call", **call, "args": json.loads(self.joined or "{}")}
        except ValueError as error:
            return {"type": "invalid_tool_call", **call, "args": self.joined, "error": str(error)}


class EventWriter:
    """Makes the events of one message of its chunks."""

    def __init__(self) -> None:
        self.blocks: dict[Any, OpenBlock] = {}
        self.end: BlockEvent = {"event": "message-finish"}
        self.begun = False

    def feed(self, chunk: ChatGenerationChunk) -> Iterator[BlockEvent]:
        """The events of one chunk."""
        message = chunk.message
        assert isinstance(message, AIMessageChunk)
        if not self.begun:
            yield from self.begin(message)
        if thought := message.additional_kwargs.get("reasoning_content"):
            yield from self.add("reasoning", {"type": "reasoning", "reasoning": ""}, thought)
        if message.content:
            yield from self.add("text", {"type": "text", "text": ""}, str(message.content))
        for call in message.tool_call_chunks:
            start = {"type": "tool_call_chunk", "id": call["id"], "name": call["name"], "args": ""}
            yield from self.add(call["index"], start, call["args"] or "")
        if message.usage_metadata:
            self.end["usage"] = dict(message.usage_metadata)
        if chunk.generation_info:
            self.end["metadata"] = dict(chunk.generation_info)

    def begin(self, message: AIMessageChunk) -> Iterator[BlockEvent]:
        self.begun = True
        yield {"event": "message-start", "role": "ai", "id": message.id or ""}

    def add(self, key: Any, start: dict[str, Any], piece: str) -> Iterator[BlockEvent]:
        """A piece of the block with this key, which starts with its first."""
        if key not in self.blocks:
            yield self.open(key, start)
        block = self.blocks[key]
        if piece:
            block.pieces.append(piece)
            yield self.delta(block, piece)

    def open(self, key: Any, start: dict[str, Any]) -> BlockEvent:
        block = self.blocks[key] = OpenBlock(len(self.blocks), start)
        return {"event": "content-block-start", "index": block.index, "content": dict(start)}

    def delta(self, block: OpenBlock, piece: str) -> BlockEvent:
        kind = block.start["type"]
        name = "args" if kind == "tool_call_chunk" else kind
        told = {"type": f"{kind.removesuffix('_chunk').replace('_', '-')}-delta", name: piece}
        return {"event": "content-block-delta", "index": block.index, "delta": told}

    def finish(self) -> Iterator[BlockEvent]:
        """The events that end the message; none where nothing came."""
        if not self.begun:
            return
        for block in self.blocks.values():
            yield self.close(block)
        yield self.end

    def close(self, block: OpenBlock) -> BlockEvent:
        return {"event": "content-block-finish", "index": block.index, "content": block.finished()}


class MakesItsEvents(ReferenceChat):
    """Makes content-block events itself."""

    Writer: ClassVar[type[EventWriter]] = EventWriter

    def _stream_chat_model_events(self, messages: list[BaseMessage], **kwargs: Any) -> Iterator[BlockEvent]:
        writer = self.Writer()
        for chunk in self._stream(messages, **kwargs):
            yield from writer.feed(chunk)
        yield from writer.finish()

    async def _astream_chat_model_events(self, messages: list[BaseMessage], **kwargs: Any) -> AsyncIterator[BlockEvent]:
        writer = self.Writer()
        async for chunk in self._astream(messages, **kwargs):
            for event in writer.feed(chunk):
                yield event
        for event in writer.finish():
            yield event
