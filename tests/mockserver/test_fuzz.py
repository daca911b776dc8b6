"""Requests and recordings that no client and no provider sends: whatever comes is answered or refused as the provider
would, and whatever was recorded is read.

What is made here is a valid request in which some places hold something else, bytes that are no JSON, and recordings
that are cut, joined and spoilt.
"""

import base64
import json
import os
import socket
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import mockserver
from mockserver import (
    WIRES,
    Frame,
    Reasoning,
    Refused,
    Reply,
    Request,
    Server,
    ServerToolCall,
    Text,
    ToolCall,
    Turn,
    Unencodable,
    Usage,
    Wire,
)
from mockserver.frames import KINDS, join
from mockserver.framings import eventstream
from mockserver.recording import Recording
from mockserver.reply import Block, characters
from mockserver.scripts.loader import load
from mockserver.sending.answer import answer_of, refusal
from mockserver.wires import Asked, Decoded, aside_for, meant_wire, wire_for
from mockserver.wires.base import dumps

from .helpers import LIMIT, Connection, connection, post
from .strategies import LAW
from .test_streams import STREAMS

MANY: Final = settings(LAW, max_examples=int(os.environ.get("FUZZ_EXAMPLES", "20")))
"""`FUZZ_EXAMPLES` examples for each wire and test, if it is set; a quarter of them for dialects, which share code."""


def examples(name: str) -> settings:
    """How many examples a wire is tried with."""
    return MANY if name in _OWN else settings(MANY, max_examples=max(1, MANY.max_examples // 4))


_TOOL: Final = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
_CALL: Final = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_CHAT: Final[dict[str, Any]] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "u"}}]},
        {"role": "assistant", "content": "", "tool_calls": [_CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
    ],
    "tools": [{"type": "function", "function": _TOOL}],
    "tool_choice": "auto",
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "stop": ["x"],
    "temperature": 0.5,
    "max_tokens": 9,
    "n": 1,
    "stream": True,
    "stream_options": {"include_usage": True},
}
_MESSAGES: Final[dict[str, Any]] = {
    "max_tokens": 2000,
    "system": [{"type": "text", "text": "s"}],
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "1"}]},
                {"type": "text", "text": "t", "citations": []},
            ],
        },
    ],
    "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "auto"},
    "stop_sequences": ["x"],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "metadata": {"user_id": "u"},
}
_CONVERSE: Final[dict[str, Any]] = {
    "system": [{"text": "s"}],
    "messages": [
        {"role": "user", "content": [{"text": "hi"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": "f", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "1"}]}}]},
    ],
    "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.5, "stopSequences": ["x"]},
    "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}], "toolChoice": {"auto": {}}},
}
_GEMINI: Final[dict[str, Any]] = {
    "contents": [
        {"role": "user", "parts": [{"text": "hi"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}]},
        {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "f", "response": {}}}]},
    ],
    "systemInstruction": {"parts": [{"text": "s"}]},
    "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}, {"googleSearch": {}}],
    "generationConfig": {"temperature": 0.5, "stopSequences": ["x"], "thinkingConfig": {"thinkingBudget": 0}},
}
_RESPONSES: Final[dict[str, Any]] = {
    "model": "m",
    "instructions": "s",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "reasoning", "id": "r", "summary": []},
    ],
    "tools": [{"type": "function", **_TOOL}, {"type": "web_search"}],
    "temperature": 0.5,
    "max_output_tokens": 99,
    "text": {"format": {"type": "text"}},
    "stream": True,
}
_OLLAMA: Final[dict[str, Any]] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "hi", "images": ["aGk="]},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
        {"role": "tool", "content": "1", "tool_name": "f"},
    ],
    "tools": [{"type": "function", "function": _TOOL}],
    "options": {"stop": ["x"], "temperature": 0.5},
    "think": "high",
    "format": "json",
    "top_logprobs": 1,
    "stream": True,
}
_COHERE: Final[dict[str, Any]] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "tool_plan": "p", "tool_calls": [_CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "document", "document": {"data": "1"}}]},
    ],
    "tools": [{"type": "function", "function": _TOOL}],
    "documents": [{"id": "d", "data": {"text": "t"}}],
    "stop_sequences": ["x"],
    "temperature": 0.5,
    "p": 0.5,
    "stream": True,
}
_OCI: Final[dict[str, Any]] = {
    "compartmentId": "c",
    "servingMode": {"servingType": "ON_DEMAND", "modelId": "m"},
    "chatRequest": {
        "apiFormat": "GENERIC",
        "messages": [
            {"role": "USER", "content": [{"type": "TEXT", "text": "hi"}]},
            {"role": "ASSISTANT", "toolCalls": [{"id": "c1", "type": "FUNCTION", "name": "f", "arguments": "{}"}]},
            {"role": "TOOL", "toolCallId": "c1", "content": [{"type": "TEXT", "text": "1"}]},
        ],
        "tools": [{"type": "FUNCTION", **_TOOL}],
        "isStream": True,
        "streamOptions": {"isIncludeUsage": True},
        "stop": ["x"],
    },
}
_SNOWFLAKE: Final[dict[str, Any]] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content_list": [{"type": "tool_use", "tool_use": {"tool_use_id": "c1", "name": "f"}}]},
        {"role": "user", "content_list": [{"type": "tool_results", "tool_results": {"tool_use_id": "c1"}}]},
    ],
    "tools": [{"tool_spec": {"type": "generic", "name": "f", "input_schema": {}}}],
    "stream": True,
}
_BEARER: Final = {"authorization": "Bearer k"}
_ANTHROPIC: Final = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
_VERTEX: Final = "/v1/projects/p/locations/l/publishers/anthropic/models/m"


