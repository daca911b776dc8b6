"""From a wire's deltas back to a reply: shared by the decoders of all wires."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..reply import (
    Block,
    Citation,
    Media,
    Reasoning,
    Refusal,
    Reply,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Usage,
    characters,
)

_Kind = Literal["text", "reasoning", "refusal", "tool_call", "server_tool_call"]
_CALLS = ("tool_call", "server_tool_call")


@dataclass
class _Open:
    kind: _Kind
    pieces: list[str] = field(default_factory=list)
    id: str = ""
    name: str = ""
    signature: str | None = None
    citations: list[Citation] = field(default_factory=list)

    def close(self) -> Block | None:
        pieces = tuple(self.pieces)
        if self.kind == "tool_call":
            return ToolCall(id=self.id, name=self.name or "missing", pieces=pieces, signature=self.signature)
        if self.kind == "server_tool_call":
            return ServerToolCall(id=self.id, name=self.name or "missing", pieces=pieces)
        if self.kind == "reasoning" and (pieces or self.signature):
            return Reasoning(pieces, signature=self.signature)
        if not pieces:
            return None
        return Text(pieces, citations=tuple(self.citations)) if self.kind == "text" else Refusal(pieces)


class Assembler:
    """Collects deltas under keys (a wire's index, or the name of a field); closes them to blocks as they came."""

    def __init__(self) -> None:
        self._blocks: dict[object, _Open | Block] = {}
        self._order: list[object] = []
        self._passed: set[object] = set()
        self.unknown: list[str] = []
        self.error: str | None = None

    def add(self, key: object, kind: _Kind, piece: str = "") -> None:
        """A piece of the block `key`, which this opens where it is new."""
        self._piece(key, self._open(key, kind), piece)

    def call(
        self, key: object, *, id: str | None, name: str | None, piece: str = "", kind: _Kind = "tool_call"
    ) -> None:
        """A piece of the call `key`; id and name as far as this delta brings them."""
        block = self._open(key, kind)
        block.id = block.id or self._text("id", id)
        block.name = block.name or self._text("name", name)
        self._piece(key, block, piece)

    def sign(self, key: object, signature: str, kind: _Kind = "reasoning") -> None:
        """The seal on the block `key`; what comes in several parts is joined."""
        if seal := self._text("signature", signature):
            block = self._open(key, kind)
            block.signature = (block.signature or "") + seal

    def cite(self, key: object, citation: Citation) -> None:
        """A citation of the text `key`."""
        given = ((name, getattr(citation, name)) for name in ("url", "title", "quote"))
        url, title, quote = (None if value is None else self._text(name, value) for name, value in given)
        self._open(key, "text").citations.append(replace(citation, url=url, title=title, quote=quote))

    def whole(self, key: object, block: Reasoning | ServerToolResult | Media) -> None:
        """A block that arrives whole."""
        self._blocks[key] = block

    def _open(self, key: object, kind: _Kind) -> _Open:
        block = self._blocks.setdefault(key, _Open(kind))
        return block if isinstance(block, _Open) else _Open(kind)

    def _piece(self, key: object, block: _Open, piece: str) -> None:
        if self._blocks.get(key) is block and (text := self._text("piece", piece)):
            block.pieces.append(text)
            self._order.append(key)

    def _text(self, what: str, value: object) -> str:
        """A recorded text as a reply can hold it; what it cannot hold is noted."""
        if isinstance(value, str):
            text = characters(value)
            if text != value:
                self.unknown.append(f"half a surrogate pair in the {what} {value!r}")
            return text
        if value is not None:
            self.unknown.append(f"{what} {value!r:.40}")
        return ""

    def pass_over(self, key: object, what: str) -> None:
        """Note a block that a reply has no place for; the deltas of `key` belong to it."""
        self._passed.add(key)
        self.unknown.append(what)

    def is_passed(self, key: object) -> bool:
        return key in self._passed

    def usage(self, **counts: Any) -> Usage | None:
        """The usage; counts that contradict each other, as some providers' do, are noted and left out."""
        try:
            return Usage(**counts)
        except ValueError as error:
            self.unknown.append(f"usage: {error}")
        try:
            return Usage(input_tokens=counts["input_tokens"], output_tokens=counts["output_tokens"])
        except ValueError:
            return None

    def reply(self, *, finish_reason: str | None, usage: Usage | None, id: str | None, model: str | None) -> Reply:
        """The reply so far; one that never said why it ended has the finish reason `unfinished`."""
        self._name_calls()
        said = self._text("finish reason", finish_reason)
        closed = {key: _close(block) for key, block in self._blocks.items()}
        kept = [key for key, block in closed.items() if block is not None]
        places = {key: place for place, key in enumerate(kept)}
        return Reply(
            blocks=tuple(block for block in closed.values() if block is not None),
            order=tuple(places[key] for key in self._order),
            finish_reason=said or "unfinished",
            usage=usage,
            id=None if id is None else self._text("id", id) or None,
            model=None if model is None else self._text("model", model) or None,
        )

    def _name_calls(self) -> None:
        """Give calls ids that tell them apart, where the recording does not."""
        ids: set[str] = set()
        for number, block in enumerate(self._blocks.values()):
            if not isinstance(block, _Open) or block.kind not in _CALLS:
                continue
            if not block.id or block.id in ids:
                self.unknown.append(
                    f"tool call id {block.id!r} stands twice" if block.id else "tool call without an id"
                )
                block.id = f"{block.id or 'missing'}-{number}"
            ids.add(block.id)


def _close(block: _Open | Block) -> Block | None:
    return block.close() if isinstance(block, _Open) else block
