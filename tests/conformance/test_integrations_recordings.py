"""Recorded streams of real providers, each streamed by its own LangChain package, where that is installed.

The recordings stand beside the checkout (../shared/streams). All are played for REPLAY-01 in its sync form, a few for
all forms and for REPLAY-02 and REPLAY-03; ``pytest --chat-model=… --cassette=…`` plays all for all.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from conformance.bench import Benches
from conformance.cassettes import load
from conformance.catalogue import Case
from conformance.item import Item, items
from conformance.judge import judge
from conformance.rules import replay, replay_shown
from conformance.session import HIDDEN, hidden
from conformance.target import resolve

from ..broken.judging import AS_ITEMS, CLEARED

STREAMS: Final = Path(__file__).parents[3] / "shared" / "streams"
FILES: Final = sorted(STREAMS.glob("*.yaml"))
PROVIDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "langchain_openai:ChatOpenAI": (
        "openai-chat", "openai-responses", "crusoe-chat", "snowflake-chat", "bedrock-mantle-responses",
        "deepseek-responses", "openrouter-responses",
    ),
    "langchain_anthropic:ChatAnthropic": ("anthropic-messages",),
    "langchain_google_genai:ChatGoogleGenerativeAI": ("gemini-generate", "vertex-generate"),
    "langchain_aws:ChatBedrockConverse": ("bedrock-converse",),
    "langchain_aws:ChatOpenAIMantle": ("bedrock-mantle-responses",),
    "langchain_groq:ChatGroq": ("groq-chat",),
    "langchain_mistralai:ChatMistralAI": ("mistral-chat",),
    "langchain_deepseek:ChatDeepSeek": ("deepseek-chat",),
    "langchain_openrouter:ChatOpenRouter": ("openrouter-chat",),
    "langchain_huggingface:ChatHuggingFace": ("huggingface-chat",),
    "langchain_community.chat_models:ChatZhipuAI": ("zai-chat",),
}  # fmt: skip
"""The class for each provider's recordings; providers whose own class cannot be aimed at them have ChatOpenAI."""
FOUND: Final[Mapping[str, tuple[str, ...]]] = {
    "langchain_google_genai:ChatGoogleGenerativeAI": (
        "REPLAY-01-sync-gemini-generate-004", "REPLAY-01-async-gemini-generate-004",
        "REPLAY-01-sync-gemini-generate-014", "REPLAY-01-async-gemini-generate-014",
    ),
    "langchain_aws:ChatBedrockConverse": (
        "REPLAY-01-sync-bedrock-converse-001", "REPLAY-01-async-bedrock-converse-001",
    ),
    "langchain_openrouter:ChatOpenRouter": (
        "REPLAY-01-sync-openrouter-chat-001", "REPLAY-01-async-openrouter-chat-001",
    ),
    "langchain_community.chat_models:ChatZhipuAI": (
        "REPLAY-01-sync-zai-chat-000", "REPLAY-01-async-zai-chat-000",
    ),
}  # fmt: skip
"""What does not hold; docs/findings.md says whose fault it is."""
ERRORS: Final = {"groq-chat-002", "groq-chat-005", "openrouter-chat-001"}
"""Those that end in an error of the provider, as the README there says."""
FEW: Final = 3
"""How many recordings, the smallest, are played for all forms and rules."""

RESUMED: Final = "openai-responses-008"
"""A `GET` that takes up a stream where it broke off, which no chat model asks for."""

pytestmark = [*AS_ITEMS, pytest.mark.skipif(not FILES, reason=f"no recordings in {STREAMS}")]


def provider(file: Path) -> str:
    return file.stem.rpartition("-")[0]


@pytest.fixture(params=PROVIDERS)
def spec(request: pytest.FixtureRequest) -> str:
    """A class that is installed."""
    found: str = request.param
    pytest.importorskip(found.partition(":")[0], reason=f"{found} is not installed here")
    return found


def test_recordings_are_streamed_by_their_own_package(spec: str) -> None:
    """REPLAY-01, -02 and -03 hold, but for what is explained."""
    files = [file for file in FILES if provider(file) in PROVIDERS[spec] and file.stem != RESUMED]
    with hidden((*HIDDEN, *CLEARED)), contextlib.closing(Benches()) as benches:
        results = {item.name: judge(item, benches) for item in _chosen(spec, files)}
    assert {f"REPLAY-01-sync-{file.stem}" for file in files} <= results.keys()
    wrong = {name: result.reason for name, result in results.items() if result.verdict not in ("passed", "warned")}
    assert {name: reason for name, reason in wrong.items() if name not in FOUND.get(spec, ())} == {}


def _chosen(spec: str, files: list[Path]) -> Iterator[Item]:
    target = replace(resolve(spec, {}, {}), cassettes=replace(load(files), chosen=True))
    small = {file.stem for file in sorted(files, key=lambda file: file.stat().st_size)[:FEW]}
    for item in items(target):
        few = item.rule.id in ("REPLAY-01", "REPLAY-02", "REPLAY-03") and item.case.name in small
        if few or (item.rule.id == "REPLAY-01" and item.form == "sync"):
            yield item


def test_each_recording_has_a_package() -> None:
    """None is left out."""
    assert {provider(file) for file in FILES} == {each for names in PROVIDERS.values() for each in names}


def test_recordings_that_end_in_an_error_must_raise() -> None:
    """These and no others; an answer in the place of the error breaks REPLAY-01."""
    recorded = load(FILES).recorded
    assert {file.stem for file in FILES} - {each.label for each in recorded} == {RESUMED}
    assert {each.label for each in recorded if replay._must_raise(each)} == ERRORS
    for each in recorded:
        if each.label in ERRORS:
            assert replay._must_raise(each).startswith("the provider's answer is an error, ")
            assert not replay_shown._is_answer(Case(each.label, each).value)
