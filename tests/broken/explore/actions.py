"""Models that are right one call at a time, and go wrong by what else a consumer does with them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from pydantic import PrivateAttr

from ...reference import ReferenceChat

_WAIT: Final = 0.3
"""Seconds for which a call waits for a connection."""


class SharesSlots(ReferenceChat):
    """Collects each stream's text in a slot that has the number of streams then open, which one of them may have."""

    _slots: dict[int, str] = PrivateAttr(default_factory=dict)
    _open: int = PrivateAttr(default=0)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        slot, given = self._open, 0
        self._open += 1
        self._slots[slot] = ""
        try:
            async for chunk in super()._astream(*args, **kwargs):
                self._slots[slot] += str(chunk.message.content)
                chunk.message.content, given = self._slots[slot][given:], len(self._slots[slot])
                yield chunk
        finally:
            self._open -= 1


class EndsAllStreamsWithOne(ReferenceChat):
    """Ends all streams that are open when one of them is left early."""

    _open: dict[int, bool] = PrivateAttr(default_factory=dict)
    _opened: int = PrivateAttr(default=0)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        number = self._opened
        self._opened += 1
        self._open[number] = True
        try:
            for chunk in super()._stream(*args, **kwargs):
                if not self._open[number]:
                    return
                yield chunk
        except GeneratorExit:
            self._open.update(dict.fromkeys(self._open, False))
            raise
        finally:
            del self._open[number]


class TellsAllHandlers(ReferenceChat):
    """Tells the handlers of all streams that are open of a stream that is opened beside them."""

    _handlers: list[Any] = PrivateAttr(default_factory=list)

    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        config = config or {}
        own = config.get("callbacks")
        if not isinstance(own, list):
            yield from super().stream(input, config, **kwargs)
            return
        self._handlers += own
        try:
            yield from super().stream(input, {**config, "callbacks": list(self._handlers)}, **kwargs)
        finally:
            for each in own:
                self._handlers.remove(each)


class LosesItsConnectionWhenCancelled(ReferenceChat):
    """Waits in vain for its connection once a stream was cancelled while another was open."""

    _open: int = PrivateAttr(default=0)
    _is_lost: bool = PrivateAttr(default=False)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        if self._is_lost:
            await asyncio.sleep(_WAIT)
            raise TimeoutError("no connection is free")
        self._open += 1
        try:
            async for chunk in super()._astream(*args, **kwargs):
                yield chunk
        except asyncio.CancelledError:
            self._is_lost = self._open > 1
            raise
        finally:
            self._open -= 1


class RaisesAgain(ReferenceChat):
    """Raises the error of a whole answer again in the next one, where a stream was open beside it."""

    _open: int = PrivateAttr(default=0)
    _error: Exception | None = PrivateAttr(default=None)

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        if self._error:
            error, self._error = self._error, None
            raise error
        try:
            return super()._generate(*args, **kwargs)
        except Exception as error:
            self._error = error if self._open else None
            raise

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        self._open += 1
        try:
            yield from super()._stream(*args, **kwargs)
        finally:
            self._open -= 1
