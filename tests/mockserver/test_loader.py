"""Scripts from YAML and JSON."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from mockserver import (
    Citation,
    Delivery,
    Fault,
    Frame,
    Gate,
    Insert,
    Media,
    Pace,
    Reasoning,
    Refusal,
    Refused,
    Reply,
    Script,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Turn,
    Usage,
    When,
    WhenMessage,
    WhenMessages,
)
from mockserver.scripts.loader import load, load_script, parse_script

FULL = """
turns:
  - reply:
      blocks:
        - reasoning: {pieces: [Let me, " think"], signature: c2ln}
        - reasoning: plain
        - reasoning: {signature: c2Vh, redacted: true}
        - text: ["Hel", "lo"]
        - text:
            pieces: [Full, " moon"]
            citations:
              - {url: "https://example.org/moon", title: Moon, quote: It is full., start: 0, end: 4}
        - refusal: "no"
        - tool_call: {name: f, id: call_9, args: {city: Zürich, n: [1, 2.5, null, true]}}
        - tool_call: {name: g, pieces: ['{"a":', ' 1}'], signature: c2Vl}
        - tool_call: {name: h, id: call_h, pieces: []}
        - server_tool_call: {name: web_search, id: srv_1, args: {query: moon}}
        - server_tool_result: {call_id: srv_1, kind: web_search_tool_result, output: [{url: "https://example.org"}]}
        - server_tool_result: {call_id: srv_1, kind: raw, output: '{"a": 1}'}
        - media: {mime_type: image/png, data: iVBORw0KGgo=}
      finish_reason: tool_calls
      usage: {input_tokens: 30, output_tokens: 12, cache_read: 4, cache_creation: 5, reasoning: 6}
      id: id_1
      model: m-1
    when:
      wire: openai-chat
      model: m-*
      path: "*/completions"
      text: hi
      stream: true
      messages:
        count: 3
        first: system
        last: {role: tool, text: sun, tool_calls: false, tool_results: [call_9]}
        any: {tool_calls: f}
        tool_results: true
      tools: [f, g]
      headers: {x-team: blue}
    delivery:
      cuts: [3, 10]
      pace: {first: 0.5, every: 1, jitter: 0.25, seed: 7}
      gates: {head: first, 2: half-way, finish: half-way}
      fault: {kind: error, before: 2, message: out of fish}
      insert:
        - {before: 1, frames: [": ping\\n\\n"]}
    times: 3
  - reply: {reasoning: [a], text: b, refusal: [c], tool_call: {name: f, args: {}}, usage: null}
    delivery: {cuts: 100, fault: {kind: close, before: finish}}
  - reply: {blocks: [text: [a, b], text: [c, d]], order: [0, 1, 1, 0]}
  - reply: Hello
    delivery: {cuts: whole, gates: {0: half-way}}
  - reply: [text: a, text: [b, c]]
  - reply: {}
  - error: {status: 429, message: slow down, kind: rate, headers: {retry-after: 1, x-a: "b"}}
  - error: {status: 500}
    when: {stream: false, tools: true, messages: [user, {text: x}]}
loop: true
default:
  reply: else
