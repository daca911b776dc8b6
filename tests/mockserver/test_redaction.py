"""What is taken out of recordings: keys in every place, accounts, and nothing else."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from mockserver import WIRES, MockServerError, Reply, Text, ToolCall
from mockserver.cassettes.interaction import Arrival, Interaction, read
from mockserver.cassettes.keyformats import FORMATS, is_mask
from mockserver.cassettes.redaction import Redaction, credentials, public_host
from mockserver.cassettes.tape import Tape
from mockserver.frames import join
from mockserver.framings import eventstream, sse

from .helpers import PATHS, THREE
from .test_streams import STREAMS

_HEX: Final = "0123456789abcdef" * 8
_MIXED: Final = "aB3dE6gH9jK2mN5pQ8sT1vW4xY7z" * 8
_UPPER: Final = "A2B3C4D5E6F7G8H9"

KEYS: Final = {
    "Anthropic": f"sk-ant-api03-{_MIXED[:93]}AA",
    "OpenRouter": f"sk-or-v1-{_HEX[:64]}",
    "OpenAI": f"sk-proj-{_MIXED[:80]}",
    "OpenAI, old": f"sk-{_MIXED[:48]}",
    "OpenAI session": f"sess-{_MIXED[:40]}",
    "DeepSeek": f"sk-{_HEX[:32]}",
    "Google": f"AIzaSy{_MIXED[:33]}",
    "Google access": f"ya29.a0{_MIXED[:60]}",
    "Groq": f"gsk_{_MIXED[:52]}",
    "xAI": f"xai-{_MIXED[:80]}",
    "Hugging Face": f"hf_{_MIXED[:34]}",
    "Amazon": f"AKIA{_UPPER}",
    "Amazon, temporary": f"ASIA{_UPPER}",
    "Amazon Bedrock": f"ABSK{base64.b64encode(_MIXED[:90].encode()).decode()}",
    "NVIDIA": f"nvapi-{_MIXED[:64]}",
    "Perplexity": f"pplx-{_MIXED[:48]}",
    "Fireworks": f"fw_{_MIXED[:24]}",
    "Cerebras": f"csk-{_HEX[:48]}",
    "Together": f"tgp_v1_{_MIXED[:43]}",
    "Replicate": f"r8_{_MIXED[:37]}",
    "LangSmith": f"lsv2_pt_{_HEX[:32]}_{_HEX[:10]}",
    "Databricks": f"dapi{_HEX[:32]}-2",
    "GitHub": f"ghp_{_MIXED[:36]}",
    "Snowflake": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{_MIXED[:43]}",
    "own": "token: correct-horse-battery",
}
"""Made up, in the format of each."""
OWN: Final = (r"correct-horse-\w+",)
BARE: Final = {
    "Mistral": _MIXED[:32],
    "Cohere": _MIXED[3:43],
    "Azure": _HEX[:32],
    "IBM": f"{_MIXED[:20]}-{_MIXED[30:53]}",
    "Z.AI": f"{_HEX[:32]}.{_MIXED[:16]}",
    "Basic": "user-name:pass/word+with=signs",
}
"""Keys without a format, which only the request that brings them gives away."""

PLAIN: Final = Interaction(
    method="POST",
    uri="https://api.example.com/v1/chat/completions",
    request_headers={"content-type": "application/json"},
    request_body=b"{}",
    status=200,
    reason="OK",
    headers={"content-type": "text/event-stream"},
    body=b"data: {}\n\n",
)


def streamed(wire: str, reply: Reply) -> Interaction:
    return replace(PLAIN, uri=f"https://api.example.com{PATHS[wire]}", body=join(WIRES[wire].frames(reply)))


def placed(key: str) -> dict[str, Interaction]:
    """An interaction with a key for each place in which it can be overwritten or left out."""
    said = json.dumps({"messages": [{"role": "user", "content": f"My key is\n{key}, use it"}]})
    return {
        "a header": replace(PLAIN, request_headers={"authorization": f"Bearer {key}"}),
        "a kept header": replace(PLAIN, request_headers={"anthropic-beta": key}),
        "a header of the answer": replace(PLAIN, headers={"set-cookie": f"session={key}; Path=/", "x-key": key}),
        "a redirection": replace(PLAIN, headers={"location": f"https://api.example.com/v1/x?key={key}"}),
        "the query": replace(PLAIN, uri=f"{PLAIN.uri}?key={key}&alt={key}"),
        "the path": replace(PLAIN, uri=f"https://api.example.com/{key}/v1/chat/completions"),
        "the user of the URI": replace(
            PLAIN, uri=f"https://{key.replace(':', '').replace(' ', '')}:x@api.example.com/v1"
        ),
        "the request": replace(PLAIN, request_body=said.encode()),
        "the request, twice JSON": replace(PLAIN, request_body=json.dumps({"arguments": said}).encode()),
        "a request that is a form": replace(PLAIN, request_body=f"grant_type=x&client_secret={key}".encode()),
        "the answer": replace(PLAIN, body=f'{{"error": "Incorrect API key provided: {key}"}}'.encode()),
        "the stream": streamed("openai-chat", Reply.of("It is ", key)),
        "the reason of no wire": replace(PLAIN, uri="https://api.example.com/x", body=f"data: {key}\n\n".encode()),
    }


PLACES: Final = tuple(placed("x"))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("issuer", KEYS)
def test_a_key_is_in_no_cassette(tmp_path: Path, issuer: str, place: str) -> None:
    """Whoever issued it and wherever it is, it is not in the file, and the bodies keep their length."""
    key = KEYS[issuer]
    secret = "correct-horse-battery" if issuer == "own" else key
    found = placed(key)[place]
    tape = Tape(tmp_path / "a.yaml", Redaction(OWN))
    kept = tape.add(found, 1)
    tape.save()
    assert kept, tape.left_out
    assert secret not in (tmp_path / "a.yaml").read_text()
    assert read(tmp_path / "a.yaml") == (kept,)
    assert (len(kept.body), len(kept.request_body)) == (len(found.body), len(found.request_body))
    assert tape.masked + tape.headers > 0 or place == "the user of the URI"


@pytest.mark.parametrize("wire", list(PATHS))
@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("issuer", KEYS)
def test_a_key_that_a_stream_spreads_is_in_no_cassette(tmp_path: Path, issuer: str, size: int, wire: str) -> None:
    """It cannot be overwritten, so that the answer is left out, and it is said why, without the key."""
    key = KEYS[issuer]
    pieces = [key[at : at + size] for at in range(0, len(key), size)]
    for reply in (
        Reply.of("It is ", *pieces, "."),
        Reply(blocks=(Text(("a",)), ToolCall(pieces=('{"key": "', *pieces, '"}'), name="save", id="call_1"))),
    ):
        tape = Tape(tmp_path / "a.yaml", Redaction(OWN))
        assert tape.add(streamed(wire, reply), 1) is None
        [told] = tape.left_out
        assert told.startswith(f"POST {PATHS[wire]} (it would hold a key: ")
        assert key not in told
        tape.save()
        assert not (tmp_path / "a.yaml").exists()


@pytest.mark.parametrize("issuer", BARE)
def test_a_key_without_a_format_is_known_by_its_request(tmp_path: Path, issuer: str) -> None:
    """Echoed by its own answer or another's, in one piece, escaped, or spread over a stream."""
    key = BARE[issuer]
    value = f"Basic {base64.b64encode(key.encode()).decode()}" if issuer == "Basic" else f"Bearer {key}"
    secret = key.partition(":")[2] or key
    asked = replace(PLAIN, request_headers={"authorization": value})
    echoes = [
        replace(asked, body=f"data: {json.dumps({'error': f'no such key: {secret}'})}\n\n".encode()),
        replace(asked, body=json.dumps({"e": secret}).replace("=", "\\u003d").replace("+", "\\u002b").encode()),
        replace(PLAIN, request_body=json.dumps({"text": secret}).encode()),
    ]
    tape = Tape(tmp_path / "a.yaml")
    for number, echo in enumerate(reversed(echoes)):
        assert tape.add(replace(echo, uri=f"{PLAIN.uri}/{number}"), number)
    spread = streamed("openai-chat", Reply.of(*secret))
    assert tape.add(replace(spread, request_headers=asked.request_headers), 9) is None
    tape.save()
    texts = [text for each in read(tape.file) for text in (each.request_body.decode(), each.body.decode())]
    assert len(texts) == 6
    assert not any(secret in text or secret in text.encode().decode("unicode_escape") for text in texts)


