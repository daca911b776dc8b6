"""Chat Completions, asked: what a request says, and what OpenAI refuses in it.

Sources: the types `CompletionCreateParams` and `ChatCompletionMessageParam` of the PyPI package `openai` 3.54; the API
reference (https://platform.openai.com/docs/api-reference/chat/create); the words of refusals as quoted in issues:
unknown parameters (https://github.com/teabranch/open-responses-server/issues/41), results without calls
(https://github.com/smarter-sh/smarter/issues/264, https://github.com/dapr/dapr-agents/issues/145), calls without
results (https://github.com/router-for-me/CLIProxyAPI/issues/2798), `tool_choice` without tools
(https://github.com/vllm-project/vllm/pull/40311, https://github.com/writer/writer-framework/pull/1013), `stop`
(https://github.com/continuedev/continue/issues/2461), `stream_options`
(https://github.com/BerriAI/litellm/issues/5803), content that is null
(https://github.com/langchain-ai/langchainjs/issues/4153, https://github.com/vercel/ai/pull/13744), tools
(https://github.com/bolna-ai/bolna/issues/144, https://github.com/brekkylab/ailoy/pull/109).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from ...errors import Refused
from .. import asking
from ..base import Asked, Message, Request, read_object, text_of
from .dialects import Dialect

PARAMETERS: Final = frozenset({
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
    "max_tokens", "messages", "metadata", "modalities", "model", "moderation", "n", "parallel_tool_calls", "prediction",
    "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning_effort",
    "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options",
    "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
})  # fmt: skip
"""The parameters of `openai.types.chat.completion_create_params`."""
_ROLES: Final = ("system", "assistant", "user", "function", "tool", "developer")
_NUMBERS: Final[Mapping[str, tuple[float, float]]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
_INTEGERS: Final[Mapping[str, tuple[int, int | None]]] = {
    "n": (1, 128),
    "top_logprobs": (0, 20),
    "max_tokens": (1, None),
    "max_completion_tokens": (1, None),
}
_BOOLEANS: Final = ("stream", "logprobs", "store", "parallel_tool_calls")
_MAX_STOPS: Final = 4
_FORMATS: Final = ("json_object", "json_schema", "text")
_TOOLS: Final = ("function", "custom")
_CHOICES: Final = ("none", "auto", "required")
_NAME: Final = "^[a-zA-Z0-9_-]+$"


@dataclass
class ChatRefused(Refused):
    """A refusal with the `param` and the `code` that an error of OpenAI's says."""

    param: str | None = None
    code: str | None = None


