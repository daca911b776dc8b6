"""What a reply may hold on a wire that has one field for each kind of content: shared by several wires.

Such a wire says nothing of the order in which blocks stand, so a reply has them in the order of the fields.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..errors import Unencodable
from ..reply import Block, Media, Move, Reasoning, Reply, ServerToolCall, Text, ToolCall, Usage
from .assemble import Assembler

MANY: Final = (ToolCall, Media)
"""Kinds of which a field holds a list."""
_DETAILS: Final[Mapping[str, str]] = {
    "cache_read": "tokens read from a cache",
    "cache_creation": "tokens written to a cache",
    "reasoning": "reasoning tokens",
}


def check(
    wire: str,
    reply: Reply,
    fields: tuple[type[Block], ...],
    *,
    details: tuple[str, ...] = (),
    citations: bool = False,
) -> None:
    """Refuse what the wire would lose.

    Args:
        wire: its name.
        reply: what it is to carry.
        fields: the kinds of content that it has fields for, in their order.
        details: those of `Usage` that it has a place for.
        citations: whether it has a place for citations.

    Raises:
        Unencodable: it would lose something; the text says what.
    """
    if unplaced := sorted({type(block).__name__ for block in reply.blocks if type(block) not in fields}):
        raise Unencodable(f"{wire} has no place for {', '.join(unplaced)}")
    ranks = [fields.index(type(block)) for block in reply.blocks]
    single = [rank for rank in ranks if fields[rank] not in MANY]
    if ranks != sorted(ranks) or len(single) != len(set(single)):
        order = ", ".join(kind.__name__ + (" (any number)" if kind in MANY else "") for kind in fields)
        raise Unencodable(f"{wire} carries these blocks in this order: {order}; not {reply.describe()}")
    for block in reply.blocks:
        if isinstance(block, Reasoning | ToolCall) and block.signature:
            raise Unencodable(f"{wire} has no place for a signature")
        if isinstance(block, Text) and block.citations and not citations:
            raise Unencodable(f"{wire} has no place for citations")
    for name, words in _DETAILS.items():
        if reply.usage and name not in details and getattr(reply.usage, name) is not None:
            raise Unencodable(f"{wire} has no place for a count of {words}")


def arguments(wire: str, call: ToolCall | ServerToolCall) -> dict[str, Any]:
    """The arguments of a call, on a wire that carries them as an object; no argument text is as good as `{}`.

    Raises:
        Unencodable: the argument text is no JSON object.
    """
    try:
        value = json.loads(call.joined or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Unencodable(f"{wire} carries the arguments of a call as an object, not {call.joined!r}")
    return value


def counts(usage: Usage) -> dict[str, Any]:
    """Tokens counted in the three fields of OpenAI's Chat Completions, which several providers have without details."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


def read_counts(parts: Assembler, counted: Mapping[str, Any]) -> Usage | None:
    """The usage in these fields."""
    return parts.usage(
        input_tokens=counted.get("prompt_tokens") or 0,
        output_tokens=counted.get("completion_tokens") or 0,
    )


def check_calls_in_turn(wire: str, reply: Reply) -> None:
    """Refuse calls whose pieces take turns, on a wire whose pieces do not say which call they belong to.

    Raises:
        Unencodable: they do.
    """
    calls = [move.index for move in reply.moves() if isinstance(move.block, ToolCall)]
    if calls != sorted(calls):
        raise Unencodable(f"{wire} does not say which call a piece belongs to, so calls cannot take turns")


def moves_with_whole_calls(reply: Reply) -> Iterator[Move]:
    """The moves of a reply on a wire that sends each call whole, with its first piece.

    A call gives one move: ``piece``, with the number of its first piece, or ``open`` where it has none.
    """
    begun: set[int] = set()
    for move in reply.moves():
        if not isinstance(move.block, ToolCall):
            yield move
        elif move.kind == ("piece" if move.block.pieces else "open") and move.index not in begun:
            begun.add(move.index)
            yield move


@dataclass
class CallCount:
    """How many calls a recording has begun so far, on a wire that gives them no index."""

    count: int = 0

    def begin(self) -> int:
        """The number of a new call, from 1."""
        self.count += 1
        return self.count


def mapping(value: object) -> dict[str, Any]:
    """A recorded value that should be an object; `{}` where it is none."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """A recorded list; `[]` for what is none."""
    return value if isinstance(value, list) else []
