"""What imports what."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest

import conformance

FILES: Final = sorted(Path(conformance.__file__).parent.rglob("*.py"))
HEAVY: Final = ("langchain_core", "aiohttp", "mockserver", "conformance.session", "conformance.rules")

EACH_FILE = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FILES[0].parent)))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def own_names() -> frozenset[str]:
    """Names with an underscore that the suite defines: functions, classes, attributes."""
    found: set[str] = set()
    for node in (node for file in FILES for node in ast.walk(tree_of(file))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return frozenset(filter(is_private, found))


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Modules, and names of theirs, that a file imports from other packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, "") for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.module or "", each.name) for each in node.names)


def private_uses(tree: ast.AST, packages: tuple[str, ...]) -> list[str]:
    """Imports of private modules and names of these packages."""
    found = []
    for module, name in imported(tree):
        parts = [*module.split("."), name]
        if parts[0].startswith(packages) and any(map(is_private, parts)):
            found.append(f"{module} {name}".strip())
    return found


def reached_into(tree: ast.AST, own: frozenset[str]) -> list[str]:
    """Private attributes of other objects than `self`, that the package does not define itself."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and is_private(node.attr)
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        and node.attr not in own
    ]


def test_the_plugin_is_light() -> None:
    """pytest imports the plugin in every run of every project; it brings in none of the heavy packages."""
    code = f"import json, sys, conformance.plugin; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@EACH_FILE
def test_nothing_private_of_the_server_is_imported(file: Path) -> None:
    """The suite uses the mock server by its public names alone."""
    assert private_uses(tree_of(file), ("mockserver",)) == []


@EACH_FILE
def test_foreign_privates_are_used_in_one_place(file: Path) -> None:
    """What may break with langchain's next release is in `compat`; elsewhere no private name but our own is used."""
    if file.name == "compat.py":
        return
    assert private_uses(tree_of(file), ("langchain", "langsmith")) == []
    assert reached_into(tree_of(file), own_names()) == []


def test_what_these_tests_find() -> None:
    """Private modules and names are found however they are written."""
    imports = [
        "from a._b import c",
        "from a.b import _c",
        "import a._b",
        "from b import _c",
        "from a import __version__",
    ]
    tree = ast.parse("\n".join([*imports, "x._y", "self._y"]))
    assert private_uses(tree, ("a",)) == ["a._b c", "a.b _c", "a._b"]
    assert reached_into(tree, frozenset()) == ["x._y"]
    assert reached_into(tree, frozenset({"_y"})) == []


def test_no_plugin_comes_along() -> None:
    """Who installs this meets no other plugin's settings and warnings in their own tests, such as pytest-asyncio's."""
    required = metadata.requires("chat-model-conformance") or []
    assert [each for each in required if each.startswith("pytest") and "extra ==" not in each] == ["pytest>=8.3"]
