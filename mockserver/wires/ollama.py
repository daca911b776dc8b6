"""Ollama's chat API, whole and streamed.

Sources: https://docs.ollama.com/api (chat, streaming, errors, usage); the types `Message` and `ChatResponse` of the
PyPI package `ollama`; Ollama's own server (https://github.com/ollama/ollama: `ChatRequest`, `ChatResponse`,
`ToolCall` and `ThinkValue` of api/types.go; `ChatHandler` and `streamResponse` of server/routes.go).
The server writes with Go's `encoding/json`, which escapes `<`, `>`, `&`, U+2028 and U+2029
(https://pkg.go.dev/encoding/json#Marshal) and reads strictly: a value of the wrong type is a 400.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from ..errors import Refused, Unencodable
from ..frames import Frame, FrameKind
from ..framings import ndjson
from ..recording import Recording
from ..reply import Block, Media, Reasoning, Reply, Text, ToolCall, Usage
from . import asking, carried
from .asides import answer
from .assemble import Assembler
from .base import (
    Asked,
    Contentless,
    Decoded,
    Framing,
    Message,
    Request,
    Variant,
    Wire,
    dumps,
    read_object,
    recorded_object,
    strings_of,
    text_of,
)
from .carried import listed, mapping

_CREATED: Final = "2023-11-14T22:13:20Z"
_GO_ESCAPES: Final = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})
_FIELDS: Final = (Reasoning, Text, Media, ToolCall)
_DURATIONS: Final = {"total_duration": 4_883_583_458, "load_duration": 1_334_875}
"""Nanoseconds."""
_COUNTS: Final = ("prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration")
_KEYS: Final = {
    "model", "remote_model", "remote_host", "created_at", "message", "done", "done_reason", "logprobs",
    *_DURATIONS, *_COUNTS,
}  # fmt: skip
_MESSAGE_KEYS: Final = {"role", "content", "thinking", "images", "tool_calls"}
_MAGIC: Final[Mapping[str, re.Pattern[bytes]]] = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
"""How images begin: the wire does not say of what type they are."""
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/=\r\n]")
_THINK: Final = ("high", "medium", "low", "max")
_SETTINGS: Final = {"temperature": ("temperature",), "top_p": ("top_p",), "max_tokens": ("num_predict",)}
_CALLS: Final = "https://github.com/ollama/ollama/blob/main/api/types.go: Message.ToolCalls is a list"
_ROUTES: Final = "https://github.com/ollama/ollama/blob/main/server/routes.go"
_DETAILS: Final = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "3.2B",
    "quantization_level": "Q4_K_M",
}
_MODEL: Final = {
    "name": "llama3.2:latest",
    "model": "llama3.2:latest",
    "modified_at": _CREATED,
    "size": 2_019_393_189,
    "digest": "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72",
    "details": _DETAILS,
}
_ASIDES: Final[Mapping[tuple[str, str], dict[str, Any]]] = {
    ("GET", "/api/version"): {"version": "0.12.6"},
    ("GET", "/api/tags"): {"models": [_MODEL]},
    ("GET", "/api/ps"): {
        "models": [{**_MODEL, "expires_at": "2099-01-01T00:00:00Z", "size_vram": 2_019_393_189, "context_length": 4096}]
    },
    ("POST", "/api/show"): {
        "modelfile": "FROM llama3.2",
        "template": "{{ .Prompt }}",
        "details": _DETAILS,
        "model_info": {"general.architecture": "llama", "llama.context_length": 131_072},
        "capabilities": ["completion", "tools", "thinking", "vision"],
        "modified_at": _CREATED,
    },
}
"""Answers to the calls of the `ollama` package that tell of models, by method and end of the path."""


class Ollama(Wire):
    """`POST …/api/chat`; a JSON document a line, the last of which says `done`."""

    name = "ollama"
    takes = frozenset({"stop", "image"})
    # Older servers send none; `ToolCall.ID` of api/types.go is left out where it is empty.
    call_ids = False
    chooses_tools = False  # `ChatRequest` of api/types.go has no such field
    hosts = ("ollama.com",)
    framing: ClassVar[Framing] = "ndjson"
    stream_type: ClassVar[str] = "application/x-ndjson"
    whole_type: ClassVar[str] = "application/json; charset=utf-8"
    id_prefix = ""
    # A reply that calls tools ends in `stop`; `load` and `unload` answer requests without messages.
    finish_reasons = {"stop": "stop", "length": "length", "load": "load", "unload": "unload"}
    error_frame_source = "https://docs.ollama.com/api/errors#errors-that-occur-while-streaming"

    def matches(self, path: str) -> bool:
        return path.endswith("/api/chat")

    def recognises(self, request: Request) -> bool:
        return request.headers.get("user-agent", "").startswith("ollama")

    def read(self, request: Request) -> Asked:
        if not request.body:
            raise Refused(400, "missing request body")
        asked = read_object(request.body)
        options = _typed(asked, "options", dict, "map[string]interface {}") or {}
        return Asked(
            wire=self.name,
            model=str(asked.get("model") or ""),
            stream=asked.get("stream") is not False,
            messages=tuple(_message(each) for _, each in _objects(asked, "messages", "api.Message")),
            tools=tuple(_name_of(each) for _, each in _objects(asked, "tools", "api.Tool")),
            offered=asking.offered(each for _, each in _objects(asked, "tools", "api.Tool")),
            stop=strings_of(options, "stop"),
            settings=asking.settings(options, _SETTINGS),
            body=asked,
            request=request,
        )

    def check(self, asked: Asked) -> None:
        body = asked.body
        _typed(body, "stream", bool, "bool")
        if not _typed(body, "model", str, "string"):
            raise Refused(400, "model is required", at="$.model")
        for number, message in _objects(body, "messages", "api.Message"):
            _check_message(message, f"messages[{number}]")
        _check_think(body.get("think"))
        count = body.get("top_logprobs") or 0
        if isinstance(count, int) and not 0 <= count <= 20:
            raise Refused(400, "top_logprobs must be between 0 and 20", at="$.top_logprobs")

    def unknown(self, request: Request) -> Refused:
        known = self.matches(request.path)
        return Refused(405, "405 method not allowed") if known else Refused(404, "404 page not found")

    def aside(self, request: Request) -> Recording | None:
        for (method, path), document in _ASIDES.items():
            if request.method == method and request.path.endswith(path):
                return answer(document, content_type=self.whole_type)
        return None

    def whole(self, reply: Reply) -> bytes:
        carried.check(self.name, reply, _FIELDS)
        message: dict[str, Any] = {"role": "assistant", "content": ""}
        calls = 0
        for block in reply.blocks:
            for name, value in _content(block, block.joined, calls).items():
                message[name] = [*message.get(name, []), *value] if isinstance(value, list) else value
            calls += isinstance(block, ToolCall)
        return _json({**_head(reply), "message": message, **self._end(reply)}).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        carried.check(self.name, reply, _FIELDS)
        frames: list[Frame] = []
        calls = 0
        for move in carried.moves_with_whole_calls(reply):
            block = move.block
            if move.kind == "piece" or (move.kind == "open" and isinstance(block, Media | ToolCall)):
                kind: FrameKind = "piece" if move.kind == "piece" else "start"
                frames.append(_line(reply, kind, _content(block, move.piece, calls), piece=move.number))
                calls += isinstance(block, ToolCall)
        last = {**_head(reply), "message": {"role": "assistant", "content": ""}, **self._end(reply)}
        return (
            *frames,
            Frame(ndjson.encode(_json(last)), "finish", also=("usage", "end") if reply.usage else ("end",)),
        )

    def _end(self, reply: Reply) -> dict[str, Any]:
        """What the last line says; counts and durations of 0 are left out, as Go's `omitempty` does."""
        end = {"done": True, "done_reason": self.finish_word(reply)}
        if reply.usage is None:
            return end
        counts = {
            "prompt_eval_count": reply.usage.input_tokens,
            "prompt_eval_duration": 342_546_000,
            "eval_count": reply.usage.output_tokens,
            "eval_duration": 4_535_599_000,
        }
        return {**end, **_DURATIONS, **{name: count for name, count in counts.items() if count}}

    def error(self, refused: Refused) -> bytes:
        return _json({"error": refused.message}).encode()

    def error_frame(self, message: str) -> Frame:
        return Frame(ndjson.encode(_json({"error": message})), "error")

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        def noise(**more: object) -> tuple[Frame, ...]:
            line = {**_head(reply), "message": {"role": "assistant", "content": ""}, "done": False, **more}
            return (Frame(ndjson.encode(_json(line)), "noise"),)

        return {
            "empty-content": Contentless(noise(), f"{_ROUTES}: without a parser, each completion is sent as it comes"),
            "unknown-field": Contentless(noise(x_added_later={"n": 1}), ""),
        }

    def call_variants(self, reply: Reply) -> Mapping[str, Variant]:
        """All calls in one line, and calls without ids."""
        frames = self.frames(reply)
        calling = [frame for frame in frames if b'"tool_calls"' in frame.data]
        if not calling:
            return {}
        calls = [call for frame in calling for call in recorded_object(frame.data)["message"]["tool_calls"]]

        def told(made: list[dict[str, Any]]) -> tuple[Frame, ...]:
            line = recorded_object(calling[0].data)
            line["message"]["tool_calls"] = made
            first = replace(calling[0], data=ndjson.encode(_json(line)))
            return tuple(first if frame is calling[0] else frame for frame in frames if frame not in calling[1:])

        plain = [{"function": call["function"]} for call in calls]
        found = {"no-id": Variant(told(plain), "https://docs.ollama.com/api/chat: calls have a function alone")}
        return {**found, "one-frame": Variant(told(calls), _CALLS)} if len(calls) > 1 else found

    def kind_of(self, data: bytes) -> FrameKind:
        line = recorded_object(data)
        if "error" in line:
            return "error"
        message = mapping(line.get("message"))
        if any(message.get(name) for name in ("content", "thinking", "tool_calls")):
            return "piece"
        if line.get("done"):
            return "finish"
        return "start" if message.get("images") else "noise"

    def split(self, stream: bytes) -> Iterator[bytes]:
        return ndjson.split(stream)

    def also(self, data: bytes) -> tuple[FrameKind, ...]:
        line = recorded_object(data)
        if not line.get("done"):
            return ()
        first: tuple[FrameKind, ...] = ("finish",) if self.kind_of(data) != "finish" else ()
        return (*first, "usage", "end") if _counts(line) else (*first, "end")

    def decode_whole(self, body: bytes) -> Decoded:
        return self.decode_stream(body)

    def decode_stream(self, stream: bytes) -> Decoded:
        parts = Assembler()
        last: dict[str, Any] = {}
        for data in ndjson.split(stream):
            line = recorded_object(data)
            if "error" in line:
                parts.error = str(line["error"])
                continue
            if not line and data.strip():
                parts.unknown.append(f"line {data[:40]!r}")
            parts.unknown += [f"key {key!r}" for key in line if key not in _KEYS]
            _decode_message(parts, mapping(line.get("message")))
            last = {**last, **line}
        word = last.get("done_reason")
        reason = self.finish_reason(str(word or ""))
        if word and reason is None:
            parts.unknown.append(f"done reason {word!r}")
        reply = parts.reply(
            finish_reason=reason or word,
            usage=_read_usage(parts, last) if _counts(last) else None,
            id=None,
            model=last.get("model"),
        )
        return Decoded(reply, tuple(parts.unknown), parts.error)


