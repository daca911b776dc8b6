"""How a model is built: from its class, from an instance, or by a factory; and what is said where it cannot be."""

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, Final, NoReturn, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable

from .integrations import Stanza, StanzaError, environment, example
from .wording import describe_error
from .wrapped import can_be_asked, models_in, with_models

_FIXED_HOST: Final = (
    "# in_process = true   # instead of a URL, where nothing changes the host that it asks: recordings are played to it"
)
"""A line of a stanza that is shown for a class of which it is not known how it is aimed."""


class TargetError(Exception):
    """A `--chat-model` that cannot be used; the text says what to change."""


class Unsettable(TargetError):
    """An argument that a factory does not take and that cannot be set on what it gives."""


def from_class(spec: str, found: type[BaseChatModel], stanza: Stanza) -> Callable[..., BaseChatModel]:
    def make(url: str, **fields: Any) -> BaseChatModel:
        with environment(stanza.environment(url)), _services_read_once():
            given = _by_field(found, _arguments(spec, stanza, url)) | _by_field(found, fields)
            try:
                return _ready(found(**_by_alias(found, given)), stanza)
            except Exception as error:
                raise TargetError(_unbuilt(spec, found, given, stanza, error)) from None

    return make


@contextmanager
def _services_read_once() -> Iterator[None]:
    """Let the sessions of botocore that are made meanwhile share what they read.

    Each reads the descriptions of AWS's services from disk anew, which takes 0.1 s of CPU, longer than most rules.
    """
    session: Any = sys.modules.get("botocore.session")
    if not hasattr(session, "create_loader"):
        yield
        return
    create_loader = inspect.unwrap(session.create_loader)
    session.create_loader = _kept(create_loader)
    try:
        yield
    finally:
        session.create_loader = create_loader


