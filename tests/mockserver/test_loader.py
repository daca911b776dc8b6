"""Scripts from YAML."""

from pathlib import Path

from mockserver import (
    Delivery,
    Fault,
    Pace,
    Reasoning,
    Refusal,
    Refused,
    Reply,
    Text,
    ToolCall,
    Turn,
    Usage,
    When,
)
from mockserver.loader import load

FULL = """
turns:
  - reply:
      blocks:
        - reasoning: {pieces: [Let me, " think"], signature: c2ln}
        - reasoning: plain
        - text: ["Hel", "lo"]
        - refusal: "no"
        - tool_call: {name: f, id: call_9, args: {city: Zürich, n: [1, 2.5, null, true]}}
        - tool_call: {name: g, pieces: ['{"a":', ' 1}']}
        - tool_call: {name: h, id: call_h, pieces: []}
      finish_reason: tool_calls
      usage: {input_tokens: 30, output_tokens: 12, cache_read: 4, cache_creation: 5, reasoning: 6}
      id: id_1
      model: m-1
    when: {wire: openai-chat, model: m-1, text: hi, stream: true}
    delivery:
      cuts: [3, 10]
      pace: {first: 0.5, every: 1, jitter: 0.25, seed: 7}
      fault: {kind: error, before: 2, message: out of fish}
    times: 3
  - reply: {reasoning: [a], text: b, refusal: [c], tool_call: {name: f, args: {}}, usage: null}
    delivery: {cuts: 100, fault: {kind: close, before: finish}}
  - reply: Hello
    delivery: {cuts: whole}
  - reply: [text: a, text: [b, c]]
  - reply: {}
  - error: {status: 429, message: slow down, kind: rate, headers: {retry-after: 1, x-a: "b"}}
  - error: {status: 500}
    when: {stream: false}
"""
"""Every key there is."""


def test_every_key_loads(tmp_path: Path) -> None:
    """The objects are those that the same names make in Python."""
    file = tmp_path / "full.yaml"
    file.write_text(FULL, encoding="utf-8")
    assert load(file) == (
        Turn(
            reply=Reply(
                blocks=(
                    Reasoning(("Let me", " think"), signature="c2ln"),
                    Reasoning(("plain",)),
                    Text(("Hel", "lo")),
                    Refusal(("no",)),
                    ToolCall.of("f", {"city": "Zürich", "n": [1, 2.5, None, True]}, id="call_9"),
                    ToolCall(name="g", pieces=('{"a":', " 1}")),
                    ToolCall(name="h", id="call_h"),
                ),
                finish_reason="tool_calls",
                usage=Usage(input_tokens=30, output_tokens=12, cache_read=4, cache_creation=5, reasoning=6),
                id="id_1",
                model="m-1",
            ),
            when=When(wire="openai-chat", model="m-1", text="hi", stream=True),
            delivery=Delivery(
                cuts=(3, 10),
                pace=Pace(first=0.5, every=1, jitter=0.25, seed=7),
                fault=Fault("error", 2, "out of fish"),
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
        Turn(reply=Reply.of("Hello"), delivery=Delivery(cuts="whole")),
        Turn(reply=Reply.of(Text(("a",)), Text(("b", "c")))),
        Turn(reply=Reply()),
        Turn(error=Refused(429, "slow down", "rate", {"retry-after": "1", "x-a": "b"})),
        Turn(error=Refused(500, "scripted error 500"), when=When(stream=False)),
    )


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
    assert turn.reply
    assert [type(block) for block in turn.reply.blocks] == [Reasoning, Text]
