"""REQUEST: settings of the constructor, of `bind` and of a call, and whether a stream is asked for."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from langchain_core.callbacks import BaseCallbackHandler

from mockserver import Asked

from ..catalogue import MUST, Case, rule
from ..compat import text_of
from ..drive import PROMPT, Probe
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief
from . import scripts
from .asking import METHODS, asked_by

_STOP: Final[tuple[str, ...]] = ("END", "Observation:")
_VALUES: Final = {"temperature": 0.25, "max_tokens": 77}


@rule(
    "REQUEST-02",
    MUST,
    "stop is sent, in invoke and in stream: given by call, by bind and at construction",
    needs=("stop",),
    cases=lambda target: [
        Case("call"),
        Case("bind"),
        *([Case("constructor")] if target.setting("stop") else []),
    ],
    hint="an answer runs on past the text at which the caller wants it to end, and the caller pays for it",
    mend="send what `_generate` and `_stream` are given as `stop`, else what the instance has",
    source="BaseChatModel._generate(stop=); langchain-ai/langchain-google#1586",
)
def stop_is_sent(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    fields = probe.target.with_settings(stop=list(_STOP)) if case.name == "constructor" else {}
    wanted = _STOP[:1] if _STOP[0] in fields.values() else _STOP
    model: Any = probe.model(**fields)
    model = model.bind(stop=list(_STOP)) if case.name == "bind" else model
    call = {"stop": list(_STOP)} if case.name == "call" else {}
    for method in METHODS:
        asked = asked_by(probe, method, on=model, **call)
        if asked.stop != wanted:
            told = f"stop sequences {list(wanted)} in the request of {probe.name(method)}"
            raise Broken(told, repr(list(asked.stop)))


@rule(
    "REQUEST-03",
    MUST,
    "parameters are sent, in invoke and in stream, and those of a call or of bind do not stick to the instance",
    cases=lambda target: list(_parameters(target)),
    hint="a setting that is lost on one path, or that a call leaves behind, changes other answers without a word",
    mend="merge the instance's settings with those of the call into a body of its own for each call",
    source="BaseChatModel._generate(**kwargs): 'usually passed to the model provider API call'",
)
def parameters_are_sent(probe: Probe, case: Case) -> None:
    name, way = case.value
    probe.play(scripts.PLAIN)
    base = probe.model()
    plain = asked_by(probe, "invoke", on=base)
    for method in METHODS:
        asked = _asked_with(probe, method, name, way)
        if asked.settings.get(name) != _VALUES[name]:
            wanted = f"{name} {_VALUES[name]} in the request of {probe.name(method)}"
            raise Broken(wanted, brief(dict(asked.settings)))
        after = asked_by(probe, method, on=base)
        if after.settings != plain.settings:
            raise Broken(f"later requests with {dict(plain.settings)}", brief(dict(after.settings)))


def _asked_with(probe: Probe, method: str, name: str, way: str) -> Asked:
    """The request of a call for which this is set in this way."""
    if way == "constructor":
        return asked_by(probe, method, on=probe.model(**probe.target.with_settings(**{name: _VALUES[name]})))
    *first, last = ({spelling: _VALUES[name]} for spelling in _spellings(probe.target, name))
    for given in first:
        with contextlib.suppress(Broken):
            return _asked_for(probe, method, way, given)
    before = len(probe.exchanges)
    try:
        return _asked_for(probe, method, way, last)
    except Broken:
        # A setting that is refused aloud is not lost; where one method takes it and the other refuses it, it is.
        if method != METHODS[0] or len(probe.exchanges) > before:
            raise
        raise NotApplicable(f"{probe.target.label} refuses {name} in a call") from None


def _asked_for(probe: Probe, method: str, way: str, given: dict[str, Any]) -> Asked:
    if way == "bind":
        return asked_by(probe, method, on=probe.model().bind(**given))
    return asked_by(probe, method, **given)


def _spellings(target: Target, name: str) -> list[str]:
    """What a call may name it: as the constructor does, or (where it refuses that) as its field does."""
    given = str(target.setting(name))
    return [given, *(own for own, each in target.model_class.model_fields.items() if each.alias == given)]


def _parameters(target: Target) -> Iterator[Case]:
    for name in _VALUES:
        if target.setting(name):
            for way in ("call", "bind", "constructor"):
                yield Case(f"{name.replace('_', '-')}-{way}", (name, way))


def _may_stream_always(target: Target) -> bool:
    """Whether the model has such a setting that langchain-core knows; up to 0.3 it is a package's own affair."""
    return target.has_field("streaming") and not target.lacks("core>=1.0", "sync")


