"""What several tests need: rules, targets and exchanges made by hand, and a model that does as it is told."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final

import httpx
from langchain_core.language_models import BaseChatModel

from conformance.bench import Bench
from conformance.catalogue import MUST, Case, Check, Form, Rule
from conformance.drive import Probe
from conformance.integrations import Stanza
from conformance.item import Item
from conformance.target import Target
from mockserver import WIRES, Exchange, Frame, Gate, Refused, Write

OPENAI: Final = WIRES["openai-chat"]
LIMIT: Final = 10.0
"""Seconds to wait for what comes at once; only a test that fails waits so long."""
SHORT: Final = 0.05
"""Seconds to wait for what never comes."""
WHO: Final[ContextVar[str]] = ContextVar("who calls", default="nobody")
COUNTED: Final = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


def usage(**more: Any) -> Any:
    """Usage metadata of a message."""
    return {**COUNTED, **more}


def call(args: Any = None, **more: Any) -> Any:
    """A tool call of a message."""
    return {"name": "f", "args": {} if args is None else args, "id": "1", **more}


def no_model(url: str, **fields: Any) -> BaseChatModel:
    raise NotImplementedError


def target(make: Callable[..., BaseChatModel] = no_model, **fields: Any) -> Target:
    """A target that nothing was asked of."""
    known: dict[str, Any] = {
        "spec": "shop.models:Parrot",
        "label": "Parrot",
        "wire": OPENAI,
        "stanza": Stanza(),
        "model_class": BaseChatModel,
    }
    return Target(**{**known, "make": make, **fields})


def holds(probe: Probe, case: Case) -> None:
    """The check of a rule that always holds."""


def rule(check: Check = holds, **fields: Any) -> Rule:
    """A rule that stands in no catalogue."""
    known: dict[str, Any] = {"id": "STREAM-99", "level": MUST, "statement": "parrots repeat"}
    return Rule(**{**known, "check": check, **fields})


def item(of: Rule, *, form: Form = "sync", case: Case | None = None, on: Target | None = None) -> Item:
    return Item(on or target(), of, form, case or Case())


def probe_of(bench: Bench, form: Form, on: Target | None = None) -> Probe:
    return Probe(on or target(), form, bench)


def exchange(*frames: Frame, written: int | None = None, **fields: Any) -> Exchange:
    """An exchange of which `written` frames (all, where it is left out) were written."""
    made = Exchange(number=1, connection=1, method="POST", path="/v1/chat/completions", headers={}, body=b"{}")
    made.frames = frames
    count = len(frames) if written is None else written
    made.writes = [Write(0.0, len(frame.data), number) for number, frame in enumerate(frames[:count], 1)]
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def refused_exchange(why: str) -> Exchange:
    body = Frame(OPENAI.error(Refused(404, why)), "error")
    return exchange(body, refused=why, status=404, ended="refused")


def post(url: str, text: str = "hi", *, stream: bool = False) -> httpx.Response:
    """A request as an OpenAI client makes it."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "stream": stream}
    headers = {"authorization": "Bearer key"}
    return httpx.post(f"{url}/v1/chat/completions", content=json.dumps(body), headers=headers, timeout=LIMIT)


class Latch:
    """Holds the code of either form until it is opened, and says when code has come to it."""

    def __init__(self) -> None:
        self._arrived = threading.Event()
        self._opened = threading.Event()
        self._gate = Gate()

    def arrived(self) -> bool:
        return self._arrived.wait(LIMIT)

    def open(self) -> None:
        self._opened.set()
        self._gate.open()

    def passage(self) -> None:
        self._arrived.set()
        self._opened.wait()

    async def apassage(self) -> None:
        self._arrived.set()
        await self._gate.passage()


class Told:
    """Gives what it is told, in all forms: values are yielded, errors raised, latches waited at.

    `places`: the thread and the task of each step; `who`: who calls, as each step sees it; `left`: the errors with
    which the iterators were left.
    """

    def __init__(self, *steps: Any) -> None:
        self._steps = steps
        self.asked: list[Any] = []
        self.places: list[tuple[threading.Thread, Any]] = []
        self.who: list[str] = []
        self.left: list[str] = []

    def _here(self, task: Any = None) -> None:
        self.places.append((threading.current_thread(), task))
        self.who.append(WHO.get())

    def stream(self, input: Any) -> Iterator[Any]:
        self.asked.append(input)
        try:
            for step in self._steps:
                self._here()
                if isinstance(step, Latch):
                    step.passage()
                    continue
                if isinstance(step, BaseException):
                    raise step
                yield step
        except BaseException as error:
            self.left.append(type(error).__name__)
            raise
        finally:
            self._here()

    async def astream(self, input: Any) -> AsyncIterator[Any]:
        self.asked.append(input)
        try:
            for step in self._steps:
                self._here(asyncio.current_task())
                if isinstance(step, Latch):
                    await step.apassage()
                    continue
                if isinstance(step, BaseException):
                    raise step
                yield step
        except BaseException as error:
            self.left.append(type(error).__name__)
            raise
        finally:
            self._here(asyncio.current_task())

    def invoke(self, input: Any) -> Any:
        return list(self.stream(input))[-1]

    async def ainvoke(self, input: Any) -> Any:
        return [each async for each in self.astream(input)][-1]
