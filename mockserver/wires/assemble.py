"""From a wire's deltas back to a reply: shared by the decoders of all wires."""

from dataclasses import dataclass, field
from typing import Any, Literal

from ..reply import Block, Reasoning, Refusal, Reply, Text, ToolCall, Usage

_Kind = Literal["text", "reasoning", "refusal", "tool_call"]


@dataclass
class _Open:
    kind: _Kind
    pieces: list[str] = field(default_factory=list)
    id: str = ""
    name: str = ""
    signature: str | None = None

    def close(self) -> Block | None:
        pieces = tuple(piece for piece in self.pieces if piece)
        if self.kind == "tool_call":
            return ToolCall(id=self.id, name=self.name or "missing", pieces=pieces)
        if not pieces:
            return None
        if self.kind == "text":
            return Text(pieces)
        if self.kind == "refusal":
            return Refusal(pieces)
        return Reasoning(pieces, signature=self.signature)


class Assembler:
    """Collects deltas under keys (a wire's index, or the name of a field); closes them to blocks as they came."""

    def __init__(self) -> None:
        self._blocks: dict[object, _Open] = {}
        self._passed: set[object] = set()
        self.unknown: list[str] = []
        self.error: str | None = None

    def add(self, key: object, kind: _Kind, piece: str = "") -> None:
        """A piece of the block `key`, which this opens where it is new."""
        self._blocks.setdefault(key, _Open(kind)).pieces.append(piece)

    def call(self, key: object, *, id: str | None, name: str | None, piece: str = "") -> None:
        """A piece of the tool call `key`; id and name as far as this delta brings them."""
        block = self._blocks.setdefault(key, _Open("tool_call"))
        block.id = block.id or id or ""
        block.name = block.name or name or ""
        block.pieces.append(piece)

    def sign(self, key: object, signature: str) -> None:
        self._blocks.setdefault(key, _Open("reasoning")).signature = signature

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
        for block in self._blocks.values():
            if block.signature and not any(block.pieces):
                self.unknown.append("reasoning with a signature and no text")
        blocks = (block.close() for block in self._blocks.values())
        return Reply(
            blocks=tuple(block for block in blocks if block is not None),
            finish_reason=finish_reason or "unfinished",
            usage=usage,
            id=id,
            model=model,
        )

    def _name_calls(self) -> None:
        """Give calls ids that tell them apart, where the recording does not."""
        ids: set[str] = set()
        for number, block in enumerate(self._blocks.values()):
            if block.kind != "tool_call":
                continue
            if not block.id or block.id in ids:
                self.unknown.append(
                    f"tool call id {block.id!r} stands twice" if block.id else "tool call without an id"
                )
                block.id = f"{block.id or 'missing'}-{number}"
            ids.add(block.id)
