"""Classes that ask a fixed host: recordings are played to them in this process, and nothing leaves it."""

import http.client
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import aiohttp
import jsonschema
import pytest
import requests
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from conformance.bench import Benches
from conformance.build import TargetError
from conformance.integrations import Stanza
from conformance.item import items
from conformance.judge import judge
from conformance.loopback import Guard, attempts
from conformance.target import resolve
from conformance.verdict import Result
from mockserver import Refused
from mockserver.cassettes.interaction import Interaction
from tests.broken.judging import verdicts

from ..recordings import CALLING, PLAIN, cassettes, refused, streamed, whole
from .plugin_runs import REFERENCE, run
from .test_plugin_cassettes import write
from .test_report import schema

HERE: Final = "tests.conformance.test_in_process"
AWAY: Final = "https://provider.example"
ANSWER: Final = streamed(PLAIN)
KEPT: Final = {"passed", "not applicable"}
PLAYED: Final = "in-process through vcrpy: no timing, no cuts"
ALONE: Final = "its client takes no URL, so REPLAY is all that runs"


def stanza(wire: str = "openai-chat", path: str = "/v1", **more: Any) -> Stanza:
    """How a class is built whose host nothing in the stanza changes."""
    kwargs = {"model": "m", "api_key": "{key}", "base_url": f"{AWAY}{path}"}
    return Stanza(**{"wire": wire, "kwargs": kwargs, "in_process": True, **more})


def results(spec: str, **more: Any) -> dict[str, Result]:
    """The result of each item on the recordings that are made for tests, by its name."""
    return verdicts(spec, stanzas={spec: stanza(**more)})


def broken(found: Mapping[str, Result]) -> set[str]:
    """The rules that do not hold."""
    return {
        name.rpartition("-sync")[0] or name.rpartition("-async")[0] for name, each in found.items() if not kept(each)
    }


def kept(result: Result) -> bool:
    return result.verdict in KEPT


class Fixed(BaseChatModel):
    """Asks a host that is fixed in code: by requests in its sync form, and by aiohttp in its async form."""

    asks_stream: bool = True

    @property
    def _llm_type(self) -> str:
        return "fixed"

    def _asked(self, *, stream: bool) -> dict[str, Any]:
        body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
        return {"url": f"{AWAY}/hosted/chat/completions", "json": body, "headers": {"authorization": "Bearer k"}}

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        answer = requests.post(**self._asked(stream=False), timeout=10)
        answer.raise_for_status()
        [choice] = answer.json()["choices"]
        message = AIMessage(content=choice["message"]["content"] or "")
        info = {"finish_reason": choice["finish_reason"]}
        return ChatResult(generations=[ChatGeneration(message=message, generation_info=info)])

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        with requests.post(**self._asked(stream=self.asks_stream), stream=True, timeout=10) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                yield from chunk(line)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        async with aiohttp.ClientSession() as session:
            asked = {**self._asked(stream=self.asks_stream), "method": "post"}
            async with session.request(**asked) as answer:
                answer.raise_for_status()
                async for line in answer.content:
                    for each in chunk(line.strip()):
                        yield each


def chunk(line: bytes) -> Iterator[ChatGenerationChunk]:
    """What an event of a stream says; one without choices raises `IndexError`, and one with calls `KeyError`."""
    if not line.startswith(b"data: {"):
        return
    event = json.loads(line.removeprefix(b"data: "))
    if "error" in event:
        raise RuntimeError(event["error"]["message"])
    choice = event["choices"][0]
    reason = choice.get("finish_reason")
    if "tool_calls" in choice["delta"]:
        raise KeyError("tool_calls")
    message = AIMessageChunk(content=choice["delta"].get("content") or "")
    yield ChatGenerationChunk(message=message, generation_info={"finish_reason": reason} if reason else None)


class Raw(Fixed):
    """Asks by a socket of its own."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        socket.create_connection(("provider.example", 443))
        yield from ()


class Silent(Fixed):
    """Asks nobody."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        yield from ()
        raise NotImplementedError("soon")


