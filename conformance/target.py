"""The model under test: found by its spec, built, aimed at the server, asked what it can do."""

import difflib
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn

from langchain_core.language_models import BaseChatModel

import mockserver
from mockserver import WIRES, Reply, Wire

from . import compat
from .catalogue import Form
from .drive import describe_error
from .integrations import Stanza, example, shipped


class TargetError(Exception):
    """A `--chat-model` that cannot be used; the text says what to change."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A chat model that can be built again and again.

    Args:
        spec: as given, ``package.module:Name``.
        label: short name, as it stands in node ids.
        make: builds the model for a server's URL and further constructor arguments.
        wire: what it speaks.
        stanza: how it is built.
    """

    spec: str
    label: str
    make: Callable[..., BaseChatModel]
    wire: Wire
    stanza: Stanza
    model_class: type[BaseChatModel]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def build(self, url: str, **fields: Any) -> BaseChatModel:
        """A new instance, aimed at `url`; `fields` are set on it over what stanza and user give."""
        return self.make(url, **{**self.extra, **fields})

    def has_field(self, name: str) -> bool:
        return name in self.model_class.model_fields

    def native(self, method: str) -> bool:
        """Whether the class implements `_stream`, `_astream`, `_agenerate` itself."""
        return getattr(self.model_class, method) is not getattr(BaseChatModel, method)

    def streams(self, form: Form) -> bool:
        """Whether this form has token streaming: the async form may borrow the sync one's."""
        return self.native("_stream") or (form == "async" and self.native("_astream"))

    def lacks(self, need: str, form: Form) -> str | None:
        """Why a rule that needs this cannot run, or `None` where it can."""
        if need in self.stanza.lacks:
            return f"{self.label} does not claim {need!r}"
        return _NEEDS[need](self, form)


def _core(self: Target, form: Form) -> str | None:
    return None if compat.CORE_VERSION >= (1, 0) else f"needs langchain-core 1.0, and this is {compat.CORE}"


def _stream(self: Target, form: Form) -> str | None:
    if self.streams(form):
        return None
    return f"{self.label} has no token streaming ({'_astream' if form == 'async' else '_stream'} is not implemented)"


def _no_stream(self: Target, form: Form) -> str | None:
    return f"{self.label} has token streaming" if self.streams(form) else None


def _native_async(self: Target, form: Form) -> str | None:
    if self.native("_agenerate") or self.native("_astream"):
        return None
    return f"{self.label} has no async implementation of its own; the default runs the sync one in a thread"


def _default_async(self: Target, form: Form) -> str | None:
    if self.native("_agenerate") and (self.native("_astream") or not self.native("_stream")):
        return f"{self.label} implements its async methods itself"
    return None


def _tools(self: Target, form: Form) -> str | None:
    return None if self.native("bind_tools") else f"{self.label} has no bind_tools"


def _given(self: Target, form: Form) -> str | None:
    return None


_NEEDS: Final[Mapping[str, Callable[[Target, Form], str | None]]] = {
    "core>=1.0": _core,
    "stream": _stream,
    "no stream": _no_stream,
    "native async": _native_async,
    "default async": _default_async,
    "tools": _tools,
    "usage": _given,
    "stop": _given,
}


def resolve(spec: str, kwargs: Mapping[str, Any], stanzas: Mapping[str, Stanza]) -> Target:
    """The target that a `--chat-model` names.

    Args:
        spec: ``package.module:Name`` of a class, a factory (called with the server's URL) or an instance.
        kwargs: constructor arguments of the user's, over those of the stanza.
        stanzas: those of the user's project, over the shipped ones.

    Raises:
        TargetError: it cannot be found, built, or aimed.
    """
    found = _find(spec)
    stanza = stanzas.get(spec)
    if isinstance(found, type):
        if not issubclass(found, BaseChatModel):
            raise TargetError(f"{spec} is a class, but no chat model: it does not inherit from BaseChatModel")
        stanza = stanza or _stanza_of(found, stanzas) or _no_stanza(spec, found)
        return _checked(spec, stanza, kwargs, _from_class(spec, found, stanza))
    if isinstance(found, BaseChatModel):
        stanza = stanza or _stanza_of(type(found), stanzas) or _no_stanza(spec, type(found))
        return _checked(spec, stanza, kwargs, _from_instance(spec, found, stanza))
    if callable(found):
        return _checked(spec, stanza or Stanza(), kwargs, _from_factory(spec, found, stanza or Stanza()))
    raise TargetError(f"{spec} is {found!r}: no chat model class, no factory, and no instance of one")


