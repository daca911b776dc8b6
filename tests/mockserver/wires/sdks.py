"""The official SDKs, each asked as its users ask it, and what they give in neutral words."""

import base64
import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import anthropic
import boto3
import cohere
import groq
import ollama
import openai
import openrouter
import perplexity
from botocore.config import Config
from google import genai
from mistralai.client import Mistral

from mockserver import WIRES, Framing, Reply, Usage

from ..helpers import LIMIT

_USER: Final[Any] = [{"role": "user", "content": "hi"}]
_CHAT: Final[Any] = {"model": "m-asked", "messages": _USER}
_MESSAGES: Final[Any] = {**_CHAT, "max_tokens": 9}
_COUNTED: Final[Any] = {"stream_options": {"include_usage": True}}
_SHARED: Final[Any] = {"api_key": "k", "max_retries": 0, "timeout": LIMIT}
_MILLISECONDS: Final = int(LIMIT * 1000)


@dataclass
class Said:
    """A block: `text`, `reasoning`, `redacted` reasoning, a `refusal`, or a `call`, whose text is its arguments."""

    kind: str
    text: str = ""
    seal: str = ""
    id: str = ""
    name: str = ""


@dataclass
class Heard:
    """What a client has in the end. `blocks`: by their place, in the order in which they began."""

    blocks: dict[Hashable, Said] = field(default_factory=dict)
    finish: str | None = None
    usage: Usage | None = None
    id: str | None = None
    model: str | None = None
    role: str = "assistant"

    def add(self, at: Hashable, kind: str, text: str | None = "", **more: str | None) -> None:
        """More of the block at this place, or a new one; nothing where there is nothing to add."""
        more = {name: value for name, value in more.items() if value}
        if not (text or more) and at not in self.blocks and kind != "call":
            return
        block = self.blocks.setdefault(at, Said(kind))
        block.text += text or ""
        for name, value in more.items():
            setattr(block, name, getattr(block, name) + (value or ""))

    def go_on(self, kind: str, text: str | None = "", **more: str | None) -> None:
        """More of the last block, or a new one where that is of another kind."""
        last = len(self.blocks) - 1
        goes_on = last >= 0 and kind != "call" and self.blocks[last].kind == kind
        self.add(last if goes_on else last + 1, kind, text, **more)


def plain(arguments: object) -> str:
    """Arguments that an SDK gives as an object."""
    return json.dumps(arguments, sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class Sdk:
    """An official SDK, aimed at a server.

    Args:
        wire: the wire that it speaks.
        client: makes a client for the URL of a server.
        ways: each way to ask, by its name. All but ``whole`` stream; ``snapshot`` is what a helper adds up, without the
            order in which blocks of several kinds came.
        parses: whether it gives the arguments of calls as an object.
        lacks: what of a reply it does not give: `id`, `model`, `call ids`.
        bears: of the form of a stream, what it reads.
        reads: whether it reads this reply, asked in the way of this name.
    """

    wire: str
    client: Callable[[str], Any]
    ways: Mapping[str, Callable[[Any], Heard]]
    parses: bool = False
    lacks: tuple[str, ...] = ()
    bears: Callable[[Framing], Framing] = lambda framing: framing
    reads: Callable[[Reply, str], bool] = lambda reply, way: True


def _without_mark(framing: Framing) -> Framing:
    """anthropic (`SSEDecoder` in _streaming.py) and cohere (core/http_sse) take no byte order mark off, so that the
    first line is lost; mistralai and openrouter do if its bytes come together (`stream_events` in
    utils/eventstreaming.py). By WHATWG HTML, 9.2.5, it is no part of the stream.
    """
    return replace(framing, bom=False)


def _without_empty_blocks(framing: Framing) -> Framing:
    """openai, and what is generated like it, takes no byte order mark off, and a block without data for an event if it
    has a name, or one had an id before (`SSEDecoder.decode` in _streaming.py). By WHATWG HTML, 9.2.6, it is none.
    """
    blocks = framing.comments in ("between", "everywhere") or framing.blank_lines
    return replace(_without_mark(framing), dataless=False, ids=framing.ids and not blocks)


def _data_alone(framing: Framing) -> Framing:
    """google-genai takes each line for JSON that is not empty and does not begin with ``data: ``, whatever field or
    comment it is (`_iter_response_stream` in _api_client.py).
    """
    return Framing(line_ends=framing.line_ends, blank_lines=framing.blank_lines, split=framing.split)


def _without_blank_lines(framing: Framing) -> Framing:
    """ollama parses every line, and so an empty one (_client.py)."""
    return replace(framing, blank_lines=0)


def _detail(owner: Any, name: str) -> int | None:
    """A count that stands in an object of its own, where that is given; types of some SDKs leave it a dictionary."""
    found: int | None = owner.get(name) if isinstance(owner, dict) else getattr(owner, name, None)
    return found


# --- Chat Completions


def _chat_usage(usage: Any) -> Usage:
    prompt = getattr(usage, "prompt_tokens_details", None)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    return Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read=_detail(prompt, "cached_tokens"),
        cache_creation=_detail(prompt, "cache_write_tokens"),
        reasoning=_detail(getattr(usage, "completion_tokens_details", usage), "reasoning_tokens"),
    )


