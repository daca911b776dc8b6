"""Whatever a wire says that it carries, the provider's official SDK reads, however it is sent."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import mockserver
from mockserver import WIRES, Reasoning, Refusal, Reply, Server, Text, ToolCall, Turn
from mockserver.reply import Block

from ..strategies import LAW
from .sdks import SDKS, Heard, Said, Sdk, plain
from .spoken import Spoken, deliveries

EXAMPLES: Final = int(os.environ.get("MOCKSERVER_EXAMPLES", "20"))
WAYS: Final = [(sdk, way) for sdk, each in SDKS.items() for way in each.ways]
KINDS: Final[dict[type, str]] = {Text: "text", Reasoning: "reasoning", Refusal: "refusal", ToolCall: "call"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running
        assert running.errors == []


@pytest.fixture(scope="module")
def clients(server: Server) -> Iterator[Callable[[str], Any]]:
    """The client of an SDK, made once."""
    with ExitStack() as stack:

        @cache
        def made(name: str) -> Any:
            client = SDKS[name].client(server.url)
            return stack.enter_context(client) if hasattr(client, "__enter__") else client

        yield made


def said(sdk: Sdk, reply: Reply) -> Heard:
    """What a client should have."""
    return Heard(
        blocks=dict(enumerate(block_said(sdk, block) for block in reply.blocks)),
        finish=WIRES[sdk.wire].finish_word(reply),
        usage=reply.usage,
        id=None if "id" in sdk.lacks else reply.id,
        model=None if "model" in sdk.lacks else reply.model,
    )


def block_said(sdk: Sdk, block: Block) -> Said:
    if isinstance(block, ToolCall):
        text = plain(json.loads(block.joined or "{}")) if sdk.parses else block.joined
        return Said("call", text, block.signature or "", "" if "call ids" in sdk.lacks else block.id, block.name)
    if isinstance(block, Reasoning):
        return Said("redacted" if block.redacted else "reasoning", block.joined, block.signature or "")
    return Said(KINDS[type(block)], block.joined)


def numbered(heard: Heard) -> Heard:
    """Its blocks by their order, whatever the SDK tells of their places."""
    return replace(heard, blocks=dict(enumerate(heard.blocks.values())))


@cache
def replies(sdk: str, *, whole: bool) -> SearchStrategy[Reply]:
    return Spoken(WIRES[SDKS[sdk].wire], whole, SDKS[sdk].parses).replies()


@pytest.mark.parametrize(("sdk", "way"), WAYS)
@settings(LAW, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_sdk_reads_what_the_wire_says(
    server: Server, clients: Callable[[str], Any], sdk: str, way: str, data: st.DataObject
) -> None:
    """Blocks in order, calls with their ids and arguments, usage and why it ended, streamed and whole.

    `MOCKSERVER_EXAMPLES=10000` in the environment tries as many examples of each.
    """
    asked = SDKS[sdk]
    reply = data.draw(replies(sdk, whole=way in ("whole", "snapshot")))
    delivery = data.draw(deliveries(WIRES[asked.wire]))
    assume(asked.reads(reply, way))
    framing = asked.bears(delivery.framing) if delivery.framing and way != "whole" else None
    delivery = replace(delivery, framing=framing)
    server.play(Turn(reply=reply, delivery=delivery))
    assert numbered(asked.ways[way](clients(sdk))) == said(asked, reply)
