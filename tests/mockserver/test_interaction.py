"""The format of cassettes: what is written is read back, by us and by vcrpy; what is broken is told."""

import base64
import gzip
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import vcr
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mockserver import CassetteError
from mockserver.cassettes.interaction import Arrival, Interaction, dump, interactions, is_cassette, read, write

from .strategies import LAW

URL: Final = "https://api.example.com/v1/chat/completions"
BODY: Final = b'data: {"n": 1}\n\ndata: {"n": "\xc3\xa9"}\n\ndata: [DONE]\n\n'
STREAM: Final = Interaction(
    method="POST",
    uri=URL,
    request_headers={"content-type": "application/json"},
    request_body=b'{"stream": true, "text": "it\'s"}',
    status=200,
    reason="OK",
    headers={"content-type": "text/event-stream"},
    body=BODY,
    arrivals=(Arrival(at=0.25, size=16), Arrival(at=0.5, size=len(BODY) - 16)),
    head=0.125,
    ended="closed",
)
BINARY: Final = replace(STREAM, body=b"\x00\x00\xff\xfe" * 30, arrivals=None, head=None, ended="whole")
ERROR: Final = replace(BINARY, status=429, reason="Too Many Requests", body=b'{"error": "slow down"}')

_LINES: Final = st.lists(
    st.sampled_from(
        [*"a\n\t #-:'\"|\\\x00\r\x7f\x85\u2028\ufeff\ufffe\U0001f420", "---", "..."],
    ),
    max_size=12,
).map("".join)


def saved(tmp_path: Path, document: object, name: str = "cassette.yaml") -> Path:
    file = tmp_path / name
    if isinstance(document, bytes):
        file.write_bytes(document)
    else:
        file.write_text(document if isinstance(document, str) else yaml.safe_dump(document), encoding="utf-8")
    return file


def play(file: Path, found: Interaction) -> httpx.Response:
    """The answer that stock vcrpy gives from a file."""
    with vcr.use_cassette(str(file), record_mode="none"):
        return httpx.request(found.method, found.uri, content=found.request_body)


@LAW
@given(st.one_of(_LINES, st.text(max_size=20)), _LINES, st.binary(max_size=20))
def test_what_is_dumped_is_read_back(text: str, line: str, data: bytes) -> None:
    """Any text and any bytes, by YAML's loaders in Python and in C, which vcrpy chooses between."""
    body = f"{text}\n{line}".encode()
    one = replace(STREAM, request_body=text.encode(), reason=line, body=body, arrivals=None, head=None, ended="whole")
    two = replace(one, body=data, uri=URL + line, request_headers={"a b": line})
    dumped = dump([one, two], origin=line)
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        document = yaml.load(dumped, Loader=loader)
        assert interactions(Path("x"), document) == (one, two)
        assert document.get("origin", "") == line


@pytest.mark.parametrize("name", ["a.yaml", "deep/er/a.yaml", "a.yaml.gz"])
def test_files_hold_interactions(tmp_path: Path, name: str) -> None:
    """Arrivals, endings, errors and binary bodies; gzip'd by the name of the file; folders are made."""
    found = (STREAM, BINARY, ERROR)
    write(tmp_path / name, dump(found, origin="made here"))
    assert read(tmp_path / name) == found
    assert [each.is_timed for each in found] == [True, False, False]
    assert is_cassette(tmp_path / name)
    assert [file.name for file in (tmp_path / name).parent.iterdir()] == [Path(name).name]


def test_a_dump_can_be_read() -> None:
    """Streams are blocks of lines, JSON is in single quotes, arrivals are a line each."""
    lines = dump([STREAM], origin="made here").splitlines()
    assert "      string: |+" in lines
    assert '        data: {"n": "é"}' in lines
    assert """    body: '{"stream": true, "text": "it''s"}'""" in lines
    assert "    - [0.250000, 16]" in lines
    assert lines[-2:] == ["version: 1", 'origin: "made here"']


