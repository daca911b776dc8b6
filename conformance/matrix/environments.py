"""Environments: one for each distinct set of packages, built once and kept in a cache folder.

This project itself goes into each, from where it runs: the same checkout, or the same release.
"""

import hashlib
import json
import os
import re
import shutil
import sys
import threading
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from ..reports.facts import DISTRIBUTION, suite_version
from .children import Children, TimeLimit
from .listing import Integration

_READY: Final = "ready.json"
_LIMIT: Final = 1800.0
"""Seconds that a step of building may take."""
_EXTRA: Final = "tls"
"""What some stanzas need of this project: classes that take https alone."""
_FOREIGN: Final = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTEST_ADDOPTS", "UV_PYTHON")
"""Variables that would bring something of the present environment into another."""


class BuildError(Exception):
    """An environment that cannot be built; the text says why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a model runs.

    Args:
        python: its interpreter.
        seconds: what building it took; 0 where it was there.
    """

    python: Path
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Own:
    """How this project is installed where it runs.

    Args:
        arguments: what pip is to install, to have the same elsewhere.
        identity: changes where that must be installed anew.
    """

    arguments: tuple[str, ...]
    identity: str


def own() -> Own:
    """How this project is installed here: as a checkout, from a folder, or as a release.

    Raises:
        BuildError: it is not installed.
    """
    try:
        told = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        raise BuildError(f"{DISTRIBUTION} is not installed here, so it cannot be elsewhere: pip install it") from None
    origin: dict[str, Any] = json.loads(told) if told else {}
    url = str(origin.get("url", ""))
    if not url.startswith("file:"):
        wanted = f"{DISTRIBUTION}[{_EXTRA}]"
        wanted += f" @ {_pinned(url, origin)}" if url else f"=={suite_version()}"
        return Own((wanted,), wanted)
    folder = unquote(urlsplit(url).path)
    editable = bool(origin.get("dir_info", {}).get("editable"))
    wanted = f"{folder}[{_EXTRA}]"
    return Own(("-e", wanted) if editable else (wanted,), f"{wanted} {editable} {_required(Path(folder))}")


def _pinned(url: str, origin: Mapping[str, Any]) -> str:
    vcs = origin.get("vcs_info")
    return f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if vcs else url


def _required(folder: Path) -> str:
    """What a checkout requires; it is installed anew where that changes."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return ""
    return json.dumps([project.get("dependencies"), project.get("optional-dependencies", {}).get(_EXTRA)])


class Environments:
    """Builds environments in a folder, each once, however many threads ask for it."""

    def __init__(self, folder: Path, children: Children) -> None:
        self._folder = folder
        self._children = children
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._own: Own | None = None
        self._failed: dict[str, str] = {}

    def of(self, integration: Integration, log: Path) -> Environment:
        """The environment for an integration, built where it is not there.

        Raises:
            BuildError: it cannot be built.
            Stopped: the command is being ended.
        """
        if integration.is_current:
            return Environment(Path(sys.executable))
        with self._lock:
            self._own = self._own or own()
            folder = self._folder / _folder_name(integration, self._own)
            lock = self._locks.setdefault(folder.name, threading.Lock())
        with lock:
            if reason := self._failed.get(folder.name):
                raise BuildError(reason)
            if (folder / _READY).is_file() and _python(folder).exists():
                return Environment(_python(folder))
            try:
                return self._built(folder, integration, self._own, log)
            except BuildError as error:
                self._failed[folder.name] = str(error)
                raise

    def _built(self, folder: Path, integration: Integration, own: Own, log: Path) -> Environment:
        started = time.monotonic()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        constraints = folder / "constraints.txt"
        constraints.write_text("".join(f"{each}\n" for each in integration.constraints), encoding="utf-8")
        wanted = ["-c", str(constraints), *own.arguments, *integration.packages]
        for command in _commands(folder, integration.python, wanted):
            self._step(command, folder, log)
        seconds = round(time.monotonic() - started, 1)
        ready = {"packages": integration.packages, "constraints": integration.constraints, "seconds": seconds}
        (folder / _READY).write_text(json.dumps(ready), encoding="utf-8")
        return Environment(_python(folder), seconds)

    def _step(self, command: Sequence[str], folder: Path, log: Path) -> None:
        at = log.stat().st_size if log.exists() else 0
        try:
            status = self._children.run(command, log=log, cwd=folder, env=clean(os.environ), limit=_LIMIT)
        except TimeLimit:
            raise BuildError(
                f"the environment was not built within {_LIMIT:.0f} s: {' '.join(command[:3])} …"
            ) from None
        except OSError as error:
            raise BuildError(f"the environment cannot be built: {command[0]}: {error.strerror}") from None
        if status:
            raise BuildError(f"the environment cannot be built: {_last_words(log, at)}")


def clean(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment variables for a process in another environment."""
    return {name: value for name, value in variables.items() if name not in _FOREIGN}


def _commands(folder: Path, python: str, wanted: Sequence[str]) -> list[list[str]]:
    """What builds an environment, with uv where it is installed.

    Raises:
        BuildError: there is no such Python.
    """
    if uv := _uv():
        version = python or f"{sys.version_info.major}.{sys.version_info.minor}"
        made = [uv, "venv", "--quiet", "--allow-existing", "--python", version, str(folder)]
        return [made, [uv, "pip", "install", "--python", str(_python(folder)), *wanted]]
    interpreter = shutil.which(f"python{python}") if python else sys.executable
    if not interpreter:
        raise BuildError(f"there is no python{python} here; install it, or uv, which gets it")
    pip = [str(_python(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return [[interpreter, "-m", "venv", str(folder)], [*pip, *wanted]]


def _uv() -> str | None:
    """uv, on the path or beside the interpreter."""
    return shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _folder_name(integration: Integration, own: Own) -> str:
    """Readable, and different for whatever is installed differently."""
    python = integration.python or f"{sys.version_info.major}.{sys.version_info.minor}"
    told = json.dumps([sorted(integration.packages), sorted(integration.constraints), python, own.identity])
    readable = re.sub(r"[^\w.]+", "-", max(sorted(integration.packages), key=len)).strip("-")[:50]
    return f"{readable}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def _last_words(log: Path, at: int) -> str:
    """What the log says last, from a place on: up to three lines."""
    with log.open("rb") as file:
        file.seek(at)
        lines = file.read().decode(errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip() and not line.startswith("$ ")]
    return " ".join(said[-3:])[:400] or "it said nothing"
