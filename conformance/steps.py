"""What a caller did and what came of it, noted while a rule runs, for those who read of it later.

What is noted are words: to keep an answer or an error would keep alive what a model must let go of.
"""

import reprlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

from langchain_core.messages import BaseMessage

from .wording import describe_error

T = TypeVar("T")

Deed: TypeAlias = Literal["calls", "asks", "reads on", "cancels", "closes", "answers", "ends", "raises", "is closed"]
"""What a caller does (the first five), and what comes of it."""

_WIDTH: Final = 160
"""Characters that a value is told in."""
_SOME: Final = 3
"""How many of several values are told."""
_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _WIDTH
_CARRIED: Final = ("tool_call_chunks", "tool_calls", "invalid_tool_calls", "usage_metadata", "chunk_position")
"""What a message may carry beside its content, in the order in which it is told."""
_FINISHES: Final = ("finish_reason", "stop_reason", "done_reason", "status")


class Step(NamedTuple):
    """A deed, or what came of one: when (seconds of `time.monotonic`), and in a few words what was given or raised."""

    at: float
    what: Deed
    said: str = ""


@dataclass(frozen=True)
class Course:
    """A call or a stream by the name of its method, with its steps in order. Safe from any thread.

    `seen` are the items that a stream gave, which `Stream` notes with their times.
    """

    name: str
    seen: list[Any] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def note(self, what: Deed, said: str = "") -> None:
        self.steps.append(Step(time.monotonic(), what, said))

    def outcome(self, deed: Callable[[T], Deed | None]) -> "Future[T]":
        """What a deed is to come to: what is raised, or a value, of which `deed` says what came of it.

        It is noted before anybody who waits for it is told.
        """
        return _Outcome(self, deed)


class _Outcome(Future[T]):
    """Notes what it is set to."""

    def __init__(self, course: Course, deed: Callable[[T], Deed | None]) -> None:
        super().__init__()
        self._course = course
        self._deed = deed

    def set_result(self, result: T) -> None:
        if what := self._deed(result):
            self._course.note(what, said(result) if what == "answers" else "")
        super().set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        if exception is not None:
            self._course.note("raises", describe_error(exception))
        super().set_exception(exception)


def said(value: object) -> str:
    """A value in at most `_WIDTH` characters, of messages what they say and carry."""
    try:
        text = _said(value)
    except Exception:  # noqa: BLE001 - a model may give what cannot be looked at
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _said(value: object) -> str:
    if isinstance(value, BaseMessage):
        return _message(value)
    if isinstance(value, Mapping) and "event" in value:
        return _event(value)
    if isinstance(value, list | tuple) and value:
        told = "; ".join(map(said, value[:_SOME]))
        return f"{len(value)}: {told}" + ("; …" if len(value) > _SOME else "")
    return _SHORT.repr(value)


def _message(message: BaseMessage) -> str:
    """``'Hel'``, ``'' tool_call_chunks=[…]``, ``'' finish_reason='stop'``."""
    told = [_SHORT.repr(getattr(message, "content", ""))]
    carried = [(name, getattr(message, name, None)) for name in _CARRIED]
    told += [f"{name}={_SHORT.repr(value)}" for name, value in carried if value]
    about = getattr(message, "response_metadata", None)
    if isinstance(about, Mapping):
        told += [f"{name}={_SHORT.repr(about[name])}" for name in _FINISHES if about.get(name)]
    return " ".join(told)


def _event(event: Mapping[str, Any]) -> str:
    """``on_chat_model_stream 'Hel'``; of an event that is none of those, its data."""
    data = event.get("data")
    if isinstance(data, Mapping):
        data = next((data[name] for name in ("chunk", "output", "input") if name in data), data)
    rest = data if "data" in event else {name: each for name, each in event.items() if name != "event"}
    return f"{event['event']} {said(rest)}"
