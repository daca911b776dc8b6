"""Requests of Chat Completions: what is understood, what is refused in whose words, and what is asked beside."""

import json
from collections.abc import Iterator
from typing import Any, Final, get_type_hints

import httpx
import openai
import pytest
from openai.types.chat import completion_create_params

import mockserver
from mockserver import WIRES, Refused, Request, Server
from mockserver.wires import Message, OpenAIChat, aside_for
from mockserver.wires.chat.request import PARAMETERS

from ..helpers import LIMIT, THREE

CHATS: Final = {name: wire for name, wire in WIRES.items() if isinstance(wire, OpenAIChat)}
CHAT: Final = CHATS["openai-chat"]
USER: Final[dict[str, Any]] = {"role": "user", "content": "hi"}
TOOL: Final[dict[str, Any]] = {"type": "function", "function": {"name": "f"}}
CALL: Final[dict[str, Any]] = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING: Final[dict[str, Any]] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT: Final[dict[str, Any]] = {"role": "tool", "tool_call_id": "c1", "content": "r"}
KEY: Final = {"authorization": "Bearer k"}


def request(headers: dict[str, str] = KEY, **body: Any) -> Request:
    asked = {"model": "m", "messages": [USER], **body}
    return Request(headers=headers, body=json.dumps(asked).encode())


def refused(wire: OpenAIChat = CHAT, headers: dict[str, str] = KEY, **body: Any) -> tuple[Refused, dict[str, Any]]:
    """The refusal of a request that can be understood, and the error that is sent."""
    asked = wire.read(request(headers, **body))
    with pytest.raises(Refused) as caught:
        wire.check(asked)
    return caught.value, json.loads(wire.error(caught.value))


def test_the_parameters_are_those_of_the_sdk() -> None:
    """The list of what is known is that of OpenAI's own types."""
    known = set(get_type_hints(completion_create_params.CompletionCreateParamsNonStreaming))
    assert known == PARAMETERS


