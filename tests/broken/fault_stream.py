"""Models that break one rule of FAULT each, by what they make of answers that break off."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from ..reference import ReferenceChat
from ..sse_reader import AnswerReader, Event, ProviderError


class _SkippingReader(AnswerReader):
    def read(self, event: Event) -> ChatGenerationChunk | None:
        return None if event.get("error") else super().read(event)


class SkipsErrorFrames(ReferenceChat):
    """Skips error frames as frames without content."""

    def _reader(self) -> AnswerReader:
        return _SkippingReader(self._chunk)


class AnthropicEndsAtErrors(ChatAnthropic):
    """Ends a stream where the provider reports an error in it."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        has_begun = False
        try:
            for chunk in super()._stream(*args, **kwargs):
                yield chunk
                has_begun = True
        except anthropic.APIError:
            if not has_begun:
                raise


class EndsAtResets(ReferenceChat):
    """Ends a stream where the connection is reset."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        try:
            yield from super()._stream(*args, **kwargs)
        except httpx.ReadError:
            return


class AnswersNothingWhenCutOff(ReferenceChat):
    """Gives an empty answer where the connection is closed inside one."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return await super()._agenerate(*args, **kwargs)
        except httpx.RemoteProtocolError:
            return ChatResult(generations=[ChatGeneration(message=AIMessage(""))])


class _PatientReader(AnswerReader):
    def end(self) -> None:
        pass


class MakesUpAFinish(ReferenceChat):
    """Says that an answer is whole where its stream ends early."""

    def _reader(self) -> AnswerReader:
        return _PatientReader(self._chunk)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        chunk: ChatGenerationChunk | None = None
        is_finished = False
        for chunk in super()._stream(*args, **kwargs):
            yield chunk
            is_finished |= bool(chunk.generation_info)
        if chunk and not is_finished:
            info = {"finish_reason": "stop", "model_name": self.model}
            yield ChatGenerationChunk(message=AIMessageChunk(content=""), generation_info=info)


class _LenientReader(AnswerReader):
    def feed(self, segment: bytes) -> Iterator[ChatGenerationChunk]:
        for data in self.sse.feed(segment):
            if data == "[DONE]":
                self.done = True
                return
            try:
                event = json.loads(data)
            except json.JSONDecodeError:
                continue
            if chunk := self.read(event):
                yield chunk


class SkipsWhatItCannotRead(ReferenceChat):
    """Skips frames whose JSON it cannot read."""

    def _reader(self) -> AnswerReader:
        return _LenientReader(self._chunk)


class _WordlessReader(AnswerReader):
    def read(self, event: Event) -> ChatGenerationChunk | None:
        if event.get("error"):
            raise ProviderError("the stream failed")
        return super().read(event)


class RaisesWithoutWords(ReferenceChat):
    """Raises for error frames without the provider's words."""

    def _reader(self) -> AnswerReader:
        return _WordlessReader(self._chunk)
