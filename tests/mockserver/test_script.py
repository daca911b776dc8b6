"""Which request is answered with what."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import mockserver
from mockserver import (
    Asked,
    Delivery,
    Fault,
    Gate,
    MockServerError,
    Recording,
    Refused,
    Reply,
    Request,
    Script,
    ToolCall,
    Turn,
    When,
    WhenMessage,
    WhenMessages,
)
from mockserver.scripts.matching import call_names
from mockserver.scripts.script import as_turn, named
from mockserver.wires import Message

from .helpers import PATHS, ask, post, question

BODY: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "what is up"},
        {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "look"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
    ]
}
ASKED = Asked(
    wire="openai-chat",
    model="m-1",
    stream=True,
    messages=(
        Message("user", "what is up"),
        Message("assistant", tool_calls=("call_1",)),
        Message("tool", "sun", tool_results=("call_1",)),
    ),
    tools=("look", "listen"),
    body=BODY,
    request=Request(path="/v1/chat/completions", headers={"x-team": "blue"}),
)
ONE, TWO, THREE = (Turn(reply=Reply.of(text)) for text in ("one", "two", "three"))


def said_by(turn: Turn) -> str:
    return turn.reply.text if isinstance(turn.reply, Reply) else turn.describe()


def answers(script: Script, count: int, asked: Asked = ASKED) -> list[str]:
    return [said_by(script.answer(asked)) for _ in range(count)]


def timed(said: str, times: int | None = None, **when: Any) -> Turn:
    return Turn(reply=Reply.of(said), times=times, when=When(**when))


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
    "when",
    [
        When(),
        When(wire="openai-chat", model="m-1", stream=True, text="is", path="*/chat/completions"),
        When(model="m-*"),
        When(model="?-[12]"),
        When(messages=WhenMessages(count=3, first=WhenMessage(role="user"), last=WhenMessage(text="su"))),
        When(messages=WhenMessages(any=WhenMessage(role="assistant", tool_calls=("look",)))),
        When(messages=WhenMessages(last=WhenMessage(tool_results="call_1"), tool_results=True)),
        When(messages=WhenMessages(tool_results=("l*",))),
        When(messages=WhenMessages(first=WhenMessage(tool_results=False, tool_calls=False))),
        When(messages=(WhenMessage(role="user"), WhenMessage(tool_calls=True), WhenMessage())),
        When(tools=True),
        When(tools="listen"),
        When(tools=("look", "li*")),
        When(headers={"X-Team": "bl*"}),
        When(predicate=lambda asked: asked.stream),
    ],
)
def test_what_matches(when: When) -> None:
    """Globs, parts of texts, and names in place of ids; what is left out matches everything."""
    assert when.matches(ASKED)
    assert len(when.compare(ASKED)) >= (0 if when == When() else 1)


def no_luck(asked: Asked) -> bool:
    return False


@pytest.mark.parametrize(
    ("when", "difference"),
    [
        (When(wire="anthropic-messages"), "wire is 'openai-chat', wanted 'anthropic-messages'"),
        (When(model="m-2"), "model is 'm-1', wanted 'm-2'"),
        (When(model="M-*"), "model is 'm-1', wanted 'M-*'"),
        (When(path="/v1/messages"), "path is '/v1/chat/completions', wanted '/v1/messages'"),
        (When(stream=False), "stream is True, wanted False"),
        (When(text="weather"), "the user's text is 'what is up', wanted 'weather' in it"),
        (When(text="w" * 200), f"the user's text is 'what is up', wanted '{'w' * 78}\u2026 in it"),
        (When(messages=WhenMessages(count=1)), "the number of messages is 3, wanted 1"),
        (When(messages=WhenMessages(first=WhenMessage(role="system"))), "first message: role is 'user', wanted 'syst"),
        (When(messages=WhenMessages(last=WhenMessage(text="rain"))), "last message: text is 'sun', wanted 'rain' in"),
        (
            When(messages=WhenMessages(last=WhenMessage(tool_results="listen"))),
            "last message: tool results: look, wanted listen",
        ),
        (
            When(messages=WhenMessages(last=WhenMessage(tool_calls=True))),
            "last message: tool calls: none, wanted some",
        ),
        (When(messages=WhenMessages(tool_results=False)), "new tool results: look, wanted none"),
        (
            When(messages=WhenMessages(any=WhenMessage(role="user", text="sun"))),
            "no message of 3 is as wanted (role 'user', text 'sun')",
        ),
        (When(messages=(WhenMessage(),)), "the number of messages is 3, wanted 1"),
        (
            When(messages=(WhenMessage(), WhenMessage(role="user"), WhenMessage())),
            "message 2: role is 'assistant', wanted 'user'",
        ),
        (When(tools=False), "tools: look, listen, wanted none"),
        (When(tools=("smell", "look", "tas?e")), "tools: look, listen, wanted smell, tas?e"),
        (When(headers={"x-team": "red"}), "header x-team is 'blue', wanted 'red'"),
        (When(headers={"X-None": "*"}), "header X-None is missing, wanted '*'"),
        (When(predicate=no_luck), "no_luck says no"),
    ],
)
def test_what_does_not_match_is_told(when: When, difference: str) -> None:
    """One difference, with what is wanted beside what came."""
    [told] = filter(None, when.compare(ASKED))
    assert not when.matches(ASKED)
    assert told.startswith(difference)


def test_nothing_asked_has_no_first_message() -> None:
    """A condition on a message that is not there does not hold."""
    empty = Asked(wire="openai-chat", model="m-1")
    first, last, offered = (
        When(messages=WhenMessages(first=WhenMessage())),
        When(messages=WhenMessages(last=WhenMessage(role="user"))),
        When(tools=True),
    )
    assert first.compare(empty) == ("first message: there is none",)
    assert last.compare(empty) == ("last message: there is none",)
    assert offered.compare(empty) == ("tools: none, wanted some",)


def test_the_text_that_is_matched_is_the_last_of_the_user() -> None:
    """Other roles and earlier messages do not count."""
    messages = (
        Message("user", "early"),
        Message("assistant", "weather"),
        Message("user", "late"),
        Message("tool", "x"),
    )
    asked = Asked(wire="openai-chat", model="m-1", messages=messages)
    assert (asked.text, When(text="early").matches(asked)) == ("late", False)
    assert Asked(wire="openai-chat", model="m-1").text == ""


def test_results_of_earlier_rounds_are_not_new() -> None:
    """What has come since the model's last message counts, over several messages of parallel results."""
    messages = (
        Message("user", "a", tool_results=("call_0",)),
        Message("assistant", tool_calls=("call_1", "call_2")),
        Message("tool", tool_results=("call_1",)),
        Message("tool", tool_results=("call_2",)),
    )
    asked = Asked(wire="openai-chat", model="m-1", messages=messages)
    both = When(messages=WhenMessages(tool_results=("call_1", "call_2")))
    assert both.matches(asked)
    assert not When(messages=WhenMessages(tool_results="call_0")).matches(asked)
    later = Asked(wire="openai-chat", model="m-1", messages=(*messages, Message("model", "done"), Message("user", "b")))
    assert When(messages=WhenMessages(tool_results=False)).matches(later)


