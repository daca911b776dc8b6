"""Models that break one rule of META each, of those on the counting of tokens."""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import model_validator

from ..reference import ReferenceChat
from ..sse_reader import Event


def _usage_of(message: Any) -> UsageMetadata | None:
    assert isinstance(message, AIMessage)
    return message.usage_metadata


class CountsCachedTokensApart(ReferenceChat):
    """Leaves cached tokens out of the input of a whole answer, as Anthropic counts."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        if usage := _usage_of(generation.message):
            details = usage.get("input_token_details", {})
            cached = details.get("cache_read", 0) + details.get("cache_creation", 0)
            usage["input_tokens"] -= cached
            usage["total_tokens"] -= cached
        return generation


class LeavesReasoningOutOfTheTotal(ReferenceChat):
    """Adds up a total without the reasoning tokens, as langchain-xai does."""

    def _generation(self, answer: Event) -> ChatGeneration:
        generation = super()._generation(answer)
        if usage := _usage_of(generation.message):
            usage["total_tokens"] -= usage.get("output_token_details", {}).get("reasoning", 0)
        return generation


class OpenAICountsNothing(ChatOpenAI):
    """Gives no usage with a whole answer, on top of the released class."""

    def _create_chat_result(self, *args: Any, **kwargs: Any) -> ChatResult:
        result = super()._create_chat_result(*args, **kwargs)
        message = result.generations[0].message
        assert isinstance(message, AIMessage)
        message.usage_metadata = None
        return result


class AddsRunningTotals(ReferenceChat):
    """Gives each of the provider's running totals as if it were a part, so that the sum counts them all."""


class ReadsUsageBesideNoChoiceAlone(ReferenceChat):
    """Reads the usage of a stream where a frame has no choice, and nowhere else."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk({**event, "usage": None} if event.get("choices") else event)


class AsksForNoUsage(ReferenceChat):
    """Does not ask for the usage of streams."""

    def _body(self, *args: Any, **kwargs: Any) -> Event:
        body = super()._body(*args, **kwargs)
        body.pop("stream_options", None)
        return body


class OpenAIAsksForNoUsage(ChatOpenAI):
    """Does not ask for the usage of streams, whatever it is told, on top of the released class."""

    def _should_stream_usage(self, *args: Any, **kwargs: Any) -> bool:
        return False


class OpenAIAsksWhenToldAlone(ChatOpenAI):
    """Asks for the usage of streams only where it is told to, though it is aimed at its own provider."""

    @model_validator(mode="before")
    @classmethod
    def _ask_for_nothing(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {"stream_usage": False, **values}


class DropsDetails(ReferenceChat):
    """Counts tokens without saying which of them were cached or spent on reasoning."""

    def _generation(self, answer: Event) -> ChatGeneration:
        return super()._generation({**answer, "usage": _plain(answer.get("usage"))})

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        return super()._chunk({**event, "usage": _plain(event.get("usage"))})


def _plain(usage: Mapping[str, Any] | None) -> Event | None:
    return {name: count for name, count in usage.items() if isinstance(count, int)} if usage else None
