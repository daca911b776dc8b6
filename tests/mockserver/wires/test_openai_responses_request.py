"""OpenAI Responses: requests as they are understood, and what is refused."""

import json
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

import mockserver
from mockserver import WIRES, Refused, Request, Server
from mockserver.wires import Message

from ..helpers import THREE, ask

WIRE = WIRES["openai-responses"]
KEY: Final = {"authorization": "Bearer k"}
CALL: Final = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
RESULT: Final = {"type": "function_call_output", "call_id": "c1", "output": "r"}
USER: Final = {"role": "user", "content": "hi"}


def request(headers: dict[str, str] = KEY, **fields: Any) -> Request:
    return Request(path="/v1/responses", headers=headers, body=json.dumps(fields).encode())


def test_a_request_is_understood() -> None:
    """Instructions come first; calls and results are messages; other items say nothing."""
    asked = WIRE.read(
        request(
            model="m",
            instructions="Be brief.",
            stream=True,
            input=[
                {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
                {"type": "reasoning", "id": "rs_1", "summary": []},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "c"}]},
                CALL,
                RESULT,
            ],
            tools=[{"type": "function", "name": "f"}, {"type": "web_search"}],
        )
    )
    assert asked.messages == (
        Message("system", "Be brief."),
        Message("user", "ab"),
        Message("assistant", "c"),
        Message("assistant", "", ("c1",)),
        Message("tool", "r", tool_results=("c1",)),
    )
    assert (asked.wire, asked.model, asked.stream, asked.text, asked.tools) == (
        "openai-responses", "m", True, "ab", ("f", "web_search"),
    )  # fmt: skip


def test_input_may_be_a_string() -> None:
    """It is the user's message."""
    assert WIRE.read(request(model="m", input="hi")).messages == (Message("user", "hi"),)


ACCEPTED: Final[list[dict[str, Any]]] = [
    {"input": "hi", "temperature": 2, "top_p": 0.0, "max_output_tokens": 16, "metadata": {"a": "b"}},
    {"input": [USER, CALL, RESULT], "previous_response_id": None},
    {"input": [RESULT], "previous_response_id": "resp_1"},
    {"input": [RESULT], "conversation": "conv_1"},
    {"input": [{"type": "item_reference", "id": "fc_1"}, RESULT]},
    {"input": [{**CALL, "async": True}]},
    {"previous_response_id": "resp_1"},
    {"model": None, "prompt": {"id": "p"}},
    {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "u"}, {"type": "input_file"}]}]},
    {"input": [{"id": "item_1"}, {"type": "later", "x": 1}]},
    {"input": "hi", "tools": [{"type": "web_search"}, {"type": "function", "name": "f"}]},
]


@pytest.mark.parametrize("fields", ACCEPTED)
def test_what_openai_documents_is_accepted(fields: dict[str, Any]) -> None:
    """Whatever a part of the conversation that is stored may hold is left to it."""
    WIRE.check(WIRE.read(request(**{"model": "m", **fields})))


