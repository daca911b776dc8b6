"""What the server saw."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

import mockserver
from mockserver import WIRES, Delivery, Fault, Gate, Refused, Reply, Server, Turn
from mockserver.frames import join

from .helpers import LIMIT, PATHS, THREE, WIRE_NAMES, ask, connection, fetch, post, question


@pytest.fixture
def server() -> Iterator[Server]:
    with mockserver.serve(THREE) as running:
        yield running


def gated() -> tuple[Turn, Gate]:
    """A turn that waits at a gate before its second piece."""
    gate = Gate()
    return Turn(reply=THREE, delivery=Delivery(gates={1: gate})), gate


@pytest.mark.parametrize("wire", WIRE_NAMES)
def test_a_request_is_kept_as_sent_and_as_understood(server: Server, wire: str) -> None:
    """Number, path, headers (by any case), body, JSON, and what the wire makes of it."""
    asked = question(wire, text="Ü?")
    ask(f"{server.url}{PATHS[wire]}?a=1", json=asked, headers={"X-Mine": "1"})
    [exchange] = server.exchanges
    assert (exchange.number, exchange.method, exchange.path) == (1, "POST", f"{PATHS[wire]}?a=1")
    assert (exchange.headers["x-mine"], exchange.headers["X-MINE"]) == ("1", "1")
    assert exchange.json == asked
    assert exchange.asked
    assert (exchange.asked.wire, exchange.asked.model, exchange.asked.text) == (wire, "m-asked", "Ü?")
    assert (exchange.turn, exchange.refused) == (server.script.turns[0], None)


def test_a_finished_exchange(server: Server) -> None:
    """Frames, writes in order of time, status, and who ended it."""
    body = post(server).content
    [exchange] = server.exchanges
    assert server.until(lambda: exchange.ended == "finished", timeout=LIMIT)
    assert join(exchange.frames) == body
    assert [write.frames for write in exchange.writes] == list(range(1, len(exchange.frames) + 1))
    assert [write.at for write in exchange.writes] == sorted(write.at for write in exchange.writes)
    assert exchange.ended_at
    assert exchange.at <= exchange.writes[0].at <= exchange.ended_at
    assert (exchange.bytes_written, exchange.status, exchange.is_answered) == (len(body), 200, True)
    assert exchange.describe() == "#1 POST /v1/chat/completions 200, 7 of 7 frames, finished"


def test_connections_are_numbered(server: Server) -> None:
    """Requests on one connection have its number; another connection has the next."""
    with connection(server) as first, connection(server) as second:
        for client in (first, second, first, second):
            client.send()
            assert client.answer().ending == "whole"
        assert [each.connection for each in server.exchanges] == [1, 2, 1, 2]
        assert server.open_connections == 2
    assert server.until(lambda: server.open_connections == 0, timeout=LIMIT)
    fetch(server)
    assert server.exchanges[-1].connection == 3


@pytest.mark.parametrize(
    ("turn", "ended", "described"),
    [
        (Turn(reply=THREE), "finished", "200, 7 of 7 frames, finished"),
        (Turn(error=Refused(429, "slow")), "refused", "429, 1 of 1 frames, refused"),
        (
            Turn(reply=THREE, delivery=Delivery(fault=Fault("close", 1))),
            "closed by fault",
            "200, 2 of 2 frames, closed by fault",
        ),
        (Turn(reply=THREE, delivery=Delivery(fault=Fault("reset", "head"))), "closed by fault", "-, closed by fault"),
        (Turn(reply=THREE, delivery=Delivery(fault=Fault("stop", 1))), "finished", "200, 2 of 2 frames, finished"),
        (Turn(reply=THREE, delivery=Delivery(fault=Fault("error", 1))), "finished", "200, 3 of 3 frames, finished"),
    ],
)
def test_who_ended_it(server: Server, turn: Turn, ended: str, described: str) -> None:
    """The ending says whose doing it was."""
    server.play(turn)
    fetch(server)
    [exchange] = server.exchanges
    assert server.until(lambda: exchange.ended is not None, timeout=LIMIT)
    assert exchange.ended == ended
    assert exchange.describe().endswith(described)


def test_a_client_that_leaves_is_noticed(server: Server) -> None:
    """While a gate holds the stream, a client that closes its connection ends the exchange."""
    turn, gate = gated()
    server.play(turn)
    with connection(server) as client:
        client.send()
        assert gate.wait_arrived(timeout=LIMIT)
        [exchange] = server.exchanges
        assert not exchange.ended
    assert server.until(lambda: exchange.ended is not None, timeout=LIMIT)
    assert exchange.describe() == "#1 POST /v1/chat/completions 200, 2 of 7 frames, closed by client"
    assert server.open_requests == 0


def test_a_client_that_leaves_an_unhurried_stream_is_noticed(server: Server) -> None:
    """Without a gate too: a long stream does not run on for nobody."""
    endless = Reply.of(*["word " * 4_000] * 2_000)  # more than systems keep for a client that does not read
    server.play(endless)
    with connection(server) as client:
        client.send()
        client.head()
        client.chunk()
    [exchange] = server.exchanges
    assert server.until(lambda: exchange.ended is not None, timeout=LIMIT)
    assert exchange.ended == "closed by client"
    assert exchange.frames_written < len(WIRES["openai-chat"].frames(endless))


def test_open_and_most_requests_are_counted(server: Server) -> None:
    """Requests count from arrival until nothing of the answer is held back; the peak stays."""
    turn, gate = gated()
    server.play(turn)
    threads = [threading.Thread(target=fetch, args=(server,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert gate.wait_arrived(3, timeout=LIMIT)
    assert (server.open_requests, server.peak_requests) == (3, 3)
    gate.open()
    for thread in threads:
        thread.join(LIMIT)
    assert (server.open_requests, server.peak_requests) == (0, 3)
    fetch(server)
    assert (server.open_requests, server.peak_requests) == (0, 3)


def test_an_answer_read_whole_is_not_open(server: Server) -> None:
    """A client that has read its answer finds none open, at once: one request after another has a peak of 1."""
    for _ in range(20):
        fetch(server)
        assert server.open_requests == 0
    assert server.peak_requests == 1


def test_times_at_gates_are_noted(server: Server) -> None:
    """An exchange has from when until when a gate held it, and after how many writes; open gates hold nothing."""
    (turn, gate), passed = gated(), Gate()
    passed.open()
    head = Gate()
    server.play(replace(turn, delivery=Delivery(gates={"head": head, 0: passed, 1: gate})))
    with connection(server) as client:
        client.send()
        assert head.wait_arrived(timeout=LIMIT)
        assert [held[1:] for held in server.exchanges[0].held] == [(None, 0)]
        head.open()
        assert gate.wait_arrived(timeout=LIMIT)
        gate.open()
        assert client.answer().ending == "whole"
    first, second = server.exchanges[0].held
    assert first.until is not None
    assert second.until is not None
    assert first.at <= first.until <= second.at <= second.until
    assert second.writes == 2


def test_two_streams_take_turns(server: Server) -> None:
    """A long stream does not hold up another: both are under way at once, on one thread."""
    server.play(Reply.of(*["word "] * 3000))
    with connection(server) as first, connection(server) as second:
        for client in (first, second):
            client.send()
        assert server.until(lambda: all(exchange.writes for exchange in server.exchanges[:2]), timeout=LIMIT)
        for client in (first, second):
            assert client.answer().ending == "whole"
    one, other = server.exchanges
    assert one.writes[0].at < other.writes[-1].at
    assert other.writes[0].at < one.writes[-1].at


def test_until_has_a_limit(server: Server) -> None:
    """`until` says whether it holds, and looks at least once."""
    assert server.until(lambda: True, timeout=0)
    assert not server.until(lambda: False, timeout=0)