@cache
def _kept(create_loader: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which gives the same again for the same arguments."""
    return cache(create_loader)


def _arguments(spec: str, stanza: Stanza, url: str) -> dict[str, Any]:
    try:
        return stanza.arguments(url)
    except StanzaError as error:
        raise TargetError(f"{spec} cannot be built: {error}") from None


def _ready(model: BaseChatModel, stanza: Stanza) -> BaseChatModel:
    """The model, once it has made what it makes at the first call."""
    for name in stanza.eager:
        getattr(model, name)
    return model


def from_instance(spec: str, found: BaseChatModel, stanza: Stanza) -> Callable[..., BaseChatModel]:
    """Instances are built anew with the fields that were set on them, and aimed as their class is."""
    model_class = type(found)
    kept = {
        name: getattr(found, name)
        for name in found.model_fields_set
        if name in model_class.model_fields and not model_class.model_fields[name].exclude
    }
    build = from_class(spec, model_class, replace(stanza, kwargs={}))

    def make(url: str, **fields: Any) -> BaseChatModel:
        arguments = _arguments(spec, stanza, url)
        # Those that aim at the server win over what the instance had.
        aiming = {name: value for name, value in arguments.items() if name in stanza.aiming}
        aimed = _by_field(model_class, arguments)
        return build(url, **{**aimed, **kept, **_by_field(model_class, aiming), **fields})

    return make


def from_factory(spec: str, found: Callable[..., Any], stanza: Stanza) -> Callable[..., BaseChatModel]:
    try:
        inspect.signature(found).bind("url")
    except (TypeError, ValueError) as error:
        raise TargetError(f"{spec} is called with the server's URL, and does not take it: {error}") from None

    def make(url: str, **fields: Any) -> BaseChatModel:
        accepted = _accepted(found, fields)
        with environment(stanza.environment(url)), _services_read_once():
            arguments = {**_arguments(spec, stanza, url), **accepted}
            try:
                model = found(url, **arguments)
            except Exception as error:
                raise TargetError(f"{spec} (called with the server's URL) fails with {describe_error(error)}") from None
        rest = {name: value for name, value in fields.items() if name not in accepted}
        return _with_fields(spec, model, rest)

    return make


def _with_fields(spec: str, model: Any, fields: Mapping[str, Any]) -> BaseChatModel:
    """What a factory gave, with fields set on it.

    Raises:
        TargetError: it is no chat model, nor anything like it.
        Unsettable: it has no such field.
    """
    if not isinstance(model, BaseChatModel):
        if not can_be_asked(model):
            raise TargetError(f"{spec} gives {type(model).__name__}, which is no chat model: it has no invoke")
        for name in fields:
            kind = type(model).__name__
            raise Unsettable(f"{spec} does not take {name!r}, which cannot be set on the {kind} that it gives")
        return cast("BaseChatModel", model)  # rules call it as one, where it has what they call
    for name, value in _by_field(type(model), fields).items():
        if name not in type(model).model_fields:
            raise Unsettable(f"{spec} does not take {name!r}, and {type(model).__name__} has no such field")
        setattr(model, name, value)
    return model


def from_wrapped(spec: str, found: Runnable[Any, Any], build: Callable[[BaseChatModel], Callable[..., Any]]) -> Any:
    """A wrapper is built anew around models that are; `build` gives what builds one like a model in it."""
    makes = {id(each): build(each) for each in models_in(found)}

    def make(url: str, **fields: Any) -> Any:
        return with_models(found, lambda model: makes[id(model)](url, **fields))

    return make


def _accepted(found: Callable[..., Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(found).parameters.values()
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        return dict(fields)
    names = {each.name for each in parameters}
    return {name: value for name, value in fields.items() if name in names}


def _by_field(found: type[BaseChatModel], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by the name of their field, so that alias and name of one field are not both given."""
    names = {each.alias: name for name, each in found.model_fields.items() if each.alias}
    return {names.get(name, name): value for name, value in arguments.items()}


def _by_alias(found: type[BaseChatModel], arguments: Mapping[str, Any]) -> dict[str, Any]:
    fields = found.model_fields
    return {(fields[name].alias or name) if name in fields else name: value for name, value in arguments.items()}


def no_stanza(spec: str, found: type[BaseChatModel], tried: str) -> NoReturn:
    """Tell which stanza is to be written; `tried`: what came of guessing it."""
    raise TargetError(
        f"{spec}: no stanza says how {found.__name__} is aimed at a local server, and its fields do not tell "
        f"({tried.removeprefix(f'TargetError: {spec} ').partition('. Give it')[0]}); "
        f"add one to pyproject.toml, such as\n\n{example(spec, _usual(found))}\n{_FIXED_HOST}\n"
    )


def pinned(spec: str, stanza: Stanza) -> str:
    """The stanza as it stands in `pyproject.toml`."""
    return example(spec, {name: _toml(value) for name, value in stanza.kwargs.items()}, stanza.wire)


def _usual(found: type[BaseChatModel]) -> dict[str, str]:
    """Constructor arguments by what they are usually called, with what a stanza would give them."""
    usual = {
        "model": '"some-model"', "model_name": '"some-model"', "api_key": '"{key}"', "base_url": '"{url}/v1"',
        "endpoint": '"{url}"', "endpoint_url": '"{url}"',
    }  # fmt: skip
    names = {each.alias or name for name, each in found.model_fields.items()}
    required = {each.alias or name: '"…"' for name, each in found.model_fields.items() if each.is_required()}
    return {**required, **{name: value for name, value in usual.items() if name in names}} or {"base_url": '"{url}"'}


def _unbuilt(spec: str, found: type[BaseChatModel], given: Mapping[str, Any], stanza: Stanza, error: Exception) -> str:
    """Why a class could not be built: the arguments that are missing, or the error itself."""
    missing = [
        each.alias or name for name, each in found.model_fields.items() if each.is_required() and name not in given
    ]
    if not missing:
        return f"{spec} cannot be built: {describe_error(error)}"
    shown = {name: _toml(value) for name, value in stanza.kwargs.items()}
    wanted = dict.fromkeys(missing, '"…"')
    return (
        f"{spec} cannot be built: the argument{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))} "
        f"{'are' if len(missing) > 1 else 'is'} missing. Give it with --chat-model-kwargs='{{\"{missing[0]}\": …}}', "
        f"or in pyproject.toml:\n\n{example(spec, {**shown, **wanted})}\n"
    )


def _toml(value: Any) -> str:
    """A value as TOML writes it inline; it came from TOML, which has no null."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(name)} = {_toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
