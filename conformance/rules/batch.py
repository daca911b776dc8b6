"""BATCH: many inputs (`batch`, `abatch`, `batch_as_completed`, `abatch_as_completed`)."""

from typing import Any, Final
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage

from mockserver import Asked, Delivery, Gate, Refused, Turn

from ..calls import PATIENCE
from ..catalogue import MUST, Case, rule
from ..compat import text_of
from ..drive import Probe
from ..observe import agree, same_text
from ..verdict import Broken
from ..wording import brief, describe_error
from . import scripts

_TEXTS: Final = ["question 0", "question 1", "question 2", "question 3"]
_BAD: Final = 1
_ERROR: Final = Refused(400, "This question is not allowed")


def _gated(probe: Probe, texts: list[str]) -> dict[str, Gate]:
    """Echo each text, and hold each answer back at a gate of its own."""
    gates = {text: probe.gate() for text in texts}
    probe.play(lambda asked: Turn(reply=scripts.echo(asked), delivery=Delivery(gates={"head": gates[asked.text]})))
    return gates


def _fail_one(asked: Asked) -> Any:
    return _ERROR if asked.text == _TEXTS[_BAD] else scripts.echo(asked)


def _same_answers(texts: list[str], results: Any) -> None:
    if not isinstance(results, list) or len(results) != len(texts):
        raise Broken(f"a list of {len(texts)} results", brief(results))
    for text, result in zip(texts, results, strict=True):
        if not isinstance(result, BaseMessage):
            raise Broken(f"the answer to {text!r}", brief(result))
        same_text(scripts.answer_to(text), text_of(result))


@rule(
    "BATCH-01",
    MUST,
    "as many results as inputs, in input order, each equal to invoke's",
    hint="collecting results as they come in gives them in the order of speed",
    mend="put each result at its input's place",
    source="langchain_core/runnables/base.py: `batch` gives outputs in the order of the inputs; "
    "langchain-ai/langchain#30335",
)
def results_are_in_order(probe: Probe, case: Case) -> None:
    gates = _gated(probe, _TEXTS)
    call = probe.call("batch", _TEXTS)
    probe.server.until(lambda: all(gate.arrived for gate in gates.values()) or call.done, timeout=PATIENCE)
    for number, gate in enumerate(reversed(gates.values()), 1):
        gate.open()
        probe.server.until(
            lambda number=number: sum(each.ended is not None for each in probe.exchanges) >= number,  # type: ignore[misc]
            timeout=PATIENCE,
        )
    results = call.value()
    _same_answers(_TEXTS, results)
    for text, result in zip(_TEXTS, results, strict=True):
        agree(probe.call("invoke", text).value(), result, names=(probe.name("invoke"), probe.name("batch")))


@rule(
    "BATCH-02",
    MUST,
    "an empty list gives an empty list and sends nothing",
    hint="taking the first input for granted",
    mend="return `[]` where there are no inputs",
    source="langchain_core/runnables/base.py: `if not inputs: return []`",
)
def nothing_in_nothing_out(probe: Probe, case: Case) -> None:
    probe.play(scripts.echo)
    results = probe.call("batch", []).value()
    if results != [] or probe.exchanges:
        raise Broken("[] and no request", f"{brief(results)} and {len(probe.exchanges)} requests")


_LIMIT: Final = 2
_GRACE: Final = 0.2


@rule(
    "BATCH-03",
    MUST,
    "inputs run at the same time by default, and never more than max_concurrency at once",
    cases=(Case("default"), Case("limited")),
    hint="a loop over invoke is no batch; a limit that is not passed on gets the user's account blocked",
    mend='leave `batch` to langchain-core, or give `config["max_concurrency"]` to the executor',
    source="langchain_core/runnables/config.py: max_concurrency; langchain-ai/langchain#15767",
)
def concurrency_is_kept(probe: Probe, case: Case) -> None:
    texts = _TEXTS if case.name == "default" else [*_TEXTS, "question 4", "question 5"]
    gates = _gated(probe, texts)
    config = {} if case.name == "default" else {"config": {"max_concurrency": _LIMIT}}
    call = probe.call("batch", texts, **config)
    wanted = len(texts) if case.name == "default" else _LIMIT
    together = probe.server.until(lambda: probe.server.open_requests >= wanted, timeout=PATIENCE)
    if case.name == "limited":
        # Held back at their gates, no more than these may be open; another would come at once.
        probe.server.until(lambda: probe.server.open_requests > wanted, timeout=_GRACE)
    for gate in gates.values():
        gate.open()
    _same_answers(texts, call.value())
    peak = probe.server.peak_requests
    if not together:
        raise Broken(f"{wanted} requests open at once", f"{peak} at the most")
    if case.name == "limited" and peak > _LIMIT:
        raise Broken(f"at most {_LIMIT} requests open at once", f"{peak}")


@rule(
    "BATCH-04",
    MUST,
    "with return_exceptions=True each failure stands at its input's place and all others succeed",
    hint="an error that is raised or left out shifts or loses all other answers",
    mend="catch each input's error for itself, and put it at its place",
    source="langchain_core/runnables/base.py: `return_exceptions`",
)
def failures_stand_in_place(probe: Probe, case: Case) -> None:
    probe.play(_fail_one)
    results = probe.call("batch", _TEXTS, return_exceptions=True).value()
    if not isinstance(results, list) or len(results) != len(_TEXTS):
        raise Broken(f"a list of {len(_TEXTS)} results", brief(results))
    if not isinstance(results[_BAD], Exception):
        raise Broken(f"an exception at place {_BAD}", brief(results[_BAD]))
    others = [number for number in range(len(_TEXTS)) if number != _BAD]
    _same_answers([_TEXTS[number] for number in others], [results[number] for number in others])


