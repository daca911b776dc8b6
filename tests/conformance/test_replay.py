"""The rules of REPLAY, on models that give what they are told whatever the server plays."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any, Final

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from conformance import wording
from conformance.bench import Bench
from conformance.catalogue import Case, Form, rules
from conformance.drive import Probe
from conformance.integrations import Stanza
from conformance.item import Item
from conformance.rules import replay_shown
from conformance.target import Target
from conformance.verdict import Broken, NotApplicable
from mockserver import (
    Citation,
    Media,
    Reasoning,
    Refusal,
    Reply,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Usage,
)
from mockserver.cassettes.interaction import Interaction

from ..recordings import CALLING, PLAIN, THOUGHTFUL, cassettes, only, streamed, whole, with_error
from .helpers import probe_of, target

COUNTED: Final[Any] = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
FISH: Final[dict[str, Any]] = {
    "content": PLAIN.text,
    "usage_metadata": COUNTED,
    "response_metadata": {"finish_reason": "stop"},
}
"""The message that says what `PLAIN` says."""


def ask(url: str, *, stream: bool, **headers: str) -> None:
    """Ask as OpenAI's clients do, and pass over the answer."""
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    if stream:
        body["stream_options"] = {"include_usage": True}
    with contextlib.suppress(httpx.TransportError):
        httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers)


class Saying(BaseChatModel):
    """Asks, and says what it is told."""

    url: str
    says: Any
    stream_it: bool = True

    @property
    def _llm_type(self) -> str:
        return "saying"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _said(self, *, stream: bool) -> Any:
        ask(self.url, stream=stream, authorization="Bearer key")
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(**self._said(stream=False)))])

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(**self._said(stream=self.stream_it)))


def judged(
    bench: Bench,
    id: str,
    given: Interaction,
    says: Any,
    *,
    form: Form = "sync",
    lacks: tuple[str, ...] = (),
    **fields: Any,
) -> None:
    """Run the check of a rule on a model that says this; `lacks`: what it does not claim."""
    on = target(
        lambda url, **more: Saying(url=url, says=says, **{**fields, **more}),
        model_class=Saying,
        stanza=Stanza(lacks=lacks),
    )
    probe = probe_of(bench, form, on)
    try:
        rules()[id].check(probe, Case("made", only(given)))
    finally:
        probe.finish()


def broken(bench: Bench, id: str, given: Interaction, says: Any, **more: Any) -> Broken:
    with pytest.raises(Broken) as told:
        judged(bench, id, given, says, **more)
    return told.value


def test_the_same_passes(bench: Bench, form: Form) -> None:
    """Streamed or whole, in both forms."""
    judged(bench, "REPLAY-01", streamed(PLAIN), FISH, form=form)
    judged(bench, "REPLAY-01", whole(PLAIN), FISH, form=form)


@pytest.mark.parametrize(
    ("says", "expected", "observed"),
    [
        ({"content": "The moon"}, "29 characters: …", "8 characters: 'The moon'"),
        ({"response_metadata": {"finish_reason": "length"}}, "finish 'stop'", "finish 'length'"),
        ({"response_metadata": {}}, "finish 'stop'", "finish None"),
        ({"usage_metadata": None}, f"usage {COUNTED}", "usage None"),
        (
            {"usage_metadata": {**COUNTED, "output_tokens": 8}},
            f"usage {COUNTED}",
            f"usage { ({**COUNTED, 'output_tokens': 8}) }",
        ),
        (
            {"tool_calls": [{"name": "f", "args": {}, "id": "1"}]},
            "tool calls []",
            "tool calls [('f', {}, '1')]",
        ),
        ({"additional_kwargs": {"reasoning_content": "Hm"}}, "reasoning '' (0 characters)", "reasoning 'Hm' (2 char"),
    ],
)
def test_each_difference_is_told(bench: Bench, says: dict[str, Any], expected: str, observed: str) -> None:
    """What the recording says on one side, what the message says on the other."""
    told = broken(bench, "REPLAY-01", streamed(PLAIN), {**FISH, **says})
    assert told.expected.startswith(expected.rstrip("…"))
    assert told.observed.startswith(observed)


