"""Anthropic's messages and events, read back as far as a reply has places for what they hold.

Sources: the types `Message`, `RawMessageStreamEvent` and `ContentBlock` (and their beta forms) of the PyPI package
`anthropic`, and recorded streams.

Left out without a word are: the places in its source that a citation names (pages, blocks, characters of a document)
and its opaque `encrypted_index`; a `caller` of a tool that is the model itself; and, of a message, which container,
tier, region and speed it had, and which edits were made to its context.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...reply import Citation, Reasoning, ServerToolResult, Usage
from ..assemble import Assembler
from ..base import dumps, text_of
from .content import RESULT

_CALLS: Final = {"tool_use": "tool_call", "server_tool_use": "server_tool_call", "mcp_tool_use": "server_tool_call"}
_MESSAGE: Final = {
    "id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage", "container",
    "context_management", "diagnostics",
}  # fmt: skip
_USAGE: Final = {
    "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation",
    "output_tokens_details", "server_tool_use", "service_tier", "inference_geo", "iterations", "speed",
}  # fmt: skip
_EVENTS: Final[Mapping[str, set[str]]] = {
    "message_start": {"message"},
    "content_block_start": {"index", "content_block"},
    "content_block_delta": {"index", "delta"},
    "content_block_stop": {"index"},
    "message_delta": {"delta", "usage", "context_management"},
    "message_stop": {"amazon-bedrock-invocationMetrics"},
    "ping": set(),
    "error": {"error", "request_id"},
}
"""Keys of events beside their type."""


class Reading:
    """What was read of a message, whole or in events.

    Args:
        parts: its blocks, what was not understood, and its error.
        head: the message as it opened.
        finish: the provider's word for why it ended.
        usage: its counts, the later ones in place of the earlier.
    """

    def __init__(self) -> None:
        self.parts = Assembler()
        self.head: Mapping[str, Any] = {}
        self.finish = ""
        self.usage: dict[str, Any] = {}

    def whole(self, message: Mapping[str, Any]) -> None:
        """A message that is not streamed, or an error."""
        if message.get("type") == "error":
            self.parts.error = said(message)
            return
        self._start(message)
        blocks = message.get("content")
        for index, each in enumerate(blocks if isinstance(blocks, list) else ()):
            block = mapping(each)
            _read_opening(self.parts, index, block)
            if str(block.get("type")) in _CALLS and not block.get("input"):
                self.parts.call(index, id=None, name=None, piece="{}")

    def events(self, events: Iterable[Mapping[str, Any]]) -> None:
        """The events of a stream."""
        for event in events:
            kind = event.get("type")
            if not isinstance(kind, str) or kind not in _EVENTS:
                self.parts.unknown.append(f"event {kind!r}")
                continue
            self._strangers(f"key {{}} of event {kind!r}", event, {"type", *_EVENTS[kind]})
            self._event(kind, event)

    def _event(self, kind: str, event: Mapping[str, Any]) -> None:
        index = event.get("index")
        index = index if isinstance(index, int) else 0
        if kind == "error":
            self.parts.error = said(event)
        elif kind == "message_start":
            self._start(mapping(event.get("message")))
        elif kind == "content_block_start":
            _read_opening(self.parts, index, mapping(event.get("content_block")))
        elif kind == "content_block_delta":
            _read_delta(self.parts, index, mapping(event.get("delta")))
        elif kind == "message_delta":
            self._end(mapping(event.get("delta")), mapping(event.get("usage")))

    def _start(self, message: Mapping[str, Any]) -> None:
        self.head = message
        self._end(message, mapping(message.get("usage")))

    def _end(self, message: Mapping[str, Any], usage: Mapping[str, Any]) -> None:
        self._strangers("key {} of the message", message, _MESSAGE)
        self._strangers("count {}", usage, _USAGE)
        self.finish = words(message.get("stop_reason")) or self.finish
        self.usage |= {name: count for name, count in usage.items() if count is not None}

    def _strangers(self, what: str, fields: Mapping[str, Any], known: set[str]) -> None:
        for name in fields:
            line = what.format(repr(name))
            if name not in known and line not in self.parts.unknown:
                self.parts.unknown.append(line)


def words(value: object) -> str:
    """A recorded text as a reply can hold it: `""` for what is none, and U+FFFD for halves of surrogate pairs."""
    text = value if isinstance(value, str) else ""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def mapping(value: object) -> dict[str, Any]:
    """A recorded object; `{}` for what is none."""
    return value if isinstance(value, dict) else {}


def _read_opening(parts: Assembler, index: int, block: Mapping[str, Any]) -> None:
    """A recorded block as it opens; one that is not streamed holds all that it ever will."""
    kind = str(block.get("type"))
    if kind == "text":
        parts.add(index, "text", words(block.get("text")))
        citations = block.get("citations")
        for citation in citations if isinstance(citations, list) else ():
            _read_citation(parts, index, mapping(citation))
    elif kind == "thinking":
        parts.add(index, "reasoning", words(block.get("thinking")))
        parts.sign(index, words(block.get("signature")))
    elif kind == "redacted_thinking" and words(block.get("data")):
        parts.whole(index, Reasoning((), signature=words(block["data"]), redacted=True))
    elif kind in _CALLS:
        _read_call(parts, index, block)
    elif kind.endswith(RESULT) and block.get("tool_use_id"):
        _read_result(parts, index, block)
    else:
        parts.pass_over(index, f"content block {kind!r}")


def _read_call(parts: Assembler, index: int, block: Mapping[str, Any]) -> None:
    kind = str(block["type"])
    arguments = dumps(block["input"]) if block.get("input") else ""
    call_kind: Any = _CALLS[kind]
    parts.call(index, id=words(block.get("id")), name=words(block.get("name")), piece=arguments, kind=call_kind)
    for name in ("server_name", "toolset_name"):
        if block.get(name):
            parts.unknown.append(f"{name} {block[name]!r} of {kind}")
    _read_caller(parts, block)


def _read_result(parts: Assembler, index: int, block: Mapping[str, Any]) -> None:
    kind = str(block["type"])
    result = ServerToolResult(call_id=str(block["tool_use_id"]), kind=kind, output=dumps(block.get("content")))
    parts.whole(index, result)
    if block.get("is_error"):
        parts.unknown.append(f"is_error of {kind}")
    _read_caller(parts, block)


def _read_caller(parts: Assembler, block: Mapping[str, Any]) -> None:
    caller = mapping(block.get("caller")).get("type")
    if caller not in (None, "direct"):
        parts.unknown.append(f"caller {caller!r} of {block['type']}")


def _read_citation(parts: Assembler, index: int, citation: Mapping[str, Any]) -> None:
    found = {
        "url": citation.get("url") or citation.get("source"),
        "title": citation.get("title") or citation.get("document_title"),
        "quote": citation.get("cited_text"),
    }
    fields: dict[str, Any] = {name: words(value) for name, value in found.items() if isinstance(value, str)}
    if not fields:
        parts.unknown.append(f"citation {citation.get('type')!r}")
        return
    parts.cite(index, Citation(**fields))


def _read_delta(parts: Assembler, index: int, change: Mapping[str, Any]) -> None:
    """A recorded delta."""
    kind = change.get("type")
    if parts.is_passed(index):
        return
    if kind == "text_delta":
        parts.add(index, "text", words(change.get("text")))
    elif kind == "thinking_delta":
        parts.add(index, "reasoning", words(change.get("thinking")))
    elif kind == "signature_delta":
        parts.sign(index, words(change.get("signature")))
    elif kind == "input_json_delta":
        parts.call(index, id=None, name=None, piece=words(change.get("partial_json")))
    elif kind == "citations_delta":
        _read_citation(parts, index, mapping(change.get("citation")))
    else:
        parts.unknown.append(f"delta {kind!r}")


def read_usage(parts: Assembler, counts: Mapping[str, Any]) -> Usage | None:
    """The usage in recorded counts; all of a stream's, the later ones in place of the earlier."""
    read, created = _count(counts, "cache_read_input_tokens"), _count(counts, "cache_creation_input_tokens")
    return parts.usage(
        input_tokens=(_count(counts, "input_tokens") or 0) + (read or 0) + (created or 0),
        output_tokens=_count(counts, "output_tokens") or 0,
        cache_read=read,
        cache_creation=created,
        reasoning=_count(mapping(counts.get("output_tokens_details")), "thinking_tokens"),
    )


def _count(counts: Mapping[str, Any], name: str) -> int | None:
    value = counts.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def said(error: Mapping[str, Any]) -> str:
    """The words of a recorded error."""
    inner = error.get("error")
    return text_of(inner.get("message")) if isinstance(inner, dict) and inner.get("message") else dumps(inner)
