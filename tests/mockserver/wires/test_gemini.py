"""Gemini: what is written is read back, what is asked is understood, what is wrong is refused."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import mockserver
from mockserver import (
    WIRES,
    Citation,
    Media,
    Reasoning,
    Refusal,
    Refused,
    Reply,
    Request,
    Server,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Unencodable,
    Usage,
)
from mockserver.frames import join
from mockserver.reply import Block
from mockserver.scripts.loader import load
from mockserver.wires import Decoded, Message, Wire, aside_for, meant_wire, wire_for

from ..helpers import LIMIT, ask
from ..strategies import LAW, args, names, pieces
from .fields import holds_streamed, holds_whole, usages

WIRE, ARRAY = WIRES["gemini-generate"], WIRES["gemini-array"]
BOTH: Final = pytest.mark.parametrize("wire", [WIRE, ARRAY], ids=["sse", "array"])
KEY: Final = {"x-goog-api-key": "k"}
ROOT: Final = "/v1beta/models/gemini-2.5-flash"
USER: Final = {"role": "user", "parts": [{"text": "hi"}]}
CALL: Final[dict[str, Any]] = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
RESULT: Final = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}
SEAL: Final = "c2VhbA=="
TOKENS: Final = Usage(input_tokens=30, output_tokens=12, cache_read=4, reasoning=6)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


seals: Final = st.binary(min_size=1, max_size=6).map(lambda raw: base64.b64encode(raw).decode())


@st.composite
def texts(draw: st.DrawFn) -> Text:
    made = draw(pieces)
    length = len("".join(made))

    def citation(url: str | None, title: str | None, quote: str | None, ends: tuple[int, int] | None) -> Citation:
        start, end = sorted(ends) if ends else (None, None)
        named = None if url or quote else "t"
        return Citation(url=url, title=title or named, quote=quote, start=start, end=end)

    ends = st.tuples(st.integers(0, length), st.integers(0, length)).filter(lambda each: each[0] != each[1])
    optional = st.none() | names
    cited = st.lists(st.builds(citation, optional, optional, optional, st.none() | ends), max_size=3)
    return Text(made, citations=tuple(draw(cited)))


def call_lists() -> SearchStrategy[list[Block]]:
    """Calls of both kinds, with ids of their own and results."""
    code = st.builds(lambda source: {"language": "PYTHON", "code": source}, names)
    made: SearchStrategy[Block] = st.one_of(
        st.builds(ToolCall.of, names, args, id=names, size=st.just(10**6)),
        st.builds(
            ToolCall,
            args.map(lambda found: (json.dumps(found, ensure_ascii=False, separators=(",", ":")),)),
            id=names,
            name=names,
            signature=seals,
        ),
        st.builds(ServerToolCall.of, st.just("code_execution"), code, id=names, size=st.just(10**6)),
        st.builds(ServerToolCall.of, st.just("URL_CONTEXT"), args, id=names, size=st.just(10**6)),
    )
    return st.lists(made, max_size=3, unique_by=lambda call: getattr(call, "id"))  # noqa: B009 - of both kinds


def results() -> SearchStrategy[Block]:
    code = st.builds(lambda said: {"outcome": "OUTCOME_OK", "output": said}, names)
    tool = st.builds(lambda found: {"toolType": "URL_CONTEXT", "response": found}, args)

    def result(call_id: str, kind: str, output: Any) -> ServerToolResult:
        text = json.dumps(output, ensure_ascii=False, separators=(",", ":"))
        return ServerToolResult(call_id=call_id, kind=kind, output=text)

    return st.builds(result, names, st.just("codeExecutionResult"), code) | st.builds(
        result, names, st.just("toolResponse"), tool
    )


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """A reply that Gemini can carry: no two texts or thoughts side by side, and one text where there are citations."""
    media = st.binary(max_size=4).map(lambda raw: Media(mime_type="image/png", data=base64.b64encode(raw).decode()))
    thought = st.builds(Reasoning, pieces, signature=st.none() | seals) | st.builds(
        Reasoning, st.just(()), signature=seals
    )
    others = st.lists(st.one_of(texts(), thought, media, results()), max_size=4)
    found = draw(st.permutations([*draw(others), *draw(call_lists())]))
    blocks: list[Block] = []
    for block in found:
        if not (blocks and type(block) is type(blocks[-1]) and isinstance(block, Text | Reasoning)):
            blocks.append(block)
    if sum(isinstance(block, Text) for block in blocks) > 1:
        blocks = [Text(block.pieces) if isinstance(block, Text) else block for block in blocks]
    unfit = "stop" if any(isinstance(block, ToolCall) for block in blocks) else "tool_calls"
    return Reply(
        blocks=tuple(blocks),
        finish_reason=draw(st.sampled_from(sorted(set(WIRE.finish_reasons) - {unfit}))),
        usage=draw(st.none() | usages("cache_read", "reasoning")),
        id=draw(st.none() | names),
        model=draw(st.none() | names),
    )


@BOTH
@LAW
@given(reply=replies())
def test_streams_are_read_back(wire: Wire, reply: Reply) -> None:
    """A streamed reply decodes to itself in both framings, and its frames are told apart by their bytes."""
    holds_streamed(wire, reply)


@LAW
@given(reply=replies())
def test_whole_bodies_are_read_back(reply: Reply) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    holds_whole(WIRE, reply)


@LAW
@given(reply=replies())
def test_an_array_is_json(reply: Reply) -> None:
    """The array holds the responses that the events hold."""
    events = [json.loads(frame.data.removeprefix(b"data: ")) for frame in WIRE.frames(reply)]
    assert json.loads(join(ARRAY.frames(reply))) == events


def test_a_stream_ends_as_recorded() -> None:
    """The last piece says why the answer ended; the counts grow from response to response."""
    reply = Reply.of(Reasoning(("a", "b")), Text(("c", "d")), usage=TOKENS, id="i", model="m")
    found = [json.loads(frame.data.removeprefix(b"data: ")) for frame in WIRE.frames(reply)]
    assert [frame.kinds for frame in WIRE.frames(reply)] == [
        ("piece",),
        ("piece",),
        ("piece",),
        ("piece", "finish", "usage"),
    ]
    assert found[-1]["candidates"] == [
        {"content": {"parts": [{"text": "d"}], "role": "model"}, "finishReason": "STOP", "index": 0}
    ]
    counts = [each["usageMetadata"] for each in found]
    assert [each.get("thoughtsTokenCount") for each in counts] == [3, 6, 6, 6]
    assert [each.get("candidatesTokenCount") for each in counts] == [None, None, 3, 6]
    assert [each["totalTokenCount"] for each in counts] == [33, 36, 39, 42]
    assert {(each["modelVersion"], each["responseId"]) for each in found} == {("m", "i")}


def test_a_call_comes_whole_with_the_number_of_its_first_piece() -> None:
    """Pieces after it keep their numbers, so that points of a delivery stay where the reply has them."""
    call = ToolCall.of("f", {"city": "Paris"}, size=4)
    frames = WIRE.frames(Reply.of("a", call, "b", finish_reason="tool_calls"))
    assert [frame.piece for frame in frames] == [0, 1, 1 + len(call.pieces)]


def test_a_seal_stands_on_the_part_after_the_reasoning() -> None:
    """On text and on what a server's tool says; before a call, which has a seal of its own, on a part without text."""
    thought = Reasoning(("a",), signature=SEAL)

    def parts(*blocks: Block) -> list[dict[str, Any]]:
        body = json.loads(WIRE.whole(Reply(blocks=blocks, finish_reason="length")))
        return list(body["candidates"][0]["content"]["parts"])

    assert parts(thought, Text(("b",)))[1:] == [{"text": "b", "thoughtSignature": SEAL}]
    call = ToolCall.of("f", {}, id="1", size=9)
    function = {"functionCall": {"name": "f", "args": {}, "id": "1"}}
    assert parts(thought, call)[1:] == [{"text": "", "thoughtSignature": SEAL}, function]
    assert parts(thought)[1:] == [{"text": "", "thoughtSignature": SEAL}]


