"""OpenAI Responses: output items, and the events in which each of them streams.

Sources: `ResponseOutputItem` and `ResponseStreamEvent` of the PyPI package `openai`
(https://github.com/openai/openai-python/tree/main/src/openai/types/responses). Order of events and of keys, and what an
item holds while it is in progress: recorded streams, except for refusals and images, which were not recorded and follow
the types.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, TypeAlias

from ...errors import Unencodable
from ...frames import FrameKind
from ...reply import Block, Citation, Media, Move, Reasoning, Refusal, Text, ToolCall

Status: TypeAlias = Literal["in_progress", "completed", "incomplete"]
FORMATS: Final[Mapping[str, str]] = {
    "png": "image/png",
    "webp": "image/webp",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "svg": "image/svg+xml",
}
"""The formats of an `image_generation_call`, and their mime types."""


@dataclass(frozen=True, slots=True)
class Event:
    """A streamed event before it has a number. `kind` and `piece` are those of its frame."""

    type: str
    fields: Mapping[str, Any]
    kind: FrameKind = "noise"
    piece: int | None = None


@dataclass
class Item(ABC):
    """An output item while it streams.

    Args:
        index: its `output_index`.
        id: its id.
        blocks: the blocks of the reply that it is made of.
        first: the place of the first of them in the reply.
        ending: the status that it ends with, where items of its kind have one.
    """

    index: int
    id: str
    blocks: Sequence[Block]
    first: int
    ending: Status = "completed"
    _closed: int = field(default=0, init=False)

    prefix: ClassVar[str] = ""
    """How the ids of items of this kind begin."""

    @abstractmethod
    def body(self, status: Status) -> dict[str, Any]:
        """The item as it is added (`in_progress`) or done."""

    def done(self) -> dict[str, Any]:
        return self.body(self.ending)

    def events(self, move: Move) -> Iterator[Event]:
        """What one step of the reply sends."""
        if move.kind == "open" and move.index == self.first:
            yield self._item("response.output_item.added", self.body("in_progress"), "start")
            yield from self._begun()
        yield from self._moved(move)
        if move.kind == "close":
            self._closed += 1
            if self._closed == len(self.blocks):
                yield from self._ended()

    def _begun(self) -> Iterator[Event]:
        """What follows the item once it is added."""
        yield from ()

    def _moved(self, move: Move) -> Iterator[Event]:
        """What one step of one of its blocks sends."""
        yield from ()

    def _ended(self) -> Iterator[Event]:
        """What its last block's end sends."""
        yield self._item("response.output_item.done", self.done(), "noise")

    def _arguments(self, move: Move, stem: str, name: str) -> Iterator[Event]:
        """The pieces of a call, and all of them once more, as `name`, at its end."""
        if move.kind == "piece":
            yield self._event(f"{stem}.delta", {"delta": move.piece}, "piece", move.number)
        elif move.kind == "close" and move.index == self.first:
            yield self._event(f"{stem}.done", {name: move.block.joined})

    def _item(self, type: str, item: Mapping[str, Any], kind: FrameKind, piece: int | None = None) -> Event:
        return Event(type, {"item": item, "output_index": self.index}, kind, piece)

    def _event(
        self, type: str, fields: Mapping[str, Any], kind: FrameKind = "noise", piece: int | None = None
    ) -> Event:
        return Event(type, {"item_id": self.id, "output_index": self.index, **fields}, kind, piece)


