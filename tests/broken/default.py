"""Models without token streaming or without async of their own, right ones and those that break a rule of DEFAULT."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk

from ..reference import ReferenceChat


class WholeChat(ReferenceChat):
    """The reference without token streaming."""

    _stream = BaseChatModel._stream
    _astream = BaseChatModel._astream


class SyncChat(ReferenceChat):
    """The reference without async methods of its own."""

    _agenerate = BaseChatModel._agenerate
    _astream = BaseChatModel._astream


class WholeSyncChat(WholeChat):
    """The reference with `_generate` alone."""

    _agenerate = BaseChatModel._agenerate


class PretendsToStream(WholeChat):
    """Cuts the whole answer into two and gives it as a stream."""

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[AIMessageChunk]:
        for message in super().stream(*args, **kwargs):
            yield AIMessageChunk(content=message.text[:4], id=message.id)
            yield AIMessageChunk(**{**message.model_dump(exclude={"type"}), "content": message.text[4:]})


class AlwaysStreams(ReferenceChat):
    """Streams where streaming is disabled."""

    def _should_stream(self, **kwargs: Any) -> bool:
        return kwargs.get("stream") or super()._should_stream(**kwargs)


class OpensStreamsOnTheLoop(SyncChat):
    """Waits in astream for the first chunk of stream, and for the others in threads."""

    async def astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[AIMessageChunk]:
        chunks = self.stream(*args, **kwargs)
        chunk = next(chunks, None)
        while chunk:
            yield chunk
            chunk = await asyncio.to_thread(next, chunks, None)
