"""Cassettes, between our server and stock vcrpy."""

import base64
import gzip
from pathlib import Path
from typing import Any

import pytest
import vcr
import yaml

import mockserver
from mockserver import WIRES, CassetteError, MockServerError, Reply, ScriptError, cassette
from mockserver.frames import join
from mockserver.loader import load

from .helpers import PATHS, RICH, THREE, WIRE_NAMES, ask, fetch, question

URL = "https://api.example.com"
TYPES = {True: "text/event-stream; charset=utf-8", False: "application/json"}


def recorded(wire: str, reply: Reply, *, stream: bool) -> dict[str, Any]:
    body = join(WIRES[wire].frames(reply)) if stream else WIRES[wire].whole(reply)
    return cassette.interaction(uri=URL + PATHS[wire], request="{}", body=body, content_type=TYPES[stream])


def written(tmp_path: Path, document: object) -> Path:
    file = tmp_path / "cassette.yaml"
    file.write_text(document if isinstance(document, str) else yaml.safe_dump(document), encoding="utf-8")
    return file


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", WIRE_NAMES)
def test_what_is_written_plays_in_stock_vcrpy(tmp_path: Path, wire: str, *, stream: bool) -> None:
    """vcrpy answers from our file with the same bytes, status and content type, and sends nothing."""
    entry = recorded(wire, RICH, stream=stream)
    file = written(tmp_path, cassette.dump([entry], origin="a test"))
    with vcr.use_cassette(str(file), record_mode="none"):
        answer = ask(URL + PATHS[wire], json={})
    assert (answer.status_code, answer.headers["content-type"]) == (200, TYPES[stream])
    assert answer.content == entry["response"]["body"]["string"].encode()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", WIRE_NAMES)
def test_what_is_written_plays_here(tmp_path: Path, wire: str, *, stream: bool) -> None:
    """Our server answers from the file with the same bytes, to requests of that wire and form alone."""
    file = written(tmp_path, cassette.dump([recorded(wire, RICH, stream=stream)], origin="a test"))
    [turn] = load(file)
    assert (turn.when.wire, turn.when.stream) == (wire, stream)
    assert turn.recording
    assert turn.recording.source == "cassette.yaml"
    if stream:
        assert turn.recording.frames == WIRES[wire].frames(RICH)
    with mockserver.serve(file) as server:
        answer, other = fetch(server, wire, stream=stream), fetch(server, wire, stream=not stream)
    assert (answer.status, answer.body, other.status) == (200, join(turn.recording.frames), 400)
    assert f"content-type: {TYPES[stream]}\r\n" in answer.head.decode().lower()


def test_interactions_answer_in_order(tmp_path: Path) -> None:
    """Several recordings are several turns."""
    entries = [recorded("openai-chat", reply, stream=True) for reply in (THREE, RICH)]
    with mockserver.serve(written(tmp_path, cassette.dump(entries, origin="a test"))) as server:
        bodies = [fetch(server).body for _ in range(2)]
    assert bodies == [entry["response"]["body"]["string"].encode() for entry in entries]


def test_a_dump_can_be_read(tmp_path: Path) -> None:
    """Streams are blocks of lines, so that a diff shows them; the origin stands in the file."""
    text = cassette.dump([recorded("openai-chat", THREE, stream=True)], origin="made here")
    assert "string: |" in text
    assert "\n        data: [DONE]\n" in text
    assert yaml.safe_load(text)["origin"] == "made here"


@pytest.mark.parametrize(
    "character", ["\u2028", "\u2029", "\u0085", "\ufeff", "\x07", "\r", "\t", " \n", "\U0001f420", "é"]
)
def test_any_character_survives_a_cassette(tmp_path: Path, character: str) -> None:
    """Bodies keep what YAML itself folds, escapes or takes for a line end."""
    for text in (f"data: {character}x\n\n: {character}\n\n{character}", f"data: x{character}x\n\n", f"x{character}x"):
        body = text.encode()
        entry = cassette.interaction(uri=URL + PATHS["openai-chat"], request="{}", body=body, content_type=TYPES[True])
        file = written(tmp_path, cassette.dump([entry], origin="a test"))
        [turn] = load(file)
        assert turn.recording
        assert join(turn.recording.frames) == body
        with vcr.use_cassette(str(file), record_mode="none"):
            assert ask(URL + PATHS["openai-chat"]).content == body


BODY = join(WIRES["openai-chat"].frames(THREE))


@pytest.mark.parametrize(
    "body",
    [
        {"string": BODY.decode()},
        {"string": BODY},
        {"string": gzip.compress(BODY)},
        {"base64_string": base64.b64encode(BODY).decode()},
        {"base64_string": base64.encodebytes(BODY).decode()},
        BODY.decode(),
    ],
    ids=["text", "binary", "gzip", "base64", "base64 in lines", "bare"],
)
def test_bodies_in_all_that_vcrpy_writes(tmp_path: Path, body: object) -> None:
    """Text, bytes, compressed bytes and base64 give the same frames."""
    entry = recorded("openai-chat", THREE, stream=True)
    entry["response"]["body"] = body
    entry["response"]["headers"]["Content-Encoding"] = ["gzip"]
    file = written(tmp_path, {"interactions": [entry], "version": 1})
    with mockserver.serve(file) as server:
        answer = fetch(server)
    assert (answer.body, b"content-encoding" in answer.head.lower()) == (BODY, False)


