"""Hypothesis and laws for wires that have one field for each kind of content."""

from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockserver import Media, Reply, ToolCall, Usage, Wire
from mockserver.frames import join
from mockserver.reply import Block
from mockserver.wires import Decoded

from ..strategies import args, names, pieces, texts

whole_calls: Final = st.lists(
    st.builds(ToolCall.of, names, args, id=names, size=st.just(10**6)), max_size=3, unique_by=lambda call: call.id
)
"""Calls whose arguments are a JSON object, in one piece."""
text_calls: Final = st.lists(
    st.builds(ToolCall, pieces=st.lists(texts, max_size=3).map(tuple), id=names, name=names),
    max_size=3,
    unique_by=lambda call: call.id,
)
"""Calls whose arguments are any text, in any number of pieces."""
_counts: Final = st.integers(0, 2**40)


@st.composite
def usages(draw: st.DrawFn, *details: str) -> Usage:
    """Counts with some of these details."""
    given = {name: draw(st.none() | st.integers(0, 2**20)) for name in details}
    return Usage(
        input_tokens=draw(_counts) + (given.get("cache_read") or 0),
        output_tokens=draw(_counts) + (given.get("reasoning") or 0),
        **given,
    )


@st.composite
def replies(
    draw: st.DrawFn,
    wire: Wire,
    *fields: type[Block],
    calls: SearchStrategy[list[ToolCall]] = whole_calls,
    media: SearchStrategy[Media] | None = None,
    usage: SearchStrategy[Usage | None] | None = None,
    has_id: bool = True,
) -> Reply:
    """A reply with blocks of these kinds in this order, whose pieces may take turns."""
    blocks: list[Any] = []
    for kind in fields:
        if kind is ToolCall:
            blocks += draw(calls)
        elif kind is Media:
            blocks += draw(st.lists(st.nothing() if media is None else media, max_size=2))
        elif draw(st.booleans()):
            blocks.append(draw(st.builds(kind, pieces=pieces)))
    reply = Reply(
        blocks=tuple(blocks),
        finish_reason=draw(st.sampled_from(sorted(wire.finish_reasons))),
        usage=draw(st.none() | usages() if usage is None else usage),
        id=draw(st.none() | names) if has_id else None,
        model=draw(st.none() | names),
    )
    plain = [index for index, block in enumerate(blocks) for _ in block.pieces]
    order = draw(st.permutations(plain))
    first_seen = list(dict.fromkeys(order))
    return replace(reply, order=tuple(order)) if first_seen == sorted(first_seen) else reply


def holds_streamed(wire: Wire, reply: Reply) -> None:
    """A streamed reply decodes to itself, and its frames are told apart by their bytes; pieces are numbered."""
    frames = wire.frames(reply)
    assert wire.decode_stream(join(frames)) == Decoded(reply)
    assert wire.label(wire.split(join(frames))) == frames
    numbers = [frame.piece for frame in frames if frame.kind == "piece"]
    assert numbers == list(range(len(numbers)))


def holds_whole(wire: Wire, reply: Reply) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    assert wire.decode_whole(wire.whole(reply)) == Decoded(reply.whole())
