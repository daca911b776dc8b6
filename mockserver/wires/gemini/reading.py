"""From Gemini's responses back to a reply. Sources: those of `gemini_parts`."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...frames import FrameKind
from ...reply import Citation, Media, ServerToolResult
from ..assemble import Assembler
from ..base import Decoded, dumps, text_of
from .parts import CODE, CODE_RESULT, TOOL_RESULT

_KEYS: Final = {
    "candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "createTime", "modelStatus",
}  # fmt: skip
_CANDIDATE_KEYS: Final = {
    "content", "finishReason", "finishMessage", "index", "groundingMetadata", "safetyRatings", "avgLogprobs",
    "logprobsResult", "tokenCount",
}  # fmt: skip
_GROUNDING_KEYS: Final = {"groundingChunks", "groundingSupports"}
_PART_KEYS: Final = {
    "text", "thought", "thoughtSignature", "functionCall", "inlineData", "executableCode", CODE_RESULT, "toolCall",
    TOOL_RESULT,
}  # fmt: skip
_CALL_KEYS: Final = {"name", "args", "id"}
_SUPPORT_KEYS: Final = {"segment", "groundingChunkIndices"}
_SOURCE_KEYS: Final = {"uri", "title", "text"}
_SOURCES: Final = ("web", "retrievedContext", "maps")
_CONTENT: Final = ("functionCall", "executableCode", "toolCall")
_BLOCKS: Final = ("inlineData", CODE_RESULT, TOOL_RESULT)
_URL_SAFE: Final = str.maketrans("-_", "+/")


def kinds(response: Mapping[str, Any]) -> tuple[FrameKind, ...]:
    """What a response of a stream does, first of all first."""
    if response.get("error"):
        return ("error",)
    candidate = next(objects(response, "candidates"), {})
    parts = list(objects(_object(candidate, "content"), "parts"))
    found: list[FrameKind] = []
    if any(part.get("text") or any(name in part for name in _CONTENT) for part in parts):
        found.append("piece")
    elif any(part.get("thoughtSignature") or any(name in part for name in _BLOCKS) for part in parts):
        found.append("start")
    if candidate.get("finishReason") or response.get("promptFeedback"):
        found += ["finish", "usage"] if response.get("usageMetadata") else ["finish"]
    return tuple(found) or (("usage",) if response.get("usageMetadata") and not parts else ("noise",))


def objects(fields: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """The objects in a recorded list; none where it is something else."""
    found = fields.get(name)
    return (each for each in (found if isinstance(found, list) else ()) if isinstance(each, dict))


def _object(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


class Reader:
    """Collects the responses of a stream, or the one that is not streamed.

    Args:
        finish_reasons: the neutral finish reason for each of the provider's words.
    """

    def __init__(self, finish_reasons: Mapping[str, str]) -> None:
        self._reasons = finish_reasons
        self._parts = Assembler()
        self._response_id = self._model = ""
        self._usage: dict[str, Any] = {}
        self._grounding: dict[str, Any] = {}
        self._finish: str | None = None
        self._texts: dict[int, str] = {}
        self._number = 0
        self._kind = ""
        self._calls = 0
        self._called = False
        self._code_id = ""

    def response(self, found: Mapping[str, Any]) -> None:
        if error := found.get("error"):
            self._parts.error = (text_of(error.get("message")) if isinstance(error, dict) else "") or dumps(error)
            return
        self.note("key", found, _KEYS)
        self._response_id = self._response_id or text_of(found.get("responseId"))
        self._model = self._model or text_of(found.get("modelVersion"))
        self._usage = _object(found, "usageMetadata") or self._usage
        if feedback := _object(found, "promptFeedback"):
            self._finish = str(feedback.get("blockReason") or "") or self._finish
        for candidate in objects(found, "candidates"):
            if candidate.get("index"):
                self._parts.unknown.append(f"candidate {candidate['index']}")
            else:
                self._candidate(candidate)

    def note(self, what: str, found: Mapping[str, Any], known: set[str]) -> None:
        self._parts.unknown += [f"{what} {name!r}" for name, value in found.items() if name not in known and value]

    def unknown(self, what: str) -> None:
        self._parts.unknown.append(what)

    def _candidate(self, candidate: Mapping[str, Any]) -> None:
        self.note("candidate key", candidate, _CANDIDATE_KEYS)
        self._finish = str(candidate.get("finishReason") or "") or self._finish
        self._grounding |= {name: value for name, value in _object(candidate, "groundingMetadata").items() if value}
        for part in objects(_object(candidate, "content"), "parts"):
            self._part(part)

    def _part(self, part: Mapping[str, Any]) -> None:
        self.note("part key", part, _PART_KEYS)
        seal = text_of(part.get("thoughtSignature"))
        if call := part.get("functionCall"):
            self._call(call if isinstance(call, dict) else {}, seal)
            return
        if part.get("thought") and "text" in part:
            if seal and self._kind != "reasoning":
                self._open("reasoning")
            self._text("reasoning", text_of(part["text"]))
            self._parts.sign(self._number, seal)
            return
        if seal:
            if self._kind != "reasoning":
                self._open("seal")
            self._parts.sign(self._number, seal)
            self._kind = "sealed"
        if "text" in part:
            self._text("text", text_of(part["text"]))
        elif code := _object(part, "executableCode"):
            self._server_call(code, CODE, {name: code[name] for name in code if name != "id"})
        elif call := _object(part, "toolCall"):
            self._server_call(call, str(call.get("toolType") or ""), call.get("args") or {})
        else:
            self._whole(part)

    def _open(self, kind: str) -> int:
        self._number += 1
        self._kind = kind
        return self._number

    def _text(self, kind: str, piece: str) -> None:
        if not piece:
            return
        if self._kind != kind:
            self._open(kind)
        if kind == "text":
            self._parts.add(self._number, "text", piece)
            self._texts[self._number] = self._texts.get(self._number, "") + piece
        else:
            self._parts.add(self._number, "reasoning", piece)

    def _id(self, found: Mapping[str, Any]) -> str:
        """The id of a call; older models send none."""
        self._calls += 1
        return str(found.get("id") or f"call_{self._calls}")

    def _call(self, call: Mapping[str, Any], seal: str) -> None:
        self.note("function call key", call, _CALL_KEYS)
        self._called = True
        key = self._open("call")
        self._parts.call(key, id=self._id(call), name=text_of(call.get("name")), piece=dumps(call.get("args") or {}))
        self._parts.sign(key, seal, kind="tool_call")

    def _server_call(self, found: Mapping[str, Any], name: str, args: object) -> None:
        self._code_id = self._id(found)
        self._parts.call(
            self._open("server call"), id=self._code_id, name=name, piece=dumps(args), kind="server_tool_call"
        )

    def _whole(self, part: Mapping[str, Any]) -> None:
        for kind in (CODE_RESULT, TOOL_RESULT):
            if result := _object(part, kind):
                output = dumps({name: value for name, value in result.items() if name != "id"})
                call_id = str(result.get("id") or self._code_id or "missing")
                self._parts.whole(self._open(kind), ServerToolResult(call_id=call_id, kind=kind, output=output))
        if data := _object(part, "inlineData"):
            if block := _media(data):
                self._parts.whole(self._open("media"), block)
            else:
                self.unknown("part 'inlineData' that is no media")

    def decoded(self) -> Decoded:
        self._cite()
        usage = self._usage
        counts = {name: count for name, count in usage.items() if isinstance(count, int)}
        thoughts = counts.get("thoughtsTokenCount")
        read = self._parts.usage(
            input_tokens=counts.get("promptTokenCount", 0) + counts.get("toolUsePromptTokenCount", 0),
            output_tokens=counts.get("candidatesTokenCount", 0) + (thoughts or 0),
            cache_read=counts.get("cachedContentTokenCount"),
            reasoning=thoughts,
        )
        reply = self._parts.reply(
            finish_reason=self._reason(),
            usage=read if usage else None,
            id=self._response_id or None,
            model=self._model or None,
        )
        return Decoded(reply, tuple(self._parts.unknown), self._parts.error)

    def _reason(self) -> str | None:
        if not self._finish:
            return None
        reason = self._reasons.get(self._finish)
        if reason is None:
            self.unknown(f"finish reason {self._finish!r}")
        return "tool_calls" if reason == "stop" and self._called else reason or self._finish

    def _cite(self) -> None:
        """Citations in the order of their sources; one for each part of the text that rests on the source."""
        self.note("grounding key", self._grounding, _GROUNDING_KEYS)
        supports = list(objects(self._grounding, "groundingSupports"))
        for support in supports:
            self.note("grounding support key", support, _SUPPORT_KEYS)
        for number, chunk in enumerate(objects(self._grounding, "groundingChunks")):
            source = next((_object(chunk, name) for name in _SOURCES if name in chunk), {})
            self.note("grounding source key", source, _SOURCE_KEYS)
            fields = {"url": source.get("uri"), "title": source.get("title"), "quote": source.get("text")}
            resting = [each for each in supports if number in _indices(each)]
            for support in resting or [{}]:
                self._citation(number, fields, _object(support, "segment"))

    def _citation(self, number: int, fields: Mapping[str, Any], segment: Mapping[str, Any]) -> None:
        key, start, end = self._place(segment)
        try:
            self._parts.cite(key, Citation(**fields, start=start, end=end))
        except ValueError:
            self.unknown(f"grounding chunk {number}")

    def _place(self, segment: Mapping[str, Any]) -> tuple[int, int | None, int | None]:
        """The text that a segment lies in, and its characters; offsets count bytes from the start of the text."""
        start, end = (_offset(segment.get(name)) for name in ("startIndex", "endIndex"))
        for key, text in self._texts.items():
            raw = text.encode("utf-8", "surrogatepass")
            before, within = raw[:start].decode(errors="ignore"), raw[start:end].decode(errors="ignore")
            if segment and within == segment.get("text", within):
                return key, len(before), len(before) + len(within)
        if segment:
            self.unknown(f"segment {text_of(segment.get('text'))[:40]!r}")
        return next(reversed(self._texts), 0), None, None


def _offset(value: object) -> int:
    """An offset, which is left out where it is 0."""
    return value if isinstance(value, int) else 0


def _indices(support: Mapping[str, Any]) -> list[Any]:
    found = support.get("groundingChunkIndices")
    return found if isinstance(found, list) else []


def _media(data: Mapping[str, Any]) -> Media | None:
    """The media of an `inlineData` part, in whichever alphabet of base64; `None` where it is none."""
    try:
        raw = base64.b64decode(str(data.get("data")).translate(_URL_SAFE), validate=True)
        return Media(mime_type=str(data.get("mimeType")), data=base64.b64encode(raw).decode())
    except ValueError:
        return None
