"""How bytes leave: points, cuts, pace, gates, plans; without a socket."""

import asyncio
import threading
from dataclasses import replace
from itertools import accumulate, islice, pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver import WIRES, Delivery, Fault, Frame, Gate, Insert, Pace, Recording, Unencodable
from mockserver.cassettes.interaction import Arrival
from mockserver.frames import join
from mockserver.sending.delivery import FAULTS, Byte, Cuts, Edit, Random
from mockserver.sending.faults import points_of
from mockserver.sending.planning import Hold, Plan, Step, planned

from .helpers import LIMIT, THREE
from .strategies import LAW

FRAMES: Final = WIRES["openai-chat"].frames(THREE)
BODY: Final = join(FRAMES)
STARTS: Final = [0, *accumulate(len(frame.data) for frame in FRAMES)]
NOISE: Final = Frame(b": noise\n\n", "noise")
STREAM: Final = Recording(200, {}, FRAMES)
WHOLE: Final = Recording(200, {}, (Frame(b'{"a":"\xc3\xb6"}', "piece", 0),), streamed=False)
ALL_CUTS: Final = st.one_of(
    st.sampled_from(["frame", "whole", "characters"]),
    st.integers(1, 400),
    st.lists(st.integers(1, len(BODY) + 9), unique=True).map(sorted).map(tuple),
    st.builds(Random, st.integers(0, 99), st.integers(1, 300)),
)
POINTS: Final[Any] = st.one_of(
    st.integers(0, 2), st.sampled_from(["finish", "end", "close"]), st.integers(0, len(BODY)).map(Byte)
)


def plan(answer: Recording = STREAM, **delivery: Any) -> Plan:
    return planned(answer, Delivery(**delivery)).plan


def parts(made: Plan) -> list[bytes]:
    return [step.data for step in made.steps]


def offset(point: Any) -> int:
    """Where a point lies in the stream."""
    if isinstance(point, Byte):
        return point.byte
    places = {0: 1, 1: 2, 2: 3, "finish": 4, "end": 6, "close": 7}
    return STARTS[places[point]]


def test_points_lie_before_pieces_the_finish_and_the_end() -> None:
    """Openings, usage and noise have no point before them."""
    assert [points_of(frame) for frame in FRAMES] == [(), (0,), (1,), (2,), ("finish",), (), ("end",)]
    assert [frame.kind for frame in FRAMES] == ["start", "piece", "piece", "piece", "finish", "usage", "end"]


def test_a_plain_plan_is_a_write_for_each_frame() -> None:
    """Nothing is added, nothing is waited for, and the bytes of a frame are not held twice."""
    made = plan()
    steps = [Step(frame.data, len(frame.data), number, None) for number, frame in enumerate(FRAMES, 1)]
    assert made == Plan(frames=FRAMES, steps=steps, length=len(BODY))
    assert all(step.data is frame.data for step, frame in zip(made.steps, FRAMES, strict=True))


@LAW
@given(ALL_CUTS, st.lists(POINTS, max_size=3, unique_by=offset))
def test_cuts_and_gates_work_together(cuts: Any, points: list[Any]) -> None:
    """The writes joined are the body; each gate has a write that begins at its point; asked cuts stay."""
    gates = {point: Gate() for point in points}
    made, plain = plan(cuts=cuts, gates=gates), plan(cuts=cuts)
    assert b"".join(parts(made)) == BODY
    assert all(parts(made))
    starts = [0, *accumulate(map(len, parts(made)))]
    assert set(accumulate(map(len, parts(plain)))) <= set(starts)
    held = {start: step.hold for start, step in zip(starts, made.steps, strict=False) if step.hold}
    if made.hold:
        held[len(BODY)] = made.hold
    assert held == {offset(point): Hold((gate,), None) for point, gate in gates.items()}