@pytest.mark.parametrize(
    "call",
    [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"toolUse": {"toolUseId": "c", "name": "f", "input": {}}},
        {"functionCall": {"id": "c", "name": "f", "args": {}}},
    ],
)
def test_names_of_calls_are_found_on_every_wire(call: dict[str, Any]) -> None:
    """OpenAI Chat, Anthropic, OpenAI Responses, Bedrock and Gemini keep them in different places."""
    assert call_names({"messages": [{"content": [call]}]}) == {"c": "f"}


def test_a_dialect_is_of_its_family() -> None:
    """The name of a family stands for all of its dialects."""
    wires = mockserver.WIRES
    for name, wire in wires.items():
        asked = Asked(wire=name, model="m")
        assert When(wire=wire.family).matches(asked)
        assert When(wire=name).matches(asked)


def test_turns_of_different_requests_do_not_use_each_other_up() -> None:
    """A turn is used up by the requests that it answers alone."""
    script = Script([timed("a", 1, model="m-1"), timed("b", 1, model="m-2"), TWO])
    assert answers(script, 1, Asked(wire="openai-chat", model="m-2")) == ["b"]
    assert answers(script, 2) == ["a", "two"]


def test_a_loop_begins_again() -> None:
    """Once all that match are used up, the first answers again; each answers once or `times` in a round."""
    assert answers(Script([ONE, TWO], loop=True), 5) == ["one", "two", "one", "two", "one"]
    assert answers(Script([timed("a", 2), TWO], loop=True), 6) == ["a", "a", "two", "a", "a", "two"]