def test_grounding_counts_bytes() -> None:
    """Citations are of characters, segments of bytes; in a whole body they name the part."""
    cited = Text(("g\u00f6ldfish",), citations=(Citation(url="u", title="t", start=1, end=3),))
    body = json.loads(WIRE.whole(Reply(blocks=(Reasoning(("a",)), cited))))
    [support] = body["candidates"][0]["groundingMetadata"]["groundingSupports"]
    assert support["segment"] == {"partIndex": 1, "startIndex": 1, "endIndex": 4, "text": "\u00f6l"}


def test_a_blocked_prompt_has_no_candidates() -> None:
    """A reply of no blocks that a filter ended."""
    blocked = Reply(finish_reason="content_filter")
    assert json.loads(WIRE.whole(blocked))["promptFeedback"] == {"blockReason": "SAFETY"}
    [frame] = WIRE.frames(blocked)
    assert (b'"candidates"' in frame.data, frame.kinds) == (False, ("finish", "usage"))


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply.of(Refusal(("no",))), "has no refusal"),
        (Reply.of(Text(("a",)), Text(("b",))), "does not tell where one Text ends"),
        (Reply.of(Reasoning(("a",)), Reasoning(("b",))), "does not tell where one Reasoning ends"),
        (Reply.of(Reasoning((), signature=SEAL, redacted=True)), "no redacted reasoning"),
        (Reply.of(Reasoning(("a",), signature="s\u00fc")), "signatures in base64, not 's\u00fc'"),
        (Reply(blocks=(Reasoning(("a", "b")), Text(("c",))), order=(0, 1, 0)), "none take turns"),
        (
            Reply(blocks=(Text(("a",), citations=(Citation(url="u"),)), Reasoning(("r",)), Text(("b",)))),
            "one text of a reply; this one has 2",
        ),
        (Reply.of(ToolCall(name="f", pieces=("[1]",)), finish_reason="tool_calls"), "as an object, not '\\[1\\]'"),
        (Reply.of(ToolCall(name="f")), "with tool calls that ends in STOP has the finish reason 'tool_calls' here"),
        (
            Reply.of("a", finish_reason="tool_calls"),
            "without tool calls that ends in STOP has the finish reason 'stop'",
        ),
        (Reply.of("a", finish_reason="refusal"), "has no finish reason 'refusal'; it has stop, length"),
        (Reply.of(ServerToolCall.of("code_execution", {"a": 1})), "carries code as"),
        (Reply.of(ServerToolResult(call_id="1", kind="other", output="{}")), "results of the kinds codeExecutionRes"),
        (
            Reply.of("a", usage=Usage(input_tokens=5, output_tokens=1, cache_creation=2)),
            "count of tokens written to a cache",
        ),
    ],
)
@pytest.mark.parametrize("method", ["frames", "whole"])
def test_what_gemini_has_no_place_for_is_unencodable(reply: Reply, words: str, method: str) -> None:
    """Streamed or whole, it refuses what it would lose, and says what."""
    with pytest.raises(Unencodable, match=words):
        getattr(WIRE, method)(reply)


