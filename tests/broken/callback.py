"""Models that break one rule of CALLBACK each."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

from langchain_anthropic import ChatAnthropic
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.language_models.chat_models import agenerate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI

from ..reference import ReferenceChat
from ..sse_reader import Event


class _Through(BaseCallbackHandler):
    """Passes callbacks on to a handler."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler

    def on_chat_model_start(self, *args: Any, **told: Any) -> Any:
        return self.handler.on_chat_model_start(*args, **told)

    def on_llm_new_token(self, *args: Any, **told: Any) -> Any:
        return self.handler.on_llm_new_token(*args, **told)

    def on_llm_end(self, *args: Any, **told: Any) -> Any:
        return self.handler.on_llm_end(*args, **told)

    def on_llm_error(self, *args: Any, **told: Any) -> Any:
        return self.handler.on_llm_error(*args, **told)


def _through(config: Any, wrap: Callable[[Any], BaseCallbackHandler]) -> RunnableConfig:
    """The config with its handlers wrapped, where they are the caller's own and not those of a chain."""
    callbacks = (config or {}).get("callbacks")
    wrapped = [wrap(each) for each in callbacks] if isinstance(callbacks, list) else callbacks
    return cast("RunnableConfig", {**(config or {}), "callbacks": wrapped})


class AddsUsageToAnswers(ReferenceChat):
    """Adds the usage to the message in invoke, when the run is over."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        result = super()._generate(*args, **kwargs)
        message = result.generations[0].message
        assert isinstance(message, AIMessage)
        message.additional_kwargs["usage"], message.usage_metadata = message.usage_metadata, None
        return result

    def invoke(self, *args: Any, **kwargs: Any) -> AIMessage:
        message = super().invoke(*args, **kwargs)
        message.usage_metadata = message.additional_kwargs.pop("usage", message.usage_metadata)
        return message


class AsksThroughAnother(ReferenceChat):
    """Asks through another chat model, and hands it the handlers of its own run."""

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        another = ReferenceChat(**self.model_dump(include=set(ReferenceChat.model_fields), exclude={"profile"}))
        config: RunnableConfig = {"callbacks": run_manager.handlers if run_manager else None}
        message = another.invoke(messages, config, stop=stop, **kwargs)
        return ChatResult(generations=[ChatGeneration(message=message)])


class _Late(_Through):
    """Keeps each token until it is asked for."""

    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        self.kept: list[tuple[Any, Any]] = []

    def on_llm_new_token(self, *args: Any, **told: Any) -> None:
        self.kept.append((args, told))

    def tell(self) -> None:
        while self.kept:
            args, told = self.kept.pop(0)
            with contextlib.suppress(Exception):
                self.handler.on_llm_new_token(*args, **told)


def _late(stream: Callable[[RunnableConfig], Iterator[Any]], config: Any) -> Iterator[Any]:
    """A stream whose chunks come before handlers hear of them; async handlers hear as they did."""
    late: list[_Late] = []

    def wrap(handler: Any) -> BaseCallbackHandler:
        if isinstance(handler, AsyncCallbackHandler):
            return handler
        late.append(_Late(handler))
        return late[-1]

    for chunk in stream(_through(config, wrap)):
        yield chunk
        for each in late:
            each.tell()


class HandsOverFirst(ReferenceChat):
    """Yields each chunk before it calls on_llm_new_token."""

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        stream = super().stream
        return _late(lambda late: stream(input, late, **kwargs), config)


class OpenAIHandsOverFirst(ChatOpenAI):
    """Yields each chunk before it calls on_llm_new_token, on top of the released class."""

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        stream = super().stream
        return _late(lambda late: stream(input, late, **kwargs), config)


class StreamsQuietlyInAsync(ReferenceChat):
    """Streams inside ainvoke where it is told to stream, and tells handlers of no token."""

    def _should_stream(self, *, async_api: bool, run_manager: Any = None, **kwargs: Any) -> bool:
        inside = async_api and self.streaming and not kwargs.get("stream")
        return not inside and super()._should_stream(async_api=async_api, run_manager=run_manager, **kwargs)

    async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        if self.streaming:
            return await agenerate_from_stream(self._pieces(messages, *args, **kwargs))
        return await super()._agenerate(messages, *args, **kwargs)

    async def _pieces(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk


class _TextAlone(_Through):
    def on_llm_new_token(self, token: Any, **told: Any) -> Any:
        return self.handler.on_llm_new_token(token, **told) if token else None


class TellsTextAlone(ReferenceChat):
    """Calls on_llm_new_token for chunks with text alone."""

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        return super().stream(input, _through(config, _TextAlone), **kwargs)


async def _all(calls: list[Any]) -> None:
    for call in calls:
        await call


class _Twice(_Through):
    def on_llm_new_token(self, *args: Any, **told: Any) -> Any:
        calls = [self.handler.on_llm_new_token(*args, **told) for _ in range(2)]
        return _all(calls) if isinstance(self.handler, AsyncCallbackHandler) else None


class TellsTokensTwice(ReferenceChat):
    """Calls on_llm_new_token itself, beside langchain-core."""

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        return super().stream(input, _through(config, _Twice), **kwargs)


class _NoError(_Through):
    def on_llm_error(self, *args: Any, **told: Any) -> None:
        """Tells nobody."""


class AnthropicForgetsErrors(ChatAnthropic):
    """Tells handlers of no error in streams, on top of the released class."""

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        return super().stream(input, _through(config, _NoError), **kwargs)


class _EndToo(_Through):
    def on_llm_error(self, error: BaseException, **told: Any) -> None:
        self.handler.on_llm_error(error, **told)
        self.handler.on_llm_end(told.pop("response"), **told)


class EndsInAnyCase(ReferenceChat):
    """Calls on_llm_end after on_llm_error too."""

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        return super().stream(input, _through(config, _EndToo), **kwargs)


class _Bare(_Through):
    def on_llm_error(self, error: BaseException, *, response: Any = None, **told: Any) -> Any:
        return self.handler.on_llm_error(error, **told)


class LosesWhatHadArrived(ReferenceChat):
    """Calls on_llm_error with the error alone."""

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        return super().stream(input, _through(config, _Bare), **kwargs)


class RunsOnItsOwn(ReferenceChat):
    """Passes handlers on in ainvoke, and neither the run id nor the parent."""

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        callbacks = (config or {}).get("callbacks")
        handlers = getattr(callbacks, "handlers", callbacks)
        alone = cast("RunnableConfig", {**(config or {}), "callbacks": handlers, "run_id": None})
        return await super().ainvoke(input, alone, **kwargs)


class IgnoresAsyncHandlers(ReferenceChat):
    """Leaves async handlers out in sync streams."""

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        callbacks = (config or {}).get("callbacks")
        if isinstance(callbacks, list):
            config = {**config, "callbacks": [each for each in callbacks if not isinstance(each, AsyncCallbackHandler)]}
        return super().stream(input, config, **kwargs)


class NamesNoModelInStreams(ReferenceChat):
    """Leaves the model's name out of streams, so that their usage is counted under none."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        chunk = super()._chunk(event)
        if chunk and chunk.generation_info:
            del chunk.generation_info["model_name"]
        return chunk


class KeepsHandlersFromBatches(ReferenceChat):
    """Takes handlers for a whole batch and does not pass them on."""

    def batch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[Any]:
        quiet: Any = {**config, "callbacks": None} if isinstance(config, dict) else config
        return super().batch(inputs, quiet, **kwargs)


class _Loud(_Through):
    raise_error = True


class LetsHandlersRaise(ReferenceChat):
    """Fails where a handler does."""

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        return super().stream(input, _through(config, _Loud), **kwargs)
