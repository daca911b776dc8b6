"""The admin path, from plain HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import mockserver
from mockserver import Refused, Server

from .helpers import LIMIT, PATHS, THREE, WIRE_NAMES, Connection, ask, connection, question

CHAT = PATHS["openai-chat"]
SCRIPT = """
turns:
- reply: [text: [Hel, lo]]
  delivery: {gates: {1: half-way}}
  times: 1
- reply: Bye
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with mockserver.serve(THREE) as running:
        yield running


@pytest.fixture
def admin(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/__admin", timeout=LIMIT, verify=False) as client:
        yield client


@pytest.fixture
def held(server: Server, admin: httpx.Client) -> Iterator[Connection]:
    """A client whose stream is held at the gate half-way."""
    admin.put("/script", content=SCRIPT)
    with connection(server) as client:
        client.send()
        assert admin.get("/wait", params={"arrived": "half-way"}).json()["holds"]
        yield client


def said(url: str, **more: Any) -> str:
    text: str = ask(url + CHAT, json=question("openai-chat", stream=False, **more)).json()["choices"][0]["message"][
        "content"
    ]
    return text


@pytest.mark.parametrize("text", [SCRIPT, json.dumps({"turns": [{"reply": "Bye"}]}), "turns: [reply: Bye]"])
def test_a_script_is_put(server: Server, admin: httpx.Client, text: str) -> None:
    """YAML or JSON; the server answers by it from then on, with an empty journal."""
    said(server.url)
    answer = admin.put("/script", content=text)
    assert (answer.status_code, answer.json()["url"]) == (200, server.url)
    assert admin.get("/requests").json() == {"requests": []}
    assert len(admin.get("/script").json()["turns"]) == answer.json()["turns"]
    if "half-way" in text:
        assert answer.json()["gates"] == ["half-way"]
    else:
        assert said(server.url) == "Bye"


def test_a_script_that_is_wrong_is_a_400(server: Server, admin: httpx.Client) -> None:
    """Each fault with line, key and what is to be changed; the script before it stays."""
    answer = admin.put("/script", content="turns:\n- repyl: hi\n- reply: {text: [a, 5]}\n")
    assert answer.status_code == 400
    assert answer.json()["faults"] == [
        {"line": 2, "key": "turns", "message": "unknown key 'repyl'; did you mean 'reply'?"},
        {"line": 3, "key": "text", "message": "a string that is not empty is wanted here, not 5"},
    ]
    assert answer.json()["error"].startswith("script, line 2, turns: unknown key")
    assert said(server.url) == THREE.text


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff", "UTF-8"), (b"", "is empty"), (b"interactions: []\nversion: 1\n", "'interactions' is a list")],
)
def test_what_is_no_script_is_a_400(admin: httpx.Client, content: bytes, words: str) -> None:
    """Bytes that are no text, nothing at all, and a cassette without interactions."""
    answer = admin.put("/script", content=content)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_the_script_says_how_far_it_is(server: Server, admin: httpx.Client) -> None:
    """What each turn answers with, and how many requests it has answered."""
    admin.put("/script", content="turns: [{reply: a, times: 2}, {reply: b}]\nloop: true\ndefault: {reply: c}\n")
    said(server.url)
    assert admin.get("/script").json() == {
        "turns": [
            {"turn": "text in 1 piece, finish, usage", "times": 2, "answered": 1},
            {"turn": "text in 1 piece, finish, usage", "times": None, "answered": 0},
        ],
        "loop": True,
        "default": "text in 1 piece, finish, usage",
    }


