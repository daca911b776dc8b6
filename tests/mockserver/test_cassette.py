"""Cassettes as answers: what is played, to whom, how it ends, and what is told."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

import mockserver
from mockserver import WIRES, CassetteError, Delivery, Fault, Pace, Reply, Server, Turn, cli, replay
from mockserver.cassettes import cassette
from mockserver.cassettes.cassette import Playing, asked_in, passed_over, wire_of
from mockserver.cassettes.interaction import Arrival, Ended, Interaction, dump, read, write
from mockserver.cassettes.redaction import Redaction
from mockserver.frames import Frame, join
from mockserver.scripts.loader import faults, load, load_script

from .helpers import LIMIT, PATHS, RICH, THREE, WIRE_NAMES, ask, connection, fetch, keys, question
from .test_streams import STREAMS

URL: Final = "https://api.example.com"
TYPES: Final = {True: "text/event-stream; charset=utf-8", False: "application/json"}


def recorded(wire: str = "openai-chat", reply: Reply = THREE, *, stream: bool = True, **changes: Any) -> Interaction:
    """An answer as a recorder keeps it; of others there are no arrivals."""
    found = Interaction(
        method="POST",
        uri=URL + PATHS[wire],
        request_headers={"content-type": "application/json"},
        request_body=json.dumps(question(wire, stream=stream)).encode(),
        status=200,
        reason="OK",
        headers={"content-type": TYPES[stream]},
        body=join(WIRES[wire].frames(reply)) if stream else WIRES[wire].whole(reply),
    )
    return replace(found, **changes)


def timed(found: Interaction, size: int = 100, every: float = 0.02, **changes: Any) -> Interaction:
    """The interaction with arrivals of this size, this far apart, after a head at 0.01 s."""
    sizes = [min(size, len(found.body) - at) for at in range(0, len(found.body), size)]
    arrivals = tuple(Arrival(at=0.01 + every * (number + 1), size=each) for number, each in enumerate(sizes))
    return replace(found, arrivals=arrivals, head=0.01, **changes)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cassette.yaml"


def saved(file: Path, *found: Interaction) -> Path:
    write(file, dump(found))
    return file


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", WIRE_NAMES)
def test_it_plays_to_requests_of_its_wire_and_form(file: Path, wire: str, *, stream: bool) -> None:
    """The same bytes and content type, whatever the host and the prefix; other requests are refused."""
    found = recorded(wire, RICH, stream=stream)
    [turn] = load(saved(file, found))
    assert (turn.when.wire, turn.when.stream) == (wire, stream)
    assert turn.recording
    assert turn.recording.source == "cassette.yaml"
    if stream:
        assert turn.recording.frames == WIRES[wire].frames(RICH)
    with mockserver.serve(file) as server:
        answer, other = fetch(server, wire, stream=stream), fetch(server, wire, stream=not stream)
        prefixed = fetch(server, wire, path=f"/some/prefix{PATHS[wire]}", stream=stream)
    assert (answer.status, answer.body, other.status) == (200, found.body, 400)
    assert prefixed.body == found.body
    assert f"content-type: {TYPES[stream]}\r\n" in answer.head.decode().lower()


@pytest.mark.parametrize("name", ["a.yaml", "a.yaml.gz"])
def test_files_are_played_by_their_path(tmp_path: Path, name: str) -> None:
    """`serve`, `load_script`, `play`, gzip'd or not, beside scripts."""
    file = saved(tmp_path / name, recorded())
    script = tmp_path / "script.yaml"
    script.write_text("turns: [{reply: scripted, when: {stream: false}}]")
    with mockserver.serve(load_script(file, script)) as server:
        assert fetch(server).body == recorded().body
        assert b"scripted" in fetch(server, stream=False).body
        server.play(str(file))
        assert fetch(server).body == recorded().body


def test_interactions_answer_in_order_for_each_form(file: Path) -> None:
    """Streams and others apart; the last of each repeats."""
    replies = [Reply.of(word) for word in ("one", "two")]
    mixed = [recorded(reply=reply, stream=stream) for reply in replies for stream in (True, False)]
    with mockserver.serve(saved(file, *mixed)) as server:
        for stream in (False, True):
            bodies = [fetch(server, stream=stream).body for _ in range(3)]
            wanted = [each.body for each in mixed if (each.headers["content-type"] == TYPES[True]) == stream]
            assert bodies == [*wanted, wanted[-1]]


