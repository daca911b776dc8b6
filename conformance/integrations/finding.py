"""Where stanzas come from."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import metadata, resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from .parsing import parse
from .stanza import Stanza, StanzaError

GROUP: Final = "chat_model_conformance"
"""The group of entry points by which packages bring stanzas for their own classes."""


@cache
def known() -> Mapping[str, Stanza]:
    """The stanzas that are installed: those of this package, and over them those that other packages bring.

    Raises:
        StanzaError: what a package brings is not right.
    """
    found = dict(shipped())
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda each: each.name):
        found |= _brought(point)
    return found


def _brought(point: metadata.EntryPoint) -> Mapping[str, Stanza]:
    """The stanzas of an entry point, whose value names a TOML file in a package: ``my_package:conformance.toml``."""
    where = f"{point.dist.name if point.dist else '?'}, entry point {GROUP} {point.name} = {point.value!r}"
    package, _, name = point.value.partition(":")
    try:
        spec = find_spec(package)
    except ImportError:
        spec = None
    folders = spec.submodule_search_locations if spec else None
    file = next((Path(each, name) for each in folders or () if Path(each, name).is_file()), None)
    if file is None:
        raise StanzaError(f"{where}: there is no such file; the value is package:file.toml, a file in the package")
    return of_tables(_read(file), where)


def of_tables(tables: Mapping[str, Any], where: str) -> Mapping[str, Stanza]:
    """Stanzas by ``package.module:Class``.

    Raises:
        StanzaError: one of them is not right.
    """
    if not isinstance(tables, Mapping) or not all(isinstance(each, dict) for each in tables.values()):
        raise StanzaError(f'{where}: holds a table for each class, named "package.module:Class"')
    return {name: parse(stanza, f'{where}, "{name}"') for name, stanza in tables.items()}


@cache
def shipped() -> Mapping[str, Stanza]:
    """The stanzas of this package, by ``"package:Class"``."""
    found: dict[str, Stanza] = {}
    for file in sorted(resources.files(__package__).iterdir(), key=lambda each: each.name):
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


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StanzaError(f"{file}: is no TOML: {error}") from None


def _of_file(file: Path) -> Mapping[str, Stanza]:
    document = _read(file)
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