def test_requests_are_the_journal(server: Server, admin: httpx.Client) -> None:
    """What was asked, as sent and as understood; what was planned and written, when, and who ended it."""
    before = time.time()
    body = question("openai-chat", text="Ü", tools=[{"type": "function", "function": {"name": "f"}}], stop=["x"])
    ask(f"{server.url}{CHAT}?a=1", json=body, headers={"x-team": "blue"})
    assert server.until_ended(timeout=LIMIT)
    [told] = admin.get("/requests").json()["requests"]
    exchange = server.exchanges[0]
    assert (told["number"], told["connection"], told["method"], told["path"]) == (1, 1, "POST", f"{CHAT}?a=1")
    assert (told["status"], told["wire"], told["ended"], told["open"]) == (200, "openai-chat", "finished", False)
    assert (told["json"], json.loads(told["body"])) == (body, body)
    assert ["x-team", "blue"] in told["headers"]
    assert told["asked"] == {
        "model": "m-asked",
        "stream": True,
        "stream_usage": True,
        "text": "Ü",
        "messages": [{"role": "user", "text": "Ü", "tool_calls": [], "tool_results": [], "attached": []}],
        "tools": ["f"],
        "stop": ["x"],
    }
    assert told["frames"] == {"planned": len(exchange.frames), "written": len(exchange.frames)}
    assert [write["size"] for write in told["writes"]] == [write.size for write in exchange.writes]
    times = [before, told["at"], *(write["at"] for write in told["writes"]), told["ended_at"], time.time()]
    assert times == sorted(times)
    assert (told["refused"], told["refused_at"], told["aside"]) == (None, None, False)
    assert (told["turn"], told["told"]) == (exchange.turn and exchange.turn.describe(), exchange.describe())
    assert admin.get("/requests/1").json() == told


def test_a_refused_request_says_where(server: Server, admin: httpx.Client) -> None:
    """The reason stands in the journal; a body that is no JSON has none."""
    ask(f"{server.url}{CHAT}", content=b"{")
    told = admin.get("/requests/1").json()
    assert (told["status"], told["ended"], told["json"], told["asked"], told["wire"]) == (
        400,
        "refused",
        None,
        None,
        None,
    )
    assert told["refused"] == server.exchanges[0].refused


def test_a_gate_is_opened_by_name(admin: httpx.Client, held: Connection) -> None:
    """The stream is open until then; its bytes so far are in the journal."""
    told = admin.get("/requests/1").json()
    assert (told["open"], told["ended"], told["frames"]["written"]) == (True, None, 2)
    assert admin.get("/gates").json() == {"gates": [{"name": "half-way", "open": False, "arrived": 1}]}
    assert admin.post("/gates/half-way").json() == {"name": "half-way", "open": True, "arrived": 1}
    assert held.answer().ending == "whole"
    assert admin.get("/wait", params={"ended": "1"}).json()["holds"]


def test_reset_empties_the_journal_and_begins_the_script_anew(admin: httpx.Client, held: Connection) -> None:
    """The first turn answers again, and its gate is closed."""
    admin.post("/gates/half-way")
    assert held.answer().ending == "whole"
    assert admin.post("/reset").json()["requests"] == 0
    assert admin.get("/requests").json() == {"requests": []}
    assert admin.get("/gates").json()["gates"] == [{"name": "half-way", "open": False, "arrived": 0}]
    held.send()
    assert admin.get("/wait", params={"arrived": "half-way:1", "requests": "1"}).json()["holds"]


def test_waiting_for_a_client_that_hangs_up(admin: httpx.Client, held: Connection) -> None:
    """It says so as soon as the connection is closed, and how it stands where time is up."""
    started = time.monotonic()
    still = admin.get("/wait", params={"closed": "1", "timeout": "0"}).json()
    assert still == {"holds": False, "requests": 1, "open": 1, "ended": 0, "closed": 0, "connections": 1}
    held.close()
    gone = admin.get("/wait", params={"closed": "1", "open": "0", "connections": "0", "timeout": "10"}).json()
    assert gone == {"holds": True, "requests": 1, "open": 0, "ended": 1, "closed": 1, "connections": 0}
    assert time.monotonic() - started < LIMIT


def test_waiting_has_a_limit(admin: httpx.Client) -> None:
    """Nothing comes: the answer does, once the time is up."""
    started = time.monotonic()
    assert not admin.get("/wait", params={"requests": "1", "timeout": "0.05"}).json()["holds"]
    assert 0.05 <= time.monotonic() - started < LIMIT


