"""REPLAY: ids and names that packages make up, what they keep in another form, and answers in another framing."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any, Final

import httpx
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from conformance.bench import Bench
from conformance.catalogue import Case, rules
from conformance.observe import leaves
from conformance.rules import replay_shown
from conformance.verdict import Broken, NotApplicable
from mockserver import WIRES, Reply, ServerToolCall, ServerToolResult, ToolCall
from mockserver.cassettes.interaction import Interaction

from ..recordings import PLAIN, interaction, only, streamed
from .helpers import probe_of, target
from .test_replay import ERROR, FISH, Saying

CALLED: Final = streamed(Reply(blocks=(ToolCall(id="call_1", name="f"),), finish_reason="tool_calls"))
NAMELESS: Final = replace(CALLED, body=CALLED.body.replace(b'"id":"call_1",', b""))
"""A call to which the provider gave no id."""
_NUMBERS: Final = count()


class Numbering(Saying):
    """Gives its calls ids of its own, other ones each time."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        self._said(stream=True)
        id = f"own-{next(_NUMBERS)}"
        chunk = {"name": "f", "args": "{}", "id": id, "index": 0, "type": "tool_call_chunk"}
        part = {"type": "code", "id": id, "code": "1 + 1"}
        yield ChatGenerationChunk(message=AIMessageChunk(content=[part], tool_call_chunks=[chunk]))  # type: ignore[list-item]


class Gemini(Saying):
    """Asks as Gemini's clients do, by its query for server-sent events or for a JSON array."""

    query: str = "?alt=sse"

    def _said(self, *, stream: bool) -> Any:
        asked = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
        url = f"{self.url}/v1beta/models/m:streamGenerateContent{self.query}"
        httpx.post(url, json=asked, headers={"x-goog-api-key": "key"})
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@pytest.mark.parametrize(("id", "form"), [("REPLAY-02", "async"), ("REPLAY-03", "sync"), ("REPLAY-03", "async")])
def test_ids_of_the_package_may_differ_each_time(bench: Bench, id: str, form: Any) -> None:
    """In calls and in content, where the provider gave none; where it did, it is the one to show."""
    on = target(lambda url, **more: Numbering(url=url, says=FISH), model_class=Numbering)
    rules()[id].check(probe_of(bench, form, on), Case("made", only(NAMELESS)))
    recorded = replace(CALLED, body=CALLED.body + b"".join(b": own-%d\n\n" % number for number in range(1000)))
    with pytest.raises(Broken) as told:
        rules()[id].check(probe_of(bench, form, on), Case("made", only(recorded)))
    assert told.value.expected.startswith("content [('code', ")


@pytest.mark.parametrize(
    ("args", "texts", "lost"),
    [
        ('{"code": "1 + 1"}', ["1 + 1", "srv_1"], []),
        ('{"code": "1 + 1"}', ["1 + 1"], ["the id of the call of the provider's tool run"]),
        ('{"code": "1 + 1"}', ["2 + 2"], ["call of the provider's tool run"]),
        ("{}", ["2 + 2"], ["call of the provider's tool run"]),
        ("[", ["2 + 2"], ["call of the provider's tool run"]),
    ],
)
def test_a_call_of_the_providers_tool_and_its_id(args: str, texts: list[str], lost: list[str]) -> None:
    """One may be there without the other."""
    reply = Reply(blocks=(ServerToolCall((args,), id="srv_1", name="run"),))
    assert list(replay_shown._not_shown(replace(reply, usage=None), AIMessage(content=""), texts)) == lost


def test_an_id_that_was_not_recorded_cannot_be_lost(bench: Bench) -> None:
    """Gemini may send code that it runs without an id; the decoder makes one up."""
    body = (
        b'data: {"candidates": [{"content": {"parts": [{"executableCode": {"language": "PYTHON", "code": "1 + 1"}}]},'
        b'"finishReason": "STOP"}]}\r\n\r\n'
    )
    recorded = only(replace(_gemini(body), headers={"content-type": "text/event-stream"}))
    says = {"content": [{"type": "code", "code": "1 + 1"}], "response_metadata": {"finish_reason": "STOP"}}
    on = target(lambda url, **more: Gemini(url=url, says=says), wire=WIRES["gemini-generate"], model_class=Gemini)
    rules()["REPLAY-04"].check(probe_of(bench, "sync", on), Case("made", recorded))
    with_id = replace(recorded.interaction, body=body.replace(b'{"language"', b'{"id": "srv_1", "language"'))
    with pytest.raises(Broken) as told:
        rules()["REPLAY-04"].check(probe_of(bench, "sync", on), Case("made", only(with_id)))
    assert told.value.observed == "not in the message: the id of the call of the provider's tool code_execution"


def _gemini(body: bytes) -> Interaction:
    uri = "https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse"
    return replace(interaction(body), uri=uri, request_body=b'{"contents": [{"parts": [{"text": "Hi"}]}]}')


def test_names_in_another_spelling_are_the_same() -> None:
    """`searchEntryPoint` of a provider is `search_entry_point` in its SDK."""
    unknown = ["grounding key 'searchEntryPoint'", "grounding key 'fileStore'"]
    assert list(replay_shown._not_known(unknown, ["search_entry_point", "file"])) == ["grounding key 'fileStore'"]
    result = ServerToolResult(call_id="srv_1", kind="toolResponse", output='{"toolType": "FILE_SEARCH"}')
    assert replay_shown._has_result(result, ["file_search"])
    assert not replay_shown._has_result(result, ["web_search"])


def test_what_a_message_holds() -> None:
    """Keys without a value hold nothing; bytes hold their text, and what it is in base64."""
    message = AIMessage(
        content=[{"type": "reasoning", "seal": b"ab\xff"}],
        response_metadata={"kept": {"one": 1}, "search_entry_point": None, "deep": [{"empty": ""}]},
    )
    told = list(leaves(message))
    assert {"seal", "ab\xff", "YWL/", "kept", "one", "deep", "empty"} <= set(told)
    assert "search_entry_point" not in told


def test_another_framing_is_not_judged(bench: Bench) -> None:
    """Server-sent events are no answer to one who asks Gemini for a JSON array."""

    on = target(
        lambda url, **more: Gemini(url=url, says=ERROR, query=""), wire=WIRES["gemini-array"], model_class=Gemini
    )
    body = b'data: {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]}\r\n\r\n'
    recorded = only(replace(_gemini(body), headers={"content-type": "text/event-stream"}))
    with pytest.raises(NotApplicable) as told:
        rules()["REPLAY-01"].check(probe_of(bench, "sync", on), Case("made", recorded))
    assert told.value.reason == "Parrot asks for another framing, that of gemini-array"


def test_retries_are_off_while_recordings_are_played(bench: Bench) -> None:
    """By the package's own name for them, and as it counts them."""
    given: list[dict[str, Any]] = []

    class Patient(Saying):
        attempts: int = 6

    def make(url: str, **fields: Any) -> Patient:
        given.append(fields)
        return Patient(url=url, says=FISH)

    stanza = replace(target().stanza, settings={"retries": "attempts"}, units={"retries": "attempts"})
    on = target(make, model_class=Patient, stanza=stanza)
    rules()["REPLAY-01"].check(probe_of(bench, "sync", on), Case("made", only(streamed(PLAIN))))
    assert given == [{"attempts": 1}]
