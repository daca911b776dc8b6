"""What a stanza is: how a class is built, with places that are filled for a server."""

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

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
    "retries": {
        "retries": lambda value: value,
        "attempts": lambda value: value + 1,
        "windows": lambda value: value,
        "at-least-one": lambda value: max(value, 1),
    },
}
"""In what some settings may count: from what rules say, in the first unit of each, to what the model takes. Windows are
times for which is retried, each of some length; none of them is no retry. Some clients refuse to be told of none.
"""
OBJECT: Final = "import"
"""The key by which a table among the arguments stands for an object."""


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
        tls: whether it takes `https` alone; ``{url}`` is such a URL then, and ``{ca}`` the path of the certificate
            (PEM) by which the server is known.
        asides: what its client asks beside the conversation, ``"GET /path"``, with the JSON document that answers it.
        in_process: whether its client takes no URL, as its host is fixed in code. Recordings of its wire are then
            played to it within this process, and nothing else can be judged.
        versions: the releases of its package that were tried, for the reader.
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
    tls: bool = False
    asides: Mapping[str, Any] = field(default_factory=dict)
    in_process: bool = False
    versions: str = ""

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


_AUTHORITIES: Final[dict[str, str]] = {}
"""By the URL of a TLS server, the file with the certificate by which it is known."""


def trust(url: str, authority: str) -> None:
    """From now on ``{ca}`` stands for this file where a stanza is filled for the TLS server at `url`."""
    _AUTHORITIES[url] = authority


def authority(url: str) -> str:
    """The file that `trust` named for the TLS server at `url`; `""` where there is none."""
    return _AUTHORITIES.get(url, "")


def _places(url: str) -> dict[str, str]:
    return {"url": url, "key": KEY, "ca": authority(url)}


def _fill(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, text in places.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, dict):
        filled = {name: _fill(each, places) for name, each in value.items()}
        return _made(filled[OBJECT], filled.get("kwargs", {})) if OBJECT in filled else filled
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