def test_a_loop_is_of_those_that_match() -> None:
    """The round of one kind of request does not begin again because of another."""
    script = Script([timed("a", model="m-1"), timed("b", model="m-1"), timed("c", model="m-2")], loop=True)
    other = Asked(wire="openai-chat", model="m-2")
    assert answers(script, 1) == ["a"]
    assert answers(script, 3, other) == ["c", "c", "c"]
    assert answers(script, 2) == ["b", "a"]


def test_the_default_answers_what_no_turn_does() -> None:
    """What does not match, and what comes when all that match are used up."""
    script = Script([timed("a", 1, model="m-1")], default=Reply.of("else"))
    assert answers(script, 1, Asked(wire="openai-chat", model="m-2")) == ["else"]
    assert answers(script, 2) == ["a", "else"]
    assert answers(Script([], default=Refused(418, "teapot")), 1) == ["HTTP 418 'teapot'"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Script(lambda asked: Reply(), loop=True),
        lambda: Script(lambda asked: Reply(), default=Reply()),
        lambda: Script([], default=timed("a", model="m")),
        lambda: Script([], default=timed("a", 1)),
    ],
)
def test_wrong_scripts_are_refused(make: Callable[[], Script]) -> None:
    """A function answers everything, and a default has no conditions."""
    with pytest.raises(ValueError, match=r"neither a loop nor a default|neither 'when' nor 'times'"):
        make()


def test_a_reply_may_be_a_function_of_the_request() -> None:
    """It is called for each request that its turn answers; times and delivery stay those of the turn."""
    delivery = Delivery(cuts="whole")
    script = Script([Turn(reply=lambda asked: Reply.of(f"to {asked.model}"), delivery=delivery, times=1), TWO])
    turn = script.answer(ASKED)
    assert (said_by(turn), turn.delivery) == ("to m-1", delivery)
    assert answers(script, 1) == ["two"]
    assert answers(Script([Turn(reply=lambda asked: Refused(429, "slow"))]), 1) == ["HTTP 429 'slow'"]
    assert answers(Script(lambda asked: Turn(reply=lambda asked: Reply.of(asked.model))), 1) == ["m-1"]


def test_a_function_of_a_turn_that_gives_no_reply_is_told() -> None:
    """What it gives is named."""
    wrong: Any = Turn(reply=lambda asked: "text")  # type: ignore[arg-type, return-value]
    with pytest.raises(MockServerError, match="the function of a turn gives a Reply or a Refused, not 'text'"):
        Script([wrong]).answer(ASKED)


def test_a_fault_beyond_the_reply_of_a_function_is_told() -> None:
    """How many pieces there are is known when the function has answered."""
    turn = Turn(reply=lambda asked: Reply.of("a"), delivery=Delivery(fault=Fault("stop", 1)))
    with pytest.raises(ValueError, match="before piece 1, and the last is 0"):
        Script([turn]).answer(ASKED)