def responses(*found: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in found)


def said(*parts: dict[str, Any], **candidate: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, **candidate}]}


def test_what_older_models_send_is_read() -> None:
    """Calls and code without ids are given some; a result belongs to the code before it."""
    found = WIRE.decode_stream(
        responses(
            said({"executableCode": {"language": "PYTHON", "code": "1"}}),
            said({"codeExecutionResult": {"outcome": "OUTCOME_OK"}}, {"functionCall": {"name": "f"}}),
        )
    )
    code, result, call = found.reply.blocks
    assert isinstance(code, ServerToolCall)
    assert isinstance(result, ServerToolResult)
    assert isinstance(call, ToolCall)
    assert (code.name, result.call_id, call.id, call.joined) == ("code_execution", code.id, "call_2", "{}")
    assert found.unknown == ()


def test_counts_are_of_the_last_response_and_of_all_that_is_read() -> None:
    """What tools read is input, what is thought is output."""
    counts = {"promptTokenCount": 5, "toolUsePromptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}
    found = WIRE.decode_stream(responses({"usageMetadata": {"promptTokenCount": 1}}, {"usageMetadata": counts}))
    assert found.reply.usage == Usage(input_tokens=12, output_tokens=5, reasoning=3)


@pytest.mark.parametrize(
    ("response", "unknown"),
    [
        ({"new": 1}, "key 'new'"),
        (said(new=1), "candidate key 'new'"),
        (said(index=1), "candidate 1"),
        (said({"fileData": {"fileUri": "u"}}), "part key 'fileData'"),
        (said({"functionCall": {"name": "f", "id": "1", "willContinue": True}}), "function call key 'willContinue'"),
        (said({"inlineData": {"mimeType": "x"}}), "part 'inlineData' that is no media"),
        (said(finishReason="BORED"), "finish reason 'BORED'"),
        (said(groundingMetadata={"webSearchQueries": ["q"]}), "grounding key 'webSearchQueries'"),
        (said(groundingMetadata={"groundingChunks": [{"image": {}}]}), "grounding chunk 0"),
    ],
)
def test_what_is_not_understood_is_named(response: dict[str, Any], unknown: str) -> None:
    """Nothing is passed over in silence, streamed or whole."""
    assert WIRE.decode_stream(responses(response)).unknown == (unknown,)
    assert WIRE.decode_whole(json.dumps(response).encode()).unknown == (unknown,)


JUNK: Final[tuple[dict[str, Any], ...]] = (
    {"text": 5, "thought": 1, "thoughtSignature": 7},
    {"functionCall": 5},
    {"functionCall": {"args": 5, "name": {}}},
    {"inlineData": {"data": 5}},
    {"executableCode": {}},
    {"toolCall": {"args": 5}},
    {"toolResponse": {"id": 5}},
    {"codeExecutionResult": {"x": 1}},
)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"[]",
        b"[1,{",
        b"data: 5\n\n",
        b": keep-alive\n\n",
        responses({"candidates": 5}, {"candidates": [5]}, {"candidates": [{"content": {"parts": [5]}}]}),
        responses(
            said(
                {"text": "a"},
                *JUNK,
                groundingMetadata={
                    "groundingSupports": [{"segment": {"startIndex": "a"}, "groundingChunkIndices": 0}],
                    "groundingChunks": [{"web": {"uri": 5}}, {"web": 5}, 5],
                },
                finishReason=7,
            ),
            {"usageMetadata": {"promptTokenCount": "x", "thoughtsTokenCount": -1}, "promptFeedback": 5},
        ),
    ],
)
def test_decoding_never_fails(stream: bytes) -> None:
    """Whatever a server once sent."""
    for wire in (WIRE, ARRAY):
        assert wire.decode_stream(stream).error is None
        assert join(wire.label(wire.split(stream))) == stream
        wire.decode_whole(stream)


