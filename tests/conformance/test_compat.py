"""What langchain-core does itself, whatever a model does, as far as rules must know it."""

from collections.abc import Iterator
from functools import wraps
from typing import Any, Final

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.runnables.retry import RunnableRetry

from conformance import compat
from conformance.bench import Benches
from conformance.compat import keeps_in_log, misplaces_retried, taken_for_one
from conformance.item import items
from conformance.judge import judge
from tests.broken.judging import target_of
from tests.sound.content import Answer, AnswerChunk

_BY_INDEX: Final = "langchain-core itself takes a call and a block of content for one, as both have the index {!r}"
_BY_TRANSLATOR: Final = "langchain-core's own translator leaves out the indices of calls, and so takes them for one"


def called(index: Any, id: str = "call_a", args: str = "{}") -> ToolCallChunk:
    return tool_call_chunk(name="get_weather", args=args, id=id, index=index)


def chunk(*calls: ToolCallChunk, content: Any = "", provider: str = "") -> AIMessageChunk:
    metadata = {"model_provider": provider} if provider else {}
    return AIMessageChunk(content=content, tool_call_chunks=list(calls), response_metadata=metadata)


def block(kind: str, index: Any) -> dict[str, Any]:
    return {"type": kind, kind: "so", "index": index}


@pytest.mark.parametrize(
    ("chunks", "told"),
    [
        ([], None),
        ([chunk(content="so")], None),
        ([chunk(content="so"), chunk(called(0))], None),
        ([chunk(content=[block("text", 0)]), chunk(called(1))], None),
        ([chunk(content=[block("text", 0)]), chunk(called(0))], _BY_INDEX.format(0)),
        ([chunk(called(2), content=[block("reasoning", 2)])], _BY_INDEX.format(2)),
        ([chunk(content=[block("image", 0)]), chunk(called(0))], None),
        ([chunk(content=[block("text", None)]), chunk(called(None))], None),
        ([chunk(content=["so", block("text", 1)]), chunk(called(1))], _BY_INDEX.format(1)),
    ],
)
def test_blocks_of_one_index_are_taken_for_one(chunks: list[AIMessageChunk], told: str | None) -> None:
    """A text or reasoning and a call that have one index are; what has none, or is of another kind, is not."""
    assert taken_for_one(chunks) == told


_TRANSLATED: Final = pytest.mark.skipif(compat.CORE_VERSION < (1, 1), reason="translators came with langchain-core 1.0")


@_TRANSLATED
@pytest.mark.parametrize(
    ("chunks", "told"),
    [
        ([chunk(called(0), provider="groq"), chunk(called(1, "call_b"), provider="groq")], _BY_TRANSLATOR),
        ([chunk(called(0), called(1, "call_b"), provider="groq")], _BY_TRANSLATOR),
        ([chunk(called(0), provider="groq"), chunk(called(0), provider="groq")], None),
        ([chunk(called(0), provider="openai"), chunk(called(1, "call_b"), provider="openai")], None),
        ([chunk(called(0), provider="nobody"), chunk(called(1, "call_b"), provider="nobody")], None),
        ([chunk(called(0)), chunk(called(1, "call_b"))], None),
    ],
)
def test_calls_whose_indices_a_translator_drops_are_taken_for_one(
    chunks: list[AIMessageChunk], told: str | None
) -> None:
    """Several calls are, where langchain-core's own translator for the provider leaves their indices out."""
    assert taken_for_one(chunks) == told


@_TRANSLATED
def test_a_translator_of_a_package_is_its_own_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indices that the package's own translator leaves out are no fault of langchain-core."""
    from langchain_core.messages import block_translators  # noqa: PLC0415

    def translate(message: AIMessage) -> list[Any]:
        return [{"type": "tool_call_chunk", "name": "get_weather", "args": "{}", "id": "call_a"}]

    known = {"translate_content": translate, "translate_content_chunk": translate}
    monkeypatch.setitem(block_translators.PROVIDER_TRANSLATORS, "mine", known)
    assert taken_for_one([chunk(called(0), called(1, "call_b"), provider="mine")]) is None


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (AIMessage("so"), True),
        (AIMessageChunk(content="so"), True),
        (Answer(content="so"), False),
        (AnswerChunk(content="so"), False),
        (None, False),
    ],
)
def test_the_log_keeps_messages_of_its_own_classes(message: object, *, kept: bool) -> None:
    """Messages of langchain-core's classes are loaded again for events v1; those of a package's own are not."""
    assert keeps_in_log(message) is kept


@pytest.fixture
def misplacing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A langchain-core whose retried batches give what came last first, as those up to 0.3.76 do."""
    sound, asound = RunnableRetry._batch, RunnableRetry._abatch

    @wraps(sound)
    def batch(self: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return sound(self, *args, **kwargs)[::-1]

    @wraps(asound)
    async def abatch(self: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return (await asound(self, *args, **kwargs))[::-1]

    monkeypatch.setattr(RunnableRetry, "_batch", batch)
    monkeypatch.setattr(RunnableRetry, "_abatch", abatch)
    misplaces_retried.cache_clear()
    yield
    misplaces_retried.cache_clear()


def because(spec: str, name: str) -> tuple[str, str]:
    """The verdict on an item of RETRY-05, and why it is so."""
    benches = Benches()
    [judged] = [each for each in items(target_of(spec)) if each.name == f"RETRY-05-{name}"]
    result = judge(judged, benches)
    benches.close()
    return result.verdict, dict(result.facts).get("because", "")


def test_places_are_kept_since_0_3_77() -> None:
    """Whether answers of a retried batch are misplaced is seen, and not told by the version."""
    parts = compat.CORE.split(".")[:3]
    assert bool(misplaces_retried()) == ([int(part) for part in parts] < [0, 3, 77])


@pytest.mark.usefixtures("misplacing")
@pytest.mark.parametrize("form", ["sync", "async"])
def test_a_retry_that_langchain_core_misplaces_says_so(form: str) -> None:
    """RETRY-05 fails for any model where langchain-core misplaces, and says whose fault it is."""
    told = (
        f"langchain-core {compat.CORE} itself misplaces answers of a retried batch, whatever the model; 0.3.77 does not"
    )
    assert because("tests.reference:ReferenceChat", f"{form}-retry-batch") == ("failed", told)
    assert because("tests.reference:ReferenceChat", f"{form}-fallback-batch") == ("passed", "")


@pytest.mark.usefixtures("misplacing")
def test_a_retry_of_a_models_own_is_blamed_on_it() -> None:
    """A retry that is not langchain-core's is to keep places by itself."""
    assert because("tests.broken.retry:MisplacesRetries", "sync-retry-batch") == ("failed", "")
