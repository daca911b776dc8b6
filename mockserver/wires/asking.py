"""What requests hold beside the conversation's text, read leniently: tools, settings, images, sounds and files.

What several providers write alike is read here; what one writes in its own way, beside its other reading.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from .base import Attached, Offered

_DATA_URL: Final = re.compile(r"data:(?P<mime>[^;,]*)[^,]*;base64,(?P<data>.*)", re.DOTALL)
_URL_SAFE: Final = str.maketrans("-_", "+/")
_CHOICES: Final = {"auto": "auto", "none": "none", "any": "any", "required": "any"}
_PLACES: Final = {
    "temperature": ("temperature",),
    "top_p": ("top_p", "p"),
    "max_tokens": ("max_tokens", "max_completion_tokens", "max_output_tokens"),
}
_PARTS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "image_url": ("image", ("image_url",)),
    "input_image": ("image", ("image_url",)),
    "input_audio": ("audio", ("input_audio",)),
    "audio_url": ("audio", ("audio_url",)),
    "video_url": ("video", ("video_url",)),
    "file": ("file", ("file",)),
    "input_file": ("file", ("file_data", "file_url")),
    "document_url": ("file", ("document_url",)),
    "document": ("file", ("document",)),
}
"""Kinds of content parts in OpenAI's APIs and those like them: what each is, and the fields that may hold it."""


def of_base64(kind: str, data: object, mime_type: object = "") -> Attached:
    """What base64 holds, of either alphabet."""
    text = data.translate(_URL_SAFE).rstrip("=") if isinstance(data, str) else ""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    return of_bytes(kind, raw, mime_type)


def of_bytes(kind: str, raw: bytes, mime_type: object = "") -> Attached:
    """Bytes that a message holds."""
    return Attached(kind, mime_type if isinstance(mime_type, str) else "", sha256(raw).hexdigest() if raw else "")


def of_url(kind: str, url: str) -> Attached:
    """What a URL stands for: the bytes themselves where it is a data URL."""
    found = _DATA_URL.fullmatch(url)
    return of_base64(kind, found["data"], found["mime"]) if found else Attached(kind, url=url)


def of_parts(content: object) -> tuple[Attached, ...]:
    """The images, sounds and files in a message's content, as OpenAI's APIs and those like them have them."""
    return tuple(_attached(content))


def _attached(content: object) -> Iterator[Attached]:
    for part in map(_dict, content if isinstance(content, list) else ()):
        kind, names = _PARTS.get(str(part.get("type")), ("", ()))
        held = next((part[name] for name in names if part.get(name)), None)
        if isinstance(held, dict):
            mime_type = held.get("mime_type") or (f"{kind}/{held['format']}" if held.get("format") else "")
            plain = held.get("data")
            held = held.get("url") or held.get("file_data") or held.get("file_url") or held.get("audio_url")
            if isinstance(plain, str):
                yield of_base64(kind, plain, mime_type)
        if isinstance(held, str):
            is_plain = ":" not in held and kind == "audio"
            yield of_base64(kind, held) if is_plain else of_url(kind, held)


def settings(fields: Mapping[str, Any], places: Mapping[str, tuple[str, ...]] = _PLACES) -> dict[str, Any]:
    """What is set of `SETTINGS`. `places`: the provider's names for each."""
    found = {name: next((fields[key] for key in keys if fields.get(key) is not None), None)
             for name, keys in places.items()}  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def offered(tools: Iterable[Any], *, inner: str = "function", schema: str = "parameters") -> tuple[Offered, ...]:
    """The functions among the tools of a request.

    Args:
        tools: as the request has them.
        inner: the field of a tool that holds the function; where a tool has it not, the tool itself is the function.
        schema: the field of a function that holds the schema of its arguments.
    """
    functions = [_dict(each.get(inner)) or each for each in map(_dict, tools)]
    return tuple(
        Offered(str(each["name"]), str(each.get("description") or ""), _dict(each.get(schema)))
        for each in functions
        if each.get("name")
    )


def tool_choice(choice: object) -> str | None:
    """The choice of a tool: a word, or an object with a word for its `type`, a name, or a function that has one."""
    if isinstance(choice, str):
        return _CHOICES.get(choice.lower(), choice) or None
    found = _dict(choice)
    name = found.get("name") or _dict(found.get("function")).get("name")
    return str(name) if name else tool_choice(found["type"]) if isinstance(found.get("type"), str) else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
