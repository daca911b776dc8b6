"""The SDKs of providers that speak Chat Completions, aimed at their dialects over a real socket."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import groq
import openrouter
import perplexity
import pytest
from mistralai.client import Mistral
from mistralai.client import errors as mistral_errors
from mistralai.client import models as mistral
from openrouter import components as routed
from openrouter import errors as openrouter_errors

import mockserver
from mockserver import (
    Citation,
    Delivery,
    Fault,
    Insert,
    Reasoning,
    Refusal,
    Refused,
    Reply,
    Server,
    Text,
    ToolCall,
    Turn,
    Usage,
)
from mockserver.wires import WIRES

from ..helpers import LIMIT, THREE

USER: Final[Any] = [{"role": "user", "content": "hi"}]
CALLS: Final = Reply(
    blocks=(
        Reasoning(("Let me ", "think.")),
        Text(("Ün", "\u2028", "\U0001f420")),
        ToolCall.of("get_weather", {"city": "Zürich"}, id="call_a", size=999),
        ToolCall.of("get_time", {"tz": ["UTC", None, 1.5]}, id="call_b", size=999),
    ),
    finish_reason="tool_calls",
    usage=Usage(input_tokens=30, output_tokens=12, cache_read=4, reasoning=3),
    id="id_rich",
    model="m-rich",
)
UNCOUNTED: Final = replace(CALLS, usage=Usage(input_tokens=30, output_tokens=12, cache_read=4))
"""Without a count of the reasoning, for which not each provider has a place."""
EMPTY: Final = Reply(id="i", model="m")
MILLISECONDS: Final = int(LIMIT * 1000)


@dataclass
class Seen:
    """What a client that adds the deltas up has in the end."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict)
    finish: str | None = None
    usage: tuple[int, int, int] | None = None

    def call(self, index: int, id: str | None, name: str | None, arguments: str | None) -> None:
        entry = self.calls.setdefault(index, ["", "", ""])
        for at, part in enumerate((id, name, arguments)):
            entry[at] += part or ""


def said(reply: Reply, name: str) -> Seen:
    """What it should have."""
    joined = {type(block): block.joined for block in reply.blocks}
    usage = reply.usage
    return Seen(
        text=reply.text,
        reasoning=joined.get(Reasoning, ""),
        refusal=joined.get(Refusal, ""),
        calls={at: [call.id, call.name, call.joined] for at, call in enumerate(reply.tool_calls)},
        finish=WIRES[name].finish_word(reply),
        usage=(usage.input_tokens, usage.output_tokens, usage.total_tokens) if usage else None,
    )


