"""Models that break one rule of STREAM each, by what they keep and by how they end."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import PrivateAttr

from ..reference import ReferenceChat
from ..sse_reader import AnswerReader, Event


class SharesARecord(ReferenceChat):
    """Hangs one record of the provider on all chunks."""

    _record: dict[str, Any] = PrivateAttr(default_factory=lambda: {"region": "north"})

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        if chunk := super()._chunk(event):
            chunk.message.additional_kwargs["provider"] = self._record
        return chunk


class FillsInUsageLater(ReferenceChat):
    """Writes the usage into the chunk with the finish reason, which it has given away by then."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        last: ChatGenerationChunk | None = None
        async for chunk in super()._astream(*args, **kwargs):
            if last and isinstance(chunk.message, AIMessageChunk) and chunk.message.usage_metadata:
                assert isinstance(last.message, AIMessageChunk)
                last.message.usage_metadata = chunk.message.usage_metadata
            else:
                yield chunk
            last = chunk


class _Iterator(Iterator[Any]):
    """An iterator over `make()` that is no generator."""

    def __init__(self, make: Callable[[], Iterator[Any]]) -> None:
        self.make = make
        self.chunks: Any = make()

    def __next__(self) -> Any:
        return next(self.chunks)

    def close(self) -> None:
        self.chunks.close()


class _Restarts(_Iterator):
    def __next__(self) -> Any:
        try:
            return next(self.chunks)
        except StopIteration:
            self.chunks = self.make()
            raise


class StartsAgain(ReferenceChat):
    """Gives an iterator that asks again when it is used after its end."""

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[AIMessageChunk]:
        make = super().stream
        return _Restarts(lambda: make(*args, **kwargs))


class _ClosesOnce(_Iterator):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("the stream is closed")
        self.closed = True
        super().close()


class ClosesOnce(ReferenceChat):
    """Gives an iterator that raises when it is closed again."""

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[AIMessageChunk]:
        make = super().stream
        return _ClosesOnce(lambda: make(*args, **kwargs))


class _RaisesAgain(_Iterator):
    error: Exception | None = None

    def __next__(self) -> Any:
        if self.error:
            raise self.error
        try:
            return next(self.chunks)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise


class RaisesAgain(ReferenceChat):
    """Gives an iterator that raises its error again whenever it is asked."""

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[AIMessageChunk]:
        make = super().stream
        return _RaisesAgain(lambda: make(*args, **kwargs))


class GivesUpAfterAFailure(ReferenceChat):
    """Refuses to stream once a stream has failed."""

    _failed: bool = PrivateAttr(default=False)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        if self._failed:
            raise RuntimeError("the connection is lost")
        try:
            yield from super()._stream(*args, **kwargs)
        except Exception:
            self._failed = True
            raise


class ClosesItselfWithItsStream(ReferenceChat):
    """Closes its client for good when a stream is left early."""

    _closed: bool = PrivateAttr(default=False)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        if self._closed:
            raise RuntimeError("the client is closed")
        try:
            async for chunk in super()._astream(*args, **kwargs):
                yield chunk
        except GeneratorExit:
            self._closed = True
            raise


class FinishesOnce(ReferenceChat):
    """Keeps on the instance whether the finish reason was told."""

    _told: bool = PrivateAttr(default=False)

    def _reader(self) -> AnswerReader:
        self._told = False
        return super()._reader()

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        chunk = super()._chunk(event)
        if chunk and chunk.generation_info:
            chunk.generation_info = None if self._told else chunk.generation_info
            self._told = True
        return chunk


class KeepsTextOnTheInstance(ReferenceChat):
    """Collects the text on the instance and gives what was added since the last chunk."""

    _text: str = PrivateAttr(default="")

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        self._text, given = "", 0
        for chunk in super()._stream(*args, **kwargs):
            self._text += str(chunk.message.content)
            chunk.message.content, given = self._text[given:], len(self._text)
            yield chunk


class _ToTheEnd(AnswerReader):
    def feed(self, segment: bytes) -> Iterator[ChatGenerationChunk]:
        return super().feed(segment.replace(b"data: [DONE]", b": [DONE]"))

    def end(self) -> None:
        """Takes the end of the body for the end of the answer."""


class ReadsOn(ReferenceChat):
    """Reads on after the provider's terminator until the body ends."""

    def _reader(self) -> AnswerReader:
        return _ToTheEnd(self._chunk)


class RaisesAnything(ReferenceChat):
    """Raises a bare Exception where the answer has no text."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        empty = True
        for chunk in super()._stream(*args, **kwargs):
            empty = empty and chunk.message.text == "" and not chunk.message.additional_kwargs and not _calls(chunk)
            yield chunk
        if empty:
            raise Exception("the answer is empty")  # noqa: TRY002 - the defect


class MakesUpText(ReferenceChat):
    """Gives a text of its own where the answer has none."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        empty = True
        async for chunk in super()._astream(*args, **kwargs):
            empty = empty and chunk.message.text == "" and not chunk.message.additional_kwargs and not _calls(chunk)
            yield chunk
        if empty:
            yield ChatGenerationChunk(message=AIMessageChunk(content="(no answer)"))


def _calls(chunk: ChatGenerationChunk) -> bool:
    return isinstance(chunk.message, AIMessageChunk) and bool(chunk.message.tool_call_chunks)
