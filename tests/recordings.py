"""Recordings made of replies, as a provider of Chat Completions or Messages would have sent them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from conformance.cassettes import Cassettes, Recorded, of_interactions
from mockserver import WIRES, Reasoning, Refused, Reply, Text, ToolCall, Usage
from mockserver.cassettes.interaction import Arrival, Interaction
from mockserver.frames import join

PLAIN: Final = Reply.of("The moon ", "is full ", "of goldfish.")
UNICODE: Final = Reply.of("né ", "日本", "語 ", "\U0001f420\U0001f469\u200d\U0001f680")
THOUGHTFUL: Final = Reply(
    blocks=(Reasoning(("Fish, ", "or moon?")), Text(("Both",))),
    usage=Usage(input_tokens=20, output_tokens=9, cache_read=8, reasoning=5),
)
CALLING: Final = Reply(
    blocks=(
        Text(("Let me look.",)),
        ToolCall.of("get_weather", {"city": "Zürich"}, id="call_1"),
        ToolCall.of("get_weather", {"city": "Paris", "days": 2}, id="call_2"),
        ToolCall(name="get_time", id="call_3"),
    ),
    finish_reason="tool_calls",
)
_URIS: Final[Mapping[str, str]] = {
    "openai-chat": "https://api.openai.com/v1/chat/completions",
    "groq-chat": "https://api.groq.com/openai/v1/chat/completions",
    "openai-responses": "https://api.openai.com/v1/responses",
    "anthropic-messages": "https://api.anthropic.com/v1/messages",
}


def interaction(
    body: bytes, *, wire: str = "openai-chat", stream: bool = True, status: int = 200, **more: Any
) -> Interaction:
    """A request of a wire with this answer."""
    asked = {
        "model": "model-asked-for",
        "max_tokens": 99,
        "messages": [{"role": "user", "content": "Hi"}],
        **({"stream": True, "stream_options": {"include_usage": True}} if stream else {}),
    }
    kind = WIRES[wire].stream_type if stream and status < 300 else WIRES[wire].whole_type
    known: dict[str, Any] = {
        "method": "POST",
        "uri": _URIS[wire],
        "request_headers": {"content-type": "application/json"},
        "request_body": json.dumps(asked).encode(),
        "status": status,
        "reason": "",
        "headers": {"content-type": kind},
        "body": body,
    }
    return Interaction(**{**known, **more})


def streamed(reply: Reply, *, wire: str = "openai-chat", keep: int | None = None, **more: Any) -> Interaction:
    """A streamed reply, of which the first `keep` frames arrived."""
    frames = WIRES[wire].frames(replace(reply, id=reply.id or "id-recorded", model=reply.model or "model-recorded"))
    return interaction(join(frames[:keep]), wire=wire, **more)


def whole(reply: Reply, *, wire: str = "openai-chat", **more: Any) -> Interaction:
    """A reply that was not streamed."""
    named = replace(reply, id=reply.id or "id-recorded", model=reply.model or "model-recorded")
    return interaction(WIRES[wire].whole(named.whole()), wire=wire, stream=False, **more)


def refused(error: Refused, *, stream: bool, wire: str = "openai-chat") -> Interaction:
    """A request that was answered with an HTTP error."""
    return interaction(WIRES[wire].error(error), wire=wire, stream=stream, status=error.status)


def with_error(reply: Reply, words: str) -> Interaction:
    """A stream in which an error follows the first pieces of a reply."""
    wire = WIRES["openai-chat"]
    begun = wire.frames(replace(reply, id="id-recorded", model="model-recorded"))[:3]
    return interaction(join((*begun, wire.error_frame(words))))


def arriving(given: Interaction, *sizes: int) -> Interaction:
    """The same, with arrivals of these sizes and one of the rest."""
    left = len(given.body) - sum(sizes)
    parts = tuple(Arrival(at=number / 10, size=size) for number, size in enumerate((*sizes, left)))
    return replace(given, arrivals=parts)


def cassettes(**files: Interaction) -> Cassettes:
    """One cassette for each name; nothing is written."""
    return of_interactions((Path(f"{name}.yaml"), [given]) for name, given in files.items())


def only(given: Interaction) -> Recorded:
    [recorded] = cassettes(made=given).recorded
    return recorded


MADE: Final = cassettes(
    plain=streamed(PLAIN),
    unicode=arriving(streamed(UNICODE), 100, 3, 200),
    thoughtful=streamed(THOUGHTFUL),
    calling=streamed(CALLING),
    length=streamed(Reply.of("A cut ", "answer", finish_reason="length")),
    uncounted=streamed(replace(PLAIN, usage=None)),
    error=with_error(PLAIN, "The server is overloaded"),
    closed=streamed(PLAIN, keep=3, ended="closed"),
    reset=streamed(PLAIN, keep=3, ended="reset"),
    unfinished=streamed(PLAIN, keep=4),
    late=streamed(PLAIN, ended="closed"),
    whole=whole(CALLING),
    refused=refused(Refused(429, "Slow down"), stream=True),
    rejected=refused(Refused(400, "No such parameter"), stream=False),
)
"""A recording of each kind."""
