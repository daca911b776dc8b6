"""Integrations as data: how a released class is built and aimed at a local URL, and which wire it speaks.

One TOML file a package, one stanza a class, keyed ``"package:Class"``. Users add stanzas of the same form to their own
`pyproject.toml`, under ``[tool.conformance.models."package.module:Class"]``.
"""

import difflib
import importlib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from mockserver import WIRES

KEY: Final = "conformance-placeholder"
"""Stands where a provider's key would; it opens nothing."""
CAPABILITIES: Final = ("stream", "tools", "usage", "stop", "reasoning", "images", "structured output")
SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "retries": ("max_retries",),
    "timeout": ("timeout", "request_timeout", "default_request_timeout"),
    "temperature": ("temperature",),
    "max_tokens": ("max_tokens", "max_tokens_to_sample", "max_output_tokens"),
    "stop": ("stop", "stop_sequences"),
    "api_key": ("api_key",),
    "stream_usage": ("stream_usage",),
}
"""What rules set on models, and how its constructor argument is usually called."""
UNITS: Final[Mapping[str, Mapping[str, Callable[[float], float]]]] = {
    "timeout": {"seconds": lambda value: value, "milliseconds": lambda value: value * 1000},
    "retries": {"retries": lambda value: value, "attempts": lambda value: value + 1, "windows": lambda value: value},
}
"""In what some settings may count: from what rules say, in the first unit of each, to what the model takes. Windows are
times for which is retried, each of some length; none of them is no retry.
"""
_KEYS: Final = ("wire", "kwargs", "env", "eager", "clear_env", "lacks", "also", "settings", "units", "reasoning")
_OBJECT: Final = "import"
"""The key by which a table among the arguments stands for an object."""
_NAMED: Final = re.compile(r"[\w.]+:[\w.]+")
"""How an object's class or function is named: ``package.module:Name``."""