def _find(spec: str) -> Any:
    module_name, colon, name = spec.partition(":")
    if not module_name or not colon or not name:
        raise TargetError(f"--chat-model is written package.module:Name, not {spec!r}")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        reason = f"there is no module {missing!r}"
        if not f"{module_name}.".startswith(f"{missing}."):
            reason = f"{module_name!r} cannot be imported: it needs {missing!r}, which is not installed"
        elif missing == module_name.partition(".")[0]:
            reason += f"; is its package installed here? (pip install {missing.replace('_', '-')})"
        raise TargetError(f"--chat-model={spec}: {reason}") from None
    except Exception as error:
        raise TargetError(
            f"--chat-model={spec}: importing {module_name!r} fails with {describe_error(error)}"
        ) from None
    for part in name.split("."):
        if not hasattr(found, part):
            nearest = difflib.get_close_matches(part, dir(found), 1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise TargetError(f"--chat-model={spec}: {module_name!r} has no {part!r}{hint}")
        found = getattr(found, part)
    return found


def _stanza_of(found: type, stanzas: Mapping[str, Stanza]) -> Stanza | None:
    """The stanza of the class or of the nearest class that it inherits from; the user's come first."""
    for base in found.__mro__:
        package = base.__module__.partition(".")[0]
        for name in (f"{base.__module__}:{base.__qualname__}", f"{package}:{base.__qualname__}"):
            if stanza := stanzas.get(name) or shipped().get(name):
                return stanza
    return None


def _from_class(spec: str, found: type[BaseChatModel], stanza: Stanza) -> Callable[..., BaseChatModel]:
    def make(url: str, **fields: Any) -> BaseChatModel:
        given = _by_field(found, stanza.arguments(url)) | _by_field(found, fields)
        try:
            return found(**_by_alias(found, given))
        except Exception as error:
            raise TargetError(_unbuilt(spec, found, stanza, error)) from None

    return make


def _from_instance(spec: str, found: BaseChatModel, stanza: Stanza) -> Callable[..., BaseChatModel]:
    """Instances are built anew with the fields that were set on them, and aimed as their class is."""
    model_class = type(found)
    kept = {
        name: getattr(found, name)
        for name in found.model_fields_set
        if name in model_class.model_fields and not model_class.model_fields[name].exclude
    }
    from_class = _from_class(spec, model_class, replace(stanza, kwargs={}))

    def make(url: str, **fields: Any) -> BaseChatModel:
        aimed = _by_field(model_class, stanza.arguments(url))
        return from_class(url, **{**aimed, **kept, **_aim_only(aimed, url), **fields})

    return make


def _aim_only(arguments: Mapping[str, Any], url: str) -> dict[str, Any]:
    """The arguments that aim at the server, which win over what the instance had."""
    return {name: value for name, value in arguments.items() if isinstance(value, str) and url in value}


def _from_factory(spec: str, found: Callable[..., Any], stanza: Stanza) -> Callable[..., BaseChatModel]:
    try:
        inspect.signature(found).bind("url")
    except (TypeError, ValueError) as error:
        raise TargetError(f"{spec} is called with the server's URL, and does not take it: {error}") from None

    def make(url: str, **fields: Any) -> BaseChatModel:
        accepted = _accepted(found, fields)
        try:
            model = found(url, **stanza.arguments(url), **accepted)
        except Exception as error:
            raise TargetError(f"{spec} (called with the server's URL) fails with {describe_error(error)}") from None
        if not isinstance(model, BaseChatModel):
            raise TargetError(f"{spec} gives {type(model).__name__}, which is no BaseChatModel")
        for name in fields.keys() - accepted.keys():
            if name not in type(model).model_fields:
                raise TargetError(f"{spec} does not take {name!r}, and {type(model).__name__} has no such field")
            setattr(model, name, fields[name])
        return model

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


def _checked(spec: str, stanza: Stanza, kwargs: Mapping[str, Any], make: Callable[..., BaseChatModel]) -> Target:
    """Build the model once, against a server of its own, to see that it can be built and what it speaks."""
    with mockserver.serve(Reply.of("Hello")) as server:
        model = make(server.url, **kwargs)
        of_class = _stanza_of(type(model), {}) or Stanza()
        name = stanza.wire or of_class.wire
        wire = WIRES[name] if name else _heard(spec, model, server)
    return Target(
        spec=spec,
        label=spec.partition(":")[2],
        make=make,
        wire=wire,
        stanza=replace(stanza, clear_env=stanza.clear_env + of_class.clear_env),
        model_class=type(model),
        extra=kwargs,
    )


def _heard(spec: str, model: BaseChatModel, server: mockserver.Server) -> Wire:
    """The wire on which a model asks, found by asking it something."""
    try:
        model.invoke("Hello")
        error = ""
    except Exception as raised:
        error = f" (invoke raised {describe_error(raised)})"
    asked = next((each.asked for each in server.exchanges if each.asked), None)
    if asked:
        return WIRES[asked.wire]
    if server.exchanges:
        sent = f"{server.exchanges[0].method} {server.exchanges[0].path}"
        reason = f"it asks {sent}, which is none of the wires {', '.join(WIRES)}"
    else:
        reason = f"it sends no request to the URL that it is called with{error}"
    raise TargetError(f"{spec}: {reason}")


def _no_stanza(spec: str, found: type[BaseChatModel]) -> NoReturn:
    raise TargetError(
        f"{spec}: no stanza says how {found.__name__} is aimed at a local server; "
        f"add one to pyproject.toml, such as\n\n{example(spec, _guessed(found))}\n"
    )


def _guessed(found: type[BaseChatModel]) -> dict[str, str]:
    """Constructor arguments by what they are usually called, with what a stanza would give them."""
    usual = {
        "model": '"some-model"', "model_name": '"some-model"', "api_key": '"{key}"', "base_url": '"{url}/v1"',
        "endpoint": '"{url}"', "endpoint_url": '"{url}"',
    }  # fmt: skip
    names = {each.alias or name for name, each in found.model_fields.items()}
    required = {each.alias or name: '"…"' for name, each in found.model_fields.items() if each.is_required()}
    return {**required, **{name: value for name, value in usual.items() if name in names}} or {"base_url": '"{url}"'}


def _unbuilt(spec: str, found: type[BaseChatModel], stanza: Stanza, error: Exception) -> str:
    """Why a class could not be built: the arguments that are missing, or the error itself."""
    missing = [
        each.alias or name
        for name, each in found.model_fields.items()
        if each.is_required() and not {each.alias, name} & set(stanza.kwargs)
    ]
    if not missing:
        return f"{spec} cannot be built: {describe_error(error)}"
    given = {name: json.dumps(value) for name, value in stanza.kwargs.items()}
    wanted = dict.fromkeys(missing, '"…"')
    return (
        f"{spec} cannot be built: the argument{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))} "
        f"{'are' if len(missing) > 1 else 'is'} missing. Give it with --chat-model-kwargs='{{\"{missing[0]}\": …}}', "
        f"or in pyproject.toml:\n\n{example(spec, {**given, **wanted})}\n"
    )