@dataclass(frozen=True)
class Call:
    """A request that its provider accepts. `streams`: the path that asks for a stream, where the path does so."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=lambda: _BEARER)
    query: Mapping[str, str] = field(default_factory=dict)
    streams: str = ""

    def request(self, body: bytes, *, stream: bool = False, **changed: Any) -> Request:
        path = self.streams if stream and self.streams else self.path
        given = {"path": path, "query": self.query, "headers": self.headers, "body": body, **changed}
        return Request(**given)


_OWN: Final[dict[str, Call]] = {
    "openai-chat": Call("/v1/chat/completions", _CHAT),
    "azure-chat": Call("/openai/deployments/m/chat/completions", _CHAT, {"api-key": "k"}),
    "anthropic-messages": Call("/v1/messages", {"model": "m", **_MESSAGES, "stream": True}, _ANTHROPIC),
    "anthropic-messages-old": Call(
        "/anthropic-old/v1/messages", {"model": "m", **_MESSAGES, "stream": True}, _ANTHROPIC
    ),
    "anthropic-vertex": Call(
        f"{_VERTEX}:rawPredict",
        {"anthropic_version": "vertex-2023-10-16", "stream": True, **_MESSAGES},
        streams=f"{_VERTEX}:streamRawPredict",
    ),
    "bedrock-converse": Call("/model/m/converse", _CONVERSE, streams="/model/m/converse-stream"),
    "bedrock-invoke": Call(
        "/model/m/invoke",
        {"anthropic_version": "bedrock-2023-05-31", **_MESSAGES},
        streams="/model/m/invoke-with-response-stream",
    ),
    "ollama": Call("/api/chat", _OLLAMA),
    "watsonx": Call(
        "/ml/v1/text/chat",
        {"model_id": "m", "project_id": "p", **{name: _CHAT[name] for name in ("messages", "tools", "temperature")}},
        streams="/ml/v1/text/chat_stream",
    ),
    "cloudflare": Call("/client/v4/accounts/a/ai/run/@cf/meta/m", {**_CHAT, "prompt": "p"}),
    "oci": Call("/20231130/actions/chat", _OCI),
    "snowflake": Call("/api/v2/cortex/inference:complete", _SNOWFLAKE),
    "openai-responses": Call("/v1/responses", _RESPONSES),
    "gemini-generate": Call(
        "/v1beta/models/m:generateContent",
        _GEMINI,
        {"x-goog-api-key": "k"},
        {"alt": "sse"},
        "/v1beta/models/m:streamGenerateContent",
    ),
    "gemini-array": Call(
        "/v1beta/models/m:generateContent",
        _GEMINI,
        {"x-goog-api-key": "k"},
        streams="/v1beta/models/m:streamGenerateContent",
    ),
    "cohere-chat": Call("/v2/chat", _COHERE),
}
CALLS: Final[dict[str, Call]] = {
    name: _OWN.get(name) or Call(f"/{name.removesuffix('-chat')}/v1/chat/completions", _CHAT) for name in WIRES
}
"""A call for each wire."""
EACH: Final = pytest.mark.parametrize("name", WIRES)

Place = tuple[str | int, ...]
_LONG: Final = "@long"
_DEEP: Final = "@deep"
_IN_PLACE: Final = {
    f'"{_LONG}"': "9" * 5000,
    f'"{_DEEP}"': "[" * 400 + "]" * 400,
}
"""What JSON can say and `json.dumps` does not, by what stands for it: a number of 5,000 digits, lists in lists."""
_ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 2.5, 10**30, -(2**63), 1e308, float("inf"), float("nan"), "", " ", "x", "\ud800",
    "\udfff\ud800", "\x00", "\r\n", "c1", "user", "system", "assistant", "tool", [], {}, [[]], [None], [0], [""], [{}],
    {"": None}, {"type": {}}, {"text": 1}, {"id": []}, {"\ud800": 1}, {"type": "text"}, [{"type": []}], [{"text": {}}],
    "x" * 3000, _LONG, _DEEP,
)  # fmt: skip
_NAMES: Final = (
    "",
    "x",
    "type",
    "role",
    "content",
    "text",
    "id",
    "stream",
    "name",
    "\ud800",
    "a.b",
    "a[0]",
    "\x00",
    "\u2028",
)


def places(value: object, at: Place = ()) -> Iterator[Place]:
    """Where something stands in a JSON value, itself included."""
    yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        yield from places(each, (*at, key))


def changed(value: Any, at: Place, draw: st.DrawFn) -> Any:
    """The value with something else at a place: replaced, left out, said twice, or with a neighbour that is new."""
    if not at:
        return draw(odd)
    *way, last = at
    inner = value
    for key in way:
        inner = inner[key]
    how = draw(st.sampled_from(("put", "put", "drop", "add", "repeat")))
    if how == "put":
        inner[last] = draw(odd)
    elif how == "drop":
        del inner[last]
    elif isinstance(inner, list):
        inner.insert(int(last), draw(odd) if how == "add" else deepcopy(inner[int(last)]))
    elif how == "add":
        inner[draw(st.sampled_from(_NAMES))] = draw(odd)
    else:
        inner[f"{last}{_TWICE}"] = draw(odd)
    return value


_TWICE: Final = "@twice"
odd: Final[SearchStrategy[Any]] = st.sampled_from(_ODD).map(deepcopy)


@st.composite
def spoilt(draw: st.DrawFn, body: Mapping[str, Any]) -> bytes:
    """JSON of a body in which up to three places hold something else."""
    value: Any = deepcopy(dict(body))
    for _ in range(draw(st.integers(1, 3))):
        value = changed(value, draw(st.sampled_from(list(places(value)))), draw)
    text = json.dumps(value, separators=draw(st.sampled_from(((",", ":"), (", ", ": ")))))
    for mark, meant in _IN_PLACE.items():
        text = text.replace(mark, meant)
    return text.replace(_TWICE, "").encode()


_NO_JSON: Final = (
    b"", b" ", b"null", b"[]", b"0", b'""', b"{", b"{}", b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"\xef\xbb\xbf{}",
    b'{"messages": \xff}', '{"model": "m"}'.encode("utf-16"), b"a=b&c=d", b"\x00", b"data: {}\n\n", b'{"messages": [}',
    b"NaN",
)  # fmt: skip
junk: Final = st.one_of(st.sampled_from(_NO_JSON), st.binary(max_size=40), st.text(max_size=20).map(str.encode))


def bodies(body: Mapping[str, Any]) -> SearchStrategy[bytes]:
    valid = json.dumps(body).encode()
    cut = st.integers(0, len(valid)).map(lambda at: valid[:at])
    return st.one_of(spoilt(body), spoilt(body), spoilt(body), junk, cut)


PLAIN: Final = Reply.of("a", "b")
TURN: Final = Turn(reply=PLAIN)


def strings(value: object) -> Iterator[str]:
    """All strings of a JSON value."""
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from strings(each)


def settled(request: Request, *, lenient: bool) -> tuple[Wire, Asked | None, Recording]:
    """The wire that answers a request, what it understood, and its answer, as the server comes to it."""
    wire = meant_wire(request)
    try:
        asked = wire.read(request)
        wire = WIRES[asked.wire]
        if not lenient:
            wire.check(asked)
    except Refused as refused:
        return wire, None, told(wire, refused)
    answer = answer_of(TURN, wire, asked, 1)
    assert isinstance(answer, Recording)
    return wire, asked, answer


def told(wire: Wire, refused: Refused) -> Recording:
    """A refusal as it is sent: for a fault of the client's, in JSON that holds the provider's words."""
    assert 400 <= refused.status < 500
    answer = refusal(wire, refused)
    body = json.loads(join(answer.frames))
    assert characters(refused.message) in strings(body)
    return answer


def read_back(wire: Wire, answer: Recording) -> str:
    body = join(answer.frames)
    decoded = wire.decode_stream(body) if answer.streamed else wire.decode_whole(body)
    return decoded.reply.text


@EACH
def test_spoilt_requests_are_answered_or_refused(name: str) -> None:
    """Whatever a body holds, the provider's wire answers in words of its own: never an exception, never a 500."""
    call = CALLS[name]

    @examples(name)
    @given(body=bodies(call.body), stream=st.booleans(), lenient=st.booleans())
    def holds(body: bytes, *, stream: bool, lenient: bool) -> None:
        wire, asked, answer = settled(call.request(body, stream=stream), lenient=lenient)
        if asked:
            assert read_back(wire, answer) == PLAIN.text

    holds()