def _json(value: object) -> str:
    """JSON as Go writes it. The characters escaped stand in strings alone."""
    return dumps(value).translate(_GO_ESCAPES)


def _head(reply: Reply) -> dict[str, Any]:
    return {"model": reply.model, "created_at": _CREATED}


def _line(reply: Reply, kind: FrameKind, content: Mapping[str, Any], *, piece: int | None) -> Frame:
    line = {**_head(reply), "message": {"role": "assistant", "content": "", **content}, "done": False}
    return Frame(ndjson.encode(_json(line)), kind, piece)


def _content(block: Block, piece: str, calls: int) -> dict[str, Any]:
    """The fields of a message for a piece of a block. `calls`: how many calls came before."""
    if isinstance(block, Reasoning):
        return {"thinking": piece}
    if isinstance(block, Media):
        if _mime_type(block.data) != block.mime_type:
            known = ", ".join(_MAGIC)
            raise Unencodable(
                f"ollama does not say what type an image is, so its data must begin as {block.mime_type} does; "
                f"known types: {known}"
            )
        return {"images": [block.data]}
    if isinstance(block, ToolCall):
        function = {"index": calls, "name": block.name, "arguments": carried.arguments("ollama", block)}
        return {"tool_calls": [{"id": block.id, "function": function}]}
    return {"content": piece}


