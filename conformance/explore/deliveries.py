"""How an answer may be sent: cuts of every kind, and forms of its framing that say the same."""

from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockserver import Delivery, Framing, Insert, Random, Reply, Wire

from ..rules.scripts import named
from .example import Example, usage_places
from .replies import Shapes

_CUTS: Final[SearchStrategy[Any]] = st.one_of(
    st.just("frame"),
    st.sampled_from(("whole", "characters")),
    st.integers(1, 40),
    st.builds(Random, st.integers(0, 2**16), st.integers(1, 64)),
)
_PLACES: Final = 8
"""Before so many of the first pieces something may be put in."""
_RARELY: Final = 7
"""One in so many examples, and one, comes after another request, which takes as long again."""
_FORMS: Final[dict[str, tuple[Framing, ...]]] = {
    "sse": (
        Framing(line_ends="crlf"),
        Framing(comments="between"),
        Framing(comments="inside"),
        Framing(ids=True),
        Framing(retry=1000, unknown=("trace: 1",)),
        Framing(blank_lines=1),
        Framing(space=False),
        Framing(line_ends="crlf", comments="inside", ids=True),
    ),
    "ndjson": (Framing(line_ends="crlf"),),
    "event-stream": (Framing(data_first=True),),
    "json-array": (Framing(line_ends="crlf"), Framing(blank_lines=1), Framing(space=False)),
}
"""The forms that rules of the area SSE demand of every reader."""


@st.composite
def examples(draw: st.DrawFn, shapes: Shapes) -> Example:
    """Replies that the wire can carry, sent in all ways, with their tokens counted in all places."""
    reply, delivery = draw(shapes.replies()), draw(deliveries(shapes.wire))
    places = usage_places(shapes.wire, reply)
    usage_at = draw(st.sampled_from(("", *places))) if places else ""
    before = draw(st.one_of(*([st.none()] * _RARELY), shapes.replies()))
    return Example(reply, delivery, usage_at, before)


def deliveries(wire: Wire) -> SearchStrategy[Delivery]:
    """Deliveries that the wire can have; the plain one first."""
    return st.builds(
        Delivery,
        cuts=_CUTS,
        framing=st.none() | st.sampled_from(_FORMS[wire.framing]),
        transfer=st.none() | st.just("close"),
        insert=_empties(wire),
    )


def _empties(wire: Wire) -> SearchStrategy[tuple[Insert, ...]]:
    """Empty pieces and other frames without content, of those that the provider sends in any place; comments are a form
    of the framing.
    """
    known = wire.contentless(named(Reply.of("a", "b")))
    frames = [each.frames for name, each in known.items() if each.source and not each.places and name != "comment"]
    if not frames:
        return st.just(())
    one = st.builds(Insert, st.sampled_from(("finish", *range(_PLACES))), st.sampled_from(frames))
    return st.just(()) | st.tuples(one)