def test_several_differences_are_told_together(bench: Bench) -> None:
    """In one failure."""
    told = broken(bench, "REPLAY-01", streamed(PLAIN), {"content": PLAIN.text})
    assert told.expected == f"finish 'stop'; usage {COUNTED}"
    assert told.observed == "finish None; usage None"


CALLS: Final[list[Any]] = [
    {"name": call.name, "args": json.loads(call.joined or "{}"), "id": call.id} for call in CALLING.tool_calls
]
CALLED: Final[dict[str, Any]] = {
    "content": "Let me look.",
    "tool_calls": CALLS,
    "usage_metadata": COUNTED,
    "response_metadata": {"finish_reason": "tool_calls"},
}


@pytest.mark.parametrize(
    "calls",
    [
        [],
        CALLS[:2],
        [*CALLS, CALLS[0]],
        list(reversed(CALLS)),
        [{**CALLS[0], "id": "other"}, *CALLS[1:]],
        [{**CALLS[0], "args": {"city": "Zurich"}}, *CALLS[1:]],
        [{**CALLS[0], "name": "f"}, *CALLS[1:]],
    ],
)
def test_tool_calls_are_compared(bench: Bench, calls: list[Any]) -> None:
    """Name, arguments, id, number and order."""
    judged(bench, "REPLAY-01", streamed(CALLING), CALLED)
    told = broken(bench, "REPLAY-01", streamed(CALLING), {**CALLED, "tool_calls": calls})
    assert told.expected.startswith("tool calls [('get_weather', {'city': 'Zürich'}, 'call_1'), ")
    assert told.observed.startswith("tool calls [")


def test_arguments_that_are_no_json_are_invalid_calls(bench: Bench) -> None:
    """The raw text is expected."""
    given = whole(Reply(blocks=(ToolCall(("{'a'",), id="1", name="f"),), finish_reason="tool_calls"))
    says = {**CALLED, "content": "", "tool_calls": []}
    invalid = [{"name": "f", "args": "{'a'", "id": "1", "error": None}]
    judged(bench, "REPLAY-01", given, {**says, "invalid_tool_calls": invalid})
    assert broken(bench, "REPLAY-01", given, says).expected == """invalid tool calls [('f', "{'a'", '1')]"""


def test_ids_that_were_not_recorded_may_be_any(bench: Bench) -> None:
    """Some providers send none, and packages make one up."""
    given = streamed(Reply(blocks=(ToolCall(id="call_1", name="f"),), finish_reason="tool_calls"))
    given = replace(given, body=given.body.replace(b'"id":"call_1",', b""))
    says = {**CALLED, "content": "", "tool_calls": [{"name": "f", "args": {}, "id": "made-up"}]}
    judged(bench, "REPLAY-01", given, says)


@pytest.mark.parametrize("form_of", ["field", "thinking", "summary", "absent"])
def test_reasoning_may_be_missing_and_must_be_right(bench: Bench, form_of: str) -> None:
    """Wherever the package keeps it."""
    places: dict[str, dict[str, Any]] = {
        "field": {"content": "Both", "additional_kwargs": {"reasoning_content": "Fish, or moon?"}},
        "thinking": {"content": [{"type": "thinking", "thinking": "Fish, or moon?"}, {"type": "text", "text": "Both"}]},
        "summary": {
            "content": [
                {"type": "reasoning", "summary": [{"text": "Fish, "}, {"type": "summary_text", "text": "or moon?"}]},
                {"type": "text", "text": "Both"},
            ]
        },
        "absent": {"content": "Both"},
    }
    usage = {"input_tokens": 20, "output_tokens": 9, "total_tokens": 29}
    says = {**places[form_of], "usage_metadata": usage, "response_metadata": {"finish_reason": "stop"}}
    judged(bench, "REPLAY-01", streamed(THOUGHTFUL), says)