@LAW
@given(ALL_CUTS, POINTS, st.sampled_from(["close", "reset", "stall", "stop", "cut"]))
def test_faults_cut_off_what_comes_from_their_point_on(cuts: Any, point: Any, kind: Any) -> None:
    """Whatever the cuts, the bytes before the point are sent; `cut` goes on into the frame that follows."""
    if point == "close" and kind in ("stop", "cut"):
        return
    made = plan(cuts=cuts, fault=Fault(kind, point))
    sent = b"".join(parts(made))
    at = offset(point)
    if kind == "cut" and not isinstance(point, Byte):
        frame = FRAMES[STARTS.index(at)]
        assert (sent, made.missing) == (BODY[: at + len(frame.data) // 2], -(-len(frame.data) // 2))
    else:
        assert sent == BODY[:at]
    assert made.length == (at if kind == "stop" else len(BODY))


@LAW
@given(ALL_CUTS, POINTS)
def test_writes_count_the_frames_that_are_complete(cuts: Any, point: Any) -> None:
    """Each write tells how many frames have been sent in full once it is out; a part of one does not count."""
    made = plan(cuts=cuts, fault=Fault("close", point))
    sent = 0
    for step in made.steps:
        sent += len(step.data)
        assert STARTS[step.frames] <= sent
        assert step.frames == len(FRAMES) or STARTS[step.frames + 1] > sent
    assert len(made.frames) == sum(start < offset(point) for start in STARTS[:-1])


@pytest.mark.parametrize(
    ("cuts", "expected"),
    [
        ("whole", [b"a\xc3\xb6\r\n\xf0\x9f\x90\xa0\r\n"]),
        ("characters", [b"a\xc3", b"\xb6\r\n\xf0", b"\x9f\x90\xa0\r\n"]),
        ("crlf", [b"a\xc3\xb6\r", b"\n\xf0\x9f\x90\xa0\r", b"\n"]),
        (4, [b"a\xc3\xb6\r", b"\n\xf0\x9f\x90", b"\xa0\r\n"]),
        ((1, 3, 99), [b"a", b"\xc3\xb6", b"\r\n\xf0\x9f\x90\xa0\r\n"]),
    ],
)
def test_where_cuts_lie(cuts: Cuts, expected: list[bytes]) -> None:
    """Inside each character of several bytes, inside each CRLF, every so many bytes, at offsets that there are."""
    answer = Recording(200, {}, (Frame(b"a\xc3\xb6\r\n", "start"), Frame(b"\xf0\x9f\x90\xa0\r\n", "end")))
    assert parts(plan(answer, cuts=cuts)) == expected


def test_random_cuts_are_drawn_with_their_seed() -> None:
    """The same seed cuts alike, another one elsewhere; no part is larger than the largest."""
    one, same, other = (parts(plan(cuts=Random(seed, 9))) for seed in (1, 1, 2))
    assert one == same != other
    assert {len(part) for part in one[:-1]} <= set(range(1, 10))
    assert len({len(part) for part in one}) > 3


def test_recorded_cuts_and_times() -> None:
    """Parts and times are those of the recording, scaled; a recording without them says so."""
    sizes = [100, 50, len(BODY) - 150]
    answer = replace(STREAM, arrivals=tuple(Arrival(at=n / 10, size=size) for n, size in enumerate(sizes, 1)))
    made = plan(answer, cuts="recorded", pace=Pace(recorded=True, scale=0.5))
    assert [len(part) for part in parts(made)] == sizes
    assert [step.hold and step.hold.due for step in made.steps] == pytest.approx([0.05, 0.1, 0.15])
    assert [len(part) for part in parts(plan(answer, cuts="whole", pace=Pace(recorded=True)))] == sizes
    for asked in ({"cuts": "recorded"}, {"pace": Pace(recorded=True)}):
        with pytest.raises(Unencodable, match="this answer has no recorded arrivals"):
            plan(**asked)


def test_a_pace_cuts_at_pieces_and_keeps_asked_cuts() -> None:
    """In one write otherwise, the body is cut where a piece is due."""
    made = plan(cuts="whole", pace=Pace(first=1, every=0.5))
    assert [(len(step.data), step.hold and step.hold.due) for step in made.steps] == [
        (STARTS[1], None),
        (STARTS[2] - STARTS[1], 1),
        (STARTS[3] - STARTS[2], 1.5),
        (len(BODY) - STARTS[3], 2),
    ]
    assert len(plan(cuts="whole", pace=Pace(head=1)).steps) == 1


def test_a_pace_has_a_time_for_each_piece() -> None:
    """Times that run out are an error; more than there are pieces are not."""
    made = plan(pace=Pace(times=(1, 1, 4, 9), scale=2))
    assert [step.hold.due for step in made.steps if step.hold] == [2, 2, 8]
    with pytest.raises(Unencodable, match="the pace has 2 times, and the stream 3 pieces"):
        plan(pace=Pace(times=(1, 2)))


@pytest.mark.parametrize(
    ("delivery", "words"),
    [
        (Delivery(fault=Fault("close", 3)), "the fault 'close' is before piece 3, which this stream has not; it has "),
        (Delivery(gates={3: Gate()}), "a gate is before piece 3, .* it has pieces 0 to 2, 'finish', 'end', 'close'"),
        (Delivery(fault=Fault("stall", Byte(99_999))), "the fault 'stall' is before byte 99999, and the body has "),
        (Delivery(gates={Byte(-99_999): Gate()}), "a gate is before byte -99999, and the body has "),
        (Delivery(gates={2: Gate()}, fault=Fault("reset", 1)), "a gate is before piece 2, which lies behind the fault"),
        (Delivery(cuts="crlf"), r"the stream has no CRLF to cut; Framing\(line_ends='crlf'\) gives it some"),
    ],
)
def test_what_the_stream_has_not_is_an_error(delivery: Delivery, words: str) -> None:
    """Nothing that is asked for is passed over in silence."""
    with pytest.raises(Unencodable, match=words):
        planned(STREAM, delivery)


def test_a_stream_without_a_terminator_has_no_end() -> None:
    """On such a wire a fault before the end says which points there are."""
    with pytest.raises(Unencodable, match="'end', which this stream has not; it has pieces 0 to 2, 'finish', 'close'"):
        plan(replace(STREAM, frames=FRAMES[:-1]), fault=Fault("close", "end"))


def test_bytes_count_from_the_end_too() -> None:
    """`Byte(-1)` is the point before the last byte."""
    assert parts(plan(cuts="whole", fault=Fault("stop", Byte(-1)))) == [BODY[:-1]]


@pytest.mark.parametrize(
    ("fault", "sent", "promised", "missing"),
    [
        (Fault("close", 1), 5, 10, 0),
        (Fault("stop", "finish"), 5, 5, 0),
        (Fault("stop", "head"), 0, 0, 0),
        (Fault("cut", "end"), 5, 10, 5),
        (Fault("stall", Byte(7)), 7, 10, 0),
        (Fault("reset", "close"), 10, 10, 0),
    ],
)
def test_a_body_that_is_not_streamed_is_cut_in_its_middle(fault: Fault, sent: int, promised: int, missing: int) -> None:
    """Points that it has not stand for its middle; bytes, the head and its end are where they are."""
    made = plan(WHOLE, fault=fault)
    assert (len(b"".join(parts(made))), made.length, made.missing) == (sent, promised, missing)


def test_a_body_that_is_not_streamed_is_held_where_it_can_be() -> None:
    """Before it, at its bytes, and after it; gates at pieces that it has not do not hold it."""
    gates: dict[Any, Gate] = {point: Gate() for point in (0, 1, "end", "close", Byte(4))}
    made = plan(WHOLE, gates=gates)
    assert [step.hold for step in made.steps] == [Hold((gates[0],), None), Hold((gates[Byte(4)],), None)]
    assert made.hold == Hold((gates["close"],), None)


@pytest.mark.parametrize("cuts", [0, -1, (3, 3), (3, 2), (0, 5), "frames", True, 1.5, None, ["a"], ("a",), {"a": 1}])
def test_wrong_cuts_are_refused(cuts: Any) -> None:
    """Cuts are words, a number above 0, offsets that ascend, or a draw."""
    with pytest.raises(ValueError, match="cuts are "):
        Delivery(cuts=cuts)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Pace(first=-1), "first is a time in seconds, not -1"),
        (lambda: Pace(every=float("nan")), "every is a time in seconds, not nan"),
        (lambda: Pace(head=float("inf")), "head is a time in seconds, not inf"),
        (lambda: Pace(jitter=2), "jitter is a share from 0 to 1, not 2"),
        (lambda: Pace(scale=-1), "scale is a factor of 0 or more, not -1"),
        (lambda: Pace(times=(2, 1)), "times are seconds from the head that do not fall"),
        (lambda: Pace(times=(1,), every=1), "a pace has either first and every, or times, or those of a recording"),
        (lambda: Random(1, 0), "the largest cut is a number of bytes above 0, not 0"),
        (lambda: Fault("explode", 0), f"a fault is one of {', '.join(FAULTS)}, not 'explode'"),  # type: ignore[arg-type]
        (lambda: Fault("close", "middle"), "a point is the number of a piece, Byte.* not 'middle'"),  # type: ignore[arg-type]
        (lambda: Fault("close", before=True), "a point is the number of a piece"),
        (lambda: Fault("close", -1), "a point is the number of a piece"),
        (lambda: Fault("stop", "close"), "a 'stop' before 'close' has nothing to leave out"),
        (lambda: Fault("cut", "head"), "a 'cut' before 'head' has nothing to leave out"),
        (lambda: Fault("close", 0, status=500), "an error or a page of HTML has a status from 200 to 599"),
        (lambda: Fault("html", 0, status=99), "an error or a page of HTML has a status from 200 to 599"),
        (lambda: Edit("eat", 0), "an edit is one of drop, repeat, swap, malform, truncate, unknown, not 'eat'"),  # type: ignore[arg-type]
        (lambda: Edit("drop", "head"), "an edit is at the number of a piece or one of start, finish, usage, end, not"),  # type: ignore[arg-type]
        (lambda: Insert("head", (NOISE,)), "frames are put in before frames, or before 'close', not before 'head'"),
        (lambda: Insert(Byte(3), (NOISE,)), "not before byte 3"),
        (lambda: Delivery(gates={"never": Gate()}), "a point is the number of a piece"),  # type: ignore[dict-item]
        (lambda: Delivery(transfer="pigeon"), "a transfer is one of chunked, content-length, close, not 'pigeon'"),  # type: ignore[arg-type]
        (lambda: Delivery(headers={"content-length": "1"}), "a header has a name in lower case, other than"),
        (lambda: Delivery(headers={"x-a": "1\r\nx-b: 2"}), "and a text of one line, not 'x-a'"),
        (lambda: Delivery(headers={"X-A": "1"}), "a header has a name in lower case"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_made(make: Any, words: str) -> None:
    """The error says what is allowed and what was given."""
    with pytest.raises(ValueError, match=words):
        make()


def test_deadlines_are_absolute() -> None:
    """Without jitter, piece n is due `first + n * every` after the head, so that delays do not add up."""
    assert list(islice(Pace(first=1, every=0.25).deadlines(), 5)) == [1, 1.25, 1.5, 1.75, 2]
    assert list(islice(Pace(first=1, every=0.25, scale=4).deadlines(), 3)) == [4, 5, 6]


def test_jitter_is_drawn_with_its_seed() -> None:
    """The same seed gives the same deadlines each time, another seed others; each gap stays within its share."""
    pace, other = Pace(every=1, jitter=0.5, seed=1), Pace(every=1, jitter=0.5, seed=2)
    first = list(islice(pace.deadlines(), 50))
    assert first == list(islice(pace.deadlines(), 50))
    assert first != list(islice(other.deadlines(), 50))
    gaps = [later - earlier for earlier, later in pairwise(first)]
    assert all(0.5 <= gap <= 1.5 for gap in gaps)
    assert len(set(gaps)) > 1


async def test_a_gate_opened_before_arrival_holds_nobody() -> None:
    """Once open, a gate stays open, and still counts who comes."""
    gate = Gate()
    gate.open()
    await gate.passage()
    await gate.passage()
    assert (gate.is_open, gate.arrived) == (True, 2)


async def test_a_gate_can_be_closed_again() -> None:
    """It then holds whoever comes next, and counts from 0."""
    gate = Gate()
    gate.open()
    await gate.passage()
    gate.close()
    assert (gate.is_open, gate.arrived) == (False, 0)
    waiting = asyncio.create_task(gate.passage())
    await asyncio.sleep(0)
    assert (waiting.done(), gate.arrived) == (False, 1)
    gate.open()
    await asyncio.wait_for(waiting, LIMIT)


async def test_a_gate_lets_all_who_wait_pass_at_once() -> None:
    """Several arrivals wait until it is opened."""
    gate = Gate()
    waiting = [asyncio.create_task(gate.passage()) for _ in range(3)]
    await asyncio.sleep(0)
    assert gate.wait_arrived(3, timeout=0)
    assert not any(task.done() for task in waiting)
    assert not gate.is_open
    gate.open()
    await asyncio.wait_for(asyncio.gather(*waiting), LIMIT)


def test_a_gate_is_opened_from_another_thread() -> None:
    """The thread that opens is not the one whose loop waits; loops may be several."""
    gate = Gate()
    threads = [threading.Thread(target=lambda: asyncio.run(gate.passage())) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert gate.wait_arrived(2, timeout=LIMIT)
    gate.open()
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()


def test_waiting_for_arrivals_has_a_limit() -> None:
    """`wait_arrived` says whether they came."""
    assert not Gate().wait_arrived(timeout=0)


async def test_a_gate_outlives_a_loop_that_waited_at_it() -> None:
    """Opening does not mind a waiter whose loop is closed."""
    gate = Gate()

    async def leave() -> None:
        task = asyncio.ensure_future(gate.passage())
        await asyncio.sleep(0)
        task.cancel()

    await asyncio.to_thread(lambda: asyncio.run(leave()))
    gate.open()
    assert gate.arrived == 1