def test_a_body_that_is_no_event_stream_at_all(tmp_path: Path) -> None:
    """What a server once sent is played as it is, and labelled as far as it can be."""
    body = b"data: not json\n\ndata: [1]\n\ndata: 5\n\n\n\nnothing"
    for wire, path in PATHS.items():
        entry = cassette.interaction(uri=URL + path, request="{}", body=body, content_type=TYPES[True])
        [turn] = load(written(tmp_path, cassette.dump([entry], origin="a test")))
        assert turn.recording
        assert join(turn.recording.frames) == body
        decoded = WIRES[wire].decode_stream(body)
        assert (decoded.reply.blocks, decoded.reply.finish_reason) == ((), "unfinished")
        assert decoded.unknown


def broken(**changes: Any) -> dict[str, Any]:
    entry = recorded("openai-chat", THREE, stream=True)
    for name, value in changes.items():
        part = entry["response"] if name in entry["response"] else entry["request"]
        part[name] = value
    return entry


GOOD = broken()
SECOND = "interaction 2 is not in vcrpy's format"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"interactions": [GOOD], "version": 2}, "cassettes of version 1 can be read, not 2"),
        ({"interactions": [GOOD]}, "cassettes of version 1 can be read, not None"),
        ({"interactions": [], "version": 1}, "'interactions' is a list with at least one interaction, not []"),
        ({"interactions": {"a": 1}, "version": 1}, "'interactions' is a list with at least one interaction, not {'a'"),
        ({"interactions": None, "version": 1}, "'interactions' is a list with at least one interaction, not None"),
        ({"interactions": [GOOD, 5], "version": 1}, SECOND),
        ({"interactions": [GOOD, {}], "version": 1}, f"{SECOND} (KeyError: 'request')"),
        ({"interactions": [GOOD, {"request": GOOD["request"]}], "version": 1}, f"{SECOND} (KeyError: 'response')"),
        ({"interactions": [GOOD, broken(status=200)], "version": 1}, SECOND),
        ({"interactions": [GOOD, broken(status={"code": "x"})], "version": 1}, SECOND),
        ({"interactions": [GOOD, broken(status={"code": 99})], "version": 1}, "is from 200 to 599, not 99"),
        ({"interactions": [GOOD, broken(headers=[1])], "version": 1}, SECOND),
        ({"interactions": [GOOD, broken(uri=5)], "version": 1}, "interaction 2, POST 5, belongs to no wire that this"),
        (
            {"interactions": [GOOD, broken(uri=URL + "/v1/embeddings")], "version": 1},
            "interaction 2, POST /v1/embeddings",
        ),
        (
            {"interactions": [GOOD, broken(uri="http://x/v1/models")], "version": 1},
            "interaction 2, POST /v1/models, belongs",
        ),
    ],
)
def test_broken_cassettes_are_told(tmp_path: Path, document: object, words: str) -> None:
    """One `CassetteError` that names the file, and the interaction."""
    with pytest.raises(CassetteError) as caught:
        load(written(tmp_path, document))
    assert "cassette.yaml: " in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"base64_string": "not base64!"}, SECOND),
        ({"base64_string": 5}, SECOND),
        ({"string": {"a": 1}}, f"{SECOND} (TypeError: a body is text, not dict)"),
        ({"string": 5}, f"{SECOND} (TypeError: a body is text, not int)"),
        ({"string": gzip.compress(b"data: x\n\n")[:-6]}, SECOND),
        ({"string": b"\xff\xfe\x00"}, "the body is binary, encoding br; record it with decode_compressed_response"),
    ],
)
def test_broken_bodies_are_told(tmp_path: Path, body: object, words: str) -> None:
    """A body that cannot be read names its interaction."""
    entry = recorded("openai-chat", THREE, stream=True)
    entry["response"]["body"] = body
    entry["response"]["headers"]["content-encoding"] = ["br"]
    with pytest.raises(CassetteError) as caught:
        load(written(tmp_path, {"interactions": [GOOD, entry], "version": 1}))
    assert words in str(caught.value)


def error_of(file: Path) -> str:
    """The text of the error of ours with which a file fails to load; any other escapes."""
    try:
        load(file)
    except MockServerError as error:
        return str(error)
    return "no error"


def test_a_cassette_that_was_cut_off_is_told(tmp_path: Path) -> None:
    """Wherever the text ends, it loads or gives an error of ours."""
    text = cassette.dump([GOOD], origin="a test")
    file = tmp_path / "cut.yaml"
    for at in range(0, len(text), 40):
        file.write_text(text[:at], encoding="utf-8")
        assert error_of(file).startswith(("no error", str(file)))


def test_tags_of_a_cassette_execute_nothing(tmp_path: Path) -> None:
    """Python's tags are refused, with file and line."""
    witness = tmp_path / "witness"
    file = written(tmp_path, f"interactions:\n- !!python/object/apply:os.system ['touch {witness}']\nversion: 1\n")
    with pytest.raises(ScriptError, match=r"cassette\.yaml, line 2: could not determine a constructor for the tag"):
        load(file)
    assert not witness.exists()


def test_questions_match_recordings_of_their_wire(tmp_path: Path) -> None:
    """One file may hold recordings of several wires; each request finds its own."""
    entries = [recorded(wire, THREE, stream=True) for wire in WIRE_NAMES]
    with mockserver.serve(written(tmp_path, cassette.dump(entries, origin="a test"))) as server:
        for wire in reversed(WIRE_NAMES):
            answer = ask(server.url + PATHS[wire], json=question(wire))
            assert answer.content == join(WIRES[wire].frames(THREE))
