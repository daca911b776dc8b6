"""How a class that no stanza knows is built, and what is said of one that cannot be."""

import tomllib
from collections.abc import Iterator
from typing import Any, Final

import pytest

from conformance.build import TargetError
from conformance.integrations import KEY, parse
from conformance.loopback import Guard
from conformance.target import Target, resolve
from mockserver import Reply, serve

from .plugin_runs import run

HERE: Final = "tests.conformance.odd_models"


@pytest.fixture(autouse=True)
def guard() -> Iterator[Guard]:
    """What a wrong guess asks for does not leave."""
    made = Guard()
    made.start()
    with made.within("a guess"):
        yield made
    made.stop()


def found(name: str, **given: Any) -> Target:
    return resolve(f"{HERE}:{name}", given, {})


@pytest.mark.parametrize(
    ("name", "wire", "kwargs"),
    [
        ("AddsTheVersion", "openai-chat", {"secret": "{key}", "api_url": "{url}"}),
        (
            "TakesTheVersion",
            "openai-chat",
            {"model_id": "some-model", "key_of_mine": "{key}", "endpoint": "{url}/v1"},
        ),
        ("TakesAll", "anthropic-messages", {"address": "{url}/v1/messages"}),
        ("AddsTwoVersions", "anthropic-messages", {"base_url": "{url}"}),
        ("Inheriting", "openai-chat", {"api_key": "{key}", "stream_usage": True, "base_url": "{url}/v1"}),
    ],
)
def test_a_class_is_built_by_its_fields(guard: Guard, name: str, wire: str, kwargs: dict[str, Any]) -> None:
    """The guess is a stanza, which is shown as it can be pasted; wrong ones before it are not told as attempts."""
    target = found(name)
    pinned = tomllib.loads(target.guessed)["tool"]["conformance"]["models"][f"{HERE}:{name}"]
    assert (target.stanza.kwargs, target.wire.name) == (kwargs, wire)
    assert (parse(pinned, "here").kwargs, pinned["wire"]) == (kwargs, wire)
    with serve(Reply.of("Hello")) as server:
        assert "Hello" in str(target.build(server.url).invoke("Hi").content)
    assert guard.attempts == []


def test_the_header_shows_the_guess(folder: pytest.Pytester) -> None:
    """As a stanza that can be pasted."""
    result = run(folder, f"--chat-model={HERE}:Inheriting", "-k", "INVOKE-05-sync")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "how it is built was guessed; to pin it, write into pyproject.toml:",
            f'[[]tool.conformance.models."{HERE}:Inheriting"[]]',
            'wire = "openai-chat"',
            'kwargs = { api_key = "{key}", stream_usage = true, base_url = "{url}/v1" }',
        ]
    )


def test_keys_are_placeholders() -> None:
    """As in stanzas."""
    model: Any = found("AddsTheVersion").build("http://127.0.0.1:9")
    assert model.secret.get_secret_value() == KEY


@pytest.mark.parametrize(
    ("name", "tried"),
    [
        ("AsksItsProvider", "it asks provider.example:443, from tests/conformance/odd_models.py:"),
        ("AsksAtNoKnownPath", "it asks POST /parrots, which is none of the wires"),
        ("HasNoUrl", "none of its fields is called as a URL usually is"),
    ],
)
def test_what_cannot_be_guessed_is_told(guard: Guard, name: str, tried: str) -> None:
    """With what came of the first guess, and the stanza to write; nothing left."""
    with pytest.raises(TargetError) as error:
        found(name)
    told = f"{HERE}:{name}: no stanza says how {name} is aimed at a local server, and its fields do not tell ({tried}"
    assert str(error.value).startswith(told)
    assert f'[tool.conformance.models."{HERE}:{name}"]' in str(error.value)
    assert guard.attempts == []
