"""BLOCKS: content-block events (`stream_events` and `astream_events`, version v3): what a stream of them tells."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from langchain_core.messages import AIMessage

from mockserver import Reasoning, Reply, Text, ToolCall, Unencodable, Usage

from ..block_events import Block, blocks, envelope, said, same_throughout
from ..block_streams import ALL, CALLS, EVENTS, OUTPUT, REASONING, TEXT, Reading, read
from ..catalogue import MUST, Case, rule
from ..compat import content_blocks, invalid_tool_calls, loses_calls, makes_block_events, taken_for_one, text_of
from ..drive import Probe
from ..observe import agree, own_ids, reasoning_of, same_text, summed, unasked, untold, usage_of
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief, describe_error
from . import scripts

_NEEDS: Final = ("block events",)
_SOURCE: Final = "langchain_protocol.protocol.MessagesData; langchain-core: language_models/chat_model_stream.py"

_THOUGHT: Final = Reasoning(("Which ", "city?"))
_LOOK: Final = Text(("Let me ", "look."))
_FULL: Final = replace(
    scripts.CALLS, blocks=(_THOUGHT, _LOOK, *scripts.CALLS.blocks), usage=Usage(input_tokens=21, output_tokens=34)
)
"""Reasoning, text and two calls."""
_TURNS: Final = replace(scripts.CALLS, order=(0, 1, 0, 1, 1))
"""Two calls whose pieces take turns."""

_BARE: Final = {
    "uncounted": replace(scripts.PLAIN, usage=None),
    "empty": Reply(blocks=(), model=scripts.PLAIN.model),
}


def fits(target: Target, reply: Reply) -> bool:
    """Whether the target's wire can stream a reply, and the target claims what is in it."""
    if reply.tool_calls and target.lacks("tools", "sync"):
        return False
    if any(isinstance(block, Reasoning) for block in reply.blocks) and target.lacks("reasoning", "sync"):
        return False
    try:
        target.wire.frames(reply)
    except Unencodable:
        return False
    return True


def _rich(target: Target) -> Reply:
    """The fullest reply that the target's wire can carry."""
    parts = ((_THOUGHT, _LOOK, *scripts.CALLS.blocks), (_LOOK, *scripts.CALLS.blocks), (_THOUGHT, _LOOK))
    replies = (scripts.fitted(target.wire, replace(_FULL, blocks=each, finish_reason=_finish(each))) for each in parts)
    return next((reply for reply in replies if fits(target, reply)), scripts.PLAIN)


def _finish(parts: tuple[Any, ...]) -> str:
    return "tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "stop"


def _replies(target: Target) -> list[Case]:
    """A reply of each kind that the target's wire can carry; the plainest first."""
    rich = {"rich": _rich(target), "calls": scripts.CALLS, "turns": _TURNS}
    fitted = {name: scripts.fitted(target.wire, reply) for name, reply in rich.items()}
    return [Case("text", scripts.PLAIN), *(Case(name, reply) for name, reply in fitted.items() if fits(target, reply))]


def asking(probe: Probe, reply: Reply) -> Any:
    """The model, with tools bound where the reply calls them; the reply is played."""
    probe.play(reply)
    return probe.with_tools(scripts.TOOLS) if reply.tool_calls else probe.model()


def whole(reading: Reading, probe: Probe) -> Reading:
    """A reading that came to its end.

    Raises:
        Broken: it raised.
    """
    if reading.error:
        raise Broken(
            f"{reading.name} of {probe.name('stream_events')} v3", f"it raised {describe_error(reading.error)}"
        )
    return reading


def _events(probe: Probe, reply: Reply) -> list[Any]:
    [reading] = read(probe, (EVENTS,), on=asking(probe, reply))
    return whole(reading, probe).items


@contextmanager
def _not_by_the_bridge(probe: Probe, model: Any) -> Iterator[None]:
    """What is broken is not the work of langchain-core's bridge.

    Raises:
        NotApplicable: the bridge makes the events, and takes two blocks of the chunks for one, or loses some.
    """
    try:
        yield
    except Broken:
        if makes_block_events(probe.target.model_class, is_async=probe.is_async):
            raise
        chunks = probe.stream(on=model)
        if why := taken_for_one(chunks) or loses_calls(chunks):
            raise NotApplicable(why) from None
        raise