_WORDS: Final = (
    "",
    " ",
    "Bearer",
    "Bearer ",
    "k",
    "0",
    "gzip",
    "application/json",
    "\u00e9\u00ff",
    "x" * 5000,
    ',;="',
    "2023-06-01",
)
_FIELDS: Final = (
    "authorization", "x-api-key", "api-key", "x-goog-api-key", "anthropic-version", "anthropic-beta", "x-amz-date",
    "content-type", "accept", "accept-encoding", "user-agent", "x-fern-sdk-name", "x-goog-api-client", "cookie", "x",
)  # fmt: skip
headers: Final = st.dictionaries(st.sampled_from(_FIELDS), st.sampled_from(_WORDS), max_size=4)
_METHODS: Final = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS")
_AROUND: Final = (
    "", "/", "/x", "/v1", "/openai", "/groq/", "//", "/models", "/t/none", "/t/", "/__admin", "/..", ":count_tokens",
    "/\u00e9", "%", "\x00", "?", "#", " ", "/count_tokens", "/input_tokens", ":countTokens", "/resp_1",
    "/api/show", "/tokenize",
)  # fmt: skip


@st.composite
def paths(draw: st.DrawFn) -> str:
    """The path of a wire with something before, behind or in it."""
    path = draw(st.sampled_from([path for call in CALLS.values() for path in (call.path, call.streams) if path]))
    at = draw(st.integers(0, len(path)))
    before, within, behind = (draw(st.sampled_from(_AROUND)) for _ in range(3))
    return draw(st.sampled_from((before + path + behind, path[:at] + within + path[at:], path[:at], before)))


