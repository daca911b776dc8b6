"""What the provider may say: replies of every kind that a wire can carry, in pieces of every kind."""

import json
import re
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockserver import Reasoning, Reply, Text, ToolCall, Unencodable, Usage, Wire
from mockserver.reply import Block

from ..rules.scripts import fitted, named

WHITE_SPACE: Final = ("\n", " ", "\n\n", "\t", "\r\n", "\u2028", "\u2029", "\u0085", "\x0b", "\x0c")
MARKS: Final = (
    "\u0301", "e\u0301", "\U0001f469\u200d\U0001f680", "\u200d", "\ufe0f", "\ufeff", "\x00", "\ud7ff", "\U0010ffff",
)  # fmt: skip
WORDS: Final = (
    "[DONE]", "data: ", "data: x\n\n", "null", "None", "{}", "{", "}", '"', "\\", "\\n", "\\u2028", "```",
    "stop", "0", "error",
)  # fmt: skip
TRAPS: Final = (*WHITE_SPACE, *MARKS, *WORDS)
"""Texts that readers of streams were seen to stumble on, or could."""
TOOLS: Final = ("get_weather", "get_time", "search")
"""The tools that are called; a text may say their names as well."""
_FIELDS: Final = ("arguments", "name", "input", "id", "type", "index", "text", "error")
"""Names that wires have for parts of a call, which arguments may have as well."""
_MOST: Final = 4
_CALLS: Final = 3
_LONG: Final = 60
_LARGEST: Final = 2**53
"""Beyond it, JSON's numbers do not mean the same to all readers (RFC 8259, 6)."""
_ESCAPE: Final = re.compile(r"\\u[0-9a-f]{4}|\\.")
_SEAL: Final = "c2VhbGVk"
_KINDS: Final = (Reasoning, Text, ToolCall)
"""In which order a body that is not streamed has them where it has a field for each."""


def _among(characters: str) -> SearchStrategy[str]:
    """One of these characters.

    They are mapped, though to themselves: Hypothesis takes an alphabet that it can list for a part of Unicode, and
    then first makes tables of its categories, which takes a second or two.
    """
    return st.sampled_from(characters).map(str)


_characters: Final = st.one_of(
    _among(string.printable), st.integers(0xA0, 0xD7FF).map(chr), st.integers(0xE000, 0x10FFFF).map(chr)
)
"""All of Unicode."""
texts: Final[SearchStrategy[str]] = st.one_of(
    st.text(_characters, min_size=1, max_size=6),
    st.sampled_from(TOOLS),
    st.sampled_from(WORDS),
    st.sampled_from(WHITE_SPACE),
    st.sampled_from(MARKS),
    st.builds(str.__add__, st.sampled_from((*WHITE_SPACE, *MARKS)), st.text(_characters, min_size=1, max_size=3)),
)
_words: Final = st.text(_among(string.ascii_lowercase), min_size=1, max_size=4)
_keys: Final = st.one_of(_words, st.sampled_from(_FIELDS), texts)
_leaves: Final[SearchStrategy[Any]] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-_LARGEST, _LARGEST),
    st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False),
    texts,
    st.just(""),
)
_values: Final[SearchStrategy[Any]] = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_keys, inner, max_size=2), max_leaves=4
)
_many: Final = st.dictionaries(
    st.sampled_from(_FIELDS) | texts,
    st.sampled_from(TRAPS) | st.dictionaries(st.sampled_from(_FIELDS), _leaves, max_size=1),
    min_size=1,
    max_size=3 * _MOST,
)
_arguments: Final[SearchStrategy[dict[str, Any]]] = st.dictionaries(_keys, _values, max_size=2) | _many
_usages: Final = st.builds(Usage, input_tokens=st.integers(1, 9999), output_tokens=st.integers(0, 9999))
"""There is something that was asked: where nothing is counted at all, clients take the count for absent."""