@pytest.mark.parametrize("issuer", KEYS)
def test_a_key_in_an_event_stream_is_overwritten(tmp_path: Path, issuer: str) -> None:
    """In messages with checksums, which are made anew, in JSON and in JSON within base64."""
    secret = "correct-horse-battery" if issuer == "own" else KEYS[issuer]
    inner = base64.b64encode(json.dumps({"delta": {"text": secret}}).encode()).decode()
    messages = [
        eventstream.Message({":event-type": "chunk", "n": 1}, json.dumps({"text": f"a {secret} b"}).encode()),
        eventstream.Message({":event-type": "chunk"}, json.dumps({"bytes": inner}).encode()),
        eventstream.Message({":exception-type": secret}, b"{}"),
        eventstream.Message({":event-type": "chunk"}, b'{"text": "untouched"}'),
    ]
    parts = [eventstream.encode(message) for message in messages]
    cut = eventstream.encode(messages[0])[:-9]
    found = replace(PLAIN, headers={"content-type": "application/vnd.amazon.eventstream"}, body=b"".join((*parts, cut)))
    kept = Tape(tmp_path / "a.yaml", Redaction(OWN)).add(found, 1)
    assert kept
    assert len(kept.body) == len(found.body)
    again = list(eventstream.split(kept.body))
    assert again[3] == parts[3]
    decoded = [eventstream.decode(part) for part in again[:4]]
    assert secret.encode() not in kept.body
    assert secret not in base64.b64decode(json.loads(decoded[1].payload)["bytes"]).decode()
    assert [message.text(":event-type") for message in decoded] == ["chunk", "chunk", "", "chunk"]


