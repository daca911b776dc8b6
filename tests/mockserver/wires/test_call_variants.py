"""Streams that make the same calls in other ways, and frames that repeat what was asked."""

import json
from dataclasses import replace
from typing import Any, Final

import pytest

from mockserver import WIRES, Reply, Request, Text, ToolCall, Unencodable
from mockserver.frames import join
from mockserver.framings import sse
from mockserver.wires import Variant, Wire

_PARIS: Final = ToolCall.of("get_weather", {"city": "Paris"}, id="call_a", size=5)
_ZURICH: Final = ToolCall.of("get_weather", {"city": "Zürich"}, id="call_b", size=5)
_BLOCKS: Final = {
    "one": (_PARIS,),
    "several": (_PARIS, _ZURICH),
    "text": (Text(("Let me ", "look.")), _PARIS, _ZURICH),
    "bare": (ToolCall((), id="call_c", name="get_time"),),
}


def _reply(wire: Wire, kind: str) -> Reply:
    reason = "tool_calls" if "tool_calls" in wire.finish_reasons else "stop"
    return Reply(blocks=_BLOCKS[kind], finish_reason=reason, id="mock", model="mock-model")


def _variants() -> dict[str, tuple[Wire, Reply, str, Variant]]:
    found: dict[str, tuple[Wire, Reply, str, Variant]] = {}
    for wire in WIRES.values():
        for kind in _BLOCKS:
            reply = _reply(wire, kind)
            try:
                variants = wire.call_variants(reply)
            except Unencodable:
                continue
            found |= {f"{wire.name}-{kind}-{name}": (wire, reply, name, each) for name, each in variants.items()}
    return found


_VARIANTS: Final = _variants()


def _told(wire: Wire, stream: bytes, *, ids: bool) -> dict[str, Any]:
    """What a stream says, as the wire's decoder reads it."""
    reply = wire.decode_stream(stream).reply
    calls = [(call.name, json.loads(call.joined or "{}"), call.id if ids else "") for call in reply.tool_calls]
    return {"calls": calls, "text": reply.text, "finish": reply.finish_reason, "model": reply.model}


@pytest.mark.parametrize("name", _VARIANTS)
def test_variant_makes_the_same_calls(name: str) -> None:
    """What is read back of a variant is what is read of the plain stream, but for ids where it has none."""
    wire, reply, kind, variant = _VARIANTS[name]
    plain, told = join(wire.frames(reply)), join(variant.frames)
    assert _told(wire, told, ids=kind != "no-id") == _told(wire, plain, ids=kind != "no-id")


@pytest.mark.parametrize("name", [name for name in _VARIANTS if "-bare-" not in name])
def test_variant_is_another_stream(name: str) -> None:
    """The bytes of a variant are others than those of the plain stream; calls without arguments may leave no choice."""
    wire, reply, _, variant = _VARIANTS[name]
    assert join(variant.frames) != join(wire.frames(reply))


_ALL_OF_CHAT: Final = {"id-on-each", "empty-id", "no-index"}


@pytest.mark.parametrize(
    ("wire", "kind", "names"),
    [
        ("openai-chat", "one", {"whole", *_ALL_OF_CHAT}),
        ("openai-chat", "several", {"whole", *_ALL_OF_CHAT, "one-frame", "same-index"}),
        ("openai-chat", "bare", {"whole", "no-index", "absent-arguments", "null-arguments"}),
        ("mistral-chat", "one", {"in-pieces", *_ALL_OF_CHAT}),
        ("ollama", "one", {"no-id"}),
        ("ollama", "several", {"no-id", "one-frame"}),
        ("gemini-generate", "one", {"no-id"}),
        ("gemini-array", "several", {"no-id", "one-frame"}),
        ("anthropic-messages", "several", set()),
    ],
)
def test_wire_has_variants(wire: str, kind: str, names: set[str]) -> None:
    """A wire has the variants that servers of its kind send, for calls that can be sent so."""
    assert set(WIRES[wire].call_variants(_reply(WIRES[wire], kind))) >= names
    assert bool(names) == bool(WIRES[wire].call_variants(_reply(WIRES[wire], kind)))


@pytest.mark.parametrize("wire", WIRES)
def test_text_has_no_variants_of_calls(wire: str) -> None:
    """A reply without calls makes none in another way."""
    assert WIRES[wire].call_variants(Reply.of("Hello", id="mock", model="mock-model")) == {}


_TEXT: Final = Reply.of("Hel", "lo", id="mock", model="mock-model")
_FORMAT: Final = {"type": "json_schema", "name": "place", "schema": {"type": "object"}}
_QUESTIONS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "openai-chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
    "openai-responses": ("/v1/responses", {"input": "hi"}),
}


def _echoed(wire: str, **asked: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The events of a reply as they are without a request, and as they are for one."""
    spoken = WIRES[wire]
    path, question = _QUESTIONS[wire]
    body = json.dumps({"model": "m", **question, **asked}).encode()
    frames = spoken.frames(_TEXT)
    echoed = spoken.echoing(frames, spoken.read(Request(path=path, body=body)))
    assert [replace(each, data=b"") for each in echoed] == [replace(each, data=b"") for each in frames]
    plain, told = ([_read(event) for event in sse.events(join(each))] for each in (frames, echoed))
    return plain, told


def _read(event: sse.Event) -> dict[str, Any]:
    found: dict[str, Any] = {} if event.data == "[DONE]" else json.loads(event.data)
    return found


def test_responses_repeat_the_format_of_the_text() -> None:
    """Each event of Responses that holds the response tells the format that was asked for, and nothing else of it
    differs.
    """
    plain, told = _echoed("openai-responses", text={"format": _FORMAT})
    assert told != plain
    for before, after in zip(plain, told, strict=True):
        if "response" not in before:
            assert after == before
            continue
        text = {**before["response"]["text"], "format": _FORMAT}
        assert after == {**before, "response": {**before["response"], "text": text}}


@pytest.mark.parametrize(
    ("wire", "asked"),
    [
        ("openai-responses", {}),
        ("openai-responses", {"text": None}),
        ("openai-responses", {"text": {}}),
        ("openai-chat", {"text": {"format": _FORMAT}}),
    ],
)
def test_nothing_is_repeated_that_was_not_asked(wire: str, asked: dict[str, Any]) -> None:
    """Without a format in the request, and on wires that repeat nothing, the events are as they were."""
    plain, told = _echoed(wire, **asked)
    assert told == plain
