r"""A JSON array that streams element by element, both ways, without I/O.

That is how Google's REST APIs send a stream that is not asked for as server-sent events: `[{…}`, `,\r\n{…}`, `]`
(read so by `google.api_core.rest_streaming` of the PyPI package `google-api-core`).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from ..frames import Frame

_BETWEEN: Final = re.compile(r"[\s,\[]*")
_BEFORE: Final = b"[, \t\r\n"
_END: Final = b"]"


def link(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Frames of one element each, with the brackets and commas that their places ask for.

    The first opens the array and an error closes it; frames that stand rightly stay as they are.
    """
    linked: list[Frame] = []
    for frame in frames:
        data = frame.data
        element = data.lstrip(_BEFORE)
        if element.startswith(_END):
            data = data if linked else b"[" + data
        elif not linked:
            data = data if data.lstrip().startswith(b"[") else b"[" + element
        elif not data.lstrip().startswith(b","):
            data = b",\r\n" + element
        if frame.kind == "error" and not data.rstrip().endswith(_END):
            data += _END
        linked.append(replace(frame, data=data))
    return tuple(linked)


def split(stream: bytes) -> Iterator[bytes]:
    """The stream cut after each element; joined, the parts are the stream. The last is what is no JSON any more."""
    text = stream.decode("utf-8", "surrogateescape")
    at = 0
    for _, end in _elements(text):
        yield text[at:end].encode("utf-8", "surrogateescape")
        at = end
    if at < len(text):
        yield text[at:].encode("utf-8", "surrogateescape")


def elements(stream: bytes) -> Iterator[Any]:
    """The elements that are whole."""
    return (value for value, _ in _elements(stream.decode("utf-8", "replace")))


def _elements(text: str) -> Iterator[tuple[Any, int]]:
    """Each element, and where it ends."""
    decoder = json.JSONDecoder()
    at = 0
    while begin := _BETWEEN.match(text, at):
        try:
            value, at = decoder.raw_decode(text, begin.end())
        except (ValueError, RecursionError):
            return
        yield value, at
