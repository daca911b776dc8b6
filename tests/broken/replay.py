"""Models that break one rule of REPLAY each; the recordings are those of `tests.recordings`."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk

from ..reference import ReferenceChat
from ..sse_reader import AnswerReader, Event, SSEReader


class CountsReasoningTwice(ReferenceChat):
    """Adds the reasoning tokens to the output, which includes them."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        if usage := event.get("usage"):
            more = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
            usage["completion_tokens"] += more
            usage["total_tokens"] += more
        return super()._chunk(event)


class ThinksAloud(ReferenceChat):
    """Puts reasoning into the text."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {}
            if thought := delta.pop("reasoning_content", None):
                delta["content"] = thought + (delta.get("content") or "")
        return super()._chunk(event)


class EndsWhereTheConnectionDoes(ReferenceChat):
    """Takes what has come of a stream that breaks off for the whole answer."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        try:
            yield from super()._stream(*args, **kwargs)
        except httpx.TransportError:
            return

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        try:
            async for chunk in super()._astream(*args, **kwargs):
                yield chunk
        except httpx.TransportError:
            return


class ForgetsReasoningInAsync(ReferenceChat):
    """Has code of its own for async streams, which knows no reasoning."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in super()._astream(*args, **kwargs):
            chunk.message.additional_kwargs.pop("reasoning_content", None)
            yield chunk


class _DecodesSegments(SSEReader):
    def feed(self, segment: bytes) -> Iterator[str]:
        return super().feed(segment.decode("utf-8", "replace").encode())


class DecodesEachSegment(ReferenceChat):
    """Decodes each segment of the network by itself, though characters may be cut."""

    def _reader(self) -> AnswerReader:
        reader = super()._reader()
        reader.sse = _DecodesSegments()
        return reader


class _ReadsSegments(SSEReader):
    def feed(self, segment: bytes) -> Iterator[str]:
        return (line[6:].decode() for line in segment.splitlines() if line.startswith(b"data: ") and line[-1:] in b"}]")


class TakesSegmentsForEvents(ReferenceChat):
    """Reads only lines that stand whole in one segment of the network."""

    def _reader(self) -> AnswerReader:
        reader = super()._reader()
        reader.sse = _ReadsSegments()
        return reader


class DropsReasoning(ReferenceChat):
    """Does not read reasoning."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        for choice in event.get("choices") or ():
            (choice.get("delta") or {}).pop("reasoning_content", None)
        return super()._chunk(event)

    def _generation(self, answer: Event) -> ChatGeneration:
        answer["choices"][0]["message"].pop("reasoning_content", None)
        return super()._generation(answer)
