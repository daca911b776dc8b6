"""The server: life, requests that are refused, scripts."""

import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

import mockserver
from mockserver import (
    WIRES,
    Asked,
    Delivery,
    Gate,
    MockServerError,
    Refusal,
    Refused,
    Reply,
    Script,
    ServerToolCall,
    Turn,
    When,
)

from .helpers import LIMIT, PATHS, THREE, WIRE_NAMES, ask, connection, fetch, keys, post, question


def test_a_server_runs_within_its_block() -> None:
    """In a `with` block it answers at `url`; after it nobody listens there."""
    with mockserver.serve(THREE) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert post(server, stream=False).json()["choices"][0]["message"]["content"] == THREE.text
    with pytest.raises(httpx.ConnectError):
        post(server)


async def test_a_server_runs_in_the_loop_of_its_caller() -> None:
    """In an `async with` block it answers in the running loop, without a thread."""
    threads = threading.active_count()
    async with mockserver.serve(THREE) as server, httpx.AsyncClient(base_url=server.url, headers=keys("")) as client:
        assert threading.active_count() == threads
        answer = await client.post(PATHS["openai-chat"], json=question("openai-chat", stream=False))
    assert answer.json()["choices"][0]["message"]["content"] == THREE.text


def test_calls_beside_are_answered_as_told() -> None:
    """The documents of `asides` answer their method and path, also in place of a wire's own, and are no exchanges."""
    known: dict[str, Any] = {"GET /.well-known/shop": {"region": "local"}, "GET /v1/models": {"data": ["parrot"]}}
    with mockserver.serve(THREE, asides=known) as server:
        for call, document in known.items():
            answer = httpx.get(f"{server.url}{call.removeprefix('GET ')}")
            assert (answer.status_code, answer.json()) == (200, document)
        assert httpx.post(f"{server.url}/.well-known/shop").status_code == 404
        assert (len(server.asides), len(server.exchanges)) == (2, 1)
        server.answers_beside = {}
        assert httpx.get(f"{server.url}/.well-known/shop").status_code == 404


def test_a_server_can_be_started_again() -> None:
    """Each block binds a port anew."""
    server = mockserver.serve(THREE)
    for _ in range(2):
        with server:
            assert post(server).status_code == 200


def test_loopback_has_a_second_address() -> None:
    """An IPv6 address stands in brackets in the URL."""
    try:
        server = mockserver.serve(THREE, host="::1").__enter__()
    except MockServerError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with httpx.Client(headers=keys("")) as client:
        answer = client.post(server.url + PATHS["openai-chat"], json=question("openai-chat"))
    server.__exit__(None, None, None)
    assert (answer.status_code, server.url) == (200, f"http://[::1]:{server.port}")


def test_a_server_that_is_not_started_has_no_port() -> None:
    """Asking for its URL says how to start it."""
    with pytest.raises(MockServerError, match="not started: use it in a `with` or `async with` block"):
        _ = mockserver.serve().url


def test_a_port_in_use_is_named() -> None:
    """The error names the port and the way out."""
    with (
        mockserver.serve() as first,
        pytest.raises(MockServerError, match=f"port {first.port} of 127.0.0.1 is in use; choose another, or 0"),
        mockserver.serve(port=first.port),
    ):
        pass


def test_an_address_that_is_not_here_is_named() -> None:
    """The error names host and port."""
    with (
        pytest.raises(MockServerError, match=r"cannot listen on 192\.0\.2\.1 port 0"),
        mockserver.serve(host="192.0.2.1"),
    ):
        pass


class SocketBlockedError(RuntimeError):
    """As pytest-socket's, https://github.com/miketheman/pytest-socket."""


def test_disabled_sockets_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test forbids sockets, the error says that, and how to allow them."""

    class Guarded(socket.socket):
        def __new__(cls, *_: object, **__: object) -> Self:
            raise SocketBlockedError("A test tried to use socket.socket.")

    monkeypatch.setattr(socket, "socket", Guarded)
    with (
        pytest.raises(MockServerError, match=r"sockets are disabled here \(SocketBlockedError\).*`enable_socket`"),
        mockserver.serve(),
    ):
        pass


@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/chat/completions/x"])
def test_a_path_of_no_wire_is_refused(path: str) -> None:
    """A 404 in a provider's words; the journal names method, path and the wires there are."""
    with mockserver.serve(THREE) as server:
        answer = ask(server.url + path, json={})
        [exchange] = server.exchanges
    words = f"no wire answers POST {path} (wires: {', '.join(WIRES)})"
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, f"Invalid URL (POST {path})")
    assert (exchange.refused, exchange.asked, exchange.ended) == (words, None, "refused")


def test_another_method_is_refused() -> None:
    """Wires are spoken with POST."""
    with mockserver.serve(THREE) as server:
        assert httpx.get(server.url + PATHS["openai-chat"]).status_code == 405


def test_a_path_may_have_any_prefix() -> None:
    """Clients put base paths of their own before that of the wire."""
    with mockserver.serve(THREE) as server:
        for wire, path in PATHS.items():
            assert ask(f"{server.url}/a/b{path}?x=1", json=question(wire)).status_code == 200


