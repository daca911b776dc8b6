"""Nothing but loopback is reached while a guard is on, and who tried is told."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest

from conformance.loopback import Attempt, Guard, LeavesLoopback, attempts, is_local, unnoted
from mockserver import Reply, serve

from .helpers import post

AWAY: Final = "provider.example"
HERE: Final = "tests/conformance/test_loopback.py:"


@pytest.fixture
def guard() -> Iterator[Guard]:
    """A guard that is on, within an item."""
    made = Guard()
    made.start()
    with made.within("an item"):
        yield made
    made.stop()


def connect() -> None:
    with socket.socket() as one:
        one.connect(("192.0.2.1", 443))


def send() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("192.0.2.1", 443))


def look_up() -> None:
    socket.getaddrinfo(AWAY, 443)


def look_up_by_the_old_name() -> None:
    socket.gethostbyname(AWAY)


def ask() -> None:
    httpx.get(f"https://{AWAY}/v1")


def ask_in_a_loop() -> None:
    async def asking() -> None:
        async with httpx.AsyncClient() as client:
            await client.get(f"https://{AWAY}/v1")

    asyncio.run(asking())


async def _opened() -> None:
    await asyncio.open_connection("2001:db8::1", 443)


def open_the_other_family() -> None:
    asyncio.run(_opened())


@pytest.mark.parametrize(
    ("leave", "peer"),
    [
        (connect, "192.0.2.1:443"),
        (send, "192.0.2.1:443"),
        (look_up, f"{AWAY}:443"),
        (look_up_by_the_old_name, AWAY),
        (ask, f"{AWAY}:443"),
        (ask_in_a_loop, f"{AWAY}:443"),
        (open_the_other_family, "[2001:db8::1]:443"),
    ],
)
def test_what_would_leave_is_refused(guard: Guard, leave: Callable[[], Any], peer: str) -> None:
    """Whatever makes it: the peer, the caller and what was done meanwhile are told, and noted."""
    with pytest.raises(LeavesLoopback, match="loopback alone can be reached") as error:
        leave()
    [attempt] = guard.attempts
    assert (attempt.peer, attempt.during) == (peer, "an item")
    assert attempt.caller.startswith(HERE)
    assert f"{peer}, from {HERE}" in str(error.value)
    assert attempts() == (attempt,)


def test_threads_are_held_too(guard: Guard) -> None:
    """Those that the model starts, also when no item runs; those that were there before are let be."""
    told: list[str] = []

    def leave() -> None:
        try:
            guard.refuse(AWAY)
        except LeavesLoopback:
            told.append(threading.current_thread().name)

    opened = threading.Event()

    def wait_and_leave() -> None:
        opened.wait()
        leave()

    before = threading.Thread(target=wait_and_leave, name="before")
    before.start()
    later = Guard()
    later.start()
    guard, first = later, guard
    after = threading.Thread(target=leave, name="after")
    after.start()
    after.join()
    opened.set()
    before.join()
    leave()
    later.stop()
    assert told == ["after"]
    assert [each.peer for each in later.attempts] == [AWAY]
    assert first.attempts == []


def test_a_paused_guard_lets_all_pass(guard: Guard) -> None:
    """As it does while a user's own test runs; one that was stopped is off."""
    guard.paused = True
    guard.refuse(AWAY)
    guard.stop()
    assert attempts() == ()
    assert not guard.is_on


def test_loopback_is_reached(guard: Guard) -> None:
    """By address and by name, and so are sockets that are files."""
    with serve(Reply.of("Hello")) as server:
        assert post(server.url).status_code == 200
        assert post(server.url.replace("127.0.0.1", "localhost")).status_code == 200
    one, other = socket.socketpair()
    one.close()
    other.close()
    assert guard.attempts == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.9.1",
        "::1",
        "::ffff:127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "0.0.0.0",
        b"::1",
        None,
        "",
    ],
)
def test_what_is_local(host: Any) -> None:
    """The loopback of both families by address or name, the address that stands for any, and the machine's own name."""
    assert is_local(host)
    assert is_local(socket.gethostname())


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", AWAY, "localhost.example", b"10.0.0.1"]
)
def test_what_is_not_local(host: Any) -> None:
    """All other addresses and names, also those of this network."""
    assert not is_local(host)


def test_what_the_suite_does_itself_is_not_noted(guard: Guard) -> None:
    """It is refused all the same, and given to who asked."""
    with unnoted() as seen, pytest.raises(LeavesLoopback):
        connect()
    assert [each.peer for each in seen] == ["192.0.2.1:443"]
    assert guard.attempts == []


def test_without_a_guard_nothing_is_seen() -> None:
    """The hook stays, and does nothing."""
    with unnoted() as seen:
        assert attempts() == ()
    assert seen == []


def test_an_attempt_is_told_in_one_line() -> None:
    """Who and where to."""
    assert str(Attempt("a:1", "b.py:2", "c")) == "a:1, from b.py:2"
