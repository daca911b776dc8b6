"""Newline-delimited JSON, both ways, without I/O.

Source: https://github.com/ndjson/ndjson-spec: JSON documents, each ended by LF; a CR before it is passed over.
"""

import re
from collections.abc import Iterator
from typing import Final

_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+\Z")


def encode(document: str) -> bytes:
    """One line. JSON text has no line feeds of its own."""
    return f"{document}\n".encode()


def split(stream: bytes) -> Iterator[bytes]:
    """The stream cut after each line; joined, the parts are the stream. A last line may lack its end."""
    return (match.group() for match in _LINE.finditer(stream))
