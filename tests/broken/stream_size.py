"""Models that break STREAM-16 or STREAM-17, the rules on long answers."""

import queue
import threading
from collections.abc import Iterator
from typing import Any

from langchain_core.outputs import ChatGenerationChunk

from ..reference import ReferenceChat
from ..sse_reader import Event
from .stream import delta_of


class CutsLargePieces(ReferenceChat):
    """Keeps the first 64 KiB of a piece."""

    def _chunk(self, event: Event) -> ChatGenerationChunk | None:
        delta = delta_of(event)
        delta["content"] = (delta.get("content") or "")[: 2**16]
        return super()._chunk(event)


class CountsAllTextAgain(ReferenceChat):
    """Counts the words of the whole text again for each chunk."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        text = ""
        for chunk in super()._stream(*args, **kwargs):
            text += str(chunk.message.content)
            chunk.message.additional_kwargs["words"] = str(len(text.split()))
            yield chunk


class ReadsAhead(ReferenceChat):
    """Reads the stream in a thread, as fast as it comes."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        chunks: queue.SimpleQueue[ChatGenerationChunk | Exception | None] = queue.SimpleQueue()
        source = super()._stream(*args, **kwargs)

        def read() -> None:
            try:
                for chunk in source:
                    chunks.put(chunk)
                chunks.put(None)
            except Exception as error:  # noqa: BLE001 - raised where the chunks are read
                chunks.put(error)

        threading.Thread(target=read, daemon=True).start()
        while chunk := chunks.get():
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk
