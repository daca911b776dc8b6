"""What is read from messages and requests."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

from conformance.observe import (
    FINISH_KEYS,
    content_of,
    facets,
    finish_of,
    is_run_id,
    joined,
    leaves,
    reasoning_of,
    summed,
    unasked,
    untold,
    usage_of,
)
from conformance.verdict import Broken
from mockserver import WIRES, Exchange
from mockserver.wires import Asked

from .helpers import COUNTED, call, exchange, usage


def test_chunks_are_summed_as_a_caller_adds_them() -> None:
    """The sum holds the texts and the metadata of all chunks."""
    chunks = [AIMessageChunk(content="a"), AIMessageChunk(content="b", response_metadata={"model_name": "m"})]
    total = summed(chunks)
    assert (total.content, total.response_metadata) == ("ab", {"model_name": "m"})


@pytest.mark.parametrize(
    ("chunks", "expected", "observed"),
    [
        ([], "at least one chunk", "none"),
        ([AIMessageChunk(content="a"), 1], "chunks can be added", "TypeError: "),
        ([AIMessage(content="a")], "the sum of chunks is an AIMessageChunk", "AIMessage(content='a', …)"),
        (["a", "b"], "the sum of chunks is an AIMessageChunk", "'ab'"),
    ],
)
def test_what_cannot_be_summed_is_broken(chunks: list[Any], expected: str, observed: str) -> None:
    """No chunks, chunks that cannot be added, and sums that are no chunks break the rule."""
    with pytest.raises(Broken) as broken:
        summed(chunks)
    assert broken.value.expected == expected
    assert broken.value.observed.startswith(observed)


def test_texts_are_joined() -> None:
    """Texts stand one after the other, whether content is a string or blocks; what is no message is broken."""
    blocks = AIMessageChunk(content=[{"type": "text", "text": "b"}])
    assert joined([AIMessageChunk(content="a"), blocks, AIMessage(content="c")]) == "abc"
    assert joined([]) == ""
    with pytest.raises(Broken, match="a message"):
        joined(["a"])


@pytest.mark.parametrize("key", FINISH_KEYS)
def test_finish_reasons_are_found_under_each_key(key: str) -> None:
    """The finish reason is found wherever a package keeps it, past keys that are empty."""
    others = {other: None for other in FINISH_KEYS if other != key}
    assert finish_of(AIMessage(content="", response_metadata={**others, key: "stop"})) == "stop"


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"status": "completed"}, "completed"),
        ({"status": "completed", "incomplete_details": None}, "completed"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ({"status": "completed", "finish_reason": "stop"}, "stop"),
    ],
)
def test_a_status_is_a_finish_reason(metadata: dict[str, Any], told: str) -> None:
    """Of OpenAI Responses: the status, or why it is incomplete; where no key of the others holds one."""
    assert finish_of(AIMessage(content="", response_metadata=metadata)) == told


@pytest.mark.parametrize("metadata", [{}, {"finish_reason": None}, {"finish_reason": ""}, {"reason": "stop"}])
def test_no_finish_reason_is_none(metadata: dict[str, Any]) -> None:
    """Where no key holds a reason there is none."""
    assert finish_of(AIMessage(content="", response_metadata=metadata)) is None


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"input_token_details": {}},
        {"input_token_details": {"cache_read": 0}},
        {"input_token_details": {"cache_read": None}, "output_token_details": {"reasoning": 0}},
    ],
)
def test_details_that_are_absent_or_zero_are_equal(details: dict[str, Any]) -> None:
    """Details of 0, None and absent ones say the same."""
    message = AIMessage(content="")
    message.usage_metadata = usage(**details)
    assert usage_of(message) == COUNTED


def test_details_that_count_are_kept() -> None:
    """A detail that counts stays, without the zeros beside it; a total of 0 stays too."""
    given = usage(output_tokens=0, input_token_details={"cache_read": 2, "cache_creation": 0})
    message = AIMessage(content="", usage_metadata=given)
    assert usage_of(message) == {**COUNTED, "output_tokens": 0, "input_token_details": {"cache_read": 2}}


@pytest.mark.parametrize("message", [AIMessage(content=""), HumanMessage("hi")])
def test_no_usage_is_none(message: Any) -> None:
    """A message without usage, of whatever type, has none."""
    assert usage_of(message) is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", []),
        ("a", [("text", "a")]),
        ([], []),
        (["a", {"type": "text", "text": "b"}, {"type": "output_text", "text": "c"}], [("text", "abc")]),
        ([{"type": "text", "text": ""}, {"type": "text"}, {"type": "text", "text": None}], []),
        ([{"type": "thinking", "thinking": "a"}, {"type": "thinking", "thinking": "b"}], [("reasoning", "ab")]),
        ([{"type": "reasoning", "reasoning": "a"}, "b"], [("reasoning", "a"), ("text", "b")]),
        ([{"type": "reasoning_content", "text": "a"}], [("reasoning", "a")]),
        (["a", {"type": "thinking", "thinking": "b"}, "c"], [("text", "a"), ("reasoning", "b"), ("text", "c")]),
        (["a", {"type": "tool_use", "id": "1", "name": "f", "input": {}}, "b"], [("text", "ab")]),
        ([{"type": "tool_call"}, {"type": "tool_call_chunk"}, {"type": "input_json_delta"}], []),
        ([{"type": "function_call"}, {"type": "invalid_tool_call"}], []),
        ([{"type": "image", "index": 0, "url": "u", "id": 1}], [("image", '{"id": 1, "url": "u"}')]),
        ([{"type": "image"}, {"type": "image"}], [("image", "{}"), ("image", "{}")]),
        ([{"text": "a"}], [("None", '{"text": "a"}')]),
    ],
)
def test_content_is_told_by_type(content: Any, told: list[tuple[str, str]]) -> None:
    """Adjacent texts are one, empty ones and tool calls say nothing, and an index is no content."""
    assert content_of(AIMessage(content=content)) == told


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (AIMessage(content="a"), ""),
        (AIMessage(content=["a", {"type": "text", "text": "b"}]), ""),
        (AIMessage(content=[{"type": "thinking", "thinking": "a", "signature": "s"}, "x"]), "a"),
        (AIMessage(content=[{"type": "reasoning", "reasoning": "a"}, {"type": "reasoning", "reasoning": "b"}]), "ab"),
        (AIMessage(content=[{"type": "reasoning", "summary": [{"text": "a"}], "content": [{"text": "b"}]}]), "ab"),
        (AIMessage(content=[{"type": "reasoning_content", "reasoning_content": {"text": "a"}}]), "a"),
        (AIMessage(content="x", additional_kwargs={"reasoning_content": "a"}), "a"),
        (AIMessage(content="x", additional_kwargs={"thinking_content": "a"}), "a"),
        (AIMessage(content="x", additional_kwargs={"reasoning": {"summary": [{"text": "a"}]}}), "a"),
        (AIMessage(content="x", additional_kwargs={"reasoning": None}), ""),
    ],
)
def test_reasoning_is_found_in_each_place(message: AIMessage, said: str) -> None:
    """In parts of the content, or in a field of its own."""
    assert reasoning_of(message) == said


def test_leaves_of_a_message() -> None:
    """All texts and keys in it, at any depth."""
    message = AIMessage(
        content=[{"type": "text", "text": "a"}],
        tool_calls=[call({"x": [1, "b"]})],
        additional_kwargs={"k": ("c", None)},
    )
    assert {"type", "text", "a", "f", "x", "b", "1", "k", "c"} <= set(leaves(message))
    assert list(leaves(1)) == []


def test_facets_of_a_message() -> None:
    """A text is told with its type; what is not there is None or empty."""
    metadata = {"model_name": "m", "stop_reason": "end_turn"}
    assert facets(AIMessage(content="a", response_metadata=metadata, usage_metadata=usage())) == {
        "text": "a",
        "content": [("text", "a")],
        "tool calls": [],
        "invalid tool calls": [],
        "usage": COUNTED,
        "finish reason": "end_turn",
        "model name": "m",
        "type of content": "str",
    }


@pytest.mark.parametrize(
    "message",
    [
        AIMessage(content="a", tool_calls=[call()]),
        AIMessage(content="a", invalid_tool_calls=[{**call("{"), "error": None}]),
        AIMessage(content=[{"type": "thinking", "thinking": "a"}]),
    ],
)
def test_the_type_of_content_is_a_facet_of_texts_alone(message: AIMessage) -> None:
    """Beside tool calls or reasoning, packages may choose between string and list."""
    assert "type of content" not in facets(message)


def asking(**asked: Any) -> Exchange:
    return exchange(asked=Asked(wire="openai-chat", model="m", **asked))


@pytest.mark.parametrize(
    ("exchanges", "but"),
    [
        ([], ()),
        ([exchange()], ()),
        ([asking(stream=False, stream_usage=False)], ()),
        ([asking(stream=True, stream_usage=True)], ()),
        ([asking(stream=True, stream_usage=True), asking(stream=True, stream_usage=False)], ("usage",)),
    ],
)
def test_what_a_stream_was_not_asked_for(exchanges: list[Exchange], but: tuple[str, ...]) -> None:
    """Usage may be missing where one of the streams did not ask for it."""
    assert unasked(exchanges) == but


@pytest.mark.parametrize(
    ("id", "is_one"), [("lc_run-1", True), ("run-1", True), ("chatcmpl-run-1", False), ("", False)]
)
def test_ids_of_runs(id: str, *, is_one: bool) -> None:
    """langchain-core's own ids are told from the provider's by how they begin."""
    assert is_run_id(id) is is_one


@pytest.mark.parametrize(
    ("wire", "but"),
    [
        ("openai-chat", ()),
        ("oci", ("model name",)),
        ("snowflake", ("finish reason",)),
        ("cloudflare", ()),
        ("cohere-chat", ()),
    ],
)
def test_what_streams_of_a_wire_do_not_tell(wire: str, but: tuple[str, ...]) -> None:
    """Though its whole answers do; what neither tells is equal anyway."""
    assert untold(WIRES[wire]) == but