@pytest.mark.parametrize(
    ("details", "holds"),
    [
        ({}, True),
        ({"input_token_details": {"cache_read": 8}}, True),
        ({"input_token_details": {"flex_cache_read": 8, "flex": 12}}, True),
        ({"input_token_details": {"cache_read": 7}}, False),
        ({"output_token_details": {"reasoning": 5, "audio": 1}}, True),
        ({"output_token_details": {"reasoning": 6}}, False),
    ],
)
def test_details_of_usage_may_be_missing_and_must_be_right(
    bench: Bench, details: dict[str, Any], *, holds: bool
) -> None:
    """With the service tier before their names, as langchain-openai writes them, too."""
    usage = {"input_tokens": 20, "output_tokens": 9, "total_tokens": 29, **details}
    says = {"content": "Both", "usage_metadata": usage, "response_metadata": {"finish_reason": "stop"}}
    if holds:
        judged(bench, "REPLAY-01", streamed(THOUGHTFUL), says)
    else:
        assert broken(bench, "REPLAY-01", streamed(THOUGHTFUL), says).expected.startswith("usage {")


def test_usage_that_was_not_asked_for_may_be_missing(bench: Bench) -> None:
    """In the recorded request, or in the model's."""
    body = b'{"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": true}'
    judged(bench, "REPLAY-01", replace(streamed(PLAIN), request_body=body), {**FISH, "usage_metadata": None})
    wrong = {**FISH, "usage_metadata": {**COUNTED, "input_tokens": 12}}
    assert broken(bench, "REPLAY-01", replace(streamed(PLAIN), request_body=body), wrong)


@pytest.mark.parametrize(
    ("given", "says", "lacks"),
    [(PLAIN, {**FISH, "usage_metadata": None}, "usage"), (CALLING, {**CALLED, "tool_calls": []}, "tools")],
    ids=["usage", "tools"],
)
def test_what_a_model_does_not_claim_may_be_missing(
    bench: Bench, given: Reply, says: dict[str, Any], lacks: str
) -> None:
    """One that claims it must show it."""
    judged(bench, "REPLAY-01", streamed(given), says, lacks=(lacks,))
    assert broken(bench, "REPLAY-01", streamed(given), says)


def test_usage_that_was_not_recorded_is_made_up(bench: Bench) -> None:
    """A message that counts what the provider did not is wrong."""
    given = streamed(replace(PLAIN, usage=None))
    judged(bench, "REPLAY-01", given, {**FISH, "usage_metadata": None})
    assert broken(bench, "REPLAY-01", given, FISH).expected == "usage None"


ERROR: Final = ConnectionError("gone")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (with_error(PLAIN, "Too much"), "the provider's answer is an error, Too much"),
        (streamed(PLAIN, keep=3, ended="reset"), "the recording breaks off (reset)"),
        (streamed(PLAIN, keep=3, ended="timed out"), "the recording breaks off (timed out)"),
    ],
)
def test_errors_and_breaks_must_raise(bench: Bench, form: Form, given: Interaction, why: str) -> None:
    """An answer in their place breaks the rule."""
    judged(bench, "REPLAY-01", given, ERROR, form=form)
    name = "astream" if form == "async" else "stream"
    told = broken(bench, "REPLAY-01", given, FISH, form=form)
    assert told == Broken(f"{name} raises: {why}", f"it gave AIMessageChunk(content={PLAIN.text!r}, …)")


@pytest.mark.parametrize("given", [streamed(PLAIN, keep=-1), streamed(PLAIN, ended="closed")])
def test_what_may_raise(bench: Bench, given: Interaction) -> None:
    """A stream that ends well without its terminator, and one that breaks off after it."""
    judged(bench, "REPLAY-01", given, ERROR)
    judged(bench, "REPLAY-01", given, FISH)
    assert broken(bench, "REPLAY-01", given, {**FISH, "content": "x"}).observed == "1 characters: 'x'"


def test_counts_of_half_a_stream_are_not_settled(bench: Bench) -> None:
    """A stream that ends well without its end is judged by its text and reasoning alone."""
    judged(bench, "REPLAY-01", streamed(PLAIN, keep=4), {"content": PLAIN.text})
    thinking = {"content": PLAIN.text, "additional_kwargs": {"reasoning_content": "Hm"}}
    assert broken(bench, "REPLAY-01", streamed(PLAIN, keep=4), thinking).expected == "reasoning '' (0 characters)"