def test_a_key_that_an_event_stream_spreads_is_left_out(tmp_path: Path) -> None:
    """Over messages, in JSON or in JSON within base64."""
    pieces = [KEYS["Anthropic"][at : at + 5] for at in range(0, 60, 5)]
    plain = [json.dumps({"delta": {"text": piece}}).encode() for piece in pieces]
    packed = [json.dumps({"bytes": base64.b64encode(each).decode()}).encode() for each in plain]
    for payloads in (plain, packed):
        body = b"".join(eventstream.encode(eventstream.Message({}, each)) for each in payloads)
        found = replace(PLAIN, headers={"content-type": "application/vnd.amazon.eventstream"}, body=body)
        assert Tape(tmp_path / "a.yaml").add(found, 1) is None


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-ndjson", "\n".join(json.dumps({"message": {"content": each}}) for each in KEYS["Groq"])),
        ("application/json", json.dumps([{"text": each} for each in KEYS["Groq"]])),
        ("text/event-stream", "".join(f'data: {{"unknown": "{each}"}}\n\n' for each in KEYS["Groq"])),
    ],
)
def test_a_key_that_is_spread_is_found_without_a_wire(tmp_path: Path, content_type: str, body: str) -> None:
    """In lines, in one array, and in events that no wire knows."""
    found = replace(PLAIN, uri="https://x.example/y", headers={"content-type": content_type}, body=body.encode())
    assert Tape(tmp_path / "a.yaml").add(found, 1) is None


def test_arrivals_stay_right() -> None:
    """What is overwritten is as long as before."""
    body = f"data: {KEYS['OpenAI']}\n\n".encode()
    found = replace(PLAIN, body=body, arrivals=(Arrival(at=0, size=9), Arrival(at=1, size=len(body) - 9)))
    redacted = Redaction().of(found)
    assert redacted.interaction.arrivals == found.arrivals
    assert redacted.masked == 1
    assert Redaction().of(redacted.interaction) == replace(redacted, masked=0)


