"""How bytes leave: points, cuts, pace, gates; without a socket."""

import asyncio
import threading
from itertools import islice, pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver import WIRES, Delivery, Fault, Frame, Gate, Insert, Pace
from mockserver.delivery import FAULTS, Cuts, cut, plan, points_of, writes
from mockserver.frames import join

from .helpers import LIMIT, THREE
from .strategies import LAW

FRAMES: Final = WIRES["openai-chat"].frames(THREE)
ERROR: Final = Frame(b"data: error\n\n", "error")
NOISE: Final = Frame(b": noise\n\n", "noise")


def test_points_lie_before_pieces_the_finish_and_the_end() -> None:
    """Openings, usage and noise have no point before them."""
    assert [points_of(frame) for frame in FRAMES] == [(), (0,), (1,), (2,), ("finish",), (), ("end",)]
    assert [frame.kind for frame in FRAMES] == ["start", "piece", "piece", "piece", "finish", "usage", "end"]


def test_a_plan_without_anything_is_the_frames() -> None:
    """A plain delivery adds nothing and leaves nothing out."""
    assert plan(FRAMES, Delivery(), ERROR) == FRAMES


@pytest.mark.parametrize(("point", "at"), [(0, 1), (1, 2), ("finish", 4), ("end", 6), ("close", 7)])
def test_inserts_stand_before_their_point(point: Any, at: int) -> None:
    """What is inserted stands right before its point; `close` is after the terminator."""
    planned = plan(FRAMES, Delivery(insert=(Insert(point, (NOISE, NOISE)),)), ERROR)
    assert planned == (*FRAMES[:at], NOISE, NOISE, *FRAMES[at:])


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize(("before", "kept"), [("head", 0), (0, 1), (2, 3), ("finish", 4), ("end", 6)])
def test_a_fault_cuts_off_what_comes_from_its_point_on(kind: Any, before: Any, kept: int) -> None:
    """The frames before the point are kept; an `error` adds its frame."""
    planned = plan(FRAMES, Delivery(fault=Fault(kind, before), insert=(Insert("close", (NOISE,)),)), ERROR)
    assert planned == (*FRAMES[:kept], *((ERROR,) if kind == "error" else ()))


@LAW
@given(st.binary(max_size=40), st.integers(1, 50) | st.lists(st.integers(1, 60), unique=True).map(sorted).map(tuple))
def test_cuts_keep_every_byte(body: bytes, cuts: int | tuple[int, ...]) -> None:
    """Parts joined are the body, none is empty, and listed offsets are where the parts end."""
    parts = list(cut(body, cuts))
    assert b"".join(parts) == body
    if isinstance(cuts, int):
        assert all(len(part) == cuts for part in parts[:-1])
    else:
        ends = [sum(map(len, parts[: number + 1])) for number in range(len(parts) - 1)]
        assert ends == [offset for offset in cuts if offset < len(body)]


def test_a_body_can_be_one_write() -> None:
    """``whole`` is one part."""
    assert list(cut(b"abc", "whole")) == [b"abc"]


@pytest.mark.parametrize("cuts", ["frame", "whole", 1, 7, 100_000, (5, 50, 500)])
def test_writes_count_the_frames_that_are_complete(cuts: Cuts) -> None:
    """Each write tells how many frames have been sent in full once it is out."""
    sent = b""
    for _, data, complete in writes(FRAMES, Delivery(cuts=cuts)):
        sent += data
        assert len(join(FRAMES[:complete])) <= len(sent)
        assert complete == len(FRAMES) or len(join(FRAMES[: complete + 1])) > len(sent)
    assert sent == join(FRAMES)


@pytest.mark.parametrize("delivery", [Delivery(cuts=3, gates={1: Gate()}), Delivery(cuts="whole", pace=Pace())])
def test_gates_and_pace_need_a_write_for_each_frame(delivery: Delivery) -> None:
    """Where something happens between frames, each is written alone, whatever the cuts."""
    assert [data for _, data, _ in writes(FRAMES, delivery)] == [frame.data for frame in FRAMES]


@pytest.mark.parametrize("cuts", [0, -1, (3, 3), (3, 2), (0, 5), "frames", True, 1.5, None, ["a"], ("a",), {"a": 1}])
def test_wrong_cuts_are_refused(cuts: Any) -> None:
    """Cuts are two words, a number above 0, or offsets that ascend."""
    with pytest.raises(ValueError, match="cuts are "):
        Delivery(cuts=cuts)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"first": -1}, "first is a time in seconds, not -1"),
        ({"every": float("nan")}, "every is a time in seconds, not nan"),
        ({"every": float("inf")}, "every is a time in seconds, not inf"),
        ({"jitter": 1.5}, "jitter is a share from 0 to 1, not 1.5"),
    ],
)
def test_a_wrong_pace_is_refused(fields: dict[str, Any], words: str) -> None:
    """Times are finite and not negative; jitter is a share."""
    with pytest.raises(ValueError, match=words):
        Pace(**fields)


def test_a_wrong_fault_is_refused() -> None:
    """Faults have names."""
    with pytest.raises(ValueError, match="a fault is one of close, reset, error, stop, not 'explode'"):
        Fault(kind="explode", before=0)  # type: ignore[arg-type]


def test_deadlines_are_absolute() -> None:
    """Without jitter, piece n is due `first + n * every` after the start, so that delays do not add up."""
    assert list(islice(Pace(first=1, every=0.25).deadlines(), 5)) == [1, 1.25, 1.5, 1.75, 2]


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