def test_what_was_not_asked_for_is_known(file: Path) -> None:
    """By turn, with its place in the file."""
    with mockserver.serve(saved(file, recorded(), recorded(), recorded(stream=False))) as server:
        assert len(server.script.unused) == 3
        fetch(server)
        told = [turn.describe() for turn in server.script.unused]
        assert [text.partition(" of ")[2] for text in told] == [
            "cassette.yaml, interaction 2",
            "cassette.yaml, interaction 3",
        ]
        fetch(server)
        fetch(server, stream=False)
        assert list(server.script.unused) == []
        server.reset()
        assert len(server.script.unused) == 3


def test_errors_are_answers_to_what_was_asked(file: Path) -> None:
    """An error has no form of its own: a 429 to a request for a stream answers such a request."""
    body = b'{"error": {"message": "Slow down"}}'
    error = recorded(status=429, reason="", headers={"content-type": "application/json", "retry-after": "3"}, body=body)
    with mockserver.serve(saved(file, error, recorded())) as server:
        answers = [fetch(server) for _ in range(2)]
    assert [answer.status for answer in answers] == [429, 200]
    assert answers[0].body == body
    assert b"retry-after: 3\r\n" in answers[0].head


@pytest.mark.parametrize(
    ("ended", "ending"), [("whole", "whole"), ("closed", "closed"), ("reset", "reset"), ("interrupted", "closed")]
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_end_is_as_recorded(file: Path, ended: Ended, ending: str, *, stream: bool) -> None:
    """All bytes come, and then what came after them; what would have followed an interruption is not known."""
    found = timed(recorded(stream=stream), ended=ended)
    with mockserver.serve(saved(file, replace(found))) as server:
        answer = fetch(server, stream=stream)
    assert (answer.body, answer.ending) == (found.body, ending)


def test_what_timed_out_stalls(file: Path) -> None:
    """All bytes come, and then nothing, until the client goes."""
    found = timed(recorded(), ended="timed out")
    with mockserver.serve(saved(file, found)) as server:
        with connection(server) as opened:
            opened.send()
            opened.head()
            came = b""
            while len(came) < len(found.body):
                came += opened.chunk() or b""
            assert server.exchanges[0].ended is None
        assert server.until_ended(timeout=LIMIT)
    assert came == found.body
    assert server.exchanges[0].ended == "closed by client"


def test_an_end_before_the_first_byte(file: Path) -> None:
    """The head came, and no body."""
    found = recorded(body=b"", arrivals=(), head=0.0, ended="reset")
    with mockserver.serve(saved(file, found)) as server:
        answer = fetch(server)
    assert (answer.status, answer.body, answer.ending) == (200, b"", "reset")


def test_recorded_cuts_are_played(file: Path) -> None:
    """A write for each arrival; each frame, where the recording does not say."""
    known, unknown = timed(recorded(), size=77), recorded()
    with mockserver.serve(saved(file, known, unknown)) as server:
        answers = [fetch(server) for _ in range(2)]
    assert known.arrivals
    assert [len(chunk) for chunk in answers[0].chunks] == [each.size for each in known.arrivals]
    assert answers[1].chunks == [frame.data for frame in WIRES["openai-chat"].frames(THREE)]


@pytest.mark.parametrize(("pace", "least"), [(None, 0.0), (1.0, 1.0), (0.5, 0.5), (2.0, 2.0)])
@pytest.mark.parametrize("stream", [False, True])
def test_recorded_times_are_played(file: Path, pace: float | None, least: float, *, stream: bool) -> None:
    """Never before they are due, as the factor says; the head too."""
    found = timed(recorded(stream=stream), size=200)
    with mockserver.serve(replay(saved(file, found), pace=pace)) as server:
        fetch(server, stream=stream)
    [exchange] = server.exchanges
    assert found.arrivals
    assert len(exchange.writes) == len(found.arrivals)
    for write_, arrival in zip(exchange.writes, found.arrivals, strict=True):
        assert write_.at - exchange.at >= arrival.at * least - 0.001
    [turn] = server.script.turns
    assert turn.delivery.pace == (None if pace is None else Pace(head=0.01, recorded=True, scale=pace))


def test_cuts_and_faults_may_be_others(file: Path) -> None:
    """In place of the recorded ones."""
    found = timed(recorded(), ended="reset")
    script = replay(saved(file, found), cuts=50, fault=Fault("close", 1))
    with mockserver.serve(script) as server:
        answer = fetch(server)
    assert answer.ending == "closed"
    assert found.body.startswith(answer.body)
    assert b"is full" not in answer.body
    assert {len(chunk) for chunk in answer.chunks[:-1]} == {50}
    [turn] = load(file)
    with mockserver.serve(replace(turn, delivery=Delivery(cuts="whole"))) as server:
        assert fetch(server).chunks == [found.body]


def test_a_recording_without_times_has_no_recorded_pace(file: Path) -> None:
    """It is told, and the way out."""
    saved(file, timed(recorded()), recorded())
    with pytest.raises(CassetteError, match=r"cassette\.yaml: interaction 2 does not say when its bytes arrived, so"):
        replay(file, pace=1.0)


def bodies(*texts: str) -> list[Interaction]:
    return [
        recorded(reply=Reply.of(f"to {text}"), request_body=json.dumps(question("openai-chat", text=text)).encode())
        for text in texts
    ]


def test_bodies_are_matched(file: Path) -> None:
    """Whatever the order, and the form of the JSON; of two that are alike, in recorded order."""
    found = [*bodies("a", "b"), replace(bodies("a")[0], body=b"data: again\n\n")]
    with mockserver.serve(replay(saved(file, *found), match="body")) as server:
        assert [fetch(server, text=text).body for text in ("b", "a", "a", "a")] == [
            found[1].body, found[0].body, found[2].body, found[2].body,
        ]  # fmt: skip
        spaced = json.dumps(dict(reversed(question("openai-chat", text="b").items())), indent=4).encode()
        assert fetch(server, body=spaced).body == found[1].body


def told(server: Server, **asked: Any) -> str:
    answer = fetch(server, **asked)
    assert answer.status == 400
    return str(json.loads(answer.body)["error"]["message"])


def test_a_body_that_no_recording_has_is_compared(file: Path) -> None:
    """With the nearest: each difference with its JSON path, what came and what was recorded."""
    first, second = bodies("Write a song", "Tell a joke")
    with mockserver.serve(replay(saved(file, first, second), match="body")) as server:
        assert told(server, text="Tell a story").endswith(
            'the nearest is turn 1: $.messages[0].content is "Tell a story", recorded "Write a song"'
        )
        more = [{"role": "user", "content": "Tell a joke"}, {"role": "user", "content": "x" * 200}]
        text = told(server, messages=more, temperature=0.5, stream_options=None, model="other")
        assert "nearest is turn 2" in text
        for part in (
            "model is 'other', wanted 'm-asked'",
            '$.model is "other", recorded "m-asked"',
            "$.messages has 2 items, recorded 1",
            '$.stream_options is null, recorded {"include_usage": true}',
            "$.temperature is 0.5, recorded without it",
        ):
            assert part in text
        assert "\n" not in text
        assert told(server, text="Tell a joke", stream=False).count("; ") >= 1
        missing = {name: value for name, value in question("openai-chat").items() if name != "stream_options"}
        assert "$.stream_options is missing, recorded" in told(server, body=json.dumps(missing).encode())


@pytest.mark.parametrize(("got", "is_same"), [(1, True), (1.0, True), (True, False), ("1", False), (None, False)])
def test_values_are_compared_as_json(file: Path, got: object, *, is_same: bool) -> None:
    """Numbers by value, others by kind too."""
    found = recorded(request_body=json.dumps(question("openai-chat", seed=1)).encode())
    with mockserver.serve(replay(saved(file, found), match="body"), lenient=True) as server:
        assert (fetch(server, seed=got).status == 200) is is_same


def test_what_was_taken_out_matches_anything(file: Path) -> None:
    """The request that was recorded with a key in it is found by itself, and by one with another key."""
    text = "my key sk-proj-abcdefghijklmnop1234, (keep it)"
    [found] = bodies(text)
    kept = Redaction().of(found).interaction
    assert kept.request_body != found.request_body
    with mockserver.serve(replay(saved(file, kept), match="body")) as server:
        for asked in (text, "my key sk-ant-zzz, (keep it)"):
            assert fetch(server, text=asked).body == kept.body
        assert "recorded " in told(server, text="my key, (keep it)")


def test_models_in_paths_are_matched(file: Path) -> None:
    """A wire that has the model in the path, and not in the body, is matched by it too."""
    wire = WIRES["gemini-generate"]
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}).encode()
    found = [
        recorded(
            uri=f"{URL}/v1beta/models/{model}:streamGenerateContent?alt=sse",
            request_body=body,
            body=join(wire.frames(Reply.of(model, id="i", model=model))),
        )
        for model in ("gemini-1", "gemini-2")
    ]
    with mockserver.serve(replay(saved(file, *found), match="body")) as server:
        for each in reversed(found):
            url = each.uri.replace(URL, server.url)
            assert httpx.post(url, content=body, headers={"x-goog-api-key": "k"}).content == each.body