def test_what_must_not_raise(bench: Bench) -> None:
    """A whole answer."""
    told = broken(bench, "REPLAY-01", streamed(PLAIN), ERROR)
    assert told.observed == "it raised ConnectionError: gone"


def test_what_is_not_asked_for_is_not_judged(bench: Bench) -> None:
    """A recorded stream says nothing of a model that asks for none, nor a wire of one that does not speak it."""
    with pytest.raises(NotApplicable) as told:
        judged(bench, "REPLAY-01", streamed(PLAIN), FISH, stream_it=False)
    assert told.value.reason == "stream of Parrot asks for no stream"
    on = target(lambda url: Saying(url=url, says=FISH), stanza=Stanza(also={"openai-responses": {}}))
    with pytest.raises(NotApplicable) as told:
        rules()["REPLAY-01"].check(
            probe_of(bench, "sync", on), Case("made", only(streamed(PLAIN, wire="openai-responses")))
        )
    assert told.value.reason == "Parrot asks on openai-chat"


def test_a_request_that_is_refused_is_no_error_of_the_recording(bench: Bench) -> None:
    """A model that raises because its request was refused has not raised for the recorded error."""

    class Rude(Saying):
        def _said(self, *, stream: bool) -> Any:
            ask(self.url, stream=stream)
            raise ERROR

    on = target(lambda url: Rude(url=url, says=FISH))
    with pytest.raises(Broken) as told:
        rules()["REPLAY-01"].check(probe_of(bench, "sync", on), Case("made", only(with_error(PLAIN, "Too much"))))
    assert told.value.expected == "a request that the provider accepts"


def test_forms_must_agree(bench: Bench) -> None:
    """Sync, async and events; a model that raises in one of them alone does not."""
    judged(bench, "REPLAY-02", streamed(PLAIN), FISH, form="async")
    judged(bench, "REPLAY-02", whole(PLAIN), FISH, form="async")
    judged(bench, "REPLAY-02", with_error(PLAIN, "Too much"), ERROR, form="async")

    class Moody(Saying):
        async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
            ask(self.url, stream=True, authorization="Bearer key")
            for error in [ERROR]:
                raise error
            yield ChatGenerationChunk(message=AIMessageChunk(content=""))

    on = target(lambda url: Moody(url=url, says=FISH), model_class=Moody)
    with pytest.raises(Broken) as told:
        rules()["REPLAY-02"].check(probe_of(bench, "async", on), Case("made", only(streamed(PLAIN))))
    assert told.value.expected == f"AIMessageChunk(content={PLAIN.text!r}, …) (as stream)"
    assert told.value.observed == "an error, ConnectionError: gone (astream)"


