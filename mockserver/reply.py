"""The neutral reply: what a model says in one turn, whichever provider's wire carries it.

A reply is content blocks in order, each with the pieces in which it streams. Blocks are named as LangChain's standard
content blocks are (https://docs.langchain.com/oss/python/langchain/messages#standard-content-blocks).
All values are frozen and are checked once, when they are made.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self, TypeAlias

FINISH_REASONS: Final = (
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "refusal",
    "stop_sequence",
    "pause",
    "context_window",
)
"""Why a reply ended. Each wire has its own words for those that it carries."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Pieces:
    """What streams in pieces: non-empty strings, at least one; a single string stands for one piece."""

    pieces: tuple[str, ...]

    def __post_init__(self) -> None:
        given: object = self.pieces
        pieces = (given,) if isinstance(given, str) else tuple(self.pieces)
        object.__setattr__(self, "pieces", pieces)
        for piece in pieces:
            if not isinstance(piece, str) or not piece:
                raise ValueError(f"{type(self).__name__} is made of non-empty strings, not {piece!r}")
            if _SURROGATE.search(piece):
                raise ValueError(f"{type(self).__name__} has half a surrogate pair, which is no Unicode: {piece!r}")
        if not pieces and not isinstance(self, ToolCall):
            raise ValueError(f"{type(self).__name__} has at least one piece")

    @property
    def joined(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Text(_Pieces):
    """Text that the user reads."""


@dataclass(frozen=True, slots=True)
class Reasoning(_Pieces):
    """Reasoning that comes before an answer. `signature` is the provider's seal on it, where it has one."""

    signature: str | None = None

    def __post_init__(self) -> None:
        _Pieces.__post_init__(self)
        if self.signature == "":
            raise ValueError("a signature is a non-empty string, or None where there is none")


@dataclass(frozen=True, slots=True)
class Refusal(_Pieces):
    """Text in which the model declines, on wires that tell it apart from other text."""


@dataclass(frozen=True, slots=True)
class ToolCall(_Pieces):
    """A call of a tool. `pieces` are the argument text (JSON) as it streams; none means that no text is sent."""

    pieces: tuple[str, ...] = ()
    id: str = "call_1"
    name: str = ""

    def __post_init__(self) -> None:
        _Pieces.__post_init__(self)
        if not self.id or not self.name:
            raise ValueError("a tool call has an id and a name")

    @classmethod
    def of(cls, name: str, args: Mapping[str, Any], *, id: str = "call_1", size: int = 8) -> Self:
        """A call with `args` as compact JSON, in pieces of `size` characters.

        Raises:
            ValueError, TypeError: JSON cannot carry `args`.
        """
        text = json.dumps(args, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return cls(id=id, name=name, pieces=tuple(text[at : at + size] for at in range(0, len(text), size)))


Block: TypeAlias = Text | Reasoning | Refusal | ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens counted, in LangChain's meaning: `input_tokens` includes cached ones, `output_tokens` includes reasoning.

    A detail that the provider does not send is ``None``.
    """

    input_tokens: int
    output_tokens: int
    cache_read: int | None = None
    cache_creation: int | None = None
    reasoning: int | None = None

    def __post_init__(self) -> None:
        for name in ("input_tokens", "output_tokens", "cache_read", "cache_creation", "reasoning"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise ValueError(f"{name} is a count of tokens, not {value!r}")
        if (self.cache_read or 0) + (self.cache_creation or 0) > self.input_tokens:
            raise ValueError("input_tokens includes the cached tokens, so it cannot be smaller than they are")
        if (self.reasoning or 0) > self.output_tokens:
            raise ValueError("output_tokens includes the reasoning tokens, so it cannot be smaller than they are")

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of a model.

    Args:
        blocks: content in order.
        finish_reason: one of `FINISH_REASONS`, or a provider's own word that none of them stands for.
        usage: the provider's count, or ``None`` where it sends none.
        id: the provider's id of the answer; ``None`` lets the server make a new one for each request.
        model: the name of the model that answers; ``None`` repeats the name that the request asks for.
    """

    blocks: tuple[Block, ...] = ()
    finish_reason: str = "stop"
    usage: Usage | None = Usage(input_tokens=11, output_tokens=7)
    id: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        for block in self.blocks:
            if not isinstance(block, Text | Reasoning | Refusal | ToolCall):
                raise TypeError(f"a reply is made of Text, Reasoning, Refusal and ToolCall blocks, not {block!r}")
        if not self.finish_reason:
            raise ValueError("a reply has a finish reason")
        ids = [call.id for call in self.tool_calls]
        if len(ids) != len(set(ids)):
            raise ValueError(f"two tool calls of one reply have the same id: {ids}")

    @classmethod
    def of(cls, *parts: str | Block, **fields: Any) -> Self:
        """A reply from strings (pieces of a text block) and blocks: ``Reply.of("Hel", "lo", id="msg_1")``."""
        blocks: list[Block] = []
        pieces: list[str] = []
        for part in parts:
            if isinstance(part, str):
                pieces.append(part)
                continue
            if pieces:
                blocks.append(Text(tuple(pieces)))
            pieces = list(part.pieces) if isinstance(part, Text) else []
            if not pieces:
                blocks.append(part)
        if pieces:
            blocks.append(Text(tuple(pieces)))
        return cls(blocks=tuple(blocks), **fields)

    @property
    def text(self) -> str:
        return "".join(block.joined for block in self.blocks if isinstance(block, Text))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(block for block in self.blocks if isinstance(block, ToolCall))

    @property
    def pieces(self) -> Iterator[str]:
        """The streamed pieces of all blocks in order; their running number is what gates and faults name."""
        for block in self.blocks:
            yield from block.pieces

    @property
    def piece_count(self) -> int:
        return sum(len(block.pieces) for block in self.blocks)

    def whole(self) -> Self:
        """The same reply with each block in one piece, as a body that is not streamed carries it."""
        return replace(
            self,
            blocks=tuple(replace(block, pieces=(block.joined,)) if block.pieces else block for block in self.blocks),
        )

    def describe(self) -> str:
        """What is in it, in a few words: ``text in 3 pieces, finish, usage``."""
        names = {Text: "text", Reasoning: "reasoning", Refusal: "refusal", ToolCall: "tool call"}
        parts = [
            f"{names[type(block)]} in {len(block.pieces)} piece{'s' if len(block.pieces) != 1 else ''}"
            for block in self.blocks
        ]
        if len(parts) > 4:
            parts = [*parts[:3], f"{len(parts) - 3} more blocks"]
        finish = "finish" if self.finish_reason == "stop" else f"finish {self.finish_reason!r}"
        return ", ".join([*(parts or ["no content"]), finish, *(["usage"] if self.usage else [])])