"""
"""Every key there is, of those that do not depend on how bytes are delivered."""
TURNS: tuple[Turn, ...] = (
    Turn(
        reply=Reply(
            blocks=(
                Reasoning(("Let me", " think"), signature="c2ln"),
                Reasoning(("plain",)),
                Reasoning((), signature="c2Vh", redacted=True),
                Text(("Hel", "lo")),
                Text(
                    ("Full", " moon"),
                    citations=(
                        Citation(url="https://example.org/moon", title="Moon", quote="It is full.", start=0, end=4),
                    ),
                ),
                Refusal(("no",)),
                ToolCall.of("f", {"city": "Zürich", "n": [1, 2.5, None, True]}, id="call_9"),
                ToolCall(name="g", pieces=('{"a":', " 1}"), signature="c2Vl"),
                ToolCall(name="h", id="call_h"),
                ServerToolCall.of("web_search", {"query": "moon"}, id="srv_1"),
                ServerToolResult(
                    call_id="srv_1", kind="web_search_tool_result", output='[{"url": "https://example.org"}]'
                ),
                ServerToolResult(call_id="srv_1", kind="raw", output='{"a": 1}'),
                Media(mime_type="image/png", data="iVBORw0KGgo="),
            ),
            finish_reason="tool_calls",
            usage=Usage(input_tokens=30, output_tokens=12, cache_read=4, cache_creation=5, reasoning=6),
            id="id_1",
            model="m-1",
        ),
        when=When(
            wire="openai-chat",
            model="m-*",
            path="*/completions",
            text="hi",
            stream=True,
            messages=WhenMessages(
                count=3,
                first=WhenMessage(role="system"),
                last=WhenMessage(role="tool", text="sun", tool_calls=False, tool_results=("call_9",)),
                any=WhenMessage(tool_calls=("f",)),
                tool_results=True,
            ),
            tools=("f", "g"),
            headers={"x-team": "blue"},
        ),
        times=3,
    ),
    Turn(
        reply=Reply(
            blocks=(Reasoning(("a",)), Text(("b",)), Refusal(("c",)), ToolCall(name="f", pieces=("{}",))),
            usage=None,
        ),
        delivery=Delivery(cuts=100, fault=Fault("close", "finish")),
    ),
    Turn(reply=Reply(blocks=(Text(("a", "b")), Text(("c", "d"))), order=(0, 1, 1, 0))),
    Turn(reply=Reply.of("Hello"), delivery=Delivery(cuts="whole")),
    Turn(reply=Reply(blocks=(Text(("a",)), Text(("b", "c"))))),
    Turn(reply=Reply()),
    Turn(error=Refused(429, "slow down", "rate", {"retry-after": "1", "x-a": "b"})),
    Turn(
        error=Refused(500, "scripted error 500"),
        when=When(stream=False, tools=True, messages=(WhenMessage(role="user"), WhenMessage(text="x"))),
    ),
)


@pytest.fixture
def full(tmp_path: Path) -> Path:
    file = tmp_path / "full.yaml"
    file.write_text(FULL, encoding="utf-8")
    return file


def same(turn: Turn, other: Turn) -> bool:
    """Whether two turns are equal apart from how they are delivered."""
    return all(
        getattr(turn, each.name) == getattr(other, each.name) for each in fields(Turn) if each.name != "delivery"
    )


def test_every_key_loads(full: Path) -> None:
    """The objects are those that the same names make in Python."""
    turns = load(full)
    assert len(turns) == len(TURNS)
    assert all(same(turn, other) for turn, other in zip(turns, TURNS, strict=True))


def test_delivery_loads(full: Path) -> None:
    """Cuts, pace, fault and frames put in; a gate is the same gate wherever it is named."""
    script = load_script(full)
    delivery = script.turns[0].delivery
    assert (delivery.cuts, delivery.pace) == ((3, 10), Pace(first=0.5, every=1, jitter=0.25, seed=7))
    assert delivery.fault == Fault("error", 2, "out of fish")
    assert [each.before for each in delivery.insert] == [1]
    assert delivery.insert[0].frames == (Frame(b": ping\n\n", "noise"),)
    assert isinstance(delivery.insert[0], Insert)
    first, half_way = script.gates["first"], script.gates["half-way"]
    assert delivery.gates == {"head": first, 2: half_way, "finish": half_way}
    assert script.turns[3].delivery == Delivery(cuts="whole", gates={0: half_way})
    assert script.turns[1].delivery == TURNS[1].delivery
    assert isinstance(first, Gate)
    assert first is not half_way


def test_loop_and_default_load(full: Path) -> None:
    """Both are the script's; turns alone have neither."""
    script = load_script(full)
    assert (script.loop, script.default) == (True, Turn(reply=Reply.of("else")))


def test_several_files_are_one_script(full: Path, tmp_path: Path) -> None:
    """Turns stand in the order of the files; a gate of the same name is the same gate."""
    other = tmp_path / "other.yaml"
    other.write_text("turns:\n- reply: [text: a]\n  delivery: {gates: {0: half-way}}\n")
    script = load_script(other, full)
    assert (len(script.turns), script.loop, script.default is None) == (1 + len(TURNS), True, False)
    assert script.turns[0].delivery.gates[0] is script.turns[1].delivery.gates[2]
    assert isinstance(load_script(), Script)


def test_anchors_repeat_what_they_name(tmp_path: Path) -> None:
    """YAML's own way of saying a thing once works."""
    file = tmp_path / "anchors.yaml"
    file.write_text("turns:\n- reply: &r {text: [a, b]}\n  times: 1\n- reply: *r\n")
    first, second = load(file)
    assert (first.reply, first.times) == (second.reply, 1)


def test_keys_stand_in_the_order_of_content(tmp_path: Path) -> None:
    """Without `blocks`, content is ordered as wires carry it, whatever the order of the keys."""
    file = tmp_path / "order.yaml"
    file.write_text("turns:\n- reply: {text: b, reasoning: a}\n")
    [turn] = load(file)
    assert isinstance(turn.reply, Reply)
    assert [type(block) for block in turn.reply.blocks] == [Reasoning, Text]


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_is_read_as_it_is(indent: int | str | None) -> None:
    """Escaped surrogates, tabs between tokens, small numbers, keys of points that are strings."""
    document = {
        "$schema": "https://example.org/script.schema.json",
        "turns": [
            {
                "reply": {"text": ["\U0001f420", "/", "\t"]},
                "delivery": {"pace": {"every": 1e-05}, "gates": {"1": "half-way", "end": "last"}},
            }
        ],
    }
    script = parse_script(json.dumps(document, indent=indent), "script")
    [turn] = script.turns
    assert turn.reply == Reply.of("\U0001f420", "/", "\t")
    assert turn.delivery.pace == Pace(every=1e-05)
    assert list(turn.delivery.gates) == [1, "end"]
