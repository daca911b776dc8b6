"""What is told of what went on while an item ran."""

import json
import re
import time
from itertools import pairwise
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

from conformance.calls import Seen
from conformance.drive import Probe
from conformance.steps import Course, Deed, said
from conformance.timeline import text_of, timeline
from mockserver import Delivery, Reply, Turn

from .helpers import LIMIT, Told, post

REPLY = Reply.of("Hel", "lo")


def told_of(probe: Probe) -> Any:
    """The timeline of what a probe did, as plain data that went through JSON."""
    return json.loads(json.dumps(timeline(probe.courses, probe.all_exchanges, time.monotonic())))


def deeds(call: Any) -> list[str]:
    return [step["what"] for step in call["steps"]]


def test_streams_are_told_step_by_step(probe: Probe) -> None:
    """What the caller asks and does, what it is given, and that the stream ends, in order of time."""
    chunks = [AIMessageChunk(content="Hel"), AIMessageChunk(content="lo")]
    stream = probe.iterate("stream", "x", on=Told(*chunks))
    stream.next()
    stream.rest()
    stream.close()
    [call] = told_of(probe)["calls"]
    assert call["name"] == probe.name("stream")
    assert deeds(call) == ["asks", "gives", "reads on", "gives", "ends", "closes", "is closed"]
    assert [step["said"] for step in call["steps"] if step["what"] == "gives"] == ["'Hel'", "'lo'"]
    assert all(one["at"] <= other["at"] for one, other in pairwise(call["steps"]))
    assert call["steps"][0]["at"] == 0


def test_a_stream_that_ends_when_asked_says_so(probe: Probe) -> None:
    """To ask past the last item is told as the end."""
    stream = probe.iterate("stream", "x", on=Told(AIMessageChunk(content="a")))
    assert len(stream.take(2)) == 1
    assert deeds(told_of(probe)["calls"][0]) == ["asks", "gives", "asks", "ends"]


def test_calls_are_told_with_what_comes_of_them(probe: Probe) -> None:
    """An answer, and an error, each in a few words."""
    probe.call("invoke", "x", on=Told(AIMessage("Hello"))).value()
    probe.call("invoke", "x", on=Told(ValueError("a parrot"))).error()
    good, bad = told_of(probe)["calls"]
    assert (deeds(good), good["steps"][1]["said"]) == (["calls", "answers"], "'Hello'")
    assert (deeds(bad), bad["steps"][1]["said"]) == (["calls", "raises"], "ValueError: a parrot")


@pytest.mark.parametrize("form", ["async"], indirect=True)
def test_cancellation_is_told(probe: Probe) -> None:
    """When the caller cancels, and what the call then raises."""
    latch = probe.gate()
    probe.play(Turn(reply=REPLY, delivery=Delivery(gates={"head": latch})))

    async def ask() -> None:
        async with httpx.AsyncClient() as client:
            await client.post(f"{probe.server.url}/v1/chat/completions", json=body(), headers=KEY, timeout=LIMIT)

    call = probe.in_loop("ask", ask)
    assert latch.wait_arrived(timeout=LIMIT)
    call.cancel()
    call.error()
    assert probe.server.until(lambda: bool(probe.exchange.ended), timeout=LIMIT)
    told = told_of(probe)
    assert deeds(told["calls"][0]) == ["calls", "cancels", "raises"]
    assert told["exchanges"][0]["held"][0]["writes"] == 0
    assert told["exchanges"][0]["ended"] == "closed by client"


KEY = {"authorization": "Bearer a-key-that-is-not-told"}


def body() -> dict[str, Any]:
    return {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}


def test_exchanges_are_told_with_their_bytes(probe: Probe) -> None:
    """Request and answer, each write with its size, its frames and its bytes, and no header: there stands the key."""
    probe.play(Turn(reply=REPLY, delivery=Delivery(cuts=100)))
    answer = httpx.post(
        f"{probe.server.url}/v1/chat/completions?alt=sse&api_key=secret-one", json=body(), headers=KEY, timeout=LIMIT
    )
    assert probe.server.until_ended(timeout=LIMIT)
    told = told_of(probe)
    [exchange] = told["exchanges"]
    assert (exchange["method"], exchange["path"]) == ("POST", "/v1/chat/completions?alt=sse&api_key=…")
    assert json.loads(exchange["body"]) == body()
    assert (exchange["status"], exchange["ended"]) == (200, "finished")
    assert sum(write["size"] for write in exchange["writes"]) == len(answer.content)
    sent = "".join(write["bytes"] for write in exchange["writes"])
    assert sent.replace(r"\n", "\n") == answer.text
    assert exchange["writes"][0]["cut"] is True
    assert "cut" not in exchange["writes"][-1]
    assert exchange["writes"][-1]["frames"] == exchange["frames"]
    assert "secret" not in json.dumps(told)
    assert "not-told" not in json.dumps(told)


