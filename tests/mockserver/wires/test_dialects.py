"""Dialects as data: how they are read, which path and host they belong to, and that recordings are of them."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
import yaml

from mockserver import WIRES, Request
from mockserver.errors import MockServerError
from mockserver.scripts.loader import load
from mockserver.wires import OpenAIChat, meant_wire, recorded_wire, wire_for
from mockserver.wires.chat.dialects import dialects, read

STREAMS: Final = Path(__file__).parents[4] / "shared" / "streams"
FILES: Final = sorted(STREAMS.glob("*-chat-*.yaml"))
BY_LINE: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def test_a_provider_is_data() -> None:
    """A table is a dialect, with what it leaves out as most providers have it."""
    made = read('[mine]\nsources = ["x"]\nreasoning = "reasoning"\nhosts = ["*.mine.test"]')["mine"]
    assert (made.name, made.reasoning, made.hosts, made.usage) == ("mine-chat", "reasoning", ("*.mine.test",), "own")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mine", "dialects.toml is not TOML: "),
        ("mine = 5", r"dialects.toml: \[mine\] is a table, not 5"),
        ("[mine]", r"dialects.toml: \[mine\] lacks the key 'sources'"),
        ('[mine]\nsources = ["x"]\nreasonin = ""', "has no key 'reasonin'; did you mean 'reasoning'?"),
        ('[mine]\nsources = ["x"]\nqqq = ""', "has no key 'qqq'; it has sources, hosts, "),
        (
            '[mine]\nsources = ["x"]\nreasoning = "x"',
            r"\[mine\].reasoning is one of 'reasoning_content', 'reasoning', ",
        ),
        ('[mine]\nsources = "x"', r"\[mine\].sources is a list of strings, not 'x'"),
        ("[mine]\nsources = [5]", r"\[mine\].sources is a list of strings, not \[5\]"),
        ('[mine]\nsources = []\nstrict = "no"', r"\[mine\].strict is a bool, not 'no'"),
        ("[mine]\nsources = []\nid_prefix = 5", r"\[mine\].id_prefix is a str, not 5"),
        ('[mine]\nsources = []\nhead = "x"', r"\[mine\].head is a table, not 'x'"),
    ],
)
def test_errors_name_the_key(text: str, words: str) -> None:
    """What is wrong in the file is told by table and key."""
    with pytest.raises(MockServerError, match=words):
        read(text)


def test_every_dialect_says_where_its_facts_come_from() -> None:
    """Each has sources, and a wire of its name in the family of Chat Completions."""
    for provider, dialect in dialects().items():
        assert dialect.sources
        wire = WIRES[f"{provider}-chat"]
        assert isinstance(wire, OpenAIChat)
        assert (wire.dialect, wire.family) == (dialect, "openai-chat")
        assert bool(dialect.comment) == bool(dialect.comment_source)
    assert next(iter(WIRES)) == "openai-chat"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/chat/completions", "openai-chat"),
        ("/chat/completions", "openai-chat"),
        ("/client/v4/accounts/a/ai/v1/chat/completions", "cloudflare-chat"),
        ("/openai/v1/chat/completions", "groq-chat"),
        ("/api/v1/chat/completions", "openrouter-chat"),
        ("/inference/v1/chat/completions", "fireworks-chat"),
        ("/x/openai/deployments/dep/chat/completions", "azure-chat"),
        ("/openai/deployments/groq/chat/completions", "azure-chat"),
        ("/v1/chat", "writer-chat"),
        ("/api/paas/v4/chat/completions", "zai-chat"),
        ("/compatible-mode/v1/chat/completions", "qwen-chat"),
        ("/api/v2/cortex/v1/chat/completions", "snowflake-chat"),
        ("/azure/openai/v1/chat/completions", "azure-chat"),
        ("/gigachat/api/v1/chat/completions", "gigachat-chat"),
        ("/huggingface/together/v1/chat/completions", "huggingface-chat"),
        *(
            (f"{front}/{provider}{base}/chat/completions", f"{provider}-chat")
            for provider in dialects()
            if provider != "openai"
            for front, base in (("", ""), ("/x", "/v1"))
        ),
    ],
)
def test_a_path_says_the_dialect(path: str, name: str) -> None:
    """By the way in which the provider's own paths end, or by the provider's name in front."""
    wire = wire_for(path)
    assert wire
    assert wire.name == name
    assert [each.name for each in WIRES.values() if each.matches(path)] == [name]


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chats", "/groq/v1/models", "/v1/completions", "/groq"])
def test_other_paths_are_not_of_this_family(path: str) -> None:
    """Nor do they become so by a provider's name."""
    assert not any(wire.matches(path) for wire in WIRES.values() if isinstance(wire, OpenAIChat))


