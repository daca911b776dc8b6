"""Chat Completions, read back: recorded bodies and chunks of whichever provider sent them.

Decoding does not depend on the dialect but for the meaning of counts: recordings name hosts that no dialect has, and
providers behind routers speak several.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...frames import FrameKind
from ...framings import sse
from ...reply import Citation, Media, Reasoning, Usage
from ..assemble import Assembler
from ..base import dumps, recorded_object, text_of
from .dialects import Dialect

_CHUNK_KEYS: Final = {
    "id", "object", "created", "model", "service_tier", "system_fingerprint", "usage", "choices", "obfuscation",
    "error", "provider", "x_groq", "citations", "search_results", "type", "status", "prompt_filter_results",
    "time_info", "sla_metrics", "request_id",
}  # fmt: skip
"""Keys of chunks and bodies that hold no content, and those that are read."""
_CHOICE_KEYS: Final = {
    "index", "delta", "message", "finish_reason", "native_finish_reason", "stop_reason", "usage", "seed", "text",
    "content_filter_results", "content_filter_offsets",
}  # fmt: skip
"""`text` (Together) and the `message` of a chunk (Perplexity) repeat what the delta says."""
_MESSAGE_KEYS: Final = {
    "role", "content", "refusal", "tool_calls", "function_call", "functions_state_id", "reasoning", "reasoning_content",
    "reasoning_details", "annotations", "images", "channel", "token_id", "tool_call_id",
}  # fmt: skip
_DATA_URL: Final = re.compile(r"data:(?P<mime>[^;,]+);base64,(?P<data>.*)", re.DOTALL)
_DETAILS: Final = {
    "cache_read": (
        "prompt_tokens_details.cached_tokens",
        "prompt_token_details.cached_tokens",
        "prompt_cache_hit_tokens",
        "precached_prompt_tokens",
    ),
    "cache_creation": ("prompt_tokens_details.cache_write_tokens",),
    "reasoning": ("completion_tokens_details.reasoning_tokens", "reasoning_tokens"),
}


def kinds_of(dialect: Dialect, data: bytes) -> tuple[FrameKind, ...]:
    """All that a frame does, as far as its bytes say."""
    event = next(sse.events(data), None)
    if event is None:
        return ("noise",)
    if event.data.startswith("[DONE]"):
        return ("end",)
    chunk = recorded_object(event.data)
    if _error_of(chunk) is not None:
        return ("error",)
    choice = _first_choice(chunk) or {}
    kind = _kind_of_delta(_dict(choice.get("delta")))
    counts: tuple[FrameKind, ...] = ("usage",) if usage_of(chunk) else ()
    if choice.get("finish_reason"):
        return (*(("piece",) if kind == "piece" else ()), "finish", *counts)
    if counts and kind != "piece" and dialect.usage != "every":
        return counts
    return (kind,)


def _kind_of_delta(delta: Mapping[str, Any]) -> FrameKind:
    texts = (delta.get(name) for name in ("refusal", "reasoning", "reasoning_content"))
    thought, content = _contents(delta.get("content"))
    details = _list(delta.get("reasoning_details"))
    calls = _calls(delta)
    if content or thought or any(texts) or any(arguments for _, arguments in calls) or any(map(_thought_of, details)):
        return "piece"
    others = (calls, details, delta.get("role"), delta.get("annotations"), delta.get("images"), delta.get("content"))
    return "start" if any(others) else "noise"


class Reader:
    """Collects what the chunks of a stream, or one body, hold."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.parts = Assembler()
        self.finish: str | None = None
        self.usage: Mapping[str, Any] = {}
        self._results: list[Any] = []
        self._has_text = False
        self._calls: dict[str, str] = {}
        """The id of the call at an index."""

    def read(self, value: Mapping[str, Any], *, whole: bool = False) -> None:
        """A chunk, or (`whole`) a body."""
        if (said := _error_of(value)) is not None:
            self.parts.error = said
        if said is None or "choices" in value:
            self._name_unknown("chunk", value, _CHUNK_KEYS)
        self.usage = usage_of(value) or self.usage
        self._results = _list(value.get("search_results")) or _list(value.get("citations")) or self._results
        for choice in map(_dict, _list(value.get("choices"))):
            if choice.get("index"):
                self.parts.unknown.append(f"choice {choice['index']!r}")
                continue
            self._name_unknown("choice", choice, _CHOICE_KEYS)
            self.finish = choice.get("finish_reason") or self.finish
            self._read_message(_dict(choice.get("message" if whole else "delta")))

    def _read_message(self, message: Mapping[str, Any]) -> None:
        self._name_unknown("delta", message, _MESSAGE_KEYS)
        self._read_reasoning(message)
        thought, content = _contents(message.get("content"), self.parts.unknown)
        if thought:
            self.parts.add("reasoning", "reasoning", thought)
        for seal in _seals(message.get("content")):
            self.parts.sign("reasoning", seal)
        if content:
            self._has_text = True
            self.parts.add("text", "text", content)
        if refusal := text_of(message.get("refusal")):
            self.parts.add("refusal", "refusal", refusal)
        for annotation in _list(message.get("annotations")):
            self._read_annotation(_dict(annotation))
        for image in _list(message.get("images")):
            self._read_image(_dict(image))
        for call, arguments in _calls(message):
            self._read_call(call, arguments)

    def _read_reasoning(self, message: Mapping[str, Any]) -> None:
        details = [_dict(each) for each in _list(message.get("reasoning_details"))]
        said = text_of(message.get("reasoning")) or text_of(message.get("reasoning_content"))
        if piece := said or "".join(map(_thought_of, details)):
            self.parts.add("reasoning", "reasoning", piece)
        for detail in details:
            kind = detail.get("type")
            if kind == "reasoning.encrypted":
                if data := text_of(detail.get("data")):
                    self.parts.whole(("sealed", data), Reasoning((), signature=data, redacted=True))
            elif kind in ("reasoning.text", "reasoning.summary"):
                self.parts.sign("reasoning", text_of(detail.get("signature")))
            else:
                self.parts.unknown.append(f"reasoning detail {kind!r}")

    def _read_call(self, call: Mapping[str, Any], arguments: str) -> None:
        function, index, identifier = _dict(call.get("function")), str(call.get("index")), _string(call.get("id"))
        # "null" is Mistral's placeholder in a fragment; another id under the same index is another call.
        if identifier in (None, "null"):
            identifier = None
        elif self._calls.get(index, identifier) != identifier or call.get("index") is None:
            index = f"{index} {identifier}"
        self._calls.setdefault(index, identifier or "")
        self.parts.call(("tool", index), id=identifier, name=_string(function.get("name")), piece=arguments)

    def _read_annotation(self, annotation: Mapping[str, Any]) -> None:
        cited = _dict(annotation.get("url_citation"))
        if annotation.get("type") != "url_citation" or not cited.get("url"):
            self.parts.unknown.append(f"annotation {annotation.get('type')!r}")
            return
        start, end = cited.get("start_index"), cited.get("end_index")
        placed = isinstance(start, int) and isinstance(end, int) and 0 <= start <= end and end > 0
        self.parts.cite(
            "text",
            Citation(
                url=cited["url"],
                title=cited.get("title"),
                quote=cited.get("content") or None,
                start=start if placed else None,
                end=end if placed else None,
            ),
        )

    def _read_image(self, image: Mapping[str, Any]) -> None:
        url = str(_dict(image.get("image_url")).get("url") or "")
        found = _DATA_URL.fullmatch(url)
        try:
            media = Media(mime_type=found["mime"], data=found["data"]) if found else None
        except ValueError:
            media = None
        if media is None:
            self.parts.unknown.append(f"image {url[:40]!r}")
        else:
            self.parts.whole(object(), media)

    def cite_results(self) -> None:
        """What the answer as a whole rests on, which providers repeat in each chunk."""
        if self._results and not self._has_text:
            self.parts.unknown.append("search results without a text")
            return
        for result in self._results:
            found = {"url": result} if isinstance(result, str) else _dict(result)
            if found.get("url"):
                quote = found.get("snippet") or None
                self.parts.cite("text", Citation(url=found["url"], title=found.get("title"), quote=quote))

    def counts(self) -> Usage | None:
        """The usage, as this provider means it."""
        if not self.usage:
            return None
        details = {name: _first_of(self.usage, places) for name, places in _DETAILS.items()}
        hidden = details["reasoning"] or 0 if self._dialect.output_excludes_reasoning else 0
        return self.parts.usage(
            input_tokens=_first_of(self.usage, ("prompt_tokens",)) or 0,
            output_tokens=(_first_of(self.usage, ("completion_tokens",)) or 0) + hidden,
            **details,
        )

    def _name_unknown(self, what: str, found: Mapping[str, Any], known: Iterable[str]) -> None:
        self.parts.unknown += [
            f"{what} key {key!r}" for key, value in found.items() if key not in known and not _is_empty(value)
        ]


