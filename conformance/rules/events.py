"""EVENTS: `astream_events`, versions v1 and v2: the events of one call."""

from typing import Any

from langchain_core.messages import HumanMessage

from ..catalogue import MUST, Case, rule
from ..compat import text_of
from ..drive import PROMPT, Probe
from ..observe import agree, is_run_id, joined, same_text, total
from ..verdict import Broken
from ..wording import brief
from . import scripts
from .events_read import FINISH, PIECE, START, VERSIONS, chain_of, chunks_of, counted, events_of, names_of, output_of


@rule(
    "EVENTS-01",
    MUST,
    "on_chat_model_start, then on_chat_model_stream per chunk, then one on_chat_model_end; nothing after",
    forms="a",
    cases=VERSIONS,
    hint="callbacks that are called by hand as well as by langchain-core come twice",
    mend="leave start and end to langchain-core; call `run_manager.on_llm_new_token` for each chunk at most",
    source="langchain_core/runnables/base.py: the table of events in `astream_events`",
)
def events_are_in_order(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    names = names_of(events_of(probe, case.value))
    chunks = len(probe.stream())
    # v2 leaves out the empty chunk with which langchain-core itself marks the end.
    accepted = [[START, *[PIECE] * count, FINISH] for count in (chunks, chunks - 1)]
    if names not in accepted:
        raise Broken(f"{START}, {PIECE} for each of {chunks} chunks, {FINISH}", counted(names))


def _start(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The one start event of the model."""
    starts = [event for event in events if event["event"] == START]
    if len(starts) != 1:
        raise Broken(f"one {START}", counted(names_of(events)))
    return starts[0]


@rule(
    "EVENTS-02",
    MUST,
    "one run id through all events; name is the class's, or the config's run_name",
    forms="a",
    cases=[Case(f"{case.name}{suffix}", (case.value, config)) for case in VERSIONS for suffix, config in (
        ("", {}), ("-named", {"run_name": "my run"}),
    )],
    hint="a name that is fixed in the class hides what the caller calls the run",
    mend="override `get_name` only to shorten; do not touch `config[\"run_name\"]`",
    source="langchain_core/runnables/schema.py: BaseStreamEvent.run_id; EventData",
)  # fmt: skip
def one_run_one_name(probe: Probe, case: Case) -> None:
    version, config = case.value
    probe.play(scripts.PLAIN)
    events = events_of(probe, version, config=config)
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
    cases=VERSIONS,
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
    for number, event in enumerate(events_of(probe, case.value, on=model, config=config), 1):
        missing = sorted(tags - set(event["tags"])) + sorted(keys - event["metadata"].keys())
        if missing:
            raise Broken(f"{', '.join(missing)} on each event", f"event {number}, {event['event']}, has none of it")


@rule(
    "EVENTS-04",
    MUST,
    "the input is in the start event's data: as given for a root run, as messages inside a chain",
    forms="a",
    cases=[Case(f"{place}-{case.name}", (place, case.value)) for case in VERSIONS for place in ("root", "chain")],
    hint="an override of invoke or astream that changes the input before the start is told",
    mend="change messages in `_generate` and `_stream`, after the start",
    source="langchain_core/runnables/base.py: the table of events in `astream_events`",
)
def start_holds_the_input(probe: Probe, case: Case) -> None:
    place, version = case.value
    probe.play(scripts.PLAIN)
    if place == "root":
        start = _start(events_of(probe, version))
        if start["data"].get("input") != PROMPT:
            raise Broken(repr(PROMPT), brief(start["data"].get("input")))
        return
    events = events_of(probe, version, {"question": PROMPT}, on=chain_of(probe))
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
    cases=VERSIONS,
    hint="an id of its own for the run cannot be matched with the run's events",
    mend="leave ids to langchain-core, or take the provider's",
    source="langchain_core/runnables/schema.py; langchain-ai/langchain#22227",
)
def stream_events_are_the_reply(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    events = events_of(probe, case.value)
    same_text(scripts.PLAIN.text, joined(chunks_of(events)))
    run_id = events[0]["run_id"]
    for chunk in chunks_of(events):
        if not chunk.id:
            raise Broken("an id on each chunk", brief(chunk))
        if is_run_id(chunk.id) and run_id not in chunk.id:
            raise Broken(f"the run's id, {run_id}, or the provider's", chunk.id)
    if len({chunk.id for chunk in chunks_of(events) if not is_run_id(chunk.id)}) > 1:
        raise Broken("one id of the provider's", brief(sorted({chunk.id for chunk in chunks_of(events)})))


@rule(
    "EVENTS-06",
    MUST,
    "the end event's output is the sum of the chunks",
    forms="a",
    needs=("stream",),
    cases=VERSIONS,
    hint="an output that is put together by hand lacks what its chunks had",
    mend="let langchain-core add the chunks up",
    source="langchain_core/language_models/chat_models.py: `generate_from_stream`",
)
def output_is_the_sum(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    events = events_of(probe, case.value)
    chunks = chunks_of(events)
    wanted = total(chunks)
    agree(wanted, output_of(events[-1]), names=("the sum of the chunks", "the end event's output"))


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
    sync = probe.beside("sync")
    one, other = events_of(probe, "v1"), events_of(probe, "v2")
    streams = {"v1": chunks_of(one), "v2": chunks_of(other), "stream": sync.stream(on=probe.model())}
    wanted = probe.stream()
    for name, chunks in streams.items():
        texts = [text for chunk in chunks if (text := text_of(chunk))]
        told = [text for chunk in wanted if (text := text_of(chunk))]
        if texts != told:
            raise Broken(f"texts {brief(told)} (as astream)", f"{brief(texts)} ({name})")
        agree(total(wanted), total(chunks), names=("the sum of astream", f"the sum of {name}"))
    agree(output_of(one[-1]), output_of(other[-1]), names=("the output of v1", "the output of v2"))
    if len({event["run_id"] for event in one}) != len({event["run_id"] for event in other}):
        raise Broken("as many runs in v1 as in v2", "other numbers of run ids")
