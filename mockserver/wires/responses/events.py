"""OpenAI Responses: the events and keys that recordings may hold, and what each event does.

Sources: `ResponseStreamEvent`, `Response` and `ResponseOutputItem` of the PyPI package `openai`
(https://github.com/openai/openai-python/tree/main/src/openai/types/responses); `keepalive`:
https://github.com/openai/openai-node/issues/1964; the rest: recorded streams.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from ...frames import FrameKind
from ...framings import sse
from ..base import recorded_object

TextKind: TypeAlias = Literal["text", "refusal", "reasoning"]

FINISHED: Final = {"response.completed", "response.incomplete", "response.failed"}
"""Events that end a stream."""
INCOMPLETE: Final[Mapping[str, str]] = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""The provider's reasons for an incomplete response."""

TEXTS: Final[Mapping[str, tuple[TextKind, str]]] = {
    "response.output_text.delta": ("text", "content"),
    "response.refusal.delta": ("refusal", "content"),
    "response.reasoning_text.delta": ("reasoning", "content"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary"),
}
PARTS: Final[Mapping[str, tuple[TextKind, str]]] = {
    "output_text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
    "reasoning_text": ("reasoning", "text"),
    "summary_text": ("reasoning", "text"),
}
"""Kinds of content parts: the kind of their block, and where their text stands."""
CALLS: Final[Mapping[str, Literal["tool_call", "server_tool_call"]]] = {
    "response.function_call_arguments.delta": "tool_call",
    "response.code_interpreter_call_code.delta": "server_tool_call",
    "response.mcp_call_arguments.delta": "server_tool_call",
}
_KINDS: Final[Mapping[str, FrameKind]] = {
    "response.created": "start",
    "response.output_item.added": "start",
    "response.content_part.added": "start",
    "response.reasoning_summary_part.added": "start",
    "response.completed": "finish",
    "response.incomplete": "finish",
    "response.failed": "error",
    "error": "error",
}
SILENT: Final = {
    "response.created", "response.in_progress", "response.queued", "keepalive", "response.output_text.done",
    "response.refusal.done", "response.content_part.done", "response.reasoning_text.done",
    "response.reasoning_summary_text.done", "response.reasoning_summary_part.done",
    "response.function_call_arguments.done", "response.mcp_call_arguments.done",
    "response.code_interpreter_call_code.done", "response.code_interpreter_call.in_progress",
    "response.code_interpreter_call.interpreting", "response.code_interpreter_call.completed",
    "response.web_search_call.in_progress", "response.web_search_call.searching",
    "response.web_search_call.completed", "response.file_search_call.in_progress",
    "response.file_search_call.searching", "response.file_search_call.completed", "response.mcp_call.in_progress",
    "response.mcp_call.completed", "response.mcp_call.failed", "response.mcp_list_tools.in_progress",
    "response.mcp_list_tools.completed", "response.mcp_list_tools.failed",
    "response.image_generation_call.in_progress", "response.image_generation_call.generating",
    "response.image_generation_call.partial_image", "response.image_generation_call.completed",
}  # fmt: skip
"""Events that say nothing which others do not."""
EVENT_KEYS: Final = {
    "type", "sequence_number", "response", "output_index", "item_id", "item", "content_index", "summary_index", "part",
    "delta", "logprobs", "obfuscation", "annotation", "annotation_index", "text", "refusal", "arguments", "code",
    "partial_image_b64", "partial_image_index", "background", "output_format", "quality", "size", "message", "param",
    "error",
}  # fmt: skip
RESPONSE_KEYS: Final = {
    "id", "object", "created_at", "status", "background", "completed_at", "error", "frequency_penalty",
    "incomplete_details", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation",
    "output", "parallel_tool_calls", "presence_penalty", "previous_response_id", "prompt_cache_key",
    "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text",
    "tool_choice", "tool_usage", "tools", "top_logprobs", "top_p", "truncation", "usage", "user", "conversation",
    "prompt",
}  # fmt: skip
COMMON: Final = {"id", "type", "status"}
ITEM_KEYS: Final[Mapping[str, set[str]]] = {
    "message": {"content", "role", "phase"},
    "reasoning": {"content", "summary", "encrypted_content"},
    "function_call": {"arguments", "call_id", "name", "namespace"},
    "image_generation_call": {
        "result", "output_format", "background", "quality", "size", "revised_prompt", "action", "error",
    },
    "web_search_call": {"action"},
    "file_search_call": {"queries", "results"},
    "code_interpreter_call": {"code", "container_id", "outputs"},
    "mcp_call": {"approval_request_id", "arguments", "error", "name", "output", "server_label"},
    "mcp_list_tools": {"server_label", "tools", "error"},
}  # fmt: skip
"""Items that a reply has a place for, and what they hold beside id, type and status."""


def kind_of(data: bytes) -> FrameKind:
    """What a recorded frame does first of all."""
    found = next(sse.events(data), None)
    if found is None or found.data.startswith("[DONE]"):
        return "end" if found else "noise"
    event = recorded_object(found.data)
    type = "error" if is_error(event) else str(event.get("type"))
    if type in TEXTS or type in CALLS:
        return "piece" if event.get("delta") else "noise"
    if type == "response.output_item.done":
        return _kind_of_item(inner(event.get("item")))
    return _KINDS.get(type, "noise")


def also_of(data: bytes) -> tuple[FrameKind, ...]:
    """What else a recorded frame does: the event that ends a stream does all that is left."""
    found = next(sse.events(data), None)
    event = recorded_object(found.data) if found else {}
    if str(event.get("type")) not in FINISHED:
        return ()
    counted: tuple[FrameKind, ...] = ("usage",) if inner(event.get("response")).get("usage") else ()
    return ("finish", *counted, "end") if event["type"] == "response.failed" else (*counted, "end")


def is_error(event: Mapping[str, Any]) -> bool:
    """Whether an event is an error: as documented, or an HTTP error's body sent as an event."""
    return event.get("type") == "error" or ("type" not in event and bool(event.get("error")))


def _kind_of_item(item: Mapping[str, Any]) -> FrameKind:
    """An item that is done brings what did not stream."""
    if item.get("type") in ("web_search_call", "file_search_call", "mcp_list_tools"):
        return "piece"
    return "start" if item.get("type") == "image_generation_call" else "noise"


def inner(value: object) -> dict[str, Any]:
    """A part of a recorded event; `{}` where it is no object."""
    return value if isinstance(value, dict) else {}