def counted(usage: Any) -> tuple[int, int, int]:
    return (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


# --- Groq


@pytest.fixture(scope="module")
def groq_client(server: Server) -> Iterator[groq.Groq]:
    with groq.Groq(base_url=server.url, api_key="k", max_retries=0, timeout=LIMIT) as made:
        yield made


def add_groq(seen: Seen, chunk: Any) -> None:
    for choice in chunk.choices:
        seen.text += choice.delta.content or ""
        seen.reasoning += choice.delta.reasoning or ""
        seen.finish = choice.finish_reason or seen.finish
        for call in choice.delta.tool_calls or ():
            seen.call(call.index, call.id, call.function.name, call.function.arguments)
    if chunk.x_groq and chunk.x_groq.usage:
        assert counted(chunk.x_groq.usage) == counted(chunk.usage)
        seen.usage = counted(chunk.usage)


@pytest.mark.parametrize("reply", [THREE, CALLS, EMPTY], ids=["text", "all", "empty"])
async def test_groq_reads_streams(server: Server, groq_client: groq.Groq, reply: Reply) -> None:
    """Sync and async: text, reasoning, whole calls, and the usage in both of its places."""
    server.play(reply)
    seen = Seen()
    for chunk in groq_client.chat.completions.create(model="m", messages=USER, stream=True):
        add_groq(seen, chunk)
    assert seen == said(reply, "groq-chat")
    async with groq.AsyncGroq(base_url=server.url, api_key="k", max_retries=0, timeout=LIMIT) as client:
        again = Seen()
        async for chunk in await client.chat.completions.create(model="m", messages=USER, stream=True):
            add_groq(again, chunk)
    assert again == seen


@pytest.mark.parametrize("reply", [THREE, CALLS], ids=["text", "all"])
def test_groq_reads_bodies(server: Server, groq_client: groq.Groq, reply: Reply) -> None:
    """The same content, finish reason and usage."""
    server.play(reply)
    answer = groq_client.chat.completions.create(model="m", messages=USER)
    [choice] = answer.choices
    seen = Seen(choice.message.content or "", choice.message.reasoning or "", finish=choice.finish_reason)
    for index, call in enumerate(choice.message.tool_calls or ()):
        seen.call(index, call.id, call.function.name, call.function.arguments)
    seen.usage = counted(answer.usage)
    assert seen == said(reply, "groq-chat")


def test_groq_raises_errors(server: Server, groq_client: groq.Groq) -> None:
    """An HTTP error is the typed one; in the middle of a stream it is the event that Groq names."""
    server.play(Refused(429, "Ünser words", headers={"retry-after": "0"}))
    with pytest.raises(groq.RateLimitError, match="Ünser words"):
        groq_client.chat.completions.create(model="m", messages=USER)
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault("error", before=2, message="out of fish"))))
    seen = Seen()
    chunks = groq_client.chat.completions.create(model="m", messages=USER, stream=True)
    for _ in range(3):
        add_groq(seen, next(chunks))
    with pytest.raises(groq.APIError, match="out of fish"):
        next(chunks)
    assert seen.text == "The moon is full "


# --- Mistral


@pytest.fixture(scope="module")
def mistral_client(server: Server) -> Iterator[Mistral]:
    with Mistral(server_url=f"{server.url}/mistral", api_key="k", timeout_ms=MILLISECONDS) as made:
        yield made


def mistral_parts(seen: Seen, content: Any) -> None:
    for part in [mistral.TextChunk(text=content)] if isinstance(content, str) else content or ():
        if isinstance(part, mistral.ThinkChunk):
            seen.reasoning += "".join(getattr(each, "text", "") for each in part.thinking)
        else:
            assert isinstance(part, mistral.TextChunk)
            seen.text += part.text


def mistral_calls(seen: Seen, calls: Any) -> None:
    for call in calls or ():
        assert call.index is not None
        seen.call(call.index, call.id, call.function.name, call.function.arguments)


def add_mistral(seen: Seen, event: mistral.CompletionEvent) -> None:
    [choice] = event.data.choices
    mistral_parts(seen, choice.delta.content)
    mistral_calls(seen, choice.delta.tool_calls)
    seen.finish = choice.finish_reason or seen.finish
    seen.usage = counted(event.data.usage) if event.data.usage else seen.usage


@pytest.mark.parametrize("reply", [THREE, UNCOUNTED, EMPTY], ids=["text", "all", "empty"])
async def test_mistral_reads_streams(server: Server, mistral_client: Mistral, reply: Reply) -> None:
    """Sync and async: thinking parts, whole calls, usage in the last chunk."""
    server.play(reply)
    seen = Seen()
    with mistral_client.chat.stream(model="m", messages=USER) as events:
        for event in events:
            add_mistral(seen, event)
    assert seen == said(reply, "mistral-chat")
    again = Seen()
    async with await mistral_client.chat.stream_async(model="m", messages=USER) as coming:
        async for event in coming:
            add_mistral(again, event)
    assert again == seen


@pytest.mark.parametrize("reply", [THREE, UNCOUNTED], ids=["text", "all"])
def test_mistral_reads_bodies(server: Server, mistral_client: Mistral, reply: Reply) -> None:
    """Content is a list of parts where there is thinking."""
    server.play(reply)
    answer = mistral_client.chat.complete(model="m", messages=USER)
    [choice] = answer.choices
    assert choice.message
    seen = Seen(finish=choice.finish_reason, usage=counted(answer.usage))
    mistral_parts(seen, choice.message.content)
    mistral_calls(seen, choice.message.tool_calls)
    assert seen == said(reply, "mistral-chat")


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_mistral_raises_errors(server: Server, mistral_client: Mistral, status: int) -> None:
    """The SDK's error has our words; a body with a detail alone at 401."""
    server.play(Refused(status, "Ünser words"))
    with pytest.raises(mistral_errors.SDKError, match="Ünser words") as caught:
        mistral_client.chat.complete(model="m", messages=USER)
    assert caught.value.status_code == status