def test_no_turn_left_is_a_400_that_tells_why() -> None:
    """The near miss stands in the answer and in the journal."""
    turn = Turn(reply=THREE, when=When(model="m-other"))
    with mockserver.serve(turn) as server:
        answer = post(server)
        [exchange] = server.exchanges
    words = "mockserver: no turn of the script answers this request; turn 1: model is 'm-asked', wanted 'm-other'"
    assert (answer.status_code, answer.json()["error"]["message"], exchange.refused) == (400, words, words)
    assert server.errors == []


@pytest.mark.parametrize("script", [(), [], Script([])])
def test_a_server_without_a_script_says_so(script: Any) -> None:
    """No turns is no defect."""
    with mockserver.serve(script) as server:
        assert post(server).json()["error"]["message"] == "mockserver: the script has no turns"


def test_scripts_take_many_forms(tmp_path: Path) -> None:
    """A reply, a turn, a refusal, several of them, a function, a path: all are scripts."""
    file = tmp_path / "script.yaml"
    file.write_text("turns:\n  - reply: hello\n")
    refused = Refused(418, "teapot")
    forms: list[tuple[Any, int]] = [
        (THREE, 200), (Turn(reply=THREE), 200), (refused, 418), ([refused, THREE], 418), (iter([THREE]), 200),
        (Script([Turn(reply=THREE)]), 200), (lambda asked: refused, 418), (file, 200), (str(file), 200),
    ]  # fmt: skip
    for script, status in forms:
        with mockserver.serve(script) as server:
            assert post(server).status_code == status


def test_a_function_answers_each_request_by_what_it_asks() -> None:
    """The function is given the request as understood."""

    def echo(asked: Asked) -> Reply:
        return Reply.of(f"{asked.wire} {asked.model} {asked.stream} {asked.text}")

    with mockserver.serve(echo) as server:
        texts = [post(server, wire, text="Ü", stream=False).text for wire in WIRE_NAMES]
    assert [f"{wire} m-asked False Ü" in text for wire, text in zip(WIRE_NAMES, texts, strict=True)] == [True, True]


@pytest.mark.parametrize("wire", WIRE_NAMES)
def test_a_function_that_raises_is_noted_and_answered(wire: str) -> None:
    """Its exception stands in `errors`; the client gets a 500 with its words, in the provider's shape."""

    def broken(asked: Asked) -> Reply:
        raise KeyError(asked.text)

    with mockserver.serve(broken) as server:
        answer = post(server, wire)
        assert (answer.status_code, answer.json()["error"]["message"]) == (500, "mockserver: KeyError: 'hi'")
        assert [type(error) for error in server.errors] == [KeyError]
        assert (server.exchanges[0].status, server.exchanges[0].refused) == (500, "mockserver: KeyError: 'hi'")


def test_a_function_that_gives_no_answer_is_told() -> None:
    """What is no Reply, Turn or Refused is named."""
    answer: Any = lambda asked: 5  # noqa: E731
    with mockserver.serve(answer) as server:
        assert post(server).json()["error"]["message"].endswith("an answer is a Reply, a Turn or a Refused, not 5")


@pytest.mark.parametrize(
    ("wire", "reply", "words"),
    [
        ("anthropic-messages", Reply.of(Refusal(("no",))), "anthropic-messages has no refusal block"),
        ("openai-chat", Reply.of(ServerToolCall(name="f")), "openai-chat has no place for ServerToolCall"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_the_wire_cannot_carry_is_noted(wire: str, reply: Reply, words: str, *, stream: bool) -> None:
    """It is the script's fault and not the client's: noted in `errors`, and a 500 that tells."""
    with mockserver.serve(reply) as server:
        answer = post(server, wire, stream=stream)
        assert answer.status_code == 500
        assert words in answer.json()["error"]["message"]
        assert [type(error).__name__ for error in server.errors] == ["Unencodable"]


def test_play_begins_anew() -> None:
    """Another script, an empty journal, and the same address and connections."""
    with mockserver.serve(THREE) as server, connection(server) as client:
        client.send()
        client.answer()
        server.play(Refused(418, "teapot"))
        assert not server.exchanges
        client.send()
        assert client.answer().status == 418
        assert [(each.number, each.connection) for each in server.exchanges] == [(1, 1)]
        assert server.peak_requests == 1


def test_ids_and_models_are_filled_in() -> None:
    """A reply that leaves them open gets an id of its own for each request, and the model asked for."""
    with mockserver.serve(Reply.of("a")) as server:
        answers = [post(server, stream=False).json() for _ in range(2)]
    assert [(answer["id"], answer["model"]) for answer in answers] == [
        ("chatcmpl-mock1", "m-asked"),
        ("chatcmpl-mock2", "m-asked"),
    ]


def test_stop_ends_open_streams_within_its_limit() -> None:
    """A stream that a gate holds is ended, as `stopped`, and leaving the block does not hang."""
    gate, left = Gate(), ExitStack()
    with mockserver.serve(Turn(reply=THREE, delivery=Delivery(gates={1: gate}))) as server:
        client = left.enter_context(connection(server))
        client.send()
        assert gate.wait_arrived(timeout=LIMIT)
        started = time.monotonic()
    assert time.monotonic() - started < LIMIT
    with left:
        assert client.answer().ending in ("closed", "reset")
    assert server.exchanges[0].ended == "stopped"
    assert server.errors == []


def test_the_thread_of_a_server_ends_with_it() -> None:
    """No thread is left behind."""
    before = set(threading.enumerate())
    with mockserver.serve(THREE) as server:
        assert fetch(server).ending == "whole"
    assert set(threading.enumerate()) == before