def test_a_match_that_is_none_is_told(file: Path) -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match="match is one of order, body, not 'uri'"):
        Playing(match="uri")  # type: ignore[arg-type]


def test_interactions_of_no_wire_are_passed_over(file: Path) -> None:
    """They are told; a file that has nothing else is an error."""
    model_list = recorded(method="GET", uri=f"{URL}/v1/models")
    preflight = recorded(method="HEAD")
    saved(file, model_list, recorded(), preflight)
    [turn] = load(file)
    assert turn.recording
    assert turn.recording.source == "cassette.yaml, interaction 2"
    assert passed_over(read(file)) == [
        "interaction 1, GET /v1/models, belongs to no wire that this server speaks",
        "interaction 3, HEAD /v1/chat/completions, belongs to no wire that this server speaks",
    ]
    saved(file, model_list)
    with pytest.raises(CassetteError, match=r"cassette\.yaml: interaction 1, GET /v1/models, belongs to no wire"):
        load(file)


def test_redirections_stay_here(file: Path) -> None:
    """A recorded answer that leads to its host leads to this server, which has the next one."""
    moved = recorded(
        status=307, headers={"location": f"{URL}/v2{PATHS['openai-chat']}", "content-type": "text/html"}, body=b""
    )
    with mockserver.serve(saved(file, moved, recorded())) as server:
        answer = httpx.post(
            server.url + PATHS["openai-chat"],
            json=question("openai-chat"),
            headers=keys(PATHS["openai-chat"]),
            follow_redirects=True,
        )
    assert answer.content == recorded().body
    assert answer.url.path == f"/v2{PATHS['openai-chat']}"