def usage_of(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    """The usage in a chunk, in whichever of its places; empty where there is none."""
    choice = _first_choice(chunk) or {}
    places = (chunk.get("usage"), _dict(chunk.get("x_groq")).get("usage"), choice.get("usage"))
    return next((_dict(place) for place in places if place), {})


def _error_of(value: Mapping[str, Any]) -> str | None:
    """The words of an error: in `error`, or (Mistral, GigaChat, Writer) in the body itself."""
    if error := value.get("error") or _dict(value.get("x_groq")).get("error"):
        return _words(error)
    if value.get("choices") is not None:
        return None
    said = (value.get(name) for name in ("message", "detail", "errors"))
    return next((_words(each) for each in said if each), None)


def _words(error: object) -> str:
    """The provider's words, or all that there is."""
    if isinstance(error, list) and len(error) == 1:
        return _words(error[0])
    found = _dict(error)
    said = error if isinstance(error, str) else found.get("message") or found.get("description") or found.get("msg")
    return said if isinstance(said, str) else dumps(error)


def _first_choice(chunk: Mapping[str, Any]) -> dict[str, Any] | None:
    choices = _list(chunk.get("choices"))
    return _dict(choices[0]) if choices else None


def _contents(content: object, unknown: list[str] | None = None) -> tuple[str, str]:
    """The thinking and the text of a message's content: a string, or (Mistral) a list of parts."""
    if not isinstance(content, list):
        return "", text_of(content)
    thought = text = ""
    for part in map(_dict, content):
        kind = part.get("type")
        if kind == "thinking":
            thought += text_of(part.get("thinking"))
        elif kind == "text":
            text += text_of(part.get("text"))
        elif unknown is not None:
            unknown.append(f"content part {kind!r}")
    return thought, text


def _seals(content: object) -> list[str]:
    """The signatures of parts that are thinking."""
    return [seal for part in _list(content) if (seal := text_of(_dict(part).get("signature")))]


def _thought_of(detail: object) -> str:
    """The text of a detail of reasoning, in full or as a summary."""
    found = _dict(detail)
    return text_of(found.get("text")) or text_of(found.get("summary"))


def _calls(message: Mapping[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """The calls of a message or delta with their arguments as text; some providers send an object in its place."""
    calls = [_dict(call) for call in _list(message.get("tool_calls"))]
    if function := _dict(message.get("function_call")):
        calls.append({"index": "function", "id": message.get("functions_state_id"), "function": function})
    given = ((call, _dict(call.get("function")).get("arguments")) for call in calls)
    return [(call, "" if said is None else said if isinstance(said, str) else dumps(said)) for call, said in given]


def _first_of(counts: Mapping[str, Any], places: Iterable[str]) -> int | None:
    for place in places:
        value: Any = counts
        for level in place.split("."):
            value = _dict(value).get(level)
        if value is not None:
            return value if isinstance(value, int) else None
    return None


def _is_empty(value: object) -> bool:
    """Whether a value says nothing: null, an empty text, list or object, or an object of such."""
    if isinstance(value, dict):
        return all(map(_is_empty, value.values()))
    return value in (None, "", [])


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
