"""The neutral reply: what a model says in one turn, whichever provider's wire carries it.

A reply is content blocks in order, each with the pieces in which it streams. Blocks are named as LangChain's standard
content blocks are (https://docs.langchain.com/oss/python/langchain/messages#standard-content-blocks).
All values are frozen and are checked once, when they are made.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Self, TypeAlias

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


def characters(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair: JSON can say them, and UTF-8 cannot."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _check_signature(signature: str | None) -> None:
    if signature == "":
        raise ValueError("a signature is a non-empty string, or None where there is none")


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
            if not piece.isascii() and _SURROGATE.search(piece):
                raise ValueError(f"{type(self).__name__} has half a surrogate pair, which is no Unicode: {piece!r}")
        if not pieces and not self._may_be_empty():
            raise ValueError(f"{type(self).__name__} has at least one piece")

    def _may_be_empty(self) -> bool:
        return False

    @property
    def joined(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """What a text rests on. Each wire has places for some of the fields.

    Args:
        url: address of the source.
        title: its title.
        quote: the words of the source that are cited.
        start, end: which characters of the text rest on it, from `start` up to and without `end`.
    """

    url: str | None = None
    title: str | None = None
    quote: str | None = None
    start: int | None = None
    end: int | None = None

    def __post_init__(self) -> None:
        if self.url is None and self.title is None and self.quote is None:
            raise ValueError("a citation has a url, a title or a quote")
        if (self.start is None) != (self.end is None) or (self.start or 0) < 0 or (self.end or 0) < (self.start or 0):
            raise ValueError(f"a citation is of the characters from start to end, not {self.start!r} to {self.end!r}")


@dataclass(frozen=True, slots=True)
class Text(_Pieces):
    """Text that the user reads, with what it rests on, where the provider says so."""

    citations: tuple[Citation, ...] = ()

    def __post_init__(self) -> None:
        _Pieces.__post_init__(self)
        object.__setattr__(self, "citations", tuple(self.citations))


@dataclass(frozen=True, slots=True)
class Reasoning(_Pieces):
    """Reasoning that comes before an answer.

    Args:
        pieces: its text, or the provider's summary of it; may be empty where there is a signature.
        signature: the provider's seal on it, or its encrypted form.
        redacted: whether the provider withholds the text and gives only the encrypted form.
    """

    signature: str | None = None
    redacted: bool = False

    def __post_init__(self) -> None:
        _Pieces.__post_init__(self)
        _check_signature(self.signature)
        if self.redacted and (self.pieces or not self.signature):
            raise ValueError("redacted reasoning has a signature, and no pieces")

    def _may_be_empty(self) -> bool:
        return self.signature is not None


@dataclass(frozen=True, slots=True)
class Refusal(_Pieces):
    """Text in which the model declines, on wires that tell it apart from other text."""


@dataclass(frozen=True, slots=True)
class _Call(_Pieces):
    """What calls of both kinds have: `pieces` are the argument text (JSON) as it streams; there may be none."""

    pieces: tuple[str, ...] = ()
    id: str = "call_1"
    name: str = ""

    def __post_init__(self) -> None:
        _Pieces.__post_init__(self)
        if not self.id or not self.name:
            raise ValueError("a tool call has an id and a name")

    def _may_be_empty(self) -> bool:
        return True

    @classmethod
    def of(cls, name: str, args: Mapping[str, Any], *, id: str = "call_1", size: int = 8) -> Self:
        """A call with `args` as compact JSON, in pieces of `size` characters.

        Raises:
            ValueError, TypeError: JSON cannot carry `args`.
        """
        text = json.dumps(args, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return cls(id=id, name=name, pieces=tuple(text[at : at + size] for at in range(0, len(text), size)))


@dataclass(frozen=True, slots=True)
class ToolCall(_Call):
    """A call of a tool of the client's. `signature` is the provider's seal on the reasoning that led to it."""

    signature: str | None = None

    def __post_init__(self) -> None:
        _Call.__post_init__(self)
        _check_signature(self.signature)


@dataclass(frozen=True, slots=True)
class ServerToolCall(_Call):
    """A call of a tool that the provider runs itself, such as a search of the web."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerToolResult:
    """What a tool that the provider ran came to; it arrives whole.

    Args:
        call_id: id of the call.
        kind: the provider's name for such a result, such as ``web_search_tool_result``.
        output: the result as JSON text.
    """

    call_id: str
    kind: str
    output: str

    def __post_init__(self) -> None:
        if not self.call_id or not self.kind:
            raise ValueError("the result of a server's tool has the id of its call, and a kind")
        try:
            json.loads(self.output)
        except ValueError:
            raise ValueError(f"the output of a server's tool is JSON text, not {self.output!r}") from None

    @property
    def pieces(self) -> tuple[str, ...]:
        return ()

    @property
    def joined(self) -> str:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """An image, or other data that is no text; it arrives whole. `data` is base64."""

    mime_type: str
    data: str

    def __post_init__(self) -> None:
        if "/" not in self.mime_type:
            raise ValueError(f"a mime type is like image/png, not {self.mime_type!r}")
        try:
            base64.b64decode(self.data, validate=True)
        except ValueError:
            raise ValueError("the data of media are base64") from None

    @property
    def pieces(self) -> tuple[str, ...]:
        return ()

    @property
    def joined(self) -> str:
        return ""


