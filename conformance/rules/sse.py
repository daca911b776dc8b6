"""SSE: the legal framings of server-sent events (WHATWG HTML 9.2), each of which must give the same answer."""

from typing import Final

from mockserver import Byte, Delivery, Fault, Framing, Insert, Random, Reply, Turn

from ..catalogue import MUST, SHOULD, Case, Level, rule
from ..drive import Probe
from ..observe import agree, joined, same_text
from ..verdict import NotApplicable
from .framing import TEXT, around_frames, end_of_piece, same_answer, same_sum, whole_or_none

_WHATWG: Final = "WHATWG HTML 9.2.5 and 9.2.6 (https://html.spec.whatwg.org/multipage/server-sent-events.html)"
_NEEDS: Final = ("stream", "server-sent events")
_MEND: Final = "read the stream with a reader that follows the standard, such as httpx-sse 0.4.3 or later"


def _same(id: str, level: Level, what: str, hint: str, /, **cases: Delivery) -> None:
    """Register a rule: with `what`, which each case's delivery has, the answer is as in the plain framing."""

    @rule(
        id,
        level,
        f"the answer is the same {what}",
        needs=_NEEDS,
        cases=[Case(name.replace("_", "-") if len(cases) > 1 else "", value) for name, value in cases.items()],
        hint=hint,
        mend=_MEND,
        source=_WHATWG,
    )
    def check(probe: Probe, case: Case) -> None:
        same_answer(probe, what, case.value)


def _put_in(*texts: str) -> Delivery:
    """A delivery with these blocks between the frames."""
    return Delivery(insert=tuple(Insert(at, texts) for at in (0, 1, "finish")))


_same(
    "SSE-01",
    MUST,
    "with lines that end in CRLF",
    "servers and gateways end lines as HTTP does; a CR that stays on the data spoils `[DONE]`",
    crlf=Delivery(framing=Framing(line_ends="crlf")),
)
_same(
    "SSE-02",
    MUST,
    "with comments before, between and inside events",
    "providers send comments to keep a connection open while the model thinks",
    between=Delivery(framing=Framing(comments="between")),
    inside=Delivery(framing=Framing(comments="inside")),
    bare=_put_in(":\n\n", ": ping\n\n", ":ping\n"),
)
_same(
    "SSE-03",
    MUST,
    "without a space after the colons",
    "the space is optional; a reader that looks for `data: ` sees no event",
    no_space=Delivery(framing=Framing(space=False)),
)
_same(
    "SSE-04",
    MUST,
    "with data over several lines",
    "the lines of an event are one text; a reader that takes each for an event fails on half a document",
    split=Delivery(framing=Framing(split=True)),
)
_same(
    "SSE-05",
    MUST,
    "with unknown fields and `id` and `retry` lines inside events",
    "fields were added before, and will be again",
    id_and_retry=Delivery(framing=Framing(ids=True, retry=500)),
    unknown=Delivery(framing=Framing(unknown=("trace: 1", "later:", "bare"))),
    data_first=Delivery(framing=Framing(data_first=True, ids=True)),
)


@rule(
    "SSE-06",
    MUST,
    "the answer is the same however its bytes are split",
    needs=_NEEDS,
    cases=(
        Case("bytes", Delivery(cuts=1)),
        Case("boundaries"),
        Case("characters", Delivery(cuts="characters")),
        Case("crlf", Delivery(framing=Framing(line_ends="crlf"), cuts="crlf")),
        Case("random", Delivery(cuts=Random(seed=1, largest=13))),
    ),
    hint="TCP keeps no boundaries: a read may end inside a line, a CRLF or a character",
    mend="keep as bytes what a read leaves over, and decode whole lines",
    source=_WHATWG,
)
def splits_do_not_matter(probe: Probe, case: Case) -> None:
    # Each write is an HTTP chunk of its own, by which most clients hand the body on; so the cuts are seen even where
    # the system joins segments.
    what = f"when it is split ({case.name})"
    if case.name == "bytes":
        same_sum(probe, what, TEXT, case.value)
    else:
        same_answer(probe, what, case.value or (lambda reply: Delivery(cuts=around_frames(probe.wire, reply))))


_same(
    "SSE-07",
    MUST,
    "with many events in one segment",
    "a fast provider, or a proxy that gathers, puts several events into one read",
    whole=Delivery(cuts="whole"),
    several=Delivery(cuts=1000),
)


