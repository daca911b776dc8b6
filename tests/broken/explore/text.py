"""Models that lose some texts and counts of tokens."""

import unicodedata
from collections.abc import Iterator
from typing import Any

from langchain_core.outputs import ChatGeneration, ChatGenerationChunk

from ...reference import ReferenceChat
from ...sse_reader import AnswerReader, Event


def delta_of(event: Event) -> Event:
    """The delta of an event; one of its own where the event has none."""
    choice: Event = next(iter(event.get("choices") or ()), {})
    return choice.get("delta") or {}


class _AfterCalls(AnswerReader):
    def read(self, event: Event) -> ChatGenerationChunk | None:
        delta = delta_of(event)
        if self._begun and (delta.get("content") or "").startswith("\n"):
            delta["content"] = ""
        return super().read(event)


class LosesLinesAfterCalls(ReferenceChat):
    """Drops a piece that begins with a line end where a call stands before it."""

    def _reader(self) -> AnswerReader:
        return _AfterCalls(self._chunk)


class LosesMarksAtCuts(ReferenceChat):
    """Drops the combining mark with which a piece begins."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        delta = delta_of(event)
        if (text := delta.get("content")) and unicodedata.combining(text[0]):
            delta["content"] = text[1:]
        return super()._chunk(event)


class DropsNamesOfTools(ReferenceChat):
    """Drops a piece that is the name of a tool which it may call."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        names = [tool["function"]["name"] for tool in kwargs.get("tools", ())]
        for chunk in super()._stream(*args, **kwargs):
            if chunk.message.content not in names:
                yield chunk


class DropsNone(ReferenceChat):
    """Drops a piece that says None, which it takes for a content that is left out."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        delta = delta_of(event)
        if delta.get("content") == "None":
            delta["content"] = None
        return super()._chunk(event)


class _AfterThoughts(AnswerReader):
    _thought = ""

    def read(self, event: Event) -> ChatGenerationChunk | None:
        delta = delta_of(event)
        self._thought = delta.get("reasoning_content") or self._thought
        if delta.get("content") == self._thought:
            delta["content"] = ""
        return super().read(event)


class DropsEchoesOfThoughts(ReferenceChat):
    """Drops a piece of text that says the same as the last piece of reasoning."""

    def _reader(self) -> AnswerReader:
        return _AfterThoughts(self._chunk)


class EmptiesWhiteSpace(ReferenceChat):
    """Takes a whole answer that is nothing but white space for none."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        if str(generation.message.content).isspace():
            generation.message.content = ""
        return generation


class _Counting(AnswerReader):
    _said = False

    def read(self, event: Event) -> ChatGenerationChunk | None:
        self._said = self._said or bool(delta_of(event).get("content"))
        choice: Event = next(iter(event.get("choices") or ()), {})
        if not (self._said or self._finished or choice.get("finish_reason")):
            event["usage"] = None
        return super().read(event)


class LosesCountsBeforeText(ReferenceChat):
    """Takes a count that comes before any text, and before the finish reason, for one of what was asked."""

    def _reader(self) -> AnswerReader:
        return _Counting(self._chunk)


class CountsNothingWhereNothingIsSaid(ReferenceChat):
    """Takes a count of no tokens in the answer for no count."""

    def _generation(self, answer: Event) -> ChatGeneration:
        return super()._generation(_counted(answer))

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk(_counted(event))


def _counted(event: Event) -> Event:
    return event if (event.get("usage") or {}).get("completion_tokens") else {**event, "usage": None}
