"""Spaces: a script and a journal of their own on one server, and waiting for what comes."""

import threading
from pathlib import Path

import httpx
import pytest

import mockserver
from mockserver import Delivery, Gate, MockServerError, Reply, Script, Server, Turn

from .helpers import LIMIT, PATHS, THREE, ask, connection, question

CHAT = PATHS["openai-chat"]


def text_at(url: str) -> str:
    text: str = ask(url + CHAT, json=question("openai-chat", stream=False)).json()["choices"][0]["message"]["content"]
    return text


def test_spaces_do_not_see_each_other() -> None:
    """Requests of two spaces at once: each is answered by its own script and stands in its own journal."""
    with mockserver.serve(Reply.of("root")) as server:
        spaces = [server.space(name, [Reply.of(f"{name} {number}") for number in range(5)]) for name in ("a", "b")]
        got: dict[str, list[str]] = {space.url: [] for space in spaces}

        def ask_all(url: str) -> None:
            got[url] += [text_at(url) for _ in range(5)]

        threads = [threading.Thread(target=ask_all, args=(space.url,)) for space in spaces]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert list(got.values()) == [[f"{name} {number}" for number in range(5)] for name in ("a", "b")]
        assert [len(space.exchanges) for space in spaces] == [5, 5]
        assert [each.number for each in spaces[0].exchanges] == [1, 2, 3, 4, 5]
        assert (server.exchanges, text_at(server.url)) == ((), "root")


def test_a_space_is_made_once() -> None:
    """The same name is the same space, until it is removed."""
    with mockserver.serve() as server:
        space = server.space("a", THREE)
        assert server.space("a") is space
        assert list(server.spaces) == ["a"]
        assert space.url == f"{server.url}/t/a"
        server.remove_space("a")
        answer = ask(space.url + CHAT, json=question("openai-chat"))
        assert (answer.status_code, list(server.spaces)) == (400, [])
        assert "there is no space at /t/a" in answer.text


def test_a_space_waits_for_what_ends() -> None:
    """`until_ended` counts exchanges that have ended, by whomever."""
    gate = Gate()
    with mockserver.serve() as server:
        space = server.space("a", Turn(reply=THREE, delivery=Delivery(gates={1: gate})))
        with connection(server) as client:
            client.send(path=f"/t/a{CHAT}")
            assert gate.wait_arrived(timeout=LIMIT)
            assert not space.until_ended(timeout=0)
        assert space.until_ended(timeout=LIMIT)
        assert not space.until_ended(2, timeout=0)
        assert space.exchanges[0].ended == "closed by client"
        assert not server.until_ended(timeout=0)


def test_reset_begins_anew() -> None:
    """The journal is empty, turns and gates are as at the start, and errors are forgotten."""
    gate = Gate()
    script = Script([Turn(reply=Reply.of("a"), times=1), Turn(reply=Reply.of("b"))], gates={"g": gate})
    with mockserver.serve(script) as server:
        assert (text_at(server.url), text_at(server.url)) == ("a", "b")
        server.errors.append(ValueError())
        gate.open()
        server.reset()
        assert (server.exchanges, server.errors, gate.is_open) == ((), [], False)
        assert server.connections == mockserver.serving.space.Connections(open=0, peak=0, made=0, reused=0)
        assert text_at(server.url) == "a"


def test_gates_are_found_by_name(tmp_path: Path) -> None:
    """Those that a script names; a name that it has not is told, with those that there are."""
    file = tmp_path / "gated.yaml"
    file.write_text("turns:\n- reply: [text: [a, b]]\n  delivery: {gates: {1: half-way}}\n")
    with mockserver.serve(file) as server, connection(server) as client:
        client.send()
        assert server.gate("half-way").wait_arrived(timeout=LIMIT)
        server.gate("half-way").open()
        assert client.answer().ending == "whole"
        with pytest.raises(MockServerError, match="the script has no gate 'halfway'; it has half-way"):
            server.gate("halfway")
        server.play(THREE)
        with pytest.raises(MockServerError, match="it has none with a name"):
            server.gate("half-way")


def test_a_gate_that_is_closed_again_holds() -> None:
    """After a reset, the next answer waits, and arrivals count from 0."""
    gate = Gate()
    script = Script([Turn(reply=THREE, delivery=Delivery(gates={1: gate}))], gates={"g": gate})
    with mockserver.serve(script) as server, connection(server) as client:
        gate.open()
        client.send()
        assert client.answer().ending == "whole"
        assert gate.arrived == 1
        server.reset()
        assert gate.arrived == 0
        client.send()
        assert gate.wait_arrived(timeout=LIMIT)
        assert server.open_requests == 1
        gate.open()
        assert client.answer().ending == "whole"


def test_connections_are_those_of_the_space() -> None:
    """Open now, most at one time, made, and requests that reused one."""
    with mockserver.serve(THREE) as server:
        space = server.space("a", THREE)
        with connection(server) as first, connection(server) as second:
            for client in (first, second, second):
                client.send(path=f"/t/a{CHAT}")
                assert client.answer().ending == "whole"
            assert space.connections == mockserver.serving.space.Connections(open=2, peak=2, made=2, reused=1)
            assert server.connections.made == 0
        assert space.until(lambda: space.connections.open == 0, timeout=LIMIT)
        assert space.connections.peak == 2


def test_a_client_with_a_pool_reuses_its_connection() -> None:
    """Three requests of one client are one connection."""
    headers = {"authorization": "Bearer k"}
    with mockserver.serve(THREE) as server, httpx.Client(base_url=server.url, headers=headers) as client:
        for _ in range(3):
            assert client.post(CHAT, json=question("openai-chat")).status_code == 200
        assert (server.connections.made, server.connections.reused) == (1, 2)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "\u00e4"])
def test_names_that_cannot_stand_in_a_path_are_refused(name: str) -> None:
    """Letters, digits, '-', '_' and '.'."""
    server: Server = mockserver.serve()
    with pytest.raises(ValueError, match="the name of a space is made of"):
        server.space(name)
