"""Requests that Anthropic refuses, in its words and with the place of the fault, on each carrier; and those that it
does not.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

import mockserver
from mockserver import Reply, Server

USER = {"role": "user", "content": "hi"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
KEYS = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
NEWEST = {**KEYS, "anthropic-version": "2026-10-21"}
PATHS = {
    "anthropic-messages": "/v1/messages",
    "anthropic-messages-old": "/anthropic-old/v1/messages",
    "anthropic-vertex": "/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict",
    "bedrock-invoke": "/model/m/invoke",
}


def use(*ids: str) -> dict[str, Any]:
    calls = [{"type": "tool_use", "id": id, "name": "f", "input": {}} for id in ids]
    return {"role": "assistant", "content": calls}


def results(*ids: str, first: str = "") -> dict[str, Any]:
    found: list[dict[str, Any]] = [{"type": "tool_result", "tool_use_id": id, "content": "r"} for id in ids]
    return {"role": "user", "content": [*([{"type": "text", "text": first}] if first else []), *found]}


def said(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


def without(*names: str) -> dict[str, Any]:
    whole = {"model": "m", "max_tokens": 5, "messages": [USER]}
    return {name: value for name, value in whole.items() if name not in names}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve(Reply.of("a")) as running:
        yield running


@pytest.fixture(scope="module")
def lenient() -> Iterator[Server]:
    with mockserver.serve(Reply.of("a"), lenient=True) as running:
        yield running


def ask(server: Server, body: bytes | Mapping[str, Any], headers: Mapping[str, str], wire: str = "") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body)
    path = PATHS[wire or "anthropic-messages"]
    return httpx.post(server.url + path, content=content, headers=headers, verify=False)


def talk(*messages: Any, **more: Any) -> dict[str, Any]:
    return {**without(), "messages": list(messages), **more}


THINK = {"type": "enabled", "budget_tokens": 1024}
JSON = "The request body is not valid JSON: "
BLANK = "messages: text content blocks must"
USES = (
    "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block "
    "must have a corresponding `tool_result` block in the next message."
)
RESULTS = (
    "messages.{}: unexpected `tool_use_id` found in `tool_result` blocks: {}. Each `tool_result` block must have a "
    "corresponding `tool_use` block in the previous message."
)
REFUSED: list[tuple[bytes | dict[str, Any], str, str]] = [
    (b"{", f"{JSON}Expecting property name", "$"),
    (b"\xff", f"{JSON}'utf-8' codec can't decode", "$"),
    (b"[" * 100_000, f"{JSON}it is nested too deep", "$"),
    (b"[]", f"{JSON}an object is expected", "$"),
    (without("messages"), "messages: Field required", "$.messages"),
    ({**without(), "messages": "hi"}, "messages: Input should be a valid list", "$.messages"),
    (without("model"), "model: Field required", "$.model"),
    ({**without(), "model": 5}, "model: Input should be a valid string", "$.model"),
    (without("max_tokens"), "max_tokens: Field required", "$.max_tokens"),
    ({**without(), "max_tokens": "5"}, "max_tokens: Input should be a valid integer", "$.max_tokens"),
    ({**without(), "max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0", "$.max_tokens"),
    ({**without(), "n": 2}, "n: Extra inputs are not permitted", "$.n"),
    ({**without(), "temperature": 1.5}, "temperature: range: 0..1", "$.temperature"),
    (
        {**without(), "stop_sequences": ["x", "\n"]},
        "stop_sequences: each stop sequence must contain non-whitespace",
        "$.stop_sequences[1]",
    ),
    ({**without(), "stop_sequences": 5}, "stop_sequences: Input should be a valid list", "$.stop_sequences"),
    ({**without(), "tools": 5}, "tools: Input should be a valid list", "$.tools"),
    ({**without(), "tools": [TOOL, TOOL]}, "tools: Tool names must be unique.", "$.tools"),
    ({**without(), "tools": [{"name": "f"}]}, "tools.0.custom.input_schema: Field required", "$.tools[0].input_schema"),
    (
        {**without(), "tools": [TOOL, {**TOOL, "name": "a.b"}]},
        "tools.1.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        "$.tools[1].name",
    ),
    (
        {**without(), "thinking": {"type": "enabled"}},
        "thinking.enabled.budget_tokens: Field required",
        "$.thinking.budget_tokens",
    ),
    (
        {**without(), "thinking": {**THINK, "budget_tokens": 1023}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        "$.thinking.budget_tokens",
    ),
    (
        {**without(), "max_tokens": 1024, "thinking": THINK},
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
        "$.max_tokens",
    ),
    (
        {**without(), "max_tokens": 2000, "thinking": THINK, "temperature": 0},
        "`temperature` may only be set to 1 when thinking is enabled.",
        "$.temperature",
    ),
    (
        {**without(), "max_tokens": 2000, "thinking": THINK, "tools": [TOOL], "tool_choice": {"type": "any"}},
        "Thinking may not be enabled when tool_choice forces tool use.",
        "$.tool_choice",
    ),
    (talk(), "messages: at least one message is required", "$.messages"),
    (talk("hi"), "messages.0: Input should be an object", "$.messages[0]"),
    (talk({"content": "a"}), "messages.0.role: Field required", "$.messages[0].role"),
    (talk({"role": "user"}), "messages.0.content: Field required", "$.messages[0].content"),
    (talk({"role": "user", "content": 5}), "messages.0.content: Input should be a valid list", "$.messages[0].content"),
    (
        talk({"role": "user", "content": [5]}),
        "messages.0.content.0: Input should be an object",
        "$.messages[0].content[0]",
    ),
    (talk({"role": "tool", "content": "a"}), 'messages: Unexpected role "tool".', "$.messages[0].role"),
    (
        talk(USER, {"role": "assistant", "content": ""}, USER),
        "messages.1: all messages must have non-empty content except for the optional final assistant message",
        "$.messages[1].content",
    ),
    (talk(said("user", "a", "")), f"{BLANK} be non-empty", "$.messages[0].content[1].text"),
    (talk(said("user", "a", " \n")), f"{BLANK} contain non-whitespace text", "$.messages[0].content[1].text"),
    (
        talk(USER, system=[{"type": "text", "text": ""}]),
        "system: text content blocks must be non-empty",
        "$.system[0].text",
    ),
    (
        talk(USER, {"role": "assistant", "content": "So "}),
        "messages: final assistant content cannot end with trailing whitespace",
        "$.messages[1].content",
    ),
    (talk(USER, use("t1", "t2"), results("t2")), USES.format("t1"), "$.messages[1].content"),
    (talk(USER, use("t1", "t2"), USER), USES.format("t1, t2"), "$.messages[1].content"),
    (talk(USER, use("t1"), results("t1", first="so")), USES.format("t1"), "$.messages[1].content"),
    (talk(results("t1")), RESULTS.format("0.content.0", "t1"), "$.messages[0].content[0].tool_use_id"),
    (
        talk(USER, use("t1"), results("t1", "t2")),
        RESULTS.format("2.content.1", "t2"),
        "$.messages[2].content[1].tool_use_id",
    ),
    (
        talk(USER, use("t1"), results("t1", "t1")),
        "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id",
        "$.messages[2].content[1].tool_use_id",
    ),
    (
        talk(USER, use("t1", "t1"), results("t1")),
        "messages.1.content.1: `tool_use` ids must be unique",
        "$.messages[1].content[1].id",
    ),
]


@pytest.mark.parametrize(("body", "words", "at"), REFUSED, ids=[words[:60] for _, words, _ in REFUSED])
def test_what_anthropic_refuses(server: Server, body: bytes | dict[str, Any], words: str, at: str) -> None:
    """A 400 in its words; the journal says where the fault is."""
    server.play(Reply.of("a"))
    answer = ask(server, body, KEYS)
    [exchange] = server.exchanges
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], server.errors) == (400, "invalid_request_error", [])
    assert error["message"].startswith(words)
    assert (exchange.refused, exchange.refused_at) == (error["message"], at)


ACCEPTED: list[dict[str, Any]] = [
    without(),
    {**without(), "max_tokens": 0},
    {**without(), "temperature": 0, "top_p": 0.5, "top_k": 3, "metadata": {"user_id": "u"}, "service_tier": "auto"},
    {**without(), **dict.fromkeys(("temperature", "stop_sequences", "tools", "system", "thinking", "stream"))},
    {**without(), "context_management": {}, "mcp_servers": [], "container": "c", "output_config": {}},
    {**without(), "max_tokens": 2000, "thinking": THINK, "temperature": 1, "tool_choice": {"type": "auto"}},
    {**without(), "thinking": {"type": "adaptive"}},
    {**without(), "tools": [TOOL, {"type": "web_search_20250305", "name": "web_search"}, {"type": "mcp_toolset"}]},
    talk({"role": "assistant", "content": "a"}, USER),
    talk(USER, USER, {"role": "assistant", "content": "So"}),
    talk(USER, {"role": "assistant", "content": ""}),
    talk(USER, {"role": "system", "content": "Be brief."}),
    talk(USER, use("t1", "t2"), results("t1"), results("t2")),
    talk(USER, use("t1"), {"role": "system", "content": "Be brief."}, results("t1"), use("t1"), results("t1")),
    talk(USER, use("t1")),
    talk(USER, use("t1"), {"role": "user", "content": [*results("t1")["content"], {"type": "text", "text": "so?"}]}),
    talk(USER, {"role": "assistant", "content": [{"type": "server_tool_use", "id": "s", "name": "web_search"}]}, USER),
]


@pytest.mark.parametrize("body", ACCEPTED, ids=[str(number) for number in range(len(ACCEPTED))])
def test_what_anthropic_accepts(server: Server, body: dict[str, Any]) -> None:
    """A request that is right, or of which it depends on the model whether it is."""
    server.play(Reply.of("a"))
    assert (ask(server, body, KEYS).status_code, server.exchanges[0].refused) == (200, None)


@pytest.mark.parametrize(
    ("headers", "status", "kind", "words"),
    [
        ({}, 401, "authentication_error", "x-api-key header is required"),
        ({"x-api-key": "", "anthropic-version": "2023-06-01"}, 401, "authentication_error", "x-api-key header is requ"),
        ({"x-api-key": "k"}, 400, "invalid_request_error", "anthropic-version: header is required"),
        (
            {"x-api-key": "k", "anthropic-version": "2023-06-01, 2023-06-01"},
            400,
            "invalid_request_error",
            'anthropic-version: "2023-06-01, 2023-06-01" is not a valid version',
        ),
    ],
)
def test_keys_and_versions_are_needed(
    server: Server, headers: dict[str, str], status: int, kind: str, words: str
) -> None:
    """Without a key it is a 401, without a version that there is a 400."""
    answer = ask(server, without(), headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    assert answer.json()["error"]["message"].startswith(words)


def test_a_bearer_token_is_a_key(server: Server) -> None:
    """As newer clients send it."""
    headers = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
    assert ask(server, without(), headers).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**without(), "temperature": 1}, "temperature: Extra inputs are not permitted"),
        ({**without(), "top_k": 1}, "top_k: Extra inputs are not permitted"),
        (
            talk(USER, {"role": "assistant", "content": [{"type": "document"}]}),
            "messages.1.content.0: `document` blocks",
        ),
        (
            talk({"role": "user", "content": [{"type": "text", "text": "a", "citations": [{}]}]}),
            "messages.0.content.0: `citations` are not permitted",
        ),
    ],
)
def test_the_newest_version_has_no_sampling(server: Server, body: dict[str, Any], words: str) -> None:
    """What was an accepted request before is refused, by the version that the request names."""
    assert ask(server, body, KEYS).status_code == 200
    refused = ask(server, body, NEWEST)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith(words)


def test_interleaved_thinking_may_have_a_greater_budget(server: Server) -> None:
    """With its beta, the budget is for all of a turn."""
    body = {**without(), "max_tokens": 1024, "thinking": THINK}
    headers = {**KEYS, "anthropic-beta": "interleaved-thinking-2025-05-14"}
    assert ask(server, body, headers).status_code == 200


@pytest.mark.parametrize("body", [{"messages": [USER]}, talk(results("t1"), n=2), talk({"role": "x", "content": None})])
def test_a_lenient_server_answers_what_can_be_understood(lenient: Server, body: dict[str, Any]) -> None:
    """No key, no version, no model: the reply is sent."""
    assert ask(lenient, body, {}).json()["content"] == [{"type": "text", "text": "a"}]


GOOGLE = {
    "error": {
        "code": 401,
        "message": "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie "
        "or other valid authentication credential. See "
        "https://developers.google.com/identity/sign-in/web/devconsole-project.",
        "status": "UNAUTHENTICATED",
    }
}


def test_vertex_refuses_in_both_shapes(server: Server) -> None:
    """Google's own for a missing token, Anthropic's for a body that is not right."""
    body = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 5, "messages": [USER]}
    bare = ask(server, body, {}, "anthropic-vertex")
    assert (bare.status_code, bare.json()) == (401, GOOGLE)
    token = {"authorization": "Bearer t"}
    assert ask(server, body, token, "anthropic-vertex").status_code == 200
    for wrong, words in (
        ({**body, "model": "m"}, "model: Extra inputs are not permitted"),
        (without("model"), "anthropic_version: Field required"),
    ):
        answer = ask(server, wrong, token, "anthropic-vertex")
        error = {"type": "invalid_request_error", "message": words}
        assert (answer.status_code, answer.json()) == (
            400,
            {"type": "error", "error": error, "request_id": "req_vrtx_mockserver"},
        )


def test_bedrock_refuses_with_the_type_in_a_header(server: Server) -> None:
    """A message in the body, and what kind of exception it is beside it."""
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": [USER]}
    key = {"authorization": "Bearer t"}
    assert ask(server, body, key, "bedrock-invoke").status_code == 200
    cases: list[tuple[dict[str, Any], dict[str, str], int, str, str]] = [
        (body, {}, 403, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        ({**body, "stream": True}, key, 400, "ValidationException", "stream: Extra inputs are not permitted"),
        ({**body, "model": "m"}, key, 400, "ValidationException", "model: Extra inputs are not permitted"),
        (without("model"), key, 400, "ValidationException", "anthropic_version: Field required"),
    ]
    for asked, headers, status, kind, words in cases:
        answer = ask(server, asked, headers, "bedrock-invoke")
        assert (answer.status_code, answer.json()) == (status, {"message": words})
        assert answer.headers["x-amzn-errortype"].split(":")[0] == kind
