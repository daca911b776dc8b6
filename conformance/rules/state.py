"""STATE: what a model keeps, and what copies and threads do to it."""

import asyncio
import contextlib
import copy
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from langchain_core.language_models import BaseChatModel

from mockserver import Delivery, Fault, Refused, Turn

from ..calls import PATIENCE
from ..catalogue import MUST, SHOULD, Case, rule
from ..collector import collect
from ..compat import text_of
from ..drive import PROMPT, Probe
from ..observe import joined, same_text
from ..verdict import Broken, NotApplicable
from ..wording import describe_error
from . import scripts

_CALLS: Final = {"answers": 100, "failures": 24}
_GROWTH: Final = 8
"""By how much a count may grow over so many calls: pools fill up, and a thread of the loop's may start."""
_FAILURES: Final = (
    Turn(error=Refused(400, "This request is not right"), times=1),
    Turn(reply=scripts.FIVE, delivery=Delivery(fault=Fault("close", before=2))),
)


@rule(
    "STATE-01",
    MUST,
    f"{_CALLS['answers']} calls, and {_CALLS['failures']} that fail, leave threads, tasks and open files as they were",
    cases=[Case(name, count) for name, count in _CALLS.items()],
    hint="a leak of one socket a call stops a server after a day; those of calls that fail are found last",
    mend="close what a call opens when it ends, however it ends, or keep it for the next call",
    source="servers run for weeks; resource leaks were reported of langchain-ai/langchain#37976 and "
    "langchain-ai/langchain-aws#858",
    alone=True,
)
def nothing_piles_up(probe: Probe, case: Case) -> None:
    fails = case.name == "failures"
    probe.play(scripts.PLAIN)
    model = probe.model(**probe.target.with_settings(retries=0)) if fails else probe.model()
    _ask(probe, model, 2, fails=False)
    before = {what: count(probe) for what, count in _COUNTED.items()}
    if fails:
        probe.play(lambda asked: _FAILURES[1] if asked.stream else _FAILURES[0])
    _ask(probe, model, case.value, fails=fails)
    for what, count in _COUNTED.items():
        limit = before[what] + _GROWTH
        if count(probe) > limit:
            collect()
        if not probe.server.until(partial(_at_most, probe, count, limit), timeout=PATIENCE):
            raise Broken(f"about as many {what} as before ({before[what]})", f"{count(probe)} after {case.value} calls")


def _ask(probe: Probe, model: BaseChatModel, times: int, *, fails: bool) -> None:
    """Invoke and stream in turn, in one place, to their ends; errors are those that the script makes."""
    expected: tuple[type[Exception], ...] = (Exception,) if fails else ()

    async def in_loop() -> None:
        for number in range(times):
            with contextlib.suppress(*expected):
                if number % 2:
                    await model.ainvoke(PROMPT)
                else:
                    [_ async for _ in model.astream(PROMPT)]

    def in_thread() -> None:
        for number in range(times):
            with contextlib.suppress(*expected):
                if number % 2:
                    model.invoke(PROMPT)
                else:
                    list(model.stream(PROMPT))

    probe.run(f"{times} calls", in_loop if probe.is_async else in_thread).value(limit=60)


def _at_most(probe: Probe, count: Callable[[Probe], int], limit: int) -> bool:
    return count(probe) <= limit


def _tasks(probe: Probe) -> int:
    return len(asyncio.all_tasks(probe.bench.loop.loop)) if probe.is_async else 0


def _threads(probe: Probe) -> int:
    ours = ("conformance-", "mockserver-", "asyncio_")
    return sum(not thread.name.startswith(ours) for thread in threading.enumerate())


def _descriptors(probe: Probe) -> int:
    """Open files and sockets of this process, the server's among them; 0 where the system does not list them."""
    with contextlib.suppress(OSError):
        return sum(1 for _ in Path("/dev/fd").iterdir())
    return 0


_COUNTED: Final[Mapping[str, Callable[[Probe], int]]] = {
    "threads": _threads,
    "tasks": _tasks,
    "connections": lambda probe: probe.server.open_connections,
    "open files": _descriptors,
}

_CROWD: Final = 8
_EACH: Final = 4