class MessageItem(Item):
    """A message: texts and refusals are its parts."""

    prefix = "msg"

    def body(self, status: Status) -> dict[str, Any]:
        content = [] if status == "in_progress" else [self._part(block) for block in self.blocks]
        return {"id": self.id, "type": "message", "status": status, "content": content, "role": "assistant"}

    def _moved(self, move: Move) -> Iterator[Event]:
        at = {"content_index": move.index - self.first}
        part = self._part(move.block)
        is_text = isinstance(move.block, Text)
        logprobs: dict[str, Any] = {"logprobs": []} if is_text else {}
        stem, name = ("response.output_text", "text") if is_text else ("response.refusal", "refusal")
        if move.kind == "open":
            empty = {**part, name: "", **({"annotations": []} if is_text else {})}
            yield self._event("response.content_part.added", {**at, "part": empty}, "start")
        elif move.kind == "piece":
            yield self._event(f"{stem}.delta", {**at, "delta": move.piece, **logprobs}, "piece", move.number)
        else:
            for number, each in enumerate(part.get("annotations", ())):
                yield self._event(f"{stem}.annotation.added", {**at, "annotation_index": number, "annotation": each})
            yield self._event(f"{stem}.done", {**at, name: move.block.joined, **logprobs})
            yield self._event("response.content_part.done", {**at, "part": part})

    @staticmethod
    def _part(block: Block) -> dict[str, Any]:
        if isinstance(block, Refusal):
            return {"type": "refusal", "refusal": block.joined}
        assert isinstance(block, Text)
        annotations = [_annotation(each) for each in block.citations]
        return {"type": "output_text", "annotations": annotations, "logprobs": [], "text": block.joined}


class ReasoningItem(Item):
    """Reasoning: each block with text is a part of the summary, and the last one's signature the encrypted content."""

    prefix = "rs"

    def body(self, status: Status) -> dict[str, Any]:
        last = self.blocks[-1]
        assert isinstance(last, Reasoning)
        seal = last.signature
        if seal and status == "in_progress":
            # What is added is recorded to differ from what is done; the SDK's type says that it may be incomplete.
            seal = seal[: len(seal) // 2]
        parts = [_summary(block) for block in self.blocks if block.pieces] if status != "in_progress" else []
        encrypted = {"encrypted_content": seal} if last.signature else {}
        return {"id": self.id, "type": "reasoning", "content": [], **encrypted, "summary": parts}

    def _moved(self, move: Move) -> Iterator[Event]:
        if not move.block.pieces:
            return
        at = {"summary_index": move.index - self.first}
        stem = "response.reasoning_summary"
        if move.kind == "open":
            part = {"type": "summary_text", "text": ""}
            yield self._event(f"{stem}_part.added", {**at, "part": part}, "start")
        elif move.kind == "piece":
            yield self._event(f"{stem}_text.delta", {**at, "delta": move.piece}, "piece", move.number)
        else:
            yield self._event(f"{stem}_text.done", {**at, "text": move.block.joined})
            yield self._event(f"{stem}_part.done", {**at, "part": _summary(move.block)})


class FunctionItem(Item):
    """A call of a tool of the client's."""

    prefix = "fc"

    def body(self, status: Status) -> dict[str, Any]:
        [call] = self.blocks
        assert isinstance(call, ToolCall)
        arguments = "" if status == "in_progress" else call.joined
        return {
            "id": self.id,
            "type": "function_call",
            "status": status,
            "arguments": arguments,
            "call_id": call.id,
            "name": call.name,
        }

    def _moved(self, move: Move) -> Iterator[Event]:
        return self._arguments(move, "response.function_call_arguments", "arguments")


class ImageItem(Item):
    """An image that the model had made."""

    prefix = "ig"

    def body(self, status: Status) -> dict[str, Any]:
        [image] = self.blocks
        assert isinstance(image, Media)
        found = [name for name, mime_type in FORMATS.items() if mime_type == image.mime_type]
        if not found:
            known = ", ".join(FORMATS.values())
            raise Unencodable(f"openai-responses carries media of {known}, not {image.mime_type}")
        head = {"id": self.id, "type": "image_generation_call"}
        if status == "in_progress":
            return {**head, "status": status}
        return {**head, "status": "completed", "output_format": found[0], "result": image.data}

    def _begun(self) -> Iterator[Event]:
        for stage in ("in_progress", "generating", "completed"):
            yield self._event(f"response.image_generation_call.{stage}", {})

    def _ended(self) -> Iterator[Event]:
        yield self._item("response.output_item.done", self.done(), "start")


def _summary(block: Block) -> dict[str, Any]:
    return {"type": "summary_text", "text": block.joined}


def _annotation(citation: Citation) -> dict[str, Any]:
    if citation.quote is not None or None in (citation.url, citation.title, citation.start):
        raise Unencodable(f"a citation of openai-responses has a url, a title, start and end, and no quote: {citation}")
    return {
        "type": "url_citation",
        "end_index": citation.end,
        "start_index": citation.start,
        "title": citation.title,
        "url": citation.url,
    }