@dataclass(frozen=True)
class Shapes:
    """What replies a wire can carry.

    Args:
        wire: the wire.
        tools: whether the model claims tools.
        reasoning: whether reasoning is to be among what is said.
    """

    wire: Wire
    tools: bool = True
    reasoning: bool = True

    def carries(self, reply: Reply) -> bool:
        """Whether the wire can carry the reply, streamed, and whole at least without its order."""
        try:
            self.wire.frames(named(reply))
            self.wire.whole(named(unstreamed(self.wire, reply)))
        except Unencodable:
            return False
        return True

    @cached_property
    def ends(self) -> list[str]:
        """Why an answer without calls may end, the plainest first; what ends no text, as a failure does, is none."""
        said = Reply(blocks=(Text(("a",)),))
        reasons = (each for each in self.wire.finish_reasons if each != "tool_calls")
        carried = [each for each in reasons if self.carries(replace(said, finish_reason=each))]
        return sorted(carried, key=lambda each: each != "stop")

    @cached_property
    def thinks(self) -> bool:
        return self.reasoning and self.carries(_of(Reasoning(("a",)), Text(("b",))))

    @cached_property
    def is_free(self) -> bool:
        """Whether text may follow calls, and stand between them."""
        return self.carries(_of(_call(1), Text(("a",)), _call(2)))

    @cached_property
    def seals(self) -> bool:
        """Whether reasoning may have a seal, and with it no text."""
        return self.thinks and self.carries(_of(Reasoning((), signature=_SEAL), Text(("a",))))

    @cached_property
    def takes_turns(self) -> bool:
        """Whether the pieces of two calls may take turns."""
        return self.carries(replace(_of(_call(1), _call(2)), order=(0, 1, 0, 1)))

    @cached_property
    def joins_thoughts(self) -> bool:
        """Whether reasoning may follow text."""
        return self.thinks and self.carries(_of(Reasoning(("a",)), Text(("b",)), Reasoning(("c",)), Text(("d",))))

    def replies(self) -> SearchStrategy[Reply]:
        """Replies that the wire can carry."""
        return _replies(self)


def unstreamed(wire: Wire, reply: Reply) -> Reply:
    """The reply as a body says it that is not streamed: of some wires, without the order in which it came."""
    try:
        wire.whole(named(reply))
    except Unencodable:
        ordered = sorted(reply.blocks, key=lambda block: _KINDS.index(type(block)))
        return replace(reply, blocks=tuple(ordered), order=None)
    return reply


def _of(*blocks: Block) -> Reply:
    return Reply(blocks=blocks)


def _call(number: int) -> ToolCall:
    return ToolCall(pieces=("{", "}"), id=f"call_{number}", name=TOOLS[0])


@dataclass(frozen=True)
class _Saying:
    """Makes the blocks of one reply, of which a piece may say again what another has said."""

    seals: bool
    said: list[str] = field(default_factory=list)

    @property
    def pieces(self) -> SearchStrategy[tuple[str, ...]]:
        """A few pieces; or many that readers could stumble on."""
        few = st.lists(_piece(self.said), min_size=1, max_size=_MOST)
        many = st.lists(st.sampled_from((*TRAPS, *TOOLS)), min_size=1, max_size=4 * _MOST)
        return st.one_of(few, few, few, many).map(tuple)

    @property
    def text(self) -> SearchStrategy[Text]:
        return st.builds(Text, self.pieces)

    @property
    def thought(self) -> SearchStrategy[Reasoning]:
        """Reasoning; sealed, it may say nothing."""
        plain = st.builds(Reasoning, self.pieces)
        return plain | st.builds(Reasoning, st.just(()) | self.pieces, st.just(_SEAL)) if self.seals else plain


@st.composite
def _piece(draw: st.DrawFn, said: list[str]) -> str:
    """A text; one of four says what has been said already."""
    if said and draw(st.integers(0, 3)) == 3:
        return draw(st.sampled_from(said))
    said.append(draw(texts))
    return said[-1]


@st.composite
def _call_of(draw: st.DrawFn) -> ToolCall:
    """A call whose arguments are a JSON object; where they are none, their text may be left out."""
    args = draw(_arguments)
    text = json.dumps(
        args, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from(((",", ":"), (", ", ": "))))
    )
    is_said: bool = bool(args) or draw(st.booleans())
    pieces = draw(_cut(text)) if is_said else ()
    return ToolCall(pieces=pieces, name=draw(st.sampled_from(TOOLS)))