@rule(
    "STATE-02",
    MUST,
    f"one instance used from {_CROWD} threads gives each its own right answers",
    forms="s",
    hint="a buffer, a client or a last answer that is kept on the instance is shared by all threads of a server",
    mend="keep what belongs to a call in the call",
    source="langchain_core/runnables/base.py: `batch` calls one instance from the threads of a pool",
)
def threads_do_not_mix(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    probe.play(lambda asked: Turn(reply=scripts.echo(asked), delivery=Delivery(gates={"head": gate})))
    model = probe.model()

    def work(who: int) -> list[tuple[str, str]]:
        answers: list[tuple[str, str]] = []
        for number in range(_EACH):
            text = f"question {number} of thread {who}"
            streams = (number + who) % 2
            said = joined(list(model.stream(text))) if streams else text_of(model.invoke(text))
            answers.append((scripts.answer_to(text), said))
        return answers

    calls = [probe.in_thread("invoke and stream", partial(work, who)) for who in range(_CROWD)]
    # As many as the model lets run at once meet at the gate; that they have begun together is what makes them mix.
    gate.wait_arrived(_CROWD, timeout=0.5)
    gate.open()
    for call in calls:
        for wanted, said in call.value():
            same_text(wanted, said)


def _pickled(model: BaseChatModel) -> BaseChatModel:
    """A copy by way of pickle.

    Raises:
        NotApplicable: it cannot be pickled, and its class does not say that it can.
    """
    try:
        data = pickle.dumps(model)
    except Exception as error:
        if _claims_pickling(type(model)):
            raise
        raise NotApplicable(f"it cannot be pickled, and does not say that it can ({describe_error(error)})") from None
    copied: BaseChatModel = pickle.loads(data)  # noqa: S301 - it was made a moment ago
    return copied


def _claims_pickling(found: type) -> bool:
    """Whether a class has methods of its own for pickle."""
    methods = ("__getstate__", "__setstate__", "__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__")
    own = found.__mro__[: found.__mro__.index(BaseChatModel)]
    return any(method in vars(base) for base in own for method in methods)


_COPIED: Final[Mapping[str, Callable[[BaseChatModel], BaseChatModel]]] = {
    "deepcopy": copy.deepcopy,
    "model-copy": lambda model: model.model_copy(),
    "pickle": _pickled,
}


@rule(
    "STATE-03",
    SHOULD,
    "deepcopy, model_copy and, where the class can be pickled, pickle give a working model",
    forms="s",
    cases=[Case(name, make) for name, make in _COPIED.items()],
    hint="clients hold locks and sockets, which cannot be copied; multiprocessing and configurable fields copy models",
    mend="make clients when they are first needed, and leave them out of the state",
    source="https://docs.python.org/3/library/copy.html and pydantic's `model_copy`, which LangChain's models inherit",
)
def copies_work(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    model = probe.model()
    probe.invoke(on=model)
    copied, told = _copy(case.value, model)
    if told:
        raise Broken(f"a copy ({case.name})", f"it raised {told}")
    if type(copied) is not type(model):
        raise Broken(f"a {type(model).__name__}", type(copied).__name__)
    for answerer in (copied, model):
        said: Any = joined([probe.invoke(on=answerer)])
        same_text(scripts.PLAIN.text, said)


def _copy(make: Callable[[BaseChatModel], BaseChatModel], model: BaseChatModel) -> tuple[BaseChatModel | None, str]:
    """A copy, or the error in words. The half of a copy that an error leaves behind ends here, and in silence."""
    with _unheard():
        try:
            return make(model), ""
        except NotApplicable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            told = describe_error(error)
        collect()
    return None, told


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Errors in finalizers are not shown meanwhile."""
    before = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        yield
    finally:
        sys.unraisablehook = before


_QUICK: Final = 0.2
_TRIES: Final = 5


@rule(
    "STATE-04",
    SHOULD,
    f"constructing takes less than {_QUICK * 1000:.0f} ms of the processor and sends no request",
    forms="s",
    cases=(Case("time"), Case("requests")),
    after=(),
    hint="models are built in web handlers, at import and in tests; a request there fails where the network does",
    mend="make clients, read files and ask servers when they are first needed",
    source="models are built at import and in each request; nothing in langchain-core forbids a request then, hence "
    "SHOULD",
)
def constructing_is_cheap(probe: Probe, case: Case) -> None:
    spent: list[float] = []
    while len(spent) < _TRIES:
        started = time.thread_time()
        probe.target.build(probe.server.url)
        spent.append(time.thread_time() - started)
        if case.name == "requests" or spent[-1] < _QUICK:
            break
    if (sent := [*probe.exchanges, *probe.server.asides]) and case.name == "requests":
        raise Broken("no request", sent[0].describe())
    if case.name == "time" and min(spent) >= _QUICK:
        raise Broken(f"less than {_QUICK * 1000:.0f} ms", f"{min(spent) * 1000:.0f} ms at best, of {_TRIES} times")
