"""Stanzas are checked, and each fault told in one line."""

import difflib
import re
from collections.abc import Mapping
from typing import Any, Final

from mockserver import WIRES

from .stanza import CAPABILITIES, OBJECT, SETTINGS, UNITS, Stanza, StanzaError

_KEYS: Final = tuple(Stanza.__dataclass_fields__)
_NAMED: Final = re.compile(r"[\w.]+:[\w.]+")
"""How an object's class or function is named: ``package.module:Name``."""
_ASIDE: Final = re.compile(r"[A-Z]+ /\S*")
"""A method and a path."""


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
    _check_in_process(stanza, where)
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
        tls=_flag(stanza, "tls", where),
        asides=_asides(stanza.get("asides", {}), where),
        in_process=_flag(stanza, "in_process", where),
        versions=_versions(stanza.get("versions", ""), where),
    )


def _flag(stanza: Mapping[str, Any], name: str, where: str) -> bool:
    """What says yes or no; no where it is left out.

    Raises:
        StanzaError: it is neither true nor false.
    """
    value = stanza.get(name, False)
    if not isinstance(value, bool):
        raise StanzaError(f"{where}: {name} is true or false, not {value!r}")
    return value


def _check_in_process(stanza: Mapping[str, Any], where: str) -> None:
    """Whether nothing contradicts that a class takes no URL, where the stanza says so.

    Raises:
        StanzaError: something does, or no wire says which recordings are played.
    """
    if not _flag(stanza, "in_process", where):
        return
    if stanza.get("wire") is None:
        raise StanzaError(f"{where}: in_process goes with wire, which says what recordings are played")
    for name in ("kwargs", "env", "also", "reasoning"):
        if "{url}" in str(stanza.get(name)):
            raise StanzaError(f"{where}: in_process is for classes that take no URL, and {name} holds {{url}}")
    if stanza.get("tls"):
        raise StanzaError(f"{where}: in_process is for classes that take no URL, and tls for those that take one")


def _asides(table: object, where: str) -> dict[str, Any]:
    """What is answered beside the conversation.

    Raises:
        StanzaError: it is no table, or a key in it is no method with a path.
    """
    if not isinstance(table, dict):
        raise StanzaError(f'{where}: asides is a table such as {{ "GET /v1/models" = {{}} }}, not {table!r}')
    for name in table:
        if not _ASIDE.fullmatch(name):
            raise StanzaError(f"{where}: asides holds methods and paths such as 'GET /v1/models', not {name!r}")
    return dict(table)


def _versions(value: object, where: str) -> str:
    """The releases tried.

    Raises:
        StanzaError: it is no text.
    """
    if not isinstance(value, str):
        raise StanzaError(f"{where}: versions is a string such as '1.7.3', not {value!r}")
    return value


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
    if not isinstance(value, dict) or OBJECT not in value:
        return
    name = value[OBJECT]
    if not isinstance(name, str) or not _NAMED.fullmatch(name):
        raise StanzaError(f"{where}: import names package.module:Name, not {name!r}")
    if not isinstance(value.get("kwargs", {}), dict) or set(value) - {OBJECT, "kwargs"}:
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


def example(name: str, arguments: Mapping[str, str], wire: str | None = None) -> str:
    """The stanza to write for a class, with what is known of its arguments and of the wire that it speaks."""
    shown = f'"{wire}"' if wire else f'"{next(iter(WIRES))}"   # one of: {", ".join(WIRES)}'
    lines = [f'[tool.conformance.models."{name}"]', f"wire = {shown}"]
    inner = ", ".join(f"{key} = {value}" for key, value in arguments.items())
    return "\n".join([*lines, f"kwargs = {{ {inner} }}"])