@st.composite
def _cut(draw: st.DrawFn, text: str) -> tuple[str, ...]:
    """A text in some pieces, cut anywhere, and often before an escape or inside it."""
    places: SearchStrategy[int] = st.integers(1, len(text) - 1)
    if escapes := [match.span() for match in _ESCAPE.finditer(text)]:
        inside = st.sampled_from([at for start, end in escapes for at in range(start + 1, end)])
        places = st.one_of(places, st.sampled_from([start for start, _ in escapes]), inside)
    most = _MOST if len(text) < _LONG else 2 * _MOST
    ends = sorted(draw(st.sets(places, max_size=most - 1))) if len(text) > 1 else []
    return tuple(text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True))


@st.composite
def _replies(draw: st.DrawFn, shapes: Shapes) -> Reply:
    blocks = numbered(draw(_many_blocks(shapes) if shapes.joins_thoughts and shapes.is_free else _few_blocks(shapes)))
    calls = [block for block in blocks if isinstance(block, ToolCall)]
    reply = Reply(
        blocks=tuple(blocks),
        usage=draw(st.none() | _usages),
        finish_reason="tool_calls" if calls else draw(st.sampled_from(shapes.ends)) if blocks else "stop",
    )
    reply = fitted(shapes.wire, reply)
    if shapes.takes_turns and len(calls) > 1 and draw(st.booleans()):
        reply = replace(reply, order=_order(draw, reply))
    assume(shapes.carries(reply))
    return reply


def numbered(blocks: Iterable[Block]) -> list[Block]:
    """The blocks with up to three calls, each with an id of its own."""
    numbers = iter(range(1, _CALLS + 1))
    named = (
        block if not isinstance(block, ToolCall) else replace(block, id=f"call_{number}")
        for block in blocks
        if not isinstance(block, ToolCall) or (number := next(numbers, 0))
    )
    return list(named)


@st.composite
def _many_blocks(draw: st.DrawFn, shapes: Shapes) -> list[Block]:
    """Text, reasoning and calls in any order."""
    saying = _Saying(shapes.seals)
    kinds: list[SearchStrategy[Any]] = [saying.text, saying.thought, *([_call_of()] if shapes.tools else [])]
    return draw(st.lists(st.one_of(kinds), max_size=2 * _MOST))


@st.composite
def _few_blocks(draw: st.DrawFn, shapes: Shapes) -> list[Block]:
    """Reasoning and text, and calls after them; where the wire tells of it, between them and before."""
    saying = _Saying(shapes.seals)
    said: list[Block]
    if shapes.joins_thoughts:
        said = draw(st.lists(saying.text | saying.thought, max_size=_MOST))
    else:
        thought = draw(st.none() | saying.thought) if shapes.thinks else None
        said = [block for block in (thought, draw(st.none() | saying.text)) if block]
    calls = [draw(_call_of()) for _ in range(draw(st.integers(0, _CALLS)))] if shapes.tools else []
    before = draw(st.integers(0, len(calls))) if shapes.is_free else 0
    return [*calls[:before], *said, *calls[before:]]


def _order(draw: Callable[..., Any], reply: Reply) -> tuple[int, ...] | None:
    """The pieces of the calls at the end take turns; `None` where text follows a call."""
    calls = [at for at, block in enumerate(reply.blocks) if isinstance(block, ToolCall)]
    if calls[-1] - calls[0] + 1 != len(calls) or calls[-1] + 1 != len(reply.blocks):
        return None
    order = [at for at, block in enumerate(reply.blocks[: calls[0]]) for _ in block.pieces]
    left = {at: len(reply.blocks[at].pieces) for at in calls}
    opened: list[int] = []
    while any(left.values()):
        unopened = [at for at in calls if at not in opened and left[at]][:1]
        at = draw(st.sampled_from([each for each in [*opened, *unopened] if left[each]]))
        opened += [at] if at not in opened else []
        order.append(at)
        left[at] -= 1
    return tuple(order)
