"""Answers of Bedrock's Converse, whole and in events, read back as far as a reply has places for what they hold.

Sources: as for `bedrock_converse`. Left out without a word are metrics, traces, tiers and padding, and the places in a
document that a citation names.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...reply import Citation, Media, Reasoning, ServerToolResult, Usage
from ..anthropic.reading import mapping, words
from ..assemble import Assembler
from ..base import dumps

__all__ = ["Reading", "mapping"]

_EVENTS: Final[Mapping[str, set[str]]] = {
    "messageStart": {"role"},
    "contentBlockStart": {"contentBlockIndex", "start"},
    "contentBlockDelta": {"contentBlockIndex", "delta"},
    "contentBlockStop": {"contentBlockIndex"},
    "messageStop": {"stopReason", "additionalModelResponseFields"},
    "metadata": {"usage", "metrics", "trace", "performanceConfig", "serviceTier"},
}
"""Keys of events beside the padding."""
_WHOLE: Final = {"output", "stopReason", "additionalModelResponseFields", *_EVENTS["metadata"]}
_USAGE: Final = {
    "inputTokens", "outputTokens", "totalTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "cacheDetails",
    "cacheReadInputTokenCount", "cacheWriteInputTokenCount", "serverToolUsage",
}  # fmt: skip


class Reading:
    """What was read: blocks, what was not understood and an error in `parts`; the word for the end; the usage."""

    def __init__(self) -> None:
        self.parts = Assembler()
        self.finish = ""
        self.usage: Usage | None = None
        self._results: dict[int, dict[str, Any]] = {}
        """Results and images of which the stream has brought the head, by index."""
        self._images: dict[int, str] = {}

    def whole(self, answer: Mapping[str, Any]) -> None:
        """A body that is not streamed, or an error."""
        if "output" not in answer and "message" in answer:
            self.parts.error = words(answer["message"]) or dumps(answer["message"])
            return
        self._strangers("key {} of the answer", answer, _WHOLE)
        self._end(answer)
        blocks = mapping(mapping(answer.get("output")).get("message")).get("content")
        for index, block in enumerate(blocks if isinstance(blocks, list) else ()):
            self._block(index, mapping(block))

    def events(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """The events of a stream."""
        for event, payload in events:
            if event == "exception":
                self.parts.error = words(payload.get("message")) or dumps(payload)
            elif event in _EVENTS:
                self._strangers(f"key {{}} of event {event!r}", payload, {"p", *_EVENTS[event]})
                self._event(event, payload)
            else:
                self.parts.unknown.append(f"event {event!r}")

    def _event(self, event: str, payload: Mapping[str, Any]) -> None:
        index = payload.get("contentBlockIndex")
        index = index if isinstance(index, int) else 0
        if event == "contentBlockStart":
            self._start(index, mapping(payload.get("start")))
        elif event == "contentBlockDelta":
            self._delta(index, mapping(payload.get("delta")))
        else:
            self._end(payload)

    def _end(self, payload: Mapping[str, Any]) -> None:
        self.finish = words(payload.get("stopReason")) or self.finish
        counts = payload.get("usage")
        if isinstance(counts, dict):
            self._strangers("count {}", counts, _USAGE)
            self.usage = _usage(self.parts, counts)

    def _start(self, index: int, start: Mapping[str, Any]) -> None:
        for kind, value in start.items():
            head = mapping(value)
            if kind == "toolUse":
                self._call(index, head, "")
            elif kind == "toolResult":
                self._results[index] = {**head, "content": []}
            elif kind == "image":
                self._images[index] = words(head.get("format"))
            else:
                self.parts.pass_over(index, f"content block {kind!r}")

    def _delta(self, index: int, delta: Mapping[str, Any]) -> None:
        for kind, value in delta.items():
            change = mapping(value)
            if self.parts.is_passed(index):
                return
            if kind == "text":
                self.parts.add(index, "text", words(value))
            elif kind == "toolUse":
                self.parts.call(index, id=None, name=None, piece=words(change.get("input")))
            elif kind == "toolResult" and isinstance(value, list):
                self._results.setdefault(index, {"content": []})["content"] += value
                self._result(index, self._results[index])
            elif kind == "image":
                self._image(index, self._images.get(index, ""), mapping(change.get("source")))
            elif kind == "citation":
                self._citation(index, change)
            elif kind == "reasoningContent":
                self._reasoning(index, change)
            else:
                self.parts.unknown.append(f"delta {kind!r}")

    def _block(self, index: int, block: Mapping[str, Any]) -> None:
        for kind, value in block.items():
            content = mapping(value)
            if kind == "toolUse":
                self._call(index, content, dumps(content.get("input") or {}))
            elif kind == "toolResult":
                self._result(index, content)
            elif kind == "image":
                self._image(index, words(content.get("format")), mapping(content.get("source")))
            elif kind == "citationsContent":
                for each in _objects(content.get("citations")):
                    self._citation(index, each)
                for each in _objects(content.get("content")):
                    self.parts.add(index, "text", words(each.get("text")))
            elif kind == "reasoningContent":
                self._reasoning(index, {**content, **mapping(content.get("reasoningText"))})
            elif kind == "text":
                self.parts.add(index, "text", words(value))
            else:
                self.parts.pass_over(index, f"content block {kind!r}")

    def _call(self, index: int, use: Mapping[str, Any], piece: str) -> None:
        is_server = use.get("type") == "server_tool_use"
        if use.get("type") not in (None, "tool_use") and not is_server:
            self.parts.unknown.append(f"tool use of type {use['type']!r}")
        id, name = words(use.get("toolUseId")), words(use.get("name"))
        self.parts.call(index, id=id, name=name, piece=piece, kind="server_tool_call" if is_server else "tool_call")

    def _result(self, index: int, result: Mapping[str, Any]) -> None:
        """A result of one JSON value is that value, any other the list of its parts."""
        if not result.get("toolUseId"):
            self.parts.pass_over(index, "tool result without an id")
            return
        content = _objects(result.get("content"))
        output = content[0]["json"] if len(content) == 1 and set(content[0]) == {"json"} else content
        kind = words(result.get("type")) or "toolResult"
        self.parts.whole(index, ServerToolResult(call_id=str(result["toolUseId"]), kind=kind, output=dumps(output)))
        if result.get("status") not in (None, "success"):
            self.parts.unknown.append(f"status {result['status']!r} of {kind}")

    def _image(self, index: int, kind: str, source: Mapping[str, Any]) -> None:
        try:
            self.parts.whole(index, Media(mime_type=f"image/{kind}", data=words(source["bytes"])))
        except (KeyError, ValueError):
            self.parts.pass_over(index, f"image of format {kind!r}")

    def _citation(self, index: int, citation: Mapping[str, Any]) -> None:
        location = mapping(citation.get("location"))
        quote = [words(each.get("text")) for each in _objects(citation.get("sourceContent"))]
        url = mapping(location.get("web")).get("url", citation.get("source"))
        fields = {"url": url, "title": citation.get("title"), "quote": "".join(quote) if quote else None}
        kept: dict[str, Any] = {name: words(value) for name, value in fields.items() if isinstance(value, str)}
        if kept:
            self.parts.cite(index, Citation(**kept))
        else:
            self.parts.unknown.append(f"citation {dumps(citation)}")

    def _reasoning(self, index: int, content: Mapping[str, Any]) -> None:
        for kind, value in content.items():
            if kind == "text":
                self.parts.add(index, "reasoning", words(value))
            elif kind == "signature":
                self.parts.sign(index, words(value))
            elif kind == "redactedContent" and words(value):
                self.parts.whole(index, Reasoning((), signature=_text_of_blob(words(value)), redacted=True))
            elif kind != "reasoningText":
                self.parts.unknown.append(f"reasoning {kind!r}")

    def _strangers(self, what: str, fields: Mapping[str, Any], known: set[str]) -> None:
        for name in fields:
            line = what.format(repr(name))
            if name not in known and line not in self.parts.unknown:
                self.parts.unknown.append(line)


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text_of_blob(blob: str) -> str:
    """What is encrypted by the model's provider is text; other bytes stay base64."""
    try:
        return base64.b64decode(blob, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return blob


def _usage(parts: Assembler, counts: Mapping[str, Any]) -> Usage | None:
    """Bedrock counts cached tokens beside `inputTokens`, not among them."""
    found = {name: count for name, count in counts.items() if isinstance(count, int)}
    read, created = found.get("cacheReadInputTokens"), found.get("cacheWriteInputTokens")
    return parts.usage(
        input_tokens=found.get("inputTokens", 0) + (read or 0) + (created or 0),
        output_tokens=found.get("outputTokens", 0),
        cache_read=read,
        cache_creation=created,
    )
