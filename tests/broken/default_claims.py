"""Models that claim what they have not, or answer as if nothing were missing."""

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI

from ..reference import ReferenceChat
from ..sse_reader import Event


class ClaimsTools(ReferenceChat):
    """Claims tools in its profile, and has no bind_tools."""

    bind_tools = BaseChatModel.bind_tools


class ClaimsStructuredOutput(ReferenceChat):
    """Claims structured output in its profile, and does not have it."""

    def with_structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("structured output")


class ClaimsImages(ReferenceChat):
    """Claims images in its profile, and sends the text of messages alone."""

    def _body(self, *args: Any, **kwargs: Any) -> Event:
        return _without_images(super()._body(*args, **kwargs))


def _without_images(body: Event) -> Event:
    for message in body["messages"]:
        if isinstance(message["content"], list):
            message["content"] = [part for part in message["content"] if part["type"] == "text"]
    return body


class IgnoresTools(ReferenceChat):
    """Says in its profile that it has no tools, and answers without those that are bound."""

    def _resolve_model_profile(self) -> Any:
        return {"tool_calling": False}

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind()


class OpenAIIgnoresImages(ChatOpenAI):
    """Claims no images, and answers without those that it is sent, on top of the released class."""

    def _resolve_model_profile(self) -> Any:
        return {"image_inputs": False}

    def _get_request_payload(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return _without_images(super()._get_request_payload(*args, **kwargs))


class IgnoresStops(ReferenceChat):
    """Does not claim stop sequences, and answers past those that it is given."""

    def _body(self, messages: list[BaseMessage], stop: list[str] | None, kwargs: Any, *, stream: bool = False) -> Event:
        return super()._body(messages, None, {**kwargs, "stop": None}, stream=stream)


class MakesUpUsage(ReferenceChat):
    """Does not claim usage, and gives the length of the answer for it."""

    def _generation(self, answer: Event) -> ChatGeneration:
        return super()._generation({**answer, "usage": _made_up(answer["choices"][0]["message"]["content"])})


def _made_up(text: str | None) -> Event:
    count = len(text or "")
    return {"prompt_tokens": count, "completion_tokens": count, "total_tokens": 2 * count}


class CountsWhatIsNotCounted(ReferenceChat):
    """Makes up the usage of a stream where the provider sends none."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        finished = any(choice.get("finish_reason") for choice in event.get("choices") or ())
        usage = event.get("usage")
        if finished and "usage" not in event:
            usage = _made_up("estimated")
        return super()._chunk({**event, "usage": usage})