def test_a_body_that_is_no_event_stream_at_all(file: Path) -> None:
    """What a server once sent is played as it is, and labelled as far as it can be."""
    body = b"data: not json\n\ndata: [1]\n\ndata: 5\n\n\n\nnothing"
    for wire in PATHS:
        [turn] = load(saved(file, recorded(wire, body=body)))
        assert turn.recording
        assert join(turn.recording.frames) == body
        decoded = WIRES[wire].decode_stream(body)
        assert (decoded.reply.blocks, decoded.reply.finish_reason) == ((), "unfinished")
        assert decoded.unknown


def test_questions_match_recordings_of_their_wire(file: Path) -> None:
    """One file may hold recordings of several wires; each request finds its own."""
    with mockserver.serve(saved(file, *(recorded(wire) for wire in WIRE_NAMES))) as server:
        for wire in reversed(WIRE_NAMES):
            answer = ask(server.url + PATHS[wire], json=question(wire))
            assert answer.content == join(WIRES[wire].frames(THREE))


def test_broken_cassettes_are_one_fault(file: Path) -> None:
    """With file and line, however they are loaded."""
    text = dump([recorded(), recorded()])
    file.write_text(text.replace("code: 200", "code: 99", 1))
    [flaw] = faults(file)
    assert (flaw.file, flaw.line) == (file, 2)
    assert str(flaw).startswith(f"{file}, line 2: interaction 1 is not in vcrpy's format (")
    for loading in (load, load_script, cassette.load, mockserver.serve, replay):
        with pytest.raises(CassetteError) as caught:
            loading(file)
        assert str(caught.value) == str(flaw)