def read(dialect: Dialect, request: Request) -> Asked:
    """The conversation asked.

    Raises:
        Refused: it cannot be understood at all.
    """
    body = read_object(request.body)
    if body.get("messages") is None:
        _refuse("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    messages = _objects(body, "messages")
    if not messages:
        _refuse(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "messages",
            "empty_array",
        )
    options = _typed(body, "stream_options", dict, "an object") or {}
    tools = [*_objects(body, "tools"), *_functions(body)]
    return Asked(
        wire=dialect.name,
        model=str(body.get("model") or ""),
        stream=bool(body.get("stream")),
        stream_usage=dialect.usage_always or bool(options.get("include_usage")),
        messages=tuple(_message(f"messages[{number}]", each) for number, each in enumerate(messages)),
        tools=tuple(_name(each) for each in tools),
        offered=asking.offered(tools),
        tool_choice=asking.tool_choice(body.get("tool_choice") or body.get("function_call")),
        stop=_strings(body, "stop"),
        settings=asking.settings(body),
        body=body,
        request=request,
    )


def _message(place: str, message: Mapping[str, Any]) -> Message:
    if message.get("role") is None:
        _refuse(f"Missing required parameter: '{place}.role'.", f"{place}.role", "missing_required_parameter")
    _typed(message, "role", str, "a string", within=place)
    calls = [str(call.get("id")) for call in _objects(message, "tool_calls", within=place)]
    result = message.get("tool_call_id")
    if message["role"] == "function":
        result = message.get("name")
    if isinstance(called := message.get("function_call"), dict):
        # Calls of the older form have no ids; their results tell the function's name.
        calls.append(str(called.get("name")))
    return Message(
        role=message["role"],
        text=text_of(message.get("content")),
        tool_calls=tuple(calls),
        tool_results=(str(result),) if result else (),
        attached=asking.of_parts(message.get("content")),
    )


def _functions(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The functions of the older form, as tools."""
    return [{"function": each} for each in _objects(body, "functions")]


def _name(tool: Mapping[str, Any]) -> str:
    inner = tool.get("function") or tool.get("custom")
    return str(inner.get("name") or "") if isinstance(inner, dict) else ""


def check(dialect: Dialect, asked: Asked) -> None:
    """Refuse what the provider is known to refuse.

    Raises:
        Refused: in the provider's words.
    """
    _check_key(dialect, asked.request)
    if not dialect.strict:
        return
    body = asked.body
    if dialect.needs_model and not body.get("model"):
        raise ChatRefused(400, "you must provide a model parameter", at="$.model")
    for name in body:
        if name not in PARAMETERS and name not in dialect.parameters:
            _refuse(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    _check_values(body)
    _check_streaming(body)
    _check_tools(body)
    _check_format(body)
    for number, message in enumerate(body["messages"]):
        _check_message(f"messages[{number}]", message)
    _check_calls(body["messages"])


def _check_key(dialect: Dialect, request: Request) -> None:
    given = (request.headers.get(name, "").removeprefix("Bearer").strip() for name in dialect.key_headers)
    if dialect.no_key and not any(given):
        told = dialect.no_key
        raise ChatRefused(told["status"], told["message"], kind=told.get("type", ""), code=told.get("code"))


def _check_values(body: Mapping[str, Any]) -> None:
    _typed(body, "model", str, "a string")
    for name in _BOOLEANS:
        _typed(body, name, bool, "a boolean")
    for name, (low, high) in _NUMBERS.items():
        _check_range(body, name, "decimal", low, high)
    for name, (least, most) in _INTEGERS.items():
        _check_range(body, name, "integer", least, most)
    _strings(body, "stop")
    stops = body.get("stop")
    if isinstance(stops, list) and len(stops) > _MAX_STOPS:
        _refuse(
            f"Invalid 'stop': array too long. Expected an array with maximum length {_MAX_STOPS}, but got an array "
            f"with length {len(stops)} instead.",
            "stop",
            "array_above_max_length",
        )


def _check_range(body: Mapping[str, Any], name: str, kind: str, low: float, high: float | None) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int if kind == "integer" else int | float):
        _refuse_type(name, "an integer" if kind == "integer" else "a decimal", value)
    if value < low:
        _refuse(
            f"Invalid '{name}': {kind} below minimum value. Expected a value >= {low}, but got {value} instead.",
            name,
            f"{kind}_below_min_value",
        )
    if high is not None and value > high:
        _refuse(
            f"Invalid '{name}': {kind} above maximum value. Expected a value <= {high}, but got {value} instead.",
            name,
            f"{kind}_above_max_value",
        )


def _check_streaming(body: Mapping[str, Any]) -> None:
    if body.get("stream_options") is not None and not body.get("stream"):
        _refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")


def _check_tools(body: Mapping[str, Any]) -> None:
    if body.get("tools") == []:
        _refuse(
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "tools",
            "empty_array",
        )
    for number, tool in enumerate(_objects(body, "tools")):
        _check_tool(f"tools[{number}]", tool)
    if body.get("tools") is None:
        for name in ("tool_choice", "parallel_tool_calls"):
            if body.get(name) is not None:
                _refuse(f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", name)
    choice = body.get("tool_choice")
    if isinstance(choice, str):
        _check_member("tool_choice", choice, _CHOICES)
    elif choice is not None:
        _typed(body, "tool_choice", dict, "one of a string or object")


def _check_tool(place: str, tool: Mapping[str, Any]) -> None:
    kind = _required(tool, "type", within=place)
    _check_member(f"{place}.type", kind, _TOOLS)
    if kind == "function":
        _required(tool, "function", within=place)
        function = _typed(tool, "function", dict, "an object", within=place)
        _required(function, "name", within=f"{place}.function")
        name = _typed(function, "name", str, "a string", within=f"{place}.function")
        if not re.search(_NAME, name):
            _refuse(
                f"Invalid '{place}.function.name': string does not match pattern. Expected a string that matches the "
                f"pattern '{_NAME}'.",
                f"{place}.function.name",
                "invalid_value",
            )


def _check_format(body: Mapping[str, Any]) -> None:
    wanted = _typed(body, "response_format", dict, "an object")
    if wanted is None:
        return
    _check_member("response_format.type", _required(wanted, "type", within="response_format"), _FORMATS)
    if wanted["type"] == "json_schema":
        _required(wanted, "json_schema", within="response_format")
        schema = _typed(wanted, "json_schema", dict, "an object", within="response_format")
        _required(schema, "name", within="response_format.json_schema")


def _check_message(place: str, message: Mapping[str, Any]) -> None:
    role = message["role"]
    _check_member(f"{place}.role", role, _ROLES)
    content = message.get("content")
    if content is not None and not isinstance(content, str | list):
        _refuse_type(f"{place}.content", "one of a string or array of objects", content)
    has_more = any(message.get(name) for name in ("tool_calls", "function_call", "refusal", "audio"))
    if content is None and role != "function" and not has_more:
        raise ChatRefused(
            400,
            "Invalid value for 'content': expected a string, got null.",
            at=f"$.{place}.content",
            param=place.replace("[", ".[") + ".content",
        )
    if role == "tool":
        _required(message, "tool_call_id", within=place)
    for number, call in enumerate(_objects(message, "tool_calls", within=place)):
        _required(call, "id", within=f"{place}.tool_calls[{number}]")
        _required(call, "type", within=f"{place}.tool_calls[{number}]")


def _check_calls(messages: Sequence[Mapping[str, Any]]) -> None:
    """Each result belongs to a call of the message before it, and each call has a result after it."""
    calls: list[str] = []
    answered: set[str] = set()
    for number, message in enumerate(messages):
        if message["role"] == "tool":
            _check_result(calls, str(message["tool_call_id"]), number)
            answered.add(str(message["tool_call_id"]))
            continue
        _check_answered(calls, answered, number)
        calls, answered = [str(call["id"]) for call in message.get("tool_calls") or ()], set()
    _check_answered(calls, answered, len(messages))


def _check_result(calls: list[str], id: str, number: int) -> None:
    if not calls:
        _refuse_order(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
            "'tool_calls'.",
            number,
        )
    if id not in calls:
        words = f"Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message."
        _refuse_order(words, number, "tool_call_id")


def _check_answered(calls: list[str], answered: set[str], number: int) -> None:
    if open_calls := [call for call in calls if call not in answered]:
        _refuse_order(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: " + ", ".join(open_calls),
            number,
        )


def _refuse_order(words: str, number: int, name: str = "role") -> NoReturn:
    raise ChatRefused(400, words, at=f"$.messages[{number}].{name}", param=f"messages.[{number}].{name}")


def _check_member(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        *others, last = (f"'{each}'" for each in known)
        supported = f"{', '.join(others)}{',' * (len(others) > 1)} and {last}"
        _refuse(f"Invalid value: '{value}'. Supported values are: {supported}.", name, "invalid_value")


def _required(fields: Mapping[str, Any], name: str, *, within: str) -> Any:
    value = fields.get(name)
    if value is None:
        place = f"{within}.{name}"
        _refuse(f"Missing required parameter: '{place}'.", place, "missing_required_parameter")
    return value


def _typed(fields: Mapping[str, Any], name: str, kind: type, words: str, *, within: str = "") -> Any:
    """The field `name`; `None` where it is left out or null."""
    value = fields.get(name)
    if value is not None and not isinstance(value, kind):
        _refuse_type(f"{within}.{name}" if within else name, words, value)
    return value


def _objects(fields: Mapping[str, Any], name: str, *, within: str = "") -> list[dict[str, Any]]:
    """The objects of the list `name`; none where it is left out or null."""
    values = _typed(fields, name, list, "an array of objects", within=within) or []
    for number, value in enumerate(values):
        if not isinstance(value, dict):
            _refuse_type(f"{within}.{name}[{number}]" if within else f"{name}[{number}]", "an object", value)
    return list(values)


def _strings(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The strings of `name`: one, a list of them, or none where it is left out or null."""
    value = fields.get(name)
    values = value if isinstance(value, list) else [] if value is None else [value]
    for number, each in enumerate(values):
        if not isinstance(each, str):
            place = f"{name}[{number}]" if isinstance(value, list) else name
            _refuse_type(place, "a string" if isinstance(value, list) else "one of a string or array of strings", each)
    return tuple(values)


def _refuse_type(name: str, words: str, value: object) -> NoReturn:
    got = next(words for kind, words in _got() if isinstance(value, kind))
    _refuse(f"Invalid type for '{name}': expected {words}, but got {got} instead.", name, "invalid_type")


def _got() -> Iterator[tuple[type, str]]:
    yield bool, "a boolean"
    yield int, "an integer"
    yield float, "a decimal"
    yield str, "a string"
    yield list, "an array"
    yield dict, "an object"
    yield object, "null"


def _refuse(words: str, name: str, code: str | None = None) -> NoReturn:
    raise ChatRefused(400, words, at=f"$.{name}", param=name, code=code)