def test_gates_are_told_with_their_times(probe: Probe) -> None:
    """From when until when a gate held the answer; one that is open holds nothing."""
    held, open_gate = probe.gate(), probe.gate()
    open_gate.open()
    probe.play(Turn(reply=REPLY, delivery=Delivery(gates={0: open_gate, 1: held})))
    call = probe.in_thread("ask", lambda: post(probe.server.url, stream=True))
    assert held.wait_arrived(timeout=LIMIT)
    still = told_of(probe)["exchanges"][0]["held"]
    held.open()
    call.value()
    [hold] = told_of(probe)["exchanges"][0]["held"]
    assert "until" not in still[0]
    assert hold["until"] >= hold["at"]
    assert hold["writes"] == 2


def test_scripts_that_were_played_before_are_told(probe: Probe) -> None:
    """A rule that plays several scripts has all of its exchanges told, numbered throughout."""
    for _ in range(2):
        probe.play(REPLY, REPLY)
        probe.run("ask", _asking(probe)).value()
    told = told_of(probe)
    assert [exchange["number"] for exchange in told["exchanges"]] == [1, 2]


def _asking(probe: Probe) -> Any:
    async def ask() -> None:
        post(probe.server.url)

    return ask if probe.is_async else lambda: post(probe.server.url)


def test_what_is_long_is_cut(probe: Probe) -> None:
    """Of many steps, writes and calls the first and the last are told, with how many lie between."""
    stream = probe.iterate("stream", "x", on=Told(*(AIMessageChunk(content=str(number)) for number in range(500))))
    stream.rest()
    for _ in range(8):
        probe.call("invoke", "x", on=Told(AIMessage("a" * 9000))).value()
    probe.play(Reply.of(*(f"{number} " for number in range(300))))
    post(probe.server.url, stream=True)
    told = told_of(probe)
    assert len(told["calls"]) == 7
    assert told["calls"][2] == {"left_out": 3}
    steps, writes = told["calls"][0]["steps"], told["exchanges"][0]["writes"]
    assert steps[24] == {"left_out": 502 - 32}
    assert [steps[1]["said"], steps[-2]["said"], steps[-1]["what"]] == ["'0'", "'499'", "ends"]
    assert len(writes) == 33
    assert writes[-1]["kind"] == "end"
    assert len(json.dumps(told)) < 40_000


def test_nothing_is_told_of_nothing() -> None:
    """Where nothing was called and nothing asked, there is nothing to tell."""
    assert timeline([], [], 1.0) == {"seconds": 0.0, "calls": [], "exchanges": []}


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


class HostileMap(dict[str, Any]):
    def __contains__(self, key: object) -> bool:
        raise RuntimeError("no looking")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (AIMessageChunk(content="a", response_metadata={"finish_reason": "stop"}), "'a' finish_reason='stop'"),
        (AIMessageChunk(content="", chunk_position="last"), "'' chunk_position='last'"),
        ({"event": "on_chat_model_stream", "data": {"chunk": AIMessageChunk(content="a")}}, "on_chat_model_stream 'a'"),
        ({"event": "message-start", "id": "x"}, "message-start {'id': 'x'}"),
        ([AIMessage("a"), AIMessage("b")], "2: 'a'; 'b'"),
        ([HumanMessage(str(number)) for number in range(5)], "5: '0'; '1'; '2'; …"),
        (None, "None"),
    ],
)
def test_values_are_told_in_a_few_words(value: object, told: str) -> None:
    """Messages by what they say and carry, events by their names, lists by their length."""
    assert said(value) == told


def test_what_came_is_noted_before_anybody_is_told() -> None:
    """Whoever waits for an outcome finds it among the steps."""
    told: list[bool] = []

    class Parrot(ValueError):
        def __str__(self) -> str:
            told.append(failure.done())
            return "a parrot"

    def answers(value: str) -> Deed:
        told.append(answer.done())
        return "answers"

    course = Course("invoke")
    answer, failure = course.outcome(answers), course.outcome(answers)
    answer.set_result("Hello")
    failure.set_exception(Parrot())
    assert [(step.what, step.said) for step in course.steps] == [("answers", "'Hello'"), ("raises", "Parrot: a parrot")]
    assert told == [False, False]
    assert answer.done()
    assert failure.done()


def test_values_that_cannot_be_shown_are_told() -> None:
    """What a model gives may raise when it is shown, may be endless, and may not be UTF-8."""
    assert re.fullmatch(r"<Hostile instance at 0x[0-9a-f]+>", said(Hostile()))
    assert said(HostileMap()) == "<HostileMap>"
    assert len(said(AIMessage("a" * 100_000))) <= 160
    course = Course("stream", [Seen.now(AIMessageChunk(content="\ud800"))])
    course.note("asks")
    [call] = timeline([course], [], time.monotonic())["calls"]
    assert "ud800" in json.dumps(call, ensure_ascii=False).encode().decode()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'data: {"a": 1}\n\n', r'data: {"a": 1}\n\n'),
        ("Zürich 🌙".encode(), "Zürich 🌙"),
        ("🌙".encode()[:2], r"\xf0\x9f"),
        (b"\x00\x1b[31m\r\n", r"\x00\x1b[31m\r\n"),
        (b"a" * 30, f"{'a' * 20}…"),
    ],
)
def test_bytes_are_told_as_text(data: bytes, told: str) -> None:
    """What cannot be shown is escaped, also half a character that a cut has left."""
    assert text_of(data, 20) == told
