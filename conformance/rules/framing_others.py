"""SSE: the legal framings of streams that are not of server-sent events: JSON lines, event streams, JSON arrays."""

from dataclasses import replace
from typing import Final

from mockserver import Byte, Delivery, Fault, Framing, Insert, Random, Reply, Turn

from ..catalogue import MUST, SHOULD, Case, rule
from ..drive import PROMPT, Probe
from ..observe import joined, same_text
from .framing import TEXT, around_frames, end_of_piece, frames, same_answer, same_sum, whole_or_none

_LINES: Final = ("stream", "JSON lines")
_MESSAGES: Final = ("stream", "event stream")
_ARRAY: Final = ("stream", "JSON array")
_NDJSON: Final = "https://github.com/ndjson/ndjson-spec"
_SMITHY: Final = "https://smithy.io/2.0/aws/amazon-eventstream.html"
_SPLIT_HINT: Final = "TCP keeps no boundaries: a read may end inside a line, a message or a character"
_SPLIT_MEND: Final = "keep as bytes what a read leaves over, until a line or a message is complete"
_PRELUDE: Final = (-4, -1, 0, 1, 4, 8, 11, 12)
"""Bytes from the boundary of two messages: inside the checksum before it, and inside the prelude behind it."""


def _splits(id: str, statement: str, needs: tuple[str, ...], source: str, steps: tuple[int, ...]) -> None:
    """Register a rule: however the bytes of a stream are split, the answer is the same."""

    @rule(
        id,
        MUST,
        statement,
        needs=needs,
        cases=(
            Case("bytes", Delivery(cuts=1)),
            Case("boundaries"),
            Case("characters", Delivery(cuts="characters")),
            Case("random", Delivery(cuts=Random(seed=1, largest=13))),
            Case("whole", Delivery(cuts="whole")),
        ),
        hint=_SPLIT_HINT,
        mend=_SPLIT_MEND,
        source=source,
    )
    def check(probe: Probe, case: Case) -> None:
        what = f"when it is split ({case.name})"
        if case.name == "bytes":
            same_sum(probe, what, TEXT, case.value)
        else:
            at_boundaries = lambda reply: Delivery(cuts=around_frames(probe.wire, reply, steps))  # noqa: E731
            same_answer(probe, what, case.value or at_boundaries)


_splits("SSE-16", "JSON lines: the answer is the same however the bytes are split", _LINES, _NDJSON, (-1, 0, 1))


@rule(
    "SSE-17",
    MUST,
    "JSON lines: U+0085, U+2028 and U+2029 in a string are not line ends",
    needs=_LINES,
    cases=(Case("u0085", "\u0085"), Case("u2028", "\u2028"), Case("u2029", "\u2029")),
    hint="str.splitlines() and httpx's iter_lines() end lines at them; JSON holds them as they are",
    mend="split bytes at LF, before they are decoded",
    source=f"{_NDJSON}, 3.1 (a line ends with LF); RFC 8259, 7",
)
def only_line_feeds_end_lines(probe: Probe, case: Case) -> None:
    reply = Reply.of(f"a{case.value}b", case.value, f"{case.value} c")
    probe.play(reply)
    same_text(reply.text, joined(probe.stream()))


@rule(
    "SSE-18",
    MUST,
    "JSON lines: lines that end in CRLF give the same answer",
    needs=_LINES,
    hint="CR is white space of JSON",
    mend="read lines without their ends, or let the JSON parser pass over CR",
    source=f"{_NDJSON}, 3.1 and 3.2",
)
def lines_may_end_in_crlf(probe: Probe, case: Case) -> None:
    same_answer(probe, "with lines that end in CRLF", Delivery(framing=Framing(line_ends="crlf")))
    same_answer(probe, "split inside CRLF", Delivery(framing=Framing(line_ends="crlf"), cuts="crlf"))