def test_errors_are_read_back() -> None:
    """An error in the middle, after what came before it; a body that is one."""
    frames = (*WIRE.frames(Reply.of("a", "b"))[:1], WIRE.error_frame("Overloaded"))
    found = WIRE.decode_stream(join(frames))
    assert (found.reply.text, found.error) == ("a", "Overloaded")
    assert WIRE.decode_whole(WIRE.error(Refused(400, "no"))).error == "no"


def test_frames_without_content_count_what_was_said_before_them() -> None:
    """As recorded streams do, in which each response has counts and none of them falls."""
    reply = Reply.of("a", "b", "c", id="r", model="m", usage=Usage(input_tokens=9, output_tokens=6))
    noise = WIRE.contentless(reply)["empty-text"]
    stream = [frame for place, piece in enumerate(WIRE.frames(reply)) for frame in (*noise.before(place), piece)]
    counted = [json.loads(frame.data.removeprefix(b"data: "))["usageMetadata"] for frame in stream]
    assert [each.get("candidatesTokenCount", 0) for each in counted] == [0, 2, 2, 4, 4, 6]
    assert noise.before("finish") == noise.before(2)
    assert b"usageMetadata" not in noise.frames[0].data


def asked(
    path: str = f"{ROOT}:generateContent", *, headers: Any = KEY, query: Any = None, **body: Any
) -> mockserver.Asked:
    request = Request(path=path, query=query or {}, headers=headers, body=json.dumps(body).encode())
    found = meant_wire(request).read(request)
    WIRES[found.wire].check(found)
    return found


@pytest.mark.parametrize("snake", [False, True])
def test_a_request_is_understood(*, snake: bool) -> None:
    """In the names of JSON and in those of protocol buffers; thoughts sent back are no text."""
    called = {"role": "model", "parts": [{"text": "t", "thought": True}, {"functionCall": {"id": "c", "name": "f"}}]}
    answered = {"role": "user", "parts": [{"function_response" if snake else "functionResponse": {"name": "f"}}]}
    body: dict[str, Any] = {
        "contents": [{"parts": [{"text": "a"}, {"text": "b"}]}, called, answered],
        "system_instruction" if snake else "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generation_config" if snake else "generationConfig": {"stop_sequences" if snake else "stopSequences": ["x"]},
        "tools": [
            {"function_declarations" if snake else "functionDeclarations": [{"name": "f"}]},
            {"google_search" if snake else "googleSearch": {}},
        ],
    }
    found = asked(**body)
    assert found.messages == (
        Message("system", "Be brief."),
        Message("user", "ab"),
        Message("model", "", ("c",)),
        Message("user", "", (), ("f",)),
    )
    assert (found.model, found.tools, found.stop) == ("gemini-2.5-flash", ("f", "googleSearch"), ("x",))
    assert (found.wire, found.stream, found.text) == ("gemini-generate", False, "")


