"""Right models that cut an answer otherwise than the reference does, or put more beside it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk

from ..reference import ReferenceChat
from ..sse_reader import AnswerReader, Event


class _Merging(AnswerReader):
    """Gives what came in one segment as one chunk, and what came before an error before it."""

    def feed(self, segment: bytes) -> Iterator[ChatGenerationChunk]:
        held: ChatGenerationChunk | None = None
        failed: Exception | None = None
        try:
            for chunk in super().feed(segment):
                held = held + chunk if held else chunk
        except Exception as error:  # noqa: BLE001 - it is raised below
            failed = error
        if held:
            yield held
        if failed:
            raise failed


class MergesPieces(ReferenceChat):
    """Gives the pieces that arrive together in one chunk."""

    def _reader(self) -> AnswerReader:
        return _Merging(self._chunk)


class _Remakes(ReferenceChat):
    """Makes other chunks of the reference's. `call` is the call's own, for what is kept from chunk to chunk."""

    def _remade(self, chunk: ChatGenerationChunk, call: dict[str, Any]) -> Iterator[ChatGenerationChunk]:
        raise NotImplementedError

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        call: dict[str, Any] = {}
        for chunk in super()._stream(*args, **kwargs):
            yield from self._remade(chunk, call)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        call: dict[str, Any] = {}
        async for chunk in super()._astream(*args, **kwargs):
            for each in self._remade(chunk, call):
                yield each


class EmptyChunks(_Remakes):
    """Gives an empty chunk before each chunk."""

    def _remade(self, chunk: ChatGenerationChunk, call: dict[str, Any]) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(content="", id=chunk.message.id))
        yield chunk


class HalvesPieces(_Remakes):
    """Gives each piece of text in two chunks."""

    def _remade(self, chunk: ChatGenerationChunk, call: dict[str, Any]) -> Iterator[ChatGenerationChunk]:
        text, id = str(chunk.message.content), chunk.message.id
        half = len(text) // 2
        if half:
            yield ChatGenerationChunk(message=AIMessageChunk(content=text[:half], id=id))
        chunk.message.content = text[half:]
        yield ChatGenerationChunk(message=chunk.message, generation_info=chunk.generation_info)


class GivesCallsWhole(_Remakes):
    """Gives each call whole, in a chunk of its own and without an index, once the answer is complete."""

    def _remade(self, chunk: ChatGenerationChunk, call: dict[str, Any]) -> Iterator[ChatGenerationChunk]:
        message = chunk.message
        assert isinstance(message, AIMessageChunk)
        for fragment in message.tool_call_chunks:
            held = call.setdefault(str(fragment["index"]), AIMessageChunk(content="", id=message.id))
            call[str(fragment["index"])] = held + AIMessageChunk(content="", tool_call_chunks=[fragment])
        if chunk.generation_info:
            for held in call.values():
                [whole] = held.tool_call_chunks
                bare = tool_call_chunk(name=whole["name"], args=whole["args"], id=whole["id"])
                yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[bare], id=message.id))
        if not message.tool_call_chunks:
            yield chunk


class NamesNoIds(_Remakes):
    """Leaves ids to langchain-core, which gives the run's."""

    def _remade(self, chunk: ChatGenerationChunk, call: dict[str, Any]) -> Iterator[ChatGenerationChunk]:
        chunk.message.id = None
        yield chunk

    def _generation(self, answer: Event) -> ChatGeneration:
        return super()._generation({**answer, "id": None})


class MakesItsIds(_Remakes):
    """Makes an id of its own for each call."""

    def _remade(self, chunk: ChatGenerationChunk, call: dict[str, Any]) -> Iterator[ChatGenerationChunk]:
        chunk.message.id = call.setdefault("id", str(uuid4()))
        yield chunk

    def _generation(self, answer: Event) -> ChatGeneration:
        return super()._generation({**answer, "id": str(uuid4())})


class CountsInParts(_Remakes):
    """Counts the prompt and the answer in two chunks, which add up."""

    def _remade(self, chunk: ChatGenerationChunk, call: dict[str, Any]) -> Iterator[ChatGenerationChunk]:
        message = chunk.message
        if isinstance(message, AIMessageChunk) and (usage := message.usage_metadata):
            asked = usage["input_tokens"]
            first = UsageMetadata(input_tokens=asked, output_tokens=0, total_tokens=asked)
            yield ChatGenerationChunk(message=AIMessageChunk(content="", id=message.id, usage_metadata=first))
            message.usage_metadata = {**usage, "input_tokens": 0, "total_tokens": usage["total_tokens"] - asked}
        yield chunk


class _Counting(AnswerReader):
    """Holds the finish back for the usage that may follow it."""

    held: ChatGenerationChunk | None = None

    def feed(self, segment: bytes) -> Iterator[ChatGenerationChunk]:
        yield from super().feed(segment)
        if self.done and self.held:
            yield self.held

    def read(self, event: Event) -> ChatGenerationChunk | None:
        chunk = super().read(event)
        if chunk is None or not (chunk.generation_info or self.held):
            return chunk
        self.held = self.held + chunk if self.held else chunk
        return None


class CountsWhereItFinishes(ReferenceChat):
    """Gives the finish reason and the usage in one chunk, the last."""

    def _reader(self) -> AnswerReader:
        return _Counting(self._chunk)


class CountsNothing(ReferenceChat):
    """Counts no tokens, and does not claim to."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk({**event, "usage": None})

    def _generation(self, answer: Event) -> ChatGeneration:
        return super()._generation({**answer, "usage": None})


class TellsMore(_Remakes):
    """Keeps more of an answer than the reference does: the request's id, a time, a fingerprint, headers."""

    def _remade(self, chunk: ChatGenerationChunk, call: dict[str, Any]) -> Iterator[ChatGenerationChunk]:
        if not call:
            call |= _more()
            chunk.message.response_metadata |= call
        yield chunk

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        generation.message.response_metadata |= _more()
        return generation


def _more() -> dict[str, Any]:
    return {"request_id": str(uuid4()), "created": time.time(), "system_fingerprint": "fp_1", "headers": {"x": ["y"]}}


class PausesBetweenChunks(ReferenceChat):
    """Lets others run before each chunk, so that it is slower."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for chunk in super()._stream(*args, **kwargs):
            time.sleep(0)
            yield chunk
            time.sleep(0)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in super()._astream(*args, **kwargs):
            for _ in range(3):
                await asyncio.sleep(0)
            yield chunk