def test_mistral_lists_models(mistral_client: Mistral) -> None:
    """Its entries have capabilities."""
    models = mistral_client.models.list().data
    assert models
    assert [(model.id, model.capabilities.completion_chat) for model in models if model.type == "base"] == [
        ("mock-model", True)
    ]


# --- OpenRouter


@pytest.fixture(scope="module")
def router(server: Server) -> Iterator[openrouter.OpenRouter]:
    with openrouter.OpenRouter(
        server_url=f"{server.url}/api/v1", api_key="k", timeout_ms=MILLISECONDS, retry_config=None
    ) as made:
        yield made


def add_routed(seen: Seen, chunk: Any) -> None:
    for choice in chunk.choices:
        seen.text += choice.delta.content or ""
        seen.reasoning += choice.delta.reasoning or ""
        seen.refusal += choice.delta.refusal or ""
        seen.finish = choice.finish_reason or seen.finish
        for call in choice.delta.tool_calls or ():
            seen.call(call.index, call.id, call.function.name, call.function.arguments)
    seen.usage = counted(chunk.usage) if chunk.usage else seen.usage


DECLINED: Final = Reply.of(Refusal(("I ", "won't")), id="id_2", model="m-2")


@pytest.mark.parametrize("reply", [THREE, CALLS, DECLINED, EMPTY], ids=["text", "all", "refusal", "empty"])
async def test_openrouter_reads_streams(server: Server, router: openrouter.OpenRouter, reply: Reply) -> None:
    """Sync and async, past its comments; usage comes unasked."""
    comment = WIRES["openrouter-chat"].contentless(reply)["comment"].frames
    server.play(Turn(reply=reply, delivery=Delivery(insert=(Insert("finish", comment),))))
    seen = Seen()
    with router.chat.send(model="m", messages=USER, stream=True) as chunks:
        for chunk in chunks:
            add_routed(seen, chunk)
    assert seen == said(reply, "openrouter-chat")
    again = Seen()
    async with await router.chat.send_async(model="m", messages=USER, stream=True) as coming:
        async for chunk in coming:
            add_routed(again, chunk)
    assert again == seen


@pytest.mark.parametrize("reply", [THREE, CALLS, DECLINED], ids=["text", "all", "refusal"])
def test_openrouter_reads_bodies(server: Server, router: openrouter.OpenRouter, reply: Reply) -> None:
    """The SDK's strict models accept the body."""
    server.play(reply)
    answer = router.chat.send(model="m", messages=USER)
    [choice] = answer.choices
    message = choice.message
    assert isinstance(message.content, str | None)
    seen = Seen(message.content or "", message.reasoning or "", message.refusal or "", finish=choice.finish_reason)
    for index, call in enumerate(message.tool_calls or ()):
        seen.call(index, call.id, call.function.name, call.function.arguments)
    seen.usage = counted(answer.usage)
    assert seen == said(reply, "openrouter-chat")


def test_openrouter_reads_seals_and_withheld_reasoning(server: Server, router: openrouter.OpenRouter) -> None:
    """Details of reasoning have the text, the signature, or the encrypted form."""
    found: list[Any] = []
    for block in (Reasoning(("a",), signature="s"), Reasoning((), signature="x", redacted=True)):
        server.play(Reply.of(block))
        with router.chat.send(model="m", messages=USER, stream=True) as chunks:
            found += [each for chunk in chunks for one in chunk.choices for each in one.delta.reasoning_details or ()]
    texts = [each for each in found if isinstance(each, routed.ReasoningDetailText)]
    assert ([each.text for each in texts if each.text], texts[-1].signature) == (["a"], "s")
    [sealed] = [each for each in found if isinstance(each, routed.ReasoningDetailEncrypted)]
    assert sealed.data == "x"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, openrouter_errors.UnauthorizedResponseError),
        (429, openrouter_errors.TooManyRequestsResponseError),
        (500, openrouter_errors.InternalServerResponseError),
    ],
)
def test_openrouter_raises_errors(
    server: Server, router: openrouter.OpenRouter, status: int, kind: type[Exception]
) -> None:
    """The typed error has our words."""
    server.play(Refused(status, "Ünser words"))
    with pytest.raises(kind, match="Ünser words"):
        router.chat.send(model="m", messages=USER, retries=None)


