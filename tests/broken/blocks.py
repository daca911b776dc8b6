"""Models that break one rule of BLOCKS each."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.utils.json import parse_partial_json
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr

from ..sound.native import BlockEvent, EventWriter, MakesItsEvents, OpenBlock


class _Rewrites:
    """Rewrites the events that langchain-core's bridge makes of the model's chunks."""

    def _rewritten(self, event: BlockEvent) -> BlockEvent:
        return event

    def _stream_chat_model_events(self: Any, messages: Any, **kwargs: Any) -> Iterator[BlockEvent]:
        from langchain_core.language_models._compat_bridge import chunks_to_events  # noqa: PLC0415 - 1.4 and later

        for event in chunks_to_events(self._stream(messages, **kwargs)):
            yield self._rewritten(dict(event))

    async def _astream_chat_model_events(self: Any, messages: Any, **kwargs: Any) -> AsyncIterator[BlockEvent]:
        from langchain_core.language_models._compat_bridge import achunks_to_events  # noqa: PLC0415 - 1.4 and later

        async for event in achunks_to_events(self._astream(messages, **kwargs)):
            yield self._rewritten(dict(event))


class StartsAgain(MakesItsEvents):
    """Starts its message once more when usage comes."""

    class Writer(EventWriter):
        def feed(self, chunk: ChatGenerationChunk) -> Iterator[BlockEvent]:
            yield from super().feed(chunk)
            if isinstance(chunk.message, AIMessageChunk) and "usage" in self.end:
                yield from self.begin(chunk.message)


class StartsLate(MakesItsEvents):
    """Tells that its message starts when the message is finished."""

    class Writer(EventWriter):
        held: Iterator[BlockEvent] = iter(())

        def begin(self, message: AIMessageChunk) -> Iterator[BlockEvent]:
            self.held = iter(list(super().begin(message)))
            return iter(())

        def finish(self) -> Iterator[BlockEvent]:
            yield from self.held
            yield from super().finish()


class CountsFromOne(MakesItsEvents):
    """Counts its blocks from one."""

    class Writer(EventWriter):
        def open(self, key: Any, start: dict[str, Any]) -> BlockEvent:
            event = super().open(key, start)
            self.blocks[key].index += 1
            return {**event, "index": event["index"] + 1}


class ClosesForTheNext(MakesItsEvents):
    """Finishes a block when another starts, and goes on with the first."""

    class Writer(EventWriter):
        def add(self, key: Any, start: dict[str, Any], piece: str) -> Iterator[BlockEvent]:
            if self.blocks and key not in self.blocks:
                yield self.close(list(self.blocks.values())[-1])
            yield from super().add(key, start, piece)

        def finish(self) -> Iterator[BlockEvent]:
            ends = list(super().finish())
            yield from ends[-2:]


class LeavesCallsOpen(MakesItsEvents):
    """Finishes text and reasoning, and leaves calls open."""

    class Writer(EventWriter):
        def finish(self) -> Iterator[BlockEvent]:
            for event in super().finish():
                if event.get("content", {}).get("type") != "tool_call":
                    yield event


class StripsInTheEnd(MakesItsEvents):
    """Strips the full stop from the text with which a block finishes."""

    class Writer(EventWriter):
        def close(self, block: OpenBlock) -> BlockEvent:
            event = super().close(block)
            content = event["content"]
            return {**event, "content": {**content, **({"text": content["text"][:-1]} if "text" in content else {})}}


class RenamesCalls(MakesItsEvents):
    """Finishes calls under the name of the function with its module."""

    class Writer(EventWriter):
        def close(self, block: OpenBlock) -> BlockEvent:
            event = super().close(block)
            content = event["content"]
            return {
                **event,
                "content": {**content, **({"name": f"tools.{content['name']}"} if "name" in content else {})},
            }


class ThinksInTheProvidersTerms(MakesItsEvents):
    """Tells reasoning in blocks of the provider's own type."""

    class Writer(EventWriter):
        def open(self, key: Any, start: dict[str, Any]) -> BlockEvent:
            return super().open(key, {**start, "type": start["type"].replace("reasoning", "thinking")})


class ThinksInText(MakesItsEvents):
    """Sends reasoning as text of the block of reasoning."""

    class Writer(EventWriter):
        def delta(self, block: OpenBlock, piece: str) -> BlockEvent:
            told = {"type": "text-delta", "text": piece}
            event = super().delta(block, piece)
            return {**event, "delta": told} if block.start["type"] == "reasoning" else event


class FillsItsStartsIn(MakesItsEvents):
    """Adds the pieces of a text to the event with which its block started."""

    class Writer(EventWriter):
        def open(self, key: Any, start: dict[str, Any]) -> BlockEvent:
            event = super().open(key, start)
            self.blocks[key].start = event["content"]
            return event

        def delta(self, block: OpenBlock, piece: str) -> BlockEvent:
            if "text" in block.start:
                block.start["text"] += piece
            return super().delta(block, piece)


