"""The package stands alone."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import mockserver

PACKAGE: Final = Path(mockserver.__file__).parent
ALONE: Final = """
import sys

class Refuser:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"langchain_core", "pytest", "_pytest", "conformance"}:
            raise ImportError(f"{name} is not to be imported")

sys.meta_path.insert(0, Refuser())
import pkgutil
import mockserver
for module in pkgutil.walk_packages(mockserver.__path__, "mockserver."):
    if not module.name.endswith("__main__"):
        __import__(module.name)
with mockserver.serve(mockserver.Reply.of("Hel", "lo")) as server:
    print(server.url)
"""


def test_it_runs_without_langchain_and_pytest() -> None:
    """Every module imports, and a server starts, where neither can be imported."""
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(file: Path) -> None:
    """Nothing here imports `conformance`, LangChain or pytest, inside functions neither."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    assert not {name for name in names if name in ("conformance", "pytest") or name.startswith("langchain")}


def test_all_is_sorted_and_there() -> None:
    """Public names are listed once, in order, and exist."""
    names = mockserver.__all__
    assert names == sorted(set(names), key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(hasattr(mockserver, name) for name in names)