Reasoned: TypeAlias = Callable[[Heard, Any], None]


def _more(heard: Heard, message: Any) -> None:
    """Reasoning that the SDK's types do not have."""
    heard.add("reasoning", "reasoning", (message.model_extra or {}).get("reasoning_content"))


def _none(heard: Heard, message: Any) -> None:
    """Perplexity's messages have no reasoning."""


def _reasoning(heard: Heard, message: Any) -> None:
    heard.add("reasoning", "reasoning", message.reasoning)


def _details(heard: Heard, message: Any) -> None:
    """OpenRouter's: text with a seal, or what is encrypted."""
    for each in getattr(message, "reasoning_details", None) or ():
        if each.type == "reasoning.encrypted":
            heard.add("reasoning", "redacted", seal=each.data)
        else:
            heard.add("reasoning", "reasoning", each.text, seal=each.signature)


def _parts(heard: Heard, message: Any) -> None:
    """Mistral's: content is a string, or a list of texts and thoughts."""
    for part in message.content if isinstance(message.content, list) else ():
        if part.type == "thinking":
            thought = "".join(each.text for each in part.thinking)
            heard.add("reasoning", "reasoning", thought, seal=part.signature or None)
        else:
            heard.add("text", "text", part.text)


def _chat_message(heard: Heard, message: Any, reasoned: Reasoned) -> None:
    """A message, or what a chunk adds to it."""
    reasoned(heard, message)
    heard.add("text", "text", message.content if isinstance(message.content, str) else "")
    heard.add("refusal", "refusal", getattr(message, "refusal", None) or "")
    for number, call in enumerate(message.tool_calls or ()):
        at = getattr(call, "index", None)
        function = call.function
        heard.add(number if at is None else at, "call", function.arguments, id=call.id, name=function.name)


def _chat_whole(answer: Any, reasoned: Reasoned = _more) -> Heard:
    [choice] = answer.choices
    heard = Heard(id=answer.id, model=answer.model, role=choice.message.role)
    _chat_message(heard, choice.message, reasoned)
    heard.finish = choice.finish_reason
    heard.usage = _chat_usage(answer.usage) if answer.usage else None
    return heard


def _chat_stream(chunks: Iterable[Any], reasoned: Reasoned = _more) -> Heard:
    heard = Heard(role="")
    for chunk in chunks:
        heard.id, heard.model = chunk.id or heard.id, chunk.model or heard.model
        for choice in chunk.choices:
            heard.role = choice.delta.role or heard.role
            _chat_message(heard, choice.delta, reasoned)
            heard.finish = choice.finish_reason or heard.finish
        heard.usage = _chat_usage(chunk.usage) if chunk.usage else heard.usage
    return heard


def _openai_snapshot(client: Any) -> Heard:
    with client.chat.completions.stream(**_CHAT, **_COUNTED) as stream:
        # Its final completion is an error where the answer was cut short; what it added up is not.
        return _chat_whole(stream.until_done().current_completion_snapshot)


_COMPLETIONS: Final[Mapping[str, Callable[[Any], Heard]]] = {
    "chunks": lambda client: _chat_stream(client.chat.completions.create(**_CHAT, **_COUNTED, stream=True)),
    "snapshot": _openai_snapshot,
    "whole": lambda client: _chat_whole(client.chat.completions.create(**_CHAT)),
}


