"""From a recorded interaction to a turn that says the same and can be edited.

The reply is what the wire's decoder reads. How the answer ended is found by trying: of the faults that fit, the first
with which the turn decodes to what the recording decodes to.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, Final

from ..cassettes.cassette import FAULTS, asked_in, recording_of
from ..cassettes.interaction import Interaction
from ..errors import MockServerError, Refused
from ..frames import join
from ..recording import Recording
from ..reply import Reply, Text
from ..scripts.matching import When
from ..scripts.script import Turn
from ..sending.answer import answer_of, refusal
from ..sending.delivery import Delivery, Edit, Fault, FaultKind, Pace, Point
from ..sending.planning import Planned
from ..wires import FINISH_WORDS, WIRES, Asked, Decoded, Wire
from .scriptwriting import Remarked

_KEPT_HEADERS: Final = ("retry-after", "retry-after-ms", "x-should-retry")
"""Headers of errors on which clients act."""
_WORDS: Final = ("error.message", "0.error.message", "message", "Message", "error", "detail", "errors.0.description",
                 "errors.0.message", "error.errors.0.message")  # fmt: skip
"""Where bodies of errors have the words, by the wires' own bodies."""
_KINDS: Final = ("error.type", "error.code", "error.status", "type", "code", "__type", "errors.0.code")
_TAGS: Final = re.compile(r"<[^>]*>")
_HEADING: Final = re.compile(r"<(h1|title)[^>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_LONGEST: Final = 300
"""Characters of a recorded text that a remark quotes."""
_REST: Final = "\u2026"
"""Stands for what would have followed where a stream was cut; it is never sent."""


@dataclass(frozen=True)
class Recorded:
    """An interaction with the wire that it belongs to.

    Args:
        interaction: what was recorded.
        wire: the wire.
        where: which one it is, for errors and remarks.
        is_asked: whether the request is known; that of a capture of the body alone is made up.
    """

    interaction: Interaction
    wire: Wire
    where: str
    is_asked: bool = True

    @cached_property
    def asked(self) -> Asked | None:
        """The request as the wire reads it; `None` where it is not known or cannot be read."""
        return asked_in(self.interaction, self.wire) if self.is_asked else None

    @cached_property
    def answer(self) -> Recording:
        """The answer, in frames of the wire that it is on."""
        return recording_of(self.interaction, self.dialect)

    @cached_property
    def dialect(self) -> Wire:
        """The wire of the answer, which may be in another framing than others of its family, as the request tells."""
        asked = self.asked
        meant = WIRES.get(asked.wire, self.wire) if asked else self.wire
        return meant if meant.framing != self.wire.framing else self.wire


def turn_of(recorded: Recorded, *, joined: bool = False) -> Remarked:
    """The turn of an interaction. Its condition says wire, stream and model.

    Args:
        recorded: the interaction.
        joined: whether each block is in one piece.
    """
    found, asked = recorded.interaction, recorded.asked
    stream = recorded.answer.streamed if found.status < 400 or asked is None else asked.stream
    is_told = found.status < 400 or asked is not None
    when = When(
        wire=recorded.wire.family,
        stream=stream if is_told else None,
        model=glob_of(asked.model) if asked and asked.model else None,
    )
    made = _error(recorded) if found.status >= 400 else _Rebuilt(recorded, joined=joined).turn()
    return Remarked(replace(made.turn, when=when), made.remarks)


def glob_of(name: str) -> str:
    """A glob that matches a name alone."""
    return re.sub(r"[*?[]", lambda found: f"[{found[0]}]", name)


def _error(recorded: Recorded) -> Remarked:
    """The turn of an HTTP error."""
    found, wire = recorded.interaction, recorded.dialect
    body = found.body.decode("utf-8", "replace")
    if body.lstrip().startswith("<"):
        heading = _HEADING.search(body)
        words = " ".join(_TAGS.sub(" ", heading[2] if heading else body).split())
        fault = Fault("html", "head", words[:_LONGEST] or str(found.status), found.status)
        turn = Turn(reply=Reply.of(_REST), delivery=Delivery(fault=fault))
        return Remarked(turn, ("a page of HTML, as gateways send it",))
    document = _json(body)
    given = [each for path in _WORDS if isinstance(each := _at(document, path), str) and each]
    words = given[0] if given else body.strip()
    headers = {name: value for name in _KEPT_HEADERS if (value := found.headers.get(name))}
    kinds = ["", *dict.fromkeys(str(each) for path in _KINDS if isinstance(each := _at(document, path), str | int))]
    if named := found.headers.get("x-amzn-errortype", "").partition(":")[0]:
        kinds.insert(1, named)
    tried = [Refused(found.status, words, kind, headers) for kind in kinds]
    best = max(tried, key=lambda error: _likeness(wire, error, document, found.headers))
    is_same = _likeness(wire, best, document, found.headers) == 1.0
    remarks = () if is_same else (f"the recorded body is another than the wire's: {_short(body)}",)
    return Remarked(Turn(error=best), remarks)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        if isinstance(value, list):
            value = value[int(name)] if name.isdecimal() and int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def _likeness(wire: Wire, error: Refused, document: Any, headers: Mapping[str, str]) -> float:
    """How much of a recorded error the wire's own one has, from 0 to 1."""
    made = refusal(wire, error)
    ours = set(_leaves(_json(join(made.frames).decode("utf-8", "replace"))))
    theirs = set(_leaves(document))
    for name in ("x-amzn-errortype",):
        ours |= {(name, made.headers.get(name, "").partition(":")[0])}
        theirs |= {(name, headers.get(name, "").partition(":")[0])}
    # Ids are of one request, so that they differ always.
    ours, theirs = ({leaf for leaf in each if not leaf[0].endswith("_id")} for each in (ours, theirs))
    return len(ours & theirs) / len(ours | theirs)


def _leaves(value: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _leaves(each, f"{path}.{number}")
    else:
        yield path, repr(value)


@dataclass(frozen=True, slots=True)
class _Try:
    """A turn that may say what was recorded."""

    reply: Reply
    fault: Fault | None = None
    edits: tuple[Edit, ...] = ()


class _Rebuilt:
    """One interaction with a reply on its way to a turn."""

    def __init__(self, recorded: Recorded, *, joined: bool) -> None:
        self._found = recorded.interaction
        self._wire = recorded.dialect
        self._streamed = recorded.answer.streamed
        self._joined = joined
        decode = self._wire.decode_stream if self._streamed else self._wire.decode_whole
        self._decoded = decode(self._found.body)
        self._answer = recorded.answer
        self._remarks: list[str] = [f"not understood: {each}" for each in dict.fromkeys(self._decoded.unknown)]
        model = recorded.asked.model if recorded.asked else ""
        self._asked = Asked(wire=self._wire.name, model=model or "model", stream=self._streamed)

    def turn(self) -> Remarked:
        reply = self._finishing(self._decoded.reply)
        chosen = self._chosen(list(self._tries(reply)))
        if self._found.ended == "interrupted":
            self._remarks.append("the recording was interrupted here; what would have followed is not known")
        delivery = Delivery(fault=chosen.fault, edits=chosen.edits, pace=self._pace(chosen.reply))
        return Remarked(Turn(reply=chosen.reply, delivery=delivery), tuple(self._remarks))

    def _finishing(self, reply: Reply) -> Reply:
        """The reply with a finish reason that the wire has, and without an empty id or model."""
        reply = replace(reply, id=reply.id or None, model=reply.model or None)
        reply = reply.whole() if self._joined else reply
        if reply.finish_reason in FINISH_WORDS:
            return reply
        if self._is_finished:
            self._remarks.append(f"the provider's word for why it ended is {reply.finish_reason!r}")
        has_calls = bool(reply.tool_calls) and "tool_calls" in self._wire.finish_reasons
        return replace(reply, finish_reason="tool_calls" if has_calls else "stop")

    @property
    def _is_finished(self) -> bool:
        """Whether the recording says why the answer ended; the word beside an error is of the error."""
        reason = self._decoded.reply.finish_reason
        return reason in FINISH_WORDS or (self._decoded.error is None and reason != "unfinished")

    @property
    def _has_end(self) -> bool:
        return any("end" in frame.kinds for frame in self._answer.frames)

    def _tries(self, reply: Reply) -> Iterator[_Try]:
        """What may have happened, the likeliest first."""
        if self._decoded.error is not None:
            points: tuple[Point, ...] = ("head",)
            if self._streamed:
                points = ("end", "close", "finish") if self._is_finished else ("finish", "end", "close")
            yield from self._faults(reply, "error", points)
        elif self._found.ended != "whole":
            yield from self._cut(reply)
        elif self._is_finished or not self._streamed:
            yield _Try(reply)
        elif self._has_end:
            yield _Try(reply, edits=(Edit("drop", "finish"),))
            yield from self._faults(reply, "stop", ("finish",))
        else:
            yield from self._faults(reply, "stop", ("finish", "end"))
        yield _Try(reply)

    def _cut(self, reply: Reply) -> Iterator[_Try]:
        kind = FAULTS[self._found.ended].kind
        if not self._streamed:
            yield from self._faults(reply, kind, (0, "close"))
        elif self._has_end:
            yield from self._faults(reply, kind, ("close",))
        elif kind == "close" and self._is_inside_frame:
            yield from self._faults(reply, "cut", ("end",) if self._is_finished else ("finish",))
            yield from self._faults(reply, kind, ("end", "close") if self._is_finished else ("finish", "end"))
        elif self._is_finished:
            yield from self._faults(reply, kind, ("end", "close"))
        else:
            yield from self._faults(reply, kind, ("finish", "end"))

    @property
    def _is_inside_frame(self) -> bool:
        body = self._found.body
        ends = {"sse": (b"\n\n", b"\r\n\r\n", b"\r\r"), "ndjson": (b"\n",)}.get(self._wire.framing)
        return bool(body) and ends is not None and not body.endswith(ends)

    def _faults(self, reply: Reply, kind: FaultKind, points: Sequence[Point]) -> Iterator[_Try]:
        """The fault before each point, and before a piece that is there for this alone.

        Usage that did not come any more, which some wires cannot do without, is not sent either.
        """
        unsent = () if reply.usage or self._is_finished else (replace(reply, usage=Reply().usage),)
        for each in (reply, *unsent):
            for point in points:
                yield _Try(each, self._fault(kind, point))
            if self._streamed and not self._is_finished:
                yield _Try(_with_rest(each), self._fault(kind, reply.piece_count))

    def _fault(self, kind: FaultKind, point: Point) -> Fault:
        if kind != "error":
            return Fault(kind, point)
        fault = Fault(kind, point, status=None if self._streamed else self._found.status)
        return replace(fault, message=self._decoded.error) if self._decoded.error else fault

    def _chosen(self, tries: list[_Try]) -> _Try:
        """The first try that decodes as the recording does; else the one that comes nearest."""
        playable: list[tuple[_Try, Decoded]] = []
        reasons: list[str] = []
        for each in tries:
            try:
                played = self._played(each)
                if self._is_same(played):
                    return each
                playable.append((each, played))
            except MockServerError as error:
                reasons.append(str(error))
        if not playable:
            self._remarks.append(f"cannot be played on {self._wire.name}: {_short(reasons[0])}")
            return tries[-1]
        told = {one: list(_differences(played, self._decoded, joined=self._joined)) for one, played in playable}
        chosen = min(told, key=lambda one: (sum(not each.startswith("usage") for each in told[one]), len(told[one])))
        self._remarks.append(
            f"played on {self._wire.name}, it is read otherwise than the recording: {', '.join(told[chosen])}"
        )
        return chosen

    def _played(self, one: _Try) -> Decoded:
        turn = Turn(reply=one.reply, delivery=Delivery(fault=one.fault, edits=one.edits))
        answer = answer_of(turn, self._wire, self._asked, 1)
        if isinstance(answer, Refused):
            return self._wire.decode_whole(join(refusal(self._wire, answer).frames))
        assert isinstance(answer, Planned)
        body = b"".join(step.data for step in answer.plan.steps)
        return self._wire.decode_stream(body) if self._streamed else self._wire.decode_whole(body)

    def _is_same(self, played: Decoded) -> bool:
        if played.error != self._decoded.error:
            return False
        if self._decoded.error is not None and not self._streamed:
            return True
        if self._found.ended != "whole" and not self._streamed:
            return True
        return is_same(played.reply, self._decoded.reply, joined=self._joined)

    def _pace(self, reply: Reply) -> Pace | None:
        """When the pieces came, where the recording says so."""
        arrivals, head = self._answer.arrivals, round(self._found.head or 0.0, 3)
        if not arrivals:
            return None
        if not self._streamed:
            return _pace(head or round(arrivals[0].at, 3))
        ends = list(accumulate(arrival.size for arrival in arrivals))
        complete = list(accumulate(len(frame.data) for frame in self._answer.frames))
        times = [
            round(arrivals[bisect_left(ends, end)].at, 3)
            for frame, end in zip(self._answer.frames, complete, strict=True)
            if "piece" in frame.kinds
        ]
        if not times:
            return _pace(head)
        if self._joined:
            return _pace(head, first=times[0])
        count = self._piece_frames(reply)
        if count == len(times):
            return _pace(head, times=tuple(times))
        self._remarks.append(f"{len(times)} frames brought pieces, and {count} do here: paced as they were on average")
        every = (times[-1] - times[0]) / max(1, len(times) - 1)
        return _pace(head, first=times[0], every=round(every, 3))

    def _piece_frames(self, reply: Reply) -> int:
        """How many frames with pieces the reply has on the wire; those of a piece that is never sent count too."""
        unsent = reply.piece_count - self._decoded.reply.piece_count
        try:
            frames = self._wire.frames(replace(reply, id=reply.id or "id", model=reply.model or "model"))
        except MockServerError:
            return -1
        return sum("piece" in frame.kinds for frame in frames) - unsent


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\u2026"


def _pace(head: float, *, first: float = 0.0, every: float = 0.0, times: tuple[float, ...] = ()) -> Pace | None:
    if not any((head, first, every, *times)):
        return None
    return Pace(head=head, times=times) if times else Pace(head=head, first=first, every=every)


def _with_rest(reply: Reply) -> Reply:
    """The reply with one more piece of text."""
    if reply.blocks and isinstance(last := reply.blocks[-1], Text) and not reply.order:
        return replace(reply, blocks=(*reply.blocks[:-1], replace(last, pieces=(*last.pieces, _REST))))
    order = (*reply.order, len(reply.blocks)) if reply.order else None
    return replace(reply, blocks=(*reply.blocks, Text((_REST,))), order=order)


def is_same(played: Reply, recorded: Reply, *, joined: bool = False) -> bool:
    """Whether a reply that was played says what a recorded one does.

    What a recording leaves out and a wire always sends, an id, the model, and details of the usage that are 0, is no
    difference.
    """
    got, wanted = _comparable(played, recorded, joined=joined)
    return got == wanted


def _comparable(played: Reply, recorded: Reply, *, joined: bool) -> tuple[Reply, Reply]:
    """Both replies without what is no difference."""
    if joined:
        played, recorded = played.whole(), recorded.whole()
    played = replace(
        played,
        id=played.id if recorded.id else recorded.id,
        model=played.model if recorded.model else recorded.model,
        usage=None if recorded.usage is None else played.usage,
    )
    return _counted(played), _counted(recorded)


def _differences(played: Decoded, recorded: Decoded, *, joined: bool) -> Iterator[str]:
    """What differs, got beside wanted."""
    got_reply, wanted_reply = _comparable(played.reply, recorded.reply, joined=joined)
    pairs: list[tuple[str, object, object]] = [("the error", played.error, recorded.error)]
    pairs += [
        (each.name.replace("_", " "), getattr(got_reply, each.name), getattr(wanted_reply, each.name))
        for each in fields(Reply)
    ]
    for name, got, wanted in pairs:
        if got != wanted:
            yield f"{name} {_short(repr(got))} for {_short(repr(wanted))}"


def _counted(reply: Reply) -> Reply:
    usage = reply.usage
    if usage is None:
        return reply
    details = {name: getattr(usage, name) or 0 for name in ("cache_read", "cache_creation", "reasoning")}
    return replace(reply, usage=replace(usage, **details))
