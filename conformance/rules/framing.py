"""What the rules on framings share: an answer in a form other than the plain one must be the same answer."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate
from typing import Any, Final

from langchain_core.messages import AIMessage

from mockserver import Delivery, Frame, Reasoning, Reply, Text, ToolCall, Turn, Unencodable, Usage, Wire

from ..calls import Stream
from ..drive import PROMPT, Probe
from ..observe import agree, joined, total, without_ids
from ..target import Target
from ..verdict import Broken
from ..wording import describe_error
from . import scripts

_SAID: Final = ("N\u00e9 ", "\U0001f420 \u65e5\u672c. ", "All.")
"""Text with characters of two, three and four bytes."""
TEXT: Final = replace(
    Reply.of(*_SAID), id="answer-1", model=scripts.PLAIN.model, usage=Usage(input_tokens=21, output_tokens=34)
)
_CALLS: Final = replace(
    TEXT,
    blocks=(
        Text(_SAID),
        ToolCall.of("get_weather", {"city": "Z\u00fcrich"}, id="call_a"),
        ToolCall.of("get_weather", {"city": "\u6771\u4eac"}, id="call_b"),
    ),
    finish_reason="tool_calls",
)
_THOUGHT: Final = replace(TEXT, blocks=(Reasoning(("Hm, ", "\U0001f420?")), Text(_SAID)))


def replies(target: Target) -> list[Reply]:
    """Text with tool calls where the model has them, and with reasoning where the wire has it; else text alone."""
    calls = [] if target.lacks("tools", "sync") else [scripts.fitted(target.wire, _CALLS)]
    return [reply for reply in (*calls, _THOUGHT) if _is_carried(target.wire, reply)] or [TEXT]


def _is_carried(wire: Wire, reply: Reply) -> bool:
    try:
        wire.frames(reply)
    except Unencodable:
        return False
    return True


def same_answer(probe: Probe, what: str, deliver: Delivery | Callable[[Reply], Delivery]) -> None:
    """Whether each reply, so delivered, gives the sum that it gives in the plain framing.

    `what` is what is other than plain, such as ``with CRLF``; `deliver` the delivery, or a function that gives it for a
    reply.

    Raises:
        Broken: it does not.
    """
    for reply in replies(probe.target):
        same_sum(probe, what, reply, deliver(reply) if callable(deliver) else deliver)


def same_sum(probe: Probe, what: str, reply: Reply, delivery: Delivery) -> None:
    """`same_answer` for one reply."""
    wanted = _sum(probe, "in the plain framing", Turn(reply=reply))
    got = _sum(probe, what, Turn(reply=reply, delivery=delivery))
    agree(wanted, got, names=("in the plain framing", what))


def _sum(probe: Probe, what: str, turn: Turn) -> Any:
    is_called = isinstance(turn.reply, Reply) and turn.reply.tool_calls
    probe.play(turn)
    stream = probe.iterate("stream", PROMPT, on=probe.with_tools(scripts.TOOLS) if is_called else probe.model())
    if error := stream.drain().error():
        raise Broken(f"the answer, {what}", f"{stream.name} raised {describe_error(error)}")
    message = total(stream.items)
    # Packages make ids up where the wire has none, or where they lose its own.
    return without_ids(message) if isinstance(message, AIMessage) else message


def whole_or_none(probe: Probe, what: str, delivery: Delivery) -> None:
    """Whether each piece of an answer that ends too early is read whole, or not at all; an error is right too.

    Raises:
        Broken: the text is none that whole pieces give.
    """
    probe.play(Turn(reply=TEXT, delivery=delivery))
    stream: Stream[Any] = probe.iterate("stream", PROMPT)
    if stream.drain().error():
        return
    whole = ["", *accumulate(TEXT.pieces)]
    if joined(stream.items) not in whole:
        raise Broken(f"the text of whole pieces, or an error, {what}: one of {whole}", repr(joined(stream.items)))


def frames(wire: Wire, reply: Reply) -> tuple[Frame, ...]:
    """The frames of a reply as they are sent."""
    return wire.linked(wire.frames(reply))


def around_frames(wire: Wire, reply: Reply, steps: tuple[int, ...] = (-1, 0, 1)) -> tuple[int, ...]:
    """Offsets that lie so many bytes from the boundaries of frames."""
    ends = list(accumulate(len(frame.data) for frame in frames(wire, reply)))
    return tuple(sorted({at for end in [0, *ends] for step in steps if 0 < (at := end + step) < ends[-1]}))


def end_of_piece(wire: Wire, reply: Reply, number: int) -> int:
    """How many bytes there are up to the end of the frame that brings this piece."""
    return next(end for end, frame in _ends(wire, reply) if frame.piece == number)


def _ends(wire: Wire, reply: Reply) -> Iterator[tuple[int, Frame]]:
    sent = frames(wire, reply)
    return zip(accumulate(len(frame.data) for frame in sent), sent, strict=True)
