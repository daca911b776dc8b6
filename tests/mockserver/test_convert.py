"""Recordings to scripts and back, and from the formats of others."""

import base64
import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import mockserver
from mockserver import (
    WIRES,
    Byte,
    Citation,
    Delivery,
    Edit,
    Framing,
    Gate,
    Insert,
    Media,
    MockServerError,
    Pace,
    Random,
    Reasoning,
    Refusal,
    Refused,
    Reply,
    ScriptError,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Turn,
    Usage,
    When,
    WhenMessage,
    WhenMessages,
    Wire,
    cli,
)
from mockserver.cassettes.interaction import Arrival, Ended, Interaction, dump, read
from mockserver.converting.convert import Choice, Converted, convert, write
from mockserver.converting.reconstructing import Recorded, is_same, turn_of
from mockserver.converting.rehearsing import rehearsed
from mockserver.converting.requesting import Question, made, request_of
from mockserver.converting.scriptwriting import Remarked
from mockserver.converting.scriptwriting import dump as script_of
from mockserver.frames import Frame, join
from mockserver.scripts.loader import load_script, parse_script, schema
from mockserver.sending.delivery import Fault
from mockserver.wires import FINISH_WORDS, Decoded, recorded_wire

from .helpers import RICH, THREE, fetch
from .strategies import LAW, args, names, pieces, replies, texts
from .wires import test_cohere, test_gemini

STREAMS: Final = Path(__file__).parents[3] / "shared" / "streams"
FILES: Final = sorted(STREAMS.glob("*.yaml"))
KEYS: Final = {"authorization": "Bearer k", "x-api-key": "k", "x-goog-api-key": "k", "api-key": "k"}
CHAT, MESSAGES, GEMINI = "openai-chat", "anthropic-messages", "gemini-generate"
CUT_SHORT: Final = "it is read otherwise than the recording"
PLAYABLE: Final[dict[str, SearchStrategy[Reply]]] = {
    CHAT: replies(CHAT),
    MESSAGES: replies(MESSAGES),
    GEMINI: test_gemini.replies(),
    "cohere-chat": test_cohere.replies(),
}
VALIDATOR: Final = jsonschema.Draft202012Validator(json.loads(schema()))


def interaction_of(turn: Turn, wire: str = CHAT) -> Interaction:
    """What a recording of the turn would hold."""
    found = rehearsed(turn, WIRES[wire], number=1)
    assert found
    return found


def saved(file: Path, *interactions: Interaction) -> Path:
    file.write_text(dump(interactions), encoding="utf-8")
    return file


def recorded(reply: Reply, wire: str = CHAT, **changes: Any) -> Interaction:
    """A stream of the reply as others record it: nobody says when its bytes arrived."""
    found = interaction_of(Turn(reply=reply, when=When(wire=wire, model="m-asked", text="hi")), wire)
    return replace(found, **{"arrivals": None, "head": None, **changes})


def decoded(found: Interaction, wire: Wire) -> Decoded:
    is_whole = "json" in found.headers["content-type"] and "stream" not in urlsplit(found.uri).path.lower()
    return wire.decode_whole(found.body) if is_whole else wire.decode_stream(found.body)


def only(converted: Converted) -> Turn:
    """The one turn of a script, which is sound by the schema too."""
    VALIDATOR.validate(yaml.safe_load(converted.text))
    [turn] = parse_script(converted.text, "converted").turns
    return turn


def replayed(found: Interaction, wire: Wire, **choice: Any) -> tuple[Remarked, Interaction | None]:
    """The turn of an interaction, once it is written and read back, and what is recorded of it."""
    remarked = turn_of(Recorded(found, wire, "it"), **choice)
    text = script_of([remarked])
    [turn] = parse_script(text, "it").turns
    assert turn == remarked.turn
    return remarked, rehearsed(turn, wire, number=1)


# Writing scripts.

_BLOCKS: Final = st.one_of(
    st.builds(Text, pieces),
    st.builds(Text, pieces, citations=st.just((Citation(url="u", title="t"), Citation(quote="q", start=0, end=1)))),
    st.builds(Reasoning, pieces, signature=st.none() | texts),
    st.builds(Reasoning, st.just(()), signature=texts, redacted=st.booleans()),
    st.builds(Refusal, pieces),
    st.builds(Media, mime_type=st.just("image/png"), data=st.just("aQ==")),
    st.builds(ToolCall.of, names, args, id=st.just("c"), size=st.sampled_from([3, 8])),
    st.builds(ToolCall, pieces, id=st.just("c"), name=names, signature=st.none() | texts),
    st.builds(ServerToolCall, st.just(()), id=st.just("c"), name=names),
    st.builds(ServerToolResult, call_id=names, kind=names, output=st.sampled_from(['{"a": [1]}', '{"a":1}', '"x"'])),
)


@LAW
@given(
    blocks=st.lists(_BLOCKS, max_size=3, unique_by=lambda block: block.id if hasattr(block, "id") else object()),
    id=st.none() | names,
    text=texts,
)
def test_scripts_that_are_written_are_read_back(blocks: list[Any], id: str | None, text: str) -> None:
    """Whatever a reply holds, its YAML is read back to it, and is sound by the schema."""
    turn = Turn(reply=Reply(blocks=tuple(blocks), id=id, model=id), when=When(text=text))
    written = script_of([Remarked(turn, (text, "no: comment"))])
    assert parse_script(written, "it").turns == (turn,)
    VALIDATOR.validate(yaml.safe_load(written))


_GATE: Final = Gate()