@rule(
    "BATCH-05",
    MUST,
    "without return_exceptions the call raises the provider's error",
    hint="an error that is returned or wrapped is not caught by who waits for the provider's",
    mend="raise the error as it came",
    source="langchain_core/runnables/base.py: `return_exceptions=False`",
)
def failure_is_raised(probe: Probe, case: Case) -> None:
    probe.play(_fail_one)
    error = probe.call("batch", _TEXTS).raised(f"the server answers {_TEXTS[_BAD]!r} with HTTP 400")
    wanted = probe.call("invoke", _TEXTS[_BAD]).raised("HTTP 400")
    if type(error) is not type(wanted):
        raise Broken(f"the error of {probe.name('invoke')}, {describe_error(wanted)}", describe_error(error))


@rule(
    "BATCH-06",
    MUST,
    "batch_as_completed yields each index exactly once with its own result, the quick ones before the slow",
    hint="waiting for all before the first is given makes it a batch again",
    mend="yield each `(index, result)` when it is there",
    source="langchain_core/runnables/base.py: `batch_as_completed`",
)
def quick_ones_come_first(probe: Probe, case: Case) -> None:
    slow = probe.gate()
    held = {_TEXTS[0]: {"head": slow}}
    probe.play(lambda asked: Turn(reply=scripts.echo(asked), delivery=Delivery(gates=held.get(asked.text, {}))))  # type: ignore[arg-type]
    stream = probe.iterate("batch_as_completed", _TEXTS)
    while len(stream.items) < len(_TEXTS) - 1:
        if not (call := stream.within()).done:
            told = sorted(index for index, _ in stream.items)
            raise Broken("three results while the first answer is held back", f"those of {told}")
        call.value()
        if len(stream.items) == 0:
            raise Broken(f"{len(_TEXTS)} results", "none")
    slow.open()
    results = stream.rest()
    indexes = [index for index, _ in results]
    if sorted(indexes) != list(range(len(_TEXTS))):
        raise Broken("each index exactly once", repr(indexes))
    if indexes[-1] != 0:
        raise Broken("the slow one last", repr(indexes))
    for index, result in results:
        _same_answers([_TEXTS[index]], [result])


class _Start(BaseCallbackHandler):
    """Notes how runs start."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        text = text_of(messages[0][-1])
        self.seen.append({"input": text, "tags": tags or [], "metadata": metadata or {}, "name": kwargs.get("name")})


@rule(
    "BATCH-07",
    MUST,
    "a list of configs applies one to each input: tags, metadata, run names, callbacks",
    hint="taking the first config for all mixes up tags, metadata and callbacks",
    mend="use `get_config_list` and give each input its own config",
    source="langchain_core/runnables/config.py: get_config_list",
)
def configs_apply_one_each(probe: Probe, case: Case) -> None:
    probe.play(scripts.echo)
    handlers = [_Start() for _ in _TEXTS]
    configs = [
        {"callbacks": [handler], "tags": [f"tag {n}"], "metadata": {"number": n}, "run_name": f"run {n}"}
        for n, handler in enumerate(handlers)
    ]
    _same_answers(_TEXTS, probe.call("batch", _TEXTS, config=configs).value())
    for number, handler in enumerate(handlers):
        if len(handler.seen) != 1:
            raise Broken(f"callback {number} is called for one run", f"for {len(handler.seen)} runs")
        [seen] = handler.seen
        wanted = {"input": _TEXTS[number], "name": f"run {number}"}
        for key, value in wanted.items():
            if seen[key] != value:
                raise Broken(f"run {number} has {key} {value!r}", repr(seen[key]))
        if f"tag {number}" not in seen["tags"] or seen["metadata"].get("number") != number:
            raise Broken(f"run {number} has its own tag and metadata", f"{seen['tags']}, {brief(seen['metadata'])}")


@rule(
    "BATCH-08",
    MUST,
    "cancelling abatch closes every connection",
    forms="a",
    needs=("native async",),
    hint="requests that nobody waits for go on and are billed",
    mend="do not shield requests; let cancellation reach the client",
    source="https://docs.python.org/3/library/asyncio-task.html#task-cancellation",
)
def cancelling_closes_all(probe: Probe, case: Case) -> None:
    gates = _gated(probe, _TEXTS)
    call = probe.call("batch", _TEXTS)
    arrived = probe.server.until(lambda: all(gate.arrived for gate in gates.values()) or call.done, timeout=PATIENCE)
    if not arrived or call.done:
        raise Broken("requests that wait for their answers", f"{len(probe.exchanges)}, done: {call.done}")
    call.cancel()
    call.raised("its task is cancelled", PATIENCE)
    gone = probe.server.until(
        lambda: all(each.ended == "closed by client" for each in probe.exchanges), timeout=PATIENCE
    )
    if not gone:
        left = [each.describe() for each in probe.exchanges if each.ended != "closed by client"]
        raise Broken("all connections closed by the client", f"open: {'; '.join(left)}")


@rule(
    "BATCH-09",
    MUST,
    "per-call keyword arguments reach every request of the batch",
    needs=("stop",),
    hint="an override of batch that does not pass `**kwargs` on",
    mend="pass `**kwargs` on to each call",
    source="langchain_core/runnables/base.py: `batch(inputs, config, **kwargs)`",
)
def arguments_reach_all(probe: Probe, case: Case) -> None:
    probe.play(scripts.echo)
    probe.call("batch", _TEXTS, stop=["END"]).value()
    stops = [each.asked.stop if each.asked else () for each in probe.exchanges]
    if stops != [("END",)] * len(_TEXTS):
        raise Broken(f"stop ('END',) in each of {len(_TEXTS)} requests", brief(stops))