def test_a_prefix_says_who_answers_an_unknown_path() -> None:
    """Errors to it are in the shape of the provider that is named."""
    assert meant_wire(Request(method="GET", path="/mistral/v1/oops")).name == "mistral-chat"


@pytest.mark.parametrize("dialect", dialects().values(), ids=dialects())
def test_a_host_says_the_dialect(dialect: object) -> None:
    """A recording of a generic path belongs to the provider whose host it was made at."""
    wire = WIRES[getattr(dialect, "name", "")]
    for pattern in wire.hosts:
        found = recorded_wire(pattern.replace("*", "x"), "/v1/chat/completions")
        assert found is wire


UNKNOWN: Final = {
    "groq-chat": {"delta key 'executed_tools'"},
    "openai-chat": {"chunk key 'moderation'"},
    "openrouter-chat": {"usage: output_tokens includes the reasoning tokens, so it cannot be smaller than they are"},
}
"""What recordings hold that a reply has no place for, by the first part of the file's name."""
UNFINISHED: Final = {"groq-chat-002", "groq-chat-005", "snowflake-chat-000", "snowflake-chat-001"}
"""Those that break off with an error, and Snowflake's, which never say why they end."""


@pytest.mark.skipif(not FILES, reason=f"no recordings in {STREAMS}")
@pytest.mark.parametrize("family", sorted({file.stem.rsplit("-", 1)[0] for file in FILES}))
def test_recordings_are_of_their_dialect(family: str) -> None:
    """Host and path give the wire; all of it is understood but what is listed; frames joined are the recording."""
    unknown: set[str] = set()
    for file in (each for each in FILES if each.stem.startswith(family)):
        [entry] = yaml.load(file.read_text(encoding="utf-8"), Loader=BY_LINE)["interactions"]
        address = urlsplit(entry["request"]["uri"])
        wire = recorded_wire(address.hostname or "", address.path)
        assert wire
        assert wire.name == family
        body = entry["response"]["body"]["string"].encode()
        decoded = wire.decode_stream(body)
        unknown |= set(decoded.unknown)
        assert (decoded.reply.finish_reason == "unfinished") == (file.stem in UNFINISHED)
        frames = wire.label(wire.split(body))
        assert b"".join(frame.data for frame in frames) == body
        kinds = [kind for frame in frames for kind in frame.kinds]
        assert kinds.count("finish") == (file.stem not in UNFINISHED)
        assert kinds.count("piece") == decoded.reply.piece_count
        [turn] = load(file)
        assert turn.when.wire == "openai-chat"
        wire.read(Request(body=entry["request"]["body"].encode()))
    assert unknown == UNKNOWN.get(family, set())


@pytest.mark.skipif(not FILES, reason=f"no recordings in {STREAMS}")
def test_recorded_requests_are_accepted() -> None:
    """What the provider answered is not refused."""
    for file in FILES:
        [entry] = yaml.load(file.read_text(encoding="utf-8"), Loader=BY_LINE)["interactions"]
        address = urlsplit(entry["request"]["uri"])
        wire = recorded_wire(address.hostname or "", address.path)
        assert wire
        wire.check(wire.read(Request(body=entry["request"]["body"].encode(), headers={"authorization": "Bearer k"})))
