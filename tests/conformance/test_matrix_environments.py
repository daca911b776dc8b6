"""Environments of the matrix: what is built, once, and what is told where it cannot be."""

import json
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from conformance.matrix.children import Children, Stopped, TimeLimit
from conformance.matrix.environments import BuildError, Environments, clean, own
from conformance.matrix.listing import Integration

UV = """#!{python}
import os, pathlib, sys

pathlib.Path({log!r}).open("a").write(" ".join(sys.argv[1:]) + chr(10))
if sys.argv[1] == "venv":
    made = pathlib.Path(sys.argv[-1], "bin", "python")
    made.parent.mkdir(exist_ok=True)
    made.touch()
elif "langchain-none==1" in sys.argv:
    sys.exit("No solution found: there is no version of langchain-none==1")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was asked of uv, a line for each call; this uv installs nothing."""
    log = tmp_path / "asked"
    log.touch()
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(UV.format(python=sys.executable, log=str(log)), encoding="utf-8")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(uv.parent))
    return log


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    return Environments(tmp_path / "cache", Children())


def integration(*packages: str, **more: Any) -> Integration:
    return Integration(name="x", model="shop:Parrot", packages=packages, **more)


def test_each_set_is_built_once(installed: Path, environments: Environments, tmp_path: Path) -> None:
    """The order of packages does not matter; constraints and Python do; a later run finds what is there."""
    log = tmp_path / "log"
    first = environments.of(integration("a==1", "b==2"), log)
    assert environments.of(integration("b==2", "a==1"), log).python == first.python
    others = [integration("a==1"), integration("a==1", constraints=("c<3",)), integration("a==1", python="3.12")]
    assert len({environments.of(each, log).python for each in others} | {first.python}) == 4
    asked = installed.read_text(encoding="utf-8").splitlines()
    assert len(asked) == 8
    assert Environments(tmp_path / "cache", Children()).of(integration("a==1", "b==2"), log) == type(first)(
        first.python
    )
    assert installed.read_text(encoding="utf-8").splitlines() == asked


def test_this_project_goes_into_each(installed: Path, environments: Environments, tmp_path: Path) -> None:
    """As it is here, beside the packages, and under the constraints."""
    made = environments.of(integration("a==1", constraints=("c<3",), python="3.12"), tmp_path / "log")
    folder = made.python.parents[1]
    venv, install = installed.read_text(encoding="utf-8").splitlines()
    assert venv == f"venv --quiet --allow-existing --python 3.12 {folder}"
    assert install.endswith(f"-c {folder / 'constraints.txt'} {' '.join(own().arguments)} a==1")
    assert (folder / "constraints.txt").read_text(encoding="utf-8") == "c<3\n"


def test_what_cannot_be_built_is_told_once(installed: Path, environments: Environments, tmp_path: Path) -> None:
    """The error has what the installer said last; the same set is not tried again in this run, and is in the next."""
    for _ in range(2):
        with pytest.raises(
            BuildError, match="cannot be built: No solution found: there is no version of langchain-none"
        ):
            environments.of(integration("langchain-none==1"), tmp_path / "log")
    assert len(installed.read_text(encoding="utf-8").splitlines()) == 2
    with pytest.raises(BuildError):
        Environments(tmp_path / "cache", Children()).of(integration("langchain-none==1"), tmp_path / "log")
    assert len(installed.read_text(encoding="utf-8").splitlines()) == 4


def test_the_present_environment_is_used_as_it_is(environments: Environments, tmp_path: Path) -> None:
    """Nothing is built where an entry says that all is here."""
    assert environments.of(integration(is_current=True), tmp_path / "log").python == Path(sys.executable)
    assert not (tmp_path / "cache").exists()


def test_without_uv_another_python_must_be_there(
    environments: Environments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("conformance.matrix.environments._uv", lambda: None)
    with pytest.raises(BuildError, match=r"there is no python3\.99 here; install it, or uv"):
        environments.of(integration("a==1", python="3.99"), tmp_path / "log")


@pytest.mark.parametrize(
    ("origin", "wanted"),
    [
        (None, ("chat-model-conformance[tls]==0.1.0",)),
        ({"url": "file:///src/suite", "dir_info": {"editable": True}}, ("-e", "/src/suite[tls]")),
        ({"url": "file:///src/my%20suite", "dir_info": {}}, ("/src/my suite[tls]",)),
        (
            {"url": "https://git.example/suite", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            ("chat-model-conformance[tls] @ git+https://git.example/suite@abc",),
        ),
    ],
)
def test_this_project_is_found_as_it_was_installed(
    monkeypatch: pytest.MonkeyPatch, origin: Any, wanted: tuple[str, ...]
) -> None:
    """A release, a checkout, a folder and a commit."""

    class Installed:
        def read_text(self, name: str) -> str | None:
            return json.dumps(origin) if origin and name == "direct_url.json" else None

    monkeypatch.setattr(metadata, "distribution", lambda name: Installed())
    monkeypatch.setattr("conformance.matrix.environments.suite_version", lambda: "0.1.0")
    assert own().arguments == wanted


def test_nothing_of_the_present_environment_comes_along() -> None:
    """Search paths and options of pytest stay here; all else goes along."""
    assert clean({"PYTHONPATH": "/here", "PYTEST_ADDOPTS": "-x", "HOME": "/home"}) == {"HOME": "/home"}


def test_a_process_has_a_limit(tmp_path: Path) -> None:
    """What takes longer is ended; what it printed is in the log."""
    command = [sys.executable, "-u", "-c", "import threading; print('begun'); threading.Event().wait()"]
    with pytest.raises(TimeLimit):
        Children().run(command, log=tmp_path / "log", cwd=tmp_path, env=dict(os.environ), limit=0.5)
    assert (tmp_path / "log").read_text(encoding="utf-8").startswith(f"$ {sys.executable} ")


def test_nothing_starts_once_stopped(tmp_path: Path) -> None:
    """A thread that comes late starts no process."""
    children = Children()
    children.stop()
    with pytest.raises(Stopped):
        children.run([sys.executable, "-V"], log=tmp_path / "log", cwd=tmp_path, env=dict(os.environ))
