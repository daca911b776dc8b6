"""What providers that are nearly OpenAI's like do otherwise, each as its SDK or its documentation has it."""

from dataclasses import replace
from typing import Any, Final

import pytest

from mockserver import Reasoning, Refusal, Reply, ToolCall, Unencodable, Usage

from ..helpers import THREE
from .test_openai_chat import CHATS, chunks

THOUGHT: Final = Reply.of(Reasoning(("a",)), "b")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("sambanova-chat", "reasoning"),
        ("upstage-chat", "reasoning"),
        ("naver-chat", "reasoning_content"),
        ("nebius-chat", "reasoning_content"),
        ("baseten-chat", "reasoning_content"),
    ],
)
def test_reasoning_has_a_field(name: str, field: str) -> None:
    """Of the delta, whole or in pieces."""
    found = (chunk["choices"][0]["delta"] for chunk in chunks(CHATS[name], THOUGHT) if chunk["choices"])
    assert [delta[field] for delta in found if field in delta] == ["a"]


@pytest.mark.parametrize("name", ["writer-chat", "ai21-chat", "databricks-chat"])
def test_reasoning_has_no_field(name: str) -> None:
    """The types of Writer's and AI21's SDKs have none; Databricks makes it a part of the content."""
    with pytest.raises(Unencodable, match=f"{name} has no place for Reasoning"):
        CHATS[name].frames(THOUGHT)


def test_baseten_counts_in_each_chunk() -> None:
    """What was counted so far, where it is asked to."""
    counts = [chunk["usage"]["completion_tokens"] for chunk in chunks(CHATS["baseten-chat"], THREE)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 7)
    assert not any("usage" in chunk for chunk in chunks(CHATS["baseten-chat"], THREE, usage=False))


def test_ai21_counts_unasked_in_the_last_chunk() -> None:
    """And has no details of its counts."""
    *others, last = chunks(CHATS["ai21-chat"], THREE, usage=False)
    assert last["usage"] == {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    assert not any("usage" in chunk for chunk in others)
    with pytest.raises(Unencodable, match="ai21-chat has no place for a count of reasoning tokens"):
        CHATS["ai21-chat"].frames(replace(THREE, usage=Usage(input_tokens=1, output_tokens=2, reasoning=1)))


def test_writer_spells_its_details_otherwise() -> None:
    """`prompt_token_details`; it declines in a field of its own, and its content is never null."""
    wire = CHATS["writer-chat"]
    reply = replace(THREE, usage=Usage(input_tokens=11, output_tokens=7, cache_read=4))
    usage: dict[str, Any] = chunks(wire, reply)[-1]["usage"]
    assert usage["prompt_token_details"] == {"cached_tokens": 4}
    assert wire.decode_whole(wire.whole(reply)).reply.usage == reply.usage
    assert wire.decode_whole(wire.whole(Reply.of(Refusal(("No",))))).reply.blocks == (Refusal(("No",)),)
    assert b'"content":""' in wire.whole(Reply.of(ToolCall.of("f", {}, id="c")))
