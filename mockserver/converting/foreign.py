"""Recordings in the formats of others, as interactions: HAR files, and what `curl` prints.

Sources: HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/; `content.encoding` in its section "content");
`mitmproxy/addons/savehar.py` of mitmproxy, which writes the status 0 where there was no answer;
`front_end/models/har/Log.ts` of devtools-frontend: `_error` says in Chrome's that a request failed; `man curl`, options
`-N` and `-i`.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from http.client import responses
from pathlib import Path
from typing import Any, Final

from ..cassettes.interaction import Ended, Interaction, unpacked
from ..errors import MockServerError
from ..wires import WIRES, Decoded, Wire

_HEAD: Final = re.compile(rb"HTTP/(?:1\.[01]|2|3)(?:\.0)? (\d{3})[ \t]*([^\r\n]*)\r?\n((?:[^\r\n]+\r?\n)*)\r?\n")
"""A status line and the headers under it, as `curl -i` prints them."""


def entries_of(document: object) -> list[Any] | None:
    """The entries of a HAR; `None` where it is none."""
    log = document.get("log") if isinstance(document, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    return entries if isinstance(entries, list) else None


def from_har(entry: Any) -> Interaction | str:
    """The interaction of an entry of a HAR, or why there is none.

    Raises:
        ValueError: it is no entry of a HAR; the text says why.
    """
    try:
        request, response = entry["request"], entry["response"]
        status, content = int(response["status"]), response.get("content") or {}
        headers = _headers(response.get("headers"))
        if not 200 <= status <= 599:
            return f"it has the status {status}, which is no answer"
        if not content.get("text"):
            return "the file does not hold the body of its answer; browsers often leave that of a stream out"
        body, headers = unpacked(_content(content), headers)
        return Interaction(
            method=str(request["method"]).upper(),
            uri=str(request["url"]),
            request_headers=_headers(request.get("headers")),
            request_body=_posted(request.get("postData") or {}),
            status=status,
            reason=str(response.get("statusText") or responses.get(status, "")),
            headers=_typed(headers, content),
            body=body,
            ended=_ended(response, body),
        )
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError(f"no {error}" if isinstance(error, KeyError) else str(error)) from None


def _ended(response: Mapping[str, Any], body: bytes) -> Ended:
    return "closed" if response.get("_error") and body else "whole"


def _typed(headers: dict[str, str], content: Mapping[str, Any]) -> dict[str, str]:
    """The headers with the type of the content, which some exporters note there alone."""
    kind = content.get("mimeType")
    return headers if "content-type" in headers or not kind else {**headers, "content-type": str(kind)}


def _content(content: Mapping[str, Any]) -> bytes:
    text = content["text"]
    if not isinstance(text, str):
        raise TypeError(f"the text of a content is a string, not {type(text).__name__}")
    if content.get("encoding") == "base64":
        return base64.b64decode("".join(text.split()), validate=True)
    return text.encode()


def _posted(data: Mapping[str, Any]) -> bytes:
    text = data.get("text")
    return text.encode() if isinstance(text, str) else b""


def _headers(found: Any) -> dict[str, str]:
    """Headers by name in lower case; of several values, all in one line (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for each in found or ():
        name, value = str(each["name"]).lower(), str(each["value"])
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def from_capture(file: Path) -> Interaction:
    """What `curl` printed, as an interaction without a request; without a type, where the head was not captured.

    Raises:
        MockServerError: the body is compressed in a way that cannot be undone.
    """
    content, status, reason, headers = file.read_bytes(), 200, "", dict[str, str]()
    # Interim answers, those of proxies and redirections have heads of their own before the last one.
    while found := _HEAD.match(content):
        status, reason = int(found[1]), found[2].decode("latin-1").strip()
        lines = (line.partition(":") for line in found[3].decode("latin-1").splitlines())
        headers = _headers([{"name": name.strip(), "value": value.strip()} for name, _, value in lines])
        content = content[found.end() :]
    try:
        body, headers = unpacked(content, headers)
        return Interaction(
            method="POST",
            uri="",
            request_headers={},
            request_body=b"",
            status=status,
            reason=reason or responses.get(status, ""),
            headers=headers,
            body=body,
        )
    except (ValueError, OSError, EOFError) as error:
        raise MockServerError(f"{file}: {error}; capture it with curl's option --compressed") from None


def is_object(body: bytes) -> bool:
    """Whether a body is one JSON object, and so no stream."""
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def recognised(body: bytes, file: Path) -> Wire:
    """The wire whose decoder understands all of a body; of several, the first.

    Raises:
        MockServerError: none does; the text names the one that understands most.
    """
    decode = "decode_whole" if is_object(body) else "decode_stream"
    unknown: dict[Wire, tuple[str, ...]] = {}
    for wire in WIRES.values():
        decoded: Decoded = getattr(wire, decode)(body)
        if decoded.reply.blocks:
            if not decoded.unknown:
                return wire
            unknown[wire] = decoded.unknown
    families = ", ".join(dict.fromkeys(wire.family for wire in WIRES.values()))
    nearest = ""
    if unknown:
        wire = min(unknown, key=lambda each: len(unknown[each]))
        nearest = f" ({wire.family} does all but {', '.join(dict.fromkeys(unknown[wire]))})"
    told = f"no wire understands all of this{nearest}; name the wire with --wire, which is one of {families}"
    raise MockServerError(f"{file}: {told}")