Block: TypeAlias = Text | Reasoning | Refusal | ToolCall | ServerToolCall | ServerToolResult | Media
_NAMES: Final[Mapping[type, str]] = {
    Text: "text",
    Reasoning: "reasoning",
    Refusal: "refusal",
    ToolCall: "tool call",
    ServerToolCall: "server tool call",
    ServerToolResult: "server tool result",
    Media: "media",
}


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a streamed reply: a block opens, brings a piece, or closes.

    Args:
        kind: which of the three.
        index: the place of the block in the reply.
        block: the block.
        piece: the piece, for that kind.
        number: the running number of the piece over the whole reply.
    """

    kind: Literal["open", "piece", "close"]
    index: int
    block: Block
    piece: str = ""
    number: int | None = None


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
        order: the place of the block that each streamed piece belongs to, where blocks take turns:
            ``(0, 1, 0, 1)`` for two blocks of two pieces; ``None`` where each block ends before the next begins.
        id: the provider's id of the answer; ``None`` lets the server make a new one for each request.
        model: the name of the model that answers; ``None`` repeats the name that the request asks for.
    """

    blocks: tuple[Block, ...] = ()
    finish_reason: str = "stop"
    usage: Usage | None = Usage(input_tokens=11, output_tokens=7)
    order: tuple[int, ...] | None = None
    id: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        for block in self.blocks:
            if type(block) not in _NAMES:
                raise TypeError(f"a reply is made of {', '.join(kind.__name__ for kind in _NAMES)}, not {block!r}")
        if not self.finish_reason:
            raise ValueError("a reply has a finish reason")
        ids = [block.id for block in self.blocks if isinstance(block, _Call)]
        if len(ids) != len(set(ids)):
            raise ValueError(f"two tool calls of one reply have the same id: {ids}")
        if self.order is not None:
            object.__setattr__(self, "order", self._checked(tuple(self.order)))

    def _checked(self, order: tuple[int, ...]) -> tuple[int, ...] | None:
        """The order, or `None` where it is the one that blocks have anyway."""
        plain = tuple(index for index, block in enumerate(self.blocks) for _ in block.pieces)
        if tuple(sorted(order)) != plain:
            raise ValueError(f"an order names each block once for each of its pieces, such as {plain}, not {order}")
        return None if order == plain else order

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
            goes_on = isinstance(part, Text) and not part.citations
            pieces = list(part.pieces) if goes_on else []
            if not goes_on:
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
        """The pieces of all blocks as they stream; their running number is what gates and faults name."""
        return (move.piece for move in self.moves() if move.kind == "piece")

    def moves(self) -> Iterator[Move]:
        """The reply as it streams: each block opens, brings its pieces and closes, in the reply's order.

        Blocks open in the order in which they stand, each as late as it can; one without pieces closes at once.
        """
        left = [len(block.pieces) for block in self.blocks]
        given = [iter(block.pieces) for block in self.blocks]
        plain = (index for index, block in enumerate(self.blocks) for _ in block.pieces)
        opened = 0
        for number, index in enumerate(self.order or plain):
            for each in range(opened, index + 1):
                yield from self._opening(each)
            opened = max(opened, index + 1)
            yield Move("piece", index, self.blocks[index], next(given[index]), number)
            left[index] -= 1
            if not left[index]:
                yield Move("close", index, self.blocks[index])
        for each in range(opened, len(self.blocks)):
            yield from self._opening(each)

    def _opening(self, index: int) -> Iterator[Move]:
        yield Move("open", index, self.blocks[index])
        if not self.blocks[index].pieces:
            yield Move("close", index, self.blocks[index])

    @property
    def piece_count(self) -> int:
        return sum(len(block.pieces) for block in self.blocks)

    def whole(self) -> Self:
        """The same reply with each block in one piece, as a body that is not streamed carries it."""
        return replace(
            self,
            blocks=tuple(
                replace(block, pieces=(block.joined,)) if isinstance(block, _Pieces) and block.pieces else block
                for block in self.blocks
            ),
            order=None,
        )

    def describe(self) -> str:
        """What is in it, in a few words: ``text in 3 pieces, finish, usage``."""
        parts = [
            f"{_NAMES[type(block)]} in {len(block.pieces)} piece{'s' if len(block.pieces) != 1 else ''}"
            if isinstance(block, _Pieces)
            else _NAMES[type(block)]
            for block in self.blocks
        ]
        if len(parts) > 4:
            parts = [*parts[:3], f"{len(parts) - 3} more blocks"]
        finish = "finish" if self.finish_reason == "stop" else f"finish {self.finish_reason!r}"
        taking_turns = ["taking turns"] if self.order else []
        return ", ".join([*(parts or ["no content"]), *taking_turns, finish, *(["usage"] if self.usage else [])])
