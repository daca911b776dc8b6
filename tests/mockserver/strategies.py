"""Hypothesis: replies that a wire can carry."""

from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockserver import WIRES, Reasoning, Refusal, Reply, Text, ToolCall, Usage
from mockserver.reply import Block

LAW: Final = settings(deadline=None, derandomize=True, database=None, max_examples=25)
"""Repeatable, so that a run never fails for the sake of its luck."""

_TRAPS: Final = (
    "\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\r\n", "\r", "\n\n", "\ufeff", "\x00", "\u200d", "e\u0301",
    "\U0001f469\u200d\U0001f680", "[DONE]", "data: x\n\n", '"', "\\u2028", "\\", "\U0010ffff", "\ufffe",
)  # fmt: skip
texts: Final = st.one_of(st.sampled_from(_TRAPS), st.text(min_size=1, max_size=12))
"""Non-empty texts with characters of every kind but surrogates."""
pieces: Final = st.lists(texts, min_size=1, max_size=4).map(tuple)
names: Final = st.text(min_size=1, max_size=8).filter(lambda name: name != "null")
"""Names and ids; `null` is what some servers write for an id that they leave out."""
_json: Final[SearchStrategy[Any]] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
args: Final = st.dictionaries(names, _json, max_size=3)
_counts: Final = st.integers(0, 2**40)
_details: Final = st.none() | st.integers(0, 2**20)


def calls(*, whole: bool) -> SearchStrategy[list[ToolCall]]:
    """Calls with ids of their own. `whole`: with arguments that are an object, as a body that is not streamed needs."""
    complete = st.builds(ToolCall.of, names, args, id=names, size=st.integers(1, 20))
    broken = st.builds(ToolCall, pieces=st.lists(texts, max_size=3).map(tuple), id=names, name=names)
    return st.lists(complete if whole else complete | broken, max_size=3, unique_by=lambda call: call.id)


@st.composite
def usages(draw: st.DrawFn, wire: str) -> Usage:
    read = draw(_details)
    created = draw(_details) if wire == "anthropic-messages" else None
    reasoning = draw(_details) if wire == "openai-chat" else None
    return Usage(
        input_tokens=draw(_counts) + (read or 0) + (created or 0),
        output_tokens=draw(_counts) + (reasoning or 0),
        cache_read=read,
        cache_creation=created,
        reasoning=reasoning,
    )


@st.composite
def replies(draw: st.DrawFn, wire: str, *, whole: bool = False) -> Reply:
    """A reply that the wire can carry, streamed or (`whole`) in one body."""
    blocks = draw(_chat_blocks(whole=whole) if wire == "openai-chat" else _message_blocks(whole=whole))
    return Reply(
        blocks=tuple(blocks),
        finish_reason=draw(st.sampled_from(sorted(WIRES[wire].finish_reasons))),
        usage=draw(usages(wire) if wire == "anthropic-messages" else st.none() | usages(wire)),
        id=draw(st.none() | names),
        model=draw(st.none() | names),
    )


@st.composite
def _chat_blocks(draw: st.DrawFn, *, whole: bool) -> list[Block]:
    """At most one block of each kind in the order of the fields, then calls."""
    single: tuple[SearchStrategy[Block], ...] = (
        st.builds(Reasoning, pieces), st.builds(Text, pieces), st.builds(Refusal, pieces),
    )  # fmt: skip
    blocks = [draw(kind) for kind in single if draw(st.booleans())]
    return [*blocks, *draw(calls(whole=whole))]


@st.composite
def _message_blocks(draw: st.DrawFn, *, whole: bool) -> list[Block]:
    """Blocks of all kinds in any order."""
    others: SearchStrategy[Block] = st.one_of(
        st.builds(Text, pieces), st.builds(Reasoning, pieces, signature=st.none() | texts)
    )
    blocks: list[Block] = [*draw(st.lists(others, max_size=4)), *draw(calls(whole=whole))]
    return list(draw(st.permutations(blocks)))