def _mistral_stream(client: Any) -> Heard:
    with client.chat.stream(**_CHAT) as events:
        return _chat_stream((event.data for event in events), _parts)


def _routed_stream(client: Any) -> Heard:
    with client.chat.send(**_CHAT, stream=True) as chunks:
        return _chat_stream(chunks, _details)


# --- Responses


def _responses_usage(usage: Any) -> Usage:
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read=usage.input_tokens_details.cached_tokens,
        cache_creation=usage.input_tokens_details.cache_write_tokens,
        reasoning=usage.output_tokens_details.reasoning_tokens,
    )


def _responses_whole(response: Any) -> Heard:
    why = response.incomplete_details
    heard = Heard(id=response.id, model=response.model, finish=why.reason if why else response.status)
    heard.usage = _responses_usage(response.usage) if response.usage else None
    for at, item in enumerate(response.output):
        if item.type == "function_call":
            heard.add(at, "call", item.arguments, id=item.call_id, name=item.name)
        elif item.type == "reasoning":
            for number, part in enumerate(item.summary):
                heard.add((at, number), "reasoning", part.text)
            _sealed(heard, at, item)
        else:
            for number, part in enumerate(item.content):
                is_text = part.type == "output_text"
                kind, text = ("text", part.text) if is_text else ("refusal", part.refusal)
                heard.add((at, number), kind, text)
    return heard


def _sealed(heard: Heard, at: int, item: Any) -> None:
    """An item of reasoning has several parts, of which the last has the seal."""
    heard.add((at, max(len(item.summary) - 1, 0)), "reasoning", seal=item.encrypted_content)


_DELTAS: Final = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "reasoning",
}


def _responses_events(client: Any) -> Heard:
    """The deltas added up; the rest is from the events that open and close."""
    heard = Heard()
    with client.responses.create(model="m-asked", input="hi", stream=True) as events:
        for event in events:
            _responses_event(heard, event)
    return heard


def _responses_event(heard: Heard, event: Any) -> None:
    kind, at = event.type, getattr(event, "output_index", 0)
    if kind in _DELTAS:
        number = event.summary_index if kind.startswith("response.reasoning") else event.content_index
        heard.add((at, number), _DELTAS[kind], event.delta)
    elif kind == "response.function_call_arguments.delta":
        heard.add(at, "call", event.delta)
    elif kind == "response.output_item.added" and event.item.type == "function_call":
        heard.add(at, "call", event.item.arguments, id=event.item.call_id, name=event.item.name)
    elif kind == "response.output_item.done" and event.item.type == "reasoning":
        _sealed(heard, at, event.item)
    elif kind in ("response.completed", "response.incomplete", "response.failed"):
        last = _responses_whole(event.response)
        heard.finish, heard.usage, heard.id, heard.model = last.finish, last.usage, last.id, last.model


def _responses_helper(client: Any) -> Heard:
    """The helper has a final response of what is completed alone; of the rest, the last event has it."""
    with client.responses.stream(model="m-asked", input="hi") as stream:
        *_, last = stream
        is_complete = last.type == "response.completed"
        return _responses_whole(stream.get_final_response() if is_complete else last.response)


# --- Anthropic


def _message(message: Any) -> Heard:
    usage = message.usage
    details = usage.output_tokens_details
    read, created = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    heard = Heard(id=message.id, model=message.model, finish=message.stop_reason)
    heard.usage = Usage(
        input_tokens=usage.input_tokens + (read or 0) + (created or 0),
        output_tokens=usage.output_tokens,
        cache_read=read,
        cache_creation=created,
        reasoning=_detail(details, "thinking_tokens"),
    )
    for at, block in enumerate(message.content):
        if block.type == "tool_use":
            heard.add(at, "call", plain(block.input), id=block.id, name=block.name)
        elif block.type == "thinking":
            heard.add(at, "reasoning", block.thinking, seal=block.signature)
        elif block.type == "redacted_thinking":
            heard.add(at, "redacted", seal=block.data)
        else:
            heard.add(at, "text", block.text)
    return heard


def _accumulated(client: Any) -> Heard:
    with client.messages.stream(**_MESSAGES) as stream:
        return _message(stream.get_final_message())


