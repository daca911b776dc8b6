"""From the turn that answers a request to the bytes that are sent, without I/O."""

from dataclasses import replace

from .delivery import plan
from .errors import Refused
from .frames import Frame
from .recording import Recording
from .reply import Reply
from .script import Turn, named
from .wires import Asked, Wire


def answer_of(turn: Turn, wire: Wire, asked: Asked, number: int) -> Recording | Refused:
    """The answer of a turn in frames, with what its delivery adds and leaves out, or an HTTP error.

    Raises:
        Unencodable: the reply holds something for which the wire has no place.
    """
    if turn.error:
        return turn.error
    if turn.recording:
        answer = turn.recording
    else:
        assert turn.reply
        reply = named(turn.reply, id=f"{wire.id_prefix}mock{number}", model=asked.model)
        answer = _streamed(wire, reply, asked) if asked.stream else _whole(wire, reply)
    fault = turn.delivery.fault
    if fault and fault.kind == "error" and (not answer.streamed or fault.before == "head"):
        return Refused(500, fault.message)
    if not answer.streamed:
        return answer
    error = wire.error_frame(fault.message if fault else "")
    return replace(answer, frames=plan(answer.frames, turn.delivery, error))


def _streamed(wire: Wire, reply: Reply, asked: Asked) -> Recording:
    headers = {"content-type": wire.stream_type, "cache-control": "no-cache", **wire.headers(reply)}
    return Recording(200, headers, wire.frames(reply, usage=asked.stream_usage))


def _whole(wire: Wire, reply: Reply) -> Recording:
    headers = {"content-type": wire.whole_type, **wire.headers(reply)}
    return Recording(200, headers, (Frame(wire.whole(reply), "piece", 0),), streamed=False)


def refusal(wire: Wire, refused: Refused) -> Recording:
    """An HTTP error as the provider of `wire` words it."""
    headers = {"content-type": wire.whole_type, **wire.error_headers(refused), **refused.headers}
    return Recording(refused.status, headers, (Frame(wire.error(refused), "error"),), streamed=False)
