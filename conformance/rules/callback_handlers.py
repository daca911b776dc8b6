"""CALLBACK: which handlers hear, under which run, and what handlers make of it."""

from typing import Any, Final
from uuid import UUID, uuid4

from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable

from mockserver import Asked, Reply, Usage

from ..callbacks import CHAIN, END, START, AsyncListener, Ear, Failing, Listener
from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import CORE, USAGE_CONTEXT, USAGE_HANDLER, text_of
from ..drive import PROMPT, Probe
from ..observe import joined, same_text, unasked
from ..verdict import Broken, NotApplicable
from ..wording import brief
from . import scripts
from .callback import counted

_METHODS: Final = (Case("invoke"), Case("stream"))


def _ask(probe: Probe, method: str, config: Any, input: Any = PROMPT, on: Any = None) -> str:
    """The text of one answer."""
    if method == "stream":
        return joined(probe.stream(input, config=config, on=on))
    return text_of(probe.invoke(input, config=config, on=on))


@rule(
    "CALLBACK-04",
    MUST,
    "one run id; tags, metadata and parent run id arrive; async handlers are awaited, sync ones run",
    cases=[Case(f"{case.name}{place}", (case.name, place)) for case in _METHODS for place in ("", "-chain")],
    hint="a run under another id, or without its parent, is lost from the trace of the chain that called it",
    mend="pass config on whole where invoke or stream is overridden, to the method of the superclass",
    source="langchain_core.runnables.RunnableConfig: tags, metadata, callbacks, run_id; langchain-ai/langchain#21327",
)
def handlers_hear_whose_run(probe: Probe, case: Case) -> None:
    method, place = case.value
    probe.play(scripts.PLAIN)
    both: tuple[Ear, ...] = (Listener(), AsyncListener())
    run_id = uuid4()
    config: Any = {"callbacks": list(both), "tags": ["a tag"], "metadata": {"number": 1}, "run_id": run_id}
    chain: Runnable[Any, Any] = ChatPromptTemplate.from_messages([("human", "{question}")]) | probe.model()
    if place:
        _ask(probe, method, config, {"question": PROMPT}, chain)
    else:
        _ask(probe, method, config)
    for ear, kind in zip(both, ("sync", "async"), strict=True):
        if not ear.heard:
            raise Broken(f"callbacks of the {kind} handler", "none was called")
        _same_run(ear, kind, run_id, in_chain=bool(place))
    sync, other = both
    if sync.names != other.names:
        raise Broken(
            f"{counted(sync.names)} (sync handler)", f"{counted(other.names)} (async handler, when it is over)"
        )


def _same_run(ear: Ear, kind: str, given: UUID, *, in_chain: bool) -> None:
    """Whether all that a handler heard is of one run, and of the right one."""
    ids = {each.run_id for each in ear.heard}
    if len(ids) != 1:
        raise Broken(f"one run id ({kind} handler)", brief(sorted(map(str, ids))))
    root = next((each.run_id for each in ear.of(CHAIN) if each.told.get("parent_run_id") is None), None)
    if (root if in_chain else ids.pop()) != given:
        raise Broken("the run id that the config gives", f"another ({kind} handler)")
    for each in ear.heard:
        parent = each.told.get("parent_run_id")
        if parent != (given if in_chain else None):
            expected = "the chain's run as parent" if in_chain else "no parent"
            raise Broken(f"{expected} in {each.name} ({kind} handler)", brief(parent))
        if "a tag" not in (each.told.get("tags") or ()):
            raise Broken(f"the config's tag in {each.name} ({kind} handler)", brief(each.told.get("tags")))
    for each in ear.of(START):
        if (each.told.get("metadata") or {}).get("number") != 1:
            raise Broken(f"the config's metadata in {START} ({kind} handler)", brief(each.told.get("metadata")))


_COUNT: Final = Usage(input_tokens=21, output_tokens=34)
_TEXTS: Final = ("one", "two", "three")


def _counting(asked: Asked) -> Reply:
    return Reply.of("You asked: ", asked.text, model=scripts.PLAIN.model, usage=_COUNT)


@rule(
    "CALLBACK-05",
    MUST,
    "UsageMetadataCallbackHandler counts what the provider counted, once, also for streams and batches",
    needs=("usage",),
    cases=(Case("invoke"), Case("stream"), Case("batch"), Case("context")),
    after=("INVOKE-01", "STREAM-02", "META-01", "META-02"),
    hint="the handler counts what on_llm_end brings under response_metadata['model_name']; without either it counts 0",
    mend="give usage_metadata and model_name in what _generate returns and on the chunks of _stream, each once",
    source="langchain_core.callbacks.UsageMetadataCallbackHandler, get_usage_metadata_callback",
)
def usage_is_counted_once(probe: Probe, case: Case) -> None:
    if USAGE_HANDLER is None:
        raise NotApplicable(f"needs langchain-core 0.3.49, and this is {CORE}")
    probe.play(_counting)
    calls = len(_TEXTS) if case.name == "batch" else 1
    handler = USAGE_HANDLER()
    config: Any = {"callbacks": [handler]}
    if case.name == "batch":
        probe.call("batch", list(_TEXTS), config).value()
    elif case.name == "context":
        handler = _in_context(probe)
    else:
        _ask(probe, case.name, config)
    if "usage" in unasked(probe.exchanges):
        raise NotApplicable("the model did not ask for usage; whether it must is for META-03 to say")
    wanted = {"input_tokens": 21 * calls, "output_tokens": 34 * calls, "total_tokens": 55 * calls}
    counts = handler.usage_metadata.values()
    got = {name: sum(each[name] for each in counts) for name in wanted}
    if got != wanted:
        because = "" if counts else "it heard of no message with usage_metadata and model_name"
        raise Broken(f"{wanted} for {calls} answers", brief(got), because=because)


def _in_context(probe: Probe) -> Any:
    """The handler of a `with` block around a call that knows nothing of it."""
    model = probe.model()

    def ask() -> Any:
        with USAGE_CONTEXT() as handler:
            model.invoke(PROMPT)
        return handler

    async def ask_in_loop() -> Any:
        with USAGE_CONTEXT() as handler:
            await model.ainvoke(PROMPT)
        return handler

    return probe.run("invoke", ask_in_loop if probe.is_async else ask).value()


@rule(
    "CALLBACK-06",
    SHOULD,
    "a handler that raises does not corrupt the answer",
    cases=_METHODS,
    hint="a tracer that cannot reach its server must not take the answer with it",
    mend="call handlers through langchain-core's run managers, which log what they raise",
    source="langchain_core.callbacks.BaseCallbackHandler.raise_error: whether to raise an error if one occurs (False)",
)
def failing_handlers_do_no_harm(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    failing, listener = Failing(), Listener()
    same_text(scripts.PLAIN.text, _ask(probe, case.name, {"callbacks": [failing, listener]}))
    if not failing.raised:
        raise Broken("callbacks of both handlers", "that which raises was not called")
    if not {START, END} <= set(listener.names):
        raise Broken("the other handler hears all the same", counted(listener.names))
