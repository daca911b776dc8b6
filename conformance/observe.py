"""What a message says, in a form in which two messages can be compared."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, reduce
from operator import add
from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from mockserver import Exchange, Reply, Usage, Wire

from .calls import PATIENCE, End, Stream
from .compat import RUN_ID_PREFIXES, content_blocks, invalid_tool_calls, text_of
from .verdict import Broken
from .wording import brief

FINISH_KEYS: Final = ("finish_reason", "stop_reason", "done_reason", "stopReason", "finishReason")
"""Under which of these a package keeps the finish reason is its own choice."""


def summed(chunks: Sequence[Any]) -> AIMessageChunk:
    """The sum of chunks, as a caller adds them up.

    Raises:
        Broken: there are none, or they cannot be added.
    """
    if not chunks:
        raise Broken("at least one chunk", "none")
    try:
        total: Any = reduce(add, chunks)
    except Exception as error:
        raise Broken("chunks can be added", f"{type(error).__name__}: {error}") from error
    if not isinstance(total, AIMessageChunk):
        raise Broken("the sum of chunks is an AIMessageChunk", brief(total))
    return total


def total(chunks: Sequence[Any]) -> Any:
    """The sum of chunks; the one item of a model without token streaming is whole already."""
    return chunks[0] if len(chunks) == 1 else summed(chunks)


def joined(chunks: Iterable[Any]) -> str:
    """The texts of all chunks, one after the other."""
    return "".join(text_of(chunk) for chunk in chunks)


def finish_of(message: BaseMessage) -> Any:
    """The finish reason of a message, wherever its package keeps it.

    OpenAI Responses has a status in its place, and beside the status `incomplete` a reason.
    """
    metadata = message.response_metadata
    details = metadata.get("incomplete_details")
    places = [*(metadata.get(key) for key in FINISH_KEYS), details.get("reason") if isinstance(details, dict) else None]
    return next((place for place in [*places, metadata.get("status")] if place), None)


def usage_of(message: BaseMessage) -> dict[str, Any] | None:
    """`usage_metadata` without details that are absent or 0, which say the same."""
    usage = getattr(message, "usage_metadata", None)
    if not usage:
        return None
    details = {key: _counted(value) for key, value in usage.items() if isinstance(value, Mapping)}
    totals = {key: value for key, value in usage.items() if key not in details}
    return totals | {key: value for key, value in details.items() if value}


def _counted(details: Mapping[str, Any]) -> dict[str, Any]:
    return {name: count for name, count in details.items() if count}


def content_of(message: BaseMessage) -> list[tuple[str, str]]:
    """Content as (type, what it says): adjacent texts are one, and how a package notes tool calls is left out."""
    parts = [message.content] if isinstance(message.content, str) else message.content
    found: list[tuple[str, str]] = []
    for part in parts:
        kind, said = ("text", part) if isinstance(part, str) else _part(part)
        if kind in _CALLS or (kind == "text" and not said):
            continue
        if found and found[-1][0] == kind and kind in ("text", "reasoning"):
            said = found.pop()[1] + said
        found.append((kind, said))
    return found


_CALLS: Final = ("tool_use", "tool_call", "tool_call_chunk", "input_json_delta", "function_call", "invalid_tool_call")


def _part(part: Mapping[str, Any]) -> tuple[str, str]:
    kind = str(part.get("type"))
    if kind in ("text", "output_text"):
        return "text", str(part.get("text") or "")
    if kind in ("thinking", "reasoning", "reasoning_content"):
        said = part.get("thinking") or part.get("reasoning") or part.get("text")
        if isinstance(said, str):
            return "reasoning", said
    rest = {key: value for key, value in part.items() if key not in ("type", "index")}
    return kind, json.dumps(rest, sort_keys=True, default=str)


_REASONING: Final = ("thinking", "reasoning", "reasoning_content", "thinking_content")
"""Types of content parts that hold reasoning, and the keys and fields in which packages keep it."""


def reasoning_of(message: BaseMessage) -> str:
    """The reasoning in a message, wherever its package keeps it: in content, in a field, in standard blocks."""
    parts = [message.content] if isinstance(message.content, str) else message.content
    fields = [message.additional_kwargs.get(name) for name in _REASONING]
    places = (_reasoning_among(parts), fields, _reasoning_among(content_blocks(message)))
    return next((said for place in places if (said := _thought(place))), "")


def _reasoning_among(parts: Iterable[Any]) -> list[Any]:
    return [part for part in parts if isinstance(part, Mapping) and part.get("type") in _REASONING]


def _thought(value: object) -> str:
    """All that a part or field says, its summary before what follows."""
    if isinstance(value, list):
        return "".join(map(_thought, value))
    if isinstance(value, Mapping):
        return "".join(_thought(value.get(key)) for key in (*_REASONING, "summary", "content", "text"))
    return value if isinstance(value, str) else ""


def leaves(value: object) -> Iterator[str]:
    """All texts in content and metadata of a message, at any depth; keys too, where they have a value.

    Bytes are given as the text that they hold and in base64.
    """
    if isinstance(value, AIMessage):
        yield from leaves([value.content, value.tool_calls, value.additional_kwargs, value.response_metadata])
    elif isinstance(value, Mapping):
        kept = {name: each for name, each in value.items() if each is not None}
        yield from map(str, kept)
        yield from leaves(list(kept.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from leaves(each)
    elif isinstance(value, bytes):
        yield from (value.decode("latin-1"), base64.b64encode(value).decode())
    elif isinstance(value, str):
        yield value


CALL_IDS: Final = "ids of calls"
"""Stands for the ids in all facets that hold calls."""


def own_ids(wire: Wire) -> tuple[str, ...]:
    """What two messages for the same reply may differ in, since packages make ids up where calls need none."""
    return () if wire.call_ids else (CALL_IDS,)


@cache
def untold(wire: Wire) -> tuple[str, ...]:
    """What streams of this wire do not tell, though whole answers do: `finish reason`, `model name`."""
    reply = Reply.of("x", id="x", model="x", usage=Usage(input_tokens=1, output_tokens=1))
    whole = wire.decode_whole(wire.whole(reply)).reply
    streamed = wire.decode_stream(b"".join(frame.data for frame in wire.frames(reply))).reply
    unnamed = ("model name",) if whole.model and not streamed.model else ()
    return (*unnamed, *(("finish reason",) if wire.tells_finish == {"whole"} else ()))


def without_ids(message: AIMessage) -> AIMessage:
    """The message without the ids of its calls, valid or not."""
    calls = [{**call, "id": None} for call in message.tool_calls]
    invalid = [{**call, "id": None} for call in invalid_tool_calls(message)]
    return message.model_copy(update={"tool_calls": calls, "invalid_tool_calls": invalid})


def facets(message: AIMessage) -> dict[str, Any]:
    """What two messages for the same reply must agree on, by name."""
    told: dict[str, Any] = {
        "text": text_of(message),
        "content": content_of(message),
        "tool calls": [(call["name"], call["args"], call["id"]) for call in message.tool_calls],
        "invalid tool calls": [(call["name"], call["args"], call["id"]) for call in invalid_tool_calls(message)],
        "usage": usage_of(message),
        "finish reason": finish_of(message),
        "model name": message.response_metadata.get("model_name"),
    }
    if not message.tool_calls and not told["invalid tool calls"] and {kind for kind, _ in told["content"]} <= {"text"}:
        told["type of content"] = type(message.content).__name__
    return told


def agree(wanted: Any, got: Any, *, names: tuple[str, str], but: tuple[str, ...] = ()) -> None:
    """Compare two messages facet by facet.

    Args:
        wanted: the message that sets the measure.
        got: the message that is measured.
        names: what the two are called in the failure text.
        but: facets that may differ, and `CALL_IDS` where ids may.

    Raises:
        Broken: with all facets that differ.
    """
    for message, name in zip((wanted, got), names, strict=True):
        if not isinstance(message, AIMessage):
            raise Broken("an AIMessage", f"{brief(message)} ({name})")
    if CALL_IDS in but:
        wanted, got = without_ids(wanted), without_ids(got)
    one, other = facets(wanted), facets(got)
    different = [name for name in dict.fromkeys([*one, *other]) if name not in but and one.get(name) != other.get(name)]
    if different:
        expected = "; ".join(f"{name} {_short(one.get(name))}" for name in different)
        observed = "; ".join(f"{name} {_short(other.get(name))}" for name in different)
        raise Broken(f"{expected} (as {names[0]})", f"{observed} ({names[1]})")


def unasked(exchanges: Iterable[Exchange]) -> tuple[str, ...]:
    """The facets of which a stream says nothing because the model did not ask; whether it should is for META to say."""
    streams = [exchange.asked for exchange in exchanges if exchange.asked and exchange.asked.stream]
    return ("usage",) if any(not asked.stream_usage for asked in streams) else ()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}…"


def is_run_id(id: str) -> bool:
    """Whether langchain-core gave this id, because the provider gave none."""
    return id.startswith(RUN_ID_PREFIXES)


def same_text(wanted: str, got: str) -> None:
    """Compare texts character for character.

    Raises:
        Broken: they differ; the text shows where.
    """
    if wanted == got:
        return
    at = next((i for i, (one, other) in enumerate(zip(wanted, got, strict=False)) if one != other), None)
    if at is None:
        at = min(len(wanted), len(got))
    start = max(0, at - 15)
    raise Broken(
        f"{len(wanted)} characters: {_window(wanted, start)}",
        f"{len(got)} characters: {_window(got, start)}",
        because=f"they differ from character {at} on",
    )


def _window(text: str, start: int) -> str:
    shown = text[start : start + 50]
    return f"{'…' if start else ''}{shown!r}{'…' if start + 50 < len(text) else ''}"


def next_text(stream: Stream[Any], limit: float = PATIENCE) -> str | None:
    """The next text of a stream, or `None` where none comes within `limit` seconds."""
    while (call := stream.within(limit)).done:
        chunk = call.value()
        if isinstance(chunk, End):
            return None
        if text := text_of(chunk):
            return text
    return None
