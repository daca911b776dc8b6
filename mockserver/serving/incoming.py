"""The bodies of requests, as far as this server takes them, and what aiohttp says of requests that are no HTTP."""

import asyncio
import logging
from typing import Final

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from ..errors import Refused

MOST: Final = 64 * 1024 * 1024
"""The bytes that the body of a request may have, unpacked; a longer one is answered with 413."""
PATIENCE: Final = 10.0
"""Seconds that a body may stand still; a request is then answered with 408."""
LOG: Final = logging.getLogger("mockserver")
"""Where aiohttp logs: without what clients did wrong, which they are answered with 400."""


def _is_ours(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


LOG.addFilter(_is_ours)


async def body_of(request: web.BaseRequest) -> tuple[bytes, Refused | None]:
    """The whole body of a request; or none of it, and why: it is longer than `MOST`, its compression is broken, or it
    does not go on. The last is also what aiohttp tells of a chunk that is broken, unless it came with the head.
    """
    if (request.content_length or 0) > MOST:
        return b"", _too_long()
    if request.transport and request.headers.get("expect", "").lower() == "100-continue":
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        # Most bodies come with their head; to watch the time would cost more than to read them.
        body = await (request.content.read() if request.content.is_eof() else _read(request.content))
    except TimeoutError:
        return b"", Refused(408, f"mockserver: the body of the request did not go on for {PATIENCE:g} seconds")
    except web.RequestPayloadError as error:
        return b"", Refused(400, f"mockserver: the body of the request cannot be read: {error}")
    return (body, None) if len(body) <= MOST else (b"", _too_long())


async def _read(content: StreamReader) -> bytes:
    """A body that is still to come; somewhat more than `MOST` bytes of one that is longer.

    Raises:
        TimeoutError: nothing has come for `PATIENCE` seconds.
        RequestPayloadError: its chunks or its compression are broken.
    """
    parts: list[bytes] = []
    size = 0
    now = asyncio.get_running_loop().time
    async with asyncio.timeout(PATIENCE) as limit:
        while size <= MOST and (part := await content.readany()):
            limit.reschedule(now() + PATIENCE)
            parts.append(part)
            size += len(part)
    return b"".join(parts)


def _too_long() -> Refused:
    return Refused(413, f"mockserver: the body of a request has at most {MOST} bytes here")
