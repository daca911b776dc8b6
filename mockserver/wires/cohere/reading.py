"""From Cohere's messages and events back to a reply. Sources: those of `cohere`."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Final

from ...frames import FrameKind
from ...framings import sse
from ...reply import Citation
from ..assemble import Assembler
from ..base import Decoded, dumps, recorded_object, text_of

_STARTS: Final = ("message-start", "content-start", "tool-call-start", "citation-start")
_DELTAS: Final = ("content-delta", "tool-plan-delta", "tool-call-delta")
_SILENT: Final = ("message-start", "content-end", "tool-call-end", "citation-end", "debug")
_KEYS: Final = {"id", "message", "finish_reason", "usage"}
_MESSAGE_KEYS: Final = {"role", "content", "tool_plan", "tool_calls", "citations"}
_QUOTES: Final = ("snippet", "text")
_PLAN: Final = "plan"


def kinds(data: bytes) -> tuple[FrameKind, ...]:
    """What an event of a stream does, first of all first."""
    event = next(sse.events(data), None)
    if event is None:
        return ("noise",)
    if event.data.startswith("[DONE]"):
        return ("end",)
    found = recorded_object(event.data)
    kind = found.get("type")
    if kind == "message-end":
        end = _object(found, "delta")
        return ("error",) if _failed(end) else ("finish", "usage") if end.get("usage") else ("finish",)
    if kind in _DELTAS:
        return ("piece",) if _has_piece(found) else ("noise",)
    return ("start",) if kind in _STARTS else ("noise",)


def _has_piece(found: Mapping[str, Any]) -> bool:
    message = _object(_object(found, "delta"), "message")
    content, function = _object(message, "content"), _object(_object(message, "tool_calls"), "function")
    return any((content.get("text"), content.get("thinking"), message.get("tool_plan"), function.get("arguments")))


def _failed(end: Mapping[str, Any]) -> bool:
    return end.get("finish_reason") == "ERROR" or bool(end.get("error"))


def _object(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


def _objects(fields: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    found = fields.get(name)
    return (each for each in (found if isinstance(found, list) else ()) if isinstance(each, dict))


class Reader:
    """Reads one message, streamed or not.

    Args:
        finish_reasons: the neutral finish reason for each of the provider's words.
    """

    def __init__(self, finish_reasons: Mapping[str, str]) -> None:
        self._reasons = finish_reasons
        self._parts = Assembler()
        self._texts: list[object] = []

    def whole(self, answer: Mapping[str, Any]) -> Decoded:
        if isinstance(answer.get("message"), str):
            self._parts.error = answer["message"]
        else:
            self._note("key", answer, _KEYS)
        message = _object(answer, "message")
        self._note("message key", message, _MESSAGE_KEYS)
        for index, content in enumerate(_objects(message, "content")):
            self._content(index, content)
        self._plan(message)
        for index, call in enumerate(_objects(message, "tool_calls")):
            self._call(index, call)
        for citation in _objects(message, "citations"):
            self._citation(citation)
        return self._decoded(answer.get("id"), answer)

    def stream(self, stream: bytes) -> Decoded:
        given: object = None
        end: dict[str, Any] = {}
        for event in sse.events(stream):
            if event.data.startswith("[DONE]"):
                break
            found = recorded_object(event.data)
            given = given or found.get("id")
            if found.get("type") == "message-end":
                end = _object(found, "delta")
            elif found:
                self._event(found)
            else:
                self._parts.unknown.append(f"data {event.data[:40]!r}")
        return self._decoded(given, end)

    def _event(self, found: Mapping[str, Any]) -> None:
        kind, index = found.get("type"), found.get("index")
        message = _object(_object(found, "delta"), "message")
        if kind in ("content-start", "content-delta"):
            self._content(index, _object(message, "content"))
        elif kind == "tool-plan-delta":
            self._plan(message)
        elif kind in ("tool-call-start", "tool-call-delta"):
            self._call(index, _object(message, "tool_calls"))
        elif kind == "citation-start":
            self._citation(_object(message, "citations"))
        elif kind not in _SILENT:
            self._parts.unknown.append(f"event {kind!r}")

    def _note(self, what: str, found: Mapping[str, Any], known: set[str]) -> None:
        self._parts.unknown += [f"{what} {name!r}" for name, value in found.items() if name not in known and value]

    def _content(self, index: object, content: Mapping[str, Any]) -> None:
        key = ("content", str(index))
        if "thinking" in content:
            self._parts.add(key, "reasoning", text_of(content["thinking"]))
        elif "text" in content:
            self._text(key, text_of(content["text"]))
        else:
            self._parts.unknown.append(f"content {content.get('type')!r}")

    def _plan(self, message: Mapping[str, Any]) -> None:
        if plan := text_of(message.get("tool_plan")):
            self._text(_PLAN, plan)

    def _text(self, key: object, piece: str) -> None:
        self._parts.add(key, "text", piece)
        if key not in self._texts:
            self._texts.append(key)

    def _call(self, index: object, call: Mapping[str, Any]) -> None:
        function = _object(call, "function")
        self._parts.call(
            ("call", str(index)),
            id=text_of(call.get("id")),
            name=text_of(function.get("name")),
            piece=text_of(function.get("arguments")),
        )

    def _citation(self, citation: Mapping[str, Any]) -> None:
        """One for each of the sources; older streams do not say which block it stands in: the last text so far."""
        key: object = ("content", str(citation.get("content_index")))
        if citation.get("type") == "PLAN":
            key = _PLAN
        elif citation.get("content_index") is None and self._texts:
            key = self._texts[-1]
        if key not in self._texts:
            self._parts.unknown.append(f"citation of {citation.get('type')!r}")
            return
        for source in _objects(citation, "sources"):
            try:
                self._parts.cite(key, _cited(citation, source))
            except ValueError:
                self._parts.unknown.append(f"source {text_of(source.get('id'))!r}")

    def _decoded(self, given: object, end: Mapping[str, Any]) -> Decoded:
        finish = text_of(end.get("finish_reason"))
        if _failed(end):
            self._parts.error = text_of(end.get("error")) or dumps(end)
        reason = self._reasons.get(finish)
        if finish and reason is None and finish != "ERROR":
            self._parts.unknown.append(f"finish reason {finish!r}")
        usage = _object(end, "usage")
        counts = _object(usage, "tokens") or _object(usage, "billed_units")
        read = self._parts.usage(
            input_tokens=_count(counts.get("input_tokens")) or 0,
            output_tokens=_count(counts.get("output_tokens")) or 0,
            cache_read=_count(usage.get("cached_tokens")),
        )
        reply = self._parts.reply(
            finish_reason=reason or finish or None,
            usage=read if usage else None,
            id=text_of(given) or None,
            model=None,
        )
        return Decoded(reply, tuple(self._parts.unknown), self._parts.error)


def _cited(citation: Mapping[str, Any], source: Mapping[str, Any]) -> Citation:
    """Documents are what the client gave, in fields of its own; those of other names, and outputs of tools, are quoted
    whole.
    """
    document = _object(source, "document")
    quote = next((document[name] for name in _QUOTES if name in document), None)
    if "url" not in document and "title" not in document and quote is None:
        quote = dumps(document or source.get("tool_output") or source.get("id"))
    return Citation(
        url=document.get("url"),
        title=document.get("title"),
        quote=quote,
        start=_count(citation.get("start")),
        end=_count(citation.get("end")),
    )


def _count(value: object) -> int | None:
    """A count, which the types have as a float."""
    return int(value) if isinstance(value, int | float) and isfinite(value) else None
