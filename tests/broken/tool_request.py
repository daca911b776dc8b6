"""Models that break rules of TOOL by what they send, and by what they make of structured output."""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from ..reference import ReferenceChat
from ..sse_reader import Event


def _undescribed(tools: Sequence[Any]) -> list[Event]:
    """The tools without what is said of them."""
    found = [convert_to_openai_tool(each) for each in tools]
    for each in found:
        each["function"].pop("description", None)
    return found


class DropsDescriptions(ReferenceChat):
    """Sends tools without their descriptions."""

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        return super().bind_tools(_undescribed(tools), **kwargs)


class OpenAIDropsDescriptions(ChatOpenAI):
    """Sends tools without their descriptions, on top of the released class."""

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        return super().bind_tools(_undescribed(tools), **kwargs)


class IgnoresTheChoice(ReferenceChat):
    """Sends no tool_choice."""

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        return super().bind_tools(tools, **kwargs)


class ChoosesInInvokeAlone(ReferenceChat):
    """Sends no tool_choice where it asks for a stream."""

    def _body(self, *args: Any, stream: bool = False) -> Event:
        body = super()._body(*args, stream=stream)
        return {key: value for key, value in body.items() if not stream or key != "tool_choice"}


class DropsSchemas(ReferenceChat):
    """Sends tools without their arguments."""

    def _body(self, *args: Any, stream: bool = False) -> Event:
        body = super()._body(*args, stream=stream)
        if "tools" in body:
            body["tools"] = [
                {**each, "function": {**each["function"], "parameters": {"type": "object", "properties": {}}}}
                for each in body["tools"]
            ]
        return body


class SortsResults(ReferenceChat):
    """Sends the results of tools in the reverse order of their texts."""

    def _body(self, messages: list[BaseMessage], *args: Any, stream: bool = False) -> Event:
        body = super()._body(messages, *args, stream=stream)
        results = sorted(
            (each for each in body["messages"] if each["role"] == "tool"), key=lambda each: each["content"]
        )
        body["messages"] = [each if each["role"] != "tool" else results.pop() for each in body["messages"]]
        return body


class DropsFailedResults(ReferenceChat):
    """Leaves out the results of tools that failed."""

    def _body(self, messages: list[BaseMessage], *args: Any, stream: bool = False) -> Event:
        kept = [message for message in messages if getattr(message, "status", "") != "error"]
        return super()._body(kept, *args, stream=stream)


class DropsListsOfParts(ReferenceChat):
    """Sends a result that is a list of parts as an empty text."""

    def _body(self, messages: list[BaseMessage], *args: Any, stream: bool = False) -> Event:
        emptied = [
            message.model_copy(update={"content": ""})
            if isinstance(message, ToolMessage) and isinstance(message.content, list)
            else message
            for message in messages
        ]
        return super()._body(emptied, *args, stream=stream)


class OpenAIDropsInvalidCalls(ChatOpenAI):
    """Sends a message back without its invalid calls, on top of the released class."""

    def _get_request_payload(self, input_: Any, **kwargs: Any) -> Event:
        messages = [
            message.model_copy(update={"invalid_tool_calls": []}) if isinstance(message, AIMessage) else message
            for message in self._convert_input(input_).to_messages()
        ]
        return super()._get_request_payload(messages, **kwargs)


class GivesMappings(ReferenceChat):
    """Gives a mapping where structured output is to be an object of a class."""

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Runnable[Any, Any]:
        def told(found: Any) -> Any:
            return found.model_dump() if isinstance(found, BaseModel) else found

        return super().with_structured_output(schema, **kwargs) | told


class RaisesWithTheRawMessage(ReferenceChat):
    """Raises what does not fit the schema where the raw message is asked for, too."""

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Runnable[Any, Any]:
        def told(found: Any) -> Any:
            if isinstance(found, dict) and found.get("parsing_error"):
                raise found["parsing_error"]
            return found

        return super().with_structured_output(schema, **kwargs) | told


class GivesNoRawMessage(ReferenceChat):
    """Gives what it parsed alone where the raw message is asked for, too."""

    def with_structured_output(self, schema: Any, *, include_raw: bool = False, **kwargs: Any) -> Runnable[Any, Any]:
        return super().with_structured_output(schema, **kwargs)