@rule(
    "REQUEST-09",
    MUST,
    "disable_streaming and streaming=True are honoured",
    needs=("stream",),
    cases=lambda target: [
        Case("never", {"disable_streaming": True}),
        *([] if target.lacks("tools", "sync") else [Case("not-with-tools", {"disable_streaming": "tool_calling"})]),
        *([Case("always", {"streaming": True})] if _may_stream_always(target) else []),
    ],
    hint="applications turn streaming off where a model's streams are not right, and on where a proxy waits too long",
    mend="leave the choice to langchain-core: override `_stream` and `_generate`, not `stream` and `invoke`",
    source="BaseChatModel.disable_streaming, BaseChatModel._should_stream",
)
def streaming_is_chosen(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    if case.name == "always":
        if not asked_by(probe, "invoke", on=probe.model(**case.value)).stream:
            raise Broken(f"{probe.name('invoke')} asks for a stream", "it asks for a whole answer")
        return
    _is_whole(probe, probe.model() if case.name == "never" else probe.with_tools(scripts.TOOLS), case)
    if case.name == "not-with-tools" and not asked_by(probe, "stream", on=probe.model(**case.value)).stream:
        raise Broken("without tools it asks for a stream", "it asks for a whole answer")


def _is_whole(probe: Probe, plain: Any, case: Case) -> None:
    """Whether `stream` asks as `invoke` does, and gives the text at once."""
    usual = asked_by(probe, "invoke", on=plain).stream
    fields = case.value
    model = probe.model(**fields) if case.name == "never" else probe.with_tools(scripts.TOOLS, **fields)
    asked = asked_by(probe, "stream", on=model)
    if asked.stream != usual:
        raise Broken(
            f"{probe.name('stream')} asks as {probe.name('invoke')} does: stream {usual}", f"stream {asked.stream}"
        )
    texts = [text for chunk in probe.stream(on=model) if (text := text_of(chunk))]
    if texts != [scripts.PLAIN.text]:
        raise Broken(f"the text in one chunk: {scripts.PLAIN.text!r}", brief(texts))


_OTHER: Final = "another-model-2026"


class _Named(BaseCallbackHandler):
    """Notes under which name of a model a run is traced."""

    def __init__(self) -> None:
        self.name: str | None = None

    def on_chat_model_start(self, *args: Any, metadata: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self.name = (metadata or {}).get("ls_model_name")


@rule(
    "REQUEST-10",
    MUST,
    "a model that is named for one call is asked for, and traced as ls_model_name; or the call is refused",
    cases=(Case("call"), Case("bind")),
    hint="traces and bills are read by the model's name; one that is not the one that answered misleads both",
    mend="merge the call's arguments before both the request and `_get_ls_params` are made",
    source="BaseChatModel._get_ls_params: `ls_model_name` is the call's `model` where there is one",
)
def named_model_is_asked(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    base = probe.model()
    plain = asked_by(probe, "invoke", on=base)
    for method in METHODS:
        traced = _Named()
        before = len(probe.exchanges)
        call: dict[str, Any] = {"config": {"callbacks": [traced]}}
        call |= {"on": base, "model": _OTHER} if case.name == "call" else {"on": base.bind(model=_OTHER)}
        try:
            asked = asked_by(probe, method, **call)
        except Broken:
            if len(probe.exchanges) > before:
                raise
            return
        _is_named(probe.name(method), asked, traced)
        if asked_by(probe, method, PROMPT, on=base).model != plain.model:
            raise Broken(f"the next call asks for {plain.model!r} again", "it asks for another model")


def _is_named(method: str, asked: Asked, traced: _Named) -> None:
    # Where the model stands in the path, some providers' names have a prefix.
    if not asked.model.endswith(_OTHER):
        raise Broken(f"{method} asks for the model {_OTHER!r}", repr(asked.model))
    if traced.name is None or not traced.name.endswith(_OTHER):
        raise Broken(f"{method} is traced with ls_model_name {_OTHER!r}", repr(traced.name))
