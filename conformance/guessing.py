"""How a class that has no stanza may be built: by the classes that it inherits from and by the names of its fields.

A guess is tried on a server: the model is built, asked something, and what the server sees tells whether it was right.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final, get_args

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from mockserver import WIRES, Reply, Wire

from .integrations import Stanza
from .loopback import unnoted
from .serving import serving
from .wording import describe_error

_MODELS: Final = ("model", "model_name", "model_id")
_KEYS: Final = ("api_key", "*_api_key", "token", "api_token", "*_api_token")
_URLS: Final = ("base_url", "api_base", "endpoint", "endpoint_url", "api_url", "url", "*_api_base", "*_base_url")
_SUFFIXES: Final = ("", "/v1", "/v1/chat/completions", "/v1/messages")
"""What a provider's base URL may have after the host."""
_UNVERSIONED: Final = ("/chat/completions", "/responses")
"""Paths that in the provider's documentation have a version before them."""
_LIMIT: Final = 10.0
"""Seconds for one question, which the server answers at once."""

Make = Callable[[Stanza], Callable[..., Any]]
"""From a stanza to what builds the model for a URL."""


def guesses(found: type[BaseChatModel]) -> Iterator[Stanza]:
    """Stanzas that may fit a class, without their wires; none where no field tells where a URL would go."""
    urls = list(_named(found, _URLS))
    rest = _rest(found)
    for names in dict.fromkeys([tuple(urls), *((each,) for each in urls)] if urls else []):
        for suffix in _SUFFIXES:
            yield Stanza(kwargs={**rest, **dict.fromkeys(names, f"{{url}}{suffix}")})


def guessed(found: type[BaseChatModel], make: Make, given: Mapping[str, Any]) -> tuple[Stanza | None, str]:
    """The stanza by which a model asks the server where it should, or `None` with what came of the attempts.

    Args:
        found: the class.
        make: what builds a model of a stanza.
        given: constructor arguments of the user's.
    """
    second: Stanza | None = None
    told: list[str] = []
    for stanza in guesses(found):
        wire, path, why = _tried(make(stanza), given)
        if wire is None:
            told.append(why)
        elif not _is_doubled(path):
            fitting = replace(stanza, wire=wire.name)
            if why and any(str(value).endswith(path) for value in stanza.kwargs.values()):
                continue  # the path is the guess's own, and the model does not read what is answered there
            if path not in _UNVERSIONED:
                return fitting, ""
            second = second or fitting
    return second, next(iter(told), "none of its fields is called as a URL usually is")


def _tried(make: Callable[..., Any], given: Mapping[str, Any]) -> tuple[Wire | None, str, str]:
    """The wire on which a model asks and the path, and why it does not ask or what it raises."""
    with serving(Reply.of("Hello")) as server, unnoted() as left:
        try:
            model = make(server.url, **given)
        except Exception as error:
            return None, "", describe_error(error)
        raised = _asked(model)
        exchange = next((each for each in server.exchanges), None)
        if exchange is None:
            return None, "", f"it asks {left[0]}" if left else _nobody(raised)
        path = exchange.path.partition("?")[0]
        if exchange.asked is None:
            return None, path, f"it asks {exchange.method} {path}, which is none of the wires"
        return WIRES[exchange.asked.wire], path, describe_error(raised) if raised else ""


def _nobody(error: BaseException | None) -> str:
    return f"it asks nobody{f', and raises {describe_error(error)}' if error else ''}"


def _asked(model: Any) -> BaseException | None:
    """Ask a model something, and give the error that it raises, if it does within the limit."""
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            model.invoke("Hello")
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=ask, name="conformance-guess", daemon=True)
    thread.start()
    thread.join(_LIMIT)
    return raised[0] if raised else None


def _is_doubled(path: str) -> bool:
    """Whether a path has its version twice, as where client and stanza both put it there."""
    return len(re.findall(r"/v\d\w*(?=/)", path)) > 1


def _rest(found: type[BaseChatModel]) -> dict[str, Any]:
    """The arguments beside the URL: model names that are not set, keys, and that streams end with the usage."""
    fields = _arguments(found)
    models = {name: "some-model" for name in _named(found, _MODELS) if not isinstance(fields[name].default, str)}
    secrets = [name for name, each in fields.items() if each.is_required() and SecretStr in _types(each)]
    keys = dict.fromkeys([*_named(found, _KEYS), *secrets], "{key}")
    return {**models, **keys, **({"stream_usage": True} if "stream_usage" in fields else {})}


def _arguments(found: type[BaseChatModel]) -> dict[str, FieldInfo]:
    """The fields by the names of their arguments."""
    return {each.alias or name: each for name, each in found.model_fields.items()}


def _named(found: type[BaseChatModel], patterns: tuple[str, ...]) -> Iterator[str]:
    """The arguments that take a text and whose name, or the name of whose field, is one of these."""
    for name, each in found.model_fields.items():
        known = any(fnmatchcase(own, pattern) for own in (name, each.alias or name) for pattern in patterns)
        if known and (_types(each) & {str, SecretStr, Any} or not isinstance(each.annotation, type)):
            yield each.alias or name


def _types(field: FieldInfo) -> set[Any]:
    """The types that a field takes."""
    return {field.annotation, *get_args(field.annotation)}