def test_waiting_does_not_hold_up_others(server: Server, admin: httpx.Client) -> None:
    """Requests are answered while a call waits for them."""
    got: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: got.append(admin.get("/wait", params={"ended": "2"}).json()))
    waiting.start()
    for _ in range(2):
        said(server.url)
    waiting.join(LIMIT)
    assert got[0]["holds"]


def test_connections_are_counted(server: Server, admin: httpx.Client) -> None:
    """Those of requests, not those of the admin path."""
    with connection(server) as client:
        for _ in range(2):
            client.send()
            assert client.answer().ending == "whole"
        assert admin.get("/connections").json() == {"open": 1, "peak": 1, "made": 1, "reused": 1}


@pytest.mark.parametrize("wire", WIRE_NAMES)
def test_calls_stand_in_no_journal_and_match_no_turn(server: Server, admin: httpx.Client, wire: str) -> None:
    """A script that answers everything with an error does not touch the admin path."""
    server.play(Refused(418, "teapot"))
    for path in ("", "/script", "/requests", "/gates", "/connections"):
        assert admin.get(path).status_code == 200
    assert server.journal.count == 0
    assert server.connections.made == 0


def test_a_space_for_each_test(server: Server) -> None:
    """Put a script and the space is there, with a base URL of its own; two of them at once; removed, it is gone."""
    with httpx.Client(base_url=server.url, timeout=LIMIT, verify=False) as client:
        made = [client.put(f"/t/{name}/__admin/script", content=f"turns: [reply: {name}]") for name in ("a", "b")]
        urls = [each.json()["url"] for each in made]
        assert urls == [f"{server.url}/t/a", f"{server.url}/t/b"]
        assert [said(url) for url in (*urls, urls[0])] == ["a", "b", "a"]
        counts = [len(client.get(f"{url}/__admin/requests").json()["requests"]) for url in (*urls, server.url)]
        assert counts == [2, 1, 0]
        assert client.get("/__admin").json()["spaces"] == urls
        assert client.post("/t/a/__admin/reset").json()["requests"] == 0
        assert client.get("/t/b/__admin/").json()["requests"] == 1
        assert client.delete("/t/a/__admin").json() == {"removed": "a"}
        assert client.get("/t/a/__admin").status_code == 404
        assert client.get("/__admin").json()["spaces"] == urls[1:]
        assert said(urls[1]) == "b"


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/__admin/nothing", 404, "there is no /__admin/nothing; there are GET /__admin, DELETE /__admin, PUT"),
        ("GET", "/__admin/requests/7", 404, "there is no request 7; there are 0"),
        ("POST", "/__admin/gates/g", 404, "the script has no gate 'g'; it has none with a name"),
        ("GET", "/__admin/gates/g", 405, "/__admin/gates/g takes POST, not GET"),
        ("POST", "/__admin/script", 405, "/__admin/script takes PUT, GET, not POST"),
        ("DELETE", "/__admin", 400, "only a space: DELETE /t/NAME/__admin"),
        ("DELETE", "/t/x/__admin", 404, "there is no space 'x'; PUT /t/x/__admin/script makes it"),
        ("GET", "/t/x/__admin/requests", 404, "there is no space 'x'"),
        ("PUT", "/t/a%20b/__admin/script", 400, "the name of a space is made of letters"),
        ("GET", "/__admin/wait", 400, "say what to wait for: requests, ended, closed, open, connections, arrived"),
        ("GET", "/__admin/wait?endet=1", 400, "one cannot wait for 'endet', but for requests"),
        ("GET", "/__admin/wait?ended=x", 400, "ended is a number from 0, not 'x'"),
        ("GET", "/__admin/wait?ended=1&timeout=-1", 400, "timeout is a number from 0, not '-1'"),
        ("GET", "/__admin/wait?ended=1&timeout=nan", 400, "timeout is a number from 0, not 'nan'"),
    ],
)
def test_calls_that_are_not_right_are_told(server: Server, method: str, path: str, status: int, words: str) -> None:
    """An `error` that says what to change; nothing of it is in the journal."""
    answer = httpx.request(method, server.url + path, content=b"turns: [reply: a]", verify=False)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert server.journal.count == 0
