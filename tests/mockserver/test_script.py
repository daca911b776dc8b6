"""Which request is answered with what."""

from typing import Any

import pytest

from mockserver import Asked, Delivery, Fault, MockServerError, Recording, Refused, Reply, Script, Turn, When
from mockserver.script import as_turn, named
from mockserver.wires import Message

ASKED = Asked(wire="openai-chat", model="m-1", stream=True, messages=(Message("user", "what is up"),))
ONE, TWO, THREE = (Turn(reply=Reply.of(text)) for text in ("one", "two", "three"))


def answers(script: Script, count: int, asked: Asked = ASKED) -> list[str]:
    turns = (script.answer(asked) for _ in range(count))
    return [turn.reply.text if turn.reply else turn.describe() for turn in turns]


def timed(text: str, times: int, **when: Any) -> Turn:
    return Turn(reply=Reply.of(text), times=times, when=When(**when))


def test_turns_answer_in_order_and_the_last_repeats() -> None:
    """Each turn answers once while a later one matches; the last one answers for ever."""
    assert answers(Script([ONE, TWO, THREE]), 5) == ["one", "two", "three", "three", "three"]


def test_times_is_how_often() -> None:
    """A turn with `times` answers so many requests."""
    assert answers(Script([timed("a", 2), TWO]), 4) == ["a", "a", "two", "two"]


def test_the_last_one_with_times_is_used_up() -> None:
    """Where all that match have `times`, requests after that are refused, and the text names the turns."""
    script = Script([timed("a", 1), Turn(reply=Reply.of("b"), when=When(model="m-2")), timed("c", 1)])
    assert answers(script, 2) == ["a", "c"]
    with pytest.raises(MockServerError, match="the turns that match are used up: turn 1, turn 3"):
        script.answer(ASKED)


@pytest.mark.parametrize(
    ("when", "difference"),
    [
        (When(wire="anthropic-messages"), "wire is 'openai-chat', not 'anthropic-messages'"),
        (When(model="m-2"), "model is 'm-1', not 'm-2'"),
        (When(stream=False), "stream is True, not False"),
        (When(text="weather"), "the user's text is 'what is up', without 'weather'"),
        (When(model="m-2", text="weather"), "model is 'm-1', not 'm-2'"),
        (When(), None),
        (When(wire="openai-chat", model="m-1", stream=True, text="is"), None),
    ],
)
def test_when_says_how_a_request_differs(when: When, difference: str | None) -> None:
    """All that is given must match; what is left out matches everything."""
    assert when.differs(ASKED) == difference


def test_the_text_that_is_matched_is_the_last_of_the_user() -> None:
    """Other roles and earlier messages do not count."""
    messages = (
        Message("user", "early"),
        Message("assistant", "weather"),
        Message("user", "late"),
        Message("tool", "x"),
    )
    asked = Asked(wire="openai-chat", model="m-1", messages=messages)
    assert (asked.text, When(text="early").differs(asked) is None) == ("late", False)
    assert Asked(wire="openai-chat", model="m-1").text == ""


def test_turns_of_different_requests_do_not_use_each_other_up() -> None:
    """A turn is used up by the requests that it answers alone."""
    script = Script([timed("a", 1, model="m-1"), timed("b", 1, model="m-2"), TWO])
    assert answers(script, 1, Asked(wire="openai-chat", model="m-2")) == ["b"]
    assert answers(script, 2) == ["a", "two"]


def test_a_near_miss_tells_how_each_turn_differs() -> None:
    """No turn matches: the text goes through all of them."""
    script = Script([timed("a", 1, model="m-2"), timed("b", 1, stream=False)])
    words = "turn 1: model is 'm-1', not 'm-2'; turn 2: stream is True, not False"
    with pytest.raises(MockServerError, match=f"no turn of the script answers this request; {words}"):
        script.answer(ASKED)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "either a reply, an error or a recording"),
        ({"reply": Reply(), "error": Refused(400, "x")}, "either a reply, an error or a recording"),
        ({"reply": Reply(), "times": 0}, "a turn answers at least one request, not 0"),
        (
            {"reply": Reply.of("a", "b"), "delivery": Delivery(fault=Fault("stop", 2))},
            "before piece 2, and the last is 1",
        ),
    ],
)
def test_wrong_turns_are_refused(fields: dict[str, Any], words: str) -> None:
    """One kind of answer, at least once, and a fault at a piece that there is."""
    with pytest.raises(ValueError, match=words):
        Turn(**fields)


@pytest.mark.parametrize(
    ("turn", "text"),
    [
        (ONE, "text in 1 piece, finish, usage"),
        (Turn(error=Refused(429, "slow")), "HTTP 429 'slow'"),
        (Turn(recording=Recording(200, {}, (), source="a.yaml")), "0 recorded frames of a.yaml"),
        (Turn(reply=Reply.of("a"), delivery=Delivery(fault=Fault("close", 0))), "usage; close before piece 0"),
        (Turn(reply=Reply.of("a"), delivery=Delivery(fault=Fault("stop", "end"))), "usage; stop before the end"),
    ],
)
def test_describe(turn: Turn, text: str) -> None:
    """What it answers and what goes wrong, in a few words."""
    assert turn.describe().endswith(text)


def test_what_stands_for_a_turn() -> None:
    """A reply and a refusal do; a turn is itself."""
    refused = Refused(400, "x")
    assert as_turn(ONE) is ONE
    assert (as_turn(Reply()).reply, as_turn(refused).error) == (Reply(), refused)
    with pytest.raises(MockServerError, match="an answer is a Reply, a Turn or a Refused, not 'x'"):
        as_turn("x")


def test_names_are_given_where_they_are_left_open() -> None:
    """What a reply names stays."""
    assert named(Reply(), id="i", model="m") == Reply(id="i", model="m")
    assert named(Reply(id="a", model="b"), id="i", model="m") == Reply(id="a", model="b")
