"""Models that break one rule of EVENTS each."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast
from uuid import uuid4

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.language_models import LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, SystemMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.prompt_values import ChatPromptValue, PromptValue
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.schema import StreamEvent
from pydantic import PrivateAttr

from ..reference import ReferenceChat
from ..sse_reader import AnswerReader, Event


class EndsTwice(ReferenceChat):
    """Tells the end of a run once more after it."""

    async def astream_events(self, *args: Any, **kwargs: Any) -> AsyncIterator[StreamEvent]:  # type: ignore[override]
        async for event in super().astream_events(*args, **kwargs):
            yield event
            if event["event"] == "on_chat_model_end":
                yield event


class KeepsItsName(ReferenceChat):
    """Streams under the name of its class whatever name the config gives."""

    def astream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[AIMessageChunk]:
        return super().astream(input, cast("RunnableConfig", {**(config or {}), "run_name": None}), **kwargs)


class SaysWhoProvides(ReferenceChat):
    """Tells its provider to tracers and nothing else."""

    def _get_ls_params(self, *args: Any, **kwargs: Any) -> LangSmithParams:
        return LangSmithParams(ls_provider="reference")


class InstructsItself(ReferenceChat):
    """Puts a system message of its own before each prompt, and shows it to callbacks."""

    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        return ChatPromptValue(messages=[SystemMessage("Be kind."), *super()._convert_input(model_input).to_messages()])


class InventsARunId(ReferenceChat):
    """Makes ids for its chunks that look like the id of a run and belong to none."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        id = f"run-{uuid4()}"
        async for chunk in super()._astream(*args, **kwargs):
            chunk.message.id = id
            if isinstance(chunk.message, AIMessageChunk) and chunk.message.usage_metadata:
                chunk.message.chunk_position = "last"
            yield chunk


class _TextAlone(ChatGenerationChunk):
    def __add__(self, other: Any) -> ChatGenerationChunk:
        total = super().__add__(other)
        return ChatGenerationChunk(message=AIMessageChunk(content=total.message.content))


class MergesTextAlone(ReferenceChat):
    """Has chunks of its own that keep nothing but the text when langchain-core merges them."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in super()._astream(*args, **kwargs):
            yield _TextAlone(message=chunk.message, generation_info=chunk.generation_info)


class LosesItsParent(ReferenceChat):
    """Passes the handlers of a chain on without the run to which they belong."""

    def atransform(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[AIMessage]:
        callbacks = (config or {}).get("callbacks")
        handlers = getattr(callbacks, "handlers", callbacks)
        return super().atransform(input, cast("RunnableConfig", {**(config or {}), "callbacks": handlers}), **kwargs)


class LosesTags(ReferenceChat):
    """Does not pass the tags of the config on inside a chain."""

    def atransform(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[AIMessage]:
        return super().atransform(input, cast("RunnableConfig", {**(config or {}), "tags": []}), **kwargs)


class _EndsAtErrors(AnswerReader):
    def read(self, event: Event) -> ChatGenerationChunk | None:
        self.done = self.done or "error" in event
        return None if self.done else super().read(event)


class SwallowsErrors(ReferenceChat):
    """Ends the stream quietly at the provider's error frame."""

    def _reader(self) -> AnswerReader:
        return _EndsAtErrors(self._chunk)


class ReadsInATask(ReferenceChat):
    """Reads in a task of its own, which is left when nobody wants the stream any more."""

    _readers: list["asyncio.Task[None]"] = PrivateAttr(default_factory=list)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        chunks: asyncio.Queue[ChatGenerationChunk | Exception | None] = asyncio.Queue(1)
        source = super()._astream(*args, **kwargs)

        async def read() -> None:
            try:
                async for chunk in source:
                    await chunks.put(chunk)
                await chunks.put(None)
            except Exception as error:  # noqa: BLE001 - raised where the chunks are read
                await chunks.put(error)

        self._readers.append(asyncio.create_task(read()))
        while chunk := await chunks.get():
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


class StreamsWhenToldAlone(ReferenceChat):
    """Does not stream inside invoke, whoever listens."""

    def _should_stream(self, **kwargs: Any) -> bool:
        return super()._should_stream(**{**kwargs, "run_manager": None})


class GivesWords(ReferenceChat):
    """Cuts the pieces of sync streams into words."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for chunk in super()._stream(*args, **kwargs):
            *words, last = str(chunk.message.content).split(" ")
            for word in words:
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"{word} ", id=chunk.message.id))
            chunk.message.content = last
            yield chunk


class CollectsPiecesInChains(ReferenceChat):
    """Collects its pieces where it is part of a chain, and gives them when all have come."""

    def transform(self, *args: Any, **kwargs: Any) -> Iterator[AIMessage]:
        yield from list(super().transform(*args, **kwargs))

    async def atransform(self, *args: Any, **kwargs: Any) -> AsyncIterator[AIMessage]:
        for chunk in [each async for each in super().atransform(*args, **kwargs)]:
            yield chunk


class HandsHandlersOnTwice(ReferenceChat):
    """Adds the handlers that it is given to those of the run around it, and so calls them twice."""

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        callbacks = (config or {}).get("callbacks")
        if config and isinstance(callbacks, BaseCallbackManager):
            twice = callbacks.copy()
            twice.handlers = [*twice.handlers, *twice.handlers]
            config = {**config, "callbacks": twice}
        return await super().ainvoke(input, config, **kwargs)
