"""Stanzas whose models take more than texts: environment variables, objects, clients that are made late."""

import os
from typing import Any, Final

import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from conformance.build import TargetError
from conformance.integrations import KEY, Stanza, StanzaError, environment, parse
from conformance.target import Target, resolve

from .models import Speaking

HERE: Final = "tests.conformance.test_integrations_aiming"
URL: Final = "http://127.0.0.1:9"
MINE: Final = "CONFORMANCE_TEST_URL"
ENDPOINT: Final = {"import": f"{HERE}:Endpoint", "kwargs": {"url": "{url}/v1", "keys": ["{key}"]}}


class Endpoint:
    """What a model may take in the place of a URL."""

    def __init__(self, url: str, keys: list[str], *, inner: Any = None) -> None:
        self.url, self.keys, self.inner = url, keys, inner


class OfEndpoint(Speaking):
    """Is aimed by an object."""

    endpoint: str = ""
    where: Any = None

    def model_post_init(self, context: Any, /) -> None:
        if self.where is not None:
            self.endpoint = self.where.url


class OfEnvironment(Speaking):
    """Is aimed by an environment variable that it reads when it is first asked."""

    endpoint: str = ""
    late: str = ""

    @property
    def client(self) -> str:
        self.late = self.late or os.environ.get(MINE, "nowhere")
        return self.late


def target(name: str, stanza: Stanza) -> Target:
    spec = f"{HERE}:{name}"
    return resolve(spec, {}, {spec: stanza})


def test_objects_are_made_for_each_model() -> None:
    """Out of their arguments, at any depth, with the URL and the placeholder filled in."""
    inner = {**ENDPOINT, "kwargs": {**ENDPOINT["kwargs"], "inner": ENDPOINT}}  # type: ignore[dict-item]
    found = target("OfEndpoint", Stanza(wire="openai-chat", kwargs={"where": inner}))
    one: Any = found.build(URL)
    other: Any = found.build(URL)
    assert (one.where.url, one.where.keys, one.where.inner.url) == (f"{URL}/v1", [KEY], f"{URL}/v1")
    assert one.where is not other.where


def test_an_object_that_aims_wins_over_an_instances_own() -> None:
    """As a base URL does."""
    kwargs = {"where": ENDPOINT, "temperature": 0.1}
    found = target("instance", Stanza(wire="openai-chat", kwargs=kwargs))
    model: Any = found.build(URL)
    assert (model.where.url, model.temperature) == (f"{URL}/v1", 0.9)


instance: Final = OfEndpoint(where=Endpoint("http://elsewhere", []), temperature=0.9)


def test_variables_are_set_while_the_model_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """And are as before afterwards; `eager` names what reads them late."""
    monkeypatch.setenv(MINE, "as before")
    stanza = Stanza(wire="openai-chat", env={MINE: "{url}/{key}"}, eager=("client",))
    model: Any = target("OfEnvironment", stanza).build(URL)
    assert model.client == f"{URL}/{KEY}"
    assert os.environ[MINE] == "as before"
    monkeypatch.delenv(MINE)
    late: Any = target("OfEnvironment", Stanza(wire="openai-chat", env={MINE: "{url}"})).build(URL)
    assert late.client == "nowhere"
    assert MINE not in os.environ


def made(url: str) -> ChatOpenAI:
    return ChatOpenAI(model="m", api_key=SecretStr("unused"), base_url=os.environ[MINE])


def test_variables_are_set_for_factories_too() -> None:
    """While they are called."""
    model: Any = target("made", Stanza(wire="openai-chat", env={MINE: "{url}/v2"})).build(URL)
    assert model.openai_api_base == f"{URL}/v2"


def test_variables_are_restored_after_an_error() -> None:
    """Of whatever kind."""
    seen: list[str] = []

    def fail() -> None:
        with environment({MINE: "x"}):
            seen.append(os.environ[MINE])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == ["x"]
    assert MINE not in os.environ


def test_variables_that_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those without a URL are set while the module is imported, too: some packages read them then."""
    stanza = Stanza(env={MINE: "{url}", "B": "1", "C": "{key}"})
    assert stanza.lasting == {"B": "1", "C": KEY}
    monkeypatch.setattr("conformance.target._find", lambda spec: ChatOpenAI if os.environ.get(MINE) == "1" else None)
    stanzas = {"shop:Parrot": Stanza(wire="openai-chat", env={MINE: "1"}, kwargs={"model": "m", "api_key": "k"})}
    assert resolve("shop:Parrot", {}, stanzas).label == "Parrot"


@pytest.mark.parametrize(
    ("stanza", "message"),
    [
        ({"env": ["A"]}, "env is a table of environment variables, with strings, not ['A']"),
        ({"env": {"A": 1}}, "env is a table of environment variables, with strings, not {'A': 1}"),
        ({"eager": "client"}, "eager is a list of strings, not 'client'"),
        ({"kwargs": {"a": {"import": 1}}}, "import names package.module:Name, not 1"),
        ({"kwargs": {"a": [{"import": "shop"}]}}, "import names package.module:Name, not 'shop'"),
        (
            {"kwargs": {"a": {"import": "a:B", "kwargs": 1}}},
            "beside import stands kwargs, a table of arguments, and no more; not {'import': 'a:B', 'kwargs': 1}",
        ),
        (
            {"kwargs": {"a": {"import": "a:B", "args": {}}}},
            "beside import stands kwargs, a table of arguments, and no more; not {'import': 'a:B', 'args': {}}",
        ),
        (
            {"also": {"openai-responses": {"kwargs": {"a": {"import": ""}}}}},
            "import names package.module:Name, not ''",
        ),
    ],
)
def test_bad_stanzas_are_told(stanza: dict[str, Any], message: str) -> None:
    """When they are read, and not when the model is built."""
    with pytest.raises(StanzaError) as error:
        parse(stanza, "here")
    assert str(error.value) == f"here: {message}"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no_such_shop:Parrot", "ModuleNotFoundError: No module named 'no_such_shop'"),
        (f"{HERE}:Nobody", f"AttributeError: module '{HERE}' has no attribute 'Nobody'"),
        (
            f"{HERE}:Endpoint",
            "TypeError: Endpoint.__init__() missing 2 required positional arguments: 'url' and 'keys'",
        ),
    ],
)
def test_an_object_that_cannot_be_made_is_told(name: str, reason: str) -> None:
    """With what is wrong about it."""
    with pytest.raises(TargetError) as error:
        target("OfEndpoint", Stanza(wire="openai-chat", kwargs={"where": {"import": name}}))
    told = f"{HERE}:OfEndpoint cannot be built: {name} in a stanza cannot be made: {reason}"
    assert str(error.value) == told
