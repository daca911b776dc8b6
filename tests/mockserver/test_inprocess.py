"""Cassettes in the client's process: clients of each library, with our own server as the provider."""

import gc
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import boto3
import botocore.config
import httpx
import httpx2
import pytest
import requests
from vcr.errors import CannotOverwriteExistingCassetteException

import mockserver
from mockserver import WIRES, MockServerError, Reply, Server
from mockserver.cassettes.inprocess import cassette, playing
from mockserver.cassettes.interaction import Arrival, dump, is_cassette, read, write
from mockserver.frames import join

from .helpers import PATHS, THREE, question
from .test_cassette import recorded

# vcrpy leaves the connections of botocore that it stands in front of for the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

KEY: Final = "sk-proj-abcdefghijklmnop1234"
CHAT: Final = PATHS["openai-chat"]
HEADERS: Final = {"authorization": f"Bearer {KEY}"}


async def by_httpx(url: str, **asked: Any) -> bytes:
    return _httpx(url, **asked)


def _httpx(url: str, **asked: Any) -> bytes:
    return httpx.post(url + CHAT, json=question("openai-chat", **asked), headers=HEADERS).content


async def by_httpx_async(url: str, **asked: Any) -> bytes:
    async with httpx.AsyncClient() as client:
        return (await client.post(url + CHAT, json=question("openai-chat", **asked), headers=HEADERS)).content


async def by_httpx2(url: str, **asked: Any) -> bytes:
    return bytes(httpx2.post(url + CHAT, json=question("openai-chat", **asked), headers=HEADERS).content)


async def by_requests(url: str, **asked: Any) -> bytes:
    return _requests(url, **asked)


def _requests(url: str, **asked: Any) -> bytes:
    return requests.post(url + CHAT, json=question("openai-chat", **asked), headers=HEADERS, timeout=10).content


async def by_aiohttp(url: str, **asked: Any) -> bytes:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url + CHAT, json=question("openai-chat", **asked), headers=HEADERS) as answer,
    ):
        return await answer.read()


async def by_boto(url: str, text: str = "hi") -> bytes:
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key=KEY,
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    asked = {"modelId": "m-1", "messages": [{"role": "user", "content": [{"text": text}]}]}
    stream = client.converse_stream(**asked)["stream"]
    events = list(stream)
    stream.close()
    client.close()
    del client, stream
    gc.collect()
    return "".join(event.get("contentBlockDelta", {}).get("delta", {}).get("text", "") for event in events).encode()


CLIENTS: Final = (by_httpx, by_httpx_async, by_httpx2, by_requests, by_aiohttp, by_boto)


@pytest.fixture
def server() -> Iterator[Server]:
    with mockserver.serve(THREE) as running:
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.yaml"


@pytest.mark.parametrize("ask", CLIENTS, ids=lambda ask: ask.__name__)
async def test_each_client_is_recorded_and_played(server: Server, file: Path, ask: Callable[..., Any]) -> None:
    """The second time nothing is sent and the answer is the same; the file holds no key; what is lost is told once."""
    told: list[str] = []
    with cassette(file, tell=told.append) as passage:
        first = await ask(server.url)
    assert (passage.recorded, passage.played, passage.unused, len(server.exchanges)) == (1, 0, (), 1)
    with cassette(file, tell=told.append) as passage:
        assert await ask(server.url) == first
    assert (passage.recorded, passage.played, passage.unused, len(server.exchanges)) == (0, 1, (), 1)
    assert told == [
        f"{file}: answers 1 recorded through vcrpy: when and in which parts they arrived is lost",
        f"{file}: answers 1 played through vcrpy, whole and at once: their cuts are lost",
    ]
    [found] = read(file)
    text = dump([found])
    assert KEY not in text
    assert "AKIA" not in text
    assert not found.is_timed
    server.play(file)
    assert await ask(server.url) == first


async def test_a_request_is_found_by_what_it_asks(server: Server, file: Path) -> None:
    """Another text is another request, which is recorded, or fails where that is not allowed."""
    with cassette(file, tell=print):
        await by_httpx(server.url, text=f"my key is {KEY}")
    server.play(Reply.of("other"))
    with cassette(file, record="new_episodes", tell=print) as passage:
        assert b"moon" in await by_httpx(server.url, text=f"my key is {KEY}")
        assert b"other" in await by_httpx(server.url, text="else")
    assert (passage.recorded, passage.played, len(read(file))) == (1, 1, 2)
    with (
        cassette(file, record="none", tell=print),
        pytest.raises(Exception, match=r"No match for the request|Can't play back this request"),
    ):
        await by_httpx(server.url, text="neither")
    assert len(server.exchanges) == 1