def _mime_type(data: str) -> str:
    """The type of an image by how it begins; `application/octet-stream` where that is not known."""
    try:
        begin = base64.b64decode(data)[:16]
    except ValueError:
        begin = b""
    return next((kind for kind, magic in _MAGIC.items() if magic.match(begin)), "application/octet-stream")


def _decode_message(parts: Assembler, message: Mapping[str, Any]) -> None:
    parts.unknown += [f"message key {key!r}" for key in message if key not in _MESSAGE_KEYS]
    parts.add("reasoning", "reasoning", text_of(message.get("thinking")))
    parts.add("text", "text", text_of(message.get("content")))
    for data in listed(message.get("images")):
        _decode_image(parts, data)
    for call in listed(message.get("tool_calls")):
        function = mapping(mapping(call).get("function"))
        parts.call(
            object(),
            id=mapping(call).get("id"),
            name=function.get("name"),
            piece=dumps(function.get("arguments") or {}),
        )


def _decode_image(parts: Assembler, data: object) -> None:
    try:
        image = Media(mime_type=_mime_type(str(data)), data=str(data))
    except ValueError:
        parts.unknown.append(f"image {str(data)[:40]!r}")
        return
    if image.mime_type not in _MAGIC:
        parts.unknown.append(f"type of image {image.data[:16]!r}")
    parts.whole(object(), image)


