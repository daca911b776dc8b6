"""Benches: used again while they are clean, and gone when they are closed."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from conformance.bench import Bench, Benches
from mockserver import Delivery, Fault, Gate, Reply, Turn

from .helpers import LIMIT, Latch, post

Threads = Callable[[], list[str]]


@pytest.fixture
def benches() -> Iterator[Benches]:
    made = Benches()
    yield made
    made.close()


@pytest.fixture
def threads() -> Threads:
    """Names of the threads that benches have started since the test began, and that still run."""
    before = set(threading.enumerate())

    def running() -> list[str]:
        names = (each.name for each in threading.enumerate() if each not in before)
        return sorted(name for name in names if name.startswith(("conformance-", "mockserver-")))

    return running


def is_broken_off(url: str) -> None:
    with pytest.raises(httpx.TransportError):
        post(url)


async def place() -> threading.Thread:
    return threading.current_thread()


def test_a_clean_bench_is_handed_out_again(benches: Benches) -> None:
    """The same server and the same loop."""
    first = benches.take()
    loop = first.loop
    benches.give_back(first, clean=True)
    assert benches.take() is first
    assert first.loop is loop


def test_an_unclean_bench_is_closed(benches: Benches, threads: Threads) -> None:
    """The next one is new, and of the old one nothing runs on."""
    first = benches.take()
    assert first.loop.is_alive()
    benches.give_back(first, clean=False)
    assert threads() == []
    second = benches.take()
    assert second is not first
    assert second.loop is not first.loop


def test_who_wants_to_be_alone_gets_a_new_one(benches: Benches, threads: Threads) -> None:
    """Even where a clean one is there, which is closed."""
    first = benches.take()
    benches.give_back(first, clean=True)
    second = benches.take(alone=True)
    assert second is not first
    assert threads() == [f"mockserver-{second.server.port}"]


def test_a_bench_with_an_open_request_is_not_settled(bench: Bench) -> None:
    """A request whose answer is held back keeps the bench from being used again, until it has ended."""
    gate = Gate()
    bench.server.play(Turn(reply=Reply.of("a"), delivery=Delivery(gates={"head": gate})))
    client = threading.Thread(target=post, args=(bench.server.url,))
    client.start()
    assert gate.wait_arrived(timeout=LIMIT)
    assert not bench.settled()
    gate.open()
    client.join(LIMIT)
    assert bench.settled()


def test_a_bench_with_an_open_request_is_not_handed_out_again(benches: Benches) -> None:
    """However clean its item says that it is."""
    first, gate = benches.take(), Gate()
    broken_off = Turn(reply=Reply.of("a"), delivery=Delivery(gates={"head": gate}, fault=Fault("close", before="head")))
    first.server.play(broken_off)
    client = threading.Thread(target=is_broken_off, args=(first.server.url,))
    client.start()
    assert gate.wait_arrived(timeout=LIMIT)
    benches.give_back(first, clean=True)
    client.join(LIMIT)
    assert benches.take() is not first


def test_a_bench_whose_server_has_failed_is_not_settled(bench: Bench) -> None:
    """A defect of the server is not handed on to the next item."""
    assert bench.settled()
    bench.server.errors.append(ValueError("a defect"))
    assert not bench.settled()


def test_the_loop_starts_with_its_first_use(threads: Threads, bench: Bench) -> None:
    """Sync items need none; async ones run in its thread, which is a daemon."""
    assert threads() == [f"mockserver-{bench.server.port}"]
    loop = bench.loop
    assert bench.loop is loop
    assert (loop.name, loop.daemon) == ("conformance-loop", True)
    assert loop.submit(place()).result(LIMIT) is loop


def test_what_goes_wrong_in_the_loop_is_not_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """What a package leaves behind in its loop does not come up in the terminal."""
    bench.loop.loop.call_soon_threadsafe(lambda: 1 // 0)
    bench.loop.submit(place()).result(LIMIT)
    assert caplog.records == []


def test_closing_ends_all_threads(threads: Threads) -> None:
    """Neither the server's thread nor the loop's is left, nor what ran in the loop; closing twice is no error."""
    bench = Bench()
    forever = bench.loop.submit(asyncio.sleep(1000))
    bench.close()
    assert threads() == []
    assert forever.cancelled()
    bench.close()


def test_closing_without_a_loop_starts_none(threads: Threads) -> None:
    """A bench of sync items alone."""
    bench = Bench()
    bench.close()
    assert threads() == []


def test_closing_when_nothing_was_taken() -> None:
    """Benches that were never used can be closed."""
    Benches().close()


def test_a_blocked_loop_does_not_hold_up_closing(threads: Threads) -> None:
    """The loop is left behind after its limit, and ends when it is free again; the server is gone at once."""
    bench, latch = Bench(), Latch()

    async def block() -> None:
        latch.passage()

    loop = bench.loop
    loop.submit(block())
    assert latch.arrived()
    bench.close()
    assert threads() == ["conformance-loop"]
    latch.open()
    loop.join(LIMIT)
    assert not loop.is_alive()


_STUCK = """
import threading
from concurrent.futures import ThreadPoolExecutor
from conformance.bench import abandon_workers

ours, theirs, begun = ThreadPoolExecutor(), ThreadPoolExecutor(), threading.Event()
daemon = threading.Thread(target=lambda: ours.submit(lambda: (begun.set(), threading.Event().wait())), daemon=True)
daemon.start()
begun.wait()
left = threading.Event()
theirs.submit(lambda: (left.wait(), print("their work is done")))
abandon_workers()
left.set()
"""


def test_a_model_that_is_stuck_does_not_hold_the_process() -> None:
    """What a daemon has submitted is left behind when the process ends, and work of others is done to its end."""
    result = subprocess.run([sys.executable, "-c", _STUCK], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == "their work is done\n"
