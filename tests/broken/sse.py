"""Models that break one rule on server-sent events each."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import httpx
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from openai import DefaultHttpxClient
from pydantic import Field, PrivateAttr

from ..reference import ReferenceChat
from ..sse_reader import AnswerReader, ProviderError, SSEReader


class _Reading(ReferenceChat):
    """Reads with another reader."""

    reader: ClassVar[type[SSEReader]] = SSEReader

    def _reader(self) -> AnswerReader:
        reader = super()._reader()
        reader.sse = self.reader()
        return reader


class _Replacing(SSEReader):
    """Changes the bytes of a stream, line by line, before it reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.rest = b""

    def feed(self, segment: bytes) -> Iterator[str]:
        *lines, self.rest = re.split(rb"(?<=\n)", self.rest + segment)
        for line in lines:
            yield from super().feed(self.replaced(line))

    def replaced(self, line: bytes) -> bytes:
        """The line that is read in place of one that ends in LF."""
        return line


class _KeepsReturns(_Replacing):
    def replaced(self, line: bytes) -> bytes:
        return line.replace(b"\r", b" ")


class EndsLinesAtLineFeeds(_Reading):
    """Ends lines at LF alone, so that a CR stays on them."""

    reader = _KeepsReturns


class _NoComments(SSEReader):
    def _end_line(self, line: bytes) -> Iterator[str]:
        if line.startswith(b":"):
            raise ProviderError(f"a field without a name: {line!r}")
        yield from super()._end_line(line)


class RefusesComments(_Reading):
    """Takes a comment for a field without a name, and refuses it."""

    reader = _NoComments


class _NeedsSpaces(SSEReader):
    def _end_line(self, line: bytes) -> Iterator[str]:
        yield from super()._end_line(line if not line or b": " in line else b"x: " + line)


class NeedsASpace(_Reading):
    """Looks for fields by their name, a colon and a space."""

    reader = _NeedsSpaces


class _LineByLine(SSEReader):
    def _end_line(self, line: bytes) -> Iterator[str]:
        yield from super()._end_line(line)
        if line.startswith(b"data"):
            yield from super()._end_line(b"")


class TakesEachLineForAnEvent(_Reading):
    """Gives out each line of data as an event of its own."""

    reader = _LineByLine


class _KnownFields(SSEReader):
    def _end_line(self, line: bytes) -> Iterator[str]:
        if line.partition(b":")[0] not in (b"", b"data", b"event", b"id", b"retry", b"\xef\xbb\xbfdata"):
            raise ProviderError(f"no field of an event: {line!r}")
        yield from super()._end_line(line)


class RefusesUnknownFields(_Reading):
    """Refuses events with fields that it does not know."""

    reader = _KnownFields


class _DecodesEachRead(SSEReader):
    def feed(self, segment: bytes) -> Iterator[str]:
        yield from super().feed(segment.decode("utf-8", "replace").encode())


class DecodesEachRead(_Reading):
    """Decodes what each read brings, and so tears characters apart."""

    reader = _DecodesEachRead


class _ForgetsTheRest(SSEReader):
    def feed(self, segment: bytes) -> Iterator[str]:
        yield from super().feed(segment)
        self._line = []


class ForgetsHalfALine(_Reading):
    """Forgets the half of a line with which a read ends."""

    reader = _ForgetsTheRest


class _OneEventARead(SSEReader):
    def feed(self, segment: bytes) -> Iterator[str]:
        yield from list(super().feed(segment))[:1]


class TakesOneEventFromARead(_Reading):
    """Takes the first event of what a read brings, and leaves the others."""

    reader = _OneEventARead


class _LikeStr(_Replacing):
    def replaced(self, line: bytes) -> bytes:
        text = line.decode("utf-8", "replace")
        return "".join(each if each.endswith("\n") else f"{each}\n" for each in text.splitlines(keepends=True)).encode()


class SplitsLinesAsTextDoes(_Reading):
    """Splits lines where str.splitlines does."""

    reader = _LikeStr


class _NoLoneReturns(_Replacing):
    def replaced(self, line: bytes) -> bytes:
        return line.replace(b"\r\n", b"\n").replace(b"\r", b" ")


class KnowsNoLoneReturns(_Reading):
    """Ends lines at LF and CRLF, and not at a lone CR."""

    reader = _NoLoneReturns


class _NoMark(SSEReader):
    def _end_line(self, line: bytes) -> Iterator[str]:
        if self._first and line.startswith(b"\xef\xbb\xbf"):
            raise ProviderError(f"no field of an event: {line!r}")
        yield from super()._end_line(line)


class RefusesAMark(_Reading):
    """Takes a byte order mark for a part of the first field's name, and refuses the field."""

    reader = _NoMark


class _EmptyEvents(SSEReader):
    fields = 0

    def _end_line(self, line: bytes) -> Iterator[str]:
        given = list(super()._end_line(line))
        if not line and not given and self.fields:
            given = [""]
        self.fields = 0 if not line else self.fields + (not line.startswith(b":"))
        yield from given


class GivesOutEmptyEvents(_Reading):
    """Gives out blocks without data as events with empty data."""

    reader = _EmptyEvents


class _NoFurtherLines(SSEReader):
    blank = False

    def _end_line(self, line: bytes) -> Iterator[str]:
        if not line and self.blank:
            raise ProviderError("an event without a field")
        self.blank = not line
        yield from super()._end_line(line)


class RefusesBlankLines(_Reading):
    """Takes a second blank line for an event without a field, and refuses it."""

    reader = _NoFurtherLines


def _forget_encoding(response: Any) -> None:
    response.headers.pop("content-encoding", None)


class ReadsPackedBytes(ReferenceChat):
    """Asks for compression, as its HTTP client does, and reads the bytes as they come in sync calls."""

    def _client(self) -> httpx.Client:
        client = super()._client()
        client.event_hooks = {"response": [_forget_encoding]}
        return client


class OpenAIReadsPackedBytes(ChatOpenAI):
    """Reads the bytes of compressed answers as they come in sync calls, on top of the released class."""

    http_client: Any | None = Field(
        default_factory=lambda: DefaultHttpxClient(event_hooks={"response": [_forget_encoding]}), exclude=True
    )


def _need_chunks(response: httpx.Response) -> None:
    if "content-length" not in response.headers and "transfer-encoding" not in response.headers:
        raise ProviderError("an answer without a length")


class NeedsALength(ReferenceChat):
    """Refuses answers that end with their connection, in sync calls."""

    def _client(self) -> httpx.Client:
        client = super()._client()
        client.event_hooks = {"response": [_need_chunks]}
        return client


class UsesWhatIsLeft(_Reading):
    """Gives out as text what is left of a line where the stream breaks off, in sync calls."""

    _last: Any = PrivateAttr(default=None)

    def _reader(self) -> AnswerReader:
        reader = super()._reader()
        self._last = reader
        return reader

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        try:
            yield from super()._stream(*args, **kwargs)
        except ProviderError:
            left = b"".join(self._last.sse._line) if self._last else b""
            if not left:
                raise
            yield ChatGenerationChunk(message=AIMessageChunk(content=left.decode("utf-8", "replace")))