async def test_everything_is_recorded_anew(server: Server, file: Path) -> None:
    """In the place of what the file had of the same request; others stay."""
    with cassette(file, tell=print):
        await by_httpx(server.url, text="a")
        await by_httpx(server.url, text="b")
    server.play(Reply.of("anew"))
    with cassette(file, record="all", tell=print) as passage:
        await by_httpx(server.url, text="a")
    assert (passage.recorded, passage.played) == (1, 0)
    assert [b"anew" in found.body for found in read(file)] == [True, False]


async def test_arrivals_of_the_file_stay_and_are_told(server: Server, file: Path) -> None:
    """A cassette of the recorder's is played at once; what is added leaves what it knows as it was."""
    known = recorded(uri=server.url + CHAT)
    parts = (Arrival(at=0.1, size=9), Arrival(at=0.2, size=len(known.body) - 9))
    timed = type(known)(**{**{name: getattr(known, name) for name in known.__dataclass_fields__}, "arrivals": parts})
    write(file, dump([timed]))
    told: list[str] = []
    with cassette(file, record="new_episodes", tell=told.append) as passage:
        assert await by_httpx(server.url) == join(WIRES["openai-chat"].frames(THREE))
        await by_httpx(server.url, text="more")
    assert passage.lost == told[0]
    assert "1 played through vcrpy, whole and at once: recorded arrivals, cuts and endings are lost" in told[0]
    assert [found.arrivals for found in read(file)] == [parts, None]


async def test_an_answer_with_a_key_is_left_out(server: Server, file: Path) -> None:
    """It is told; own patterns count."""
    server.play(Reply.of(*"the passw0rd"))
    with cassette(file, redact=["passw[0o]rd"], tell=print) as passage:
        await by_httpx(server.url)
    assert passage.recorded == 0
    assert not is_cassette(file)
    assert passage.left_out == (f"POST {CHAT} (it would hold a key: the pattern passw[0o]rd)",)
    assert "answers 1 left out: POST" in passage.lost


async def test_what_was_not_asked_for_is_known(file: Path) -> None:
    """The requests of the file that were not made; nothing is told where nothing happened."""
    write(file, dump([recorded()]))
    told: list[str] = []
    with cassette(file, tell=told.append) as passage:
        pass
    assert (passage.unused, passage.lost, told) == ((f"POST https://api.example.com{CHAT}",), "", [])


async def test_it_is_told_on_the_error_output(server: Server, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless it is told elsewhere; after an error of the test too."""

    async def fails() -> None:
        with cassette(file):
            await by_httpx(server.url)
            raise RuntimeError("the test's own")

    with pytest.raises(RuntimeError, match="the test's own"):
        await fails()
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "1 recorded through vcrpy" in err


async def test_a_file_that_cannot_be_written_is_told(server: Server, tmp_path: Path) -> None:
    """And the clients are as they were before."""
    write(tmp_path / "file", "")
    with pytest.raises(MockServerError, match=r"a\.yaml: "), cassette(tmp_path / "file" / "a.yaml"):
        await by_httpx(server.url)
    await by_httpx(server.url)
    assert len(server.exchanges) == 2


def test_bad_input_is_told(file: Path) -> None:
    """A way of recording that there is not, and a file that is none; nothing is put in the place of the clients."""
    with (
        pytest.raises(MockServerError, match="record is one of once, new_episodes, none, all, not 'never'"),
        cassette(file, record="never"),  # type: ignore[arg-type]
    ):
        pass
    file.write_text("interactions: [\n")
    with pytest.raises(MockServerError, match=re.escape(f"{file}, line 2: ")), cassette(file):
        pass


@pytest.mark.parametrize("ask", CLIENTS[:-1], ids=lambda ask: ask.__name__)
async def test_one_answer_is_played_whatever_the_host(ask: Callable[..., Any]) -> None:
    """Again and again, and each request is told once."""
    answer = recorded(stream=False)
    with playing(answer, takes=lambda request: request.method == "POST") as heard:
        assert [await ask("https://provider.example") for _ in range(2)] == [answer.body, answer.body]
    assert [(each.method, each.uri) for each in heard.answered] == [("POST", f"https://provider.example{CHAT}")]
    assert not heard.left


def test_what_is_not_taken_fails() -> None:
    """It is told; calls beside have answers of their own."""
    with playing(None, takes=lambda request: False, asides={"GET /v1/models": {"data": []}}) as heard:
        assert requests.get("https://provider.example/hosted/v1/models", timeout=10).json() == {"data": []}
        with pytest.raises(CannotOverwriteExistingCassetteException):
            requests.get("https://provider.example/hosted/v1/files", timeout=10)
    assert heard.left == ["GET https://provider.example/hosted/v1/files"]
    assert not heard.answered
