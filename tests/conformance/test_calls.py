"""Calls that run elsewhere, and how values and errors are told."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from conformance.bench import Bench
from conformance.calls import Call
from conformance.drive import Probe
from conformance.verdict import Broken
from conformance.wording import brief, describe_error

from .helpers import LIMIT, SHORT, Latch, Told, probe_of


def test_cancelling_a_call_reaches_the_models_code(bench: Bench) -> None:
    """The task is cancelled where it waits; that is the outcome of the call, and other tasks of the loop run on."""
    latch = Latch()
    probe, told = probe_of(bench, "async"), Told(latch)
    call = probe.call("invoke", "hi", on=told)
    assert latch.arrived()
    call.cancel()
    assert type(call.raised("its task is cancelled", LIMIT)).__name__ == "CancelledError"
    assert told.left == ["CancelledError"]
    assert probe.call("invoke", "hi", on=Told("a")).value() == "a"


def test_sync_calls_cannot_be_cancelled(bench: Bench) -> None:
    """A rule that tries is wrong itself."""
    probe = probe_of(bench, "sync")
    with pytest.raises(AssertionError, match="cannot be cancelled"):
        probe.call("invoke", "hi", on=Told("a")).cancel()


def test_calls_give_a_value(probe: Probe) -> None:
    """A call that answers has a value and no error."""
    call = probe.call("invoke", "hi", on=Told("a"))
    assert call.wait()
    assert (call.done, call.value(), call.error(), call.name) == (True, "a", None, probe.name("invoke"))
    with pytest.raises(Broken) as broken:
        call.raised("HTTP 400")
    assert broken.value == Broken(f"{call.name} raises (HTTP 400)", "it gave 'a'")


def test_calls_give_an_error(probe: Probe) -> None:
    """A call that fails has an error, which breaks the rule where a value is wanted."""
    error = ValueError("no")
    call = probe.call("invoke", "hi", on=Told(error))
    assert call.wait()
    assert call.error() is call.raised("it must") is error
    with pytest.raises(Broken) as broken:
        call.value()
    assert broken.value == Broken(f"{call.name} answers", "it raised ValueError: no")
    assert broken.value.__cause__ is error


@pytest.mark.parametrize("what", [Call.value, Call.error, lambda call, limit: call.raised("it must", limit)])
def test_calls_that_hang_are_broken(probe: Probe, what: Any) -> None:
    """Whatever is wanted of a call that does not end breaks the rule; waiting alone says so."""
    latch = Latch()
    call = probe.call("invoke", "hi", on=Told(latch, "a"))
    assert not call.wait(SHORT)
    assert not call.done
    with pytest.raises(Broken) as broken:
        what(call, limit=SHORT)
    latch.open()
    assert broken.value == Broken(f"{call.name} ends", "it has not ended after 0.05 s")
    assert call.value() == "a"


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a\nb"), "ValueError: a"),
        (ValueError("\n a "), "ValueError: a"),
        (ValueError(), "ValueError"),
        (ValueError(" "), "ValueError"),
        (Mute("a"), "Mute"),
    ],
)
def test_errors_are_described_in_one_line(error: Exception, text: str) -> None:
    """Type and first line; the type alone where there is no text."""
    assert describe_error(error) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        ("x" * 118, f"'{'x' * 118}'"),
        ("x" * 119, f"'{'x' * 116}…"),
        (AIMessage(content="a"), "AIMessage(content='a', …)"),
        (AIMessage(content="a" * 200), f"AIMessage(content='{'a' * 98}…"),
    ],
)
def test_values_are_told_in_brief(value: object, text: str) -> None:
    """At most 120 characters, and of a message only its type and content."""
    assert brief(value) == text
    assert len(text) <= 120
