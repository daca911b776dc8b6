"""EVENTS: a model inside a chain, and one that a step of a chain calls."""

from typing import Any, Final

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from mockserver import Delivery, Gate, Turn

from ..calls import END, Stream
from ..catalogue import MUST, Case, rule
from ..compat import keeps_in_log, text_of
from ..drive import PROMPT, Probe
from ..observe import joined, same_text
from ..verdict import Broken, NotApplicable
from ..wording import brief
from . import scripts
from .events_read import (
    FINISH,
    PIECE,
    START,
    VERSIONS,
    await_pieces,
    chain_of,
    chunks_of,
    counted,
    events_of,
    names_of,
    opened,
)

_PARTS: Final = {
    "on_chain": "RunnableSequence",
    "on_prompt": "ChatPromptTemplate",
    "on_parser": "StrOutputParser",
}


@rule(
    "EVENTS-07",
    MUST,
    "inside prompt | model | parser: each part's events, right parent_ids (v2), the pieces before the chain's end",
    forms="a",
    needs=("stream",),
    cases=VERSIONS,
    hint="a run that is not a child of the chain's, or a transform that collects, breaks what surrounds the model",
    mend="call the model through its public methods, with the config that came",
    source="langchain_core/runnables/schema.py: parent_ids; langchain_core/runnables/base.py: `astream_events`",
)
def chains_stream(probe: Probe, case: Case) -> None:
    gates: dict[Any, Gate] = {number: probe.gate() for number in (1, 2)}
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(gates=gates)))
    stream = opened(probe, case.value, {"question": PROMPT}, on=chain_of(probe))
    for number, gate in gates.items():
        await_pieces(stream, number)
        gate.open()
    events = stream.rest()
    for start, name in _PARTS.items():
        for event in (f"{start}_start", f"{start}_end"):
            if not any(each["event"] == event and each["name"] == name for each in events):
                raise Broken(f"{event} of {name}", counted(names_of(events)))
    if names_of(events)[-1] != "on_chain_end":
        raise Broken("on_chain_end last", names_of(events)[-1])
    root = events[0]["run_id"]
    for each in events if case.value == "v2" else ():
        parents = each.get("parent_ids")
        if parents != ([] if each["run_id"] == root else [root]):
            raise Broken(f"parent_ids of {each['event']} name the chain's run", brief(parents))


@rule(
    "EVENTS-08",
    MUST,
    "include_ and exclude_ filters choose events by name, type and tag",
    forms="a",
    cases=[Case(f"{kind}-{case.name}", (kind, case.value)) for case in VERSIONS for kind in ("names", "types", "tags")],
    hint="tags that are not passed on cannot be filtered by",
    mend="pass `config` on whole",
    source="langchain_core/runnables/base.py: include_names, include_types, include_tags and their opposites",
)
def filters_choose(probe: Probe, case: Case) -> None:
    kind, version = case.value
    probe.play(scripts.PLAIN)
    model = probe.model().with_config(run_name="the model", tags=["of the model"])
    chosen = {"names": "the model", "types": "chat_model", "tags": "of the model"}[kind]
    chain = chain_of(probe, model)
    included = events_of(probe, version, {"question": PROMPT}, on=chain, **{f"include_{kind}": [chosen]})
    wanted = {START, PIECE, FINISH} if probe.target.streams("async") else {START, FINISH}
    if version == "v1" and wanted - set(names_of(included)) == {FINISH} and not all(map(keeps_in_log, probe.stream())):
        raise NotApplicable("langchain-core itself loses v1's end event for messages of a class that is not its own")
    if wanted - set(names_of(included)) or not all("chat_model" in name for name in names_of(included)):
        raise Broken("the model's events, and no others, where they are included", counted(names_of(included)))
    excluded = events_of(probe, version, {"question": PROMPT}, on=chain, **{f"exclude_{kind}": [chosen]})
    if not excluded or any("chat_model" in name for name in names_of(excluded)):
        raise Broken("all events but the model's where they are excluded", counted(names_of(excluded)))


@rule(
    "EVENTS-11",
    MUST,
    "a step that calls invoke or ainvoke on the model inside a chain still emits its pieces",
    forms="a",
    needs=("stream",),
    cases=(Case("invoke"), Case("ainvoke"), Case("invoke-config"), Case("ainvoke-config")),
    hint="astream_events asks models to stream inside invoke; an invoke of its own that does not listen cannot",
    mend="do not override `invoke`; langchain-core streams inside it when somebody listens",
    source="langchain_core/language_models/chat_models.py: `_should_stream`; langchain-ai/langchain#21668",
)
def inner_calls_stream(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    model = probe.model()

    def handed_on(config: RunnableConfig) -> RunnableConfig | None:
        return {"callbacks": config.get("callbacks")} if case.name.endswith("config") else None

    def step(question: str, config: RunnableConfig) -> str:
        return text_of(model.invoke(question, handed_on(config)))

    async def astep(question: str, config: RunnableConfig) -> str:
        return text_of(await model.ainvoke(question, handed_on(config)))

    sync = case.name.startswith("invoke")
    runnable: Runnable[str, str] = RunnableLambda(step) if sync else RunnableLambda(astep)
    events = events_of(probe, "v2", on=runnable)
    same_text(scripts.PLAIN.text, joined(chunks_of(events)))
    if len([chunk for chunk in chunks_of(events) if text_of(chunk)]) < 2:
        raise Broken(f"{PIECE} for each piece", counted(names_of(events)))


@rule(
    "EVENTS-13",
    MUST,
    "stream and astream of prompt | model | parser give the first piece while the second is held back",
    needs=("stream",),
    after=("STREAM-02", "STREAM-03"),
    hint="a transform of the model's own that collects its pieces makes each chain around it wait for the whole answer",
    mend="do not override transform and atransform; langchain-core's call stream and astream",
    source="langchain_core.runnables.RunnableSequence: streams where all of its parts implement transform",
)
def chains_give_pieces(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    probe.play(Turn(reply=scripts.FIVE, delivery=Delivery(gates={1: gate})))
    stream: Stream[str] = probe.iterate("stream", {"question": PROMPT}, on=chain_of(probe))
    while not "".join(stream.items):
        call = stream.within()
        if not call.done or call.value() is END:
            raise Broken("a text before the second piece is sent", "none", frame="piece")
    gate.open()
    same_text(scripts.FIVE.text, "".join(stream.rest()))