def test_a_request_is_understood() -> None:
    """Roles, texts of either form, ids of calls and results, tools of all forms, stops, and whether usage is wanted."""
    messages = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}],
        },
        CALLING,
        RESULT,
    ]
    asked = CHAT.read(
        request(
            messages=messages,
            tools=[TOOL, {"type": "custom", "custom": {"name": "g"}}, {}],
            functions=[{"name": "h"}],
            stop="x",
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert asked.messages == (
        Message("developer", "Be brief."),
        Message("user", "ab"),
        Message("assistant", "", ("c1",)),
        Message("tool", "r", tool_results=("c1",)),
    )
    assert (asked.tools, asked.stop, asked.stream, asked.stream_usage) == (("f", "g", "", "h"), ("x",), True, True)
    assert not CHAT.read(request(stream=True)).stream_usage
    assert CHATS["groq-chat"].read(request(stream=True)).stream_usage


ACCEPTED: Final[list[dict[str, Any]]] = [
    {},
    dict.fromkeys(("tools", "stop", "stream_options", "temperature", "tool_choice", "response_format", "n", "stream")),
    {"temperature": 2, "top_p": 0, "frequency_penalty": -2, "presence_penalty": 2.0, "n": 1, "stop": ["a"] * 4},
    {"messages": [{**USER, "content": [{"type": "text", "text": "a"}]}, {"role": "assistant", "content": ""}]},
    {"messages": [USER, CALLING, RESULT, USER], "tools": [TOOL], "tool_choice": "auto"},
    {
        "messages": [
            USER,
            {**CALLING, "tool_calls": [CALL, {**CALL, "id": "c2"}]},
            {**RESULT, "tool_call_id": "c2"},
            RESULT,
        ]
    },
    {"messages": [USER, {"role": "assistant", "content": None, "refusal": "no"}, {"role": "system", "content": "s"}]},
    {"messages": [USER, {"role": "function", "name": "f", "content": None}]},
    {
        "tools": [{"type": "custom", "custom": {"name": "f"}}],
        "tool_choice": {"type": "custom", "custom": {"name": "f"}},
    },
    {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}},
    {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
    {
        "reasoning_effort": "low",
        "verbosity": "low",
        "web_search_options": {},
        "moderation": {"model": "m"},
        "user": "u",
    },
]


@pytest.mark.parametrize("body", ACCEPTED)
def test_what_openai_accepts_is_accepted(body: dict[str, Any]) -> None:
    """At the ends of ranges, with nulls for what is optional, in all forms of messages."""
    for wire, headers in ((CHAT, KEY), (CHATS["azure-chat"], {"api-key": "k"})):
        wire.check(wire.read(request(headers, **body)))


_MISSING: Final = "Missing required parameter: "
_FOUR: Final = "array too long. Expected an array with maximum length 4, but got an array with length 5 instead."
_EMPTY: Final = "empty array. Expected an array with minimum length 1, but got an empty array instead."
_PATTERN: Final = "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
_PARTS: Final = "expected one of a string or array of objects, but got an object instead."
_ONLY: Final = "is only allowed when 'tools' are specified."
_BEFORE: Final = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
_AFTER: Final = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
    "The following tool_call_ids did not have response messages: "
)
_ROLES: Final = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'"
REFUSED: Final[list[tuple[dict[str, Any], str, str | None, str | None]]] = [
    ({"model": None}, "you must provide a model parameter", None, None),
    ({"model": 5}, "Invalid type for 'model': expected a string, but got an integer instead.", "model", "invalid_type"),
    ({"top_k": 5}, "Unknown parameter: 'top_k'.", "top_k", "unknown_parameter"),
    (
        {"stream": "yes"},
        "Invalid type for 'stream': expected a boolean, but got a string instead.",
        "stream",
        "invalid_type",
    ),
    (
        {"temperature": 2.5},
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5 instead.",
        "temperature",
        "decimal_above_max_value",
    ),
    (
        {"top_p": -1},
        "Invalid 'top_p': decimal below minimum value. Expected a value >= 0, but got -1 instead.",
        "top_p",
        "decimal_below_min_value",
    ),
    (
        {"presence_penalty": "1"},
        "Invalid type for 'presence_penalty': expected a decimal, but got a string instead.",
        "presence_penalty",
        "invalid_type",
    ),
    (
        {"n": 0},
        "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        "n",
        "integer_below_min_value",
    ),
    (
        {"max_tokens": 1.5},
        "Invalid type for 'max_tokens': expected an integer, but got a decimal instead.",
        "max_tokens",
        "invalid_type",
    ),
    (
        {"n": True},
        "Invalid type for 'n': expected an integer, but got a boolean instead.",
        "n",
        "invalid_type",
    ),
    ({"stop": list("abcde")}, f"Invalid 'stop': {_FOUR}", "stop", "array_above_max_length"),
    (
        {"stream_options": {}},
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        "stream_options",
        None,
    ),
    ({"tools": []}, f"Invalid 'tools': {_EMPTY}", "tools", "empty_array"),
    ({"tools": [{}]}, f"{_MISSING}'tools[0].type'.", "tools[0].type", "missing_required_parameter"),
    (
        {"tools": [{"type": "f"}]},
        "Invalid value: 'f'. Supported values are: 'function' and 'custom'.",
        "tools[0].type",
        "invalid_value",
    ),
    (
        {"tools": [{"type": "function"}]},
        f"{_MISSING}'tools[0].function'.",
        "tools[0].function",
        "missing_required_parameter",
    ),
    (
        {"tools": [TOOL, {"type": "function", "function": {}}]},
        f"{_MISSING}'tools[1].function.name'.",
        "tools[1].function.name",
        "missing_required_parameter",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        f"Invalid 'tools[0].function.name': {_PATTERN}",
        "tools[0].function.name",
        "invalid_value",
    ),
    ({"tool_choice": "none"}, f"Invalid value for 'tool_choice': 'tool_choice' {_ONLY}", "tool_choice", None),
    (
        {"parallel_tool_calls": False},
        f"Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' {_ONLY}",
        "parallel_tool_calls",
        None,
    ),
    (
        {"tools": [TOOL], "tool_choice": "any"},
        "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'.",
        "tool_choice",
        "invalid_value",
    ),
    (
        {"tools": [TOOL], "tool_choice": 5},
        "Invalid type for 'tool_choice': expected one of a string or object, but got an integer instead.",
        "tool_choice",
        "invalid_type",
    ),
    (
        {"response_format": "json"},
        "Invalid type for 'response_format': expected an object, but got a string instead.",
        "response_format",
        "invalid_type",
    ),
    (
        {"response_format": {"type": "json"}},
        "Invalid value: 'json'. Supported values are: 'json_object', 'json_schema', and 'text'.",
        "response_format.type",
        "invalid_value",
    ),
    (
        {"response_format": {"type": "json_schema"}},
        f"{_MISSING}'response_format.json_schema'.",
        "response_format.json_schema",
        "missing_required_parameter",
    ),
    (
        {"messages": [{"role": "human", "content": "a"}]},
        f"Invalid value: 'human'. Supported values are: {_ROLES}.",
        "messages[0].role",
        "invalid_value",
    ),
    (
        {"messages": [USER, {"role": "user", "content": {"text": "a"}}]},
        f"Invalid type for 'messages[1].content': {_PARTS}",
        "messages[1].content",
        "invalid_type",
    ),
    (
        {"messages": [USER, {"role": "assistant", "content": None}]},
        "Invalid value for 'content': expected a string, got null.",
        "messages.[1].content",
        None,
    ),
    (
        {"messages": [USER, CALLING, {"role": "tool", "content": "a"}]},
        f"{_MISSING}'messages[2].tool_call_id'.",
        "messages[2].tool_call_id",
        "missing_required_parameter",
    ),
    (
        {"messages": [USER, {**CALLING, "tool_calls": [{"id": "c1"}]}, RESULT]},
        f"{_MISSING}'messages[1].tool_calls[0].type'.",
        "messages[1].tool_calls[0].type",
        "missing_required_parameter",
    ),
    ({"messages": [USER, RESULT]}, f"Invalid parameter: {_BEFORE}", "messages.[1].role", None),
    ({"messages": [USER, CALLING, RESULT, USER, RESULT]}, f"Invalid parameter: {_BEFORE}", "messages.[4].role", None),
    (
        {"messages": [USER, CALLING, {**RESULT, "tool_call_id": "x"}]},
        "Invalid parameter: 'tool_call_id' of 'x' not found in 'tool_calls' of previous message.",
        "messages.[2].tool_call_id",
        None,
    ),
    ({"messages": [USER, CALLING]}, f"{_AFTER}c1", "messages.[2].role", None),
    (
        {"messages": [USER, {**CALLING, "tool_calls": [CALL, {**CALL, "id": "c2"}]}, RESULT, USER]},
        f"{_AFTER}c2",
        "messages.[3].role",
        None,
    ),
]


@pytest.mark.parametrize(("body", "words", "param", "code"), REFUSED, ids=[words[:50] for _, words, _, _ in REFUSED])
def test_what_openai_refuses_is_refused_in_its_words(
    body: dict[str, Any], words: str, param: str | None, code: str | None
) -> None:
    """The error says what and where as OpenAI does; the refusal names the place in the request as a JSON path."""
    found, sent = refused(**body)
    error = {"message": words, "type": "invalid_request_error", "param": param, "code": code}
    assert (found.status, sent) == (400, {"error": error})
    assert found.at.startswith("$.")


@pytest.mark.parametrize("body", [body for body, _, _, _ in REFUSED])
def test_compatible_providers_are_not_held_to_openais_rules(body: dict[str, Any]) -> None:
    """What a provider does not document it does not refuse."""
    for name in ("groq-chat", "together-chat"):
        CHATS[name].check(CHATS[name].read(request(**body)))


@pytest.mark.parametrize("headers", [{}, {"authorization": ""}, {"authorization": "Bearer "}, {"api-key": "k"}])
def test_a_request_without_a_key_is_refused(headers: dict[str, str]) -> None:
    """OpenAI's 401 has no code; any key is as good as another."""
    found, sent = refused(headers=headers)
    assert found.status == 401
    assert sent["error"]["message"].startswith("You didn't provide an API key. You need to provide your API key in an")
    assert (sent["error"]["type"], sent["error"]["code"]) == ("invalid_request_error", None)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (
            "azure-chat",
            {
                "error": {
                    "code": "401",
                    "message": "Access denied due to invalid subscription key or wrong API endpoint. Make sure to "
                    "provide a valid key for an active subscription and use a correct regional API endpoint for your "
                    "resource.",
                }
            },
        ),
        (
            "groq-chat",
            {"error": {"message": "Invalid API Key", "type": "invalid_request_error", "code": "invalid_api_key"}},
        ),
        (
            "deepseek-chat",
            {
                "error": {
                    "message": "Authentication Fails (auth header format should be Bearer sk-...)",
                    "type": "authentication_error",
                    "param": None,
                    "code": "invalid_request_error",
                }
            },
        ),
        ("mistral-chat", {"detail": "Unauthorized"}),
        ("openrouter-chat", {"error": {"code": 401, "message": "No cookie auth credentials found"}}),
        ("moonshot-chat", {"error": {"message": "Invalid Authentication", "type": "invalid_authentication_error"}}),
    ],
)
def test_each_provider_misses_a_key_in_its_own_words(name: str, body: dict[str, Any]) -> None:
    """The bodies are as quoted by those who met them."""
    found, sent = refused(CHATS[name], headers={})
    assert (found.status, sent) == (401, body)


