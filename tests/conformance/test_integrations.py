"""Stanzas: the shipped ones, those of a project, and what is wrong with bad ones."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from conformance.integrations import (
    CAPABILITIES,
    KEY,
    Stanza,
    StanzaError,
    example,
    of_project,
    parse,
    shipped,
    trust,
)
from mockserver import WIRES

STANZA = """
[tool.conformance.models."shop:Parrot"]
wire = "openai-chat"
kwargs = { model = "m" }
"""
KNOWN = ", ".join(WIRES)
KEYS = "wire, kwargs, env, eager, clear_env, lacks, also, settings, units, reasoning, tls, asides, in_process, versions"
KEYLESS = ("langchain_ollama:ChatOllama", "langchain_oci:ChatOCIGenAI")
"""Those whose provider takes no key, or one that is made for the run."""
PARROT = {"shop:Parrot": Stanza(wire="openai-chat", kwargs={"model": "m"})}


def test_shipped_stanzas_are_right() -> None:
    """Each names a class of its package, a wire, and where the URL and the key go."""
    assert {"langchain_openai:ChatOpenAI", "langchain_anthropic:ChatAnthropic"} <= shipped().keys()
    for name, stanza in shipped().items():
        package, _, class_name = name.partition(":")
        assert package.isidentifier()
        assert class_name.isidentifier()
        assert stanza.wire in WIRES
        told = str([stanza.kwargs, stanza.env])
        assert ("{url}" in told) is not stanza.in_process
        assert "{key}" in told or name in KEYLESS
        assert stanza.clear_env


def test_shipped_stanzas_are_read_once() -> None:
    """They do not change while a run lasts."""
    assert shipped() is shipped()


def test_places_are_filled_at_any_depth() -> None:
    """`{url}` and `{key}` stand in strings, tables and lists; what is no string stays, and so does the stanza."""
    given: dict[str, Any] = {
        "base_url": "{url}/v1",
        "both": "{key}@{url}{url}",
        "client": {"headers": [{"authorization": "Bearer {key}"}, 1], "retries": 2},
        "other": "{model} {{url}}",
        "on": True,
    }
    stanza = Stanza(kwargs=given)
    for url in ("http://a", "http://b"):
        assert stanza.arguments(url) == {
            "base_url": f"{url}/v1",
            "both": f"{KEY}@{url}{url}",
            "client": {"headers": [{"authorization": f"Bearer {KEY}"}, 1], "retries": 2},
            "other": f"{{model}} {{{url}}}",
            "on": True,
        }


def test_the_certificate_of_a_server_has_a_place() -> None:
    """`{ca}` stands for the file that was named for the server's URL, and for nothing where it speaks no TLS."""
    trust("https://a:1", "/tmp/ca.pem")
    stanza = Stanza(kwargs={"verify": "{ca}"}, tls=True)
    assert stanza.arguments("https://a:1") == {"verify": "/tmp/ca.pem"}
    assert stanza.arguments("http://a:2") == {"verify": ""}


def test_stanzas_are_parsed() -> None:
    """All keys may be given, and all may be left out."""
    whole = {
        "wire": "openai-chat",
        "kwargs": {"a": {"b": 1}},
        "clear_env": ["A_*"],
        "lacks": list(CAPABILITIES),
        "also": {"openai-responses": {"kwargs": {"c": "{key}"}}},
        "tls": True,
        "asides": {"GET /v1/models": {"data": []}},
        "versions": "1.0",
    }
    stanza = parse(whole, "here")
    assert stanza == Stanza(
        wire="openai-chat",
        kwargs={"a": {"b": 1}},
        clear_env=("A_*",),
        lacks=CAPABILITIES,
        also={"openai-responses": {"c": "{key}"}},
        tls=True,
        asides={"GET /v1/models": {"data": []}},
        versions="1.0",
    )
    assert stanza.choosing("openai-responses", "http://a") == {"c": KEY}
    assert stanza.choosing("openai-chat", "http://a") == {}
    assert parse({}, "here") == Stanza()