@rule(
    "BLOCKS-01",
    MUST,
    "a message starts first and once, and finishes last and once; there is at least one event",
    needs=_NEEDS,
    cases=lambda target: [
        Case("plain", scripts.PLAIN),
        *_replies(target)[1:],
        *(Case(name, reply) for name, reply in _BARE.items() if fits(target, reply)),
    ],
    hint="readers build a message between the two; without them it never begins, or never ends",
    mend="yield message-start before any block, and message-finish once, when all blocks are finished",
    source=_SOURCE,
)
def message_starts_and_finishes(probe: Probe, case: Case) -> None:
    [events, output] = read(probe, (EVENTS, OUTPUT), on=asking(probe, case.value))
    if events.error and case.name == "empty":
        return
    envelope(whole(events, probe).items)
    message = whole(output, probe).value
    if not isinstance(message, AIMessage) or not message.id:
        raise Broken("output is an AIMessage with an id", f"{brief(message)}, id {getattr(message, 'id', None)!r}")
    if case.name == "plain" and (again := read(probe, (OUTPUT,))[0].value) and again.id == message.id:
        raise Broken("another id for another message", repr(again.id))


@rule(
    "BLOCKS-02",
    MUST,
    "each block starts, has its deltas and finishes, counted from 0 without gaps; blocks may take turns",
    needs=_NEEDS,
    cases=_replies,
    hint="an event of a block that is not open has no place: readers drop it, or fail",
    mend="start a block when its first piece comes, keep it open while pieces may come, and finish it once",
    source=f"{_SOURCE}; langchain-ai/langchain#37111",
)
def blocks_start_and_finish(probe: Probe, case: Case) -> None:
    events = _events(probe, case.value)
    if not blocks(events):
        raise Broken("at least one block", "none")
    at = next((number for number, event in enumerate(events) if event.get("event") == "message-finish"), len(events))
    blocks(events[:at])


@rule(
    "BLOCKS-03",
    MUST,
    "the deltas of a block, joined, are what it finishes with; its type, id and name stay, and so does each event",
    needs=_NEEDS,
    cases=_replies,
    hint="what was shown piece by piece and what is kept in the end are then two different answers",
    mend="make deltas and finish of one source: add up what you yield, and finish with the sum",
    source=f"{_SOURCE}; langchain-tests: utils/stream_lifecycle.py",
)
def deltas_are_the_finish(probe: Probe, case: Case) -> None:
    model = asking(probe, case.value)
    [reading] = read(probe, (EVENTS,), on=model)
    with _not_by_the_bridge(probe, model):
        for block in blocks(whole(reading, probe).items):
            same_throughout(block)
    # langchain-core's own bridge changes what it has yielded up to 1.6; that is no model's fault.
    if makes_block_events(probe.target.model_class, is_async=probe.is_async) and (number := reading.changed):
        told = brief(reading.items[number - 1])
        raise Broken("each event stays as it was when it was yielded", f"event {number} is now {told}")


_ORDERS: Final = {
    "events-first": ALL,
    "text-first": (TEXT, EVENTS, CALLS, REASONING, OUTPUT),
    "calls-first": (CALLS, REASONING, TEXT, OUTPUT, EVENTS),
    "output-first": (OUTPUT, REASONING, TEXT, CALLS, EVENTS),
    "at-once": ALL,
}


@rule(
    "BLOCKS-04",
    MUST,
    "text, reasoning, tool calls, usage and output agree with the events and with invoke, in any order of reading",
    needs=_NEEDS,
    cases=lambda target: [
        *(Case(name, _rich(target)) for name in _ORDERS),
        *([Case("turns", _TURNS)] if fits(target, _TURNS) else []),
    ],
    hint="the same answer, read in another way, must not become another answer",
    mend="put all that invoke reads of an answer into its blocks, and its usage and metadata into message-finish",
    source=_SOURCE,
)
def projections_agree(probe: Probe, case: Case) -> None:
    model = asking(probe, case.value)
    with _not_by_the_bridge(probe, model):
        _agreed(probe, case, model)


def _agreed(probe: Probe, case: Case, model: Any) -> None:
    """All readings of the reply of a case agree.

    Raises:
        Broken: they do not.
    """
    order = _ORDERS.get(case.name, ALL)
    readings = read(probe, order, on=model, together=case.name == "at-once")
    found = {reading.name: whole(reading, probe) for reading in readings}
    output = found[OUTPUT].value
    if not isinstance(output, AIMessage):
        raise Broken("output is an AIMessage", brief(output))
    _same_as_events(found, output)
    wanted: AIMessage
    if case.name == "turns":
        wanted, names = summed(probe.stream(on=model)), (f"the sum of {probe.name('stream')}", "output")
        ids = [call["id"] for call in (*wanted.tool_calls, *wanted.invalid_tool_calls)]
        if ids != [call.id for call in case.value.tool_calls]:
            raise NotApplicable("stream itself does not tell the calls apart, which is for TOOL-03 to say")
    else:
        wanted, names = probe.invoke(on=model), (probe.name("invoke"), "output")
    but = ("content", "type of content", *unasked(probe.exchanges), *own_ids(probe.wire), *untold(probe.wire))
    agree(wanted, output, names=names, but=but)
    same_text(reasoning_of(wanted), reasoning_of(output))
    if _kinds(wanted) != _kinds(output):
        raise Broken(f"blocks {_kinds(wanted)} (as {names[0]})", f"{_kinds(output)} (output)")


