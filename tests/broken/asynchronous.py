"""Models that break one rule of ASYNC each."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from typing import Any

import httpx
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import ensure_config
from langchain_core.runnables.config import RunnableConfig
from pydantic import PrivateAttr

from ..reference import ReferenceChat


class OpensStreamsOnTheLoop(ReferenceChat):
    """Waits in async code for the first chunk of a sync stream, and for the others in threads."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        chunks = self._stream(*args, **kwargs)
        chunk = next(chunks, None)
        while chunk:
            yield chunk
            chunk = await asyncio.to_thread(next, chunks, None)


class StreamsOneByOne(ReferenceChat):
    """Holds a lock while it streams."""

    _lock: asyncio.Lock = PrivateAttr(default_factory=asyncio.Lock)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        async with self._lock:
            async for chunk in super()._astream(*args, **kwargs):
                yield chunk


class KeepsItsClient(ReferenceChat):
    """Keeps one async client, whose connections belong to the loop in which it first ran."""

    _kept: httpx.AsyncClient | None = PrivateAttr(default=None)

    @asynccontextmanager
    async def _async_client(self) -> AsyncIterator[httpx.AsyncClient]:  # type: ignore[override]
        self._kept = self._kept or super()._async_client()
        yield self._kept


class LosesTheContext(ReferenceChat):
    """Runs async calls in a task that has none of the caller's context variables."""

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        work = super().ainvoke(input, ensure_config(config), **kwargs)
        return await asyncio.get_running_loop().create_task(work, context=Context())


class LeavesConnectionsOpen(ReferenceChat):
    """Makes a client for each call and closes none."""

    _clients: list[httpx.Client] = PrivateAttr(default_factory=list)

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:  # type: ignore[override]
        self._clients.append(super()._client())
        yield self._clients[-1]


class LeavesThreads(ReferenceChat):
    """Starts a watchdog for each sync call and never stops it."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        watchdog = threading.Timer(self.timeout, lambda: None)
        watchdog.daemon = True
        watchdog.start()
        return super()._generate(*args, **kwargs)


class LeavesTasks(ReferenceChat):
    """Starts a task for each async call that waits for the timeout, and leaves it."""

    _watchdogs: list["asyncio.Task[None]"] = PrivateAttr(default_factory=list)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        self._watchdogs.append(asyncio.create_task(asyncio.sleep(self.timeout)))
        return await super()._agenerate(*args, **kwargs)


class RunsALoopOfItsOwn(ReferenceChat):
    """Runs the async implementation in sync calls, in a loop of its own."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return asyncio.run(super()._agenerate(*args, **kwargs))
