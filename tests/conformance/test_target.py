"""How a model is found by its spec, built, and aimed."""

import sys
from types import ModuleType
from typing import Any, Final

import pytest

from conformance.integrations import KEY, Stanza
from conformance.target import Target, resolve
from mockserver import Reply, serve

from . import models

HERE: Final = "tests.conformance.models"
URL: Final = "http://127.0.0.1:9"


def found(name: str, given: dict[str, Any] | None = None, **stanza: Any) -> Target:
    """The target of a name in `models`, with the user's arguments, and with a stanza where its fields are given."""
    spec = name if ":" in name else f"{HERE}:{name}"
    return resolve(spec, given or {}, {spec: Stanza(**stanza)} if stanza else {})


@pytest.mark.parametrize(
    ("spec", "label", "wire"),
    [
        ("langchain_openai:ChatOpenAI", "ChatOpenAI", "openai-chat"),
        ("langchain_openai.chat_models.base:ChatOpenAI", "ChatOpenAI", "openai-chat"),
        ("langchain_openai:AzureChatOpenAI", "AzureChatOpenAI", "azure-chat"),
        ("langchain_anthropic:ChatAnthropic", "ChatAnthropic", "anthropic-messages"),
        ("Ours", "Ours", "openai-chat"),
        ("Renamed", "Renamed", "openai-chat"),
        ("Shop.model", "Shop.model", "openai-chat"),
        ("warm", "warm", "openai-chat"),
        ("claude", "claude", "anthropic-messages"),
        ("factory", "factory", "openai-chat"),
        ("factory_of_anthropic", "factory_of_anthropic", "anthropic-messages"),
        ("factory_of_ours", "factory_of_ours", "openai-chat"),
    ],
)
def test_models_are_found_aimed_and_asked(spec: str, label: str, wire: str) -> None:
    """Classes (shipped, by any path, inheriting), instances and factories are built, and ask the server."""
    target = found(spec)
    assert (target.label, target.wire.name) == (label, wire)
    with serve(Reply.of("Hello")) as server:
        model = target.build(server.url)
        assert type(model) is target.model_class
        assert "Hello" in str(model.invoke("Hi").content)
        [exchange] = server.exchanges
        assert exchange.asked
        assert (exchange.asked.wire, exchange.asked.text) == (wire, "Hi")


def test_botocore_reads_its_descriptions_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """While models are built sessions of botocore share a loader, and after it each has its own as before."""
    session: Any = ModuleType("botocore.session")
    session.create_loader = create_loader = lambda path: object()
    monkeypatch.setitem(sys.modules, "botocore.session", session)
    target = found("read_by_botocore")
    one, other = target.build(URL), target.build(URL)
    assert one.metadata
    assert one.metadata == other.metadata
    assert session.create_loader is create_loader


def test_each_build_is_a_new_model() -> None:
    """A target can be built again and again, with fields of its own each time."""
    target = found("Ours")
    one, other = target.build(URL), target.build(URL, temperature=0.9)
    assert one is not other
    assert (getattr(one, "temperature", 0), getattr(other, "temperature", 0)) == (None, 0.9)


def test_a_class_is_built_as_its_stanza_says() -> None:
    """The arguments of the stanza, with URL and placeholder filled in."""
    model: Any = found("langchain_openai:ChatOpenAI").build(URL)
    assert (model.openai_api_base, model.model_name, model.stream_usage) == (f"{URL}/v1", "gpt-4o-mini", True)
    assert model.openai_api_key.get_secret_value() == KEY


def test_the_users_stanza_goes_before_the_shipped_one() -> None:
    """For the class that it names, or for one that inherits from it."""
    own = {f"{HERE}:Ours": Stanza(wire="openai-chat", kwargs={"model": "own", "base_url": "{url}/v1", "api_key": "k"})}
    for name in ("Ours", "Renamed"):
        model: Any = resolve(f"{HERE}:{name}", {}, own).build(URL)
        assert model.model_name == "own"


@pytest.mark.parametrize("name", ["model", "model_name"])
def test_arguments_go_over_the_stanzas(name: str) -> None:
    """The user's over the stanza's, a rule's over both, whether by alias or by name of the same field."""
    target = found("Ours", {name: "user's", "temperature": 0.1})
    assert target.extra == {name: "user's", "temperature": 0.1}
    model: Any = target.build(URL)
    assert (model.model_name, model.temperature, model.openai_api_base) == ("user's", 0.1, f"{URL}/v1")
    for other in ("model", "model_name"):
        again: Any = target.build(URL, **{other: "rule's"})
        assert (again.model_name, again.temperature) == ("rule's", 0.1)