@pytest.mark.parametrize(
    "turn",
    [
        Turn(reply=RICH),
        Turn(reply=Reply(blocks=(Text(("a", "b")), ToolCall(("{", "}"), name="f")), order=(0, 1, 0, 1))),
        Turn(reply=Reply.of("Yes", "no", "true", "1", "2001-01-01", "~", "a: b", "- c", "#", "'", usage=None)),
        Turn(reply=Reply.of("two\nlines")),
        Turn(reply=Reply.of(" one\n\n two\n", finish_reason="length")),
        Turn(reply=Reply.of("ends with space \nand tab\t", id="no", model="12")),
        Turn(error=Refused(429, "Slow down: \u2028", "rate_limit_error", {"retry-after": "1"}), times=2),
        Turn(
            reply=THREE,
            when=When(
                wire=CHAT,
                model="gpt-[*]",
                path="*/x",
                stream=True,
                tools=("get_*",),
                headers={"X-A": "*"},
                messages=WhenMessages(count=2, last=WhenMessage(role="user", tool_results=True), tool_results=("a",)),
            ),
        ),
        Turn(reply=THREE, when=When(tools=False, messages=(WhenMessage(text="a"), WhenMessage(tool_calls=("b",))))),
        Turn(
            reply=THREE,
            delivery=Delivery(
                cuts=Random(3, 16),
                pace=Pace(head=1e-05, times=(0.5, 2.0), scale=2),
                fault=Fault("error", Byte(-3), "words", 503),
                insert=(Insert(0, (": x\n\n", Frame(b"data\n\n", "noise"))),),
                edits=(Edit("drop", "finish"), Edit("repeat", 1)),
                framing=Framing(line_ends="crlf", unknown=("a: b",)),
                transfer="close",
                gzip=True,
                headers={"x-a": None, "x-b": "1"},
            ),
        ),
        Turn(reply=THREE, delivery=Delivery(cuts=(3, 10), fault=Fault("close", 1), framing=Framing())),
    ],
    ids=lambda turn: turn.describe(),
)  # fmt: skip
def test_every_part_of_a_turn_is_written(turn: Turn) -> None:
    """Conditions, errors and deliveries of every kind are read back as they were."""
    written = script_of([turn], default=replace(turn, when=When(), times=None))
    script = parse_script(written, "it")
    assert script.turns == (turn,)
    assert script.default == replace(turn, when=When(), times=None)
    VALIDATOR.validate(yaml.safe_load(written))


def test_gates_keep_their_names() -> None:
    """A gate has its name wherever it stands; one without a name gets one."""
    other = Gate()
    turns = [
        Turn(reply=THREE, delivery=Delivery(gates={1: _GATE, "end": other})),
        Turn(reply=THREE, delivery=Delivery(gates={Byte(20): _GATE})),
    ]
    script = parse_script(script_of(turns, gates={"half-way": _GATE}), "it")
    first, second = (turn.delivery.gates for turn in script.turns)
    assert list(script.gates) == ["half-way", "gate-2"]
    assert first == {1: script.gates["half-way"], "end": script.gates["gate-2"]}
    assert second == {Byte(20): script.gates["half-way"]}


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (Turn(reply=lambda asked: THREE), "turn 1 answers with a function"),
        (Turn(reply=THREE, when=When(predicate=lambda asked: True)), "turn 1 has a predicate"),
        (Turn(reply=THREE, delivery=Delivery(insert=(Insert(0, (Frame(b"x", "error"),)),))), "of the kind 'error'"),
        (Turn(reply=THREE, delivery=Delivery(insert=(Insert(0, (Frame(b"\xff", "noise"),)),))), "that is no text"),
    ],
)
def test_what_only_python_can_say_is_not_written(turn: Turn, words: str) -> None:
    """The error says which turn, and what of it YAML has no place for."""
    with pytest.raises(ScriptError, match=words):
        script_of([turn])


def test_a_script_can_be_read_by_people() -> None:
    """Short values stand on one line, pieces in quotes, texts of several lines as they are; remarks above the turn."""
    turn = Turn(
        reply=Reply.of(
            Reasoning(("First.\nThen.\n",)),
            Text(("It is", " fine.")),
            ToolCall.of("f", {"a": 1}),
            finish_reason="tool_calls",
        ),
        when=When(wire=CHAT, text="weather?"),
    )
    assert script_of([Remarked(turn, ("not understood: x",))], head=["Made by hand."]) == (
        "# Made by hand.\n"
        "turns:\n"
        "  # not understood: x\n"
        '  - when: {wire: openai-chat, text: "weather?"}\n'
        "    reply:\n"
        "      reasoning: |\n"
        "        First.\n"
        "        Then.\n"
        '      text: ["It is", " fine."]\n'
        "      tool_call: {name: f, id: call_1, args: {a: 1}}\n"
        "      finish_reason: tool_calls\n"
    )


# Cassettes to scripts.


@pytest.mark.parametrize("wire", PLAYABLE)
@LAW
@given(data=st.data())
def test_a_recorded_reply_is_played_as_it_was(wire: str, data: st.DataObject) -> None:
    """Written, read back and played, the turn that is made of a stream decodes to what the stream does."""
    reply = data.draw(PLAYABLE[wire])
    found = recorded(reply, wire)
    remarked, again = replayed(found, WIRES[wire])
    if reply.finish_reason not in FINISH_WORDS:
        assert remarked.remarks[0] == f"the provider's word for why it ended is {reply.finish_reason!r}"
        return
    assert again
    assert remarked.remarks == ()
    assert is_same(decoded(again, WIRES[wire]).reply, decoded(found, WIRES[wire]).reply)


@pytest.mark.parametrize("wire", [CHAT, MESSAGES, GEMINI])
@settings(LAW, max_examples=15)
@given(data=st.data())
def test_a_stream_that_was_cut_anywhere_is_played_so(wire: str, data: st.DataObject) -> None:
    """Cut before any frame or inside it, closed or reset, what came of it is read of the turn too."""
    whole = recorded(data.draw(PLAYABLE[wire]), wire)
    at = data.draw(st.integers(1, len(whole.body)))
    ended: Ended = data.draw(st.sampled_from(["closed", "reset", "timed out"]))
    found = replace(whole, body=whole.body[:at], ended=ended)
    remarked, again = replayed(found, WIRES[wire])
    before, after = decoded(found, WIRES[wire]), again and decoded(again, WIRES[wire])
    if not any(CUT_SHORT in each or "cannot be played" in each for each in remarked.remarks):
        assert again
        assert after
        assert again.ended == ended
        assert is_same(after.reply, before.reply)
        assert after.error == before.error
    elif wire != GEMINI:
        pytest.fail(f"{remarked}")


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.skipif(not FILES, reason=f"no recordings in {STREAMS}")
def test_every_recording_becomes_a_script(*, joined: bool) -> None:
    """Each recording loads as a script, and plays a reply that is read as the recorded one; exceptions are named."""
    exceptions = {}
    for file in FILES:
        [found] = read(file)
        address = urlsplit(found.uri)
        wire = recorded_wire(address.hostname or "", address.path)
        assert wire
        remarked = turn_of(Recorded(found, wire, file.name), joined=joined)
        [turn] = parse_script(script_of([remarked]), file.name).turns
        assert turn == remarked.turn
        told = [each for each in remarked.remarks if not each.startswith("not understood: ")]
        if told:
            exceptions[file.name] = " ".join(told)
            continue
        again = rehearsed(turn, wire, number=1)
        assert again
        played, wanted = wire.decode_stream(again.body), wire.decode_stream(found.body)
        assert is_same(played.reply, wanted.reply, joined=joined), file.name
        assert played.error == wanted.error
    # OpenRouter's documented error frame says a finish reason of its own; the recorded one did not.
    assert exceptions.pop("openrouter-chat-001.yaml").endswith("finish reason 'error' for 'length'")
    assert exceptions == {}