_ANTHROPIC: Final[Mapping[str, Callable[[Any], Heard]]] = {
    "helper": _accumulated,
    "whole": lambda client: _message(client.messages.create(**_MESSAGES)),
}


def _vertex(url: str) -> Any:
    shared = {name: value for name, value in _SHARED.items() if name != "api_key"}
    return anthropic.AnthropicVertex(base_url=f"{url}/v1", region="r", project_id="p", access_token="t", **shared)


# --- Bedrock


def _boto3(url: str) -> Any:
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="AKIAX",
        aws_secret_access_key="s",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=LIMIT),
    )


_CONVERSED: Final[Any] = {"modelId": "m-asked", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}


def _bedrock_usage(usage: Mapping[str, int]) -> Usage:
    read, created = usage.get("cacheReadInputTokens"), usage.get("cacheWriteInputTokens")
    return Usage(
        input_tokens=usage["inputTokens"] + (read or 0) + (created or 0),
        output_tokens=usage["outputTokens"],
        cache_read=read,
        cache_creation=created,
    )


def _thought(heard: Heard, at: int, thought: Mapping[str, Any]) -> None:
    if "redactedContent" in thought:
        heard.add(at, "redacted", seal=thought["redactedContent"].decode())
    else:
        heard.add(at, "reasoning", thought.get("text"), seal=thought.get("signature"))


def _converse(client: Any) -> Heard:
    answer = client.converse(**_CONVERSED)
    heard = Heard(finish=answer["stopReason"], usage=_bedrock_usage(answer["usage"]))
    for at, block in enumerate(answer["output"]["message"]["content"]):
        if "toolUse" in block:
            call = block["toolUse"]
            heard.add(at, "call", plain(call["input"]), id=call["toolUseId"], name=call["name"])
        elif "reasoningContent" in block:
            _thought(heard, at, block["reasoningContent"].get("reasoningText") or block["reasoningContent"])
        else:
            heard.add(at, "text", block["text"])
    return heard


def _converse_stream(client: Any) -> Heard:
    heard = Heard()
    for event in client.converse_stream(**_CONVERSED)["stream"]:
        [(name, value)] = event.items()
        at = value.get("contentBlockIndex")
        if name == "contentBlockStart":
            call = value["start"]["toolUse"]
            heard.add(at, "call", id=call["toolUseId"], name=call["name"])
        elif name == "contentBlockDelta":
            delta = value["delta"]
            if "reasoningContent" in delta:
                _thought(heard, at, delta["reasoningContent"])
            else:
                heard.add(at, "text", delta["toolUse"]["input"] if "toolUse" in delta else delta["text"])
        elif name == "messageStop":
            heard.finish = value["stopReason"]
        elif name == "metadata":
            heard.usage = _bedrock_usage(value["usage"])
    for block in heard.blocks.values():
        if block.kind == "call":
            block.text = plain(json.loads(block.text or "{}"))
    return heard


# --- Gemini


def _gemini(responses: Iterable[Any]) -> Heard:
    heard = Heard()
    for response in responses:
        heard.id, heard.model = response.response_id, response.model_version
        feedback = response.prompt_feedback
        heard.finish = feedback.block_reason.value if feedback else heard.finish
        if response.usage_metadata:
            heard.usage = _gemini_usage(response.usage_metadata)
        for candidate in response.candidates or ():
            heard.finish = candidate.finish_reason.value if candidate.finish_reason else heard.finish
            for part in (candidate.content and candidate.content.parts) or ():
                _gemini_part(heard, part)
    return heard


def _gemini_usage(usage: Any) -> Usage:
    return Usage(
        input_tokens=usage.prompt_token_count,
        output_tokens=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        cache_read=usage.cached_content_token_count,
        reasoning=usage.thoughts_token_count,
    )


def _gemini_part(heard: Heard, part: Any) -> None:
    """A part. A seal that is not of a call is of the thought before it."""
    seal = base64.b64encode(part.thought_signature or b"").decode()
    if call := part.function_call:
        heard.go_on("call", plain(call.args or {}), id=call.id, name=call.name, seal=seal)
        return
    if seal:
        heard.go_on("reasoning", seal=seal)
    heard.go_on("reasoning" if part.thought else "text", part.text)