@rule(
    "SSE-19",
    SHOULD,
    "JSON lines: empty lines between the others give the same answer",
    needs=_LINES,
    hint="the specification lets a reader pass over them, and lets it refuse them",
    mend="pass over lines without content",
    source=f"{_NDJSON}, 3.2",
)
def empty_lines_say_nothing(probe: Probe, case: Case) -> None:
    same_answer(probe, "with empty lines", Delivery(framing=Framing(blank_lines=1)))


@rule(
    "SSE-20",
    SHOULD,
    "JSON lines: a last line without its line feed is discarded or used, never half read",
    needs=_LINES,
    cases=(
        Case("last", lambda wire: Byte(-1)),
        Case("piece", lambda wire: Byte(end_of_piece(wire, TEXT, 1) - 1)),
        Case("half-a-piece", lambda wire: Byte(end_of_piece(wire, TEXT, 1) - 20)),
    ),
    hint="a connection that ends early leaves half a line behind",
    mend="raise where the answer is not complete",
    source=_NDJSON,
)
def last_line_is_whole_or_none(probe: Probe, case: Case) -> None:
    fault = Fault("stop", before=case.value(probe.wire))
    whole_or_none(probe, "where the last line is cut off", Delivery(fault=fault))


_splits(
    "SSE-21",
    "event stream: the answer is the same however the bytes are split, also inside prelude and checksum",
    _MESSAGES,
    _SMITHY,
    _PRELUDE,
)


@rule(
    "SSE-22",
    MUST,
    "event stream: headers in another order give the same answer",
    needs=_MESSAGES,
    hint="headers are found by their names",
    mend="read headers into a mapping, and look them up by name",
    source=_SMITHY,
)
def order_of_headers_does_not_matter(probe: Probe, case: Case) -> None:
    same_answer(probe, "with headers in reverse order", Delivery(framing=Framing(data_first=True)))


@rule(
    "SSE-23",
    SHOULD,
    "event stream: headers that the client does not know give the same answer",
    needs=_MESSAGES,
    hint="a service may add headers; no reader needs to know them all",
    mend="pass over headers that have no meaning for the client",
    source=_SMITHY,
)
def unknown_headers_are_passed_over(probe: Probe, case: Case) -> None:
    fields = ("x-later: 1", ":date: today")
    same_answer(probe, "with further headers", Delivery(framing=Framing(unknown=fields)))


@rule(
    "SSE-24",
    SHOULD,
    "event stream: a message whose checksum does not fit raises",
    needs=_MESSAGES,
    cases=(Case("message", -1), Case("prelude", 8)),
    hint="a message that was damaged on the way is passed off as the answer, or skipped in silence",
    mend="check both checksums, as botocore does",
    source=_SMITHY,
)
def damaged_messages_raise(probe: Probe, case: Case) -> None:
    piece = next(frame for frame in frames(probe.wire, TEXT) if frame.piece == 1)
    damaged = bytearray(piece.data)
    damaged[case.value] ^= 0xFF
    put_in = Insert(1, (replace(piece, data=bytes(damaged), kind="noise", piece=None),))
    probe.play(Turn(reply=TEXT, delivery=Delivery(insert=(put_in,))))
    probe.iterate("stream", PROMPT).failure(f"the checksum of a {case.name} does not fit")


_splits(
    "SSE-25", "JSON array: the answer is the same however the bytes are split", _ARRAY, "RFC 8259, 2", (-1, 0, 1, 2, 3)
)


@rule(
    "SSE-26",
    MUST,
    "JSON array: white space between the elements, or none, gives the same answer",
    needs=_ARRAY,
    cases=(
        Case("none", Framing(space=False)),
        Case("line-feeds", Framing(line_ends="lf", blank_lines=1)),
        Case("mixed", Framing(line_ends="mixed", blank_lines=2)),
    ),
    hint="an element ends where its brackets close, whatever follows",
    mend="use an incremental parser of JSON, or count brackets outside strings",
    source="RFC 8259, 2 (insignificant white space)",
)
def white_space_says_nothing(probe: Probe, case: Case) -> None:
    same_answer(probe, f"with other white space ({case.name})", Delivery(framing=case.value))
