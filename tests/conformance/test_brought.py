"""Stanzas that packages and `conftest.py` bring for their classes, and which of several holds."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.integrations import Stanza, StanzaError, known, of_tables, shipped

from .plugin_runs import run

STANZA = """
["parrot_shop:ChatParrot"]
wire = "openai-chat"
kwargs = { model = "by-the-package", api_key = "{key}", base_url = "{url}/v1" }
"""
CONFTEST = """
def pytest_chat_model_stanzas():
    kwargs = {"model": "by-the-hook", "api_key": "{key}", "base_url": "{url}/v1"}
    return {"parrot_shop:ChatParrot": {"wire": "openai-chat", "kwargs": kwargs}}
"""
PROJECT = """
[tool.conformance.models."parrot_shop:ChatParrot"]
wire = "openai-chat"
kwargs = { model = "by-the-project", api_key = "{key}", base_url = "{url}/v1" }
"""
TEST = "def test_model(chat_model): assert chat_model.model == {!r}"


@pytest.fixture
def installed(folder: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages with one that brings a stanza, as an installer leaves it."""
    packages = folder.mkdir("packages")
    shop, facts = packages / "parrot_shop", packages / "parrot_shop-1.0.dist-info"
    shop.mkdir()
    facts.mkdir()
    (shop / "__init__.py").write_text(
        "from tests.reference import ReferenceChat\n\nclass ChatParrot(ReferenceChat): pass"
    )
    (shop / "conformance.toml").write_text(STANZA)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot-shop\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[chat_model_conformance]\nparrot_shop = parrot_shop:conformance.toml\n")
    (facts / "RECORD").write_text("")
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.delitem(sys.modules, "parrot_shop", raising=False)
    known.cache_clear()
    yield packages
    known.cache_clear()


@pytest.mark.usefixtures("installed")
def test_a_package_brings_its_stanza(folder: pytest.Pytester) -> None:
    """Nothing but the name of the class is needed, and the header names the release."""
    folder.makepyfile(test_own=TEST.format("by-the-package"))
    run(folder, "--chat-model=parrot_shop:ChatParrot", "test_own.py").assert_outcomes(passed=1)
    result = run(folder, "--chat-model=parrot_shop:ChatParrot", "-k", "INVOKE-05")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["chat model: parrot_shop:ChatParrot 1.0 (wire openai-chat, *"])


@pytest.mark.usefixtures("installed")
def test_the_hook_goes_before_the_package(folder: pytest.Pytester) -> None:
    """And the user's `pyproject.toml` before the hook."""
    folder.makeconftest(CONFTEST)
    folder.makepyfile(test_own=TEST.format("by-the-hook"))
    run(folder, "--chat-model=parrot_shop:ChatParrot", "test_own.py").assert_outcomes(passed=1)
    folder.path.joinpath("pytest.ini").write_text("[pytest]\n")
    folder.makepyprojecttoml(PROJECT)
    folder.makepyfile(test_own=TEST.format("by-the-project"))
    run(folder, "--chat-model=parrot_shop:ChatParrot", "test_own.py").assert_outcomes(passed=1)


def test_a_package_goes_before_this_project(installed: Path) -> None:
    """A package knows its own classes best."""
    own = STANZA.replace("parrot_shop:ChatParrot", "langchain_openai:ChatOpenAI")
    (installed / "parrot_shop" / "conformance.toml").write_text(own)
    assert known()["langchain_openai:ChatOpenAI"].kwargs["model"] == "by-the-package"
    assert shipped()["langchain_openai:ChatOpenAI"].kwargs["model"] != "by-the-package"


@pytest.mark.parametrize("value", ["parrot_shop:stanza.toml", "parrot_shop", "no_such.shop:conformance.toml"])
def test_an_entry_point_that_names_no_file(installed: Path, value: str) -> None:
    """The package and the value are named, with the form that it has."""
    points = installed / "parrot_shop-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"[chat_model_conformance]\nparrot_shop = {value}\n")
    with pytest.raises(StanzaError) as error:
        known()
    assert str(error.value) == (
        f"parrot-shop, entry point chat_model_conformance parrot_shop = {value!r}: "
        "there is no such file; the value is package:file.toml, a file in the package"
    )


def test_a_bad_stanza_of_a_package_is_told(installed: Path) -> None:
    """With the package and the class."""
    (installed / "parrot_shop" / "conformance.toml").write_text(STANZA.replace("wire", "wires"))
    with pytest.raises(StanzaError) as error:
        known()
    assert str(error.value).startswith("parrot-shop, entry point ")
    assert str(error.value).endswith(", \"parrot_shop:ChatParrot\": unknown key 'wires'; did you mean 'wire'?")


def test_a_bad_stanza_of_the_hook_is_told(folder: pytest.Pytester) -> None:
    """As a usage error."""
    folder.makeconftest("def pytest_chat_model_stanzas(): return {'a:B': {'wires': 'x'}}")
    result = run(folder, "--chat-model=tests.reference:ReferenceChat")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: pytest_chat_model_stanzas, \"a:B\": unknown key 'wires'; did you mean 'wire'?"]
    )


def test_tables_of_stanzas() -> None:
    """By the names of the classes, a table each."""
    assert of_tables({"a:B": {"wire": "openai-chat"}}, "here") == {"a:B": Stanza(wire="openai-chat")}
    with pytest.raises(StanzaError, match="here: holds a table for each class"):
        of_tables({"a:B": 1}, "here")