def test_headers_are_kept_by_an_allow_list() -> None:
    """All that a client or a provider may put there is left out, known or not."""
    asked = {"host": "x", "x-api-key": "k", "x-anything": "y", "accept": "*/*", "anthropic-version": "2023-06-01"}
    answered = {"set-cookie": "a=b", "openai-organization": "org", "retry-after": "3", "content-type": "a/b"}
    redacted = Redaction().of(replace(PLAIN, request_headers=asked, headers=answered))
    assert redacted.interaction.request_headers == {"accept": "*/*", "anthropic-version": "2023-06-01"}
    assert redacted.interaction.headers == {"retry-after": "3", "content-type": "a/b"}
    assert redacted.headers == 5


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("https://a.example/v1?key=x&alt=sse&$alt=json&api-version=2024-10-21", None),
        ("https://mine.openai.azure.com/openai/deployments/gpt/chat/completions", "https://redacted.openai.azure.com/"),
        ("https://ab-cd.snowflakecomputing.com:443/api/v2", "https://redacted.snowflakecomputing.com:443/api/v2"),
        ("https://u:p@a.example/v1", "https://a.example/v1"),
        ("https://a.example/client/v4/accounts/0123/ai/run/@cf/m", "https://a.example/client/v4/accounts/REDA/ai/run/@cf/m"),
        (f"https://a.example/v1/{_HEX[:32]}/gateway", "https://a.example/v1/REDACTEDREDACTEDREDACTEDREDACTED/gateway"),
        ("https://a.example/v1/projects/my-proj/locations/global/x", "https://a.example/v1/projects/REDACTE/locations/global/x"),
        (
            "https://a.example/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.m/invoke",
            "https://a.example/model/arn%3Aaws%3Abedrock%3Aus-east-1%3AREDACTEDREDA%3Ainference-profile%2Fus.m/invoke",
        ),
    ],
)  # fmt: skip
def test_uris_lose_accounts_and_queries(uri: str, kept: str | None) -> None:
    """Parameters by an allow-list; hosts and paths where they name a customer."""
    redacted = Redaction().of(replace(PLAIN, uri=uri)).interaction.uri
    assert redacted.startswith(kept or "https://a.example/v1?key=REDACTED&alt=sse&$alt=json&api-version=2024-10-21")


