"""ASYNC: the event loop."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.language_models import BaseChatModel

from mockserver import Delivery, Turn

from ..calls import LIMIT, PATIENCE, Call
from ..catalogue import MUST, SHOULD, Case, rule
from ..drive import PROMPT, Probe
from ..observe import joined, same_text
from ..verdict import Broken
from . import scripts

_BEATS: Final = 3
_STALLS: Final = {
    "invoke-head": ("invoke", "head"),
    "stream-head": ("stream", "head"),
    "stream-first-piece": ("stream", 0),
    "stream-middle": ("stream", 1),
}


class _Heart:
    """A task that beats once a millisecond while the loop runs."""

    def __init__(self, probe: Probe) -> None:
        self.beats = 0
        self._call: Call[None] = probe.in_loop("heartbeat", self._beat)

    async def _beat(self) -> None:
        while True:
            self.beats += 1
            await asyncio.sleep(0.001)

    def stop(self) -> None:
        self._call.cancel()


def keeps_beating(probe: Probe, method: str, point: Any) -> None:
    """Stall the server at a point and watch whether the loop goes on meanwhile."""
    gate = probe.gate()
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(gates={point: gate})))
    heart = _Heart(probe)
    call = (
        probe.call("invoke", PROMPT)
        if method == "invoke"
        else probe.iterate("stream", PROMPT, on=probe.model()).drain()
    )
    probe.server.until(lambda: gate.arrived > 0 or call.done, timeout=LIMIT)
    if not gate.arrived:
        heart.stop()
        call.value()
        raise Broken("a request", "none")
    before = heart.beats
    beating = probe.server.until(lambda: heart.beats >= before + _BEATS, timeout=PATIENCE)
    gate.open()
    call.value()
    heart.stop()
    if not beating:
        raise Broken(
            f"a task beside {probe.name(method)} runs on while the server stalls",
            f"it ran {heart.beats - before} times in {PATIENCE:g} s",
        )


@rule(
    "ASYNC-01",
    MUST,
    "astream and ainvoke never block the loop while the server stalls",
    forms="a",
    cases=lambda target: [
        # An answer that comes whole has no middle.
        Case(name, where)
        for name, where in _STALLS.items()
        if target.streams("async") or where[1] == "head"
    ],
    hint="a sync client, a lock or time.sleep in async code stops every other task of the user's program",
    mend="use an async client, or run the sync call in an executor",
    source="https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code; "
    "langchain-ai/langchain-cohere#60, langchain-ai/langchain-google#1264",
)
def loop_keeps_running(probe: Probe, case: Case) -> None:
    keeps_beating(probe, *case.value)


_TOGETHER: Final = 4


@rule(
    "ASYNC-02",
    MUST,
    f"{_TOGETHER} concurrent ainvoke or astream overlap on the wire",
    forms="a",
    cases=(Case("invoke"), Case("stream")),
    hint="a lock, a semaphore or a pool of one makes concurrent calls wait for each other",
    mend="hold no lock across a request, and give the connection pool room",
    source="langchain_core/runnables/base.py: `abatch` runs its inputs with `asyncio.gather`",
)
def calls_overlap(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    probe.play(lambda asked: Turn(reply=scripts.echo(asked), delivery=Delivery(gates={"head": gate})))
    model = probe.model()
    texts = [f"question {number}" for number in range(_TOGETHER)]
    calls: list[Call[Any]] = [
        probe.call("invoke", text, on=model)
        if case.name == "invoke"
        else probe.iterate("stream", text, on=model).drain()
        for text in texts
    ]
    overlap = gate.wait_arrived(_TOGETHER, timeout=PATIENCE)
    seen = gate.arrived
    gate.open()
    for call in calls:
        call.value()
    if not overlap:
        raise Broken(f"{_TOGETHER} requests open at once", f"{seen}")


@rule(
    "ASYNC-03",
    SHOULD,
    "one instance works in a second asyncio.run",
    forms="a",
    cases=(Case("invoke"), Case("stream")),
    hint="an async client is bound to the loop that it first ran in; scripts and notebooks start more than one",
    alone=True,
    mend="keep async clients by the running loop, or make one for each call",
    source="langchain-ai/langchain#35783; httpx and aiohttp clients are bound to the loop of their connections",
)
def works_in_a_second_loop(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    model = probe.model()

    async def once() -> str:
        if case.name == "invoke":
            return joined([await model.ainvoke(PROMPT)])
        return joined([chunk async for chunk in model.astream(PROMPT)])

    for which in ("first", "second"):
        call = probe.in_thread(f"{probe.name(case.name)} in the {which} loop", lambda: asyncio.run(once()))
        same_text(scripts.PLAIN.text, call.value())
    if len(probe.exchanges) != 2:
        raise Broken("one request in each loop", f"{len(probe.exchanges)} requests", because="a call was sent again")


_WHO: Final[ContextVar[str]] = ContextVar("who calls")


class _AsyncWitness(AsyncCallbackHandler):
    """Notes who calls, as its callbacks see it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    async def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.seen.append(("on_chat_model_start", _WHO.get("nobody")))

    async def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        self.seen.append(("on_llm_new_token", _WHO.get("nobody")))

    async def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        self.seen.append(("on_llm_end", _WHO.get("nobody")))


