"""From the turn that answers a request to the bytes that are sent, without I/O."""

from dataclasses import replace
from functools import lru_cache
from secrets import token_hex
from typing import Final

from ..errors import Refused
from ..frames import Frame
from ..recording import Recording
from ..reply import Reply
from ..scripts.script import Turn, named
from ..wires import WIRES, Asked, Wire
from .delivery import Byte, Delivery
from .faults import edited, edited_whole, page, place_of
from .planning import planned

_PAGE: Final = {"content-type": "text/html"}
_OPEN: Final = f"mock{token_hex(12)}"
"""Stands in encoded replies for an id that is new in each answer; no reply has it by chance."""


def answer_of(turn: Turn, wire: Wire, asked: Asked, number: int) -> Recording | Refused:
    """The answer of a turn, planned as its delivery says, or an HTTP error.

    Raises:
        Unencodable: the wire has no place for something in the reply, or the answer has not what the delivery names.
    """
    if turn.error:
        return turn.error
    wire = WIRES.get(asked.wire, wire)
    answer = turn.recording or _echoing(wire, _encoded(wire, turn.reply, asked, f"mock{number}"), asked)
    fault = turn.delivery.fault
    if fault and fault.kind in ("error", "html") and (not answer.streamed or fault.before == "head"):
        if fault.kind == "error":
            return Refused(fault.status or 500, fault.message)
        status = fault.status or 502
        answer = Recording(status, _PAGE, (Frame(page(fault, status), "error"),), streamed=False)
        return planned(answer, replace(turn.delivery, fault=None))
    if not answer.streamed:
        if turn.delivery.edits:
            answer = replace(answer, frames=(edited_whole(answer.frames[0], turn.delivery, wire),))
        return planned(answer, turn.delivery)
    unknown = _unknown(wire, turn, asked) if turn.delivery.edits else ()
    return _stream(wire, answer, turn.delivery, unknown)


def _echoing(wire: Wire, answer: Recording, asked: Asked) -> Recording:
    """The answer with what the provider repeats of the request."""
    frames = wire.echoing(answer.frames, asked)
    return answer if frames is answer.frames else replace(answer, frames=frames)


def _encoded(wire: Wire, reply: object, asked: Asked, id: str) -> Recording:
    """The reply as its wire says it; `id` ends that of an answer whose reply leaves it open."""
    assert isinstance(reply, Reply)
    form = "whole" if not asked.stream else "usage" if asked.stream_usage else "stream"
    if reply.id is not None or wire.framing == "event-stream":
        # A binary wire has checksums, so that nothing can be put in later.
        return _form(wire, named(reply, id=f"{wire.id_prefix}{id}", model=asked.model), form)
    kept = _kept(wire, reply, asked.model, form)
    headers = {name: value.replace(_OPEN, id) for name, value in kept.headers.items()}
    open_, made = _OPEN.encode(), id.encode()
    frames = tuple(Frame(each.data.replace(open_, made), each.kind, each.piece, each.also) for each in kept.frames)
    return Recording(kept.status, headers, frames, streamed=kept.streamed)


@lru_cache(maxsize=32)
def _kept(wire: Wire, reply: Reply, model: str, form: str) -> Recording:
    """To encode a reply takes longer than to send it, and scripts give the same ones again and again."""
    return _form(wire, named(reply, id=f"{wire.id_prefix}{_OPEN}", model=model), form)


def _form(wire: Wire, reply: Reply, form: str) -> Recording:
    if form == "whole":
        headers = {"content-type": wire.whole_type, **wire.headers(reply)}
        return Recording(200, headers, (Frame(wire.whole(reply), "piece", 0),), streamed=False)
    headers = {"content-type": wire.stream_type, "cache-control": "no-cache", **wire.headers(reply)}
    return Recording(200, headers, wire.frames(reply, usage=form == "usage"))


def _unknown(wire: Wire, turn: Turn, asked: Asked) -> tuple[Frame, ...]:
    """What the wire says that its clients may not know and pass over; nothing where it says nothing of the kind."""
    if not isinstance(turn.reply, Reply):
        return ()
    found = wire.contentless(named(turn.reply, id=f"{wire.id_prefix}mock", model=asked.model)).get("unknown-event")
    return found.frames if found else ()


def _stream(wire: Wire, answer: Recording, delivery: Delivery, unknown: tuple[Frame, ...]) -> Recording:
    frames = answer.frames
    if delivery.insert or delivery.edits:
        frames = wire.linked(edited(frames, delivery, wire, unknown))
    instead = _instead(wire, frames, delivery)
    if delivery.framing:
        frames = delivery.framing.dress(frames, wire.framing)
    return planned(replace(answer, frames=frames), delivery, instead)


def _instead(wire: Wire, frames: tuple[Frame, ...], delivery: Delivery) -> tuple[Frame, ...]:
    """What stands in place of the rest that a fault leaves out."""
    fault = delivery.fault
    if fault is None or fault.kind not in ("error", "html"):
        return ()
    if fault.kind == "html":
        return (Frame(page(fault, fault.status or 502), "error"),)
    at = 1 if isinstance(fault.before, Byte) else place_of(frames, fault.before, f"the fault {fault.kind!r}")
    error = wire.linked((*frames[:at], wire.error_frame(fault.message)))[-1]
    return delivery.framing.dress((error,), wire.framing, begun=at > 0) if delivery.framing else (error,)


def refusal(wire: Wire, refused: Refused) -> Recording:
    """An HTTP error as the provider of `wire` words it."""
    headers = {"content-type": wire.whole_type, **wire.error_headers(refused), **refused.headers}
    return Recording(refused.status, headers, (Frame(wire.error(refused), "error"),), streamed=False)