def test_the_page_shows_the_format() -> None:
    """Its example is what is written."""
    page = (Path(__file__).parents[2] / "docs" / "cassettes.md").read_text(encoding="utf-8")
    [shown] = re.findall("```yaml\n(.*?)```", page, re.DOTALL)
    document = yaml.safe_load(shown)
    [found] = interactions(Path("x"), document)
    assert found.is_timed
    assert dump([found], origin=document["origin"]) == shown


@pytest.mark.parametrize("found", [STREAM, BINARY, ERROR], ids=["stream", "binary", "error"])
def test_stock_vcrpy_plays_it(tmp_path: Path, found: Interaction) -> None:
    """Status, headers and bytes are as recorded; what is beside them it passes over."""
    file = saved(tmp_path, dump([found]))
    answer = play(file, found)
    assert (answer.status_code, answer.reason_phrase) == (found.status, found.reason)
    assert dict(answer.headers) == found.headers
    assert answer.content == found.body


@pytest.mark.parametrize("found", [STREAM, BINARY], ids=["stream", "binary"])
def test_what_stock_vcrpy_writes_anew_is_read(tmp_path: Path, found: Interaction) -> None:
    """All but the arrivals, which vcrpy leaves out; then the recording says that it has none."""
    file = saved(tmp_path, dump([found]))
    with vcr.use_cassette(str(file), record_mode="none") as cassette:
        httpx.post(URL, content=found.request_body)
        cassette._save(force=True)
    [again] = read(file)
    assert again == replace(found, arrivals=None, head=None, ended="whole")
    assert not again.is_timed
    assert play(file, found).content == found.body


def test_cassettes_of_langchain_tests_are_read(tmp_path: Path) -> None:
    """Lists of requests and answers, gzip'd, as `CustomSerializer` in `langchain_tests/conftest.py` writes them."""
    file = tmp_path / "a.yaml.gz"
    request = {"method": "POST", "uri": URL, "body": b"{}", "headers": {"content-type": ["application/json"]}}
    answer = {"status": {"code": 200, "message": "OK"}, "headers": {"A": ["1", "2"]}, "body": {"string": BODY}}
    file.write_bytes(gzip.compress(yaml.safe_dump({"requests": [request], "responses": [answer]}).encode(), mtime=0))
    [found] = read(file)
    assert (found.uri, found.request_body, found.body) == (URL, b"{}", BODY)
    assert (found.headers, found.is_timed) == ({"a": "1, 2"}, False)
    assert is_cassette(file)


def entry(body: object = None, **changes: Any) -> dict[str, Any]:
    """An interaction as vcrpy writes it."""
    request = {"method": "POST", "uri": URL, "body": "{}", "headers": {}}
    response: dict[str, Any] = {
        "status": {"code": 200, "message": "OK"},
        "headers": {},
        "body": body or {"string": "x"},
    }
    return {"request": request, "response": {**response, **changes}}


@pytest.mark.parametrize(
    "body",
    [
        {"string": BODY.decode()},
        {"string": BODY},
        {"string": gzip.compress(BODY, mtime=0)},
        {"string": zlib.compress(BODY)},
        {"base64_string": base64.b64encode(BODY).decode()},
        {"base64_string": base64.encodebytes(BODY).decode()},
        BODY.decode(),
    ],
    ids=["text", "binary", "gzip", "deflate", "base64", "base64 in lines", "bare"],
)
def test_bodies_in_all_that_vcrpy_writes(tmp_path: Path, body: object) -> None:
    """Text, bytes, compressed bytes and base64 give the same body, and no content encoding is left."""
    file = saved(tmp_path, {"interactions": [entry(body, headers={"Content-Encoding": ["deflate"]})], "version": 1})
    [found] = read(file)
    assert (found.body, found.headers) == (BODY, {})


def test_answers_that_older_vcrpy_wrote_of_httpx(tmp_path: Path) -> None:
    """They have `content` and `status_code`."""
    old = {"status_code": 201, "http_version": "HTTP/1.1", "headers": {"a": ["1"]}, "content": "text"}
    [found] = read(saved(tmp_path, {"interactions": [{**entry(), "response": old}], "version": 1}))
    assert (found.status, found.headers, found.body) == (201, {"a": "1"}, b"text")