_ASKED_GEMINI: Final[Any] = {"model": "gemini-2.5-flash", "contents": "hi"}


# --- Cohere


def _cohere_usage(usage: Any) -> Usage | None:
    if not usage:
        return None
    cached = usage.cached_tokens
    return Usage(
        input_tokens=int(usage.tokens.input_tokens),
        output_tokens=int(usage.tokens.output_tokens),
        cache_read=None if cached is None else int(cached),
    )


def _cohere_content(heard: Heard, at: int, content: Any) -> None:
    for kind, text in (("reasoning", getattr(content, "thinking", None)), ("text", getattr(content, "text", None))):
        heard.add(at, kind, text)


def _cohere_call(heard: Heard, at: int, call: Any) -> None:
    heard.add(("call", at), "call", call.function.arguments, id=call.id, name=call.function.name)


def _cohere_whole(client: Any) -> Heard:
    answer = client.chat(**_CHAT, request_options={"max_retries": 0})
    message = answer.message
    heard = Heard(id=answer.id, finish=answer.finish_reason, usage=_cohere_usage(answer.usage))
    for at, content in enumerate(message.content or ()):
        _cohere_content(heard, at, content)
    heard.add("plan", "text", message.tool_plan)
    for at, call in enumerate(message.tool_calls or ()):
        _cohere_call(heard, at, call)
    return heard


def _cohere_stream(client: Any) -> Heard:
    heard = Heard()
    for event in client.chat_stream(**_CHAT):
        message: Any = getattr(getattr(event, "delta", None), "message", None)
        if event.type == "message-start":
            heard.id = event.id
        elif event.type in ("content-start", "content-delta"):
            _cohere_content(heard, event.index, message.content)
        elif event.type == "tool-plan-delta":
            heard.add("plan", "text", message.tool_plan)
        elif event.type == "tool-call-start":
            _cohere_call(heard, event.index, message.tool_calls)
        elif event.type == "tool-call-delta":
            heard.add(("call", event.index), "call", message.tool_calls.function.arguments)
        elif event.type == "message-end":
            heard.finish, heard.usage = event.delta.finish_reason, _cohere_usage(event.delta.usage)
    return heard


# --- Ollama


def _ollama(lines: Iterable[Any]) -> Heard:
    heard = Heard()
    for line in lines:
        message = line.message
        heard.add("reasoning", "reasoning", message.thinking)
        heard.add("text", "text", message.content)
        for call in message.tool_calls or ():
            heard.add(len(heard.blocks), "call", plain(call.function.arguments), name=call.function.name)
        heard.model, heard.finish = line.model, line.done_reason
        if line.total_duration:
            # Counts of 0 are left out, and durations stand beside those that are given.
            heard.usage = Usage(input_tokens=line.prompt_eval_count or 0, output_tokens=line.eval_count or 0)
    return heard


def _ollama_reads(reply: Reply, way: str) -> bool:
    """What ollama reads: its _client.py has lines of httpx's `iter_lines`, which U+0085 ends too; Ollama sends it as it
    is, since Go's encoder escapes U+2028 and U+2029 alone.
    """
    return way == "whole" or not any("\x85".encode() in frame.data for frame in WIRES["ollama"].frames(reply))


