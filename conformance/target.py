"""The model under test: found by its spec, built, aimed at the server, asked what it can do."""

import contextlib
import difflib
import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import FunctionType
from typing import Any, Final, get_args

from langchain_core.language_models import BaseChatModel

import mockserver
from mockserver import WIRES, Reply, Wire

from . import compat
from .build import TargetError, from_class, from_factory, from_instance, from_wrapped, no_stanza, pinned
from .cassettes import Cassettes, own_cassettes
from .catalogue import Form
from .explore.exploring import Exploring
from .guessing import Make, guessed
from .in_process import building
from .integrations import SETTINGS, UNITS, Stanza, environment, known
from .loopback import unnoted
from .needs import lacking
from .serving import serving, trusted
from .wording import describe_error
from .wrapped import Wrapper, can_be_asked, models_in, wrapper_of

_FIXED_HOST: Final = "; for a host that nothing changes there is `in_process` (docs/integrations.md#in_process)"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A chat model that can be built again and again.

    Args:
        spec: as given, ``package.module:Name``.
        label: short name, as it stands in node ids.
        make: builds the model for a server's URL and further constructor arguments.
        wire: what it speaks.
        stanza: how it is built.
        extra: constructor arguments of the user's.
        cassettes: the recordings that it is tried on.
        exploring: how much is generated for it.
        profile: what the model's profile says that it can do.
        guessed: the stanza to pin, where it was guessed.
        wrapper: what the model is wrapped in; `model_class` is then the class of the model inside, or `BaseChatModel`
            where none can be seen.
    """

    spec: str
    label: str
    make: Callable[..., BaseChatModel]
    wire: Wire
    stanza: Stanza
    model_class: type[BaseChatModel]
    extra: Mapping[str, Any] = field(default_factory=dict)
    cassettes: Cassettes = field(default_factory=own_cassettes)
    exploring: Exploring = field(default_factory=Exploring)
    profile: Mapping[str, Any] = field(default_factory=dict)
    guessed: str = ""
    wrapper: Wrapper | None = None

    @property
    def families(self) -> Mapping[str, str]:
        """The wires that it speaks, by their families."""
        return {WIRES[name].family: name for name in (*self.stanza.also, self.wire.name)}

    def speaking(self, family: str) -> "Target":
        """The same model, built so that it speaks the wire of this family."""
        name = self.families[family]
        if name == self.wire.name:
            return self

        def make(url: str, **fields: Any) -> BaseChatModel:
            return self.make(url, **{**self.stanza.choosing(name, url), **fields})

        return replace(self, wire=WIRES[name], make=make)

    def build(self, url: str, **fields: Any) -> BaseChatModel:
        """A new instance, aimed at `url`; `fields` are set on it over what stanza and user give."""
        return self.make(url, **{**self.extra, **fields})

    def has_field(self, name: str) -> bool:
        return name in self.model_class.model_fields

    def setting(self, name: str) -> str | None:
        """The field or argument for what rules set, such as ``timeout`` (of `SETTINGS`); `None` where there is none."""
        if name in self.stanza.settings:
            return self.stanza.settings[name] or None
        fields = self.model_class.model_fields
        known = [*fields, *(each.alias for each in fields.values() if each.alias)]
        return next((each for each in SETTINGS[name] if each in known), None)

    def with_settings(self, **values: Any) -> dict[str, Any]:
        """Fields for `build` by what they set: ``target.with_settings(retries=0)`` is ``{"max_retries": 0}``.

        Timeouts are in seconds, and retries do not count the first attempt; each is given as the model counts it, and
        rounded up where it takes whole numbers alone. Of several stop sequences the first is given where it takes one.
        """
        named = {self.setting(name): self._counted(name, value) for name, value in values.items()}
        return {name: value for name, value in named.items() if name}

    def _counted(self, name: str, value: Any) -> Any:
        """What a rule says of a setting, in the unit in which the model counts."""
        if unit := self.stanza.units.get(name):
            value = UNITS[name][unit](value)
        if not isinstance(value, float | list):
            return value
        fields, found = self.model_class.model_fields, self.setting(name)
        types = next((each.annotation for key, each in fields.items() if found in (key, each.alias)), None)
        if isinstance(value, list):
            takes_one = types is str or set(get_args(types)) == {str, type(None)}
            return value[0] if takes_one else value
        is_whole = types is int or (int in get_args(types) and float not in get_args(types))
        return math.ceil(value) if is_whole else value

    @property
    def reasoning(self) -> dict[str, Any]:
        """Fields for `build` with which it asks its provider for reasoning."""
        return dict(self.stanza.reasoning)

    def by_default(self, name: str, url: str) -> list[Any]:
        """What the class itself sets where this setting is left out: aimed at `url`, and aimed at its own provider.

        Such models are looked at and not asked anything. One that cannot be built so is left out.
        """
        stanza = self.stanza if self.stanza.kwargs else _stanza_of(self.model_class, {}) or self.stanza
        given = {argument: value for argument, value in stanza.kwargs.items() if argument != self.setting(name)}
        unaimed = {argument: value for argument, value in given.items() if argument not in stanza.aiming}
        found: list[Any] = []
        for kwargs, env in ((given, stanza.env), (unaimed, stanza.lasting)):
            make = from_class(self.spec, self.model_class, replace(stanza, kwargs=kwargs, env=env))
            with contextlib.suppress(TargetError), unnoted():
                found.append(getattr(make(url), self.setting(name) or name, None))
        return found

    def native(self, method: str) -> bool:
        """Whether the class implements `_stream`, `_astream`, `_agenerate` itself."""
        if self.wrapper and (not self.wrapper.has_model or method == "bind_tools"):
            return self.wrapper.implements(method)
        return compat.is_native(self.model_class, method)

    def streams(self, form: Form) -> bool:
        """Whether this form has token streaming: the async form may borrow the sync one's."""
        return self.native("_stream") or (form == "async" and self.native("_astream"))

    def lacks(self, need: str, form: Form) -> str | None:
        """Why a rule that needs this cannot run, or `None` where it can."""
        return lacking(self, need, form)