def test_the_command_makes_one_script_of_all_recordings(tmp_path: Path) -> None:
    """A folder of recordings becomes one script, in which the user's text tells turns apart."""
    saved(tmp_path / "b.yaml", recorded(Reply.of("It is fine."), uri="https://api.groq.com/openai/v1/chat/completions"))
    asked = interaction_of(Turn(reply=Reply.of("No news."), when=When(model="m-asked", text="news?")))
    saved(tmp_path / "a.yaml", replace(asked, arrivals=None, head=None))
    out = tmp_path / "all.yaml"
    assert cli.main(["convert", str(tmp_path), "--out", str(out)]) == 0
    first, second = load_script(out).turns
    assert (first.when, second.when) == (
        When(wire=CHAT, model="m-asked", stream=True, text="news?"),
        When(wire=CHAT, model="m-asked", stream=True, text="hi"),
    )
    with mockserver.serve(str(out)) as server:
        for text, wanted in (("hi", "It is fine."), ("any news?", "No news.")):
            answer = fetch(server, text=text, model="m-asked")
            assert WIRES[CHAT].decode_stream(answer.body).reply.text == wanted


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["same", "same"], [None, None]),
        (["a" * 100, "b"], ["a" * 80, "b"]),
        (["a" * 100, "a" * 99 + "b"], ["a" * 100, "a" * 99 + "b"]),
    ],
)
def test_texts_are_as_short_as_they_tell_apart(tmp_path: Path, texts: list[str], wanted: list[Any]) -> None:
    """A text that all share says nothing; a long one is quoted as far as it differs."""
    found = [interaction_of(Turn(reply=Reply.of("x"), when=When(text=text))) for text in texts]
    turns = parse_script(convert([saved(tmp_path / "a.yaml", *found)]).text, "it").turns
    assert [turn.when.text for turn in turns] == wanted


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (CHAT, Refused(429, "Slow down", "tokens", {"retry-after": "7"})),
        (CHAT, Refused(401, "Incorrect API key provided")),
        (MESSAGES, Refused(529, "Overloaded")),
        (MESSAGES, Refused(400, "max_tokens: too large", "invalid_request_error")),
        (GEMINI, Refused(503, "The model is overloaded.")),
        ("bedrock-converse", Refused(400, "Too many tokens", "ThrottlingException")),
        ("bedrock-converse", Refused(400, "The provided model identifier is invalid.")),
        ("ollama", Refused(404, "model not found")),
        ("cohere-chat", Refused(422, "invalid")),
        ("watsonx", Refused(403, "no")),
        ("oci", Refused(404, "Entity not found")),
        ("cloudflare", Refused(400, "Bad input")),
        ("snowflake", Refused(400, "unknown model")),
        ("groq-chat", Refused(413, "Request too large")),
        ("writer-chat", Refused(400, "what")),
    ],
    ids=str,
)
def test_an_http_error_is_an_error(wire: str, error: Refused) -> None:
    """Status, words, kind and the headers on which clients act come back, so that the same body is sent again."""
    found = interaction_of(Turn(error=error, when=When(wire=wire)), wire)
    remarked, again = replayed(found, WIRES[wire])
    assert remarked.remarks == ()
    assert remarked.turn.error
    assert (remarked.turn.error.status, remarked.turn.error.message) == (error.status, error.message)
    assert dict(remarked.turn.error.headers) == dict(error.headers)
    assert again
    assert json.loads(again.body) == json.loads(found.body)


@pytest.mark.parametrize(
    ("body", "turn", "remark"),
    [
        (b"<html><title>502 Bad Gateway</title></html>", Fault("html", "head", "502 Bad Gateway", 502), "a page of"),
        (b'{"detail": "Not today", "n": 1}', Refused(502, "Not today"), 'is another than the wire\'s: {"detail"'),
        (b"upstream gone", Refused(502, "upstream gone"), "is another than the wire's: upstream gone"),
    ],
)  # fmt: skip
def test_errors_of_gateways_are_kept_as_well_as_can_be(body: bytes, turn: Fault | Refused, remark: str) -> None:
    """A page of HTML stays one; another body gives its words, and is quoted in a comment."""
    found = recorded(THREE, status=502, headers={"content-type": "text/html"}, body=body)
    remarked, _ = replayed(found, WIRES[CHAT])
    assert turn in (remarked.turn.error, remarked.turn.delivery.fault)
    assert remark in remarked.remarks[0]


@pytest.mark.parametrize(
    "wire", [CHAT, MESSAGES, GEMINI, "openai-responses", "bedrock-converse", "cohere-chat", "ollama"]
)
def test_an_error_in_the_middle_of_a_stream_is_a_fault(wire: str) -> None:
    """The provider's words come after all that came before them."""
    reply = Reply.of("The moon ", "is ", "full")
    turn = Turn(reply=reply, delivery=Delivery(fault=Fault("error", 2, "Overloaded: try again")))
    found = interaction_of(turn, wire)
    remarked, again = replayed(found, WIRES[wire])
    assert again
    # Gemini counts tokens in every chunk, as far as it has come.
    assert [each.partition("recording: ")[2][:6] for each in remarked.remarks] == (["usage "] if wire == GEMINI else [])
    assert remarked.turn.delivery.fault
    assert remarked.turn.delivery.fault.message == "Overloaded: try again"
    assert decoded(again, WIRES[wire]).error == "Overloaded: try again"
    assert decoded(again, WIRES[wire]).reply.text == "The moon is "