def _counts(line: Mapping[str, Any]) -> bool:
    return any(line.get(name) is not None for name in _COUNTS)


def _read_usage(parts: Assembler, line: Mapping[str, Any]) -> Usage | None:
    return parts.usage(
        input_tokens=line.get("prompt_eval_count") or 0,
        output_tokens=line.get("eval_count") or 0,
    )


def _message(message: Mapping[str, Any]) -> Message:
    calls = map(mapping, listed(message.get("tool_calls")))
    result = message.get("tool_call_id") or message.get("tool_name")
    return Message(
        role=str(message.get("role") or "").lower(),
        text=text_of(message.get("content")),
        tool_calls=tuple(str(call.get("id") or _name_of(call)) for call in calls),
        tool_results=(str(result),) if result else (),
        attached=tuple(asking.of_base64("image", each) for each in listed(message.get("images"))),
    )


def _name_of(tool: Mapping[str, Any]) -> str:
    return str(mapping(tool.get("function")).get("name") or "")


def _check_message(message: Mapping[str, Any], at: str) -> None:
    for name in ("role", "content", "thinking", "tool_name", "tool_call_id"):
        _typed(message, name, str, "string", within=at)
    for number, image in enumerate(_typed(message, "images", list, "[]api.ImageData", within=at) or ()):
        place = f"{at}.images[{number}]"
        if not isinstance(image, str):
            raise _mismatch(image, place, "api.ImageData")
        if found := _NOT_BASE64.search(image):
            raise Refused(
                400, f"illegal base64 data at input byte {len(image[: found.start()].encode())}", at=f"$.{place}"
            )
    for number, call in enumerate(_typed(message, "tool_calls", list, "[]api.ToolCall", within=at) or ()):
        function = mapping(mapping(call).get("function"))
        place = f"{at}.tool_calls[{number}].function"
        _typed(function, "name", str, "string", within=place)
        _typed(function, "arguments", dict, "api.ToolCallFunctionArguments", within=place)


def _check_think(think: object) -> None:
    if think is None or isinstance(think, bool) or think in _THINK:
        return
    words = '(must be "high", "medium", "low", "max", true, or false)'
    if isinstance(think, str):
        raise Refused(400, f"invalid think value: {dumps(think)} {words}", at="$.think")
    raise Refused(
        400, 'think must be a boolean or string ("high", "medium", "low", "max", true, or false)', at="$.think"
    )


def _typed(fields: Mapping[str, Any], name: str, kind: type, go_type: str, *, within: str = "") -> Any:
    """The field `name`; `None` where it is left out or null.

    Raises:
        Refused: it is of another type; Go's decoder then names the field without the places in lists.
    """
    value = fields.get(name)
    if value is None or isinstance(value, kind):
        return value
    raise _mismatch(value, f"{within}.{name}" if within else name, go_type)


def _mismatch(value: object, place: str, go_type: str) -> Refused:
    kinds = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
    field = re.sub(r"\[\d+\]", "", place)
    words = f"json: cannot unmarshal {kinds[type(value)]} into Go struct field ChatRequest.{field} of type {go_type}"
    return Refused(400, words, at=f"$.{place}")


def _objects(fields: Mapping[str, Any], name: str, go_type: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects in the list `name`, numbered; null ones are as good as empty.

    Raises:
        Refused: it is no list of objects.
    """
    for number, value in enumerate(_typed(fields, name, list, f"[]{go_type}") or ()):
        if value is not None and not isinstance(value, dict):
            raise _mismatch(value, f"{name}[{number}]", go_type)
        yield number, value or {}