def test_an_instance_keeps_its_own_fields() -> None:
    """What was set on it stays; where it asks does not, and what it left open is the stanza's."""
    model: Any = found("warm").build(URL)
    assert model is not models.warm
    assert (model.model_name, model.temperature, model.openai_api_base) == ("mine", 0.3, f"{URL}/v1")
    assert model.stream_usage is True
    assert models.warm.openai_api_base == models.elsewhere


@pytest.mark.parametrize("name", ["model", "model_name"])
def test_arguments_go_over_those_of_an_instance(name: str) -> None:
    """By alias or by name of the same field."""
    model: Any = found("warm", {name: "user's"}).build(URL, temperature=0.9)
    assert (model.model_name, model.temperature) == ("user's", 0.9)


def test_fields_by_name_and_alias_of_an_instance() -> None:
    """ChatAnthropic's fields have other names than its arguments."""
    model: Any = found("claude", {"max_tokens": 5}).build(URL)
    assert (model.model, model.max_tokens, model.anthropic_api_url) == ("mine", 5, URL)
    model = found("claude").build(URL)
    assert (model.max_tokens, model.anthropic_api_url) == (77, URL)


def test_a_factory_is_called_with_url_stanza_and_arguments() -> None:
    """Arguments that it takes are passed on; others are set on the model that it gives."""
    model: Any = found("factory", {"temperature": 0.2}).build(URL, path="/v1/messages")
    assert (model.endpoint, model.temperature, model.path) == (URL, 0.2, "/v1/messages")
    model = found("factory_of_ours", {"temperature": 0.2}, kwargs={"model": "own"}, wire="openai-chat").build(URL)
    assert (model.model_name, model.temperature) == ("own", 0.2)
    model = found("factory_of_ours", {"model": "user's"}).build(URL)
    assert model.model_name == "user's"


def test_a_class_without_a_wire_is_asked() -> None:
    """A stanza need not say what a model speaks."""
    assert found("Speaking", kwargs={"endpoint": "{url}"}).wire.name == "openai-chat"


def test_environment_of_stanza_and_class_is_hidden() -> None:
    """What the stanza hides and what the shipped one of the class hides."""
    hidden = found("Ours", clear_env=("OURS_*",), kwargs={"model": "m", "base_url": "{url}/v1", "api_key": "k"})
    assert set(hidden.stanza.clear_env) == {"OURS_*", "OPENAI_*"}
    assert "OPENAI_*" in found("factory_of_ours").stanza.clear_env


def test_fields_of_a_model() -> None:
    """Whether a rule can set a field."""
    target = found("Renamed")
    assert (target.has_field("region"), target.has_field("place")) == (True, False)


@pytest.mark.parametrize(
    ("name", "wires"),
    [
        ("langchain_openai:ChatOpenAI", {"openai-chat": "openai-chat", "openai-responses": "openai-responses"}),
        ("langchain_openai:AzureChatOpenAI", {"openai-chat": "azure-chat", "openai-responses": "openai-responses"}),
        ("Ours", {"openai-chat": "openai-chat", "openai-responses": "openai-responses"}),
        ("warm", {"openai-chat": "openai-chat", "openai-responses": "openai-responses"}),
        ("factory_of_ours", {"openai-chat": "openai-chat", "openai-responses": "openai-responses"}),
        ("langchain_anthropic:ChatAnthropic", {"anthropic-messages": "anthropic-messages"}),
        ("factory", {"openai-chat": "openai-chat"}),
    ],
)
def test_a_class_speaks_each_of_its_wires(name: str, wires: dict[str, str]) -> None:
    """Classes, instances and factories are built with the arguments that choose the wire."""
    target = found(name)
    assert target.families == wires
    for family, wire in wires.items():
        speaking = target.speaking(family)
        assert speaking.wire.name == wire
        with serve(Reply.of("Hello")) as server:
            assert "Hello" in str(speaking.build(server.url).invoke("Hi").text)
            [exchange] = server.exchanges
        assert exchange.asked
        assert exchange.asked.wire == wire


def test_arguments_go_over_those_that_choose_a_wire() -> None:
    """The user's and a rule's."""
    also = {"openai-responses": {"use_responses_api": True, "temperature": 0.3, "default_headers": {"at": "{url}"}}}
    given = found("Ours", wire="openai-chat", kwargs={"model": "m", "api_key": "k"}, also=also)
    model: Any = given.speaking("openai-responses").build(URL, temperature=0.9)
    assert (model.use_responses_api, model.temperature, model.default_headers) == (True, 0.9, {"at": URL})
    assert given.speaking("openai-chat") is given
