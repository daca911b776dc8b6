"""Integrations as data: how a released class is built and aimed at a local URL, and which wire it speaks.

One TOML file a package, one stanza a class, keyed ``"package:Class"``. Users add stanzas of the same form to their own
`pyproject.toml`, under ``[tool.conformance.models."package.module:Class"]``.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from mockserver import WIRES

KEY: Final = "conformance-placeholder"
"""Stands where a provider's key would; it opens nothing."""
CAPABILITIES: Final = ("stream", "tools", "usage", "stop")
_KEYS: Final = ("wire", "kwargs", "clear_env", "lacks", "also")


class StanzaError(Exception):
    """A stanza that cannot be used; the text says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stanza:
    """How a class is built and what it speaks.

    Args:
        wire: name of the wire.
        kwargs: constructor arguments; ``{url}`` and ``{key}`` in strings stand for the server's base URL (without a
            slash at its end) and a placeholder key.
        clear_env: patterns of environment variables that are hidden while the suite runs.
        lacks: capabilities (of `CAPABILITIES`) that the model does not claim.
        also: further wires that it speaks, each with the constructor arguments that choose it, written as `kwargs` are.
    """

    wire: str | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    clear_env: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    also: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def arguments(self, url: str) -> dict[str, Any]:
        """The constructor arguments for a server at `url`."""
        return _filled(self.kwargs, url)

    def choosing(self, wire: str, url: str) -> dict[str, Any]:
        """The further arguments with which it speaks a wire of `also`; none for its own wire."""
        return _filled(self.also.get(wire, {}), url)


def _filled(arguments: Mapping[str, Any], url: str) -> dict[str, Any]:
    filled: dict[str, Any] = _fill(dict(arguments), {"url": url, "key": KEY})
    return filled


def _fill(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, text in places.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, dict):
        return {name: _fill(each, places) for name, each in value.items()}
    return [_fill(each, places) for each in value] if isinstance(value, list) else value


@cache
def shipped() -> Mapping[str, Stanza]:
    """The stanzas of this package, by ``"package:Class"``."""
    found: dict[str, Stanza] = {}
    for file in sorted(resources.files(__name__).iterdir(), key=lambda each: each.name):
        if file.name.endswith(".toml"):
            stanzas = tomllib.loads(file.read_text(encoding="utf-8"))
            found |= {name: parse(stanza, f"{file.name}, {name}") for name, stanza in stanzas.items()}
    return found


def of_project(folder: Path) -> Mapping[str, Stanza]:
    """The stanzas of the nearest `pyproject.toml` in `folder` or above it.

    Raises:
        StanzaError: the file is no TOML, or a stanza in it is not right.
    """
    for parent in (folder, *folder.parents):
        file = parent / "pyproject.toml"
        if file.is_file():
            return _of_file(file)
    return {}


def _of_file(file: Path) -> Mapping[str, Stanza]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StanzaError(f"{file}: is no TOML: {error}") from None
    tools = document.get("tool", {})
    settings = tools.get("conformance", {}) if isinstance(tools, dict) else {}
    if not isinstance(settings, dict):
        raise StanzaError(f"{file}: [tool.conformance] is a table, not {settings!r}")
    if unknown := [name for name in settings if name != "models"]:
        raise StanzaError(f"{file}: unknown key {unknown[0]!r} in [tool.conformance]; known here: models")
    models = settings.get("models", {})
    if not isinstance(models, dict) or not all(isinstance(each, dict) for each in models.values()):
        raise StanzaError(f'{file}: [tool.conformance.models."package:Class"] is a table for each class')
    return {name: parse(stanza, f'{file}, [tool.conformance.models."{name}"]') for name, stanza in models.items()}


def parse(stanza: Mapping[str, Any], where: str) -> Stanza:
    """A checked stanza.

    Raises:
        StanzaError: a key or a value is not right.
    """
    for name in stanza:
        if name not in _KEYS:
            nearest = difflib.get_close_matches(name, _KEYS, 1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"known here: {', '.join(_KEYS)}"
            raise StanzaError(f"{where}: unknown key {name!r}; {hint}")
    wire, kwargs = stanza.get("wire"), stanza.get("kwargs", {})
    if wire is not None and (not isinstance(wire, str) or wire not in WIRES):
        raise StanzaError(f"{where}: wire is one of {', '.join(WIRES)}, not {wire!r}")
    if not isinstance(kwargs, dict):
        raise StanzaError(f"{where}: kwargs is a table of constructor arguments, not {kwargs!r}")
    lists = {name: stanza.get(name, []) for name in ("clear_env", "lacks")}
    for name, value in lists.items():
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise StanzaError(f"{where}: {name} is a list of strings, not {value!r}")
    if unknown := [name for name in lists["lacks"] if name not in CAPABILITIES]:
        raise StanzaError(f"{where}: lacks holds {', '.join(CAPABILITIES)}, not {unknown[0]!r}")
    return Stanza(
        wire=wire,
        kwargs=kwargs,
        clear_env=tuple(lists["clear_env"]),
        lacks=tuple(lists["lacks"]),
        also=_also(stanza.get("also", {}), where),
    )


def _also(tables: object, where: str) -> dict[str, Mapping[str, Any]]:
    """The arguments for each further wire.

    Raises:
        StanzaError: a wire or what stands under it is not right.
    """
    if not isinstance(tables, dict):
        raise StanzaError(f"{where}: also is a table for each further wire, not {tables!r}")
    for wire, table in tables.items():
        if wire not in WIRES:
            raise StanzaError(f"{where}: also names wires (of {', '.join(WIRES)}), not {wire!r}")
        if not isinstance(table, dict) or list(table) != ["kwargs"] or not isinstance(table["kwargs"], dict):
            raise StanzaError(f"{where}: also.{wire} holds kwargs, a table of constructor arguments, not {table!r}")
    return {wire: table["kwargs"] for wire, table in tables.items()}


def example(name: str, arguments: Mapping[str, str]) -> str:
    """The stanza to write for a class, with what is known of its arguments."""
    lines = [f'[tool.conformance.models."{name}"]', f'wire = "{next(iter(WIRES))}"   # one of: {", ".join(WIRES)}']
    inner = ", ".join(f"{key} = {value}" for key, value in arguments.items())
    return "\n".join([*lines, f"kwargs = {{ {inner} }}"])