SDKS: Final[Mapping[str, Sdk]] = {
    "openai": Sdk(
        wire="openai-chat",
        client=lambda url: openai.OpenAI(base_url=f"{url}/v1", **_SHARED),
        ways=_COMPLETIONS,
        bears=_without_empty_blocks,
    ),
    "openai on Azure": Sdk(
        wire="azure-chat",
        client=lambda url: openai.AzureOpenAI(azure_endpoint=url, api_version="2024-10-21", **_SHARED),
        ways=_COMPLETIONS,
        bears=_without_empty_blocks,
    ),
    "openai responses": Sdk(
        wire="openai-responses",
        client=lambda url: openai.OpenAI(base_url=f"{url}/v1", **_SHARED),
        ways={
            "events": _responses_events,
            "helper": _responses_helper,
            "whole": lambda client: _responses_whole(client.responses.create(model="m-asked", input="hi")),
        },
        bears=_without_empty_blocks,
    ),
    "anthropic": Sdk(
        wire="anthropic-messages",
        client=lambda url: anthropic.Anthropic(base_url=url, **_SHARED),
        ways=_ANTHROPIC,
        parses=True,
        bears=_without_mark,
    ),
    "anthropic before 2025": Sdk(
        wire="anthropic-messages-old",
        client=lambda url: anthropic.Anthropic(base_url=f"{url}/anthropic-old", **_SHARED),
        ways=_ANTHROPIC,
        parses=True,
        bears=_without_mark,
    ),
    "anthropic on Vertex": Sdk(
        wire="anthropic-vertex", client=_vertex, ways=_ANTHROPIC, parses=True, bears=_without_mark
    ),
    "anthropic on Bedrock": Sdk(
        wire="bedrock-invoke",
        client=lambda url: anthropic.AnthropicBedrock(base_url=url, aws_region="us-east-1", **_SHARED),
        ways=_ANTHROPIC,
        parses=True,
    ),
    "boto3": Sdk(
        wire="bedrock-converse",
        client=_boto3,
        ways={"stream": _converse_stream, "whole": _converse},
        parses=True,
        lacks=("id", "model"),
    ),
    "groq": Sdk(
        wire="groq-chat",
        client=lambda url: groq.Groq(base_url=url, **_SHARED),
        ways={
            "chunks": lambda client: _chat_stream(client.chat.completions.create(**_CHAT, stream=True), _reasoning),
            "whole": lambda client: _chat_whole(client.chat.completions.create(**_CHAT), _reasoning),
        },
        bears=_without_empty_blocks,
    ),
    "mistralai": Sdk(
        wire="mistral-chat",
        client=lambda url: Mistral(server_url=f"{url}/mistral", api_key="k", timeout_ms=_MILLISECONDS),
        ways={"chunks": _mistral_stream, "whole": lambda client: _chat_whole(client.chat.complete(**_CHAT), _parts)},
        bears=_without_mark,
        # models/chatcompletionresponse.py: a body has a usage; ours has none where a script gives none.
        reads=lambda reply, way: way != "whole" or reply.usage is not None,
    ),
    "openrouter": Sdk(
        wire="openrouter-chat",
        client=lambda url: openrouter.OpenRouter(
            server_url=f"{url}/api/v1", api_key="k", timeout_ms=_MILLISECONDS, retry_config=None
        ),
        ways={"chunks": _routed_stream, "whole": lambda client: _chat_whole(client.chat.send(**_CHAT), _details)},
        bears=_without_mark,
    ),
    "perplexity": Sdk(
        wire="perplexity-chat",
        client=lambda url: perplexity.Perplexity(base_url=f"{url}/perplexity", **_SHARED),
        ways={
            "chunks": lambda client: _chat_stream(client.chat.completions.create(**_CHAT, stream=True), _none),
            "whole": lambda client: _chat_whole(client.chat.completions.create(**_CHAT), _none),
        },
        bears=_without_empty_blocks,
    ),
    "google-genai": Sdk(
        wire="gemini-generate",
        client=lambda url: genai.Client(
            api_key="k", http_options=genai.types.HttpOptions(base_url=url, timeout=_MILLISECONDS)
        ),
        ways={
            "stream": lambda client: _gemini(client.models.generate_content_stream(**_ASKED_GEMINI)),
            "whole": lambda client: _gemini([client.models.generate_content(**_ASKED_GEMINI)]),
        },
        parses=True,
        bears=_data_alone,
    ),
    "cohere": Sdk(
        wire="cohere-chat",
        client=lambda url: cohere.ClientV2("k", base_url=url, timeout=LIMIT),
        ways={"stream": _cohere_stream, "whole": _cohere_whole},
        lacks=("model",),
        bears=_without_mark,
    ),
    "ollama": Sdk(
        wire="ollama",
        client=lambda url: ollama.Client(url, timeout=LIMIT, verify=False),
        ways={
            "stream": lambda client: _ollama(client.chat(**_CHAT, stream=True)),
            "whole": lambda client: _ollama([client.chat(**_CHAT)]),
        },
        parses=True,
        lacks=("id", "call ids"),
        reads=_ollama_reads,
        bears=_without_blank_lines,
    ),
}
"""The SDKs by their name."""