@pytest.mark.parametrize("numbers", [False, True])
def test_enumerations_are_understood_by_word_and_number(*, numbers: bool) -> None:
    """Types of arguments, at any depth, and the mode of calling; an argument may be called `type`."""
    words: dict[str, Any] = {"STRING": 1, "INTEGER": 3, "ARRAY": 5, "OBJECT": 6, "ANY": 2}

    def enum(word: str) -> Any:
        return words[word] if numbers else word

    properties = {
        "type": {"type": enum("STRING"), "default": 3},
        "days": {"type": enum("ARRAY"), "items": {"anyOf": [{"type": enum("INTEGER")}]}},
    }
    found = asked(
        contents=[USER],
        tools=[
            {"functionDeclarations": [{"name": "f", "parameters": {"type": enum("OBJECT"), "properties": properties}}]}
        ],
        toolConfig={"functionCallingConfig": {"mode": enum("ANY")}},
    )
    told = {"type": "ARRAY", "items": {"anyOf": [{"type": "INTEGER"}]}}
    assert found.offered[0].schema == {
        "type": "OBJECT",
        "properties": {"type": {"type": "STRING", "default": 3}, "days": told},
    }
    assert found.tool_choice == "any"


@pytest.mark.parametrize(
    ("path", "query", "wire", "stream"),
    [
        (f"{ROOT}:generateContent", {}, "gemini-generate", False),
        (f"{ROOT}:streamGenerateContent", {"alt": "sse"}, "gemini-generate", True),
        (f"/t/x{ROOT}:streamGenerateContent", {}, "gemini-array", True),
        (
            "/v1beta1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent",
            {"$alt": "json;enum-encoding=int"},
            "gemini-array",
            True,
        ),
    ],
)
def test_path_and_query_tell_how_the_answer_is_framed(path: str, query: Any, wire: str, *, stream: bool) -> None:
    """Without `alt=sse`, a stream is an array; both are of one family."""
    found = asked(path, query=query, contents=[USER])
    assert (found.wire, found.stream, WIRES[found.wire].family) == (wire, stream, "gemini-generate")


@pytest.mark.parametrize("path", ["/v1/chat/completions", f"{ROOT}:countTokens", ROOT, "/v1/models/m:rawPredict"])
def test_other_paths_are_of_other_wires(path: str) -> None:
    """Only the two methods are."""
    found = wire_for(path)
    assert found is None or not found.name.startswith("gemini")


NO_KEY: Final = "Method doesn't allow unregistered callers"
CALL_LATE: Final = "function call turn comes immediately after a user turn"
COUNT: Final = "number of function response parts is equal to the number of function call parts"


@pytest.mark.parametrize(
    ("body", "words", "at"),
    [
        ({}, "* GenerateContentRequest.contents: contents is not specified\n", "$.contents"),
        ({"contents": []}, "contents is not specified", "$.contents"),
        (
            {"contents": [USER], "foo": 1},
            'Invalid JSON payload received. Unknown name "foo": Cannot find field.',
            "$.foo",
        ),
        (
            {"contents": [USER], "generation_config": {"effort_level": 1}},
            "Unknown name \"effort_level\" at 'generation_config': Cannot find field.",
            "$.generationConfig.effort_level",
        ),
        (
            {"contents": [{"role": "system", "parts": [{"text": "a"}]}]},
            "Please use a valid role: user, model.",
            "$.contents[0].role",
        ),
        (
            {"contents": [USER, {"role": "model", "parts": []}]},
            "* GenerateContentRequest.contents[1].parts: contents.parts must not be empty.\n",
            "$.contents[1].parts",
        ),
        (
            {"contents": [{"parts": [{}]}]},
            "contents[0].parts[0].data: required oneof field 'data' must have one initialized field",
            "$.contents[0].parts[0]",
        ),
        ({"contents": [CALL, RESULT]}, CALL_LATE, "$.contents[0]"),
        ({"contents": [USER, {"role": "model", "parts": [{"text": "a"}]}, CALL]}, CALL_LATE, "$.contents[2]"),
        ({"contents": [USER, RESULT]}, "function response turn comes immediately after", "$.contents[1]"),
        ({"contents": [USER, CALL, RESULT, RESULT]}, COUNT, "$.contents[3]"),
        ({"contents": [USER, {**CALL, "parts": CALL["parts"] * 2}, RESULT, USER]}, COUNT, "$.contents[2]"),
        (
            {"contents": [USER], "generationConfig": {"temperature": 2.1}},
            "temperature must be in the range [0.0, 2.0].",
            "$.generationConfig.temperature",
        ),
    ],
)
def test_what_gemini_does_not_accept_is_refused(body: dict[str, Any], words: str, at: str) -> None:
    """In its words, with the place of the fault."""
    with pytest.raises(Refused) as caught:
        asked(**body)
    assert words in caught.value.message
    assert (caught.value.status, caught.value.at) == (400, at)


