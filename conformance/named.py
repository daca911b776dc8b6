"""The models that the command line names, found and built in an environment that changes nothing of them."""

import fnmatch
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from mockserver import CassetteError, MockServerError

from . import cassettes, wording
from .build import TargetError
from .explore.asked import exploring
from .integrations import Stanza, StanzaError, of_project, of_tables
from .loopback import attempts
from .offline import guard
from .serving import CERTIFICATES
from .target import Target, resolve

HIDDEN: Final = ("*_PROXY", "*_proxy", "LANGCHAIN_*", "LANGSMITH_*")
"""Environment that would change what a model sends and where to; hidden while items run."""
_CERTIFICATE: Final = Path(__file__).with_name("certificate.pem")

_TARGETS: Final = pytest.StashKey[tuple[Target, ...]]()


def targets(config: pytest.Config) -> tuple[Target, ...]:
    """The models that the command line names.

    Raises:
        pytest.UsageError: one of them cannot be used.
    """
    if _TARGETS not in config.stash:
        config.stash[_TARGETS] = _resolve(config)
    return config.stash[_TARGETS]


def _resolve(config: pytest.Config) -> tuple[Target, ...]:
    folder = Path(config.invocation_params.dir)
    if str(folder) not in sys.path:
        # As `python -m` does; so a model that is written in the user's own folder is found.
        sys.path.insert(0, str(folder))
    specs = list(dict.fromkeys(config.getoption("--chat-model")))
    kwargs = _kwargs(config.getoption("--chat-model-kwargs"))
    try:
        stanzas = {**_hooked(config), **of_project(folder)}
        with hidden(HIDDEN):
            found = [_found(config, spec, kwargs, stanzas) for spec in specs]
    except (StanzaError, TargetError, MockServerError) as error:
        left = wording.left(attempts())
        raise pytest.UsageError(f"{error}\n{left}" if left else str(error)) from None
    if paths := config.getoption("--cassette"):
        played = replace(_cassettes(folder, paths), chosen=True)
        found = [replace(each, cassettes=played) for each in found]
    found = [replace(each, exploring=exploring(config)) for each in found]
    labels = [each.label for each in found]
    return tuple(_renamed(each) if labels.count(each.label) > 1 else each for each in found)


def _hooked(config: pytest.Config) -> Mapping[str, Stanza]:
    """The stanzas of `pytest_chat_model_stanzas`; the nearest `conftest.py` comes first."""
    found: dict[str, Stanza] = {}
    for tables in reversed(config.hook.pytest_chat_model_stanzas()):
        found |= of_tables(tables, "pytest_chat_model_stanzas")
    return found


def _found(config: pytest.Config, spec: str, kwargs: dict[str, Any], stanzas: Mapping[str, Stanza]) -> Target:
    with guard(config).within(f"the building of {spec}"):
        return resolve(spec, kwargs, stanzas)


def _renamed(target: Target) -> Target:
    """Two models of one name are told apart by their modules."""
    return replace(target, label=target.spec.replace(":", "."))


def _cassettes(folder: Path, paths: Sequence[str]) -> cassettes.Cassettes:
    try:
        return cassettes.load([folder / path for path in paths])
    except CassetteError as error:
        raise pytest.UsageError("\n".join(f"--cassette: {line}" for line in str(error).splitlines())) from None


def _kwargs(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise pytest.UsageError(f"--chat-model-kwargs is a JSON object, not {text!r}: {error}") from None
    if not isinstance(value, dict):
        raise pytest.UsageError(f'--chat-model-kwargs is a JSON object such as {{"temperature": 0}}, not {text!r}')
    return value


@cache
def _matching(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """What matches the names that match one of these patterns, as file names do; compiled once, not for each item."""
    return re.compile("|".join(map(fnmatch.translate, patterns)) or "(?!)")


@contextmanager
def hidden(patterns: Sequence[str]) -> Iterator[None]:
    """Environment variables that match are not set meanwhile, and clients have one certificate to load.

    The server speaks HTTP on loopback, and yet each client loads all certificates of the machine when it is made, which
    takes longer than a call.
    """
    is_hidden = _matching(tuple(patterns)).match
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if is_hidden(name):
                patch.delenv(name)
        for name in CERTIFICATES:
            patch.setenv(name, str(_CERTIFICATE))
        yield