@MANY
@given(path=paths(), method=st.sampled_from(_METHODS), given_headers=headers, query=headers, body=junk)
def test_any_path_and_method_is_told(
    path: str, method: str, given_headers: dict[str, str], query: dict[str, str], body: bytes
) -> None:
    """Each has a wire in whose words it is refused, or an answer beside the main one."""
    request = Request(method=method, path=path, query=query, headers=given_headers, body=body)
    wire = meant_wire(request)
    beside = aside_for(request)
    told(wire, wire.unknown(request))
    if wire_for(path) is wire and method == wire.method:
        settled(request, lenient=False)
    elif beside:
        assert beside.status < 500
        assert isinstance(join(beside.frames), bytes)


@pytest.mark.parametrize("name", _OWN)
def test_odd_headers_and_asides_are_answered(name: str) -> None:
    """Keys that are none, versions that are none, and calls beside the main one with bodies that are none."""
    call = CALLS[name]
    valid = json.dumps(call.body).encode()

    @MANY
    @given(given_headers=headers, query=headers, body=bodies(call.body), path=st.sampled_from(_AROUND))
    def holds(given_headers: dict[str, str], query: dict[str, str], body: bytes, path: str) -> None:
        settled(call.request(valid, headers=given_headers, query=query), lenient=False)
        beside = aside_for(call.request(body, path=call.path + path, query=query))
        assert beside is None or beside.status < 500

    holds()


