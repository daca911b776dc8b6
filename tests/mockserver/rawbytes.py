"""An answer as it comes over a socket, byte for byte and segment by segment, nothing of it understood yet."""

import json
import socket
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mockserver import Server

from .helpers import LIMIT, PATHS, question

LINUX: Final = sys.platform == "linux"
_DATA_SEGMENTS_IN: Final = 152
"""Where tcp_info (linux/tcp.h) counts the segments with data that came in."""


@dataclass
class Raw:
    """The bytes of an answer, and how the connection ended: closed by the server (FIN), reset, or not so far."""

    data: bytearray = field(default_factory=bytearray)
    ending: Literal["closed", "reset", "silent"] = "silent"

    @property
    def head(self) -> bytes:
        return bytes(self.data.partition(b"\r\n\r\n")[0])

    @property
    def status(self) -> int:
        return int(self.head.split(b" ")[1])

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode().split("\r\n")[1:]
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def raw_body(self) -> bytes:
        """What follows the head, with the framing of chunks."""
        return bytes(self.data.partition(b"\r\n\r\n")[2])

    def chunks(self) -> tuple[list[bytes], bytes]:
        """The whole chunks, and what is left over: nothing after a proper end, which is the last, empty chunk."""
        body, found, at = self.raw_body, [], 0
        while (start := body.find(b"\r\n", at) + 2) > 1:
            end = start + int(body[at : start - 2], 16)
            if len(body) < end + 2:
                break
            assert body[end : end + 2] == b"\r\n"
            found.append(body[start:end])
            at = end + 2
        return found, body[at:]

    @property
    def body(self) -> bytes:
        """The body without chunks and compression, as far as it came."""
        body = b"".join(self.chunks()[0]) if "transfer-encoding" in self.headers else self.raw_body
        if self.headers.get("content-encoding") == "gzip":
            body = zlib.decompressobj(wbits=31).decompress(body)
        return body


class RawClient:
    """A client that asks once and reads what comes."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.got = Raw()

    def ask(
        self,
        wire: str = "openai-chat",
        *,
        stream: bool = True,
        version: str = "1.1",
        method: str = "POST",
        **headers: str,
    ) -> None:
        body = json.dumps(question(wire, stream=stream)).encode()
        lines = [f"{method} {PATHS[wire]} HTTP/{version}", "host: localhost", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.sock.sendall("\r\n".join((*lines, "", "")).encode() + body)

    def read(self) -> bytes:
        """The bytes that come next; empty at the end of the connection."""
        try:
            part = self.sock.recv(1 << 16)
        except ConnectionResetError:
            self.got.ending = "reset"
            return b""
        if not part:
            self.got.ending = "closed"
        self.got.data += part
        return part

    def read_until(self, end: bytes) -> Raw:
        """What comes up to these bytes."""
        while end not in self.got.data and self.read():
            pass
        return self.got

    def read_all(self) -> Raw:
        """What comes up to the end of the connection."""
        while self.read():
            pass
        return self.got

    @property
    def segments(self) -> int:
        """How many TCP segments with data have come in."""
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return int(struct.unpack_from("I", info, _DATA_SEGMENTS_IN)[0])


@contextmanager
def raw_client(server: Server) -> Iterator[RawClient]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT) as sock:
        yield RawClient(sock)


def raw(server: Server, wire: str = "openai-chat", **asked: Any) -> Raw:
    """The bytes of one answer, after which the connection is to be closed."""
    with raw_client(server) as client:
        client.ask(wire, connection="close", **asked)
        return client.read_all()
