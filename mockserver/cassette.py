"""Cassettes: recorded answers in vcrpy's YAML format, which stock vcrpy plays.

Source of the format: `vcr/serialize.py` and `vcr/serializers/yamlserializer.py` of the PyPI package `vcrpy`.
A cassette says nothing of how the body arrived; its cuts are made from its frames.
"""

import base64
import gzip
import re
import zlib
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import yaml

from .errors import CassetteError
from .frames import Frame
from .recording import Recording
from .script import Turn, When
from .wires import Wire, recorded_wire

_STREAMS: Final = ("event-stream", "eventstream", "ndjson")
"""Parts of the content types of streamed bodies: server-sent events, AWS's event stream, a JSON document a line."""
VERSION: Final = 1
"""The version of the format that vcrpy writes and reads."""
_FOLDED: Final = re.compile("[\r\x85\u2028\u2029\ufeff]")
"""What YAML 1.1 takes for line ends, and reads back as LF unless it is escaped (5.4), and the byte order mark."""


class _Dumper(yaml.SafeDumper):
    """Writes texts with several lines as blocks, so that a stream can be read in a diff."""


def _represent_str(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _FOLDED.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_str)


def turns(file: Path, document: Any) -> tuple[Turn, ...]:
    """A turn for each interaction of a cassette; `document` is what stands in the file.

    Raises:
        CassetteError: it is no cassette that this version can read, or an interaction belongs to no wire.
    """
    return tuple(_turn(file, number, each) for number, each in enumerate(_interactions(file, document), 1))


def dump(interactions: list[dict[str, Any]], *, origin: str) -> str:
    """The YAML of a cassette. `origin` tells where it comes from; vcrpy passes over it."""
    document = {"interactions": interactions, "version": VERSION, "origin": origin}
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def interaction(*, uri: str, request: str, body: bytes, content_type: str) -> dict[str, Any]:
    """One interaction: a JSON request that was answered with a 200 of this body."""
    return {
        "request": {
            "method": "POST",
            "uri": uri,
            "body": request,
            "headers": {"content-type": ["application/json"]},
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"content-type": [content_type]},
            "body": {"string": body.decode()},
        },
    }


def _interactions(file: Path, document: Any) -> list[dict[str, Any]]:
    version = document.get("version")
    if version != VERSION:
        raise CassetteError(f"{file}: cassettes of version {VERSION} can be read, not {version!r}")
    found = document["interactions"]
    if not isinstance(found, list) or not found:
        raise CassetteError(f"{file}: 'interactions' is a list with at least one interaction, not {found!r}")
    return found


def _turn(file: Path, number: int, found: dict[str, Any]) -> Turn:
    try:
        request, response = found["request"], found["response"]
        address = urlsplit(str(request["uri"]))
        method = str(request["method"])
        status = int(response["status"]["code"])
        headers = {str(name).lower(): _first(value) for name, value in (response.get("headers") or {}).items()}
        body = _unpacked(_body(response["body"]), headers)
        _check_status(status)
    except (KeyError, TypeError, ValueError, AttributeError, OSError, EOFError, zlib.error) as error:
        raise CassetteError(
            f"{file}: interaction {number} is not in vcrpy's format ({type(error).__name__}: {error})"
        ) from None
    wire = recorded_wire(address.hostname or "", unquote(address.path))
    streamed = _is_stream(headers)
    if wire is None:
        raise CassetteError(
            f"{file}: interaction {number}, {method} {address.path}, belongs to no wire that this server speaks"
        )
    recording = Recording(status, headers, _frames(wire, headers, body), source=file.name, streamed=streamed)
    return Turn(recording=recording, when=When(wire=wire.family, stream=streamed))


def _first(value: object) -> str:
    return str(value[0] if isinstance(value, list) and value else value)


def _body(body: object) -> bytes:
    content = body.get("string") if isinstance(body, dict) else body
    if isinstance(body, dict) and "base64_string" in body:
        return base64.b64decode("".join(body["base64_string"].split()), validate=True)
    if not isinstance(content, str | bytes | None):
        raise TypeError(f"a body is text, not {type(content).__name__}")
    return content if isinstance(content, bytes) else (content or "").encode()


def _unpacked(body: bytes, headers: dict[str, str]) -> bytes:
    """The body as it is read: vcrpy keeps it compressed unless told otherwise."""
    if body.startswith(b"\x1f\x8b"):
        return gzip.decompress(body)
    try:
        body.decode()
    except UnicodeDecodeError:
        packed = headers.get("content-encoding", "of some kind")
        raise ValueError(f"the body is binary, encoding {packed}; record it with decode_compressed_response") from None
    return body


def _check_status(status: int) -> None:
    if not 200 <= status <= 599:
        raise ValueError(f"the status of an answer is from 200 to 599, not {status}")


def _frames(wire: Wire, headers: dict[str, str], body: bytes) -> tuple[Frame, ...]:
    """The recorded bytes in frames; those of a stream are told apart as the wire would send them."""
    if not _is_stream(headers):
        return (Frame(body, "piece", 0),)
    return wire.label(tuple(wire.split(body)))


def _is_stream(headers: dict[str, str]) -> bool:
    return any(kind in headers.get("content-type", "") for kind in _STREAMS)