def test_openrouter_reads_an_error_in_a_stream(server: Server, router: openrouter.OpenRouter) -> None:
    """It stands in a chunk with the finish reason `error`."""
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault("error", before=2, message="out of fish"))))
    with router.chat.send(model="m", messages=USER, stream=True) as chunks:
        *_, last = chunks
    assert last.error
    assert (last.error.code, last.error.message) == (502, "out of fish")
    assert last.choices[0].finish_reason == "error"


# --- Perplexity


@pytest.fixture(scope="module")
def sonar(server: Server) -> Iterator[perplexity.Perplexity]:
    with perplexity.Perplexity(base_url=f"{server.url}/perplexity", api_key="k", max_retries=0, timeout=LIMIT) as made:
        yield made


CITED: Final = Reply(
    blocks=(Text(("a", "b"), citations=(Citation(url="https://x.test/", title="X", quote="q"),)),), id="i", model="m"
)


def add_sonar(seen: Seen, chunk: Any) -> None:
    for choice in chunk.choices:
        seen.text += choice.delta.content or ""
        assert choice.message.content == seen.text
        seen.finish = choice.finish_reason or seen.finish
        for call in choice.delta.tool_calls or ():
            seen.call(call.index, call.id, call.function.name, call.function.arguments)
    seen.usage = counted(chunk.usage)
    type(chunk).model_validate(chunk.model_dump(), strict=True)


@pytest.mark.parametrize("reply", [THREE, CITED, EMPTY], ids=["text", "citations", "empty"])
async def test_perplexity_reads_streams(server: Server, sonar: perplexity.Perplexity, reply: Reply) -> None:
    """Sync and async: each chunk has message, usage and sources, and its strict model accepts it."""
    server.play(reply)
    seen = Seen()
    chunks = list(sonar.chat.completions.create(model="m", messages=USER, stream=True))
    for chunk in chunks:
        add_sonar(seen, chunk)
    assert seen == said(reply, "perplexity-chat")
    results = [(each.url, each.title, each.snippet) for each in chunks[-1].search_results or ()]
    assert results == ([("https://x.test/", "X", "q")] if reply is CITED else [])
    base = f"{server.url}/perplexity"
    async with perplexity.AsyncPerplexity(base_url=base, api_key="k", max_retries=0, timeout=LIMIT) as client:
        again = Seen()
        async for chunk in await client.chat.completions.create(model="m", messages=USER, stream=True):
            add_sonar(again, chunk)
    assert again == seen


@pytest.mark.parametrize("reply", [THREE, CITED], ids=["text", "citations"])
def test_perplexity_reads_bodies(server: Server, sonar: perplexity.Perplexity, reply: Reply) -> None:
    """A body has the type of a chunk."""
    server.play(reply)
    answer = sonar.chat.completions.create(model="m", messages=USER)
    type(answer).model_validate(answer.model_dump(), strict=True)
    [choice] = answer.choices
    assert (choice.message.content, choice.finish_reason) == (reply.text, "stop")
    assert answer.citations == (["https://x.test/"] if reply is CITED else None)


def test_perplexity_raises_errors(server: Server, sonar: perplexity.Perplexity) -> None:
    """An HTTP error is the typed one."""
    server.play(Refused(429, "Ünser words"))
    with pytest.raises(perplexity.RateLimitError, match="Ünser words"):
        sonar.chat.completions.create(model="m", messages=USER)
