"""Models in wrappers: what `bind`, `with_retry`, `with_fallbacks` and the like give, and objects that are no
`BaseChatModel` and yet have its methods.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, Final, TypeGuard

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableBinding, RunnableSequence, RunnableWithFallbacks
from langchain_core.runnables.configurable import DynamicRunnable
from langchain_core.runnables.retry import RunnableRetry
from pydantic import BaseModel

_ASKED: Final = ("invoke", "ainvoke", "stream", "astream", "bind_tools", "with_structured_output")
"""The methods that rules and needs ask for by name."""
_PASSING: Final = (BaseChatModel, RunnableBinding, DynamicRunnable)
"""What opens no run beside the model's."""
_BEHIND: Final = {"_generate": "invoke", "_agenerate": "ainvoke", "_stream": "stream", "_astream": "astream"}
"""What shows that an object does what a chat model implements by another method."""

_OF_ONE_RUN: Final = frozenset(
    {"BATCH-07", "CALLBACK-04", "EVENTS-01", "EVENTS-02", "EVENTS-04", "EVENTS-05", "EVENTS-07", "EVENTS-08"}
    | {"EVENTS-09"}
)
"""Rules that hold of the run that a call opens, where that is the model's."""
_OF_ITS_NAME: Final = frozenset({"EVENTS-02"})
"""Rules that hold of the name of the model's run."""
_OF_ONE_ATTEMPT: Final = frozenset({"CALLBACK-03", "FAULT-01"})
"""Rules that count what a model does after an error."""
_OF_ARGUMENTS: Final = frozenset({"BATCH-09", "REQUEST-02", "REQUEST-05", "STATE-03"})
"""Rules that call with further arguments, or copy all that is in the wrapper."""
_OF_TOOLS: Final = frozenset({"DEFAULT-04"})
"""Rules that compare what is there with what the model in the wrapper claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper:
    """What a model is wrapped in.

    Args:
        kind: the name of its class.
        has_model: whether the chat model in it can be seen.
        methods: what it has, of the methods that rules ask for.
        again: whether it asks again after an error, the same model or another one.
        runs: whether it may open a run of its own around the model's.
        renames: whether events may name it where they are of the model's run.
        steps: whether it does something else before the model is asked.
        is_runnable: whether it is one of langchain-core's runnables, of which chains are made.
        passes: whether it hands each call on to the model in it, without a run of its own.
    """

    kind: str
    has_model: bool
    methods: frozenset[str]
    again: bool
    runs: bool
    renames: bool
    steps: bool
    is_runnable: bool
    passes: bool

    def excuse(self, rule: str) -> str | None:
        """Why a rule says nothing of it, or `None` where it does."""
        reasons = {
            "opens a run of its own around the model's": self.runs and rule in _OF_ONE_RUN,
            "goes by another name than the model": self.renames and rule in _OF_ITS_NAME,
            "hides the model whose retries would be turned off": not self.has_model and rule.startswith("RETRY"),
            "asks again after an error": self.again and (rule in _OF_ONE_ATTEMPT or rule.startswith("RETRY")),
            "hands arguments of a call to another step than the model": self.steps and rule in _OF_ARGUMENTS,
            "is no model that can be copied": not self.is_runnable and rule == "STATE-03",
            "has no bind_tools": "bind_tools" not in self.methods and rule in _OF_TOOLS,
        }
        return next((f"{self.kind}, which {reason}" for reason, holds in reasons.items() if holds), None)

    def lacks(self, error: BaseException | None) -> str | None:
        """What it has not, where an error comes of that, or `None`."""
        while error is not None:
            if isinstance(error, AttributeError) and self.kind in (type(error.obj).__name__, _name(error.obj)):
                return f"{self.kind}, which has no {error.name}"
            if isinstance(error, TypeError) and str(error).startswith("Expected a Runnable") and not self.is_runnable:
                return f"{self.kind}, which is no Runnable, of which chains are made"
            error = error.__cause__
        return None

    def implements(self, method: str) -> bool:
        """Whether it has the method by which a method of `BaseChatModel` shows."""
        return _BEHIND.get(method, method) in self.methods


def wrapper_of(found: Any) -> Wrapper | None:
    """What is around a model; `None` where it is a chat model itself."""
    if isinstance(found, BaseChatModel):
        return None
    return Wrapper(
        kind=type(found).__name__,
        has_model=next(models_in(found), None) is not None,
        methods=frozenset(name for name in _ASKED if has(found, name)),
        again=any(isinstance(each, RunnableRetry | RunnableWithFallbacks) for each in _parts(found)),
        runs=not all(isinstance(each, _PASSING) for each in _parts(found)) or not isinstance(found, Runnable),
        renames=isinstance(found, DynamicRunnable),
        steps=any(isinstance(each, RunnableSequence) for each in _parts(found)),
        is_runnable=isinstance(found, Runnable),
        passes=_passes(found),
    )


def _name(found: object) -> str:
    return found.__name__ if isinstance(found, type) else ""


def not_taken(bound: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]) -> str | None:
    """Why a method cannot be called with these arguments, or `None` where it can."""
    try:
        signature(bound).bind(*arguments, **named)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def _passes(found: Any) -> bool:
    """Whether it is a binding (`bind`, `bind_tools`, `with_config`) of a chat model, or one of such."""
    inner = found.bound if isinstance(found, RunnableBinding) else None
    return isinstance(inner, BaseChatModel) or (inner is not None and _passes(inner))


def has(found: Any, name: str) -> bool:
    """Whether an object has an attribute, be it one that it fails to give."""
    try:
        return hasattr(found, name)
    except Exception:  # noqa: BLE001 - `__getattr__` of wrappers asks the models in them
        return True


def can_be_asked(found: Any) -> bool:
    """Whether an object has the methods of a chat model, in one form at least."""
    return not isinstance(found, type) and any(has(found, name) for name in ("invoke", "ainvoke"))


def _is_made_of_fields(found: Any) -> TypeGuard[BaseModel]:
    """Whether it is a runnable whose parts stand in its fields."""
    return isinstance(found, Runnable) and isinstance(found, BaseModel)


def models_in(found: Any) -> Iterator[BaseChatModel]:
    """The chat models in a wrapper, the one that is asked first before others."""
    return (each for each in _parts(found) if isinstance(each, BaseChatModel))


def _parts(found: Any) -> Iterator[Runnable[Any, Any]]:
    """A runnable and all that are in it, at any depth."""
    if isinstance(found, Runnable):
        yield found
        if _is_made_of_fields(found) and not isinstance(found, BaseChatModel):
            for name in type(found).model_fields:
                yield from _parts(getattr(found, name))
    elif isinstance(found, list | tuple | dict):
        for each in found.values() if isinstance(found, dict) else found:
            yield from _parts(each)


def with_models(found: Any, change: Callable[[BaseChatModel], BaseChatModel]) -> Any:
    """A wrapper like this one, with other chat models in it."""
    if isinstance(found, BaseChatModel):
        return change(found)
    if isinstance(found, list | tuple):
        return type(found)(with_models(each, change) for each in found)
    if isinstance(found, dict):
        return {name: with_models(each, change) for name, each in found.items()}
    if not _is_made_of_fields(found):
        return found
    fields = {name: getattr(found, name) for name in type(found).model_fields}
    return found.model_copy(update={name: with_models(each, change) for name, each in fields.items()})