@pytest.mark.parametrize(
    ("ended", "cut", "fault"),
    [
        ("closed", 0, Fault("close", "close")),
        ("closed", 5, Fault("cut", "end")),
        ("reset", 40, Fault("reset", "end")),
        ("interrupted", 300, Fault("close", "finish")),
        ("timed out", 600, Fault("stall", "finish")),
        ("closed", 700, Fault("cut", "finish")),
    ],
)
def test_a_cut_is_told_by_its_point(ended: Any, cut: int, fault: Fault) -> None:
    """Where the bytes ended: after the terminator, before it, before the finish reason, or inside a frame."""
    whole = recorded(THREE)
    frames = WIRES[CHAT].label(WIRES[CHAT].split(whole.body))
    ends = [len(join(frames[:number])) for number in range(len(frames) + 1)]
    at = len(whole.body) - cut
    at = at if fault.kind == "cut" or cut < 10 else max(end for end in ends if end <= at)
    remarked, _ = replayed(replace(whole, body=whole.body[:at], ended=ended), WIRES[CHAT])
    assert (remarked.turn.delivery.fault, remarked.turn.delivery.edits) == (fault, ())
    assert any("interrupted" in each for each in remarked.remarks) == (ended == "interrupted")


def test_a_stream_that_never_says_why_it_ended() -> None:
    """Where the terminator came without a finish reason, the frame is dropped; where nothing came, the body stops."""
    whole = recorded(Reply.of("Hel", "lo", usage=None))
    frames = WIRES[CHAT].label(WIRES[CHAT].split(whole.body))
    without = join(frame for frame in frames if "finish" not in frame.kinds)
    remarked, _ = replayed(replace(whole, body=without), WIRES[CHAT])
    assert remarked.turn.delivery == Delivery(edits=(Edit("drop", "finish"),))
    remarked, _ = replayed(replace(whole, body=without.removesuffix(frames[-1].data)), WIRES[CHAT])
    assert remarked.turn.delivery == Delivery(fault=Fault("stop", "finish"))


def test_what_is_not_understood_stands_above_the_turn(tmp_path: Path) -> None:
    """A part of a stream that the decoder does not know is a comment."""
    found = recorded(THREE)
    body = found.body.replace(b'"object"', b'"later_key":1,"object"')
    text = convert([saved(tmp_path / "a.yaml", replace(found, body=body))]).text
    assert "  # not understood: chunk key 'later_key'\n  - when:" in text


def test_a_whole_body_is_a_reply() -> None:
    """A body that was not streamed becomes the reply of a turn for requests that do not stream."""
    turn = Turn(reply=RICH, when=When(stream=False, model="m-asked"))
    found = interaction_of(turn)
    remarked, again = replayed(found, WIRES[CHAT])
    assert (remarked.turn.when.stream, remarked.turn.reply, remarked.remarks) == (False, RICH.whole(), ())
    assert again
    assert again.body == found.body


def test_arrivals_are_the_pace() -> None:
    """Each piece leaves, from the head, when it arrived, to the millisecond."""
    frames = WIRES[CHAT].frames(THREE)
    times = [0.1234, 0.2, 0.3456, 0.5, 0.6, 0.7, 0.8, 0.9]
    arrivals = tuple(Arrival(at=at, size=len(frame.data)) for at, frame in zip(times, frames, strict=False))
    found = recorded(THREE, body=join(frames), arrivals=arrivals, head=0.1)
    remarked, again = replayed(found, WIRES[CHAT])
    assert again
    assert again.arrivals
    pieces = [number for number, frame in enumerate(frames) if frame.kind == "piece"]
    assert remarked.turn.delivery.pace == Pace(head=0.1, times=tuple(round(times[at] - 0.1, 3) for at in pieces))
    sent = [round(again.arrivals[at].at, 3) for at in pieces]
    assert sent == [round(times[at], 3) for at in pieces]
    joined, _ = replayed(found, WIRES[CHAT], joined=True)
    assert joined.turn.delivery.pace == Pace(head=0.1, first=0.1)


def test_joined_replies_are_easy_to_edit(tmp_path: Path) -> None:
    """With --join each block is one piece, and arguments are a mapping."""
    reply = Reply(
        blocks=(Text(("Let ", "me\n", "see.")), ToolCall.of("f", {"city": "Zürich"}, size=3)),
        finish_reason="tool_calls",
    )
    text = convert([saved(tmp_path / "a.yaml", recorded(reply))], Choice(joined=True)).text
    assert "      text: |-\n        Let me\n        see.\n" in text
    assert 'args: {city: "Zürich"}' in text


# Scripts to cassettes.


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", WIRES)
def test_requests_that_are_made_up_are_accepted(name: str, *, stream: bool) -> None:
    """Each wire reads, recognises and accepts the request that is made up for it."""
    wire = WIRES[name]
    asked = made(wire, Question(model="m-1", text="hi", stream=stream))
    request = request_of(asked.method, asked.uri, {**asked.headers, **KEYS}, asked.body)
    understood = wire.read(request)
    wire.check(understood)
    assert (understood.model, understood.text, understood.stream) == ("m-1", "hi", stream)
    found = recorded_wire(urlsplit(asked.uri).hostname or "", request.path)
    # Both of Gemini's framings have one address; the query tells them apart.
    assert found
    assert found.name == name or (found.family, name) == (GEMINI, "gemini-array")


@pytest.mark.parametrize("name", WIRES)
def test_a_script_becomes_a_cassette_on_every_wire(name: str, tmp_path: Path) -> None:
    """The cassette plays, its request is the provider's, and it says that it is no recording."""
    script = tmp_path / "s.yaml"
    script.write_text(script_of([Turn(reply=Reply.of("Hel", "lo"))]))
    converted = convert([script], Choice(wire=name))
    out = tmp_path / "c.yaml"
    write(converted, out)
    [found] = read(out)
    wire = WIRES[name]
    assert (
        yaml.safe_load(out.read_text())["origin"]
        == "made by mockserver from a script (s.yaml), not recorded from a provider"
    )
    assert decoded(found, wire).reply.text == "Hello"
    assert (found.ended, found.is_timed) == ("whole", True)
    with mockserver.serve(str(out)) as server:
        assert len(server.script.turns) == 1


