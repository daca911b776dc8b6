"""OpenAI Responses: the requests, read and checked.

Which parameters there are: `ResponseCreateParams` of the PyPI package `openai` 3.54. Texts, codes and `param` of
refusals are those that OpenAI was seen to answer with, at

- https://github.com/openai/openai-cookbook/issues/2347 (no key),
- https://github.com/openai/codex/issues/6725 (a parameter is missing),
- https://github.com/fhswf/openai-ui/issues/127 and https://github.com/cline/cline/issues/5419 (one that is not there),
- https://github.com/earendil-works/pi/issues/6265 (`max_output_tokens`),
- https://github.com/anomalyco/opencode/issues/10803 (roles),
- https://github.com/MervinPraison/PraisonAI/issues/3934 and
  https://github.com/tinyhumansai/openhuman/issues/3624 (content parts),
- https://github.com/microsoft/vscode/issues/320060 and
  https://github.com/Azure/azure-sdk-for-python/issues/46092 (calls and results that do not match).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...errors import Refused
from .. import asking
from ..base import Asked, Message, Request, objects_of, read_object, text_of

PARAMETERS: Final = {
    "access_programs", "background", "background_options", "context_management", "conversation", "image", "include",
    "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation",
    "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "stream", "stream_options",
    "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
}  # fmt: skip
"""What a request may have."""
_MOVED: Final = {
    "messages": "input",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
}
"""Parameters of Chat Completions whose place the refusal names."""
_ROLES: Final = ("assistant", "system", "developer", "user")
_PARTS: Final = (
    "input_text", "input_image", "input_audio", "output_text", "refusal", "input_file", "computer_screenshot",
    "summary_text", "encrypted_content",
)  # fmt: skip
_LATER_PARTS: Final = {"scoped_content", "reasoning_text", "prompt_cache_breakpoint"}
"""Kinds of parts that are accepted though the refusal that was seen does not list them."""
_ANSWER_PARTS: Final = ("output_text", "refusal")
_MIN_OUTPUT: Final = 16
_RANGES: Final = {"temperature": 2, "top_p": 1}
"""The largest value of each; the smallest is 0."""
_KINDS: Final[Mapping[type, str]] = {
    str: "a string",
    list: "an array",
    dict: "an object",
    int: "an integer",
    float: "a decimal",
    bool: "a boolean",
}
_STORED: Final = ("previous_response_id", "conversation", "prompt")
"""Where else a part of the conversation may stand."""


@dataclass
class Fault(Refused):
    """A refusal with OpenAI's `code`, such as ``missing_required_parameter``, and `param` where it is not the path."""

    code: str | None = None
    param: str | None = None


def read(wire: str, request: Request) -> Asked:
    """The conversation asked. Instructions come first; calls and results are messages of their own."""
    if request.path.rpartition("/")[2] != "responses":
        raise not_found(request.path.rpartition("/")[2])
    asked = read_object(request.body)
    given = asked.get("input")
    if not isinstance(given, str | list | None):
        raise _invalid_type("input", "one of an array of objects or string", given)
    items = [{"role": "user", "content": given}] if isinstance(given, str) else objects_of(asked, "input")
    instructions = asked.get("instructions")
    system = [Message(role="system", text=text_of(instructions))] if instructions else []
    return Asked(
        wire=wire,
        model=str(asked.get("model") or ""),
        stream=bool(asked.get("stream")),
        messages=(*system, *(message for item in items for message in _messages(item))),
        tools=tuple(str(tool.get("name") or tool.get("type") or "") for tool in objects_of(asked, "tools")),
        offered=asking.offered(objects_of(asked, "tools")),
        tool_choice=asking.tool_choice(asked.get("tool_choice")),
        settings=asking.settings(asked),
        body=asked,
        request=request,
    )


def check(asked: Asked) -> None:
    """What OpenAI refuses.

    Raises:
        Refused: in its words.
    """
    body = asked.body
    _check_key(asked.request)
    _check_names(body)
    _check_needed(body)
    _check_numbers(body)
    for number, tool in enumerate(objects_of(body, "tools")):
        _check_tool(number, tool)
    items = body.get("input")
    if isinstance(items, list):
        for number, item in enumerate(items):
            _check_item(f"input[{number}]", item)
        _check_pairs(body, items)


def not_found(id: str) -> Refused:
    """What is said of a stored response: there is none."""
    return Refused(404, f"Response with id '{id}' not found.")


def _messages(item: Mapping[str, Any]) -> Iterator[Message]:
    """The message that an input item is; none for items that neither say, call nor answer."""
    type, call = str(item.get("type") or "message"), item.get("call_id")
    if type == "message":
        content = item.get("content")
        yield Message(role=str(item.get("role") or ""), text=text_of(content), attached=asking.of_parts(content))
    elif type.endswith("_call_output") and call:
        yield Message(role="tool", text=text_of(item.get("output")), tool_results=(str(call),))
    elif type.endswith("_call") and call:
        yield Message(role="assistant", tool_calls=(str(call),))


