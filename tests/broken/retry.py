"""Models that break one rule of RETRY each."""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableWithFallbacks
from langchain_core.runnables.retry import RunnableRetry
from langchain_openai import ChatOpenAI

from conformance.calls import PATIENCE

from ..reference import ReferenceChat
from ..sse_reader import ProviderError


class OpenAIRetriesTwice(ChatOpenAI):
    """Retries once more what its client has retried."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return super()._generate(*args, **kwargs)
        except openai.InternalServerError:
            return super()._generate(*args, **kwargs)


class AnthropicKeepsTheDefault(ChatAnthropic):
    """Takes a setting for retries and gives its client another."""

    @property
    def _client_params(self) -> dict[str, Any]:
        return {**super()._client_params, "max_retries": 2}


class TakesRetries(ReferenceChat):
    """Takes a setting for retries and does nothing with it."""

    max_retries: int = 2


def _may_pass(error: Exception) -> bool:
    """Whether a failure is worth another try."""
    return isinstance(error, httpx.TransportError) or getattr(error, "status", None) in (429, 500, 502, 503, 529)


class AsksAgainAtOnce(ReferenceChat):
    """Asks again at once, whatever pause the provider asks for."""

    max_retries: int = 2

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        for _ in range(self.max_retries):
            try:
                return super()._generate(*args, **kwargs)
            except Exception as error:
                if not _may_pass(error):
                    raise
        return super()._generate(*args, **kwargs)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        for _ in range(self.max_retries):
            try:
                return await super()._agenerate(*args, **kwargs)
            except Exception as error:
                if not _may_pass(error):
                    raise
        return await super()._agenerate(*args, **kwargs)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for _ in range(self.max_retries):
            has_begun = False
            try:
                for chunk in super()._stream(*args, **kwargs):
                    has_begun = True
                    yield chunk
            except Exception as error:
                if has_begun or not _may_pass(error):
                    raise
            else:
                return
        yield from super()._stream(*args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for _ in range(self.max_retries):
            has_begun = False
            try:
                async for chunk in super()._astream(*args, **kwargs):
                    has_begun = True
                    yield chunk
            except Exception as error:
                if has_begun or not _may_pass(error):
                    raise
            else:
                return
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk


class WaitsForServers(AsksAgainAtOnce):
    """Waits for a server that is not there before it tries again."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return super()._generate(*args, **kwargs)
        except httpx.ConnectError:
            time.sleep(1.5 * PATIENCE)
            return super()._generate(*args, **kwargs)


class StreamsWithoutRetries(AsksAgainAtOnce):
    """Retries whole answers alone."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        yield from ReferenceChat._stream(self, *args, **kwargs)


class ResumesMidway(ReferenceChat):
    """Asks again when a stream breaks off, and leaves out as much text as it has given."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        given = 0
        try:
            async for chunk in super()._astream(*args, **kwargs):
                yield chunk
                given += len(chunk.text)
        except (httpx.TransportError, ProviderError) as error:
            if not given or getattr(error, "status", None):
                raise
            async for chunk in super()._astream(*args, **kwargs):
                given -= len(chunk.text)
                if given < 0:
                    yield chunk


class StartsAgain(ReferenceChat):
    """Begins anew when a stream breaks off."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        try:
            yield from super()._stream(*args, **kwargs)
        except httpx.TransportError:
            yield from super()._stream(*args, **kwargs)


class _MisplacingRetry(RunnableRetry[Any, Any]):
    """Keeps the results of the first round by input, and those of the others by the order in which they came."""

    def batch(self, inputs: Any, config: Any = None, *, return_exceptions: bool = False, **kwargs: Any) -> list[Any]:
        first = self.bound.batch(inputs, config, return_exceptions=True, **kwargs)
        failed = [input for input, result in zip(inputs, first, strict=True) if isinstance(result, Exception)]
        again = iter(self.bound.batch(failed, config, return_exceptions=return_exceptions, **kwargs))
        results = [result for result in first if not isinstance(result, Exception)]
        return [*results, *again]


class MisplacesRetries(ReferenceChat):
    """Puts what a second attempt brings behind the results of the first."""

    def with_retry(self, **kwargs: Any) -> Runnable[Any, AIMessage]:
        kwargs["max_attempt_number"] = kwargs.pop("stop_after_attempt", 3)
        return _MisplacingRetry(bound=self, kwargs={}, config={}, **kwargs)


class _WholeFallbacks(RunnableWithFallbacks[Any, Any]):
    async def astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        yield await self.ainvoke(*args, **kwargs)


class FallsBackWhole(ReferenceChat):
    """Gives the answer of a fallback whole."""

    def with_fallbacks(self, fallbacks: Any, **kwargs: Any) -> Any:
        return _WholeFallbacks(runnable=self, fallbacks=fallbacks, **kwargs)
