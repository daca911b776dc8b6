"""What the official SDKs of OpenAI and Anthropic read of every legal delivery, and which errors they raise."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache
from typing import Any, Final

import anthropic
import openai
import pytest

import mockserver
from mockserver import Delivery, Fault, Insert, Pace, Reply, Server, Turn
from mockserver.sending.delivery import TRANSFERS, Byte, Edit, Random
from mockserver.sending.framing import Framing

from .helpers import LIMIT

REPLY: Final = Reply.of("Gr\u00fc\u00df ", "dich, \u2028", "\U0001f420, [1]!")
PIECES: Final = tuple(REPLY.pieces)
FRAMINGS: Final = [
    *(Framing(line_ends=each) for each in ("crlf", "cr", "mixed")),
    *(Framing(comments=each) for each in ("between", "inside", "everywhere")),
    Framing(bom=True),
    Framing(ids=True, retry=10),
    Framing(unknown=("trace: 1", "x")),
    Framing(split=True),
    Framing(blank_lines=3),
    Framing(space=False),
    Framing(data_first=True),
    Framing(line_ends="crlf", split=True, comments="inside", ids=True, space=False, data_first=True),
]
DELIVERIES: Final = [
    *(Delivery(framing=framing) for framing in FRAMINGS),
    *(Delivery(cuts=cuts) for cuts in ("whole", "characters", 1, 7, (1, 50, 51), Random(3, 20))),
    Delivery(cuts="crlf", framing=Framing(line_ends="crlf")),
    Delivery(cuts=1, framing=Framing(line_ends="mixed", split=True)),
    *(Delivery(transfer=transfer) for transfer in ("content-length", "close")),
    *(Delivery(transfer=transfer, gzip=True) for transfer in TRANSFERS),
    Delivery(cuts=5, gzip=True, framing=Framing(line_ends="cr")),
    Delivery(pace=Pace(head=0.01, first=0.01, every=0.002, jitter=0.5)),
]


def brief(value: object) -> str | None:
    """What of a delivery or framing is not as it is without being said."""
    if not isinstance(value, Delivery | Framing):
        return None
    said = {each.name: getattr(value, each.name) for each in fields(value)}
    plain = type(value)()
    return ", ".join(f"{name}={brief(each) or each}" for name, each in said.items() if each != getattr(plain, name))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__


def ask_openai(server: Server, *, timeout: float = LIMIT) -> str:
    client = openai_client(server.url).with_options(timeout=timeout)
    messages: Any = [{"role": "user", "content": "hi"}]
    with client.chat.completions.create(model="m", messages=messages, stream=True) as stream:
        return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices or ())


def ask_anthropic(server: Server, *, timeout: float = LIMIT) -> str:
    client = anthropic_client(server.url).with_options(timeout=timeout)
    messages: Any = [{"role": "user", "content": "hi"}]
    with client.messages.stream(model="m", max_tokens=9, messages=messages) as stream:
        return "".join(stream.text_stream)


@cache
def openai_client(url: str) -> openai.OpenAI:
    """One for all tests, since certificates take long to load."""
    return openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)


@cache
def anthropic_client(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key="k", max_retries=0)


ASK: Final[dict[str, Callable[..., str]]] = {"openai": ask_openai, "anthropic": ask_anthropic}
SDKS: Final = pytest.mark.parametrize("sdk", ASK)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running
        assert running.errors == []
        openai_client(running.url).close()
        anthropic_client(running.url).close()


@SDKS
@pytest.mark.parametrize("delivery", DELIVERIES, ids=brief)
def test_every_legal_delivery_is_read_alike(server: Server, sdk: str, delivery: Delivery) -> None:
    """Cuts, framings, transfers, compression and pace change nothing of the text."""
    server.play(Turn(reply=REPLY, delivery=delivery))
    assert ASK[sdk](server) == REPLY.text


@pytest.mark.parametrize(
    "framing",
    [Framing(dataless=True), Framing(ids=True, comments="between")],
    ids=brief,
)
def test_forms_that_only_one_of_them_reads(server: Server, framing: Framing) -> None:
    """By WHATWG HTML, 9.2.6, a block without data is no event; openai-python makes one of it (`SSEDecoder.decode`)."""
    server.play(Turn(reply=REPLY, delivery=Delivery(framing=framing)))
    assert ask_anthropic(server) == REPLY.text
    with pytest.raises(json.JSONDecodeError):
        ask_openai(server)


@SDKS
@pytest.mark.parametrize(
    ("delivery", "raised", "words"),
    [
        (Delivery(fault=Fault("close", 1)), "TransportError", "incomplete chunked read"),
        (Delivery(fault=Fault("cut", 1)), "TransportError", "incomplete chunked read"),
        (Delivery(fault=Fault("close", Byte(40))), "TransportError", "incomplete chunked read"),
        (Delivery(fault=Fault("close", 1), transfer="content-length"), "TransportError", "without sending complete"),
        (Delivery(fault=Fault("reset", 1)), "TransportError", "reset by peer"),
        (Delivery(fault=Fault("reset", "head")), "APIConnectionError", "Connection error"),
        (Delivery(fault=Fault("close", "head")), "APIConnectionError", "Connection error"),
        (Delivery(fault=Fault("stall", 1)), "ReadTimeout", "timed out"),
        (Delivery(fault=Fault("stall", "head")), "APITimeoutError", "timed out"),
        (Delivery(fault=Fault("error", 1, "out of fish")), "APIError", "out of fish"),
        (Delivery(fault=Fault("error", "head", "out of fish", 503)), "InternalServerError", "out of fish"),
        (Delivery(fault=Fault("html", "head", "Bad Gateway")), "InternalServerError", "502|Bad Gateway"),
        (Delivery(edits=(Edit("malform", 1),)), "JSONDecodeError", "char"),
        (Delivery(edits=(Edit("truncate", 1),)), "JSONDecodeError", "char"),
    ],
    ids=brief,
)
def test_each_fault_raises_the_right_error(
    server: Server, sdk: str, delivery: Delivery, raised: str, words: str
) -> None:
    """Broken connections, timeouts, errors of the provider and JSON that is none are told apart.

    Errors go by the names of their classes, with those that they were raised from: the one uses httpx and raises errors
    of its own in their place, the other httpx2 as it is.
    """
    server.play(Turn(reply=REPLY, delivery=delivery))
    timeout = 0.3 if delivery.fault and delivery.fault.kind == "stall" else LIMIT
    with pytest.raises(Exception, match=r".") as caught:
        ASK[sdk](server, timeout=timeout)
    chain = list(causes(caught.value))
    assert raised in {kind.__name__ for each in chain for kind in type(each).__mro__}
    assert re.search(words, " ".join(map(str, chain)))


@SDKS
@pytest.mark.parametrize(
    "delivery",
    [
        Delivery(edits=(Edit("unknown", 1),)),
        Delivery(edits=(Edit("drop", "end"),)),
        Delivery(insert=(Insert("close", ("\x00 trailing",)),)),
        Delivery(headers={"content-type": "text/plain"}),
    ],
    ids=brief,
)
def test_what_these_clients_bear(server: Server, sdk: str, delivery: Delivery) -> None:
    """Their text is whole though the stream is not as it should be."""
    server.play(Turn(reply=REPLY, delivery=delivery))
    assert ASK[sdk](server) == REPLY.text


@SDKS
@pytest.mark.parametrize(
    ("delivery", "expected"),
    [
        (Delivery(fault=Fault("stop", 2)), PIECES[0] + PIECES[1]),
        (Delivery(edits=(Edit("drop", 1),)), PIECES[0] + PIECES[2]),
        (Delivery(edits=(Edit("repeat", 0),)), PIECES[0] + REPLY.text),
        (Delivery(edits=(Edit("swap", 0),)), PIECES[1] + PIECES[0] + PIECES[2]),
    ],
    ids=brief,
)
def test_what_clients_cannot_see(server: Server, sdk: str, delivery: Delivery, expected: str) -> None:
    """Text that is missing, doubled or out of order arrives so."""
    server.play(Turn(reply=REPLY, delivery=delivery))
    assert ASK[sdk](server) == expected
