"""Models that break one rule of STREAM each, by what their chunks say and when they come."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessageChunk, ChatMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import Field

from ..reference import ReferenceChat
from ..sse_reader import AnswerReader, Event


def delta_of(event: Event) -> Event:
    """The delta of an event; one of its own where the event has none."""
    choices = event["choices"]
    return (choices[0].get("delta") or {}) if choices else {}


class MixesKindsOfChunks(ReferenceChat):
    """Gives a chunk of another kind for what the role says before the text."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        chunks = super()._stream(*args, **kwargs)
        first = next(chunks)
        yield ChatGenerationChunk(message=AIMessageChunk(content=""))
        yield ChatGenerationChunk(message=ChatMessageChunk(role="assistant", content=""))
        yield first
        yield from chunks


class DropsWhiteSpace(ReferenceChat):
    """Skips pieces that hold nothing but white space."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        text = delta_of(event).get("content") or ""
        return None if text.isspace() else super()._chunk(event)


class OpenAIStripsPieces(ChatOpenAI):
    """Takes the line end off each piece, on top of the released class."""

    def _convert_chunk_to_generation_chunk(self, chunk: Event, *args: Any) -> ChatGenerationChunk | None:
        for choice in chunk.get("choices") or ():
            if choice.get("delta") and choice["delta"].get("content"):
                choice["delta"]["content"] = choice["delta"]["content"].rstrip("\n")
        return super()._convert_chunk_to_generation_chunk(chunk, *args)


class AnthropicStripsPieces(ChatAnthropic):
    """Strips each piece, on top of the released class."""

    def _make_message_chunk_from_anthropic_event(self, event: Any, *args: Any, **kwargs: Any) -> Any:
        chunk, block = super()._make_message_chunk_from_anthropic_event(event, *args, **kwargs)
        if chunk and isinstance(chunk.content, str):
            chunk.content = chunk.content.strip("\n")
        return chunk, block


class _AllLineEnds(AnswerReader):
    def feed(self, segment: bytes) -> Iterator[ChatGenerationChunk]:
        for end in ("\x85", "\u2028", "\u2029"):
            segment = segment.replace(end.encode(), b"\n")
        return super().feed(segment)


class CutsAtAllLineEnds(ReferenceChat):
    """Cuts the stream into lines as str.splitlines does."""

    def _reader(self) -> AnswerReader:
        return _AllLineEnds(self._chunk)


class _NoRepeats(AnswerReader):
    last = ""

    def read(self, event: Event) -> ChatGenerationChunk | None:
        text = delta_of(event).get("content")
        if text and text == self.last:
            return None
        self.last = text or self.last
        return super().read(event)


class SkipsRepeats(ReferenceChat):
    """Skips a piece that says the same as the one before."""

    def _reader(self) -> AnswerReader:
        return _NoRepeats(self._chunk)


class _DoneAnywhere(AnswerReader):
    def read(self, event: Event) -> ChatGenerationChunk | None:
        self.done = self.done or "[DONE]" in (delta_of(event).get("content") or "")
        return None if self.done else super().read(event)


class EndsAtDoneInTheText(ReferenceChat):
    """Takes [DONE] inside the text for the end of the stream."""

    def _reader(self) -> AnswerReader:
        return _DoneAnywhere(self._chunk)


class LooksOneAhead(ReferenceChat):
    """Holds each chunk back until the next has come, to know which is the last."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        held: ChatGenerationChunk | None = None
        for chunk in super()._stream(*args, **kwargs):
            if held:
                yield held
            held = chunk
        if held:
            yield held


class GivesPiecesInPairs(ReferenceChat):
    """Gives the first piece at once and the others two at a time."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        chunks = super()._stream(*args, **kwargs)
        yield next(chunks)
        for chunk in chunks:
            yield from [chunk, *([second] if (second := next(chunks, None)) else [])]


class NewIdForEachChunk(ReferenceChat):
    """Makes an id for each chunk."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk({**event, "id": f"chunk-{uuid4()}"})


class OneIdForAllStreams(ReferenceChat):
    """Makes the id of its chunks when it is built."""

    answer_id: str = Field(default_factory=lambda: f"answer-{uuid4()}")

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk({**event, "id": self.answer_id})


class SkipsFramesWithoutChoices(ReferenceChat):
    """Skips every frame without a choice, and so the one with the usage."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk(event) if event["choices"] else None


class KnowsNoLength(ReferenceChat):
    """Ends each stream with the finish reason "stop" where the provider says "length"."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        for choice in event["choices"]:
            choice["finish_reason"] = choice["finish_reason"] and choice["finish_reason"].replace("length", "stop")
        return super()._chunk(event)


class ForgetsWhichCall(ReferenceChat):
    """Leaves the index out of the fragments of tool calls."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        for call in delta_of(event).get("tool_calls") or ():
            call["index"] = None
        return super()._chunk(event)


class _InPlace(AIMessageChunk):
    def __add__(self, other: Any) -> AIMessageChunk:  # type: ignore[override]
        total: AIMessageChunk = super().__add__(other)
        if not isinstance(other, list):
            self.content = total.content
        return total


class AddsInPlace(ReferenceChat):
    """Has chunks of its own, which change when another is added to them."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for chunk in super()._stream(*args, **kwargs):
            assert isinstance(chunk.message, AIMessageChunk)
            chunk.message = _InPlace(**chunk.message.model_dump(exclude={"type"}))
            yield chunk


class TellsTheTierOnEachChunk(ReferenceChat):
    """Repeats the service tier on each chunk."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        if chunk := super()._chunk(event):
            chunk.message.response_metadata = {"service_tier": event.get("service_tier")}
        return chunk


class _FinishAgain(AnswerReader):
    info: dict[str, Any] | None = None

    def read(self, event: Event) -> ChatGenerationChunk | None:
        if chunk := self.convert(event):
            self.info = chunk.generation_info = chunk.generation_info or self.info
        return chunk


class FinishesOnEachFrame(ReferenceChat):
    """Repeats finish reason and model name on all frames from the finish on."""

    def _reader(self) -> AnswerReader:
        return _FinishAgain(self._chunk)


class _AsSent(AnswerReader):
    def read(self, event: Event) -> ChatGenerationChunk | None:
        return self.convert(event)


class RepeatsWhatIsRepeated(ReferenceChat):
    """Tells the finish reason as often as the provider sends it."""

    def _reader(self) -> AnswerReader:
        return _AsSent(self._chunk)


class MarksTheFinishAsLast(ReferenceChat):
    """Marks the chunk with the finish reason as the last, though the usage comes after it."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        chunk = super()._chunk(event)
        if chunk and chunk.generation_info and isinstance(chunk.message, AIMessageChunk):
            chunk.message.chunk_position = "last"
        return chunk