@pytest.fixture(scope="module", params=["strict", "lenient"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with mockserver.serve(PLAIN, lenient=request.param == "lenient", keep=50) as running:
        yield running


def asked_raw(method: str, path: str, fields: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {quote(path, safe=_SAFE)} HTTP/1.1", "host: x", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


_SAFE: Final = "/:@?&=%#"


def test_whatever_is_asked_over_a_socket_is_answered(server: Server) -> None:
    """Never with 500, and what is refused in JSON; afterwards the server answers as before, and its admin path too."""
    with connection(server) as first:
        clients = [first]

        @settings(MANY, max_examples=4 * MANY.max_examples)
        @given(data=st.data(), name=st.sampled_from(list(_OWN)), changed_headers=headers)
        def holds(data: st.DataObject, name: str, changed_headers: dict[str, str]) -> None:
            call = CALLS[name]
            path = data.draw(st.sampled_from((call.path, call.streams or call.path)) | paths())
            method = data.draw(st.sampled_from(("POST", "POST", "POST", *_METHODS)))
            fields = {**call.headers, **changed_headers, "accept-encoding": "identity"}
            body = data.draw(bodies(call.body))
            if "/__admin" in path and method == "PUT":
                return
            clients[0].sock.sendall(asked_raw(method, path, fields, body))
            answer = clients[0].answer()
            assert answer.ending == "whole"
            assert answer.status < 500
            if answer.status >= 400 and b"text/plain" not in answer.head:
                json.loads(answer.body)
            if b"connection: close" in answer.head.lower() or answer.head.startswith(b"HTTP/1.0"):
                clients[0].close()
                clients[0] = Connection(socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT))

        holds()
        clients[0].close()
    assert server.errors == []
    assert read_back(WIRES["openai-chat"], answered(server)) == PLAIN.text
    with urlopen(f"{server.url}/__admin/requests", timeout=LIMIT) as told_of:
        assert len(json.load(told_of)["requests"]) <= 50


def answered(server: Server) -> Recording:
    answer = post(server, stream=False)
    return Recording(answer.status_code, {}, (Frame(answer.content, "piece"),), streamed=False)


# What was recorded.

RICH: Final = (
    Reasoning(("r1", "r2"), signature="c2VhbA=="),
    Text(("a", "\u00fcb")),
    ToolCall.of("f", {"x": 1}, size=3),
    ToolCall.of("g", {}, id="call_2"),
)


def carried(wire: Wire) -> Reply:
    """A reply with as much of `RICH` as the wire can carry."""
    kept: tuple[Block, ...] = ()
    usage = Usage(input_tokens=9, output_tokens=7)
    for block in (*RICH, replace(RICH[0], signature=None)):
        for finish in wire.finish_reasons:
            reply = Reply(blocks=(*kept, block), finish_reason=finish, usage=usage, id="i", model="m")
            try:
                wire.frames(reply)
                wire.whole(reply)
            except Unencodable:
                continue
            kept = (*kept, block)
            best = reply
            break
    return best


def respoilt(data: bytes, draw: st.DrawFn) -> bytes:
    """A frame in whose JSON something else stands, or whose bytes are."""
    start, end = data.find(b"{"), data.rfind(b"}") + 1
    try:
        document = json.loads(data[start:end])
    except (ValueError, RecursionError):
        return draw(junk)
    if isinstance(document.get("bytes"), str):
        inner = respoilt(base64.b64decode(document["bytes"]), draw)
        return data[:start] + json.dumps({"bytes": base64.b64encode(inner).decode()}).encode() + data[end:]
    return data[:start] + draw(spoilt(document)) + data[end:]


@st.composite
def streams(draw: st.DrawFn, wire: Wire, parts: tuple[bytes, ...]) -> bytes:
    """A stream of these frames of which some are spoilt, left out, repeated or swapped, and which may be cut."""
    frames = list(parts)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(frames) - 1))
        how = draw(st.sampled_from(("spoil", "spoil", "spoil", "drop", "repeat", "junk")))
        if how == "spoil" and wire.framing == "event-stream":
            frames[at] = respoilt_message(frames[at], draw)
        elif how == "spoil":
            frames[at] = respoilt(frames[at], draw)
        elif how == "drop" and len(frames) > 1:
            del frames[at]
        elif how == "repeat":
            frames.insert(draw(st.integers(0, len(frames))), frames[at])
        else:
            frames[at] = draw(junk)
    stream = b"".join(frames)
    return stream if draw(st.booleans()) else stream[: draw(st.integers(0, len(stream)))]


