"""Calls that langchain-core itself loses in content-block events."""

from typing import Any, Final

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from conformance.compat import CORE_VERSION, loses_calls

_MERGED: Final = "langchain-core itself takes calls of different chunks for one where they have no index"
_PARSED: Final = (
    "langchain-core's own translator shows the calls of a chunk as they were parsed, and not their fragments"
)

_PARSED_AT_THE_END: Final = (
    "langchain-core itself shows the calls of the last chunk as they were parsed, and not their fragments"
)


def _chunk(*calls: Any, provider: str = "") -> AIMessageChunk:
    return AIMessageChunk(
        content="",
        tool_call_chunks=[tool_call_chunk(name=name, args="{}", id="call_1", index=index) for name, index in calls],
        response_metadata={"model_provider": provider} if provider else {},
    )


@pytest.mark.parametrize(
    ("chunks", "told"),
    [
        ([_chunk(("f", None)), _chunk(("g", None))], _MERGED),
        ([_chunk(("f", None), ("g", None))], None),
        ([_chunk(("f", None)), _chunk((None, None))], None),
        ([_chunk(("f", 0)), _chunk(("g", 1))], None),
        ([_chunk()], None),
    ],
)
def test_calls_without_an_index_are_taken_for_one(chunks: list[AIMessageChunk], told: str | None) -> None:
    """Whole calls in several chunks are; fragments that belong to no call are the model's fault."""
    assert loses_calls(chunks) == told


@pytest.mark.skipif(CORE_VERSION < (1, 0), reason="langchain-core before 1.0 has no content blocks")
@pytest.mark.parametrize(("provider", "told"), [("groq", _PARSED), ("openai", None), ("nobody", None)])
def test_a_translator_shows_calls_as_they_were_parsed(provider: str, told: str | None) -> None:
    """One of langchain-core's own does, even of a single call."""
    assert loses_calls([_chunk(("f", 0), provider=provider)]) == told


@pytest.mark.skipif(CORE_VERSION < (1, 0), reason="langchain-core before 1.0 marks no chunk as the last")
@pytest.mark.parametrize(("before", "told"), [([], _PARSED_AT_THE_END), ([("f", 0)], None)])
def test_the_last_chunk_shows_calls_as_they_were_parsed(before: list[Any], told: str | None) -> None:
    """Where a package gives its calls in the chunk that it marks; what it gives before is its own affair."""
    last = _chunk(("f", 0)).model_copy(update={"chunk_position": "last"})
    assert loses_calls([_chunk(*before), last]) == told
