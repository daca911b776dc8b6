"""Right models that ask their provider in another way."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from functools import cache
from typing import Any, Final, Self
from weakref import WeakKeyDictionary

import httpx
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable

from ..reference import ReferenceChat
from ..sse_reader import Event, ProviderError


class StreamsInside(ReferenceChat):
    """Asks for a stream in invoke, and adds it up."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return generate_from_stream(self._stream(*args, **kwargs))

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await agenerate_from_stream(self._astream(*args, **kwargs))


class RaisesWhatIsFiltered(ReferenceChat):
    """Raises an error that names the filter where the provider's filter cut an answer off."""

    def _info(self, answer: Event, choice: Event) -> dict[str, Any]:
        if choice["finish_reason"] == "content_filter":
            raise ProviderError("the answer was cut off by the provider's content filter")
        return super()._info(answer, choice)


class _Kept(httpx.HTTPTransport):
    """Connections that stay when the client of a call is closed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass


class _AsyncKept(httpx.AsyncHTTPTransport):
    """The same, for one loop."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def aclose(self) -> None:
        pass


_kept = cache(_Kept)
_LOOPS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _AsyncKept]] = WeakKeyDictionary()


class KeepsConnections(ReferenceChat):
    """Keeps its connections for the next call: one pool for all threads, and one for each loop."""

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.base_url, headers=self._headers(), timeout=self.timeout, transport=_kept())

    def _async_client(self) -> httpx.AsyncClient:
        transport = _LOOPS.setdefault(asyncio.get_running_loop(), _AsyncKept())
        return httpx.AsyncClient(
            base_url=self.base_url, headers=self._headers(), timeout=self.timeout, transport=transport
        )


class LimitsEachChunk(ReferenceChat):
    """Waits for each chunk no longer than for an answer, and leaves cancellations to `asyncio.timeout`."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        source: Any = super()._astream(*args, **kwargs)
        async with aclosing(source):
            while True:
                async with asyncio.timeout(self.timeout):
                    chunk = await anext(source, None)
                if chunk is None:
                    return
                yield chunk


class ReadsInTasks(ReferenceChat):
    """Waits for each chunk in a task, which it ends where it is cancelled; a chunk that has come by then is dropped."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        source: Any = super()._astream(*args, **kwargs)
        async with aclosing(source):
            while chunk := await self._next(source):
                yield chunk

    async def _next(self, source: AsyncIterator[ChatGenerationChunk]) -> ChatGenerationChunk | None:
        task = asyncio.ensure_future(anext(source, None))
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise
        return task.result()


_TRANSIENT: Final = (408, 409, 429, 500, 502, 503, 504, 529)


class Retries(ReferenceChat):
    """Retries what may pass, as often as it is told to, and never once a piece has come."""

    max_retries: int = 2

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        for attempt in range(self.max_retries + 1):
            try:
                return super()._generate(*args, **kwargs)
            except (ProviderError, httpx.TransportError) as error:
                self._give_up(error, attempt)
                threading.Event().wait(_pause(attempt))
        raise AssertionError

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        for attempt in range(self.max_retries + 1):
            try:
                return await super()._agenerate(*args, **kwargs)
            except (ProviderError, httpx.TransportError) as error:
                self._give_up(error, attempt)
                await asyncio.sleep(_pause(attempt))
        raise AssertionError

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for attempt in range(self.max_retries + 1):
            begun = False
            try:
                for chunk in super()._stream(*args, **kwargs):
                    begun = True
                    yield chunk
            except (ProviderError, httpx.TransportError) as error:
                self._give_up(error, self.max_retries if begun else attempt)
                threading.Event().wait(_pause(attempt))
            else:
                return

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for attempt in range(self.max_retries + 1):
            begun = False
            try:
                async for chunk in super()._astream(*args, **kwargs):
                    begun = True
                    yield chunk
            except (ProviderError, httpx.TransportError) as error:
                self._give_up(error, self.max_retries if begun else attempt)
                await asyncio.sleep(_pause(attempt))
            else:
                return

    def _give_up(self, error: Exception, attempt: int) -> None:
        """Raise the error where it will not pass, or was the last."""
        if attempt >= self.max_retries or getattr(error, "status", 503) not in _TRANSIENT:
            raise error


def _pause(attempt: int) -> float:
    """Seconds before the next attempt."""
    return 0.01 * 2.0**attempt


class Asks(BaseChatModel):
    """Asks another model, and does nothing else."""

    inner: ReferenceChat

    @property
    def _llm_type(self) -> str:
        return "asks-another"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return self.inner._identifying_params

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self.inner._get_ls_params(stop=stop, **kwargs)

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        bound: Any = self.inner.bind_tools(tools, **kwargs)
        return self.bind(**bound.kwargs)

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return self.inner._generate(*args, **kwargs)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await self.inner._agenerate(*args, **kwargs)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        return self.inner._stream(*args, **kwargs)

    def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        return self.inner._astream(*args, **kwargs)


def asks_another(url: str, **fields: Any) -> Asks:
    """A model that asks another model, and does nothing else."""
    own = {name: value for name, value in fields.items() if name in BaseChatModel.model_fields}
    rest = {name: value for name, value in fields.items() if name not in own}
    return Asks(inner=_made(url, **rest), **own)


def made_by_a_factory(url: str, **fields: Any) -> ReferenceChat:
    """The reference, made by a function."""
    return _made(url, **fields)


def _made(url: str, **fields: Any) -> ReferenceChat:
    given = {"model": "model-asked-for", "api_key": "unused", "base_url": f"{url}/v1", **fields}
    return ReferenceChat(**given)