@pytest.mark.parametrize(
    "text",
    [
        '{"organization": "org-abcdefghijklmnop1234"}',
        '{"error": "Limit reached in organization org-abcdefghijklmnop1234 on tokens"}',
        '{"client_secret":"no format at all", "a": "proj_abcdefghijklmnop1234"}',
        '{"compartmentId" : "ocid1.compartment.oc1..aaaaaaaabbbbbbbbccccccccdddddddd"}',
        '{"arguments": "{\\"password\\": \\"hunter2\\", \\"q\\": 1}"}',
        '{"arn": "arn:aws:bedrock:us-east-1:123456789012:inference-profile/x"}',
        '{"safety_identifier": "a\\"b"}',
        '{"metadata": {"user_id": "user_1"}}',
        "-----BEGIN RSA PRIVATE KEY-----\\nMIIabcdefghijklmnopqrstuvwxyz\\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_accounts_and_named_fields_are_overwritten(text: str) -> None:
    """In place, so that JSON stays JSON."""
    kept = Redaction().of(replace(PLAIN, body=text.encode())).interaction.body.decode()
    assert len(kept) == len(text)
    assert "REDA" in kept
    for secret in ("org-", "proj_", "ocid1", "no format", "hunter2", "123456789012", 'a\\"b', "user_1", "MIIa"):
        assert secret not in kept
    if text.startswith("{"):
        assert json.loads(kept).keys() == json.loads(text).keys()


@pytest.mark.parametrize(
    "text",
    [
        "ask-me-anything-about-2026-and-more",
        "task-oriented-dialogue-systems-v2",
        "Bearer tokens are described below",
        "the sk-learn-like-interface-of-things",
        base64.b64encode(bytes(range(256)) * 40).decode(),
        "shf_abcdefghijklmnopqrstuvwxyz123456",
        'the "api_key" argument: a string',
        '{"api_key": {"type": "string"}}',
        "user-friendly org-mode proj_x",
    ],
)
def test_what_only_looks_like_a_key_stays(text: str) -> None:
    """Words, base64 and schemas."""
    found = replace(PLAIN, body=text.encode())
    redacted = Redaction().of(found)
    assert redacted.interaction.body == found.body
    assert Redaction().leaks(redacted.interaction) == []


FILES: Final = sorted(STREAMS.glob("*.yaml"))


@pytest.mark.skipif(not FILES, reason=f"no recordings in {STREAMS}")
def test_nothing_is_taken_out_of_real_answers() -> None:
    """Keys were removed from the recorded streams at their source: not a byte of their bodies looks like one."""
    for file in FILES:
        for found in read(file):
            redacted = Redaction().of(found)
            assert redacted.interaction.body == found.body, file.name
            assert Redaction().leaks(redacted.interaction) == [], file.name


@pytest.mark.parametrize(
    ("wire", "path"),
    [
        ("cloudflare", f"/client/v4/accounts/{_HEX[:32]}/ai/run/@cf/meta/llama-3"),
        ("gemini-generate", "/v1beta1/projects/p-1/locations/l/publishers/google/models/g:generateContent"),
        ("anthropic-vertex", "/v1/projects/p-1/locations/l/publishers/anthropic/models/c:rawPredict"),
    ],
)
def test_an_account_taken_out_leaves_the_wire_known(wire: str, path: str) -> None:
    """Paths that name one still belong to their wire."""
    kept = Redaction().of(replace(PLAIN, uri=f"https://a.example{path}")).interaction.uri
    assert kept != f"https://a.example{path}"
    assert WIRES[wire].matches(kept.removeprefix("https://a.example"))


def test_credentials_of_a_request() -> None:
    """By the names of headers and parameters; not what is short, an attribute of a cookie, or a number of tokens."""
    asked = {
        "authorization": "Bearer key-number-1",
        "cookie": "sid=key-number-2; theme=dark",
        "x-goog-api-key": "key-number-3",
        "openai-organization": "org-number-4",
        "openai-project": "plain-words",
        "user-agent": "python-httpx/0.28.1",
        "x-short-key": "short",
    }
    answered = {
        "set-cookie": "sid=key-number-5; Domain=api.example.com; SameSite=Strictly",
        "x-ratelimit-reset-tokens": "1234567890",
    }
    found = replace(
        PLAIN, uri="https://u:key-number-6@a.b/c?token=key-number-7", request_headers=asked, headers=answered
    )
    known = credentials(found)
    assert {f"key-number-{number}" for number in (1, 2, 3, 5, 6, 7)} | {"org-number-4"} <= known
    assert not known & {"plain-words", "python-httpx/0.28.1", "short", "api.example.com", "Strictly", "1234567890"}


def test_a_pattern_that_is_none_is_told() -> None:
    """The pattern and what is wrong with it."""
    with pytest.raises(MockServerError, match=r"'\(a' is no regular expression: missing \)"):
        Redaction(("(a",))


def test_masks_and_hosts() -> None:
    """What a mask is, and what of a host is told."""
    assert is_mask(b"REDACTEDRED")
    assert not is_mask(b"REDACTEDX")
    assert public_host("user@mine.openai.azure.com:443") == "redacted.openai.azure.com:443"
    assert public_host("api.openai.com") == "api.openai.com"


def test_each_format_says_what_is_in_it() -> None:
    """A text that has none of the marks of a format is not searched, so each key has one."""
    for key in KEYS.values():
        assert any(mark in key for each in FORMATS for mark in each.marks) or "horse" in key
    assert all(each.marks for each in FORMATS)


def _events(body: bytes) -> list[Any]:
    return [json.loads(event.data) for event in sse.events(body) if event.data != "[DONE]"]


def test_a_stream_still_decodes() -> None:
    """What is overwritten in a piece leaves the others as they are."""
    found = streamed("openai-chat", Reply.of(*THREE.text, KEYS["OpenAI"]))
    kept = Redaction().of(found).interaction
    before, after = _events(found.body), _events(kept.body)
    assert [one == other for one, other in zip(before, after, strict=True)].count(False) == 1