def test_cuts_that_are_tried(bench: Bench, form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frame by frame, as recorded where that is known, whole, byte by byte (seven at a time if large), at random."""
    seen: list[Any] = []
    play = Probe.play

    def playing(self: Probe, turn: Any) -> None:
        seen.append(turn.delivery.cuts if isinstance(turn.delivery.cuts, int | str) else "random")
        play(self, turn)

    monkeypatch.setattr(Probe, "play", playing)
    judged(bench, "REPLAY-03", streamed(PLAIN), FISH, form=form)
    assert seen == ["frame", "whole", 1, "random", "random"]
    seen.clear()
    large = Reply.of("x" * 40_000)
    judged(bench, "REPLAY-03", streamed(large), {**FISH, "content": large.text}, form=form)
    assert seen == ["frame", "whole", 7, "random", "random"]


RICH: Final = Reply(
    blocks=(
        Reasoning((), signature="seal"),
        Text(("It is ",), citations=(Citation(url="https://a.example", title="A"), Citation(quote="so it is"))),
        ServerToolCall.of("web_search", {"query": "fish"}, id="srv_1"),
        ServerToolResult(call_id="srv_1", kind="web_search_result", output='{"found": "a long enough text"}'),
        ServerToolResult(call_id="srv_2", kind="other_result", output="[]"),
        Media(mime_type="image/png", data="aGVsbG8="),
        Refusal(("I cannot",)),
        ToolCall(id="call_1", name="f", signature="stamp"),
    ),
    usage=Usage(input_tokens=20, output_tokens=9, cache_read=8, reasoning=5),
)


def test_all_that_is_dropped_is_listed() -> None:
    """Each kind of content, and what the decoder does not know, unless its name stands in the message."""
    bare = AIMessage(content="It is ", usage_metadata={"input_tokens": 20, "output_tokens": 9, "total_tokens": 29})
    assert list(replay_shown._not_shown(RICH, bare, ["It is "])) == [
        "the signature of reasoning",
        "citation of https://a.example",
        "citation of so it is",
        "call of the provider's tool web_search",
        "result of the provider's tool (web_search_result)",
        "result of the provider's tool (other_result)",
        "media (image/png)",
        "refusal 'I cannot'",
        "the signature of f",
        "cache_read tokens (8)",
        "reasoning tokens (5)",
    ]
    assert list(replay_shown._not_shown(THOUGHTFUL, AIMessage(content="Both"), ["Both"])) == [
        "reasoning (14 characters)",
        "usage",
    ]
    texts = ["seal", "A", "so it is", "srv_1", "a long enough text", "srv_2", "aGVsbG8=", "I cannot", "stamp"]
    counted = AIMessage(
        content="It is ",
        usage_metadata={
            "input_tokens": 20,
            "output_tokens": 9,
            "total_tokens": 29,
            "input_token_details": {"cache_read": 8},
            "output_token_details": {"reasoning": 5},
        },
    )
    assert list(replay_shown._not_shown(RICH, counted, texts)) == []
    assert list(replay_shown._not_known(["chunk key 'a'", "key 'b' of 'c'", "odd"], ["a", "b"])) == [
        "key 'b' of 'c'",
        "odd",
    ]


def test_what_is_dropped_is_told(bench: Bench) -> None:
    """In the words of the rule; a model that raises is left to REPLAY-01."""
    says = {"content": "Both"}
    told = broken(bench, "REPLAY-04", streamed(THOUGHTFUL), says)
    assert told == Broken("all of the recorded answer", "not in the message: reasoning (14 characters); usage")
    with pytest.raises(NotApplicable) as why:
        judged(bench, "REPLAY-04", streamed(THOUGHTFUL), ERROR)
    assert why.value.reason == "stream raises, which REPLAY-01 tells"


def on_wires(**fields: Any) -> Target:
    played = cassettes(
        a=streamed(PLAIN),
        b=streamed(PLAIN, wire="groq-chat"),
        c=streamed(PLAIN, wire="openai-responses"),
        d=with_error(PLAIN, "Too much"),
        e=streamed(PLAIN, wire="anthropic-messages"),
    )
    return target(cassettes=played, **fields)


def test_cases_are_the_recordings_of_the_models_wires() -> None:
    """With those of other dialects as SHOULD; for what is dropped, only those that hold an answer."""
    both = on_wires(stanza=Stanza(also={"openai-responses": {"x": 1}}))
    told = [(case.name, case.level) for case in rules()["REPLAY-01"].cases(both)]
    assert told == [("a", None), ("b", "SHOULD"), ("c", None), ("d", None)]
    assert [case.name for case in rules()["REPLAY-04"].cases(both)] == ["a", "b", "c"]
    assert [case.name for case in rules()["REPLAY-01"].cases(on_wires())] == ["a", "b", "d"]
    [case] = rules()["REPLAY-01"].cases(target(cassettes=cassettes()))
    assert (case.name, case.value) == ("", "there are no cassettes")


def test_items_of_recordings_are_rerun_on_their_file() -> None:
    """By the name that the item has where the file is alone."""
    recorded = replace(only(streamed(PLAIN)), label="made-again-2")
    item = Item(target(), rules()["REPLAY-01"], "async", Case(recorded.label, recorded))
    command = "pytest --chat-model=shop.models:Parrot --cassette=made.yaml -k REPLAY-01-async-made"
    assert wording.rerun(item) == command