def test_json_cassettes_are_read(tmp_path: Path) -> None:
    """vcrpy's other format; a character above U+FFFF, which JSON escapes in two halves, is one."""
    text = json.dumps({"interactions": [entry({"string": "\U0001f420"})], "version": 1})
    [found] = read(saved(tmp_path, text, "a.json"))
    assert found.body == "\U0001f420".encode()
    assert is_cassette(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("written", "body"),
    [
        ("!!python/unicode '{}'", b"{}"),
        ("!!python/object/new:_io.BytesIO {state: !!python/tuple [!!binary e30=, 0, null]}", b"{}"),
        ("!!python/object/apply:builtins.iter {args: [[!!binary ew==, '}']]}", b"{}"),
    ],
)
def test_bodies_that_vcrpy_writes_with_tags_of_python(tmp_path: Path, written: str, body: bytes) -> None:
    """Files and iterators that were sent are read as their bytes, as vcrpy's own loader does."""
    text = yaml.safe_dump({"interactions": [entry()], "version": 1}).replace("'{}'", written)
    [found] = read(saved(tmp_path, text))
    assert found.request_body == body


def test_requests_are_the_same_whatever_the_form_of_their_json() -> None:
    """Their key is of method, URI and what the JSON says."""
    one, other = (replace(STREAM, request_body=body) for body in (b'{"a":1,"b":[2]}', b'{ "b": [2], "a": 1 }'))
    assert one.key == other.key
    assert one.key != replace(one, uri=URL + "?a").key
    assert one.key != replace(one, request_body=b"{").key


def test_tags_of_a_cassette_execute_nothing(tmp_path: Path) -> None:
    """Python's other tags are refused, with file and line."""
    witness = tmp_path / "witness"
    file = saved(tmp_path, f"interactions:\n- !!python/object/apply:os.system ['touch {witness}']\nversion: 1\n")
    with pytest.raises(CassetteError, match=r"cassette\.yaml, line 2: could not determine a constructor for the tag"):
        read(file)
    assert not witness.exists()


def test_a_cassette_that_was_cut_off_is_told(tmp_path: Path) -> None:
    """Wherever the text ends, it loads or gives one error that names the file."""
    text = dump([STREAM, BINARY])
    for at in range(0, len(text), 7):
        file = saved(tmp_path, text[:at])
        told = error_of(file)
        assert told.startswith(("no error", str(file)))
        assert "\n" not in told


def error_of(file: Path) -> str:
    """The text of the error of ours with which a file fails to load; any other escapes."""
    try:
        read(file)
    except CassetteError as error:
        return str(error)
    return "no error"


TIMED: Final = {**entry({"string": "12345"}), "stream": {"ended": "whole", "arrivals": [[0.1, 2], [0.2, 3]]}}