def test_stock_vcrpy_plays_what_is_made(tmp_path: Path) -> None:
    """vcrpy answers the request that stands in the cassette with the body that stands there."""
    vcr = pytest.importorskip("vcr")
    httpx = pytest.importorskip("httpx")
    script, out = tmp_path / "s.yaml", tmp_path / "c.yaml"
    script.write_text(script_of([Turn(reply=THREE, when=When(wire=MESSAGES, model="m", text="hi"))]))
    write(convert([script]), out)
    [found] = read(out)
    with vcr.use_cassette(str(out), record_mode="none"):
        answer = httpx.post(found.uri, content=found.request_body, headers=dict(found.request_headers))
    assert WIRES[MESSAGES].decode_stream(answer.content).reply == THREE


@pytest.mark.parametrize(
    ("fault", "ended"),
    [
        (None, "whole"),
        (Fault("close", 1), "closed"),
        (Fault("reset", "end"), "reset"),
        (Fault("stall", "finish"), "timed out"),
    ],
)
def test_pace_and_fault_are_the_arrivals(fault: Fault | None, ended: str) -> None:
    """When the writes leave and what ends them stands in the cassette."""
    found = interaction_of(Turn(reply=THREE, delivery=Delivery(pace=Pace(head=0.5, first=1, every=2), fault=fault)))
    assert found.ended == ended
    assert found.arrivals
    times = [each.at for each in found.arrivals]
    assert (found.head, times[:2], sum(each.size for each in found.arrivals)) == (0.5, [0.5, 1.5], len(found.body))
    assert max(times) == (1.5 if ended == "closed" else 5.5)


def test_what_a_cassette_has_no_place_for_is_named(tmp_path: Path) -> None:
    """Conditions, repetitions without end, answers that never begin, and the default."""
    script = tmp_path / "s.yaml"
    turns = [
        Turn(reply=Reply.of("a"), when=When(wire=CHAT, model="gpt-*", tools=True), times=2),
        Turn(reply=Reply.of("b"), when=When(wire=CHAT, model="gpt-[*]"), times=10**6),
        Turn(reply=Reply.of("c"), when=When(wire=CHAT), delivery=Delivery(fault=Fault("close", "head"))),
        Turn(error=Refused(429, "Slow down"), when=When(wire=CHAT)),
    ]
    script.write_text(script_of(turns, default=Turn(reply=Reply.of("d"))))
    converted = convert([script])
    assert list(converted.left_out) == [
        "turn 1: its conditions on tools, which its request does not meet",
        "turn 2: that it answers 1000000 requests; it stands there once",
        "turn 3, which ends the connection before any answer: cassettes have no place for that",
        "the default, which answers what no turn does",
    ]
    found = yaml.safe_load(converted.text)["interactions"]
    models = [json.loads(each["request"]["body"])["model"] for each in found]
    assert models == ["some-model", "some-model", "gpt-*", "some-model"]
    assert found[3]["response"]["status"]["code"] == 429


@settings(LAW, max_examples=10)
@given(data=st.data(), wire=st.sampled_from([CHAT, MESSAGES, GEMINI]))
def test_script_to_cassette_to_script(data: st.DataObject, wire: str) -> None:
    """A reply that goes into a cassette comes back from it."""
    reply = data.draw(PLAYABLE[wire].filter(lambda reply: reply.finish_reason in FINISH_WORDS))
    found = interaction_of(Turn(reply=reply), wire)
    [turn] = [turn_of(Recorded(found, WIRES[wire], "it")).turn]
    assert isinstance(turn.reply, Reply)
    assert is_same(turn.reply, decoded(found, WIRES[wire]).reply)


def test_a_dialect_and_an_address_may_be_named(tmp_path: Path) -> None:
    """--wire names the dialect for turns of its family; --uri says where requests go, and so which wire they are of."""
    script = tmp_path / "s.yaml"
    script.write_text(script_of([Turn(reply=THREE, when=When(wire=CHAT))]))
    assert "https://api.groq.com/openai/v1/chat/completions" in convert([script], Choice(wire="groq-chat")).text
    uri = "https://api.mistral.ai/v1/chat/completions"
    [found] = yaml.safe_load(convert([script], Choice(uri=uri)).text)["interactions"]
    assert found["request"]["uri"] == uri


# The formats of others.


def aimock(tmp_path: Path, *fixtures: dict[str, Any], name: str = "f.json") -> Path:
    file = tmp_path / name
    file.write_text(json.dumps({"fixtures": fixtures}))
    return file