class _Witness(BaseCallbackHandler):
    """The same, with callbacks that are not async."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.seen.append(("on_chat_model_start", _WHO.get("nobody")))

    def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        self.seen.append(("on_llm_new_token", _WHO.get("nobody")))

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        self.seen.append(("on_llm_end", _WHO.get("nobody")))


@rule(
    "ASYNC-04",
    MUST,
    "context variables set by the caller are seen by its callbacks, and each task has its own",
    forms="a",
    cases=(Case("invoke"), Case("stream")),
    hint="a thread or task that is started without the caller's context loses tracing, and mixes users up",
    mend="start threads with `contextvars.copy_context().run`, and tasks in the caller's context",
    source="https://docs.python.org/3/library/contextvars.html; langchain_core/runnables/config.py: run_in_executor "
    "copies the context",
)
def context_reaches_callbacks(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    probe.play(lambda asked: Turn(reply=scripts.echo(asked), delivery=Delivery(gates={"head": gate})))
    model = probe.model()
    witnesses: dict[str, tuple[_AsyncWitness, _Witness]] = {
        who: (_AsyncWitness(), _Witness()) for who in ("Ann", "Ben")
    }

    async def ask(who: str) -> None:
        _WHO.set(who)
        config: Any = {"callbacks": list(witnesses[who])}
        if case.name == "invoke":
            await model.ainvoke(who, config)
            return
        async for _ in model.astream(who, config):
            pass

    calls = [probe.in_loop(probe.name(case.name), lambda who=who: ask(who)) for who in witnesses]  # type: ignore[misc]
    gate.wait_arrived(len(calls), timeout=PATIENCE)
    gate.open()
    for call in calls:
        call.value()
    for who, handlers in witnesses.items():
        for handler in handlers:
            kind = "async" if isinstance(handler, AsyncCallbackHandler) else "sync"
            if not handler.seen:
                raise Broken(f"callbacks of the {kind} handler", "none was called")
            for callback, seen in handler.seen:
                if seen != who:
                    raise Broken(f"{callback} ({kind}) sees {who!r}", repr(seen))


_CALLS: Final = 6


@rule(
    "ASYNC-05",
    MUST,
    "after the call no task, thread, or open socket of its own is left",
    cases=(Case("invoke"), Case("stream")),
    hint="a connection that is kept for the next call is right; one that stays behind after each call is a leak",
    alone=True,
    mend="close responses in `with` blocks, and await or cancel every task that is started",
    source="PEP 789 and https://docs.python.org/3/library/asyncio-task.html: who starts a task ends it",
)
def nothing_is_left(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    model = probe.model()
    _ask(probe, model, case.name)
    before = {what: count(probe) for what, count in _COUNTED.items()}
    for _ in range(_CALLS):
        _ask(probe, model, case.name)
    for what, count in _COUNTED.items():
        limit = before[what] + _CALLS
        if not probe.server.until(partial(_below, probe, count, limit), timeout=PATIENCE):
            raise Broken(
                f"as many {what} as after the first call ({before[what]})", f"{count(probe)} after {_CALLS} more"
            )


def _ask(probe: Probe, model: BaseChatModel, method: str) -> None:
    """One call, to its end, that leaves no thread or task of this suite behind."""

    async def in_loop() -> None:
        if method == "invoke":
            await model.ainvoke(PROMPT)
        else:
            [_ async for _ in model.astream(PROMPT)]

    def in_thread() -> None:
        if method == "invoke":
            model.invoke(PROMPT)
        else:
            list(model.stream(PROMPT))

    probe.run(probe.name(method), in_loop if probe.is_async else in_thread).value()


def _below(probe: Probe, count: Callable[[Probe], int], limit: int) -> bool:
    return count(probe) < limit


def _tasks(probe: Probe) -> int:
    return len(asyncio.all_tasks(probe.bench.loop.loop)) if probe.is_async else 0


def _threads(probe: Probe) -> int:
    """Threads that are neither this suite's, nor the server's, nor the loop's default pool."""
    ours = ("conformance-", "mockserver-", "asyncio_")
    return sum(not thread.name.startswith(ours) for thread in threading.enumerate())


_COUNTED: Final[Mapping[str, Callable[[Probe], int]]] = {
    "tasks": _tasks,
    "threads": _threads,
    "connections": lambda probe: probe.server.open_connections,
}


@rule(
    "ASYNC-06",
    MUST,
    "sync methods work from a thread without a loop, and inside a running loop's thread",
    forms="s",
    cases=[
        Case(f"{method}-{place}", (method, place)) for method in ("invoke", "stream") for place in ("thread", "loop")
    ],
    hint="asyncio.run and get_event_loop in sync code fail in notebooks, in web servers or in threads",
    mend="use a sync client in sync methods",
    source="notebooks and web servers call sync methods inside a running loop, workers in threads without one",
)
def sync_works_everywhere(probe: Probe, case: Case) -> None:
    method, place = case.value
    probe.play(scripts.PLAIN)
    model = probe.model()

    def ask() -> str:
        return joined([model.invoke(PROMPT)] if method == "invoke" else list(model.stream(PROMPT)))

    async def ask_inside() -> str:
        return ask()

    call = probe.in_thread(method, ask) if place == "thread" else probe.in_loop(method, ask_inside)
    same_text(scripts.PLAIN.text, call.value())
