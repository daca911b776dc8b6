"""What is said of a model that cannot be used."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from conformance.build import TargetError
from conformance.integrations import Stanza, parse
from conformance.target import resolve
from mockserver import WIRES

from .test_target import HERE, found

INSTALL = "; is its package installed here? (pip install {})"
NOT_TAKEN = "is called with the server's URL, and does not take it"
NOT_ASKED = "it sends no request to the URL that it is called with"
NO_URL = "; for a host that nothing changes there is `in_process` (docs/integrations.md#in_process)"


def refused(name: str, given: dict[str, Any] | None = None, **stanza: Any) -> str:
    """What is said of a name in `models`, without the name of their module."""
    with pytest.raises(TargetError) as error:
        found(name, given, **stanza)
    return str(error.value).replace(f"{HERE}:", "")


def shown(text: str, name: str) -> Stanza:
    """The stanza in a message, as one that was pasted."""
    table = text[text.index("[tool.") :].replace(f'models."{name}"', f'models."{HERE}:{name}"')
    return parse(tomllib.loads(table)["tool"]["conformance"]["models"][f"{HERE}:{name}"], "here")


@pytest.mark.parametrize("spec", ["models", "", ":", "models:", ":Model"])
def test_specs_are_a_module_and_a_name(spec: str) -> None:
    """What is written otherwise is shown with the right form."""
    with pytest.raises(TargetError) as error:
        resolve(spec, {}, {})
    assert str(error.value) == f"--chat-model is written package.module:Name, not {spec!r}"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no_such_shop:M", f"there is no module 'no_such_shop'{INSTALL.format('no-such-shop')}"),
        ("no_such.shop:M", f"there is no module 'no_such'{INSTALL.format('no-such')}"),
        ("tests.conformance.modelz:M", "there is no module 'tests.conformance.modelz'"),
        (f"{HERE}:Our", f"'{HERE}' has no 'Our'; did you mean 'Ours'?"),
        (f"{HERE}:Shop.modl", f"'{HERE}' has no 'modl'; did you mean 'model'?"),
        (f"{HERE}:Zebra", f"'{HERE}' has no 'Zebra'"),
    ],
)
def test_what_is_not_there_is_told(spec: str, message: str) -> None:
    """Which module or name is missing, with the nearest that there is."""
    with pytest.raises(TargetError) as error:
        resolve(spec, {}, {})
    assert str(error.value) == f"--chat-model={spec}: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_shop", "'{}' cannot be imported: it needs 'no_such_shop', which is not installed"),
        ("from mockserver import Parrot", "importing '{}' fails with ImportError: cannot import name 'Parrot' from "),
        ("def (", "importing '{}' fails with SyntaxError: "),
        ("raise KeyError('PARROT_KEY')", "importing '{}' fails with KeyError: 'PARROT_KEY'"),
        (
            "def __getattr__(name):\n    raise ImportError('pip install birds[m]')",
            "'M' cannot be imported: ImportError: pip ",
        ),
    ],
)
def test_modules_that_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    """The error of the module itself is told."""
    name = "broken_birds"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(TargetError) as error:
        resolve(f"{name}:M", {}, {})
    assert str(error.value).startswith(f"--chat-model={name}:M: {message.format(name)}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NoModel", "NoModel is a class, but no chat model: it does not inherit from BaseChatModel"),
        ("number", "number is 3: no chat model class, no factory, and no instance of one"),
        ("Shop.number", "Shop.number is 3: no chat model class, no factory, and no instance of one"),
        ("takes_nothing", f"takes_nothing {NOT_TAKEN}: too many positional arguments"),
        ("needs_more", f"needs_more {NOT_TAKEN}: missing a required argument: 'tenant'"),
        ("fails", "fails (called with the server's URL) fails with ConnectionError: no such shop"),
        ("gives_a_text", "gives_a_text gives str, which is no chat model: it has no invoke"),
        ("lost_factory", "lost_factory: it asks POST /v2/parrots, which is none of the wires " + ", ".join(WIRES)),
        (
            "factory_of_silence",
            f"factory_of_silence: {NOT_ASKED} (invoke raised ConnectionError: no route to the shop){NO_URL}",
        ),
    ],
)
def test_what_is_no_model_is_told(name: str, message: str) -> None:
    """What was found, and why it cannot be tried."""
    assert refused(name) == message


def test_fields_that_a_factory_does_not_take() -> None:
    """Neither an argument of the factory nor a field of its model."""
    assert refused("factory", {"colour": 1}) == "factory does not take 'colour', and Speaking has no such field"


@pytest.mark.parametrize(
    ("name", "tried"),
    [
        ("Stranger", "cannot be built: the argument 'tenant' is missing"),
        ("stranger", "it asks nobody, and raises NotImplementedError"),
    ],
)
def test_a_class_without_a_stanza(name: str, tried: str) -> None:
    """The message shows a stanza to paste: TOML, with the required arguments, and the usual ones filled in."""
    text = refused(name)
    assert text.startswith(
        f"{name}: no stanza says how Stranger is aimed at a local server, and its fields do not tell ({tried}); "
        "add one to pyproject.toml, such as\n"
    )
    assert shown(text, name) == Stanza(
        wire="openai-chat", kwargs={"model": "some-model", "endpoint": "{url}", "tenant": "…", "api_key": "{key}"}
    )


def test_a_class_that_tells_nothing_of_its_arguments() -> None:
    """The stanza shown has at least a place for the URL."""
    assert shown(refused("Plain"), "Plain") == Stanza(wire="openai-chat", kwargs={"base_url": "{url}"})


def test_a_missing_argument() -> None:
    """It is named, with both ways to give it; the stanza shown is the one in use with a place for it."""
    text = refused("Tenant")
    assert text.startswith(
        "Tenant cannot be built: the argument 'tenant' is missing. "
        "Give it with --chat-model-kwargs='{\"tenant\": …}', or in pyproject.toml:\n"
    )
    shipped = {"model": "gpt-4o-mini", "api_key": "{key}", "base_url": "{url}/v1", "stream_usage": True}
    assert shown(text, "Tenant") == Stanza(wire="openai-chat", kwargs={**shipped, "tenant": "…"})


def test_missing_arguments() -> None:
    """All are named, by their aliases."""
    text = refused("TwoNeeds")
    assert text.startswith("TwoNeeds cannot be built: the arguments 'tenant', 'region' are missing. ")
    assert shown(text, "TwoNeeds").kwargs.keys() >= {"tenant", "region"}


def test_missing_arguments_can_be_given() -> None:
    """Both ways work."""
    assert found("Tenant", {"tenant": "t"}).build("http://here").model_dump()["tenant"] == "t"
    given = {"model": "m", "base_url": "{url}/v1", "api_key": "k", "tenant": "t", "place": "p"}
    assert found("TwoNeeds", kwargs=given).label == "TwoNeeds"


def test_other_errors_of_a_class() -> None:
    """An argument that the class does not accept is told in its own words."""
    assert refused("Ours", {"temperature": "warm"}).startswith(
        "Ours cannot be built: ValidationError: 1 validation error for Ours"
    )
