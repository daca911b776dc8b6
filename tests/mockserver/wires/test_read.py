"""Requests, as each wire understands them, and what it answers to those that it would not accept."""

import json
from typing import Any

import pytest

import mockserver
from mockserver import WIRES, Request
from mockserver.wires import Message

from ..helpers import THREE, WIRE_NAMES, fetch, question

CHAT, MESSAGES = (WIRES[name] for name in WIRE_NAMES)
USER = [{"role": "user", "content": "hi"}]


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_a_chat_request_is_understood() -> None:
    """Roles, texts of either form, ids of calls and results, tools, stops, and whether usage is asked for."""
    messages = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}],
        },
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": {"name": "f"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
    ]
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "custom"}]
    sent = body(
        model="m", messages=messages, tools=tools, stop="x", stream=True, stream_options={"include_usage": True}
    )
    asked = CHAT.read(Request(body=sent))
    assert asked.messages == (
        Message("developer", "Be brief."),
        Message("user", "ab"),
        Message("assistant", "", ("c1",)),
        Message("tool", "r", tool_results=("c1",)),
    )
    assert (asked.text, asked.tools, asked.stop, asked.stream, asked.stream_usage) == (
        "ab",
        ("f", ""),
        ("x",),
        True,
        True,
    )
    assert asked.body["model"] == asked.model == "m"
    assert not CHAT.read(Request(body=body(messages=USER))).stream_usage


def test_a_messages_request_is_understood() -> None:
    """The system prompt comes first, whatever its form; ids of calls and results belong to their messages."""
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1"}, {"type": "text", "text": "so?"}]},
    ]
    for system in ("Be brief.", [{"type": "text", "text": "Be brief."}]):
        sent = body(
            model="m", max_tokens=5, system=system, messages=messages, tools=[{"name": "f"}], stop_sequences=["x", "y"]
        )
        asked = MESSAGES.read(Request(body=sent))
        assert asked.messages == (
            Message("system", "Be brief."),
            Message("user", "hi"),
            Message("assistant", "", ("t1",)),
            Message("user", "so?", tool_results=("t1",)),
        )
        assert (asked.text, asked.tools, asked.stop, asked.stream) == ("so?", ("f",), ("x", "y"), False)


REFUSED: list[tuple[str, bytes, str]] = [
    ("openai-chat", b"{", "We could not parse the JSON body of your request."),
    ("openai-chat", b"\xff", "We could not parse the JSON body of your request."),
    ("openai-chat", b"[" * 100_000, "We could not parse the JSON body of your request."),
    ("openai-chat", b"[]", "The body of a request is a JSON object, not list."),
    ("openai-chat", body(), "Missing required parameter: 'messages'."),
    ("openai-chat", body(messages=[]), "Invalid 'messages': empty array. Expected an array with minimum length 1"),
    ("openai-chat", body(messages="hi"), "Invalid type for 'messages': expected an array of objects, but got a strin"),
    ("openai-chat", body(messages=["hi"]), "Invalid type for 'messages[0]': expected an object, but got a string ins"),
    ("openai-chat", body(messages=[{}]), "Missing required parameter: 'messages[0].role'."),
    ("openai-chat", body(messages=[{"role": 5}]), "Invalid type for 'messages[0].role': expected a string, but got an"),
    (
        "openai-chat",
        body(messages=[{"role": "user", "tool_calls": 5}]),
        "Invalid type for 'messages[0].tool_calls': expected an array of objects, but got an integer instead.",
    ),
    ("openai-chat", body(messages=USER, tools="f"), "Invalid type for 'tools': expected an array of objects, but got"),
    ("openai-chat", body(messages=USER, tools=["f"]), "Invalid type for 'tools[0]': expected an object, but got a str"),
    ("openai-chat", body(messages=USER, stop=5), "Invalid type for 'stop': expected one of a string or array of stri"),
    ("openai-chat", body(messages=USER, stop=[5]), "Invalid type for 'stop[0]': expected a string, but got an intege"),
    ("openai-chat", body(messages=USER, stream_options=[1]), "Invalid type for 'stream_options': expected an object,"),
]


@pytest.mark.parametrize(("wire", "sent", "words"), REFUSED, ids=[f"{wire}-{words}" for wire, _, words in REFUSED])
def test_what_a_provider_would_not_accept_is_a_400(wire: str, sent: bytes, words: str) -> None:
    """The answer is a 400 in the provider's shape; the journal says why, and nothing is noted as a defect."""
    with mockserver.serve(THREE) as server:
        answer = fetch(server, wire, body=sent)
        [exchange] = server.exchanges
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["type"], server.errors) == (400, "invalid_request_error", [])
    assert error["message"].startswith(words)
    assert (exchange.refused, exchange.asked, exchange.ended) == (error["message"], None, "refused")


@pytest.mark.parametrize("wire", WIRE_NAMES)
def test_null_is_as_good_as_left_out(wire: str) -> None:
    """Optional fields may be null."""
    fields = dict.fromkeys(("tools", "stop", "stop_sequences", "stream_options", "system", "stream"))
    asked = WIRES[wire].read(Request(body=json.dumps({**question(wire), **fields}).encode()))
    assert (asked.tools, asked.stop, asked.stream, asked.text) == ((), (), False, "hi")
