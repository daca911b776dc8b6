"""OpenAI Responses: from recorded items and events back to a reply.

Reads what OpenAI, DeepSeek, Amazon Bedrock Mantle and OpenRouter were recorded sending. Text of reasoning
(`reasoning_text`, which only models with open weights show) and its summary are read alike. What a server did not
stream is read from the items that it sends when they are done.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from ...framings import sse
from ...reply import Citation, Media, ServerToolResult, Usage
from ..assemble import Assembler
from ..base import Decoded, dumps, recorded_object, text_of
from ..carried import listed
from .events import (
    CALLS,
    COMMON,
    EVENT_KEYS,
    FINISHED,
    INCOMPLETE,
    ITEM_KEYS,
    PARTS,
    RESPONSE_KEYS,
    SILENT,
    TEXTS,
    TextKind,
    inner,
    is_error,
)
from .items import FORMATS

_Key: TypeAlias = tuple[int, str, int]


def decode_whole(body: bytes) -> Decoded:
    """The reply in a recorded body."""
    reader = _Reader()
    response = recorded_object(body)
    if response.get("object") != "response" and response.get("error"):
        reader.parts.error = _said(response["error"])
    reader.finish(response)
    return reader.decoded()


def decode_stream(stream: bytes) -> Decoded:
    """The reply in a recorded stream, up to the event that ends it."""
    reader = _Reader()
    for event in sse.events(stream):
        if event.data.startswith("[DONE]"):
            break
        data = recorded_object(event.data)
        if not data:
            reader.parts.unknown.append(f"data {event.data[:40]!r}")
        elif reader.read(data):
            break
    return reader.decoded()


class _Reader:
    """Reads one answer, event by event."""

    def __init__(self) -> None:
        self.parts = Assembler()
        self._head: Mapping[str, Any] = {}
        self._final: Mapping[str, Any] = {}
        self._streamed: set[_Key] = set()
        """Blocks of which pieces came."""
        self._cited: set[_Key] = set()
        self._opened: set[int] = set()
        self._closed: set[int] = set()
        self._reasoning: dict[int, list[_Key]] = {}
        """The parts of each reasoning item as they began; its seal belongs to the last."""
        self._calls = False
        self._unknown_keys: set[str] = set()

    def read(self, event: Mapping[str, Any]) -> bool:
        """Read an event; says whether it ends the stream."""
        type, at = str(event.get("type")), _at(event, "output_index")
        self._check_keys("event", event, EVENT_KEYS)
        if type in FINISHED:
            self.finish(inner(event.get("response")))
            return True
        if is_error(event):
            self.parts.error = _said(event.get("error") or event)
        elif type in ("response.created", "response.in_progress", "response.queued"):
            self._head = self._head or inner(event.get("response"))
        elif not self.parts.is_passed(at):
            self._read_content(type, at, event)
        return False

    def _read_content(self, type: str, at: int, event: Mapping[str, Any]) -> None:
        if type in TEXTS:
            kind, place = TEXTS[type]
            self._add((at, place, _at(event, f"{place}_index")), kind, event.get("delta"))
        elif type in CALLS:
            key = (at, "call", 0)
            self.parts.call(key, id=None, name=None, piece=_text(event.get("delta")), kind=CALLS[type])
            self._streamed.add(key)
        elif type == "response.output_item.added":
            self._open(at, inner(event.get("item")))
        elif type == "response.output_item.done":
            self._close(at, inner(event.get("item")))
        elif type in ("response.content_part.added", "response.reasoning_summary_part.added"):
            place = "summary" if "summary" in type else "content"
            self._begin_part((at, place, _at(event, f"{place}_index")), inner(event.get("part")))
        elif type == "response.output_text.annotation.added":
            self._cite((at, "content", _at(event, "content_index")), inner(event.get("annotation")))
        elif type not in SILENT:
            self.parts.unknown.append(f"event {type!r}")

    def finish(self, response: Mapping[str, Any]) -> None:
        """Read the response as it is in the end: what it holds that did not stream."""
        self._final = response
        self._check_keys("response", response, RESPONSE_KEYS)
        for at, item in enumerate(listed(response.get("output"))):
            if at not in self._closed:
                self._close(at, inner(item))

    def decoded(self) -> Decoded:
        head = self._final or self._head
        usage = self._final.get("usage")
        reply = self.parts.reply(
            finish_reason=self._finish_reason(),
            usage=_usage(self.parts, inner(usage)) if usage else None,
            id=head.get("id"),
            model=head.get("model"),
        )
        return Decoded(reply, tuple(self.parts.unknown), self.parts.error)

    def _finish_reason(self) -> str | None:
        status = self._final.get("status")
        if status == "completed":
            return "tool_calls" if self._calls else "stop"
        if status == "incomplete":
            reason = str(inner(self._final.get("incomplete_details")).get("reason"))
            if reason not in INCOMPLETE:
                self.parts.unknown.append(f"incomplete reason {reason!r}")
            return INCOMPLETE.get(reason, reason)
        if status == "failed":
            self.parts.error = _said(self._final.get("error"))
        elif status is not None:
            self.parts.unknown.append(f"status {status!r}")
        return str(status) if status else None

    def _open(self, at: int, item: Mapping[str, Any]) -> None:
        """An item begins. Its blocks take their places at once, since other items may come before it ends."""
        type = str(item.get("type"))
        self._opened.add(at)
        if type not in ITEM_KEYS:
            self.parts.pass_over(at, f"output item {type!r}")
        elif type == "function_call":
            self._calls = True
            self.parts.call((at, "call", 0), id=item.get("call_id"), name=item.get("name"))
        elif type == "reasoning":
            self.parts.add((at, "summary", 0), "reasoning")
        elif type == "image_generation_call":
            self.parts.add((at, "media", 0), "text")
        elif type != "message":
            self.parts.call((at, "call", 0), id=item.get("id"), name=_tool_name(item), kind="server_tool_call")
            self.parts.add((at, "result", 0), "text")

    def _close(self, at: int, item: Mapping[str, Any]) -> None:
        """An item is done: take from it what did not stream."""
        if at not in self._opened:
            self._open(at, item)
        self._closed.add(at)
        type = str(item.get("type"))
        if self.parts.is_passed(at) or type not in ITEM_KEYS:
            return
        self._check_keys(type, item, COMMON | ITEM_KEYS[type])
        if type == "message":
            self._close_parts(at, "content", item)
        elif type == "reasoning":
            self._close_parts(at, "summary", item)
            self._close_parts(at, "content", item)
            last = self._reasoning.get(at, [(at, "summary", 0)])[-1]
            self.parts.sign(last, _text(item.get("encrypted_content")))
        elif type == "image_generation_call":
            self._close_image(at, item)
        else:
            self._close_call(at, item)

    def _close_parts(self, at: int, place: str, item: Mapping[str, Any]) -> None:
        for number, part in enumerate(listed(item.get(place))):
            key = (at, place, number)
            if key not in self._streamed and self._begin_part(key, inner(part)):
                kind, name = PARTS[part["type"]]
                self._add(key, kind, part.get(name))
            if key not in self._cited:
                for annotation in listed(inner(part).get("annotations")):
                    self._cite(key, inner(annotation))

    def _close_call(self, at: int, item: Mapping[str, Any]) -> None:
        key = (at, "call", 0)
        read = _ARGUMENTS[item["type"]]
        kind: Literal["tool_call", "server_tool_call"] = (
            "tool_call" if item["type"] == "function_call" else "server_tool_call"
        )
        if key not in self._streamed:
            self.parts.call(key, id=None, name=None, piece=read(item), kind=kind)
        result = _result(item)
        if result is not None:
            found = ServerToolResult(call_id=str(item.get("id")), kind=item["type"], output=dumps(result))
            self.parts.whole((at, "result", 0), found)

    def _close_image(self, at: int, item: Mapping[str, Any]) -> None:
        format, data = item.get("output_format") or "png", item.get("result")
        try:
            media = Media(mime_type=FORMATS.get(str(format), f"image/{format}"), data=_text(data))
        except ValueError as error:
            self.parts.unknown.append(f"image: {error}")
        else:
            if data is not None:
                self.parts.whole((at, "media", 0), media)

    def _begin_part(self, key: _Key, part: Mapping[str, Any]) -> bool:
        """A content part begins; says whether a reply has a place for it."""
        known = PARTS.get(str(part.get("type")))
        if known is None:
            self.parts.unknown.append(f"content part {part.get('type')!r}")
            return False
        self._add(key, known[0], "")
        return True

    def _add(self, key: _Key, kind: TextKind, piece: object) -> None:
        if kind == "reasoning":
            begun = self._reasoning.setdefault(key[0], [])
            begun += [key] if key not in begun else []
        self.parts.add(key, kind, _text(piece))
        if piece:
            self._streamed.add(key)

    def _cite(self, key: _Key, annotation: Mapping[str, Any]) -> None:
        self._cited.add(key)
        type = annotation.get("type")
        if type != "url_citation":
            self.parts.unknown.append(f"annotation {type!r}")
            return
        try:
            citation = Citation(
                url=annotation.get("url"),
                title=annotation.get("title"),
                start=annotation.get("start_index"),
                end=annotation.get("end_index"),
            )
        except (ValueError, TypeError) as error:
            self.parts.unknown.append(f"annotation: {error}")
        else:
            self.parts.cite(key, citation)

    def _check_keys(self, what: str, found: Mapping[str, Any], known: set[str]) -> None:
        """Note each key that this wire does not have, once."""
        for key in found:
            said = f"{what} key {key!r}"
            if key not in known and said not in self._unknown_keys:
                self._unknown_keys.add(said)
                self.parts.unknown.append(said)


def _action(item: Mapping[str, Any]) -> str:
    """The arguments of a search of the web: its action without the sources, which are its result."""
    action = {key: value for key, value in inner(item.get("action")).items() if key != "sources"}
    if action.get("type") == "search":
        del action["type"]
    return dumps(action)


_ARGUMENTS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "function_call": lambda item: _text(item.get("arguments")),
    "mcp_call": lambda item: _text(item.get("arguments")),
    "code_interpreter_call": lambda item: _text(item.get("code")),
    "web_search_call": _action,
    "file_search_call": lambda item: dumps({"queries": item.get("queries")}),
    "mcp_list_tools": lambda item: dumps({"server_label": item.get("server_label")}),
}
_RESULTS: Final[Mapping[str, str]] = {
    "mcp_call": "output",
    "code_interpreter_call": "outputs",
    "file_search_call": "results",
    "mcp_list_tools": "tools",
}


def _result(item: Mapping[str, Any]) -> object:
    """What the call of a server's tool came to; `None` where it says nothing of it."""
    if item.get("error") is not None:
        return {"error": item["error"]}
    if item["type"] == "web_search_call":
        return inner(item.get("action")).get("sources")
    return item.get(_RESULTS.get(item["type"], ""))


def _tool_name(item: Mapping[str, Any]) -> str:
    type = str(item.get("type"))
    if type == "mcp_call":
        return f"{item.get('server_label')}/{item.get('name')}"
    return type.removesuffix("_call")


def _usage(parts: Assembler, counts: Mapping[str, Any]) -> Usage | None:
    details = inner(counts.get("input_tokens_details"))
    return parts.usage(
        input_tokens=counts.get("input_tokens") or 0,
        output_tokens=counts.get("output_tokens") or 0,
        cache_read=details.get("cached_tokens"),
        cache_creation=details.get("cache_write_tokens"),
        reasoning=inner(counts.get("output_tokens_details")).get("reasoning_tokens"),
    )


def _said(error: object) -> str:
    """The words of a recorded error."""
    return (text_of(error.get("message")) if isinstance(error, dict) else "") or dumps(error)


def _text(value: object) -> str:
    """A recorded text; what some compatible servers send in its place, as JSON."""
    return value if isinstance(value, str) else "" if value is None else dumps(value)


def _at(event: Mapping[str, Any], name: str) -> int:
    index = event.get(name)
    return index if isinstance(index, int) else 0
