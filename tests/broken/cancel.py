"""Models that break one rule of CANCEL each."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import aclosing
from typing import Any, ClassVar, TypeVar

import httpx
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr

from ..reference import ReferenceChat

T = TypeVar("T")


class KeepsItsStreams(ReferenceChat):
    """Keeps each stream that it has opened until it is read to its end."""

    _open: list[Iterator[ChatGenerationChunk]] = PrivateAttr(default_factory=list)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        source = super()._stream(*args, **kwargs)
        self._open.append(source)
        for chunk in source:  # noqa: UP028 - `yield from` would close it
            yield chunk
        self._open.remove(source)


class OpenAIKeepsItsStreams(ChatOpenAI):
    """Keeps each async stream until it is read to its end, on top of the released class."""

    _open: list[AsyncIterator[ChatGenerationChunk]] = PrivateAttr(default_factory=list)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        source = super()._astream(*args, **kwargs)
        self._open.append(source)
        async for chunk in source:
            yield chunk
        self._open.remove(source)


class LeavesStreamsToTheCollector(ReferenceChat):
    """Opens streams in a reference cycle, out of which nothing but the garbage collector gets them."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        opened: dict[str, Any] = {"source": super()._stream(*args, **kwargs)}
        opened["self"] = opened
        for chunk in opened["source"]:  # noqa: UP028 - `yield from` would close it
            yield chunk


class LocksItsPool(ReferenceChat):
    """Opens streams in a reference cycle, and closes them under the lock under which calls begin, as httpcore does."""

    _pool: ClassVar[threading.Lock] = threading.Lock()

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        with self._pool:
            # So many objects that the collector, where it is on, comes by just now.
            opened: dict[str, Any] = {str(number): [] for number in range(10_000)}
        opened |= {"source": self._returned(super()._stream(*args, **kwargs)), "self": opened}
        for chunk in opened["source"]:  # noqa: UP028 - `yield from` would close it
            yield chunk

    def _returned(self, source: Iterator[ChatGenerationChunk]) -> Iterator[ChatGenerationChunk]:
        try:
            yield from source
        finally:
            with self._pool:
                del source


class WrapsCancellation(ReferenceChat):
    """Raises an error of its own where its task is cancelled."""

    async def ainvoke(self, *args: Any, **kwargs: Any) -> AIMessage:
        try:
            return await super().ainvoke(*args, **kwargs)
        except asyncio.CancelledError as error:
            raise ConnectionError("the request was interrupted") from error


class AnthropicShieldsItsCalls(ChatAnthropic):
    """Lets requests go on whose caller is cancelled, on top of the released class."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await asyncio.shield(super()._agenerate(*args, **kwargs))


class WaitsForItsAnswer(ReferenceChat):
    """Reads the answer to its end before it lets itself be cancelled."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        asked = asyncio.ensure_future(super()._agenerate(*args, **kwargs))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            await asked
            raise


class WatchesStreamsOnWhenLeft(ReferenceChat):
    """Starts a watchdog for each stream, and ends it with those alone that are read to their end."""

    _watchdogs: list["asyncio.Task[None]"] = PrivateAttr(default_factory=list)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        watchdog = asyncio.create_task(asyncio.sleep(self.timeout))
        self._watchdogs.append(watchdog)
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk
        watchdog.cancel()


class TellsOnWhenLeft(ReferenceChat):
    """Tells handlers of what it has read when a stream is left, from a thread and a while later."""

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        text = ""
        try:
            for chunk in super().stream(input, config, **kwargs):
                text += str(chunk.content)
                yield chunk
        except GeneratorExit:
            handlers = (config or {}).get("callbacks") or ()
            told = threading.Timer(0.04, lambda: [each.on_llm_new_token(text) for each in handlers])
            told.daemon = True
            told.start()
            raise


class _Kept(Iterator[Any]):
    """An iterator that refers to itself; it can be closed, and is not closed when it is dropped."""

    def __init__(self, chunks: Any) -> None:
        self.chunks = chunks
        self.myself = self

    def __next__(self) -> Any:
        return next(self.chunks)

    def close(self) -> None:
        self.chunks.close()


