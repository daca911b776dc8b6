"""Models that break one rule of REQUEST each."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import httpx
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI

from ..reference import ReferenceChat
from ..sse_reader import Event


class PutsTheSystemLast(ReferenceChat):
    """Sends what the system says after all other messages."""

    def _body(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Event:
        return super()._body(sorted(messages, key=lambda each: each.type == "system"), *args, **kwargs)


class SendsStringsAlone(ReferenceChat):
    """Sends the content of messages where it is a string, and of lists nothing."""

    def _body(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Event:
        plain = [
            each if isinstance(each.content, str) else each.model_copy(update={"content": ""}) for each in messages
        ]
        return super()._body(plain, *args, **kwargs)


class KeepsTheLastOfARole(ReferenceChat):
    """Sends of messages in a row that have one role the last alone."""

    def _body(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Event:
        roles = [message.type for message in messages]
        kept = [each for each, role, after in zip(messages, roles, [*roles[1:], ""], strict=True) if role != after]
        return super()._body(kept, *args, **kwargs)


class StripsPrompts(ReferenceChat):
    """Strips white space from both ends of what is sent."""

    def _body(self, *args: Any, **kwargs: Any) -> Event:
        body = super()._body(*args, **kwargs)
        for message in body["messages"]:
            if isinstance(message["content"], str):
                message["content"] = message["content"].strip()
        return body


class StopsInWholeAnswers(ReferenceChat):
    """Leaves stop sequences out of the request for a stream."""

    def _body(self, *args: Any, **kwargs: Any) -> Event:
        body = super()._body(*args, **kwargs)
        return {name: value for name, value in body.items() if name != "stop" or not body.get("stream")}


class ForgetsItsOwnStops(ReferenceChat):
    """Sends the stop sequences of a call, and not those that it was built with."""

    def _settings(self) -> dict[str, Any]:
        return {name: value for name, value in super()._settings().items() if name != "stop"}


class OpenAIForgetsItsOwnStops(ChatOpenAI):
    """Sends the stop sequences of a call, and not those that it was built with, on top of the released class."""

    @property
    def _default_params(self) -> dict[str, Any]:
        return {name: value for name, value in super()._default_params.items() if name != "stop"}


class RemembersTemperatures(ReferenceChat):
    """Keeps the temperature of a call on the instance."""

    def _body(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any], *, stream: bool = False
    ) -> Event:
        self.temperature = kwargs.get("temperature", self.temperature)
        return super()._body(messages, stop, kwargs, stream=stream)


class NeedsNoLimit(ReferenceChat):
    """Leaves the number of tokens that it was built with out of the request."""

    def _settings(self) -> dict[str, Any]:
        return {name: value for name, value in super()._settings().items() if name != "max_tokens"}


class DropsArgumentsInAsync(ReferenceChat):
    """Leaves the arguments of async calls that are no tools out of the request."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await super()._agenerate(*args, **_tools_of(kwargs))

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in super()._astream(*args, **_tools_of(kwargs)):
            yield chunk


def _tools_of(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name not in ("temperature", "max_tokens")}


class NamesStreams(ReferenceChat):
    """Adds a field to the request for a stream."""

    def _body(self, *args: Any, **kwargs: Any) -> Event:
        body = super()._body(*args, **kwargs)
        return {**body, "user": "a-reader"} if body.get("stream") else body


class MarksTools(ReferenceChat):
    """Notes in the callers' tools that it has bound them."""

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        for tool in tools:
            if isinstance(tool, dict):
                tool["bound"] = True
        return super().bind_tools(tools, **kwargs)


class MarksMessages(ReferenceChat):
    """Notes in the callers' messages that it has sent them."""

    def _body(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Event:
        for message in messages:
            if isinstance(message, SystemMessage | AIMessage):
                message.additional_kwargs["sent"] = True
        return super()._body(messages, *args, **kwargs)


class SendsTheKeyInTheURL(ReferenceChat):
    """Sends the key in the URL too."""

    def _client(self) -> httpx.Client:
        client = super()._client()
        client.params = httpx.QueryParams({"key": self.api_key.get_secret_value()})
        return client


class SendsTheKeyInTheBody(ReferenceChat):
    """Names the user by the key."""

    def _body(self, *args: Any, **kwargs: Any) -> Event:
        return {**super()._body(*args, **kwargs), "user": self.api_key.get_secret_value()}


class SendsWhatNobodyKnows(ReferenceChat):
    """Sends a parameter that the provider does not have where a number of tokens is set."""

    def _body(self, *args: Any, **kwargs: Any) -> Event:
        body = super()._body(*args, **kwargs)
        return {**body, "best_effort": True} if "max_tokens" in body else body


class AnthropicSendsWhatNobodyKnows(ChatAnthropic):
    """Sends a parameter that the provider does not have beside stop sequences, on top of the released class."""

    def _get_request_payload(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        payload = super()._get_request_payload(*args, **kwargs)
        return {**payload, "extra_body": {"best_effort": True}} if payload.get("stop_sequences") else payload


class DropsImages(ReferenceChat):
    """Sends of lists of blocks the text alone."""

    def _body(self, *args: Any, **kwargs: Any) -> Event:
        body = super()._body(*args, **kwargs)
        for message in body["messages"]:
            if isinstance(message["content"], list):
                message["content"] = [part for part in message["content"] if part["type"] == "text"]
        return body


class CutsImages(ReferenceChat):
    """Cuts the data of images short."""

    def _body(self, *args: Any, **kwargs: Any) -> Event:
        body = super()._body(*args, **kwargs)
        for message in body["messages"]:
            for part in message["content"] if isinstance(message["content"], list) else ():
                if part["type"] == "image_url":
                    part["image_url"]["url"] = part["image_url"]["url"][:-8]
        return body


class StreamsInAnyCase(ReferenceChat):
    """Streams also where streaming is turned off."""

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        return super(ReferenceChat, self._streaming()).stream(*args, **kwargs)

    def _streaming(self) -> "ReferenceChat":
        return self.model_copy(update={"disable_streaming": False})


class AnswersWholeInAnyCase(ReferenceChat):
    """Answers whole in `invoke` also where it was built with streaming=True."""

    def _should_stream(self, **kwargs: Any) -> bool:
        # langchain-core says "stream" for its method `stream` alone.
        return bool(kwargs.get("stream")) and super()._should_stream(**kwargs)


class TracesItsOwnName(ReferenceChat):
    """Is traced under its own model's name, whichever a call asks for."""

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return super()._get_ls_params(stop=stop, **{name: value for name, value in kwargs.items() if name != "model"})


class AsksForItsOwnModel(ReferenceChat):
    """Asks for its own model, whichever a call names."""

    def _body(self, *args: Any, **kwargs: Any) -> Event:
        return {**super()._body(*args, **kwargs), "model": self.model}


class OpenAITracesItsOwnName(ChatOpenAI):
    """Is traced under its own model's name, whichever a call asks for, on top of the released class."""

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return super()._get_ls_params(stop=stop, **{name: value for name, value in kwargs.items() if name != "model"})
