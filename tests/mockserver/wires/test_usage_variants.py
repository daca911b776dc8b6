"""Streams that count the same tokens in other places."""

import json
from dataclasses import replace

import pytest

from mockserver import WIRES, Reply, Unencodable, Usage
from mockserver.frames import join
from mockserver.wires import Variant

_REPLY = Reply.of("Hel", "lo", id="mock", model="mock-model")
_COUNTS = {
    "plain": Usage(input_tokens=20, output_tokens=9),
    "cached": Usage(input_tokens=20, output_tokens=9, cache_read=12),
    "reasoning": Usage(input_tokens=20, output_tokens=9, reasoning=4),
}


def _variants() -> dict[str, tuple[str, Reply, Variant]]:
    found: dict[str, tuple[str, Reply, Variant]] = {}
    for wire in WIRES.values():
        for kind, usage in _COUNTS.items():
            reply = replace(_REPLY, usage=usage)
            try:
                variants = wire.usage_variants(reply)
            except Unencodable:
                continue
            found |= {f"{wire.name}-{name}-{kind}": (wire.name, reply, each) for name, each in variants.items()}
    return found


_VARIANTS = _variants()


@pytest.mark.parametrize("name", _VARIANTS)
def test_variant_says_the_same_in_another_way(name: str) -> None:
    """What is read back is the reply, counts and all, and the bytes are others than those of the plain stream."""
    spoken, reply, variant = _VARIANTS[name]
    wire = WIRES[spoken]
    plain = join(wire.frames(reply))
    assert join(variant.frames) != plain
    assert wire.decode_stream(join(variant.frames)) == wire.decode_stream(plain)


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        ("openai-chat", "finish-frame"),
        ("deepseek-chat", "own-frame"),
        ("groq-chat", "x-groq-alone"),
        ("anthropic-messages", "counts-at-start"),
        ("bedrock-invoke", "counts-at-start"),
        ("gemini-generate", "falling"),
        ("gemini-array", "rising"),
    ],
)
def test_wire_has_variant(wire: str, name: str) -> None:
    """Each family that may count elsewhere has streams that do."""
    assert f"{wire}-{name}-plain" in _VARIANTS


def test_old_placement_has_no_variant() -> None:
    """Where the counts stand at the start already, there is no other stream."""
    assert not WIRES["anthropic-messages-old"].usage_variants(_REPLY)


def test_reply_without_usage_has_no_variant_of_gemini() -> None:
    """What is not counted cannot be counted elsewhere."""
    assert not WIRES["gemini-generate"].usage_variants(replace(_REPLY, usage=None))


def test_groq_alone_counts_in_x_groq() -> None:
    """No chunk of that stream has a usage of its own."""
    _, _, variant = _VARIANTS["groq-chat-x-groq-alone-plain"]
    chunks = [json.loads(frame.data[6:]) for frame in variant.frames if b"[DONE]" not in frame.data]
    assert [chunk["x_groq"]["usage"]["total_tokens"] for chunk in chunks if "x_groq" in chunk] == [29]
    assert not any("usage" in chunk for chunk in chunks)


def test_openai_sends_no_reasoning() -> None:
    """OpenAI's wires, and that of a provider that points to it, carry what others send, and say so."""
    silent = {name for name, wire in WIRES.items() if not wire.sends_reasoning}
    assert silent == {"openai-chat", "azure-chat", "nebius-chat"}