class GivesIteratorsThatKeepThemselves(ReferenceChat):
    """Gives an iterator that holds itself, and so stays open where its user drops it."""

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[AIMessageChunk]:
        return _Kept(super().stream(*args, **kwargs))


class RunsDry(ReferenceChat):
    """Counts each stream that was left as one that is open, and opens forty at most."""

    _opened: int = PrivateAttr(default=0)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        self._open()
        yield from super()._stream(*args, **kwargs)
        self._opened -= 1

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        self._open()
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk
        self._opened -= 1

    def _open(self) -> None:
        if self._opened == 40:
            raise RuntimeError("no connection is left in the pool")
        self._opened += 1


class _Async(AsyncIterator[Any]):
    """An async iterator that is no generator."""

    def __init__(self, chunks: Any) -> None:
        self.chunks = chunks
        self.reading: asyncio.Task[Any] | None = None
        self.closed = False

    async def __anext__(self) -> Any:
        self.reading = asyncio.ensure_future(anext(self.chunks))
        return await self.reading

    async def aclose(self) -> None:
        self.closed = True
        if self.reading:
            self.reading.cancel()
            await asyncio.wait([self.reading])
        await self.chunks.aclose()


class _BreaksItsReader(_Async):
    async def __anext__(self) -> Any:
        try:
            return await super().__anext__()
        except asyncio.CancelledError:
            if self.closed:
                raise AttributeError("'NoneType' object has no attribute 'read'") from None
            raise


class _WaitsForItsReader(_Async):
    async def aclose(self) -> None:
        if self.reading:
            await asyncio.wait([self.reading])
        await self.chunks.aclose()


class BreaksItsReader(ReferenceChat):
    """Fails in the task that waits for a chunk when another closes the stream."""

    def astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[AIMessageChunk]:
        return _BreaksItsReader(super().astream(*args, **kwargs))


class WaitsForItsReader(ReferenceChat):
    """Waits in aclose for the task that waits for the provider."""

    def astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[AIMessageChunk]:
        return _WaitsForItsReader(super().astream(*args, **kwargs))


class ReadsInATaskInChains(ReferenceChat):
    """Reads in a task of its own where it is part of a chain, and leaves it."""

    _readers: list["asyncio.Task[None]"] = PrivateAttr(default_factory=list)

    async def atransform(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        chunks: asyncio.Queue[Any] = asyncio.Queue(1)
        source = super().atransform(*args, **kwargs)

        async def read() -> None:
            async for chunk in source:
                await chunks.put(chunk)
            await chunks.put(None)

        self._readers.append(asyncio.create_task(read()))
        while chunk := await chunks.get():
            yield chunk


async def _awaited(work: Awaitable[T]) -> T:
    """What a task of its own gives, if that comes in the turn of the loop in which the caller is cancelled as well."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            raise
    return task.result()


class GivesChunksInSpiteOfCancellation(ReferenceChat):
    """Waits for each chunk in a task, and gives one that comes in the turn in which its caller is cancelled."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        source: Any = super()._astream(*args, **kwargs)
        async with aclosing(source):
            while chunk := await _awaited(anext(source, None)):
                yield chunk


class _Segments(httpx.AsyncByteStream):
    """The segments of a body, each awaited in a task."""

    def __init__(self, body: httpx.AsyncByteStream) -> None:
        self.body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        segments = aiter(self.body)
        while segment := await _awaited(anext(segments, b"")):
            yield segment

    async def aclose(self) -> None:
        await self.body.aclose()


async def _read_in_tasks(response: httpx.Response) -> None:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    response.stream = _Segments(response.stream)


class ReadsInSpiteOfCancellation(ReferenceChat):
    """Waits for each segment in a task, and reads on where one comes in the turn in which its caller is cancelled."""

    def _async_client(self) -> httpx.AsyncClient:
        client = super()._async_client()
        client.event_hooks = {"response": [_read_in_tasks]}
        return client
