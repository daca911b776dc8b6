"""Models in wrappers: how they are found and built, and what cannot be asked of them."""

from typing import Any, Final

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from conformance.bench import Benches
from conformance.build import TargetError, Unsettable
from conformance.item import items
from conformance.judge import judge
from conformance.target import Target, resolve
from mockserver import Refused, Reply, serve

from ..broken.judging import STANZAS

HERE: Final = "tests.conformance.odd_models"
SOUND: Final = "tests.sound.wrapped"


def wrapped(name: str, **given: Any) -> Target:
    return resolve(f"{SOUND}:{name}", given, STANZAS)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("with_tools", "_ChatModelBinding"),
        ("with_retry", "RunnableRetry"),
        ("with_fallbacks", "RunnableWithFallbacks"),
        ("with_fields", "RunnableConfigurableFields"),
        ("parrot", "Parrot"),
    ],
)
def test_a_factory_may_give_a_wrapper(name: str, kind: str) -> None:
    """The model in it is seen where it can be; its wire is found by asking."""
    target = wrapped(name)
    assert target.wrapper
    assert (target.wrapper.kind, target.wire.name) == (kind, "openai-chat")
    assert target.wrapper.has_model == (name != "parrot")
    assert target.model_class.__name__ == ("BaseChatModel" if name == "parrot" else "ReferenceChat")


def test_a_chat_model_has_no_wrapper() -> None:
    """Whatever it inherits from."""
    assert resolve("langchain_openai:ChatOpenAI", {}, {}).wrapper is None


@pytest.mark.parametrize("name", ["bound", "nested"])
def test_a_wrapped_instance_is_aimed_anew(name: str) -> None:
    """Each model in it is built as its class is, and the wrapper around them is as it was."""
    target = resolve(f"{HERE}:{name}", {}, {})
    assert target.model_class is ChatOpenAI
    answers = (Refused(400, "no"), Refused(400, "no"), Reply.of("Hello"))
    with serve(answers[1:] if name == "nested" else answers[2:]) as server:
        assert target.build(server.url).invoke("Hi").content == "Hello"
        asked = server.exchanges[-1].asked
        assert asked
        assert (asked.model, asked.body["user"]) == ("mine", "me")


def test_an_object_cannot_be_aimed() -> None:
    """The error says what can be named instead."""
    with pytest.raises(TargetError) as error:
        resolve(f"{HERE}:parrot", {}, {})
    assert str(error.value) == (
        f"{HERE}:parrot is Parrot, in which no chat model can be seen that could be aimed; "
        "name a factory that gives it, a function that is called with the server's URL"
    )


def test_fields_cannot_be_set_on_a_wrapper() -> None:
    """Where the factory does not take them."""
    with pytest.raises(Unsettable) as error:
        wrapped("with_retry", temperature=0.5)
    assert str(error.value) == (
        f"{SOUND}:with_retry does not take 'temperature', which cannot be set on the RunnableRetry that it gives"
    )


@pytest.mark.parametrize(
    ("name", "item", "reason"),
    [
        ("with_retry", "BLOCKS-01-sync-plain", "with_retry gives RunnableRetry, which has no content-block events"),
        ("with_retry", "TOOL-01-sync", "with_retry has no bind_tools"),
        ("with_retry", "FAULT-01-sync-400", "with_retry gives RunnableRetry, which asks again after an error"),
        ("with_retry", "CALLBACK-04-sync-invoke", "with_retry gives RunnableRetry, which opens a run of its own"),
        (
            "with_fields",
            "EVENTS-02-async-v1",
            "with_fields gives RunnableConfigurableFields, which goes by another name",
        ),
        ("owl", "INVOKE-05-async", "owl gives Owl, which has no ainvoke"),
        ("owl", "REQUEST-02-sync-call", "owl gives Owl, whose invoke takes less"),
        ("parrot", "EVENTS-13-sync", "parrot gives Parrot, which is no Runnable"),
        ("parrot", "SECRET-02-sync", "parrot gives Parrot, which has no is_lc_serializable"),
        ("parrot", "STATE-03-sync-deepcopy", "parrot gives Parrot, which is no model that can be copied"),
    ],
)
def test_what_cannot_be_asked_is_not_applicable(name: str, item: str, reason: str) -> None:
    """With the reason, and never a failure."""
    benches = Benches()
    chosen = next(each for each in items(wrapped(name)) if each.name.startswith(item))
    result = judge(chosen, benches)
    benches.close()
    assert result.verdict == "not applicable"
    assert result.reason.startswith(reason)


def test_the_class_of_an_object_is_not_known() -> None:
    """So that it has no fields of its own to set."""
    assert wrapped("parrot").model_class is BaseChatModel
    assert not wrapped("parrot").has_field("temperature")