@pytest.mark.parametrize("headers", [{"api-key": "k"}, {"authorization": "Bearer token"}])
def test_azure_takes_a_key_or_a_token(headers: dict[str, str]) -> None:
    """And it needs no model, since the path names a deployment, and knows parameters of its own."""
    azure = CHATS["azure-chat"]
    azure.check(azure.read(request(headers, model=None, data_sources=[])))
    assert refused(azure, headers=headers, top_k=5)[0].message == "Unknown parameter: 'top_k'."


@pytest.mark.parametrize(
    ("name", "status", "kind", "body"),
    [
        (
            "openai-chat",
            429,
            "",
            {"error": {"message": "no", "type": "requests", "param": None, "code": "rate_limit_exceeded"}},
        ),
        (
            "openai-chat",
            429,
            "insufficient_quota",
            {"error": {"message": "no", "type": "insufficient_quota", "param": None, "code": None}},
        ),
        ("groq-chat", 400, "", {"error": {"message": "no", "type": "invalid_request_error"}}),
        (
            "mistral-chat",
            429,
            "",
            {"object": "error", "message": "no", "type": "rate_limit_error", "param": None, "code": None},
        ),
        ("openrouter-chat", 429, "", {"error": {"code": 429, "message": "no"}}),
        ("xai-chat", 400, "Bad request", {"code": "Bad request", "error": "no"}),
        ("gigachat-chat", 422, "", {"status": 422, "message": "no"}),
        (
            "writer-chat",
            400,
            "",
            {
                "tpe": "fail.input.generic",
                "errors": [{"description": "no", "key": "fail.input.generic", "extras": None}],
                "extras": None,
            },
        ),
    ],
)
def test_errors_are_in_the_providers_shape(name: str, status: int, kind: str, body: dict[str, Any]) -> None:
    """Status, kind and words stand where the provider has them."""
    assert json.loads(CHATS[name].error(Refused(status, "no", kind=kind))) == body


