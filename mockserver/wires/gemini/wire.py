"""Gemini, whole and streamed, as the Gemini API and Vertex AI speak it.

Sources: https://ai.google.dev/api/generate-content, the types `GenerateContentResponse`, `FinishReason` and
`BlockedReason` of the PyPI package `google-genai` (`google/genai/types.py`), and
https://ai.google.dev/gemini-api/docs/generate-content/api-errors (errors). Order of keys, line ends, the counts of each
response and what the last one holds: recorded streams. Framing by the query: https://cloud.google.com/apis/docs/system-parameters
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from ...errors import Refused
from ...frames import Frame, FrameKind
from ...framings import jsonarray, sse
from ...recording import Recording
from ...reply import Reply, Text, Usage, characters
from .. import asking
from ..base import (
    Asked,
    Attached,
    Contentless,
    Decoded,
    Framing,
    Message,
    Offered,
    Request,
    Variant,
    Wire,
    dumps,
    read_object,
    recorded_object,
    strings_of,
    text_of,
)
from . import parts as gemini_parts
from . import request as gemini_check
from .reading import Reader, kinds

_METHOD: Final = re.compile(r"/(?:models|tunedModels|endpoints)/([^/:]+):(generateContent|streamGenerateContent)$")
_COUNT: Final = re.compile(r"/(?:models|tunedModels|endpoints)/[^/:]+:countTokens$")
_MODELS: Final = re.compile(r"/v1(beta\d*|alpha)?/models(?:/([^/:]+))?$")
_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_OWN_REASONS: Final = (
    "RECITATION", "LANGUAGE", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL",
    "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_OTHER", "NO_IMAGE", "IMAGE_RECITATION", "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "MODEL_ARMOR",
)  # fmt: skip
"""Reasons that no neutral one stands for; a reply names them as they are."""
_BLOCKED: Final = ("JAILBREAK",)
"""Reasons for which a prompt alone is blocked."""
_COMPATIBLE: Final = "https://google.aip.dev/180"
_CONTENT: Final = "https://ai.google.dev/api/caching#Content: the parts are a list"
_FALLING: Final = "https://github.com/langchain-ai/langchain-google/pull/1016"
_SETTINGS: Final = {"temperature": ("temperature",), "top_p": ("topP",), "max_tokens": ("maxOutputTokens",)}
_MEDIA: Final = ("image/", "audio/", "video/")
_TYPES: Final = ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
_MODES: Final = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")
"""Words of `Schema.type` and `FunctionCallingConfig.mode`, in the order of their numbers in Google's protocol buffers;
JSON has either (https://protobuf.dev/programming-guides/json/), and clients of google-api-core send the numbers.
"""


class GeminiGenerate(Wire):
    """`POST …/models/M:generateContent` and `…:streamGenerateContent?alt=sse`; SSE with data only, ended by its EOF.

    A reply that calls tools ends in `STOP` as any other does, so its finish reason is `tool_calls` and not `stop`.
    A reply of no blocks with the finish reason `content_filter` is a prompt that is blocked (`promptFeedback`).
    A call arrives whole, whatever pieces it has.
    """

    name = "gemini-generate"
    takes = frozenset({"stop", "image", "audio", "file"})
    call_ids = False  # "Optional": https://ai.google.dev/api/caching#FunctionCall
    stream_type: ClassVar[str] = "text/event-stream"
    whole_type: ClassVar[str] = "application/json; charset=UTF-8"
    id_prefix = ""
    finish_reasons = {
        "stop": "STOP",
        "length": "MAX_TOKENS",
        "tool_calls": "STOP",
        "content_filter": "SAFETY",
        **{word: word for word in _OWN_REASONS},
    }
    error_frame_source = "google-genai, google/genai/_api_client.py: request_streamed raises for a chunk with `error`"

    def matches(self, path: str) -> bool:
        return _METHOD.search(path) is not None

    def recognises(self, request: Request) -> bool:
        return "x-goog-api-key" in request.headers or "x-goog-api-client" in request.headers

    def streams(self, path: str) -> bool:
        return path.endswith(":streamGenerateContent")

    def read(self, request: Request) -> Asked:
        """An answer to `streamGenerateContent` without `alt=sse` is in the framing of `gemini-array`."""
        found = _METHOD.search(request.path)
        try:
            body = read_object(request.body)
        except Refused:
            raise Refused(400, "Invalid JSON payload received. Unexpected token.") from None
        field = gemini_check.field
        config = field(body, "generationConfig")
        system = _text(field(body, "systemInstruction") or {})
        stream = self.streams(request.path)
        is_sse = "sse" in (request.query.get("alt"), request.query.get("$alt"))
        return Asked(
            wire=GeminiArray.name if stream and not is_sse else GeminiGenerate.name,
            model=found[1] if found else "",
            stream=stream,
            messages=(
                *([Message("system", system)] if system else ()),
                *(_message(content) for content in gemini_check.contents(body)),
            ),
            tools=tuple(_tool_names(field(body, "tools"))),
            offered=tuple(_offered(field(body, "tools"))),
            tool_choice=_tool_choice(field(body, "toolConfig")),
            stop=strings_of({"stop": field(config, "stopSequences") if isinstance(config, dict) else None}, "stop"),
            settings=asking.settings(_camel(config), _SETTINGS),
            body=body,
            request=request,
        )

    def check(self, asked: Asked) -> None:
        gemini_check.check(asked)

    def aside(self, request: Request) -> Recording | None:
        if request.method == "POST" and _COUNT.search(request.path):
            return self._beside(_counted(request.body))
        found = _MODELS.search(request.path)
        if request.method != "GET" or not found or not (found[1] or self.recognises(request)):
            return None
        return self._beside(_model(found[2]) if found[2] else {"models": [_model("gemini-2.5-flash")]})

    def _beside(self, answer: dict[str, Any]) -> Recording:
        body = Frame(_indented(answer), "piece", 0)
        return Recording(200, {"content-type": self.whole_type}, (body,), streamed=False)

    def whole(self, reply: Reply) -> bytes:
        word = self._word(reply)
        joined = reply.whole()
        steps = tuple(gemini_parts.steps(self.name, joined))
        place = next((at for at, step in enumerate(steps) if isinstance(step.block, Text)), 0)
        parts = [step.part for step in steps]
        counts = _usage(reply)
        if _is_blocked(reply):
            return _indented({**_feedback(), **counts, **_tail(reply)})
        grounding = gemini_parts.grounding(joined, place)
        return _indented({**_candidate(parts, word, grounding), **counts, **_tail(reply)})

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        word = self._word(reply)
        also: tuple[FrameKind, ...] = ("finish", "usage") if reply.usage else ("finish",)
        steps = tuple(gemini_parts.steps(self.name, reply))
        if not steps:
            head = _feedback() if _is_blocked(reply) else _candidate([{"text": ""}], word)
            return (self._frame({**head, **_usage(reply), **_tail(reply)}, *also),)
        frames: list[Frame] = []
        for step, counts in zip(steps, gemini_parts.cumulated(reply, steps), strict=True):
            last = step is steps[-1]
            head = _candidate([step.part], *((word, gemini_parts.grounding(reply)) if last else ()))
            kinds_of = (step.kind, *also) if last else (step.kind,)
            frames.append(self._frame({**head, **counts, **_tail(reply)}, *kinds_of, piece=step.piece))
        return tuple(frames)

    def _frame(self, response: dict[str, Any], kind: FrameKind, *also: FrameKind, piece: int | None = None) -> Frame:
        return Frame(self._framed(dumps(response)), kind, piece, also)

    def _framed(self, document: str) -> bytes:
        return f"data: {document}\r\n\r\n".encode()

    def _word(self, reply: Reply) -> str:
        """The finish reason's word, once all that the reply holds is known to have a place."""
        gemini_parts.check(self.name, reply)
        return gemini_parts.finish_word(self.finish_word(reply), reply)

    def error(self, refused: Refused) -> bytes:
        return _indented(_error(refused))

    def error_frame(self, message: str) -> Frame:
        return self._frame(_error(Refused(503, message)), "error")

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        counts = self._counts(reply)

        def noise(response: dict[str, Any], source: str) -> Contentless:
            """Recorded streams count in each response; this one counts what was said before it."""

            def at(place: Mapping[str, Any]) -> tuple[Frame, ...]:
                return (self._frame({**response, **place, **_tail(reply)}, "noise"),)

            return Contentless(at({}), source, {place: at(counted) for place, counted in counts.items()})

        empty = _candidate([{"text": ""}])
        return {
            "empty-text": noise(empty, "recorded: parts without text beside calls of server tools, and at the end"),
            "no-parts": noise({"candidates": [{"content": {"role": "model"}, "index": 0}]}, ""),
            "no-candidates": Contentless((self._frame(_tail(reply), "noise"),), ""),
            "unknown-field": noise({**empty, "xAddedLater": {"n": 1}}, _COMPATIBLE),
        }

    def _counts(self, reply: Reply) -> dict[int | str, dict[str, Any]]:
        """The counts before each piece and before the finish, which comes with the last piece."""
        steps = tuple(gemini_parts.steps(self.name, reply))
        if reply.usage is None or not steps:
            return {}
        asked = {"usageMetadata": gemini_parts.usage(reply.usage, 0, 0)}
        told: dict[int | str, dict[str, Any]] = dict(enumerate([asked, *gemini_parts.cumulated(reply, steps)]))
        return {**told, "finish": told[len(steps) - 1]}

    def usage_variants(self, reply: Reply) -> Mapping[str, Variant]:
        """Counts in the last response alone, and counts of the prompt that are others before it."""
        usage = reply.usage
        if usage is None:
            return {}

        def before(counts: Usage | None) -> tuple[Frame, ...]:
            pairs = zip(self.frames(replace(reply, usage=counts)), self.frames(reply), strict=True)
            return tuple(last if "finish" in last.kinds else frame for frame, last in pairs)

        more, fewer = usage.input_tokens + 9, max(usage.input_tokens // 2, usage.cache_read or 0)
        return {
            "last-frame": Variant(before(None), ""),
            "falling": Variant(before(replace(usage, input_tokens=more)), _FALLING),
            "rising": Variant(before(replace(usage, input_tokens=fewer)), "recorded: gemini-generate-000"),
        }

    def call_variants(self, reply: Reply) -> Mapping[str, Variant]:
        """All parts in one response, and calls without ids."""
        if not reply.tool_calls:
            return {}
        word = self._word(reply)
        steps = [step.part for step in gemini_parts.steps(self.name, reply)]
        plain = [_without_id(part) for part in steps]
        counted = {**_usage(reply), **_tail(reply)}

        def at_once(parts: list[dict[str, Any]]) -> tuple[Frame, ...]:
            return (self._frame({**_candidate(parts, word), **counted}, "piece", "finish", "usage", piece=0),)

        found = {"no-id": Variant(self._whole_stream(at_once(plain)), "recorded: gemini-generate-002")}
        if len(reply.tool_calls) > 1:
            found["one-frame"] = Variant(self._whole_stream(at_once(steps)), _CONTENT)
        return found

    def _whole_stream(self, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
        """These frames as a stream from first to last."""
        return frames

    def finish_again(self, reply: Reply) -> Frame:
        return self._frame({**_candidate([{"text": ""}], self._word(reply)), **_tail(reply)}, "noise")

    def decode_whole(self, body: bytes) -> Decoded:
        reader = self._reader()
        reader.response(recorded_object(body))
        return reader.decoded()

    def decode_stream(self, stream: bytes) -> Decoded:
        reader = self._reader()
        for part in self.split(stream):
            response = _response(part)
            if response:
                reader.response(response)
            elif part.strip(b"[], \t\r\n") and not part.startswith(b":"):
                reader.unknown(f"data {part[:40]!r}")
        return reader.decoded()

    def _reader(self) -> Reader:
        words = {word: neutral for neutral, word in self.finish_reasons.items() if neutral != "tool_calls"}
        return Reader({**words, **{word: word for word in _BLOCKED}})

    def kind_of(self, data: bytes) -> FrameKind:
        is_end = data.strip() == b"]"
        return "end" if is_end else kinds(_response(data))[0]

    def also(self, data: bytes) -> tuple[FrameKind, ...]:
        return kinds(_response(data))[1:]

    def split(self, stream: bytes) -> Iterator[bytes]:
        """In whichever framing the stream is recorded."""
        return jsonarray.split(stream) if _is_array(stream) else sse.split(stream)


class GeminiArray(GeminiGenerate):
    """`POST …:streamGenerateContent` without `alt=sse`, as the clients of Vertex AI's REST interface ask."""

    name = "gemini-array"
    family = GeminiGenerate.name
    framing: ClassVar[Framing] = "json-array"
    stream_type: ClassVar[str] = "application/json; charset=UTF-8"
    error_frame_source = "googleapis/gapic-showcase#1377: the last element of the array has `error`"

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        return self.linked((*super().frames(reply, usage=usage), Frame(b"]", "end")))

    def linked(self, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
        return jsonarray.link(frames)

    def _whole_stream(self, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
        return self.linked((*frames, Frame(b"]", "end")))

    def _framed(self, document: str) -> bytes:
        return document.encode()

    def error(self, refused: Refused) -> bytes:
        return b"[" + super().error(refused).rstrip() + b"\n]\n"


def _is_array(data: bytes) -> bool:
    return data.lstrip()[:1] in (b"[", b",", b"{", b"]")


def _response(data: bytes) -> dict[str, Any]:
    """The response in a part of a recorded stream; `{}` where there is none."""
    if _is_array(data):
        return next((each for each in jsonarray.elements(data) if isinstance(each, dict)), {})
    event = next(sse.events(data), None)
    return recorded_object(event.data) if event else {}


def _is_blocked(reply: Reply) -> bool:
    return not reply.blocks and reply.finish_reason == "content_filter"


def _feedback() -> dict[str, Any]:
    return {"promptFeedback": {"blockReason": "SAFETY"}}


def _candidate(
    parts: list[dict[str, Any]], finish: str | None = None, grounding: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    finished = {"finishReason": finish} if finish else {}
    content = {"parts": parts or [{"text": ""}], "role": "model"}
    return {"candidates": [{"content": content, **finished, "index": 0, **(grounding or {})}]}


def _usage(reply: Reply) -> dict[str, Any]:
    counted = reply.usage
    if counted is None:
        return {}
    thoughts = counted.reasoning or 0
    return {"usageMetadata": gemini_parts.usage(counted, counted.output_tokens - thoughts, thoughts)}


def _tail(reply: Reply) -> dict[str, Any]:
    found = {"modelVersion": reply.model, "responseId": reply.id}
    return {name: value for name, value in found.items() if value is not None}


def _indented(document: dict[str, Any]) -> bytes:
    """JSON as Google sends what is not streamed."""
    return f"{characters(json.dumps(document, ensure_ascii=False, indent=2))}\n".encode()


def _error(refused: Refused) -> dict[str, Any]:
    status = refused.kind or _STATUSES.get(refused.status, "UNKNOWN")
    return {"error": {"code": refused.status, "message": refused.message, "status": status}}


def _text(content: Any) -> str:
    """The text of a content, without the thoughts that a client sends back."""
    found = gemini_check.parts(content) if isinstance(content, dict) else []
    return "".join(text_of(part.get("text")) for part in found if not part.get("thought"))


def _without_id(part: dict[str, Any]) -> dict[str, Any]:
    """A part whose call, if it is one, has no id."""
    called = {name: value for name, value in part.get("functionCall", {}).items() if name != "id"}
    return {**part, "functionCall": called} if called else part


def _message(content: dict[str, Any]) -> Message:
    return Message(
        role=str(gemini_check.field(content, "role") or "user"),
        text=_text(content),
        tool_calls=_ids(content, "functionCall"),
        tool_results=_ids(content, "functionResponse"),
        attached=tuple(_attached(content)),
    )


def _attached(content: dict[str, Any]) -> Iterator[Attached]:
    for part in gemini_check.parts(content):
        for name in ("inlineData", "fileData"):
            held = _camel(gemini_check.field(part, name))
            mime_type = str(held.get("mimeType") or "")
            kind = mime_type.partition("/")[0] if mime_type.startswith(_MEDIA) else "file"
            if held.get("data"):
                yield asking.of_base64(kind, held["data"], mime_type)
            elif held:
                yield Attached(kind, mime_type, url=str(held.get("fileUri") or ""))


def _camel(fields: Any) -> dict[str, Any]:
    """Fields by their lowerCamelCase names; none of what is no object."""
    return {gemini_check.camel(name): value for name, value in fields.items()} if isinstance(fields, dict) else {}


def _offered(tools: Any) -> Iterator[Offered]:
    for tool in tools if isinstance(tools, list) else ():
        for each in map(_camel, _listed(_camel(tool).get("functionDeclarations"))):
            schema = each.get("parametersJsonSchema") or _typed(each.get("parameters"))
            yield Offered(
                str(each.get("name")), str(each.get("description") or ""), schema if isinstance(schema, dict) else {}
            )


def _typed(schema: Any) -> Any:
    """A schema with the words of its types, at any depth."""
    if isinstance(schema, list):
        return [_typed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _word(value, _TYPES) if name == "type" else _typed(value) for name, value in schema.items()}


def _word(value: Any, words: tuple[str, ...]) -> Any:
    """The word for a number; what is none stays, and so does what another field of this name holds."""
    if isinstance(value, int) and not isinstance(value, bool):
        return words[value] if 0 <= value < len(words) else str(value)
    return _typed(value)


def _tool_choice(config: Any) -> str | None:
    """The mode of calling functions, or the name of the one function that is allowed."""
    calling = _camel(_camel(config).get("functionCallingConfig"))
    mode, names = str(_word(calling.get("mode"), _MODES) or "").lower(), _listed(calling.get("allowedFunctionNames"))
    return str(names[0]) if mode == "any" and len(names) == 1 else mode or None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _ids(content: dict[str, Any], kind: str) -> tuple[str, ...]:
    return tuple(str(each.get("id") or each.get("name") or "") for each in gemini_check.of_kind(content, kind))


def _tool_names(tools: Any) -> Iterator[str]:
    """Names of functions, and kinds of the tools that Google runs."""
    for tool in tools if isinstance(tools, list) else ():
        for kind, value in tool.items() if isinstance(tool, dict) else ():
            if gemini_check.camel(kind) != "functionDeclarations":
                yield gemini_check.camel(kind)
                continue
            declared = value if isinstance(value, list) else ()
            yield from (str(each.get("name")) for each in declared if isinstance(each, dict))


def _counted(body: bytes) -> dict[str, Any]:
    """An answer to `countTokens`, which counts words."""
    asked = recorded_object(body)
    inner = gemini_check.field(asked, "generateContentRequest")
    found = gemini_check.contents(inner if isinstance(inner, dict) else asked)
    count = sum(len(_text(content).split()) for content in found)
    return {"totalTokens": count, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}]}


def _model(name: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name,
        "description": "A scripted model",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }
