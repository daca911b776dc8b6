"""Hypothesis: all that a wire says that it carries, and every legal way to send it."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockserver import Delivery, Framing, Random, Reasoning, Refusal, Reply, Text, ToolCall, Unencodable, Usage, Wire
from mockserver.reply import Block

from ..strategies import args, names, pieces, texts

_SEAL: Final = "c2VhbA=="
_ONE: Final = ToolCall(pieces=("{", "}"), id="call_1", name="f")
_OTHER: Final = replace(_ONE, id="call_2")
_SAID: Final[tuple[Block, ...]] = (Reasoning(("a",)), Text(("a",)), Refusal(("a",)))
"""What is not called, in the order in which messages with a field for each kind are read."""
_seals: Final = st.binary(min_size=1, max_size=6).map(lambda raw: base64.b64encode(raw).decode())
_details: Final = st.integers(0, 2**20)


@dataclass(frozen=True)
class Spoken:
    """What replies a wire can carry, as it says itself.

    Args:
        wire: the wire.
        whole: whether in a body that is not streamed, too.
        parses: whether who reads it needs the arguments of calls to be an object.
    """

    wire: Wire
    whole: bool
    parses: bool

    def carries(self, *blocks: Block, **fields: Any) -> bool:
        """Whether it carries these blocks, for one of the reasons for which it ends."""
        fields = {"usage": Usage(input_tokens=2, output_tokens=2), **fields}
        return any(self.encodes(Reply(blocks=blocks, finish_reason=each, **fields)) for each in self.reasons)

    def encodes(self, reply: Reply) -> bool:
        try:
            self.wire.frames(replace(reply, id="i", model="m"))
            if self.whole:
                self.wire.whole(replace(reply, id="i", model="m"))
        except Unencodable:
            return False
        return True

    @cached_property
    def reasons(self) -> list[str]:
        """Why answers end; the plainest first."""
        return sorted(self.wire.finish_reasons, key=lambda reason: (reason != "stop", reason))

    def ends(self, *blocks: Block) -> list[str]:
        """Why an answer with these blocks may end."""
        counted = (Usage(input_tokens=0, output_tokens=0), None)
        return [
            reason
            for reason in self.reasons
            if any(self.encodes(Reply(blocks=blocks, finish_reason=reason, usage=usage)) for usage in counted)
        ]

    @cached_property
    def details(self) -> list[str]:
        """The details of usage that it counts."""
        known = ("cache_read", "cache_creation", "reasoning")
        return [name for name in known if self.carries(usage=Usage(**{"input_tokens": 1, "output_tokens": 1, name: 1}))]

    @cached_property
    def is_free(self) -> bool:
        """Whether blocks may stand in any order."""
        return self.carries(_ONE, Text(("a",)))

    @cached_property
    def is_repeated(self) -> bool:
        """Whether there may be several texts."""
        return self.carries(Text(("a",)), Reasoning(("b",)), Text(("c",)))

    @cached_property
    def is_adjacent(self) -> bool:
        """Whether two texts may stand side by side."""
        return self.carries(Text(("a",)), Text(("b",)))

    @cached_property
    def turns(self) -> bool:
        """Whether the pieces of blocks may take turns."""
        return self.carries(_ONE, _OTHER, order=(0, 1, 0, 1))

    @cached_property
    def calls(self) -> SearchStrategy[list[ToolCall]]:
        """Calls, with arguments that are any text where the wire has a string for them."""
        seals = st.none() | _seals if self.carries(replace(_ONE, pieces=("{}",), signature=_SEAL)) else st.none()
        size = st.integers(1, 20) if self.carries(_ONE) else st.just(10**6)
        call = st.builds(ToolCall.of, names, args, id=names, size=size)
        if not self.parses and self.carries(replace(_ONE, pieces=("x",))):
            pieces = st.lists(texts, max_size=3).map(tuple)
            call |= st.builds(ToolCall, pieces=pieces, id=names, name=names)
        sealed = st.builds(lambda made, seal: replace(made, signature=seal), call, seals)
        return st.lists(sealed, max_size=3, unique_by=lambda made: made.id)

    @cached_property
    def said(self) -> list[SearchStrategy[Any]]:
        """Blocks of each kind that are no calls."""
        kinds: dict[type, SearchStrategy[Any]] = {
            Reasoning: self._thoughts(), Text: st.builds(Text, pieces), Refusal: st.builds(Refusal, pieces)
        }  # fmt: skip
        return [kinds[type(block)] for block in _SAID if self.carries(block)]

    def _thoughts(self) -> SearchStrategy[Reasoning]:
        thoughts = st.builds(Reasoning, pieces)
        if self.carries(Reasoning(("a",), signature=_SEAL)):
            thoughts |= st.builds(Reasoning, pieces, signature=_seals)
        for is_redacted in (False, True):
            if self.carries(Reasoning((), signature=_SEAL, redacted=is_redacted)):
                thoughts |= st.builds(Reasoning, st.just(()), signature=_seals, redacted=st.just(is_redacted))
        return thoughts

    @cached_property
    def usages(self) -> SearchStrategy[Usage | None]:
        plain = Reply(usage=Usage(input_tokens=1, output_tokens=1), id="i", model="m")
        told = self.wire.decode_whole(self.wire.whole(plain)).reply.usage
        usages: SearchStrategy[Usage | None] = _usages(self.details, always=told != plain.usage)
        return usages | st.none() if self.carries(usage=None) else usages

    def replies(self) -> SearchStrategy[Reply]:
        """Replies that the wire carries."""
        return _replies(self)


@st.composite
def _usages(draw: st.DrawFn, details: list[str], *, always: bool) -> Usage:
    """Counts with some of the details, or `always` with all of them."""
    given = {name: draw(_details if always else st.none() | _details) for name in details}
    return Usage(
        input_tokens=draw(_details) + (given.get("cache_read") or 0) + (given.get("cache_creation") or 0),
        output_tokens=draw(_details) + (given.get("reasoning") or 0),
        **given,
    )


@st.composite
def _replies(draw: st.DrawFn, spoken: Spoken) -> Reply:
    blocks = _blocks(draw, spoken)
    reply = Reply(
        blocks=blocks,
        finish_reason=draw(st.sampled_from(spoken.ends(*(block for block in blocks if isinstance(block, ToolCall))))),
        usage=draw(spoken.usages),
        order=_order(draw, blocks) if spoken.turns and draw(st.booleans()) else None,
        id=draw(names),
        model=draw(names),
    )
    return reply if spoken.encodes(reply) else replace(reply, usage=None)


def _blocks(draw: Callable[..., Any], spoken: Spoken) -> tuple[Block, ...]:
    if spoken.is_repeated:
        said = draw(st.lists(st.one_of(spoken.said), max_size=4))
    else:
        said = [draw(kind) for kind in spoken.said if draw(st.booleans())]
    blocks = [*said, *draw(spoken.calls)]
    if spoken.is_free:
        blocks = draw(st.permutations(blocks))
    apart = [
        block
        for at, block in enumerate(blocks)
        if spoken.is_adjacent or isinstance(block, ToolCall) or not at or type(block) is not type(blocks[at - 1])
    ]
    return tuple(apart)


def _order(draw: Callable[..., Any], blocks: tuple[Block, ...]) -> tuple[int, ...]:
    """Pieces that take turns; blocks begin in the order in which they stand."""
    left = {at: len(block.pieces) for at, block in enumerate(blocks) if block.pieces}
    order: list[int] = []
    while any(left.values()):
        unopened = [at for at in left if at not in order][:1]
        order.append(draw(st.sampled_from([at for at in left if left[at] and (at in order or at in unopened)])))
        left[order[-1]] -= 1
    return tuple(order)


_CUTS: Final[SearchStrategy[Any]] = st.one_of(
    st.sampled_from(("frame", "whole", "characters")),
    st.integers(1, 400),
    st.builds(Random, st.integers(0, 2**16), st.integers(1, 400)),
)
_FRAMINGS: Final[dict[str, SearchStrategy[Framing]]] = {
    "sse": st.builds(
        Framing,
        line_ends=st.sampled_from(("lf", "crlf", "cr", "mixed")),
        bom=st.booleans(),
        comments=st.sampled_from((None, "between", "inside", "everywhere")),
        ids=st.booleans(),
        retry=st.sampled_from((None, 1000)),
        unknown=st.sampled_from(((), ("trace: 1",), ("x",))),
        dataless=st.booleans(),
        split=st.booleans(),
        blank_lines=st.integers(0, 2),
        space=st.booleans(),
        data_first=st.booleans(),
    ),
    "ndjson": st.builds(Framing, line_ends=st.sampled_from(("lf", "crlf", "mixed")), blank_lines=st.integers(0, 2)),
    "event-stream": st.builds(Framing, unknown=st.sampled_from(((), ("trace: 1",))), data_first=st.booleans()),
}
"""The forms of each kind of stream that say the same (`Framing` names the sources)."""


def deliveries(wire: Wire) -> SearchStrategy[Delivery]:
    """Every legal way to send a streamed answer."""
    return st.builds(
        Delivery,
        cuts=_CUTS,
        framing=st.none() | _FRAMINGS[wire.framing],
        transfer=st.sampled_from((None, "chunked", "content-length", "close")),
        gzip=st.booleans(),
    )