def test_counts_are_exact_under_threads() -> None:
    """Many requests at once: each turn answers as often as it says, none more and none less."""
    script = Script([timed("a", 30), timed("b", 50), timed("c", 20)], loop=True)
    got: Counter[str] = Counter()
    counting = threading.Lock()

    def ask_many() -> None:
        mine = Counter(answers(script, 50))
        with counting:
            got.update(mine)

    threads = [threading.Thread(target=ask_many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {"a": 120, "b": 200, "c": 80}


def test_counts_are_exact_over_connections() -> None:
    """Requests on several connections at once use turns up as the script says."""
    turns = [timed("a", 3), timed("b", 2)]
    got: list[str] = []
    with mockserver.serve(Script(turns, default=Reply.of("c"))) as server:

        def ask_once() -> None:
            got.append(post(server, stream=False).json()["choices"][0]["message"]["content"])

        threads = [threading.Thread(target=ask_once) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert Counter(got) == {"a": 3, "b": 2, "c": 3}


def test_a_round_with_a_tool() -> None:
    """The first turn calls a tool; the second answers once its result is there."""
    call = ToolCall.of("get_weather", {"city": "Paris"}, id="call_w")
    script = Script(
        [
            Turn(
                reply=Reply.of(call, finish_reason="tool_calls"), when=When(messages=WhenMessages(tool_results=False))
            ),
            Turn(reply=Reply.of("Sunny."), when=When(messages=WhenMessages(tool_results="get_weather"))),
        ]
    )
    user = {"role": "user", "content": "weather?"}
    with mockserver.serve(script) as server:
        for _ in range(2):
            said = post(server, stream=False, messages=[user]).json()["choices"][0]["message"]
            assert said["tool_calls"][0]["function"]["name"] == "get_weather"
            result = {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": "sun"}
            again = post(server, stream=False, messages=[user, said, result]).json()
            assert again["choices"][0]["message"]["content"] == "Sunny."


def test_reset_begins_anew() -> None:
    """Counts are back at 0, and the gates with a name are closed."""
    gate = Gate()
    script = Script([timed("a", 1), TWO], gates={"half-way": gate})
    gate.open()
    assert answers(script, 2) == ["a", "two"]
    assert script.answered == (1, 1)
    script.reset()
    assert (script.answered, gate.is_open) == ((0, 0), False)
    assert answers(script, 1) == ["a"]


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([], "the script has no turns"),
        ([timed("a", model="m-2")], "answers this request; turn 1: model is 'm-1', wanted 'm-2'"),
        (
            [timed("a", model="m-2"), timed("b", stream=True, text="sky")],
            "the nearest is turn 2: the user's text is 'what is up', wanted 'sky' in it",
        ),
        (
            [timed("a", model="m-1", stream=True, text="x", tools=False, path="x"), timed("b", model="m-1", text="x")],
            "the nearest is turn 2: the user's text is",
        ),
        (
            [timed("a", model="m-1", text="x", stream=False), timed("b", wire="anthropic-messages")],
            "the nearest is turn 1: stream is True, wanted False; the user's text is 'what is up', wanted 'x' in it",
        ),
    ],
)
def test_a_near_miss_is_that_of_the_nearest_turn(turns: list[Turn], words: str) -> None:
    """The nearest is the one of whose conditions most hold and fewest do not; all that do not are told, on one line."""
    with pytest.raises(MockServerError) as caught:
        Script(turns).answer(ASKED)
    told = str(caught.value)
    assert words in told
    assert "\n" not in told


@pytest.mark.parametrize("wire", ["openai-chat", "anthropic-messages"])
def test_a_near_miss_is_in_the_answer_and_in_the_journal(wire: str) -> None:
    """The provider's error body carries it, and so does the line of the exchange."""
    with mockserver.serve([timed("a", model="gpt-*"), timed("b", model="m-asked", text="sky")]) as server:
        answer = ask(server.url + PATHS[wire], json=question(wire))
        [exchange] = server.exchanges
    words = "the nearest is turn 2: the user's text is 'hi', wanted 'sky' in it"
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].endswith(words)
    assert (exchange.refused or "").endswith(words)
    assert exchange.describe().endswith(words)


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
        (Turn(reply=lambda asked: Reply()), "a reply made of the request"),
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