@rule(
    "SSE-08",
    MUST,
    "U+2028, U+2029, U+0085, VT and FF inside data are not line ends",
    needs=_NEEDS,
    cases=(
        Case("u2028", "\u2028"),
        Case("u2029", "\u2029"),
        Case("u0085", "\u0085"),
        Case(
            "unknown-fields",
            level=SHOULD,
            why="SHOULD here: no provider is known to send them outside of JSON, in which VT and FF are escaped",
        ),
    ),
    hint="str.splitlines() knows ten line ends, events have three; JSON holds U+2028, U+2029 and U+0085 as they are",
    mend="split bytes at CRLF, LF and CR alone, before they are decoded; httpx-sse does so from 0.4.3 on",
    source=f"{_WHATWG}; RFC 8259, 7 (only control characters up to U+001F must be escaped)",
)
def only_line_ends_end_lines(probe: Probe, case: Case) -> None:
    if case.value is None:
        fields = ("trace: a\x0bb\x0cc\x1cd\u0085e\u2028data: {",)
        same_answer(probe, "with such characters in an unknown field", Delivery(framing=Framing(unknown=fields)))
        return
    reply = Reply.of(f"a{case.value}b", case.value, f"{case.value} c")
    probe.play(reply)
    same_text(reply.text, joined(probe.stream()))


_same(
    "SSE-09",
    SHOULD,
    "with lines that end in CR, or in CR, LF and CRLF by turns",
    "legal, though no provider is known to do so",
    cr=Delivery(framing=Framing(line_ends="cr")),
    mixed=Delivery(framing=Framing(line_ends="mixed")),
)
_same(
    "SSE-10",
    SHOULD,
    "with a byte order mark before the first event",
    "the mark sticks to the name of the first field, and the first event is lost",
    mark=Delivery(framing=Framing(bom=True)),
)
_same(
    "SSE-11",
    SHOULD,
    "with blocks without data (`id`, `retry` or `event` alone)",
    "they are no events; a reader that gives one out all the same hands on an empty document",
    event=Delivery(framing=Framing(dataless=True)),
    id=_put_in("id: 7\n\n"),
    retry=_put_in("retry: 500\n\n"),
)
_same(
    "SSE-12",
    SHOULD,
    "with further blank lines between events",
    "an empty block is no event",
    blank_lines=Delivery(framing=Framing(blank_lines=2)),
)


@rule(
    "SSE-13",
    MUST,
    "the answer is the same where its body is compressed with gzip, if the client asked for it",
    needs=_NEEDS,
    cases=(
        Case("stream", Delivery(gzip=True)),
        Case("split", Delivery(gzip=True, cuts=7)),
        Case("invoke", Delivery(gzip=True)),
    ),
    hint="a client that says that it accepts gzip, and then reads the packed bytes",
    mend="read the body through the client's own decoding, or do not ask for compression",
    source="RFC 9110, 12.5.3 (Accept-Encoding)",
)
def compressed_answers_are_unpacked(probe: Probe, case: Case) -> None:
    _in_this_body(probe, case, "where it is compressed")
    if not any("gzip" in exchange.headers.get("accept-encoding", "") for exchange in probe.exchanges):
        raise NotApplicable(f"{probe.target.label} does not ask for gzip")


@rule(
    "SSE-14",
    MUST,
    "the answer is the same whether its body's end is told by chunks, by Content-Length or by the connection's end",
    needs=_NEEDS,
    cases=(
        Case("content-length", Delivery(transfer="content-length")),
        Case("close", Delivery(transfer="close")),
        Case("invoke-chunked", Delivery(transfer="chunked")),
        Case("invoke-close", Delivery(transfer="close")),
    ),
    hint="gateways change how a body is transferred, and HTTP/1.0 has no chunks",
    mend="leave the end of the body to the HTTP client",
    source="RFC 9112, 6.3 (message body length)",
)
def bodies_end_in_any_way(probe: Probe, case: Case) -> None:
    _in_this_body(probe, case, f"with the transfer {case.value.transfer}")


def _in_this_body(probe: Probe, case: Case, what: str) -> None:
    if "invoke" not in case.name:
        same_answer(probe, what, case.value)
        return
    probe.play(TEXT)
    wanted = probe.invoke()
    probe.play(Turn(reply=TEXT, delivery=case.value))
    agree(wanted, probe.invoke(), names=("in a plain body", what))


@rule(
    "SSE-15",
    SHOULD,
    "a last event without its blank line is discarded or used, never half read",
    needs=_NEEDS,
    cases=(
        Case("last", lambda wire: Byte(-1)),
        Case("last-line", lambda wire: Byte(-2)),
        Case("piece", lambda wire: Byte(end_of_piece(wire, TEXT, 1) - 1)),
        Case("half-a-piece", lambda wire: Byte(end_of_piece(wire, TEXT, 1) - 20)),
    ),
    hint="a connection that ends early leaves half an event behind; the standard discards it",
    mend="give an event out when its blank line has come, and raise where the answer is not complete",
    source=_WHATWG,
)
def last_event_is_whole_or_none(probe: Probe, case: Case) -> None:
    whole_or_none(
        probe, "where the last event is cut off", Delivery(fault=Fault("stop", before=case.value(probe.wire)))
    )
