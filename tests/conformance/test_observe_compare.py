"""How two messages, or two texts, are compared."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk

from conformance.observe import agree, facets, same_text
from conformance.verdict import Broken

from .helpers import call, usage


@pytest.mark.parametrize(
    ("facet", "wanted", "got"),
    [
        ("text", {"content": "a"}, {"content": "b"}),
        ("content", {"content": [{"type": "image", "url": "a"}]}, {"content": [{"type": "image", "url": "b"}]}),
        ("tool calls", {"tool_calls": [call({"x": 1})]}, {"tool_calls": [call({"x": 2})]}),
        ("tool calls", {"tool_calls": [call()]}, {"tool_calls": [call(id="2")]}),
        ("tool calls", {"tool_calls": [call()]}, {"tool_calls": [call(name="g")]}),
        (
            "invalid tool calls",
            {"invalid_tool_calls": [{**call("{"), "error": None}]},
            {"invalid_tool_calls": [{**call("["), "error": None}]},
        ),
        ("usage", {"usage_metadata": usage()}, {"usage_metadata": usage(output_tokens=5)}),
        ("usage", {"usage_metadata": usage()}, {}),
        ("finish reason", {"response_metadata": {"finish_reason": "stop"}}, {}),
        ("model name", {"response_metadata": {"model_name": "m"}}, {"response_metadata": {"model_name": "mm"}}),
        ("type of content", {"content": "a"}, {"content": [{"type": "text", "text": "a"}]}),
    ],
)
def test_each_difference_is_told(facet: str, wanted: dict[str, Any], got: dict[str, Any]) -> None:
    """The facet that differs is named on both sides, with the names of both, and `but` lets it pass."""
    one, other = AIMessage(**{"content": "", **wanted}), AIMessage(**{"content": "", **got})
    with pytest.raises(Broken) as broken:
        agree(one, other, names=("invoke", "stream"))
    told = broken.value
    assert f"{facet} {facets(one)[facet]!r}" in told.expected
    assert f"{facet} {facets(other)[facet]!r}" in told.observed
    assert told.expected.endswith(" (as invoke)")
    assert told.observed.endswith(" (stream)")
    agree(one, other, names=("invoke", "stream"), but=(facet, "content"))
    agree(one, one, names=("invoke", "stream"))


def test_what_says_the_same_agrees() -> None:
    """A chunk agrees with a message, and how a package notes tool calls or empty text makes no difference."""
    noted: Any = [{"type": "text", "text": ""}, {"type": "tool_use", "id": "1", "name": "f", "input": {}}]
    one = AIMessage(content="", tool_calls=[call()], id="x", additional_kwargs={"own": 1})
    agree(one, AIMessageChunk(content=noted, tool_calls=[call()], id="y"), names=("one", "other"))


def test_long_differences_are_cut() -> None:
    """A value of a facet is shown in at most 100 characters."""
    with pytest.raises(Broken) as broken:
        agree(AIMessage(content="a" * 200), AIMessage(content=""), names=("one", "other"), but=("content",))
    assert broken.value == Broken(f"text '{'a' * 96}… (as one)", "text '' (other)")


@pytest.mark.parametrize(
    ("wanted", "got", "name"), [(1, AIMessage(content=""), "one"), (AIMessage(content=""), 1, "other")]
)
def test_only_messages_are_compared(wanted: Any, got: Any, name: str) -> None:
    """What is no AIMessage is named."""
    with pytest.raises(Broken) as broken:
        agree(wanted, got, names=("one", "other"))
    assert broken.value == Broken("an AIMessage", f"1 ({name})")


@pytest.mark.parametrize("text", ["", "abc", "a\u2028b"])
def test_equal_texts_are_the_same(text: str) -> None:
    """Equal texts raise nothing."""
    same_text(text, text)


@pytest.mark.parametrize(
    ("wanted", "got", "broken"),
    [
        ("abc", "abd", Broken("3 characters: 'abc'", "3 characters: 'abd'", "they differ from character 2 on")),
        ("abc", "ab", Broken("3 characters: 'abc'", "2 characters: 'ab'", "they differ from character 2 on")),
        ("", "a", Broken("0 characters: ''", "1 characters: 'a'", "they differ from character 0 on")),
        (
            "a\u2028b",
            "a\nb",
            Broken(r"3 characters: 'a\u2028b'", r"3 characters: 'a\nb'", "they differ from character 1 on"),
        ),
        (
            "x" * 20 + "y" + "z" * 40,
            "x" * 20,
            Broken(
                f"61 characters: …'{'x' * 15}y{'z' * 34}'…",
                f"20 characters: …'{'x' * 15}'",
                "they differ from character 20 on",
            ),
        ),
    ],
)
def test_texts_that_differ_show_where(wanted: str, got: str, broken: Broken) -> None:
    """Both are shown from just before the first character that differs, with what cannot be seen escaped."""
    with pytest.raises(Broken) as told:
        same_text(wanted, got)
    assert told.value == broken
