"""What several tests need: requests of each wire, and answers read off a socket byte by byte."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import httpx

from mockserver import Reasoning, Reply, Server, Text, ToolCall, Usage

PATHS: Final = {"openai-chat": "/v1/chat/completions", "anthropic-messages": "/v1/messages"}
WIRE_NAMES: Final = tuple(PATHS)
LIMIT: Final = 10.0
"""Seconds to wait for what comes at once; only a test that fails waits so long."""
THREE: Final = Reply.of("The moon ", "is full ", "of g\u00f6ldfish.", id="id_1", model="m-1")
"""Text in three pieces, with a character of two bytes."""
RICH: Final = Reply(
    blocks=(
        Reasoning(("Let me ", "think.")),
        Text(("Ün", "\u2028\u0085", "\U0001f420")),
        ToolCall.of("get_weather", {"city": "Zürich"}, id="call_a"),
        ToolCall.of("get_time", {"tz": ["UTC", None, 1.5]}, id="call_b"),
    ),
    finish_reason="tool_calls",
    usage=Usage(input_tokens=30, output_tokens=12, cache_read=4),
    id="id_rich",
    model="m-rich",
)
"""Every kind of block that both wires have."""


def keys(path: str) -> dict[str, str]:
    """Headers without which providers refuse a request of this path."""
    if "/v1/messages" in path:
        return {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    return {"authorization": "Bearer k"}


def ask(url: str, *, headers: Mapping[str, str] | None = None, **asked: Any) -> httpx.Response:
    """A POST; without certificates, which take longer to load than all the rest."""
    return httpx.post(url, headers={**keys(url), **(headers or {})}, timeout=LIMIT, verify=False, **asked)


def question(wire: str, *, stream: bool = True, text: str = "hi", **more: Any) -> dict[str, Any]:
    """The body of a request. Streams ask for usage, where they must."""
    body: dict[str, Any] = {"model": "m-asked", "messages": [{"role": "user", "content": text}], "stream": stream}
    if wire == "anthropic-messages":
        body["max_tokens"] = 100
    elif stream:
        body["stream_options"] = {"include_usage": True}
    return {**body, **more}


def post(server: Server, wire: str = "openai-chat", **asked: Any) -> httpx.Response:
    """The answer to `question`, read whole."""
    return ask(server.url + PATHS[wire], json=question(wire, **asked))


@dataclass
class Answer:
    """What came over a socket: the head, the chunks as they were framed, and how it ended.

    `ending` is ``whole`` (final chunk, or all of content-length), ``closed`` (FIN before that) or ``reset`` (RST).
    """

    head: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    ending: Literal["whole", "closed", "reset"] = "whole"

    @property
    def status(self) -> int:
        return int(self.head.split(b" ")[1])

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


class Connection:
    """A bare HTTP/1.1 client that reads no more than it is told to."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = sock.makefile("rb")

    def send(
        self, wire: str = "openai-chat", *, path: str | None = None, body: bytes | None = None, **more: Any
    ) -> None:
        content = json.dumps(question(wire, **more)).encode() if body is None else body
        path = path or PATHS[wire]
        fields = {"host": "localhost", "content-length": str(len(content)), **keys(path)}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        head = "\r\n".join(lines) + "\r\n\r\n"
        self.sock.sendall(head.encode() + content)

    def head(self) -> bytes:
        lines = []
        while line := self._reader.readline():
            lines.append(line)
            if line == b"\r\n":
                break
        return b"".join(lines)

    def chunk(self) -> bytes | None:
        """The next chunk; empty for the final one, `None` where the connection ends before it is whole."""
        size = self._reader.readline()
        if not size.endswith(b"\r\n"):
            return None
        data = self._reader.read(int(size, 16) + 2)
        return data[:-2] if data.endswith(b"\r\n") and len(data) == int(size, 16) + 2 else None

    def answer(self) -> Answer:
        """All of an answer, until it ends one way or another."""
        answer = Answer()
        try:
            answer.head = self.head()
            if not answer.head:
                answer.ending = "closed"
            elif b"chunked" in answer.head:
                self._read_chunks(answer)
            else:
                self._read_length(answer)
        except ConnectionResetError:
            answer.ending = "reset"
        return answer

    def _read_chunks(self, answer: Answer) -> None:
        while chunk := self.chunk():
            answer.chunks.append(chunk)
        if chunk is None:
            answer.ending = "closed"

    def _read_length(self, answer: Answer) -> None:
        [length] = [
            int(line.split(b":")[1]) for line in answer.head.lower().split(b"\r\n") if b"content-length" in line
        ]
        answer.chunks.append(self._reader.read1(length))
        while len(answer.body) < length:
            part = self._reader.read1(length - len(answer.body))
            if not part:
                answer.ending = "closed"
                return
            answer.chunks.append(part)

    def close(self) -> None:
        self._reader.close()
        self.sock.close()


@contextmanager
def connection(server: Server) -> Iterator[Connection]:
    opened = Connection(socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT))
    try:
        yield opened
    finally:
        opened.close()


def fetch(server: Server, wire: str = "openai-chat", **more: Any) -> Answer:
    """One request on a connection of its own."""
    with connection(server) as opened:
        opened.send(wire, **more)
        return opened.answer()