def respoilt_message(data: bytes, draw: st.DrawFn) -> bytes:
    try:
        message = eventstream.decode(data)
        return eventstream.encode(replace(message, payload=respoilt(message.payload, draw)))
    except ValueError:
        return draw(junk)


def reads(wire: Wire, stream: bytes) -> None:
    """A stream is cut, labelled and decoded, whatever it is."""
    parts = list(wire.split(stream))
    assert b"".join(parts) == stream
    frames = wire.label(parts)
    assert all(set(frame.kinds) <= set(KINDS) for frame in frames)
    is_sound(wire.decode_stream(stream))


def is_sound(decoded: Decoded) -> None:
    """A decoded reply holds what it says it does, and can be told of."""
    reply = decoded.reply
    assert all(isinstance(each, str | None) for each in (reply.id, reply.model, decoded.error, *decoded.unknown))
    assert isinstance(reply.finish_reason, str)
    for block in reply.blocks:
        assert isinstance(block.joined, str)
        if isinstance(block, ToolCall | ServerToolCall):
            assert isinstance(block.id, str)
            assert isinstance(block.name, str)
    assert reply.describe()
    dumps([repr(reply), *decoded.unknown]).encode()


@EACH
def test_spoilt_streams_are_read(name: str) -> None:
    """A decoder takes whatever a server once sent."""
    wire = WIRES[name]
    parts = tuple(frame.data for frame in wire.frames(carried(wire)))

    @examples(name)
    @given(stream=st.one_of(streams(wire, parts), streams(wire, parts), junk))
    def holds(stream: bytes) -> None:
        reads(wire, stream)

    holds()


@EACH
def test_spoilt_bodies_are_read(name: str) -> None:
    """Bodies that are not streamed, too."""
    wire = WIRES[name]
    body = wire.whole(carried(wire))

    @examples(name)
    @given(body=bodies(json.loads(body)))
    def holds(body: bytes) -> None:
        is_sound(wire.decode_whole(body))
        reads(wire, body)

    holds()


def first_recordings() -> list[Path]:
    """The first recording of each kind."""
    kinds: dict[str, Path] = {}
    for file in sorted(STREAMS.glob("*.yaml")):
        kinds.setdefault(file.stem.rpartition("-")[0], file)
    return list(kinds.values())


@pytest.mark.skipif(not STREAMS.exists(), reason=f"no recordings in {STREAMS}")
@pytest.mark.parametrize("file", first_recordings(), ids=lambda file: file.stem)
def test_spoilt_recordings_are_read(file: Path) -> None:
    """What providers really sent, spoilt."""
    [turn] = load(file)
    assert turn.recording
    assert turn.when.wire
    wire = WIRES[turn.when.wire]
    parts = tuple(frame.data for frame in turn.recording.frames)

    @MANY
    @given(stream=streams(wire, parts))
    def holds(stream: bytes) -> None:
        reads(wire, stream)

    holds()