def resolve(spec: str, kwargs: Mapping[str, Any], stanzas: Mapping[str, Stanza]) -> Target:
    """The target that a `--chat-model` names.

    Args:
        spec: ``package.module:Name`` of a class, a factory (called with the server's URL) or an instance.
        kwargs: constructor arguments of the user's, over those of the stanza.
        stanzas: those of the user's project, over the shipped ones.

    Raises:
        TargetError: it cannot be found, built, or aimed.
    """
    stanza = stanzas.get(spec)
    with environment((stanza or _shipped_as(spec)).lasting):
        found = _find(spec)
    if isinstance(found, type):
        if not issubclass(found, BaseChatModel):
            raise TargetError(f"{spec} is a class, but no chat model: it does not inherit from BaseChatModel")
        return _of_class(spec, found, stanza or _stanza_of(found, stanzas), kwargs, partial(from_class, spec, found))
    if isinstance(found, BaseChatModel):
        stanza = stanza or _stanza_of(type(found), stanzas)
        return _of_class(spec, type(found), stanza, kwargs, partial(from_instance, spec, found))
    if not isinstance(found, FunctionType) and can_be_asked(found):
        return _of_wrapped(spec, found, stanza, kwargs, stanzas)
    if callable(found):
        return _checked(spec, stanza or Stanza(), kwargs, from_factory(spec, found, stanza or Stanza()))
    raise TargetError(f"{spec} is {found!r}: no chat model class, no factory, and no instance of one")


def _of_class(
    spec: str, found: type[BaseChatModel], stanza: Stanza | None, kwargs: Mapping[str, Any], make: Make
) -> Target:
    """The target of a class or an instance, whose stanza is guessed where there is none."""
    if stanza:
        return _checked(spec, stanza, kwargs, make(stanza))
    fitting, told = guessed(found, make, kwargs)
    if fitting is None:
        no_stanza(spec, found, told)
    return replace(_checked(spec, fitting, kwargs, make(fitting)), guessed=pinned(spec, fitting))


