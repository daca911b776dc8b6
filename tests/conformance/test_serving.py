"""Servers have addresses of their own."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

import mockserver
from conformance.bench import Benches
from conformance.item import items
from conformance.judge import judge
from conformance.serving import serving
from conformance.session import HIDDEN, hidden
from conformance.target import resolve

from ..broken.judging import AS_ITEMS, CLEARED

pytestmark = AS_ITEMS

Again = Callable[[str], None]


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> Again:
    """Has the next server take the port of an address, as the system may of itself."""
    serve = mockserver.serve
    ports: list[int] = []

    def at_port(*args: Any, **settings: Any) -> mockserver.Server:
        return serve(*args, port=ports.pop() if ports else 0, **settings)

    monkeypatch.setattr(mockserver, "serve", at_port)
    return lambda url: ports.append(httpx.URL(url).port or 0)


def test_no_address_is_had_twice(again: Again) -> None:
    """Not while its server runs, nor after it."""
    with serving() as first:
        pass
    again(first.url)
    with serving() as second:
        assert second.url != first.url
        assert httpx.post(f"{second.url}/nowhere").status_code == 404
    again(second.url)
    with serving() as third:
        assert third.url not in (first.url, second.url)


@pytest.fixture
def benches() -> Iterator[Benches]:
    with hidden((*HIDDEN, *CLEARED)), closing(Benches()) as made:
        yield made


def test_no_client_of_an_earlier_server_is_met(benches: Benches, again: Again) -> None:
    """langchain-openai keeps clients by address; those of an earlier event loop cannot be used."""
    [item] = [
        each for each in items(resolve("langchain_openai:ChatOpenAI", {}, {})) if each.name == "STREAM-02-async-plain"
    ]
    first = benches.take()
    assert judge(item, benches).verdict == "passed"
    benches.close()
    again(first.server.url)
    assert judge(item, benches).verdict == "passed"