class CountsNothing(MakesItsEvents):
    """Leaves usage out of the event with which a message finishes."""

    class Writer(EventWriter):
        def finish(self) -> Iterator[BlockEvent]:
            self.end.pop("usage", None)
            return super().finish()


class OpenAICountsNothing(_Rewrites, ChatOpenAI):
    """Leaves usage out of the event with which a message finishes, on top of the released class."""

    def _rewritten(self, event: BlockEvent) -> BlockEvent:
        return {name: value for name, value in event.items() if name != "usage"}


class StartsABlockForEachTurn(MakesItsEvents):
    """Starts a block wherever pieces of another come, as the first bridge of langchain-core did."""

    class Writer(EventWriter):
        last: Any = None

        def add(self, key: Any, start: dict[str, Any], piece: str) -> Iterator[BlockEvent]:
            turn = len(self.blocks) if key != self.last else len(self.blocks) - 1
            self.last = key
            return super().add(turn, start, piece)


class TellsAllInTheEnd(MakesItsEvents):
    """Makes its events when all chunks have come."""

    def _stream_chat_model_events(self, *args: Any, **kwargs: Any) -> Iterator[BlockEvent]:
        yield from list(super()._stream_chat_model_events(*args, **kwargs))

    async def _astream_chat_model_events(self, *args: Any, **kwargs: Any) -> AsyncIterator[BlockEvent]:
        for event in [event async for event in super()._astream_chat_model_events(*args, **kwargs)]:
            yield event


class ListensToNobody(MakesItsEvents):
    """Answers invoke whole where events are asked for."""

    def _should_use_protocol_streaming(self, **kwargs: Any) -> bool:
        return False


class FinishesAnyway(MakesItsEvents):
    """Finishes its message where the stream breaks off."""

    def _stream_chat_model_events(self, messages: Any, **kwargs: Any) -> Iterator[BlockEvent]:
        writer = self.Writer()
        try:
            for chunk in self._stream(messages, **kwargs):
                yield from writer.feed(chunk)
        except Exception:  # noqa: BLE001 - it is what is wrong with it
            writer.end["metadata"] = {"finish_reason": "error"}
        yield from writer.finish()

    async def _astream_chat_model_events(self, messages: Any, **kwargs: Any) -> AsyncIterator[BlockEvent]:
        writer = self.Writer()
        try:
            async for chunk in self._astream(messages, **kwargs):
                for event in writer.feed(chunk):
                    yield event
        except Exception:  # noqa: BLE001 - it is what is wrong with it
            writer.end["metadata"] = {"finish_reason": "error"}
        for event in writer.finish():
            yield event


class KeepsItsStreams(MakesItsEvents):
    """Keeps what it reads from in a list, and reads in a task of its own in async."""

    _kept: list[Any] = PrivateAttr(default_factory=list)

    def _stream_chat_model_events(self, *args: Any, **kwargs: Any) -> Iterator[BlockEvent]:
        events = super()._stream_chat_model_events(*args, **kwargs)
        self._kept.append(events)
        return iter(events.__next__, None)

    async def _astream_chat_model_events(self, *args: Any, **kwargs: Any) -> AsyncIterator[BlockEvent]:
        found: asyncio.Queue[BlockEvent | Exception | None] = asyncio.Queue()

        async def read() -> None:
            try:
                async for event in super(KeepsItsStreams, self)._astream_chat_model_events(*args, **kwargs):
                    found.put_nowait(event)
            except Exception as error:  # noqa: BLE001 - it is handed over
                found.put_nowait(error)
            found.put_nowait(None)

        self._kept.append(asyncio.create_task(read()))
        while event := await found.get():
            if isinstance(event, Exception):
                raise event
            yield event


class GuessesArguments(MakesItsEvents):
    """Completes arguments that are cut off, and leaves out those that are malformed."""

    class Writer(EventWriter):
        def close(self, block: OpenBlock) -> BlockEvent:
            event = super().close(block)
            return {**event, "content": _guessed(event["content"])}


class AnthropicGuessesArguments(_Rewrites, ChatAnthropic):
    """Completes arguments that are cut off, and leaves out those that are malformed, on top of the released class."""

    def _rewritten(self, event: BlockEvent) -> BlockEvent:
        return {**event, "content": _guessed(event["content"])} if "content" in event else event


def _guessed(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] != "invalid_tool_call":
        return block
    try:
        args = parse_partial_json(block["args"])
    except ValueError:
        args = {}
    return {"type": "tool_call", "id": block["id"], "name": block["name"], "args": args}
