"""The reference model: a small, right chat model on OpenAI Chat Completions, without a provider's SDK.

Each call has a client of its own, so nothing is bound to a thread or a loop and nothing stays open. Whole and streamed
answers share what reads a message; sync and async differ in the awaiting alone.
"""

import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, cast

import httpx
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, InvalidToolCall, convert_to_openai_messages
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCall, ToolCallChunk, tool_call_chunk
from langchain_core.output_parsers.openai_tools import make_invalid_tool_call, parse_tool_call
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import SecretStr

from .sse_reader import AnswerReader, Event, ProviderError, words_of


class ReferenceChat(BaseChatModel):
    """A right chat model."""

    model: str
    base_url: str
    api_key: SecretStr
    temperature: float | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    timeout: float = 60
    streaming: bool = False

    @property
    def _llm_type(self) -> str:
        return "reference-chat"

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        return {"api_key": "REFERENCE_API_KEY"}

    def _resolve_model_profile(self) -> Any:
        return {"tool_calling": True, "structured_output": True, "image_inputs": True}

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"model": self.model, "base_url": self.base_url, **self._settings()}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        named = {"ls_provider": "reference", "ls_model_name": kwargs.get("model", self.model)}
        return cast("LangSmithParams", {**super()._get_ls_params(stop=stop, **kwargs), **named})

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools. `tool_choice` is the name of one, ``any``, ``auto`` or ``none``."""
        if tool_choice:
            named = {"type": "function", "function": {"name": tool_choice}}
            kwargs["tool_choice"] = {"any": "required", "auto": "auto", "none": "none"}.get(tool_choice, named)
        return super().bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with self._client() as client:
            response = client.post("/chat/completions", json=self._body(messages, stop, kwargs))
        _refuse_errors(response)
        return ChatResult(generations=[self._generation(response.json())])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        async with self._async_client() as client:
            response = await client.post("/chat/completions", json=self._body(messages, stop, kwargs))
        _refuse_errors(response)
        return ChatResult(generations=[self._generation(response.json())])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        body = self._body(messages, stop, kwargs, stream=True)
        with self._client() as client, client.stream("POST", "/chat/completions", json=body) as response:
            if response.is_error:
                response.read()
            _refuse_errors(response)
            reader = self._reader()
            for segment in response.iter_bytes():
                yield from reader.feed(segment)
                if reader.done:
                    return
            reader.end()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        body = self._body(messages, stop, kwargs, stream=True)
        async with (
            self._async_client() as client,
            client.stream("POST", "/chat/completions", json=body) as response,
        ):
            if response.is_error:
                await response.aread()
            _refuse_errors(response)
            reader = self._reader()
            async for segment in response.aiter_bytes():
                for chunk in reader.feed(segment):
                    yield chunk
                if reader.done:
                    return
            reader.end()

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.base_url, headers=self._headers(), timeout=self.timeout, verify=_tls())

    def _async_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.base_url, headers=self._headers(), timeout=self.timeout, verify=_tls())

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.api_key.get_secret_value()}"}

    def _settings(self) -> dict[str, Any]:
        settings = {"temperature": self.temperature, "max_tokens": self.max_tokens, "stop": self.stop}
        return {name: value for name, value in settings.items() if value is not None}

    def _body(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any], *, stream: bool = False
    ) -> Event:
        body = {"model": self.model, "messages": [_sent(message) for message in messages], **self._settings(), **kwargs}
        if stop is not None:
            body["stop"] = stop
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body

    def _reader(self) -> AnswerReader:
        return AnswerReader(self._chunk)

    def _generation(self, answer: Event) -> ChatGeneration:
        """A whole answer."""
        if answer.get("error") or not answer.get("choices"):
            raise ProviderError(f"no answer: {words_of(answer)}")
        [choice] = answer["choices"]
        message = choice["message"]
        calls, invalid = _tool_calls(message.get("tool_calls") or [])
        return ChatGeneration(
            message=AIMessage(
                content=message.get("content") or "",
                additional_kwargs=_others(message),
                tool_calls=calls,
                invalid_tool_calls=invalid,
                usage_metadata=_usage(answer),
                id=answer.get("id"),
            ),
            generation_info=self._info(answer, choice),
        )

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        """An event of a streamed answer. Those with neither content nor anything about it say nothing."""
        choice: Event = next(iter(event.get("choices") or ()), {})
        delta = choice.get("delta") or {}
        message = AIMessageChunk(
            content=delta.get("content") or "",
            additional_kwargs=_others(delta),
            tool_call_chunks=[_tool_call_chunk(call) for call in delta.get("tool_calls") or ()],
            usage_metadata=_usage(event),
            id=event.get("id"),
        )
        info = self._info(event, choice) if choice.get("finish_reason") else None
        said = message.content or message.additional_kwargs or message.tool_call_chunks or message.usage_metadata
        return ChatGenerationChunk(message=message, generation_info=info) if said or info else None

    def _info(self, answer: Event, choice: Event) -> dict[str, Any]:
        """What is known of an answer when it ends."""
        return {"finish_reason": choice["finish_reason"], "model_name": answer.get("model", self.model)}


@cache
def _tls() -> ssl.SSLContext:
    """Made once, for it takes longer than a call."""
    return httpx.create_ssl_context()


def _refuse_errors(response: httpx.Response) -> None:
    if response.is_error:
        raise ProviderError(f"HTTP {response.status_code}: {response.text}", response.status_code)


def _others(message: Event) -> dict[str, Any]:
    return {name: message[name] for name in ("refusal", "reasoning_content", "annotations") if message.get(name)}


def _sent(message: BaseMessage) -> Event:
    """A message as it is sent; its invalid calls go with it, since results may answer them."""
    sent = convert_to_openai_messages(message)
    assert isinstance(sent, dict)
    if isinstance(message, AIMessage) and message.invalid_tool_calls:
        sent["tool_calls"] = [*sent.get("tool_calls", ()), *map(_invalid_sent, message.invalid_tool_calls)]
    return sent


def _invalid_sent(call: InvalidToolCall) -> Event:
    return {
        "id": call["id"],
        "type": "function",
        "function": {"name": call["name"], "arguments": call["args"] or ""},
    }


def _tool_calls(raw: list[Event]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    calls: list[ToolCall] = []
    invalid: list[InvalidToolCall] = []
    for call in raw:
        try:
            call["function"]["arguments"] = call["function"].get("arguments") or "{}"
            parsed = cast("ToolCall", parse_tool_call(call, return_id=True))
            if not isinstance(parsed["args"], dict):
                raise OutputParserException(f"arguments are an object, not {parsed['args']!r}")
            calls.append(parsed)
        except OutputParserException as error:
            invalid.append(make_invalid_tool_call(call, str(error)))
    return calls, invalid


def _tool_call_chunk(call: Event) -> ToolCallChunk:
    function = call.get("function") or {}
    return tool_call_chunk(
        name=function.get("name"), args=function.get("arguments"), id=call.get("id"), index=call.get("index")
    )


def _usage(answer: Event) -> UsageMetadata | None:
    counted = answer.get("usage")
    if not counted:
        return None
    usage = UsageMetadata(
        input_tokens=counted.get("prompt_tokens") or 0,
        output_tokens=counted.get("completion_tokens") or 0,
        total_tokens=counted.get("total_tokens") or 0,
    )
    prompt = counted.get("prompt_tokens_details") or {}
    cached, written = prompt.get("cached_tokens"), prompt.get("cache_write_tokens")
    if cached or written:
        usage["input_token_details"] = InputTokenDetails(cache_read=cached or 0, cache_creation=written or 0)
    if reasoning := (counted.get("completion_tokens_details") or {}).get("reasoning_tokens"):
        usage["output_token_details"] = OutputTokenDetails(reasoning=reasoning)
    return usage
