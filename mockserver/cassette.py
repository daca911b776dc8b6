"""Cassettes: recorded answers in vcrpy's YAML format, which stock vcrpy plays.

Source of the format: `vcr/serialize.py` and `vcr/serializers/yamlserializer.py` of the PyPI package `vcrpy`.
A cassette says nothing of how the body arrived; its cuts are made from its frames.
"""

import base64
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from . import sse
from .errors import CassetteError
from .frames import Frame
from .script import Recording, Turn, When
from .wires import Wire, wire_for

VERSION: Final = 1
"""The version of the format that vcrpy writes and reads."""


class _Dumper(yaml.SafeDumper):
    """Writes texts with several lines as blocks, so that a stream can be read in a diff."""


def _represent_str(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_str)


def turns(file: Path) -> tuple[Turn, ...]:
    """A turn for each interaction of a cassette that belongs to a wire.

    Raises:
        CassetteError: the file is no cassette that this version can read.
    """
    return tuple(_turn(file, number, each) for number, each in enumerate(_interactions(file), 1))


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


def _interactions(file: Path) -> list[dict[str, Any]]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise CassetteError(f"{file}: is no cassette: {error}") from None
    if document.get("version") != VERSION:
        raise CassetteError(f"{file}: cassettes of version {VERSION} can be read, not {document.get('version')!r}")
    found = document["interactions"]
    if not isinstance(found, list) or not found:
        raise CassetteError(f"{file}: 'interactions' is a list with at least one interaction, not {found!r}")
    return found


def _turn(file: Path, number: int, found: dict[str, Any]) -> Turn:
    try:
        request, response = found["request"], found["response"]
        path = urlsplit(request["uri"]).path
        method = str(request["method"])
        status = int(response["status"]["code"])
        headers = {str(name).lower(): _first(value) for name, value in (response.get("headers") or {}).items()}
        body = _body(response["body"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CassetteError(
            f"{file}: interaction {number} is not in vcrpy's format ({type(error).__name__}: {error})"
        ) from None
    wire = wire_for(method, path)
    if wire is None:
        raise CassetteError(
            f"{file}: interaction {number}, {method} {path}, belongs to no wire that this server speaks"
        )
    recording = Recording(status, headers, _frames(wire, headers, body), source=file.name)
    streamed = "event-stream" in headers.get("content-type", "")
    return Turn(recording=recording, when=When(wire=wire.name, stream=streamed))


def _first(value: object) -> str:
    return str(value[0] if isinstance(value, list) and value else value)


def _body(body: object) -> bytes:
    content = body.get("string") if isinstance(body, dict) else body
    if isinstance(body, dict) and "base64_string" in body:
        return base64.b64decode(body["base64_string"])
    if content is None:
        return b""
    return content if isinstance(content, bytes) else str(content).encode()


def _frames(wire: Wire, headers: dict[str, str], body: bytes) -> tuple[Frame, ...]:
    """The recorded bytes in frames; those of a stream are told apart as the wire would send them."""
    if "event-stream" not in headers.get("content-type", ""):
        return (Frame(body, "piece", 0),)
    return wire.label(tuple(sse.split(body)))