def stream(**changes: object) -> dict[str, Any]:
    return {**TIMED, "stream": {**TIMED["stream"], **changes}}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (5, ""),
        ({}, "(no 'request')"),
        ({"request": entry()["request"]}, "(no 'response')"),
        (entry(status=200), ""),
        (entry(status={"code": "x"}), "invalid literal"),
        (entry(status={"code": 99}), "is from 200 to 599, not 99"),
        (entry(headers=[1]), ""),
        (entry({"base64_string": "not base64!"}), "Only base64 data is allowed"),
        (entry({"base64_string": 5}), ""),
        (entry({"string": {"a": 1}}), "a body is text, not dict"),
        (entry({"string": gzip.compress(b"x", mtime=0)[:-6]}), "ended before"),
        (entry({"string": b"\xff\xfe"}, headers={"content-encoding": ["br"]}), "the body is binary, encoding br"),
        (stream(arrivals=[[0.1, 2]]), "the arrivals are of 2 bytes, and the body has 5"),
        (stream(arrivals=[[0.1, 5], [0.2, 0]]), "the arrivals are of 5 bytes"),
        (stream(arrivals=[[0.2, 2], [0.1, 3]]), "seconds from 0 that do not fall"),
        (stream(arrivals=[[-0.1, 5]]), "seconds from 0 that do not fall"),
        (stream(arrivals=[[float("nan"), 5]]), "seconds from 0 that do not fall"),
        (stream(head=0.15), "seconds from 0 that do not fall"),
        (stream(arrivals=[["0.1", 5]]), "a time is a number of seconds, not '0.1'"),
        (stream(arrivals=[[0.1, 5.0]]), "the size of an arrival is a number of bytes, not '5.0'"),
        (stream(arrivals=[[0.1]]), "values to unpack"),
        (stream(arrivals=5), "not iterable"),
        (stream(ended="badly"), "whole, closed, reset, timed out, interrupted, not 'badly'"),
        ({**TIMED, "stream": [1]}, ""),
    ],
)
def test_broken_interactions_are_told(tmp_path: Path, found: object, words: str) -> None:
    """One error with file, line and number of the interaction."""
    file = saved(tmp_path, {"interactions": [TIMED, found], "version": 1})
    line = next(number for number, text in list(enumerate(file.read_text().splitlines(), 1))[2:] if text[:2] == "- ")
    with pytest.raises(CassetteError) as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}, line {line}: interaction 2 is not in vcrpy's format (")
    assert words in str(caught.value)


BOMB: Final = "a: &a [x, x]\n" + "".join(
    f"{n}: &{n} [*{m}, *{m}, *{m}]\n" for m, n in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("interactions: [\n", "line 2: did not find expected node content"),
        ("interactions:\n- request: {body: !!binary '%%%'}\n", "line 2: wrong base64: Only base64 data is allowed"),
        ("interactions: []\nversion: 2\n", "cassettes of version 1 can be read, not '2'"),
        ("interactions: []\n", "cassettes of version 1 can be read, not 'None'"),
        ("interactions: []\nversion: 1\n", "is a list with at least one interaction, not an empty list"),
        ("interactions: {a: 1}\nversion: 1\n", "is a list with at least one interaction, not dict"),
        (f"{BOMB}interactions: {{a: *i}}\nversion: 1\n", "is a list with at least one interaction, not dict"),
        ("requests: [1]\nresponses: []\n", "'requests' and 'responses' are lists of the same length"),
        ("- 1\n", "is no cassette, which is a mapping with 'interactions' and 'version'"),
        ("", "is no cassette"),
        ("interactions: 2020-13-45\n", "holds a value that cannot be read"),
        ("[" * 5000, ""),
        (b"interactions: \xff\n", "is not UTF-8 text"),
        (b"interactions: \x00\n", ""),
        (gzip.compress(b"interactions: []", mtime=0)[:-3], "is gzip'd, and cut or broken"),
        (gzip.compress(b"interactions: []", mtime=0)[:12], "is gzip'd, and cut or broken"),
    ],
)
def test_broken_files_are_told(tmp_path: Path, content: str | bytes, words: str) -> None:
    """One error of one line that names the file, and the line where the text is at fault."""
    file = saved(tmp_path, content)
    with pytest.raises(CassetteError) as caught:
        read(file)
    assert str(caught.value).startswith(str(file))
    assert words in str(caught.value)
    assert len(str(caught.value)) < len(str(file)) + 200


def test_files_that_cannot_be_had_are_told(tmp_path: Path) -> None:
    """One that is not there, a folder, and a folder that cannot be made."""
    with pytest.raises(CassetteError, match=r"none\.yaml: No such file or directory"):
        read(tmp_path / "none.yaml")
    with pytest.raises(CassetteError, match="Is a directory"):
        write(tmp_path, "")
    (tmp_path / "file").write_text("")
    with pytest.raises(CassetteError, match=r"a\.yaml: "):
        write(tmp_path / "file" / "a.yaml", "")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert not is_cassette(tmp_path / "none.yaml")
