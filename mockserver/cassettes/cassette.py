"""Recordings as answers: a turn for each interaction of a cassette."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from ..errors import CassetteError, Refused
from ..frames import Frame
from ..recording import Recording
from ..scripts.script import Turn, When
from ..sending.delivery import Cuts, Delivery, Fault, Pace
from ..wires import Asked, Request, Wire, recorded_wire
from . import interaction
from .interaction import Ended, Interaction
from .keyformats import REDACTED

Match: TypeAlias = Literal["order", "body"]
MATCHES: Final = get_args(Match)
_STREAMS: Final = ("event-stream", "eventstream", "ndjson")
"""Parts of the content types of streamed bodies: server-sent events, AWS's event stream, a JSON document a line."""
_NO_ASKING: Final = ("HEAD", "OPTIONS")
"""Methods that ask no model for anything, whatever their path."""
FAULTS: Final[Mapping[Ended, Fault]] = {
    "closed": Fault("close", "close"),
    "reset": Fault("reset", "close"),
    "timed out": Fault("stall", "close"),
    "interrupted": Fault("close", "close"),
}
"""What ends a body that did not end as it should. What would have followed an interrupted one is not known; a client
that has read all of it and waits is better told than left to wait."""
_MASK: Final = re.compile(f"(?:{REDACTED})+[{REDACTED}]*")
_LONGEST: Final = 60
"""Characters of a value that a difference quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """How recordings are played; `replay` tells what its fields mean."""

    match: Match = "order"
    pace: float | None = None
    cuts: Cuts = "recorded"
    fault: Fault | None = None

    def __post_init__(self) -> None:
        if self.match not in MATCHES:
            raise ValueError(f"match is one of {', '.join(MATCHES)}, not {self.match!r}")


AS_FAST_AS_IT_CAN: Final = Playing()


def turns(file: Path, document: Mapping[str, Any], playing: Playing = AS_FAST_AS_IT_CAN) -> tuple[Turn, ...]:
    """A turn for each interaction of a cassette that belongs to a wire; `document` is what stands in the file.

    Raises:
        CassetteError: it is no cassette that this version can read, none of its interactions belongs to a wire, or it
            does not say what is to be played.
    """
    found = interaction.interactions(file, document)
    read = [_turn(file, number, each, playing) for number, each in enumerate(found, 1) if wire_of(each)]
    if not read:
        raise CassetteError(f"{file}: {'; '.join(passed_over(found))}")
    return tuple(read)


def load(file: Path, playing: Playing = AS_FAST_AS_IT_CAN) -> tuple[Turn, ...]:
    """The turns of a cassette, as `turns` makes them.

    Raises:
        CassetteError: as `turns`; or the file cannot be read.
    """
    return turns(file, interaction.document(file), playing)


def passed_over(found: tuple[Interaction, ...]) -> list[str]:
    """The interactions for which there is no turn, since they belong to no wire; one line each."""
    return [
        f"interaction {number}, {each.method} {urlsplit(each.uri).path}, belongs to no wire that this server speaks"
        for number, each in enumerate(found, 1)
        if wire_of(each) is None
    ]


def wire_of(found: Interaction) -> Wire | None:
    """The wire that an interaction belongs to."""
    if found.method.upper() in _NO_ASKING:
        return None
    address = urlsplit(found.uri)
    return recorded_wire(address.hostname or "", unquote(address.path))


def asked_in(found: Interaction, wire: Wire) -> Asked | None:
    """The recorded request as the wire understands it, or `None` where it does not."""
    address = urlsplit(found.uri)
    request = Request(
        method=found.method,
        path=unquote(address.path),
        query=dict(parse_qsl(address.query, keep_blank_values=True)),
        headers=found.request_headers,
        body=found.request_body,
    )
    try:
        return wire.read(request)
    except Refused:
        return None


def recording_of(found: Interaction, wire: Wire, *, source: str = "") -> Recording:
    """The answer of an interaction, in frames of its wire."""
    headers = dict(found.headers)
    if "location" in headers:
        # Where a recorded answer redirects to is here as well.
        address = urlsplit(headers["location"])
        headers["location"] = address._replace(scheme="", netloc="").geturl() or "/"
    streamed = any(kind in headers.get("content-type", "") for kind in _STREAMS)
    streamed = streamed or (found.status < 300 and wire.streams(unquote(urlsplit(found.uri).path)))
    frames = wire.label(tuple(wire.split(found.body))) if streamed else (Frame(found.body, "piece", 0),)
    # The times of a recording count from its request, those of a pace from the head.
    arrivals = found.arrivals and tuple(replace(each, at=each.at - (found.head or 0.0)) for each in found.arrivals)
    return Recording(found.status, headers, frames, source, streamed, arrivals)


def _turn(file: Path, number: int, found: Interaction, playing: Playing) -> Turn:
    wire = wire_of(found)
    assert wire
    source = file.name if number == 1 else f"{file.name}, interaction {number}"
    recording = recording_of(found, wire, source=source)
    if playing.pace is not None and not found.is_timed:
        raise CassetteError(
            f"{file}: interaction {number} does not say when its bytes arrived, so it has no recorded pace; play it "
            "without one, or record it with `mockserver record`"
        )
    asked = asked_in(found, wire)
    # Whether pieces were asked for, an error does not show.
    stream = recording.streamed if found.status < 300 or asked is None else asked.stream
    when = When(wire=wire.family, stream=stream)
    if playing.match == "body":
        model = escape(asked.model) if asked and asked.model else None
        when = WhenSame(wire=wire.family, model=model, stream=stream, body=found.request_body)
    return Turn(recording=recording, when=when, delivery=_delivery(found, playing))


def _delivery(found: Interaction, playing: Playing) -> Delivery:
    fault = playing.fault or FAULTS.get(found.ended)
    pace = None if playing.pace is None else Pace(head=found.head or 0.0, recorded=True, scale=playing.pace)
    return Delivery(
        cuts="frame" if playing.cuts == "recorded" and not found.is_timed else playing.cuts,
        pace=pace,
        fault=fault,
        # By its length, a body that ends where its recording did would be whole.
        transfer="chunked" if fault and fault.before == "close" else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenSame(When):
    """Requests with the body of a recorded one; `body` is that.

    JSON is compared as such, and what was taken out of the recording stands for any text.
    """

    body: bytes = b""

    def matches(self, asked: Asked) -> bool:
        """Whether the request is one of these."""
        return not any(self.compare(asked))

    def compare(self, asked: Asked) -> tuple[str | None, ...]:
        """How the request differs, each difference by its JSON path."""
        differences = tuple(_differences(asked.request.body, self.body))
        return (*When.compare(self, asked), *(differences or (None,)))


def _differences(got: bytes, recorded: bytes) -> Iterator[str]:
    try:
        asked, before = json.loads(got), json.loads(recorded)
    except (ValueError, RecursionError):
        if got != recorded:
            yield f"the body is {_short(got)}, recorded {_short(recorded)}"
        return
    yield from _json_differences(asked, before, "$")


def _json_differences(got: Any, recorded: Any, path: str) -> Iterator[str]:
    if isinstance(got, dict) and isinstance(recorded, dict):
        for name in dict.fromkeys((*recorded, *got)):
            if name not in got:
                yield f"{path}.{name} is missing, recorded {_short(recorded[name])}"
            elif name not in recorded:
                yield f"{path}.{name} is {_short(got[name])}, recorded without it"
            else:
                yield from _json_differences(got[name], recorded[name], f"{path}.{name}")
    elif isinstance(got, list) and isinstance(recorded, list):
        for number, (one, other) in enumerate(zip(got, recorded, strict=False)):
            yield from _json_differences(one, other, f"{path}[{number}]")
        if len(got) != len(recorded):
            yield f"{path} has {len(got)} items, recorded {len(recorded)}"
    elif not _is_same(got, recorded):
        yield f"{path} is {_short(got)}, recorded {_short(recorded)}"


def _is_same(got: Any, recorded: Any) -> bool:
    if isinstance(got, str) and isinstance(recorded, str) and REDACTED in recorded:
        parts = (re.escape(part) for part in _MASK.split(recorded))
        return re.fullmatch(".*".join(parts), got, re.DOTALL) is not None
    return isinstance(got, bool) is isinstance(recorded, bool) and bool(got == recorded)


def _short(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