def test_fixtures_of_aimock(tmp_path: Path) -> None:
    """Conditions, content, errors and times become those of turns."""
    file = aimock(
        tmp_path,
        {
            "match": {
                "userMessage": "moon",
                "model": "gpt-4*",
                "toolName": "get_moon",
                "context": "a",
                "endpoint": "chat",
            },
            "response": {
                "content": "The moon is full of fish.",
                "reasoning": "Hm.",
                "reasoningSignature": "c2ln",
                "redactedThinking": ["b3BhcXVl"],
                "toolCalls": [{"name": "f", "arguments": {"a": "ü"}, "id": "c1"}, {"name": "g", "arguments": "{}"}],
                "id": "id_1",
                "model": "m-1",
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 4,
                    "total_tokens": 13,
                    "prompt_tokens_details": {"cached_tokens": 2},
                    "completion_tokens_details": {"reasoning_tokens": 1},
                },
            },
            "chunkSize": 10,
            "latency": 50,
        },
        {
            "match": {
                "toolCallId": "c1",
                "toolResultContains": "ok",
                "systemMessage": "Be kind",
                "hasToolResult": True,
            },
            "response": {"error": {"message": "Slow down", "type": "rate_limit_error"}, "status": 429, "retryAfter": 3},
        },
        {
            "match": {},
            "response": {"blocks": [{"type": "toolCall", "name": "f", "arguments": {}}, {"type": "text", "text": "b"}]},
            "streamingProfile": {"ttft": 200, "tps": 40, "jitter": 0.1},
            "replaySpeed": 2,
        },
    )
    converted = convert([file])
    VALIDATOR.validate(yaml.safe_load(converted.text))
    first, second, third = parse_script(converted.text, "it").turns
    assert first == Turn(
        when=When(text="moon", model="gpt-4[*]", tools=("get_moon",), headers={"x-aimock-context": "a"}),
        reply=Reply(
            blocks=(
                Reasoning(("Hm.",), signature="c2ln"),
                Reasoning((), signature="b3BhcXVl", redacted=True),
                Text(("The moon i", "s full of ", "fish.")),
                ToolCall(('{"a":"ü"}',), id="c1", name="f"),
                ToolCall(("{}",), id="call_1_3", name="g"),
            ),
            finish_reason="tool_calls",
            usage=Usage(input_tokens=9, output_tokens=4, cache_read=2, reasoning=1),
            id="id_1",
            model="m-1",
        ),
        delivery=Delivery(pace=Pace(first=0.05, every=0.05)),
        times=1_000_000,
    )
    assert second.error
    assert (second.error, second.times) == (
        Refused(429, "Slow down", "rate_limit_error", {"retry-after": "3"}),
        1_000_000,
    )
    assert second.when.messages == WhenMessages(
        last=WhenMessage(text="ok", tool_results=("c1",)),
        any=WhenMessage(role="system", text="Be kind"),
        tool_results=True,
    )
    assert isinstance(third.reply, Reply)
    assert [type(block) for block in third.reply.blocks] == [ToolCall, Text]
    assert (third.delivery.pace, third.times) == (Pace(first=0.2, every=0.025, jitter=0.1, scale=0.5), None)
    assert (converted.left_out, "not carried over" in converted.text) == ((), False)


def test_what_aimock_has_beside_is_named(tmp_path: Path) -> None:
    """Nothing is lost in silence: keys stand in a comment above the turn, fixtures of other endpoints in the report."""
    file = aimock(
        tmp_path,
        {
            "match": {"userMessage": "a", "responseFormat": "json_object", "systemMessage": ["x", "y"], "newer": 1},
            "response": {"content": {"a": 1}, "finishReason": "odd", "webSearches": ["q"], "created": 1},
            "chaos": {"dropRate": 0.5},
            "truncateAfterChunks": 1,
        },
        {"match": {"inputText": "a"}, "response": {"embedding": [0.1]}},
        {"match": {"endpoint": "image"}, "response": {"image": {"url": "u"}}},
        {"match": {"userMessage": "a"}, "response": {"json": {}}},
    )
    converted = convert([file])
    comments = " ".join(re.findall(r"^ +# (.*)$", converted.text, re.MULTILINE))
    assert comments == (
        "of systemMessage only 'x' is asked for finishReason is 'odd' "
        "not carried over: response.created, chaos, match.responseFormat, match.newer, response.webSearches"
    )
    turn = only(converted)
    assert isinstance(turn.reply, Reply)
    assert (turn.reply.text, turn.reply.finish_reason, turn.delivery.fault) == ('{"a":1}', "stop", Fault("close", 0))
    assert [line.partition(": ")[2] for line in converted.left_out] == [
        "it is for embeddings, and this server has chat models",
        "it is for the endpoint 'image', and this server has those of chat models",
        "it answers with 'json', and this server has chat models",
    ]


def test_sequences_of_aimock_are_the_order_of_turns(tmp_path: Path) -> None:
    """Fixtures of one sequence stand together by their index and answer once; others answer ever again."""
    joke = {"userMessage": "joke"}
    file = aimock(
        tmp_path,
        {"match": {**joke, "sequenceIndex": 1}, "response": {"content": "two"}},
        {"match": {"userMessage": "hello"}, "response": {"content": "Hi!"}},
        {"match": {**joke, "sequenceIndex": 0}, "response": {"content": "one"}},
        {"match": {}, "response": {"content": "What?"}},
    )
    out = tmp_path / "s.yaml"
    write(convert([file]), out)
    with mockserver.serve(str(out)) as server:
        asked = ["a joke", "hello", "hello", "a joke", "a joke", "x"]
        for text, wanted in zip(asked, ["one", "Hi!", "Hi!", "two", "What?", "What?"], strict=True):
            assert WIRES[CHAT].decode_stream(fetch(server, text=text).body).reply.text == wanted


def test_recorded_times_of_aimock_are_an_average(tmp_path: Path) -> None:
    """Its chunks are others than those that were timed, so the first and the average stand; latency 0 is no pace."""
    timings = {"ttftMs": 120, "interChunkDelaysMs": [10, 30], "totalDurationMs": 160}
    file = aimock(tmp_path, {"match": {"turnIndex": 0}, "response": {"content": "a"}, "recordedTimings": timings})
    turn = only(convert([file]))
    assert (turn.delivery.pace, turn.times) == (Pace(first=0.12, every=0.02), None)
    file = aimock(tmp_path, {"match": {}, "response": {"content": "a"}, "latency": 0})
    assert only(convert([file], Choice(wire="groq-chat"))) == Turn(reply=Reply.of("a"), when=When(wire=CHAT))


def test_the_answers_of_mockllm(tmp_path: Path) -> None:
    """Prompts become conditions, the longest first; the answer to all else is the default."""
    file = tmp_path / "responses.yml"
    file.write_text(
        "responses:\n  hi: Hello!\n  hi there: Hello yourself!\ndefaults:\n  unknown_response: Eh?\n"
        "settings:\n  lag_enabled: true\n  lag_factor: 20\nmodels: []\n"
    )
    converted = convert([file])
    script = parse_script(converted.text, "it")
    assert [(turn.when.text, turn.times) for turn in script.turns] == [("hi there", 1_000_000), ("hi", None)]
    assert script.default
    assert isinstance(script.default.reply, Reply)
    assert (script.default.reply.text, script.default.delivery.pace) == ("Eh?", Pace(every=0.005))
    assert converted.left_out[0].endswith("models is not carried over")