class Peering(Fixed):
    """Wants of its answer what vcrpy's has not."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        asked = self._asked(stream=True)
        connection = http.client.HTTPSConnection("provider.example")
        connection.request("POST", "/v1/chat/completions", json.dumps(asked["json"]))
        connection.getresponse().no_such_thing  # type: ignore[attr-defined] # noqa: B018
        yield from ()


class Fetching(Fixed):
    """Asks for what it may use when it is made, and for a token before each call."""

    def model_post_init(self, context: Any, /) -> None:
        requests.get(f"{AWAY}/v1/regions", timeout=10).raise_for_status()

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        requests.post(f"{AWAY}/oauth", json={"grant": "k"}, timeout=10).raise_for_status()
        yield from super()._stream(*args, **kwargs)


def make(url: str, **kwargs: Any) -> Fixed:
    """A factory, which does nothing with the URL."""
    return Fixed(**kwargs)


@pytest.fixture
def guard() -> Iterator[Guard]:
    """A guard that holds this thread to loopback."""
    made = Guard()
    made.start()
    try:
        with made.within("a rule of REPLAY"):
            yield made
    finally:
        made.stop()


def judged(name: str, rule: str = "REPLAY-01-sync", given: Interaction = ANSWER, **more: Any) -> Result:
    """The result of one item of a class of this file on a recorded answer."""
    on = resolve(f"{HERE}:{name}", {}, {f"{HERE}:{name}": stanza(**{"kwargs": {}, **more})})
    [item] = [each for each in items(replace(on, cassettes=cassettes(a=given))) if each.name == f"{rule}-a"]
    benches = Benches()
    try:
        return judge(item, benches)
    finally:
        benches.close()


@pytest.mark.parametrize(
    ("spec", "wire", "path"),
    [
        ("tests.reference:ReferenceChat", "openai-chat", "/v1"),
        ("langchain_openai:ChatOpenAI", "openai-chat", "/hosted/v1"),
        ("langchain_anthropic:ChatAnthropic", "anthropic-messages", ""),
    ],
)
@pytest.mark.usefixtures("guard")
def test_right_models_pass(spec: str, wire: str, path: str) -> None:
    """On recordings of their wire, errors among them, in both forms; nothing is tried that needs the server."""
    given = {name: streamed(PLAIN, wire=wire) for name in ("a", "b")}
    on = replace(resolve(spec, {}, {spec: stanza(wire, path)}), cassettes=cassettes(**given))
    benches = Benches()
    found = {item.name: judge(item, benches) for item in items(on)}
    benches.close()
    assert {name for name, each in found.items() if each.verdict != "passed"} == {"REPLAY-03-sync", "REPLAY-03-async"}
    assert {"REPLAY-01-sync-a", "REPLAY-01-async-b", "REPLAY-02-async-a", "REPLAY-04-sync-b"} <= found.keys()
    assert found["REPLAY-03-sync"].reason == f"answers of {on.label} are played {PLAYED}"
    assert not attempts()


def test_each_kind_of_recording() -> None:
    """Those that came to their end are judged, errors and whole answers too; those that break off cannot be."""
    found = results("tests.reference:ReferenceChat")
    assert not broken(found)
    silent = {name: each.reason for name, each in found.items() if each.verdict == "not applicable"}
    assert {name.partition("sync-")[2] for name in silent} == {"", "closed", "reset", "late"}
    assert silent["REPLAY-01-async-reset"] == "the recording breaks off (reset), which vcrpy cannot play"


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("CountsReasoningTwice", {"REPLAY-01"}),
        ("ThinksAloud", {"REPLAY-01", "REPLAY-04"}),
        ("ForgetsReasoningInAsync", {"REPLAY-02"}),
        ("DropsReasoning", {"REPLAY-04"}),
        ("EndsWhereTheConnectionDoes", set()),
        ("DecodesEachSegment", set()),
    ],
)
def test_broken_models_are_caught(name: str, rules: set[str]) -> None:
    """By the same rules as over a connection, but for what cuts and broken connections alone show."""
    assert broken(results(f"tests.broken.replay:{name}")) == rules


def test_a_failure_tells_what_was_played() -> None:
    """The recording, and the frames of which the answer was made; there is no request to a server."""
    result = results("tests.broken.replay:CountsReasoningTwice")["REPLAY-01-sync-thoughtful"]
    told = dict(result.facts)
    assert told["script"].startswith("openai-chat: 7 recorded frames of thoughtful.yaml")
    assert told["wire"].startswith("7 frames; #")
    assert told["rerun"].endswith("--cassette=thoughtful.yaml -k REPLAY-01-sync-thoughtful")


@pytest.mark.parametrize("form", ["sync", "async"])
def test_other_libraries(form: str) -> None:
    """Streams that requests and aiohttp read, from a host and a path that no recording has."""
    assert judged("Fixed", f"REPLAY-01-{form}") == Result(verdict="passed")


def test_what_was_not_asked_for_is_not_held_against_a_model() -> None:
    """`Fixed` would raise on the frame of usage, and on calls; a provider sends it neither."""
    assert judged("Fixed").verdict == "passed"
    assert judged("Fixed", "REPLAY-04-sync").verdict == "passed"
    calling = judged("Fixed", given=streamed(CALLING))
    assert calling.reason == "stream raises on calls that it was never to get: Fixed has no bind_tools"


def test_another_kind_of_answer() -> None:
    """Where `stream` asks for a whole answer, a recorded stream is none to it."""
    result = judged("Fixed", kwargs={"asks_stream": False})
    assert result.reason == "stream of Fixed asks for no stream"


def test_a_client_that_vcrpy_does_not_know(guard: Guard) -> None:
    """It is kept from leaving and named, and not blamed."""
    result = judged("Raw")
    assert result.verdict == "not applicable"
    assert result.reason.startswith("Raw reaches provider.example:443, from tests/conformance/test_in_process.py:")
    assert "past vcrpy, which knows httpx, requests, urllib3, aiohttp" in result.reason
    assert [each.peer for each in guard.attempts] == ["provider.example:443"]


def test_a_model_that_asks_nobody() -> None:
    """What it raises is told, and not judged: it may have asked in a way that cannot be seen."""
    result = judged("Silent")
    assert result.verdict == "not applicable"
    assert result.reason.startswith("no request of Silent came to vcrpy, which knows httpx")
    assert result.reason.endswith("; it raises NotImplementedError: soon")


def test_what_vcrpy_lacks() -> None:
    """Its stand-ins are not the libraries that they stand for."""
    result = judged("Peering")
    assert result.verdict == "not applicable"
    assert result.reason.startswith("vcrpy cannot play it to the client of Peering: AttributeError: ")


@pytest.mark.usefixtures("guard")
def test_calls_beside_the_conversation() -> None:
    """`asides` answers them, when the model is made and later; without, they are named."""
    asides = {"GET /v1/regions": ["local"], "POST /oauth": {"token": "t"}}
    assert judged("Fetching", asides=asides).verdict == "passed"
    result = judged("Fetching", asides={"GET /v1/regions": []})
    assert result.verdict == "not applicable"
    assert result.reason == (
        f"Fetching asks POST {AWAY}/oauth, which is no request of the wire openai-chat; where it is a call beside the "
        "conversation, `asides` of its stanza can answer it"
    )
    with pytest.raises(TargetError, match=r"cannot be built: LeavesLoopback: kept from reaching provider\.example:443"):
        judged("Fetching")


def test_subclasses_and_factories_are_played_to_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    """They inherit the stanza of the class, but a stanza of their own counts."""
    monkeypatch.setattr("conformance.target.known", lambda: {f"{HERE}:Fixed": stanza(kwargs={})})
    assert resolve(f"{HERE}:Raw", {}, {}).stanza.in_process
    assert resolve(f"{HERE}:make", {}, {}).stanza.in_process
    own = Stanza(wire="openai-chat")
    assert not resolve(f"{HERE}:make", {}, {f"{HERE}:make": own}).stanza.in_process


STANZA: Final = f"""
[tool.conformance.models."tests.reference:ReferenceChat"]
wire = "openai-chat"
kwargs = {{ model = "m", api_key = "{{key}}", base_url = "{AWAY}/v1" }}
in_process = true
"""


@pytest.fixture
def fixed(folder: pytest.Pytester) -> pytest.Pytester:
    """A folder whose `pyproject.toml` says that the reference model takes no URL."""
    folder.makepyprojecttoml(STANZA)
    return folder


def test_a_run_tells_how_answers_came(fixed: pytest.Pytester) -> None:
    """In its header, its summary and its report, which keeps its schema; nothing but REPLAY is collected."""
    result = run(fixed, REFERENCE, "--conformance-report=report.json")
    result.stdout.fnmatch_lines(
        [
            "chat model: tests.reference:ReferenceChat (wire openai-chat, *",
            f"  played {PLAYED}; {ALONE}",
            "  REPLAY     2       1  1 n/a",
            f"  played     {PLAYED}; {ALONE}",
        ]
    )
    assert result.ret == pytest.ExitCode.OK
    document = json.loads((fixed.path / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema())
    [model] = document["models"]
    assert model["played"] == PLAYED
    assert {item["area"] for item in model["items"]} == {"REPLAY"}
    assert model["catalogue"] == model["chosen"] == len(model["items"])


def test_cassettes_of_the_command_line(fixed: pytest.Pytester) -> None:
    """They are played in place of the project's own."""
    write(fixed, "a.yaml", streamed(PLAIN), whole(PLAIN), refused(Refused(429, "Slow"), stream=True))
    result = run(fixed, REFERENCE, "--cassette=a.yaml", "-rs")
    result.assert_outcomes(passed=11, skipped=2)
    result.stdout.fnmatch_lines([f"SKIPPED * conformance::ReferenceChat::REPLAY-03: *are played {PLAYED}"])


def test_rules_that_need_a_server_are_not_there(fixed: pytest.Pytester) -> None:
    """A node id that names one is not found."""
    result = run(fixed, REFERENCE, "conformance::ReferenceChat::INVOKE-01-sync")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: not found: conformance::ReferenceChat::INVOKE-01-sync*"])


def test_the_key_is_shown_where_a_class_cannot_be_aimed(folder: pytest.Pytester) -> None:
    """The stanza that is shown has it as a comment."""
    result = run(folder, f"--chat-model={HERE}:Fixed")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["# in_process = true   # instead of a URL, where nothing changes the host *"])