def test_the_place_of_a_scripted_error_is_its_parameter() -> None:
    """A JSON path is said as OpenAI says it."""
    error = json.loads(CHAT.error(Refused(400, "no", at="$.messages[0].role")))["error"]
    assert error["param"] == "messages[0].role"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve(THREE) as running:
        yield running


BASES: Final = ("/v1", "/groq/openai/v1", "/openrouter/api/v1", "/deepseek", "/fireworks/inference/v1", "")


@pytest.mark.parametrize("base", BASES)
def test_models_are_listed(server: Server, base: str) -> None:
    """Under each base URL the SDK finds a list, and an entry for each name."""
    with openai.OpenAI(base_url=server.url + base, api_key="k", max_retries=0, timeout=LIMIT) as client:
        assert [(each.object, each.owned_by) for each in client.models.list().data] == [("model", "mockserver")]
        assert client.models.retrieve("some/model").id == "some/model"


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1/models/x", "/v1/chat/completions"])
def test_other_calls_are_no_lists(path: str) -> None:
    """A list of another provider's, a POST and the main call are not answered as asides."""
    assert CHAT.aside(Request(method="POST", path=path)) is None
    assert path.startswith("/v1/m") or CHAT.aside(Request(method="GET", path=path)) is None


def test_a_prefix_says_whose_models_are_meant() -> None:
    """Mistral's entries have capabilities, which its SDK needs."""
    found = aside_for(Request(method="GET", path="/mistral/v1/models"))
    assert found
    assert "capabilities" in json.loads(found.frames[0].data)["data"][0]


def test_a_refusal_is_sent_and_kept(server: Server) -> None:
    """Over a socket: the provider's status and body; the journal has the place."""
    answer = httpx.post(
        f"{server.url}/v1/chat/completions", json={"model": "m", "messages": [USER], "n": 0}, headers=KEY
    )
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "n")
    exchange = server.exchanges[-1]
    assert (exchange.refused, exchange.refused_at) == (answer.json()["error"]["message"], "$.n")


def test_a_lenient_server_answers_all_the_same() -> None:
    """What can be understood is answered, without a key and with whatever parameters."""
    with mockserver.serve(THREE, lenient=True) as lenient:
        answer = httpx.post(f"{lenient.url}/v1/chat/completions", json={"messages": [USER], "top_k": 5})
    assert answer.json()["choices"][0]["message"]["content"] == THREE.text