@pytest.mark.parametrize("contents", [5, [5], [{"parts": 5}], [{"parts": [5]}]])
def test_what_cannot_be_understood_is_refused(contents: Any) -> None:
    """Contents and parts are lists of objects."""
    with pytest.raises(Refused, match="Invalid value at 'contents"):
        asked(contents=contents)


@pytest.mark.parametrize(
    "body",
    [
        {"contents": [USER, CALL, RESULT, {"role": "model", "parts": [{"text": "a"}]}, USER, CALL, RESULT]},
        {"contents": [USER, CALL, RESULT, CALL, {**RESULT, "role": "function"}]},
        {"contents": [USER, {**CALL, "parts": CALL["parts"] * 2}, RESULT, RESULT]},
        {"contents": [USER, CALL]},
        {"contents": [USER], "safetySettings": [], "cachedContent": "c", "generation_config": {"top_k": 3, "topP": 1}},
        {"contents": [USER], "generationConfig": {"_responseJsonSchema": {}, "temperature": 2}},
    ],
)
def test_what_gemini_accepts_is_answered(body: dict[str, Any]) -> None:
    """Calls and results in turn, and fields in either spelling."""
    assert asked(**body).body == body


@pytest.mark.parametrize(
    ("path", "headers", "query", "status"),
    [
        (f"{ROOT}:generateContent", {}, {}, 403),
        (f"{ROOT}:generateContent", {"x-goog-api-key": ""}, {}, 403),
        (
            "/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
            {"authorization": "Bearer "},
            {},
            401,
        ),
    ],
)
def test_a_missing_key_is_refused(path: str, headers: Any, query: Any, status: int) -> None:
    """The Gemini API asks for a key, Vertex AI for a token."""
    with pytest.raises(Refused, match=NO_KEY if status == 403 else "Expected OAuth 2 access token") as caught:
        asked(path, headers=headers, query=query, contents=[USER])
    assert caught.value.status == status


@pytest.mark.parametrize(("headers", "query"), [(KEY, {}), ({}, {"key": "k"}), ({"authorization": "Bearer t"}, {})])
def test_any_key_will_do(headers: Any, query: Any) -> None:
    """In each of its places."""
    assert asked(headers=headers, query=query, contents=[USER]).text == "hi"


def test_tokens_are_counted_and_models_listed() -> None:
    """The calls that clients make beside the main one, in either shape of a count."""
    for body in ({"contents": [USER]}, {"generateContentRequest": {"contents": [USER]}}):
        counted = aside_for(Request(path=f"{ROOT}:countTokens", body=json.dumps(body).encode()))
        assert counted
        assert json.loads(join(counted.frames))["totalTokens"] == 1
    one = aside_for(Request(method="GET", path=ROOT))
    many = aside_for(Request(method="GET", path="/v1/models", headers=KEY))
    assert one
    assert many
    assert json.loads(join(one.frames))["name"] == "models/gemini-2.5-flash"
    assert [each["name"] for each in json.loads(join(many.frames))["models"]] == ["models/gemini-2.5-flash"]