def test_a_recording_that_was_asked_for_otherwise(file: Path) -> None:
    """A request that the wire cannot read still has an answer; it is for the form that the answer has."""
    found = recorded(request_body=b"no JSON")
    wire = wire_of(found)
    assert wire
    assert asked_in(found, wire) is None
    [turn] = load(saved(file, found))
    assert turn.when.stream


def test_arrivals_count_from_the_head(file: Path) -> None:
    """In an answer; in a file they count from the request."""
    found = timed(recorded())
    [turn] = load(saved(file, found))
    assert turn.recording
    assert turn.recording.arrivals
    assert found.arrivals
    assert turn.recording.arrivals[0].at == pytest.approx(found.arrivals[0].at - 0.01)
    assert isinstance(turn, Turn)
    sizes = list(accumulate(each.size for each in turn.recording.arrivals))
    assert sizes[-1] == sum(len(frame.data) for frame in turn.recording.frames if isinstance(frame, Frame))


def test_the_command_plays_and_tells_what_was_not_asked_for(file: Path) -> None:
    """With the pace and the match that are asked; what belongs to no wire is told at the start."""
    other = replace(timed(bodies("b")[0]), method="GET", uri=f"{URL}/v1/models")
    saved(file, *(timed(each) for each in bodies("a", "b", "c")), other)
    arguments = ["serve", str(file), "--match", "body", "--pace", "100x"]
    with subprocess.Popen(
        [sys.executable, "-m", "mockserver", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        answer = ask(url + PATHS["openai-chat"], json=question("openai-chat", text="b"))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
    assert answer.content == bodies("b")[0].body
    frames = len(WIRES["openai-chat"].frames(Reply.of("to a")))
    assert out.splitlines()[1:] == [
        f"not asked for: {frames} recorded frames of cassette.yaml",
        f"not asked for: {frames} recorded frames of cassette.yaml, interaction 3",
        "1 requests answered",
    ]
    assert err == f"mockserver: {file}: interaction 4, GET /v1/models, belongs to no wire that this server speaks\n"


@pytest.mark.parametrize("pace", ["fast", "0x", "2", "-1x"])
def test_a_pace_that_is_none_is_told(pace: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are."""
    with pytest.raises(SystemExit):
        cli.main(["serve", "a.yaml", f"--pace={pace}"])
    assert f"a pace is none, recorded, or a speed such as 2x, not '{pace}'" in capsys.readouterr().err


FILES: Final = sorted(STREAMS.glob("*.yaml"))
RETRIEVED: Final = "openai-responses-008.yaml"
"""A GET of an earlier response as a stream, which is no call of a model; the server says that it has no such one."""


@pytest.mark.skipif(not FILES, reason=f"no recordings in {STREAMS}")
def test_real_recordings_are_written_and_played(tmp_path: Path) -> None:
    """Each loads, is written and read back equal, and answers its own request byte for byte."""
    count = 0
    with mockserver.serve(lenient=True) as server, httpx.Client(timeout=LIMIT) as client:
        for recording in FILES:
            [found] = read(recording)
            assert not found.is_timed
            assert read(saved(tmp_path / recording.name, found)) == (found,)
            server.play(tmp_path / recording.name)
            address = urlsplit(found.uri)
            path = f"{address.path}?{address.query}" if address.query else address.path
            answer = client.request(found.method, server.url + path, content=found.request_body, headers=SECRETS)
            if recording.name == RETRIEVED:
                assert (found.method, answer.status_code) == ("GET", 404)
                continue
            assert answer.content == found.body, recording.name
            assert server.errors == []
            count += 1
    assert count == len(FILES) - 1


SECRETS: Final = {
    "authorization": "Bearer k",
    "x-api-key": "k",
    "x-goog-api-key": "k",
    "anthropic-version": "2023-06-01",
    "content-type": "application/json",
}