def _kinds(message: AIMessage) -> list[str]:
    """The types of a message's blocks in order, each once where it follows itself."""
    kinds = [str(block.get("type")).replace("_chunk", "") for block in content_blocks(message)]
    return [kind for at, kind in enumerate(kinds) if kind != (kinds[at - 1] if at else None)]


def _same_as_events(found: dict[str, Reading], output: AIMessage) -> None:
    events = found[EVENTS].items
    finished = [block for block in blocks(events) if block.finish]
    for name, kind in ((TEXT, "text-delta"), (REASONING, "reasoning-delta")):
        wanted = said(events, kind)
        for what, got in ((f"the pieces of {name}", "".join(found[name].items)), (name, found[name].value)):
            if got != wanted:
                raise Broken(f"{what}: {brief(wanted)}, as the events", brief(got))
    same_text(found[TEXT].value, text_of(output))
    wanted_calls = _calls(finished)
    for what, calls in ((CALLS, found[CALLS].value), ("the calls of output", output.tool_calls)):
        got_calls = [(call.get("name"), call.get("args"), call.get("id")) for call in calls]
        if got_calls != wanted_calls:
            raise Broken(f"{what}: {brief(wanted_calls)}, as the events", brief(got_calls))
    counted = usage_of(AIMessage("", usage_metadata=events[-1].get("usage")))
    if usage_of(output) != counted:
        raise Broken(f"usage {counted}, as message-finish", repr(usage_of(output)))


def _calls(finished: list[Block]) -> list[tuple[Any, Any, Any]]:
    ended = [block.finish for block in finished if block.finish and block.finish.get("type") == "tool_call"]
    return [(each.get("name"), each.get("args"), each.get("id")) for each in ended]


_BAD: Final = {
    "malformed": (('{"city": ', "Paris}"), "tool_calls"),
    "truncated": (('{"city": "Rome", "days', '": ['), "length"),
}


def _bad(target: Target) -> list[Case]:
    replies = {
        name: Reply(
            blocks=(scripts.CALLS.blocks[0], ToolCall(pieces, id="call_bad", name="get_weather")),
            finish_reason=reason,
            model=scripts.PLAIN.model,
        )
        for name, (pieces, reason) in _BAD.items()
    }
    fitted = {name: scripts.fitted(target.wire, reply) for name, reply in replies.items()}
    return [Case(name, reply) for name, reply in fitted.items() if fits(target, reply)]


@rule(
    "BLOCKS-08",
    MUST,
    "malformed tool arguments finish as invalid_tool_call with the raw text; the calls beside them stay",
    needs=(*_NEEDS, "tools"),
    cases=_bad,
    hint="a call with arguments that were guessed or left out is run as if the model had asked for it",
    mend="finish such a block as invalid_tool_call, its args the text as it came",
    source="langchain-core: language_models/_compat_bridge.py, finalize_tool_call_chunk",
)
def malformed_arguments_are_told(probe: Probe, case: Case) -> None:
    model = asking(probe, case.value)
    with _not_by_the_bridge(probe, model):
        _invalid_is_told(probe, case, model)


def _invalid_is_told(probe: Probe, case: Case, model: Any) -> None:
    """The call with malformed arguments is told as it came, and the other one is left.

    Raises:
        Broken: they are not.
    """
    good, bad = case.value.tool_calls
    readings = read(probe, (EVENTS, CALLS, OUTPUT), on=model)
    events, calls, output = (whole(reading, probe) for reading in readings)
    ended = [block.finish for block in blocks(events.items) if block.finish and block.finish.get("id") == bad.id]
    told = [(each.get("type"), each.get("name"), each.get("args")) for each in ended]
    wanted = ("invalid_tool_call", bad.name, bad.joined)
    if told != [wanted]:
        raise Broken(f"a block that finishes as {wanted}", brief(told))
    for what, valid in ((CALLS, calls.value), ("the calls of output", output.value.tool_calls)):
        got = [(call["name"], call["args"], call["id"]) for call in valid]
        if got != [(good.name, json.loads(good.joined), good.id)]:
            raise Broken(f"{what}: the one that is right, {good.name} {good.joined}", brief(got))
    invalid = [(call["name"], call["args"], call["id"]) for call in invalid_tool_calls(output.value)]
    if invalid != [(bad.name, bad.joined, bad.id)]:
        raise Broken(f"invalid tool calls of output: {(bad.name, bad.joined, bad.id)}", brief(invalid))