def _of_wrapped(
    spec: str, found: Any, stanza: Stanza | None, kwargs: Mapping[str, Any], stanzas: Mapping[str, Stanza]
) -> Target:
    """The target of a wrapped model, each of whose models is built as its class is."""

    def build(model: BaseChatModel) -> Callable[..., BaseChatModel]:
        own = stanza or _stanza_of(type(model), stanzas)
        if own:
            return from_instance(spec, model, own)
        fitting, told = guessed(type(model), partial(from_instance, spec, model), {})
        return from_instance(spec, model, fitting or no_stanza(spec, type(model), told))

    first = next(models_in(found), None)
    if first is None:
        raise TargetError(
            f"{spec} is {type(found).__name__}, in which no chat model can be seen that could be aimed; "
            "name a factory that gives it, a function that is called with the server's URL"
        )
    own = stanza or _stanza_of(type(first), stanzas) or Stanza()
    return _checked(spec, own, kwargs, from_wrapped(spec, found, build))


def _shipped_as(spec: str) -> Stanza:
    """The shipped stanza of the class that a spec names, as far as that can be told before it is imported."""
    module, _, name = spec.partition(":")
    return known().get(f"{module.partition('.')[0]}:{name}") or Stanza()


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
        try:
            found = getattr(found, part)
        except AttributeError:
            nearest = difflib.get_close_matches(part, dir(found), 1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise TargetError(f"--chat-model={spec}: {module_name!r} has no {part!r}{hint}") from None
        except Exception as error:  # packages that import their classes late raise what their import does
            raise TargetError(f"--chat-model={spec}: {part!r} cannot be imported: {describe_error(error)}") from None
    return found


def _stanza_of(found: type, stanzas: Mapping[str, Stanza]) -> Stanza | None:
    """The stanza of the class or of the nearest class that it inherits from; the user's come first."""
    for base in found.__mro__:
        package = base.__module__.partition(".")[0]
        for name in (f"{base.__module__}:{base.__qualname__}", f"{package}:{base.__qualname__}"):
            if stanza := stanzas.get(name) or known().get(name):
                return stanza
    return None


def _checked(spec: str, stanza: Stanza, kwargs: Mapping[str, Any], make: Callable[..., BaseChatModel]) -> Target:
    """Build the model once, against a server of its own, to see that it can be built and what it speaks."""
    with serving(Reply.of("Hello"), tls=stanza.tls, asides=stanza.asides) as server, trusted(server):
        with building(stanza):
            model = make(server.url, **kwargs)
        wrapper = wrapper_of(model)
        inner = next(models_in(model), model)
        of_class = _stanza_of(type(inner), {}) or Stanza()
        name = _chosen(stanza, kwargs) or _chosen(of_class, kwargs) or stanza.wire or of_class.wire
        wire = WIRES[name] if name else _heard(spec, model, server)
    hidden = tuple(dict.fromkeys(stanza.clear_env + of_class.clear_env))
    reasoning = stanza.reasoning or of_class.reasoning
    in_process = stanza.in_process or (stanza.wire is None and of_class.in_process)
    return Target(
        spec=spec,
        label=spec.partition(":")[2],
        make=make,
        wire=wire,
        stanza=replace(
            stanza, clear_env=hidden, also={**of_class.also, **stanza.also}, reasoning=reasoning, in_process=in_process
        ),
        model_class=type(inner) if isinstance(inner, BaseChatModel) else BaseChatModel,
        extra=kwargs,
        profile=compat.profile_of(inner),
        wrapper=wrapper,
    )


def _chosen(stanza: Stanza, kwargs: Mapping[str, Any]) -> str | None:
    """The further wire that the user's arguments choose, if they do."""
    chosen = (wire for wire, arguments in stanza.also.items() if arguments.items() <= kwargs.items())
    return next(chosen, None)


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
        reason = f"it sends no request to the URL that it is called with{error}{_FIXED_HOST}"
    raise TargetError(f"{spec}: {reason}")