def test_errors_are_worded_as_google_does_over_http() -> None:
    """An error is an object; where an array is asked for, it is its only element. The journal has its place."""
    with mockserver.serve(Reply.of("a")) as server:
        for method, query in (("generateContent", ""), ("streamGenerateContent", "?alt=sse")):
            answer = ask(f"{server.url}{ROOT}:{method}{query}", json={"contents": []}, headers=KEY)
            assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
            assert answer.status_code == answer.json()["error"]["code"] == 400
        [error] = ask(f"{server.url}{ROOT}:streamGenerateContent", json={"contents": []}, headers=KEY).json()
        assert error["error"]["message"].startswith("* GenerateContentRequest.contents")
        assert {each.refused_at for each in server.exchanges} == {"$.contents"}
        refused = ask(f"{server.url}{ROOT}:generateContent", content=b"{", headers=KEY)
        assert refused.json()["error"]["message"].startswith("Invalid JSON payload received.")
        wrong = httpx.get(f"{server.url}{ROOT}:generateContent", headers=KEY, timeout=LIMIT)
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, 405)


@pytest.mark.parametrize("before", [0, 1, "finish"])
def test_an_error_leaves_an_array(before: Any) -> None:
    """In the middle of an array that streams, an error closes it."""
    fault = mockserver.Fault("error", before=before, message="Overloaded")
    turn = mockserver.Turn(reply=Reply.of("a", "b"), delivery=mockserver.Delivery(fault=fault))
    with mockserver.serve(turn) as server:
        answer = ask(f"{server.url}{ROOT}:streamGenerateContent", json={"contents": [USER]}, headers=KEY)
    *said_before, error = answer.json()
    assert error["error"] == {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}
    assert len(said_before) == (before if isinstance(before, int) else 1)


def test_a_recorded_array_is_a_stream(tmp_path: Path) -> None:
    """Its path says so; it is played byte for byte."""
    body = (
        '[{"candidates": [{"content": {"parts": [{"text": "a"}]}}]}\n,\n{"candidates": [{"finishReason": "STOP"}]}\n]\n'
    )
    cassette = {
        "interactions": [
            {
                "request": {
                    "method": "POST",
                    "uri": f"https://x.googleapis.com{ROOT}:streamGenerateContent",
                    "body": "",
                },
                "response": {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {"content-type": ["application/json; charset=UTF-8"]},
                    "body": {"string": body},
                },
            }
        ],
        "version": 1,
    }
    file = tmp_path / "array.yaml"
    file.write_text(json.dumps(cassette), encoding="utf-8")
    [turn] = load(file)
    assert turn.recording
    assert [frame.kinds for frame in turn.recording.frames] == [("piece",), ("finish",), ("end",)]
    with mockserver.serve(turn) as server:
        answer = ask(f"{server.url}{ROOT}:streamGenerateContent", json={"contents": [USER]}, headers=KEY)
    assert answer.text == body
    assert WIRE.decode_stream(answer.content) == Decoded(Reply.of("a", usage=None))


STREAMS: Final = Path(__file__).parents[4] / "shared" / "streams"
FILES: Final = sorted(file for kind in ("gemini-*.yaml", "vertex-*.yaml") for file in STREAMS.glob(kind))
SEARCHED: Final = ("grounding key 'searchEntryPoint'", "grounding key 'webSearchQueries'")
UNKNOWN: Final = {
    "gemini-generate-000.yaml": (
        "grounding source key 'fileSearchStore'",
        "grounding source key 'customMetadata'",
    ),
    "gemini-generate-001.yaml": ("grounding source key 'fileSearchStore'",),
    "gemini-generate-007.yaml": ("candidate key 'urlContextMetadata'",),
    "gemini-generate-008.yaml": SEARCHED,
    "gemini-generate-014.yaml": SEARCHED,
}
"""What a reply has no place for."""


@pytest.mark.skipif(not FILES, reason=f"no recordings in {STREAMS}")
@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_a_recording_is_played_and_read(server: Server, file: Path) -> None:
    """It is played byte for byte, all of it is understood or named, and what is read can be written and read again."""
    [turn] = load(file)
    assert turn.recording
    server.play(turn)
    answer = ask(f"{server.url}{ROOT}:streamGenerateContent?alt=sse", json={"contents": [USER]}, headers=KEY)
    assert answer.content == join(turn.recording.frames)
    found = WIRE.decode_stream(answer.content)
    assert (found.unknown, found.error) == (UNKNOWN.get(file.name, ()), None)
    assert found.reply.finish_reason == ("tool_calls" if found.reply.tool_calls else "stop")
    assert found.reply.usage
    assert turn.recording.frames[-1].kinds[-2:] == ("finish", "usage")
    assert WIRE.decode_stream(join(WIRE.frames(found.reply))) == Decoded(found.reply)
