"""Reads streamed answers: bytes in, the data of whole events out, and from them chunks.

WHATWG HTML 9.2.6 (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation): lines
end with CRLF, LF or CR and with nothing else; an event ends with an empty line; one that is cut off is discarded.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from langchain_core.outputs import ChatGenerationChunk

Event = dict[str, Any]
"""A decoded JSON object of the provider's."""

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


class SSEReader:
    """Reads one stream, however its bytes are cut into segments."""

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._data: list[str] = []
        self._after_cr = False
        self._first = True

    def feed(self, segment: bytes) -> Iterator[str]:
        """The data of each event that ends in this segment; `segment` is what came after the one before."""
        if not segment:
            return
        if self._after_cr:
            segment = segment.removeprefix(b"\n")
        self._after_cr = segment.endswith(b"\r")
        *ended, rest = _LINE_END.split(segment)
        for part in ended:
            yield from self._end_line(b"".join([*self._line, part]))
            self._line = []
        if rest:
            self._line.append(rest)

    def _end_line(self, line: bytes) -> Iterator[str]:
        if self._first:
            line, self._first = line.removeprefix(_BOM), False
        if not line and self._data:
            data, self._data = self._data, []
            yield "\n".join(data)
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))


class ProviderError(Exception):
    """The provider refused, failed on the way, or broke off. `status` is the HTTP status where it refused."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AnswerReader:
    """Reads one streamed answer. `convert` makes a chunk of an event, or nothing of an event that says nothing."""

    def __init__(self, convert: Callable[[Event], ChatGenerationChunk | None]) -> None:
        self.done = False
        self.convert = convert
        self.sse = SSEReader()
        self._finished = False
        self._begun = 0
        self._calls: dict[object, tuple[object, int]] = {}

    def feed(self, segment: bytes) -> Iterator[ChatGenerationChunk]:
        """The chunks of the events that end in this segment; none after the terminator."""
        for data in self.sse.feed(segment):
            if data == "[DONE]":
                self.done = True
                return
            if chunk := self.read(json.loads(data)):
                yield chunk

    def read(self, event: Event) -> ChatGenerationChunk | None:
        """The chunk of one event. A finish reason that is sent again is not told again."""
        if event.get("error"):
            raise ProviderError(f"error in the stream: {words_of(event)}")
        for choice in event.get("choices") or ():
            for fragment in (choice.get("delta") or {}).get("tool_calls") or ():
                self._number(fragment)
        chunk = self.convert(event)
        if chunk and chunk.generation_info:
            chunk.generation_info = None if self._finished else chunk.generation_info
            self._finished = True
        return chunk

    def _number(self, fragment: Event) -> None:
        """Give a call an index of its own, since servers give several the same or none; keep its id on its first
        fragment alone.
        """
        place, id = fragment.get("index"), fragment.pop("id", None)
        if place not in self._calls or (id and id != self._calls[place][0]):
            self._calls[place] = id, self._begun
            self._begun += 1
            fragment["id"] = id
        fragment["index"] = self._calls[place][1]

    def end(self) -> None:
        """Called where the body ends without a terminator."""
        raise ProviderError("the stream ended before its terminator")


def words_of(event: Event) -> str:
    """The provider's own words in an error."""
    error = event.get("error")
    return str(error.get("message", error) if isinstance(error, dict) else error or event)