_MOVED: Final = (
    "Unsupported parameter: 'messages'. In the Responses API, this parameter has moved to 'input'. "
    "Try again with the new parameter."
)
_ROLES: Final = "Invalid value: 'tool'. Supported values are: 'assistant', 'system', 'developer', and 'user'."
REFUSED: Final[list[tuple[dict[str, Any], str, str | None, str | None]]] = [
    ({"model": None}, "Missing required parameter: 'model'.", "model", "missing_required_parameter"),
    ({"input": None}, "Missing required parameter: 'input'.", "input", "missing_required_parameter"),
    ({"input": 5}, "Invalid type for 'input': expected one of an array of objects or string, but got an integer",
     "input", "invalid_type"),
    ({"nope": 1}, "Unknown parameter: 'nope'.", "nope", "unknown_parameter"),
    ({"messages": []}, _MOVED, "messages", "unsupported_parameter"),
    ({"max_output_tokens": 15}, "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but",
     "max_output_tokens", "integer_below_min_value"),
    ({"max_output_tokens": "9"}, "Invalid type for 'max_output_tokens': expected an integer, but got a string instead.",
     "max_output_tokens", "invalid_type"),
    ({"temperature": 3}, "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3",
     "temperature", "decimal_above_max_value"),
    ({"top_p": -0.5}, "Invalid 'top_p': decimal below minimum value. Expected a value >= 0, but got -0.5 instead.",
     "top_p", "decimal_below_min_value"),
    ({"temperature": True}, "Invalid type for 'temperature': expected a decimal, but got a boolean instead.",
     "temperature", "invalid_type"),
    ({"tools": [{"type": "web_search"}, {"type": "function", "function": {"name": "f"}}]},
     "Missing required parameter: 'tools[1].name'.", "tools[1].name", "missing_required_parameter"),
    ({"tools": [{"name": "f"}]}, "Missing required parameter: 'tools[0].type'.", "tools[0].type",
     "missing_required_parameter"),
    ({"input": [USER, {"role": "tool", "content": "r"}]}, _ROLES, "input[1].role", "invalid_value"),
    ({"input": [{"type": "message", "content": "r"}]}, "Missing required parameter: 'input[0].role'.", "input[0].role",
     "missing_required_parameter"),
    ({"input": [{"role": "user"}]}, "Missing required parameter: 'input[0].content'.", "input[0].content",
     "missing_required_parameter"),
    ({"input": [{"role": "user", "content": 5}]}, "Invalid type for 'input[0].content': expected one of an array",
     "input[0].content", "invalid_type"),
    ({"input": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]},
     "Invalid value: 'text'. Supported values are: 'input_text', ", "input[0].content[0].type", "invalid_value"),
    ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "a"}]}]},
     "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.", "input[0].content[0]",
     "invalid_value"),
    ({"input": [RESULT]}, "No tool call found for function call output with call_id c1.", "input[0]", None),
    ({"input": [USER, CALL]}, "No tool output found for function call c1.", "input[1]", None),
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve(THREE) as running:
        yield running


def post(server: Server, headers: dict[str, str] = KEY, **fields: Any) -> httpx.Response:
    return ask(f"{server.url}/v1/responses", json={"model": "m", "input": "hi", **fields}, headers=headers)


@pytest.mark.parametrize(("fields", "words", "param", "code"), REFUSED, ids=[words for _, words, *_ in REFUSED])
def test_what_openai_refuses_is_refused(
    server: Server, fields: dict[str, Any], words: str, param: str | None, code: str | None
) -> None:
    """The answer is a 400 in OpenAI's words; the journal has the path of the fault."""
    server.play(THREE)
    answer = post(server, **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (400, "invalid_request_error", code)
    assert error["message"].startswith(words)
    [exchange] = server.exchanges
    assert (exchange.refused, exchange.refused_at, server.errors) == (error["message"], f"$.{param}", [])
    assert error["param"] == ("input" if words.startswith("No tool") else param)


def test_all_that_can_be_understood_is_answered_where_asked_for() -> None:
    """A lenient server refuses nothing of it."""
    with mockserver.serve(THREE, lenient=True) as lenient:
        assert ask(f"{lenient.url}/v1/responses", json={"nope": 1, "input": [RESULT]}).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer "}, {"authorization": "k"}, {"api-key": ""}])
def test_a_request_without_a_key_is_refused(headers: dict[str, str]) -> None:
    """Any key will do."""
    with pytest.raises(Refused, match="Missing bearer or basic authentication in header") as caught:
        WIRE.check(WIRE.read(request(headers, model="m", input="hi")))
    assert caught.value.status == 401


@pytest.mark.parametrize("headers", [KEY, {"authorization": "Basic k"}, {"api-key": "k"}])
def test_a_key_comes_as_openai_or_azure_want_it(headers: dict[str, str]) -> None:
    """In the header of either."""
    WIRE.check(WIRE.read(request(headers, model="m", input="hi")))


def test_stored_responses_are_not_found(server: Server) -> None:
    """Nothing is stored, so a response cannot be fetched again."""
    answer = httpx.get(f"{server.url}/v1/responses/resp_1", verify=False)
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "Response with id 'resp_1' not found.")
    assert httpx.get(f"{server.url}/v1/responses", verify=False).status_code == 405


def test_a_response_is_not_asked_for_at_the_path_of_a_stored_one(server: Server) -> None:
    """The path that recordings may have is none to post to."""
    answer = ask(f"{server.url}/v1/responses/resp_1", json={"model": "m", "input": "hi"}, headers=KEY)
    assert answer.status_code == 404


def test_tokens_are_counted_beside(server: Server) -> None:
    """The call stands apart from the main ones."""
    server.play(THREE)
    answer = ask(f"{server.url}/v1/responses/input_tokens", json={"model": "m", "input": "hi"}, headers=KEY)
    assert answer.json() == {"object": "response.input_tokens", "input_tokens": 11}
    assert (len(server.asides), len(server.exchanges)) == (1, 0)
