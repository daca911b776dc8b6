"""Models that break one rule each on the framings of streams that are not of server-sent events."""

import struct
from collections.abc import Iterator
from zlib import crc32

from mockserver.framings import eventstream

from ..sse_reader import AnswerReader, Event, ProviderError
from .translating import Array, ArrayChat, Lines, LinesChat, Messages, MessagesChat


class _LinesOfEachRead(Lines):
    def feed(self, segment: bytes) -> bytes:
        self.rest = b""
        return super().feed(segment)


class ForgetsHalfALine(LinesChat):
    """Forgets the half of a line with which a read ends."""

    translation = _LinesOfEachRead


class _LinesOfText(Lines):
    def lines(self, segment: bytes) -> list[bytes]:
        found = super().lines(segment)
        return [line.encode() for each in found for line in each.decode().splitlines() if line.strip()]


class SplitsLinesAsTextDoes(LinesChat):
    """Splits lines where str.splitlines does."""

    translation = _LinesOfText


class _NoReturns(Lines):
    def lines(self, segment: bytes) -> list[bytes]:
        found = super().lines(segment)
        if any(line.endswith(b"\r") for line in found):
            raise ProviderError("a line that ends in CR")
        return found


class RefusesReturns(LinesChat):
    """Refuses lines that end in CRLF."""

    translation = _NoReturns


class _EveryLine(Lines):
    def lines(self, segment: bytes) -> list[bytes]:
        *lines, self.rest = (self.rest + segment).split(b"\n")
        return lines


class ReadsEmptyLines(LinesChat):
    """Reads empty lines as documents."""

    translation = _EveryLine


class _Eager(Lines):
    def documents(self, segment: bytes) -> Iterator[Event | None]:
        yield from super().documents(segment)
        if b'"content":"' in self.rest:
            left = self.rest.split(b'"content":"')[1].partition(b'"')[0].decode("utf-8", "replace")
            self.rest = b""
            yield {"message": {"content": f"{left}~"}}


class _NeverEnds(AnswerReader):
    def end(self) -> None:
        pass


class ReadsHalfALine(LinesChat):
    """Gives out what has come of a line, and takes it for whole where the stream ends."""

    translation = _Eager

    def _reader(self) -> AnswerReader:
        return _NeverEnds(self._chunk)


class _MessagesOfEachRead(Messages):
    def feed(self, segment: bytes) -> bytes:
        self.rest = b""
        return super().feed(segment)


class ForgetsHalfAMessage(MessagesChat):
    """Forgets the half of a message with which a read ends."""

    translation = _MessagesOfEachRead


class _Ordered(Messages):
    def decoded(self, data: bytes) -> eventstream.Message:
        message = super().decoded(data)
        if next(iter(message.headers)) not in (":event-type", ":exception-type"):
            raise ProviderError("a message that does not begin with its type")
        return message


class NeedsItsTypeFirst(MessagesChat):
    """Takes the first header for the type of a message."""

    translation = _Ordered


class _Known(Messages):
    def decoded(self, data: bytes) -> eventstream.Message:
        message = super().decoded(data)
        if any(name in message.headers for name in ("x-later", ":date")):
            raise ProviderError("a header that is not known")
        return message


class RefusesUnknownHeaders(MessagesChat):
    """Refuses messages with headers that it does not know."""

    translation = _Known


class _Trusting(Messages):
    def decoded(self, data: bytes) -> eventstream.Message:
        prelude = data[:8]
        right = prelude + struct.pack(">I", crc32(prelude)) + data[12:-4]
        return super().decoded(right + struct.pack(">I", crc32(right)))


class ChecksNoSums(MessagesChat):
    """Reads messages whatever their checksums are."""

    translation = _Trusting


class _ElementsOfEachRead(Array):
    def feed(self, segment: bytes) -> bytes:
        self.rest = b""
        return super().feed(segment)


class ForgetsHalfAnElement(ArrayChat):
    """Forgets the half of an element with which a read ends."""

    translation = _ElementsOfEachRead


class _GooglesOwn(Array):
    def before(self, rest: bytes) -> bytes:
        for known in (b"[", b",\r\n"):
            rest = rest.removeprefix(known)
        return b"" if rest in (b",", b",\r") else rest


class KnowsOneKindOfWhiteSpace(ArrayChat):
    """Knows between elements a comma and CRLF alone."""

    translation = _GooglesOwn