CAPTURED: Final = Reply.of("The moon ", "is full.", id="id_1", model="m-1")


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", b"HTTP/2 200 \r\n\r\n"]
)
@pytest.mark.parametrize("name", sorted({wire.family for wire in WIRES.values()}))
def test_what_curl_printed_is_recognised(name: str, head: bytes, tmp_path: Path) -> None:
    """The wire of a stream is told from its bytes alone, with the head or without it."""
    wire = WIRES[name]
    if wire.framing != "sse":
        head = b""
    file = tmp_path / "out.txt"
    file.write_bytes(head + join(wire.frames(CAPTURED)))
    turn = only(convert([file]))
    assert isinstance(turn.reply, Reply)
    assert (turn.when, turn.reply.text) == (When(wire=wire.family, stream=True), "The moon is full.")


@pytest.mark.parametrize("name", ["openai-chat", "anthropic-messages", "openai-responses", "gemini-generate", "ollama"])
def test_a_whole_body_that_curl_printed_is_recognised(name: str, tmp_path: Path) -> None:
    """So is a body that was not streamed."""
    file = tmp_path / "out.json"
    file.write_bytes(WIRES[name].whole(CAPTURED.whole()))
    turn = only(convert([file]))
    assert isinstance(turn.reply, Reply)
    assert (turn.when, turn.reply.text) == (When(wire=name, stream=False), "The moon is full.")


def test_the_last_head_of_a_capture_counts(tmp_path: Path) -> None:
    """Heads of proxies and of interim answers go before it; its error is an error."""
    file = tmp_path / "out.txt"
    error = WIRES[CHAT].error(Refused(429, "Slow down"))
    file.write_bytes(
        b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 7\r\n\r\n" + error
    )
    turn = only(convert([file], Choice(wire=CHAT)))
    assert turn.error == Refused(429, "Slow down", "", {"retry-after": "7"})


def test_a_capture_becomes_a_cassette(tmp_path: Path) -> None:
    """Byte for byte; its request is made up, and the cassette says so."""
    body = join(WIRES[CHAT].frames(CAPTURED))
    file, out = tmp_path / "out.txt", tmp_path / "c.yaml.gz"
    file.write_bytes(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + body)
    converted = convert([file], Choice(to="cassette", uri="https://api.groq.com/openai/v1/chat/completions"))
    write(converted, out)
    [found] = read(out)
    assert (found.body, found.uri, found.is_timed) == (body, "https://api.groq.com/openai/v1/chat/completions", False)
    assert json.loads(found.request_body)["model"] == "m-1"
    assert b"requests that were not captured are made up" in gzip.decompress(out.read_bytes())


def har_entry(found: Interaction, **content: Any) -> dict[str, Any]:
    """An entry as a browser or mitmproxy writes it."""
    return {
        "startedDateTime": "2026-01-01T00:00:00Z",
        "time": 5,
        "request": {
            "method": found.method,
            "url": found.uri,
            "headers": [
                {"name": "Content-Type", "value": "application/json"},
                {"name": "Authorization", "value": "Bearer s3cr3t-s3cr3t"},
            ],
            "postData": {"mimeType": "application/json", "text": found.request_body.decode()},
        },
        "response": {
            "status": found.status,
            "statusText": "OK",
            "headers": [{"name": name, "value": value} for name, value in found.headers.items()],
            "content": {"mimeType": found.headers["content-type"], "text": found.body.decode(), **content},
        },
        "timings": {"wait": 1},
    }


def har(tmp_path: Path, *entries: Any) -> Path:
    file = tmp_path / "x.har"
    file.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    return file


def test_a_har_is_read(tmp_path: Path) -> None:
    """Entries of a wire become turns, text or base64; others are named and left out, and keys are not kept."""
    chat, messages = recorded(THREE), recorded(THREE, MESSAGES)
    cut = har_entry(replace(chat, body=chat.body[:-5].rpartition(b"data")[0]))
    cut["response"]["_error"] = "net::ERR_INCOMPLETE_CHUNKED_ENCODING"
    empty = har_entry(chat)
    del empty["response"]["content"]["text"]
    file = har(
        tmp_path,
        har_entry(chat),
        har_entry(messages, text=base64.b64encode(messages.body).decode(), encoding="base64"),
        cut,
        har_entry(replace(chat, uri="https://example.org/page?token=abcdefghij")),
        empty,
        har_entry(replace(chat, method="OPTIONS")),
        {**har_entry(chat), "response": {"status": 0, "headers": [], "content": {}}},
    )
    converted = convert([file])
    turns = parse_script(converted.text, "it").turns
    assert [(turn.when.wire, turn.reply) for turn in turns[:2]] == [(CHAT, THREE), (MESSAGES, THREE)]
    assert turns[2].delivery.fault == Fault("close", "end")
    assert [line.partition(", ")[2] for line in converted.left_out] == [
        "entry 5: the file does not hold the body of its answer; browsers often leave that of a stream out",
        "entry 7: it has the status 0, which is no answer",
        "entry 4: POST https://example.org/page?token=REDACTED belongs to no wire that this server speaks",
        f"entry 6: OPTIONS {chat.uri} belongs to no wire that this server speaks",
    ]
    cassette = convert([file], Choice(to="cassette")).text
    assert "s3cr3t" not in cassette
    found = read(saved_text(tmp_path / "c.yaml", cassette))
    assert [each.ended for each in found] == ["whole", "whole", "closed"]
    assert found[1].body == messages.body