class StanzaError(Exception):
    """A stanza that cannot be used; the text says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stanza:
    """How a class is built and what it speaks.

    Args:
        wire: name of the wire.
        kwargs: constructor arguments; ``{url}`` and ``{key}`` in strings stand for the server's base URL (without a
            slash at its end) and a placeholder key. A table ``{ import = "package.module:Name", kwargs = {…} }``
            stands for what is given by that class or function, called with these arguments.
        env: environment variables, with the same places, that are set while the model is built; those without
            ``{url}`` also while its module is imported.
        eager: attributes that are read once meanwhile: clients that are otherwise made at the first call, when the
            variables are no longer set.
        clear_env: patterns of environment variables that are hidden while the suite runs.
        lacks: capabilities (of `CAPABILITIES`) that the model does not claim.
        also: further wires that it speaks, each with the constructor arguments that choose it, written as `kwargs` are.
        settings: constructor arguments for what rules set (of `SETTINGS`), where they are not called as usual; an
            empty name says that there is none.
        units: in what they count (of `UNITS`), where that is not seconds and retries.
        reasoning: further constructor arguments with which it asks its provider for reasoning, where it must ask.
    """

    wire: str | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    eager: tuple[str, ...] = ()
    clear_env: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    also: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    reasoning: Mapping[str, Any] = field(default_factory=dict)

    def arguments(self, url: str) -> dict[str, Any]:
        """The constructor arguments for a server at `url`.

        Raises:
            StanzaError: an object among them cannot be made.
        """
        return _filled(self.kwargs, url)

    @property
    def aiming(self) -> frozenset[str]:
        """The constructor arguments that say where the server is."""
        return frozenset(name for name, value in self.kwargs.items() if _holds(value, "{url}"))

    def environment(self, url: str) -> dict[str, str]:
        """The environment variables for a server at `url`."""
        return {name: _fill(value, _places(url)) for name, value in self.env.items()}

    @property
    def lasting(self) -> dict[str, str]:
        """The environment variables that are the same for every server."""
        return {name: value for name, value in self.environment("{url}").items() if "{url}" not in value}

    def choosing(self, wire: str, url: str) -> dict[str, Any]:
        """The further arguments with which it speaks a wire of `also`; none for its own wire."""
        return _filled(self.also.get(wire, {}), url)


def _filled(arguments: Mapping[str, Any], url: str) -> dict[str, Any]:
    return {name: _fill(value, _places(url)) for name, value in arguments.items()}


def _places(url: str) -> dict[str, str]:
    return {"url": url, "key": KEY}


def _fill(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, text in places.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, dict):
        filled = {name: _fill(each, places) for name, each in value.items()}
        return _made(filled[_OBJECT], filled.get("kwargs", {})) if _OBJECT in filled else filled
    return [_fill(each, places) for each in value] if isinstance(value, list) else value


def _made(name: str, kwargs: Mapping[str, Any]) -> Any:
    """What a class or function gives.

    Raises:
        StanzaError: it cannot be imported, or its call fails.
    """
    module, _, path = name.partition(":")
    try:
        made: Any = importlib.import_module(module)
        for part in path.split("."):
            made = getattr(made, part)
        return made(**kwargs)
    except Exception as error:  # noqa: BLE001 - whatever another package raises is told
        raise StanzaError(f"{name} in a stanza cannot be made: {type(error).__name__}: {error}") from None


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, dict | list):
        return any(_holds(each, text) for each in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and text in value


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables that are set meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


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
    _check_objects(kwargs, where)
    lists = {name: stanza.get(name, []) for name in ("eager", "clear_env", "lacks")}
    for name, value in lists.items():
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise StanzaError(f"{where}: {name} is a list of strings, not {value!r}")
    if unknown := [name for name in lists["lacks"] if name not in CAPABILITIES]:
        raise StanzaError(f"{where}: lacks holds {', '.join(CAPABILITIES)}, not {unknown[0]!r}")
    return Stanza(
        wire=wire,
        kwargs=kwargs,
        env=_env(stanza.get("env", {}), where),
        eager=tuple(lists["eager"]),
        clear_env=tuple(lists["clear_env"]),
        lacks=tuple(lists["lacks"]),
        also=_also(stanza.get("also", {}), where),
        settings=_settings(stanza.get("settings", {}), where),
        units=_units(stanza.get("units", {}), where),
        reasoning=_reasoning(stanza.get("reasoning", {}), where),
    )


def _settings(table: object, where: str) -> dict[str, str]:
    """The names of constructor arguments for what rules set.

    Raises:
        StanzaError: a setting is not known, or its name is no text.
    """
    if not isinstance(table, dict) or not all(isinstance(name, str) for name in table.values()):
        raise StanzaError(f'{where}: settings is a table such as {{ retries = "max_attempts" }}, not {table!r}')
    if unknown := [name for name in table if name not in SETTINGS]:
        raise StanzaError(f"{where}: settings holds {', '.join(SETTINGS)}, not {unknown[0]!r}")
    return dict(table)


def _units(table: object, where: str) -> dict[str, str]:
    """In what settings count.

    Raises:
        StanzaError: a setting counts in nothing else, or not in that.
    """
    if not isinstance(table, dict):
        raise StanzaError(f'{where}: units is a table such as {{ timeout = "milliseconds" }}, not {table!r}')
    for name, unit in table.items():
        if name not in UNITS:
            raise StanzaError(f"{where}: units holds {', '.join(UNITS)}, not {name!r}")
        if unit not in UNITS[name]:
            raise StanzaError(f"{where}: {name} counts in {' or '.join(UNITS[name])}, not {unit!r}")
    return dict(table)


def _reasoning(table: object, where: str) -> dict[str, Any]:
    """Constructor arguments.

    Raises:
        StanzaError: it is no table.
    """
    if not isinstance(table, dict):
        raise StanzaError(f"{where}: reasoning is a table of constructor arguments, not {table!r}")
    _check_objects(table, where)
    return dict(table)


def _env(table: object, where: str) -> dict[str, str]:
    """Environment variables.

    Raises:
        StanzaError: they are not texts.
    """
    if not isinstance(table, dict) or not all(isinstance(each, str) for each in table.values()):
        raise StanzaError(f"{where}: env is a table of environment variables, with strings, not {table!r}")
    return dict(table)


def _check_objects(value: Any, where: str) -> None:
    """Whether the tables that stand for objects are right.

    Raises:
        StanzaError: one of them is not.
    """
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _check_objects(each, where)
    if not isinstance(value, dict) or _OBJECT not in value:
        return
    name = value[_OBJECT]
    if not isinstance(name, str) or not _NAMED.fullmatch(name):
        raise StanzaError(f"{where}: import names package.module:Name, not {name!r}")
    if not isinstance(value.get("kwargs", {}), dict) or set(value) - {_OBJECT, "kwargs"}:
        raise StanzaError(f"{where}: beside import stands kwargs, a table of arguments, and no more; not {value!r}")


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
        _check_objects(table["kwargs"], where)
    return {wire: table["kwargs"] for wire, table in tables.items()}


def example(name: str, arguments: Mapping[str, str]) -> str:
    """The stanza to write for a class, with what is known of its arguments."""
    lines = [f'[tool.conformance.models."{name}"]', f'wire = "{next(iter(WIRES))}"   # one of: {", ".join(WIRES)}']
    inner = ", ".join(f"{key} = {value}" for key, value in arguments.items())
    return "\n".join([*lines, f"kwargs = {{ {inner} }}"])
