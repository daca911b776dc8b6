"""What is simpler than an example by one step; an example is made small by such steps until none is left to take."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

from mockserver import Delivery, Reasoning, Reply, Text, ToolCall
from mockserver.reply import Block

from .actions import Action
from .example import PLAIN, Example
from .replies import TOOLS, Shapes, numbered

_PLAINEST = "a"


def simpler_examples(shapes: Shapes) -> Callable[[Example], Iterator[Example]]:
    """The examples that are simpler by one step, of those that the wire can carry."""

    def simpler(example: Example) -> Iterator[Example]:
        if example != example.plainly():
            yield example.plainly()
        if example.before:
            yield replace(example, before=None)
        if example.usage_at:
            yield replace(example, usage_at="")
        for delivery in _deliveries(example.delivery):
            yield replace(example, delivery=delivery)
        for reply in filter(shapes.carries, _replies(example.reply)):
            smaller = replace(example, reply=reply, usage_at=example.usage_at if reply.usage else "")
            yield smaller
            if example.delivery.insert and (fewer := example.reply.piece_count - reply.piece_count):
                yield replace(smaller, delivery=_moved(example.delivery, fewer))
        if example.before:
            for before in filter(shapes.carries, _replies(example.before)):
                yield replace(example, before=before)

    return simpler


def simpler_steps(actions: tuple[Action, ...]) -> Iterator[tuple[Action, ...]]:
    """The sequences that have a step less."""
    return (actions[:at] + actions[at + 1 :] for at in range(len(actions)))


def _deliveries(delivery: Delivery) -> Iterator[Delivery]:
    for each in fields(delivery):
        if getattr(delivery, each.name) != getattr(PLAIN, each.name):
            yield replace(delivery, **{each.name: getattr(PLAIN, each.name)})


def _moved(delivery: Delivery, by: int) -> Delivery:
    """What is put in comes so many pieces sooner."""
    moved = (
        replace(each, before=max(0, each.before - by)) if isinstance(each.before, int) else each
        for each in delivery.insert
    )
    return replace(delivery, insert=tuple(moved))


def _replies(reply: Reply) -> Iterator[Reply]:
    if reply.usage:
        yield replace(reply, usage=None)
    if reply.order:
        yield replace(reply, order=None)
    if reply.finish_reason not in ("stop", "tool_calls"):
        yield replace(reply, finish_reason="stop")
    for at, block in enumerate(reply.blocks):
        for instead in ((), *((each,) for each in _blocks(block))):
            blocks = (*reply.blocks[:at], *instead, *reply.blocks[at + 1 :])
            yield _of(reply, blocks, None)
            for order in _orders(reply.order, at, instead):
                yield _of(reply, blocks, order)


def _orders(order: tuple[int, ...] | None, at: int, instead: tuple[Block, ...]) -> Iterator[tuple[int, ...]]:
    """The order without what the block at a place no longer says: its last turns, or its first."""
    if order is None or order.count(at) < sum(len(block.pieces) for block in instead):
        return
    left = sum(len(block.pieces) for block in instead)
    turns = [turn for turn, index in enumerate(order) if index == at]
    for kept in dict.fromkeys((tuple(turns[:left]), tuple(turns[len(turns) - left :]))):
        yield tuple(
            index - (index > at and not instead) for turn, index in enumerate(order) if index != at or turn in kept
        )


def _of(reply: Reply, blocks: tuple[Block, ...], order: tuple[int, ...] | None) -> Reply:
    """The reply with these blocks in its place, one after the other where there is no order."""
    calls = any(isinstance(block, ToolCall) for block in blocks)
    ends = "stop" if reply.finish_reason == "tool_calls" and not calls else reply.finish_reason
    return replace(reply, blocks=tuple(numbered(blocks)), order=order, finish_reason=ends)


def _blocks(block: Block) -> Iterator[Block]:
    if isinstance(block, ToolCall):
        yield from (replace(block, pieces=pieces) for pieces in _arguments(block.pieces))
        if block.name != TOOLS[0]:
            yield replace(block, name=TOOLS[0])
    elif isinstance(block, Text | Reasoning):
        yield from (replace(block, pieces=pieces) for pieces in _pieces(block.pieces))


def _pieces(pieces: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Fewer pieces, then shorter ones."""
    if len(pieces) > 1:
        middle = len(pieces) // 2
        yield from (pieces[:middle], pieces[middle:])
        yield from (pieces[:at] + pieces[at + 1 :] for at in range(len(pieces)))
        yield from _joined(pieces)
    for at, piece in enumerate(pieces):
        shorter = [] if piece == _PLAINEST else [_PLAINEST, *([piece[1:], piece[:-1]] if len(piece) > 1 else [])]
        yield from ((*pieces[:at], each, *pieces[at + 1 :]) for each in shorter)


def _arguments(pieces: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Nothing, fewer arguments in one piece, fewer pieces, then shorter arguments in pieces cut as before."""
    if not pieces:
        return
    yield ()
    text = "".join(pieces)
    args = json.loads(text)
    for fewer in _fewer(args):
        for escaped in dict.fromkeys((False, "\\u" in text)):
            yield (json.dumps(fewer, ensure_ascii=escaped),)
    yield from _joined(pieces)
    yield from _less(pieces)


def _fewer(args: dict[str, Any]) -> Iterator[dict[str, Any]]:
    names = list(args)
    middle = len(names) // 2
    halves = [names[:middle], names[middle:]] if len(names) > 1 else []
    for left in [*halves, *([each for each in names if each != name] for name in names)]:
        yield {name: args[name] for name in left}
    for name in names:
        if args[name] is not None:
            yield {**args, name: None}
        if isinstance(args[name], dict | list) and args[name]:
            yield {**args, name: type(args[name])()}


def _less(pieces: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Without a part of a piece, as long as the arguments stay an object."""
    for at, piece in enumerate(pieces):
        size = len(piece) // 2
        while size:
            for start in range(0, len(piece), size):
                shorter = piece[:start] + piece[start + size :]
                less = (*pieces[:at], *((shorter,) if shorter else ()), *pieces[at + 1 :])
                if _is_object("".join(less)):
                    yield less
            size //= 2


def _is_object(text: str) -> bool:
    """Whether it is a JSON object, with no half of a surrogate pair in it."""
    try:
        args = json.loads(text)
        json.dumps(args, ensure_ascii=False).encode()
    except ValueError:
        return False
    return isinstance(args, dict)


def _joined(pieces: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """Two pieces as one, and all of them."""
    if len(pieces) > 2:
        yield ("".join(pieces),)
    for at in range(len(pieces) - 1):
        yield (*pieces[:at], pieces[at] + pieces[at + 1], *pieces[at + 2 :])
