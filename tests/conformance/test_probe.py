"""What a rule works with."""

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import AIMessage

from conformance.bench import Bench
from conformance.catalogue import Form
from conformance.drive import PROMPT, Probe
from conformance.verdict import Broken
from mockserver import Refused, Reply, Turn

from .helpers import LIMIT, OPENAI, Latch, Told, post, probe_of, target


@pytest.mark.parametrize(("form", "name", "is_async"), [("sync", "stream", False), ("async", "astream", True)])
def test_names_follow_the_form(bench: Bench, form: Form, name: str, *, is_async: bool) -> None:
    """Methods have an `a` before their names in the async form."""
    probe = probe_of(bench, form)
    assert (probe.name("stream"), probe.is_async, probe.wire) == (name, is_async, OPENAI)


def test_one_model_for_the_same_fields(bench: Bench) -> None:
    """A model is built once, aimed at the server, and once more for each other set of fields."""
    built: list[tuple[str, dict[str, Any]]] = []

    def make(url: str, **fields: Any) -> BaseChatModel:
        built.append((url, fields))
        return FakeListChatModel(responses=["a"])

    probe = probe_of(bench, "sync", target(make))
    assert probe.model() is probe.model()
    assert probe.model(a=1, b=2) is probe.model(b=2, a=1)
    assert probe.model() is not probe.model(a=1, b=2)
    assert built == [(bench.server.url, {}), (bench.server.url, {"a": 1, "b": 2})]


def test_the_model_under_test_is_asked(bench: Bench, form: Form) -> None:
    """Without another runnable, calls and streams go to the model of the target."""
    probe = probe_of(bench, form, target(lambda url: FakeListChatModel(responses=["abc"])))
    assert probe.invoke().content == "abc"
    assert "".join(chunk.content for chunk in probe.stream()) == "abc"
    assert probe.call("batch", ["x"]).value()[0].content == "abc"


def test_answers_are_asked_for_with_the_prompt(probe: Probe) -> None:
    """`invoke` and `stream` give what the method gives, for the usual prompt."""
    answer = AIMessage(content="a")
    told = Told(answer)
    assert probe.invoke(on=told) is answer
    assert probe.stream(on=told) == [answer]
    assert told.asked == [PROMPT, PROMPT]


def test_answers_that_are_no_messages_are_broken(probe: Probe) -> None:
    """What `invoke` gives is an AIMessage."""
    with pytest.raises(Broken) as broken:
        probe.invoke(on=Told("a"))
    assert broken.value == Broken(f"{probe.name('invoke')} returns an AIMessage", "it returned 'a'")


def test_tools_that_cannot_be_bound_are_broken(bench: Bench) -> None:
    """An error of `bind_tools` is the model's."""
    probe = probe_of(bench, "sync", target(lambda url: FakeListChatModel(responses=["a"])))
    with pytest.raises(Broken) as broken:
        probe.with_tools([])
    assert broken.value == Broken("bind_tools takes tools", "it raised NotImplementedError")


@pytest.mark.parametrize(
    ("answers", "texts"),
    [
        ((Reply.of("a"), Refused(400, "no")), ["a", "no"]),
        ((lambda asked: Reply.of(asked.text[::-1]),), ["eno", "owt"]),
        ((Turn(reply=Reply.of("a")),), ["a", "a"]),
    ],
)
def test_scripts_are_answers_or_a_function(probe: Probe, answers: Any, texts: list[str]) -> None:
    """Answers come in order, the last one again and again; a function answers each request."""
    probe.play(*answers)
    for asked, text in zip(["one", "two"], texts, strict=True):
        assert text in post(probe.server.url, asked).text
    assert [exchange.number for exchange in probe.exchanges] == [1, 2]


def test_the_end_of_an_item_opens_gates_and_lets_go(probe: Probe) -> None:
    """`finish` opens all gates, and the thread or the task of each stream ends, read out or not."""
    gate, told = probe.gate(), Told("a", "b")
    probe.iterate("stream", "hi", on=told).next()
    [(thread, task)] = told.places
    was_open = gate.is_open
    probe.finish()
    assert (was_open, gate.is_open) == (False, True)
    if probe.is_async:
        assert probe.server.until(task.done, timeout=LIMIT)
    else:
        thread.join(LIMIT)
        assert not thread.is_alive()


def test_a_stream_that_hangs_does_not_hold_up_the_end(probe: Probe) -> None:
    """`finish` waits for nothing."""
    latch = Latch()
    stream = probe.iterate("stream", "hi", on=Told(latch, "a"))
    call = stream.ask()
    assert latch.arrived()
    probe.finish()
    assert not call.done
    latch.open()
    assert call.value() == "a"


def test_work_runs_where_the_form_says(bench: Bench, form: Form) -> None:
    """A function runs in a thread without a loop, a coroutine in the bench's loop."""
    told = Told("a")
    probe = probe_of(bench, form)
    call = probe.run("work", lambda: told.ainvoke(1) if form == "async" else told.invoke(1))
    assert call.value() == "a"
    [(thread, _)] = set(told.places)
    assert thread.name == ("conformance-loop" if form == "async" else "conformance-caller")
