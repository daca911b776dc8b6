"""EVENTS: `astream_events`, versions v1 and v2."""

from typing import Any, Final

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from mockserver import Delivery, Fault, Gate, Turn

from ..calls import END, PATIENCE, Stream
from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import keeps_in_log, text_of
from ..drive import PROMPT, Probe
from ..observe import agree, is_run_id, joined, same_text, total
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief
from . import scripts

START: Final = "on_chat_model_start"
PIECE: Final = "on_chat_model_stream"
FINISH: Final = "on_chat_model_end"

_VERSIONS: Final = (Case("v1", "v1"), Case("v2", "v2"))


def _events(probe: Probe, version: str, input: Any = PROMPT, *, on: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
    """All events of a run."""
    return _open(probe, version, input, on=on, **kwargs).rest()


def _open(probe: Probe, version: str, input: Any = PROMPT, *, on: Any = None, **kwargs: Any) -> Stream[dict[str, Any]]:
    return probe.iterate("stream_events", input, on=on, version=version, **kwargs)


def _chunks(events: list[dict[str, Any]]) -> list[Any]:
    return [event["data"]["chunk"] for event in events if event["event"] == PIECE]


def _names(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def _output(event: dict[str, Any]) -> AIMessage:
    """The message of an end event. v1 gives an `LLMResult` as a dictionary where the model is a part of a chain."""
    output = event["data"].get("output")
    if isinstance(output, dict):
        output = output["generations"][0][0]["message"]
    if not isinstance(output, AIMessage):
        raise Broken("the end event holds the message", brief(output))
    return output


def model_output(events: list[dict[str, Any]]) -> AIMessage:
    """The message of the model's one end event."""
    ends = [event for event in events if event["event"] == FINISH]
    if len(ends) != 1:
        raise Broken(f"one {FINISH}", _counted(_names(events)))
    return _output(ends[0])


@rule(
    "EVENTS-01",
    MUST,
    "on_chat_model_start, then on_chat_model_stream per chunk, then one on_chat_model_end; nothing after",
    forms="a",
    cases=_VERSIONS,
    hint="callbacks that are called by hand as well as by langchain-core come twice",
    mend="leave start and end to langchain-core; call `run_manager.on_llm_new_token` for each chunk at most",
    source="langchain_core/runnables/base.py: the table of events in `astream_events`",
)
def events_are_in_order(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    names = _names(_events(probe, case.value))
    chunks = len(probe.stream())
    # v2 leaves out the empty chunk with which langchain-core itself marks the end.
    accepted = [[START, *[PIECE] * count, FINISH] for count in (chunks, chunks - 1)]
    if names not in accepted:
        raise Broken(f"{START}, {PIECE} for each of {chunks} chunks, {FINISH}", _counted(names))


def _start(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The one start event of the model."""
    starts = [event for event in events if event["event"] == START]
    if len(starts) != 1:
        raise Broken(f"one {START}", _counted(_names(events)))
    return starts[0]


def _counted(names: list[str]) -> str:
    """Names in order, with runs of one name counted."""
    told: list[tuple[str, int]] = []
    for name in names:
        if told and told[-1][0] == name:
            told[-1] = (name, told[-1][1] + 1)
        else:
            told.append((name, 1))
    return ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in told) or "no events"


@rule(
    "EVENTS-02",
    MUST,
    "one run id through all events; name is the class's, or the config's run_name",
    forms="a",
    cases=[Case(f"{case.name}{suffix}", (case.value, config)) for case in _VERSIONS for suffix, config in (
        ("", {}), ("-named", {"run_name": "my run"}),
    )],
    hint="a name that is fixed in the class hides what the caller calls the run",
    mend="override `get_name` only to shorten; do not touch `config[\"run_name\"]`",
    source="langchain_core/runnables/schema.py: BaseStreamEvent.run_id; EventData",
)  # fmt: skip
def one_run_one_name(probe: Probe, case: Case) -> None:
    version, config = case.value
    probe.play(scripts.PLAIN)
    events = _events(probe, version, config=config)
    ids = {event["run_id"] for event in events}
    if len(ids) != 1:
        raise Broken("one run id", brief(sorted(ids)))
    wanted = config.get("run_name") or probe.model().get_name()
    if other := {event["name"] for event in events} - {wanted}:
        raise Broken(f"name {wanted!r}", brief(sorted(other)))


@rule(
    "EVENTS-03",
    MUST,
    "tags and metadata are on every event; ls_provider, ls_model_name, ls_model_type are in the metadata",
    forms="a",
    cases=_VERSIONS,
    hint="v1 tells of a root run only what its config holds; v2 tells all",
    mend="implement `_get_ls_params`, and pass tags and metadata on to `super`",
    source="langchain_core/language_models/base.py: LangSmithParams; langchain_core/runnables/base.py: tags and "
    "metadata in `astream_events`",
)
def tags_and_metadata_are_there(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    model = probe.model(tags=["of the model"], metadata={"model's": 1})
    config = {"tags": ["of the config"], "metadata": {"config's": 2}}
    tags, keys = {"of the config"}, {"config's"}
    if case.value == "v2":
        tags, keys = tags | {"of the model"}, keys | {"model's", "ls_provider", "ls_model_name", "ls_model_type"}
    for number, event in enumerate(_events(probe, case.value, on=model, config=config), 1):
        missing = sorted(tags - set(event["tags"])) + sorted(keys - event["metadata"].keys())
        if missing:
            raise Broken(f"{', '.join(missing)} on each event", f"event {number}, {event['event']}, has none of it")


@rule(
    "EVENTS-04",
    MUST,
    "the input is in the start event's data: as given for a root run, as messages inside a chain",
    forms="a",
    cases=[Case(f"{place}-{case.name}", (place, case.value)) for case in _VERSIONS for place in ("root", "chain")],
    hint="an override of invoke or astream that changes the input before the start is told",
    mend="change messages in `_generate` and `_stream`, after the start",
    source="langchain_core/runnables/base.py: the table of events in `astream_events`",
)
def start_holds_the_input(probe: Probe, case: Case) -> None:
    place, version = case.value
    probe.play(scripts.PLAIN)
    if place == "root":
        start = _start(_events(probe, version))
        if start["data"].get("input") != PROMPT:
            raise Broken(repr(PROMPT), brief(start["data"].get("input")))
        return
    events = _events(probe, version, {"question": PROMPT}, on=_chain(probe))
    start = _start(events)
    messages = (start["data"].get("input") or {}).get("messages")
    if messages != [[HumanMessage(PROMPT)]]:
        raise Broken(f"{{'messages': [[HumanMessage({PROMPT!r})]]}}", brief(start["data"].get("input")))


@rule(
    "EVENTS-05",
    MUST,
    "the chunks of the stream events, joined, are the reply; they carry one id, the run's or the provider's",
    forms="a",
    needs=("stream",),
    cases=_VERSIONS,
    hint="an id of its own for the run cannot be matched with the run's events",
    mend="leave ids to langchain-core, or take the provider's",
    source="langchain_core/runnables/schema.py; langchain-ai/langchain#22227",
)
def stream_events_are_the_reply(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    events = _events(probe, case.value)
    same_text(scripts.PLAIN.text, joined(_chunks(events)))
    run_id = events[0]["run_id"]
    for chunk in _chunks(events):
        if not chunk.id:
            raise Broken("an id on each chunk", brief(chunk))
        if is_run_id(chunk.id) and run_id not in chunk.id:
            raise Broken(f"the run's id, {run_id}, or the provider's", chunk.id)
    if len({chunk.id for chunk in _chunks(events) if not is_run_id(chunk.id)}) > 1:
        raise Broken("one id of the provider's", brief(sorted({chunk.id for chunk in _chunks(events)})))


@rule(
    "EVENTS-06",
    MUST,
    "the end event's output is the sum of the chunks",
    forms="a",
    needs=("stream",),
    cases=_VERSIONS,
    hint="an output that is put together by hand lacks what its chunks had",
    mend="let langchain-core add the chunks up",
    source="langchain_core/language_models/chat_models.py: `generate_from_stream`",
)
def output_is_the_sum(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    events = _events(probe, case.value)
    chunks = _chunks(events)
    wanted = total(chunks)
    agree(wanted, _output(events[-1]), names=("the sum of the chunks", "the end event's output"))


def _chain(probe: Probe, model: Any = None) -> Runnable[Any, Any]:
    prompt = ChatPromptTemplate.from_messages([("human", "{question}")])
    return prompt | (model if model is not None else probe.model()) | StrOutputParser()


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
    cases=_VERSIONS,
    hint="a run that is not a child of the chain's, or a transform that collects, breaks what surrounds the model",
    mend="call the model through its public methods, with the config that came",
    source="langchain_core/runnables/schema.py: parent_ids; langchain_core/runnables/base.py: `astream_events`",
)
def chains_stream(probe: Probe, case: Case) -> None:
    gates: dict[Any, Gate] = {number: probe.gate() for number in (1, 2)}
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(gates=gates)))
    stream = _open(probe, case.value, {"question": PROMPT}, on=_chain(probe))
    for number, gate in gates.items():
        _await_pieces(stream, number)
        gate.open()
    events = stream.rest()
    for start, name in _PARTS.items():
        for event in (f"{start}_start", f"{start}_end"):
            if not any(each["event"] == event and each["name"] == name for each in events):
                raise Broken(f"{event} of {name}", _counted(_names(events)))
    if _names(events)[-1] != "on_chain_end":
        raise Broken("on_chain_end last", _names(events)[-1])
    root = events[0]["run_id"]
    for each in events if case.value == "v2" else ():
        parents = each.get("parent_ids")
        if parents != ([] if each["run_id"] == root else [root]):
            raise Broken(f"parent_ids of {each['event']} name the chain's run", brief(parents))


def _await_pieces(stream: Stream[dict[str, Any]], count: int) -> None:
    """Read until the first pieces have come, while the next is held back."""
    wanted = "".join(scripts.PLAIN.blocks[0].pieces[:count])
    while joined(_chunks(stream.items)) != wanted:
        call = stream.within()
        if not call.done or call.value() is END:
            raise Broken(f"{PIECE} with {wanted!r} before the next piece is sent", repr(joined(_chunks(stream.items))))


@rule(
    "EVENTS-08",
    MUST,
    "include_ and exclude_ filters choose events by name, type and tag",
    forms="a",
    cases=[
        Case(f"{kind}-{case.name}", (kind, case.value)) for case in _VERSIONS for kind in ("names", "types", "tags")
    ],
    hint="tags that are not passed on cannot be filtered by",
    mend="pass `config` on whole",
    source="langchain_core/runnables/base.py: include_names, include_types, include_tags and their opposites",
)
def filters_choose(probe: Probe, case: Case) -> None:
    kind, version = case.value
    probe.play(scripts.PLAIN)
    model = probe.model().with_config(run_name="the model", tags=["of the model"])
    chosen = {"names": "the model", "types": "chat_model", "tags": "of the model"}[kind]
    chain = _chain(probe, model)
    included = _events(probe, version, {"question": PROMPT}, on=chain, **{f"include_{kind}": [chosen]})
    wanted = {START, PIECE, FINISH} if probe.target.streams("async") else {START, FINISH}
    if version == "v1" and wanted - set(_names(included)) == {FINISH} and not all(map(keeps_in_log, probe.stream())):
        raise NotApplicable("langchain-core itself loses v1's end event for messages of a class that is not its own")
    if wanted - set(_names(included)) or not all("chat_model" in name for name in _names(included)):
        raise Broken("the model's events, and no others, where they are included", _counted(_names(included)))
    excluded = _events(probe, version, {"question": PROMPT}, on=chain, **{f"exclude_{kind}": [chosen]})
    if not excluded or any("chat_model" in name for name in _names(excluded)):
        raise Broken("all events but the model's where they are excluded", _counted(_names(excluded)))


def _failing(target: Target, kind: str, case: Case) -> Case:
    """A failure in the middle; SHOULD where it is not known how the provider says in a stream that it failed."""
    name, value = f"{kind}-{case.name}", (kind, case.value)
    if kind == "close" or target.wire.error_frame_source:
        return Case(name, value)
    return Case(
        name, value, level=SHOULD, why=f"SHOULD here: errors in a stream of {target.wire.name} are not recorded"
    )


@rule(
    "EVENTS-09",
    MUST,
    "an error in the middle raises to the consumer; pieces before it were delivered; no end event",
    forms="a",
    needs=("stream",),
    cases=lambda target: [_failing(target, kind, case) for case in _VERSIONS for kind in ("close", "error")],
    hint="a stream that ends quietly passes half an answer off as whole",
    mend="raise in `_astream` what the provider or the connection raises",
    source="langchain-ai/langchain#22916",
)
def errors_surface(probe: Probe, case: Case) -> None:
    kind, version = case.value
    # The fault waits for what comes before it to be read: a connection that ends may take with it what is still unread.
    gate = probe.gate()
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(gates={2: gate}, fault=Fault(kind, before=2))))
    stream = _open(probe, version)
    while len(joined(_chunks(stream.items))) < len("".join(scripts.PLAIN.blocks[0].pieces[:2])):
        call = stream.within()
        if not call.done:
            gate.open()
        if call.error() is not None or call.value() is END:
            raise Broken("the pieces before the error", repr(joined(_chunks(stream.items))), frame="error")
    gate.open()
    stream.failure(f"{kind} after two pieces")
    if FINISH in _names(stream.items):
        raise Broken(f"no {FINISH}", _counted(_names(stream.items)))


@rule(
    "EVENTS-10",
    MUST,
    "closing the generator early closes the connection",
    forms="a",
    needs=("stream", "native async"),
    # Not v1: langchain-core (1.7.2) awaits the run there instead of cancelling it, whatever the model does.
    cases=(Case("v2", "v2"),),
    hint="what nobody reads any more is still paid for",
    mend="keep the response in an `async with` block, so that closing the generator closes it",
    source="langchain-ai/langchain#22865",
)
def closing_closes_the_connection(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(gates={1: gate})))
    stream = _open(probe, case.value)
    _await_pieces(stream, 1)
    stream.close()
    exchange = probe.exchange
    if not probe.server.until(lambda: exchange.ended == "closed by client", timeout=PATIENCE):
        raise Broken("the client closes the connection", exchange.describe())


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
    events = _events(probe, "v2", on=runnable)
    same_text(scripts.PLAIN.text, joined(_chunks(events)))
    if len([chunk for chunk in _chunks(events) if text_of(chunk)]) < 2:
        raise Broken(f"{PIECE} for each piece", _counted(_names(events)))


@rule(
    "EVENTS-12",
    MUST,
    "v1, v2, stream and astream agree on chunks and on their sum",
    forms="a",
    needs=("stream",),
    hint="two paths to the same answer that cut it into different pieces",
    mend="let all paths share `_astream`",
    source="langchain_core/runnables/base.py: `astream_events` is a view of the same run; langchain-ai/langchain#21638",
)
def all_agree(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    sync = Probe(probe.target, "sync", probe.bench)
    one, other = _events(probe, "v1"), _events(probe, "v2")
    streams = {"v1": _chunks(one), "v2": _chunks(other), "stream": sync.stream(on=probe.model())}
    wanted = probe.stream()
    for name, chunks in streams.items():
        texts = [text for chunk in chunks if (text := text_of(chunk))]
        told = [text for chunk in wanted if (text := text_of(chunk))]
        if texts != told:
            raise Broken(f"texts {brief(told)} (as astream)", f"{brief(texts)} ({name})")
        agree(total(wanted), total(chunks), names=("the sum of astream", f"the sum of {name}"))
    agree(_output(one[-1]), _output(other[-1]), names=("the output of v1", "the output of v2"))
    if len({event["run_id"] for event in one}) != len({event["run_id"] for event in other}):
        raise Broken("as many runs in v1 as in v2", "other numbers of run ids")


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
    stream: Stream[str] = probe.iterate("stream", {"question": PROMPT}, on=_chain(probe))
    while not "".join(stream.items):
        call = stream.within()
        if not call.done or call.value() is END:
            raise Broken("a text before the second piece is sent", "none", frame="piece")
    gate.open()
    same_text(scripts.FIVE.text, "".join(stream.rest()))
