"""Replies that several rules script."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from langchain_core.tools import BaseTool, tool

from mockserver import Asked, Reply, Text, ToolCall, Unencodable, Usage, Wire

from ..catalogue import Case
from ..target import Target

PLAIN: Final = Reply.of("The moon ", "is full ", "of goldfish.", model="answering-model-2026-01-01")
"""Text in three pieces, from a model whose name is not the one asked for."""

WHITE_SPACE: Final = ("  Leading", " ", "\n", "\n\n", "\t", "indented", "  ", "trailing \n ")
UNICODE: Final = (
    "né",
    "e\u0301 ",
    "\U0001f420",
    "\U0001f469\u200d\U0001f680",
    " a\u2028b\u2029c\u0085d\x0b\x0ce ",
    "日本",
    "語",
)
REPEATED: Final = ("na", "na", "na", " ", " ", "na")
MARKUP: Final = ("data: x\n\n", "[DONE]", '{"a":', ' "b"}', "event: error\n", "</s>", "null")


@tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"fine in {city}"


TOOLS: Final[list[BaseTool]] = [get_weather]

CALLS: Final = Reply(
    blocks=(
        ToolCall.of("get_weather", {"city": "Paris"}, id="call_paris"),
        ToolCall.of("get_weather", {"city": "Zürich"}, id="call_zurich"),
    ),
    finish_reason="tool_calls",
    model=PLAIN.model,
)
"""Two tool calls and no text."""

BOTH: Final = Reply(
    blocks=(Text(("Let me ", "look.")), CALLS.blocks[0]),
    finish_reason="tool_calls",
    model=PLAIN.model,
    usage=Usage(input_tokens=21, output_tokens=34),
)
"""Text, and a tool call after it."""

FIVE: Final = Reply.of("One ", "two ", "three ", "four ", "five.", model=PLAIN.model)
"""Text in five pieces."""


def echo(asked: Asked) -> Reply:
    """Answers each request with its own text, in three pieces and under an id of its own."""
    return echoed(asked.text)


def echoed(text: str) -> Reply:
    return Reply.of("You asked: ", text, " That is all.", model=PLAIN.model)


def answer_to(text: str) -> str:
    """The text with which `echo` answers."""
    return echoed(text).text


def fitted(wire: Wire, reply: Reply) -> Reply:
    """The reply as the wire says it: where it has no word for an end in tool calls, they end in `stop`."""
    is_told = reply.finish_reason != "tool_calls" or "tool_calls" in wire.finish_reasons
    return reply if is_told else replace(reply, finish_reason="stop")


def with_calls(target: Target, replies: Mapping[str, Reply]) -> list[Case]:
    """A case for each reply that calls tools, by its name; none for a target without tools."""
    if target.lacks("tools", "sync"):
        return []
    return [Case(name, fitted(target.wire, reply)) for name, reply in replies.items()]


def carried(wire: Wire, replies: Mapping[str, Reply]) -> dict[str, Reply]:
    """Those of the replies that the wire can carry, whole and streamed."""
    return {name: reply for name, reply in replies.items() if _carries(wire, reply)}


def _carries(wire: Wire, reply: Reply) -> bool:
    try:
        wire.whole(named(reply))
        wire.frames(named(reply))
    except Unencodable:
        return False
    return True


def named(reply: Reply) -> Reply:
    """The reply with an id, for frames that are made apart from the others."""
    return replace(reply, id="mock")
