"""Models that break STREAM-10, each at another kind of frame without content."""

from collections.abc import Iterator
from typing import Any

from langchain_core.outputs import ChatGenerationChunk
from pydantic import BaseModel, ConfigDict

from ..reference import ReferenceChat
from ..sse_reader import AnswerReader, Event, SSEReader
from .stream import delta_of


class NeedsADelta(ReferenceChat):
    """Fails where the delta is null."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        for choice in event["choices"]:
            choice["delta"].get("content")
        return super()._chunk(event)


class NeedsAChoice(ReferenceChat):
    """Fails where a frame has no choice and no usage either."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        if not event.get("usage"):
            event["choices"][0]
        return super()._chunk(event)


class _Choice(BaseModel):
    model_config = ConfigDict(extra="forbid")

    index: int
    delta: Any
    logprobs: Any
    finish_reason: str | None


class _Known(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str
    service_tier: str
    choices: list[_Choice]
    usage: Any = None


class KnowsAllFields(ReferenceChat):
    """Checks frames with a schema that forbids fields that it does not know."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        _Known.model_validate(event)
        return super()._chunk(event)


class FailsAtEmptyContent(ReferenceChat):
    """Fails where content is empty and no role comes with it."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        delta = delta_of(event)
        if delta.get("content") == "" and "role" not in delta:
            raise ValueError("no content")
        return super()._chunk(event)


class NullIsText(ReferenceChat):
    """Turns content that is null into the text None."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        delta = delta_of(event)
        if "content" in delta and "role" not in delta:
            delta["content"] = str(delta["content"])
        return super()._chunk(event)


class RolesBeginAnswers(ReferenceChat):
    """Begins a new paragraph where the provider sends the role again."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        delta = delta_of(event)
        if delta.get("role") and "content" not in delta:
            delta["content"] = "\n\n"
        return super()._chunk(event)


class _DataAlone(SSEReader):
    def _end_line(self, line: bytes) -> Iterator[str]:
        if line and not line.startswith(b"data:"):
            raise ValueError(f"not understood: {line!r}")
        return super()._end_line(line)


class NeedsDataInEachLine(ReferenceChat):
    """Fails at lines that are not data, such as comments."""

    def _reader(self) -> AnswerReader:
        reader = super()._reader()
        reader.sse = _DataAlone()
        return reader
