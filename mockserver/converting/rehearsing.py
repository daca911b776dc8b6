"""From a turn of a script to the interaction that a recording of it would hold, without I/O."""

from collections.abc import Mapping
from dataclasses import replace
from http.client import responses
from typing import Final

from ..cassettes.interaction import Arrival, Ended, Interaction
from ..errors import MockServerError, Refused
from ..frames import join
from ..reply import Reply
from ..scripts.matching import When
from ..scripts.script import Turn
from ..sending.answer import answer_of, refusal
from ..sending.planning import Planned
from ..wires import Wire
from .requesting import MODEL, TEXT, Made, Question, made

_ENDED: Final[Mapping[str, Ended]] = {"end": "whole", "close": "closed", "reset": "reset", "stall": "timed out"}
_UNSAID: Final = ("messages", "tools", "headers", "path", "predicate")
"""Conditions that a request that is made up does not meet."""


def rehearsed(turn: Turn, wire: Wire, *, number: int, uri: str = "") -> Interaction | None:
    """The request that a turn answers, and its answer; `None` where the connection ends before any answer.

    Args:
        turn: the turn.
        wire: the wire that it is for.
        number: its place in the script, from 1.
        uri: where the request goes, in place of the provider's own address.

    Raises:
        MockServerError: the wire has no place for the reply, or the URI is none of the wire's.
    """
    asked = _request(turn, wire, uri)
    try:
        understood = replace(wire.read(asked.request), wire=wire.name)
        answer = answer_of(turn, wire, understood, number)
    except Refused as refused:
        raise MockServerError(f"{asked.uri} is no address of {wire.name}: {refused.message}") from None
    except MockServerError as error:
        raise MockServerError(f"turn {number} cannot be played on {wire.name}: {error}") from None
    pace = turn.delivery.pace
    head = pace.head * pace.scale if pace else 0.0
    if isinstance(answer, Refused):
        sent = refusal(wire, answer)
        body = join(sent.frames)
        arrivals = (Arrival(at=head, size=len(body)),)
        return _interaction(asked, sent.status, sent.headers, body, arrivals, "whole", head)
    assert isinstance(answer, Planned)
    if not answer.plan.has_head:
        return None
    body = b"".join(step.data for step in answer.plan.steps)
    headers = {**answer.headers, **turn.delivery.headers}
    kept = {name: value for name, value in headers.items() if value is not None}
    ended = _ENDED[answer.plan.end]
    return _interaction(asked, answer.status, kept, body, _arrivals(answer, head), ended, head)


def unmet(turn: Turn) -> list[str]:
    """The names of conditions of a turn that the request does not meet."""
    return [name for name in _UNSAID if getattr(turn.when, name) != getattr(When(), name)]


def _request(turn: Turn, wire: Wire, uri: str) -> Made:
    reply = turn.reply if isinstance(turn.reply, Reply) else None
    question = Question(
        model=_unglobbed(turn.when.model or "") or (reply.model if reply else None) or MODEL,
        text=turn.when.text or TEXT,
        stream=turn.when.stream is not False,
        usage=not reply or reply.usage is not None,
    )
    return made(wire, question, uri=uri)


def _unglobbed(glob: str) -> str:
    """The name that a glob matches alone; `""` where it matches several."""
    plain = glob
    for sign, stand_in in zip("*?[", "\0\1\2", strict=True):
        plain = plain.replace(f"[{sign}]", stand_in)
    if any(sign in plain for sign in "*?["):
        return ""
    return plain.translate({0: "*", 1: "?", 2: "["})


def _arrivals(answer: Planned, head: float) -> tuple[Arrival, ...]:
    """When each write leaves; one that waits for nothing, with the one before it."""
    arrivals, at = [], head
    for step in answer.plan.steps:
        due = step.hold.due if step.hold else None
        at = max(at, head + (due or 0.0))
        arrivals.append(Arrival(at=at, size=len(step.data)))
    return tuple(arrivals)


def _interaction(
    asked: Made,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    arrivals: tuple[Arrival, ...],
    ended: Ended,
    head: float,
) -> Interaction:
    return Interaction(
        method=asked.method,
        uri=asked.uri,
        request_headers=asked.headers,
        request_body=asked.body,
        status=status,
        reason=responses.get(status, ""),
        headers=headers,
        body=body,
        arrivals=arrivals if body else (),
        head=head,
        ended=ended,
    )