def saved_text(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_lists_of_langchain_tests_are_read(tmp_path: Path) -> None:
    """The gzip'd lists of requests and responses that langchain-tests writes."""
    found = recorded(THREE)
    document = {
        "requests": [{"method": "POST", "uri": found.uri, "body": found.request_body.decode(), "headers": {}}],
        "responses": [
            {
                "status": {"code": 200, "message": "OK"},
                "headers": {"content-type": ["text/event-stream"]},
                "body": {"string": found.body.decode()},
            }
        ],
    }
    file = tmp_path / "a.yaml.gz"
    file.write_bytes(gzip.compress(yaml.safe_dump(document).encode()))
    assert only(convert([file])).reply == THREE


def test_a_cassette_of_others_is_written_anew(tmp_path: Path) -> None:
    """Without its keys and cookies, byte for byte."""
    secret = "sk-proj-" + "a1B2" * 10
    found = recorded(THREE, request_headers={"authorization": f"Bearer {secret}", "cookie": "a=bcdefghijk"})
    file = saved(tmp_path / "a.yaml", found)
    converted = convert([file], Choice(to="cassette"))
    [again] = read(saved_text(tmp_path / "b.yaml", converted.text))
    assert secret not in converted.text
    assert (again.body, again.request_headers) == (found.body, {})


# Bad input.


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"", "a.txt: is empty"),
        ("a.txt", b"hello", "no wire understands all of this; name the wire with --wire, which is one of openai-chat"),
        (
            "a.txt",
            b'data: {"later_key": 1, "choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n',
            "no wire understands all of this (openai-chat does all but chunk key 'later_key'); name the wire",
        ),
        ("a.har", b'{"log": {"entries": [{}]}}', "a.har, entry 1 is not in HAR's format (no 'request')"),
        ("a.har", b'{"log": {"entries": []}}', "a.har: nothing of it can be converted: there is nothing in it"),
        ("a.json", b'{"fixtures": [{"match": {}}]}', "a.json, fixture 1 is not in aimock's format (no 'response')"),
        (
            "a.json",
            b'{"fixtures": [{"match": {}, "response": {"blocks": [{"type": "x"}]}}]}',
            "a.json, fixture 1 is not in aimock's format (a block of the type 'x')",
        ),
        ("a.yaml", b"turns: [{reply: {txt: a}}]", "a.yaml, line 1, reply: unknown key 'txt'; did you mean 'text'?"),
        ("a.yaml", b"interactions: [", "a.yaml, line 2: did not find"),
        ("a.yaml", b"interactions:\n- !!python/object/apply:os.system [id]\n", "could not determine a constructor"),
        ("a.yaml", b"turns: [{reply: hi}]", "turn 1 names no wire; say with --wire which it is for: openai-chat, "),
        ("a.yaml", b"turns: [{reply: {refusal: 'No.'}, when: {wire: groq-chat}}]", "turn 1 cannot be played on groq-"),
        ("a.yml", b"responses:\n  hi: [1]\n", "a.yml: the answer to 'hi' is a text, not [1]"),
        ("a.txt", b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\n\r\n\xff\xfe", "with curl's option --compressed"),
    ],
)  # fmt: skip
def test_bad_input_gives_one_clear_error(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    """Which file, where in it, and what to change; nothing is written."""
    file, out = tmp_path / name, tmp_path / "out.yaml"
    file.write_bytes(content)
    with pytest.raises(MockServerError) as caught:
        write(convert([file]), out)
    assert words in str(caught.value)
    assert not out.exists()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """A file that is missing, and folders that hold nothing."""
    with pytest.raises(MockServerError, match=r"nowhere\.yaml: No such file or directory"):
        convert([tmp_path / "nowhere.yaml"])
    with pytest.raises(MockServerError, match=r"the directory holds no file ending in \.yaml, \.yml"):
        convert([tmp_path])
    (tmp_path / "package.json").write_text("{}")
    with pytest.raises(MockServerError, match=r"package\.json: is neither a recording nor a script"):
        convert([tmp_path])


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"wire": "openai"}, "there is no wire 'openai'; there are openai-chat, "),
        ({"uri": "https://example.org/"}, "https://example.org/ is the address of no wire; name one with --wire"),
        ({"wire": MESSAGES}, "turn 1 is for the wire openai-chat, not anthropic-messages"),
    ],
)
def test_wires_that_do_not_fit(choice: dict[str, Any], words: str, tmp_path: Path) -> None:
    """A wire that is not there, an address of none, and a wire of another family than the turn's."""
    script = tmp_path / "s.yaml"
    script.write_text(script_of([Turn(reply=THREE, when=When(wire=CHAT))]))
    with pytest.raises(MockServerError, match=re.escape(words)):
        convert([script], Choice(**choice))


@pytest.mark.parametrize("to", ["script", "cassette"])
def test_keys_are_not_written(to: Any, tmp_path: Path) -> None:
    """A key that a script says is not written, neither in a script nor in a cassette."""
    key = "sk-ant-api03-" + "a1B2c3D4" * 6
    script = tmp_path / "s.yaml"
    script.write_text(f'turns: [{{reply: {{text: ["{key[:9]}", "{key[9:]}"]}}, when: {{wire: openai-chat}}}}]')
    with pytest.raises(MockServerError, match=r"s\.yaml: a key would be written"):
        convert([script], Choice(to=to, joined=True))


def test_the_command_overwrites_only_what_it_is_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is there stays without --force; the command says what it wrote and what it left out."""
    out = tmp_path / "out.yaml"
    file = har(tmp_path, har_entry(recorded(THREE)), har_entry(recorded(THREE, uri="https://example.org/")))
    assert cli.main(["convert", str(file), "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{out}: a script with 1 turn\n"
    reason = "POST https://example.org/ belongs to no wire that this server speaks"
    assert told.err == f"mockserver: left out: {file}, entry 2: {reason}\n"
    before = out.read_text()
    assert cli.main(["convert", str(file), "--out", str(out), "--join"]) == 2
    assert capsys.readouterr().err == f"mockserver: {out} is there already; --force overwrites it\n"
    assert out.read_text() == before
    assert cli.main(["convert", str(file), "--out", str(out), "--to", "cassette", "--force"]) == 0
    assert len(read(out)) == 1


PAGE: Final = (Path(__file__).parents[2] / "docs" / "converting.md").read_text(encoding="utf-8")


def test_the_page_is_right(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scripts load, its Python runs, and it has every option of the command."""
    for script in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        assert parse_script(script, "page").turns
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weather.yaml").write_text(script_of([Turn(reply=THREE, when=When(wire=CHAT))]))
    [code] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(code, "page", "exec"), {})
    assert len(read(tmp_path / "weather.cassette.yaml")) == 1
    with pytest.raises(SystemExit):
        cli.main(["convert", "--help"])
    options = set(re.findall("--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert options == set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))
