"""SECRET: the key stays where it belongs."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumpd, dumps
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.schemas import Run
from pydantic import SecretStr

from ..catalogue import MUST, Case, rule
from ..compat import identity_of, loaded, text_of
from ..drive import Probe
from ..integrations import KEY
from ..observe import same_text
from ..verdict import Broken, NotApplicable
from ..wording import brief, describe_error
from . import scripts

_TOKENS: Final = 64
_LEAST: Final = 8
"""Characters of a key, at least; a shorter one may stand in other words by chance."""
_WRITTEN: Final = (str, bytes, bool, int, float, list, tuple, set, dict, SecretStr, type(None))
"""What a dump can hold, or name as a secret."""


def _keys(model: BaseChatModel) -> set[str]:
    """The keys that a model holds: the one that it was given, and whatever its fields keep as a secret."""
    values = (getattr(model, name, None) for name in type(model).model_fields)
    kept = (value.get_secret_value() for value in values if isinstance(value, SecretStr))
    return {KEY, *(key for key in kept if len(key) >= _LEAST)}


def _written(probe: Probe, model: BaseChatModel) -> Iterator[tuple[str, str]]:
    yield "repr(model)", repr(model)
    yield "str(model)", str(model)
    yield "repr(model.bind(…))", repr(model.bind(stop=["end"]))


def _dumped(probe: Probe, model: BaseChatModel) -> Iterator[tuple[str, str]]:
    yield "dumps(model)", dumps(model)
    yield "dumpd(model)", repr(dumpd(model))
    yield "model.to_json()", repr(model.to_json())


class _Tracer(BaseTracer):
    """Keeps runs as tracers send them away."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def _persist_run(self, run: Run) -> None:
        parts = (run.serialized, run.extra, run.inputs, run.outputs, run.tags, run.events, run.error)
        self.told.append(" ".join(map(repr, parts)))


class _Listener(BaseCallbackHandler):
    """Keeps what callbacks are given."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.told.append(repr((args, kwargs)))

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        self.told.append(repr((args, kwargs)))


def _traced(probe: Probe, model: BaseChatModel) -> Iterator[tuple[str, str]]:
    probe.play(scripts.PLAIN)
    for method in ("invoke", "stream"):
        tracer, listener = _Tracer(), _Listener()
        config = {"callbacks": [tracer, listener]}
        if method == "invoke":
            probe.invoke(on=model, config=config)
        else:
            probe.stream(on=model, config=config)
        yield from (("a trace of " + probe.name(method), told) for told in tracer.told)
        yield from (("a callback of " + probe.name(method), told) for told in listener.told)


_SHOWN: Final[Mapping[str, Callable[[Probe, BaseChatModel], Iterator[tuple[str, str]]]]] = {
    "written": _written,
    "dumped": _dumped,
    "traced": _traced,
}


@rule(
    "SECRET-01",
    MUST,
    "repr, str, LangChain's dumps and traces never hold the key",
    cases=[Case(name, shown) for name, shown in _SHOWN.items()],
    hint="what is printed, logged and traced is read by many, and kept for long",
    mend="keep the key in a field of the type SecretStr, name it in lc_secrets, and pass it to the client alone",
    source="langchain_core.load.serializable.Serializable.lc_secrets",
)
def key_is_not_shown(probe: Probe, case: Case) -> None:
    model = probe.model()
    keys = _keys(model)
    for place, text in case.value(probe, model):
        for key in keys:
            if key in text:
                at = text.index(key)
                hidden = text[max(0, at - 60) : at + len(key) + 20].replace(key, "<the key>")
                raise Broken("no key", f"{place} holds it: …{hidden}…")


@rule(
    "SECRET-02",
    MUST,
    "a class that says that it is serialisable is dumped and loaded by LangChain, and sends the same request as before",
    forms="s",
    hint="saved chains and agents are loaded elsewhere, where the model must do what it did",
    mend="give each field under the name that the constructor takes, and the key in lc_secrets",
    source="langchain_core.load.load",
    after=("INVOKE-01",),
)
def dump_and_load_agree(probe: Probe, case: Case) -> None:
    model = probe.model(**probe.target.with_settings(max_tokens=_TOKENS))
    _check_claim(type(model))
    probe.play(scripts.PLAIN)
    try:
        again = loaded(dumps(model), type(model), _secrets(model))
    except Exception as error:
        raise Broken("a model that can be loaded", f"it raised {describe_error(error)}") from error
    if type(again) is not type(model):
        raise Broken(f"a {type(model).__name__}", brief(again))
    _check_objects(model, again)
    one, other = identity_of(model), identity_of(again)
    if different := [name for name in {**one, **other} if one.get(name) != other.get(name)]:
        name = different[0]
        raise Broken(f"{name} {one.get(name)!r}", f"{other.get(name)!r} after it was loaded")
    aimed = _aimed(probe, model)
    if aimed != _aimed(probe, again):
        raise Broken(f"{aimed}", f"{_aimed(probe, again)} after it was loaded")
    if not aimed:
        return  # It is aimed by something else than a field, and the loaded one might ask the real provider.
    sent, sent_again = _request(probe, model), _request(probe, again)
    for what, value in sent.items():
        if sent_again[what] != value:
            raise Broken(f"the same {what}: {brief(value)}", f"{brief(sent_again[what])} after it was loaded")


def _check_objects(model: BaseChatModel, again: BaseChatModel) -> None:
    """Whether the loaded model has what it was given.

    Raises:
        NotApplicable: it lacks an object (such as Google's credentials), which no dump can hold; where it is loaded,
            the environment gives one.
    """
    fields = type(model).model_fields
    for name in sorted(model.model_fields_set & fields.keys()):
        value = getattr(model, name)
        if fields[name].exclude and not isinstance(value, _WRITTEN) and getattr(again, name, None) is None:
            raise NotApplicable(f"{name} is an object, which no dump holds")


def _aimed(probe: Probe, model: BaseChatModel) -> dict[str, str]:
    """The fields that hold the server's URL."""
    values = {name: getattr(model, name, None) for name in type(model).model_fields}
    return {name: value for name, value in values.items() if isinstance(value, str) and probe.server.url in value}


def _check_claim(found: type[BaseChatModel]) -> None:
    """Whether the class says so itself.

    Raises:
        NotApplicable: it does not; a class that inherits it does not know under which name it is found.
    """
    if not found.is_lc_serializable():
        raise NotApplicable(f"{found.__name__} does not say that it is serialisable")
    owner = next(base for base in found.__mro__ if "is_lc_serializable" in vars(base))
    if owner is not found:
        raise NotApplicable(f"{found.__name__} inherits from {owner.__name__} that it is serialisable")


def _secrets(model: BaseChatModel) -> dict[str, str]:
    """The secrets to load it with, by their ids."""
    found: dict[str, str] = {}
    for name, id in model.lc_secrets.items():
        value = getattr(model, name, None)
        found[id] = value.get_secret_value() if isinstance(value, SecretStr) else KEY
    return found


def _request(probe: Probe, model: BaseChatModel) -> dict[str, Any]:
    """What one call sends.

    What follows the key in a header is left out: AWS's Signature Version 4 has the time of the request there.
    """
    before = len(probe.exchanges)
    same_text(scripts.PLAIN.text, text_of(probe.invoke(on=model)))
    exchange = probe.exchanges[before]
    assert exchange.asked
    headers = exchange.asked.request.headers.items()
    keyed = {name: value[: value.index(KEY) + len(KEY)] for name, value in headers if KEY in value}
    return {"path": exchange.path, "body": exchange.json, "headers with the key": keyed}