@pytest.mark.parametrize(
    ("stanza", "message"),
    [
        ({"kwarg": {}}, "unknown key 'kwarg'; did you mean 'kwargs'?"),
        ({"wire": "openai-chat", "clearenv": []}, "unknown key 'clearenv'; did you mean 'clear_env'?"),
        ({"zzz": 1}, f"unknown key 'zzz'; known here: {KEYS}"),
        ({"wire": "openai"}, f"wire is one of {KNOWN}, not 'openai'"),
        ({"wire": 1}, f"wire is one of {KNOWN}, not 1"),
        ({"kwargs": ["a"]}, "kwargs is a table of constructor arguments, not ['a']"),
        ({"clear_env": "A_*"}, "clear_env is a list of strings, not 'A_*'"),
        ({"lacks": [1]}, "lacks is a list of strings, not [1]"),
        ({"also": ["openai-responses"]}, "also is a table for each further wire, not ['openai-responses']"),
        ({"also": {"openai": {}}}, f"also names wires (of {KNOWN}), not 'openai'"),
        (
            {"also": {"openai-responses": {"x": 1}}},
            "also.openai-responses holds kwargs, a table of constructor arguments, not {'x': 1}",
        ),
        (
            {"also": {"openai-responses": {"kwargs": 1}}},
            "also.openai-responses holds kwargs, a table of constructor arguments, not {'kwargs': 1}",
        ),
        ({"tls": 1}, "tls is true or false, not 1"),
        ({"in_process": "yes"}, "in_process is true or false, not 'yes'"),
        ({"in_process": True}, "in_process goes with wire, which says what recordings are played"),
        (
            {"in_process": True, "wire": "openai-chat", "kwargs": {"base_url": "{url}/v1"}},
            "in_process is for classes that take no URL, and kwargs holds {url}",
        ),
        (
            {"in_process": True, "wire": "openai-chat", "tls": True},
            "in_process is for classes that take no URL, and tls for those that take one",
        ),
        ({"asides": ["GET /"]}, "asides is a table such as { \"GET /v1/models\" = {} }, not ['GET /']"),
        ({"asides": {"/a": {}}}, "asides holds methods and paths such as 'GET /v1/models', not '/a'"),
        ({"versions": 1.7}, "versions is a string such as '1.7.3', not 1.7"),
        ({"lacks": ["tools", "async"]}, f"lacks holds {', '.join(CAPABILITIES)}, not 'async'"),
    ],
)
def test_bad_stanzas_are_told(stanza: dict[str, Any], message: str) -> None:
    """The text names the place, the key and what is right."""
    with pytest.raises(StanzaError) as error:
        parse(stanza, "here")
    assert str(error.value) == f"here: {message}"


@pytest.mark.parametrize("below", ["", "a", "a/b/c"])
def test_the_nearest_project_above_is_found(tmp_path: Path, below: str) -> None:
    """From the folder of the file, or from any below it."""
    (tmp_path / "pyproject.toml").write_text(STANZA)
    folder = tmp_path / below
    folder.mkdir(parents=True, exist_ok=True)
    assert of_project(folder) == PARROT


def test_a_nearer_project_goes_before(tmp_path: Path) -> None:
    """A project inside another has its own stanzas alone."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "pyproject.toml").write_text(STANZA)
    (inner / "pyproject.toml").write_text(STANZA.replace("Parrot", "Goldfish"))
    assert list(of_project(inner)) == ["shop:Goldfish"]
    assert of_project(tmp_path) == PARROT


@pytest.mark.parametrize(
    "text", ["", '[project]\nname = "x"', "[tool.other]\nmodels = 1", "[tool.conformance]", "[tool.conformance.models]"]
)
def test_a_project_without_stanzas(tmp_path: Path, text: str) -> None:
    """A file that has nothing for this suite gives no stanzas."""
    (tmp_path / "pyproject.toml").write_text(text)
    assert of_project(tmp_path) == {}


def test_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no folder above has a file there are no stanzas; a folder of that name is none."""
    (tmp_path / "pyproject.toml").mkdir()
    monkeypatch.chdir(tmp_path)
    assert of_project(Path("pyproject.toml")) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool", "is no TOML: "),
        ("[tool.conformance]\nmodel = 1", "unknown key 'model' in [tool.conformance]; known here: models"),
        ("[tool.conformance]\nmodels = 1", '[tool.conformance.models."package:Class"] is a table for each class'),
        (
            '[tool.conformance.models]\n"shop:Parrot" = "m"',
            '[tool.conformance.models."package:Class"] is a table for each class',
        ),
    ],
)
def test_bad_files_are_told(tmp_path: Path, text: str, message: str) -> None:
    """The text names the file."""
    file = tmp_path / "pyproject.toml"
    file.write_text(text)
    with pytest.raises(StanzaError) as error:
        of_project(tmp_path)
    assert str(error.value).startswith(f"{file}: {message}")


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    """TOML is UTF-8."""
    (tmp_path / "pyproject.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(StanzaError, match="is no TOML: 'utf-8' codec"):
        of_project(tmp_path)


def test_bad_stanzas_of_a_project_name_file_and_table(tmp_path: Path) -> None:
    """So that they can be found."""
    file = tmp_path / "pyproject.toml"
    file.write_text(STANZA.replace("wire", "wires"))
    with pytest.raises(StanzaError) as error:
        of_project(tmp_path)
    place = f'{file}, [tool.conformance.models."shop:Parrot"]'
    assert str(error.value) == f"{place}: unknown key 'wires'; did you mean 'wire'?"


def test_the_example_can_be_pasted() -> None:
    """What is shown where a stanza is missing is TOML, and a right stanza."""
    text = example("shop.birds:Parrot", {"model": '"…"', "base_url": '"{url}/v1"', "n": "1"})
    assert text == (
        '[tool.conformance.models."shop.birds:Parrot"]\n'
        f'wire = "openai-chat"   # one of: {KNOWN}\n'
        'kwargs = { model = "…", base_url = "{url}/v1", n = 1 }'
    )
    stanza = tomllib.loads(text)["tool"]["conformance"]["models"]["shop.birds:Parrot"]
    arguments = {"model": "…", "base_url": "{url}/v1", "n": 1}
    assert parse(stanza, "here") == Stanza(wire="openai-chat", kwargs=arguments)