def _check_key(request: Request) -> None:
    """A key comes as `Authorization`, or (Azure) as `api-key`."""
    if not request.headers.get("authorization", "").partition(" ")[2].strip() and not request.headers.get("api-key"):
        raise Fault(401, "Missing bearer or basic authentication in header")


def _check_names(body: Mapping[str, Any]) -> None:
    for name in body:
        if name in _MOVED:
            raise Fault(
                400,
                f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to '{_MOVED[name]}'. "
                "Try again with the new parameter. See the API documentation for more information: "
                "https://platform.openai.com/docs/api-reference/responses/create.",
                at=f"$.{name}",
                code="unsupported_parameter",
            )
        if name not in PARAMETERS:
            raise Fault(400, f"Unknown parameter: '{name}'.", at=f"$.{name}", code="unknown_parameter")


def _check_needed(body: Mapping[str, Any]) -> None:
    """Model and input may only be left out where a stored part of the conversation or prompt has them."""
    if any(body.get(name) for name in _STORED):
        return
    for name in ("model", "input"):
        if body.get(name) is None:
            raise _missing(name)


def _check_numbers(body: Mapping[str, Any]) -> None:
    tokens = body.get("max_output_tokens")
    if tokens is not None and (not isinstance(tokens, int) or isinstance(tokens, bool)):
        raise _invalid_type("max_output_tokens", "an integer", tokens)
    if tokens is not None and tokens < _MIN_OUTPUT:
        raise Fault(
            400,
            f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {_MIN_OUTPUT}, "
            f"but got {tokens} instead.",
            at="$.max_output_tokens",
            code="integer_below_min_value",
        )
    for name, largest in _RANGES.items():
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _invalid_type(name, "a decimal", value)
        if not 0 <= value <= largest:
            side, sign, bound = ("above max", "<=", largest) if value > largest else ("below min", ">=", 0)
            raise Fault(
                400,
                f"Invalid '{name}': decimal {side}imum value. Expected a value {sign} {bound}, "
                f"but got {value} instead.",
                at=f"$.{name}",
                code=f"decimal_{side.replace(' ', '_')}_value",
            )


def _check_tool(number: int, tool: Mapping[str, Any]) -> None:
    if not tool.get("type"):
        raise _missing(f"tools[{number}].type")
    if tool["type"] == "function" and not tool.get("name"):
        raise _missing(f"tools[{number}].name")


def _check_item(where: str, item: Mapping[str, Any]) -> None:
    if item.get("type") not in (None, "message"):
        return
    if item.get("type") is None and "role" not in item:
        return
    role, content = item.get("role"), item.get("content")
    if role not in _ROLES:
        raise _invalid_value(f"{where}.role", role, _ROLES) if role else _missing(f"{where}.role")
    if content is None:
        raise _missing(f"{where}.content")
    if not isinstance(content, str | list):
        raise _invalid_type(f"{where}.content", "one of an array of objects or string", content)
    for number, part in enumerate(content if isinstance(content, list) else ()):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind is not None and str(kind) not in (*_PARTS, *_LATER_PARTS):
            raise _invalid_value(f"{where}.content[{number}].type", kind, _PARTS)
        if role == "assistant" and kind == "input_text":
            raise _invalid_value(f"{where}.content[{number}]", kind, _ANSWER_PARTS)


def _check_pairs(body: Mapping[str, Any], items: list[Any]) -> None:
    """Each result has its call and each call its result, unless the rest of the conversation is stored."""
    referring = any(item.get("type") in ("item_reference", "compaction") for item in items)
    if referring or any(body.get(name) for name in _STORED):
        return
    calls = {
        str(item.get("call_id")): number for number, item in enumerate(items) if item.get("type") == "function_call"
    }
    results = {str(item.get("call_id")) for item in items if item.get("type") == "function_call_output"}
    for number, item in enumerate(items):
        if item.get("type") == "function_call_output" and str(item.get("call_id")) not in calls:
            words = f"No tool call found for function call output with call_id {item.get('call_id')}."
            raise Fault(400, words, at=f"$.input[{number}]", param="input")
    for call, number in calls.items():
        if call not in results and not items[number].get("async"):
            words = f"No tool output found for function call {call}."
            raise Fault(400, words, at=f"$.input[{number}]", param="input")


def _missing(name: str) -> Fault:
    return Fault(400, f"Missing required parameter: '{name}'.", at=f"$.{name}", code="missing_required_parameter")


def _invalid_type(name: str, expected: str, value: object) -> Fault:
    words = f"Invalid type for '{name}': expected {expected}, but got {_KINDS[type(value)]} instead."
    return Fault(400, words, at=f"$.{name}", code="invalid_type")


def _invalid_value(name: str, value: object, known: tuple[str, ...]) -> Fault:
    listed = [f"'{each}'" for each in known]
    supported = f"{', '.join(listed[:-1])}{',' if len(listed) > 2 else ''} and {listed[-1]}"
    words = f"Invalid value: '{value}'. Supported values are: {supported}."
    return Fault(400, words, at=f"$.{name}", code="invalid_value")
