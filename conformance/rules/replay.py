"""REPLAY: recorded streams of providers."""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from langchain_core.messages import AIMessage

from mockserver import (
    Citation,
    Media,
    Reasoning,
    Refusal,
    Reply,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Usage,
)
from mockserver.sending.delivery import Cuts, Random
from mockserver.wires import WIRES

from ..cassettes import Recorded
from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import invalid_tool_calls, text_of
from ..drive import PROMPT, Probe
from ..observe import agree, finish_of, leaves, reasoning_of, same_text, total, unasked, usage_of
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief, describe_error
from .events import model_output

_SMALL: Final = 32 * 1024
"""Bytes of a recording up to which it is sent byte by byte; a larger one is sent in parts of 7 bytes."""


def _cases(target: Target) -> list[Case]:
    """One for each recording of the model's wires, or one that says why there is none."""
    cases = [_case(target, each) for each in target.cassettes.of(target.families)]
    return cases or [Case("", target.cassettes.others(target.families) or "there are no cassettes")]


def _answers(target: Target) -> list[Case]:
    """Those of recordings that hold an answer to its end."""
    cases = _cases(target)
    kept = [case for case in cases if not isinstance(case.value, Recorded) or _is_answer(case.value)]
    return kept or [Case("", "those that there are end in errors, or break off")]


def _is_answer(recorded: Recorded) -> bool:
    return recorded.is_complete and recorded.ended_well and not recorded.error


def _case(target: Target, recorded: Recorded) -> Case:
    spoken = target.families[recorded.wire.family]
    if recorded.wire.name == spoken:
        return Case(recorded.label, recorded)
    why = f"SHOULD here: it was recorded on {recorded.wire.name}, and {target.label} is for {spoken}"
    return Case(recorded.label, recorded, level=SHOULD, why=why)


def _recorded(probe: Probe, case: Case) -> Recorded:
    """The recording of a case, for which the model is built from now on."""
    if not isinstance(case.value, Recorded):
        raise NotApplicable(f"no recording for {probe.target.label} ({', '.join(probe.target.families)}): {case.value}")
    probe.speak(case.value.wire.family)
    return case.value


@rule(
    "REPLAY-01",
    MUST,
    "a recorded answer is what the model gives: text, reasoning, tool calls, finish reason, usage; where it broke off, "
    "the call raises",
    cases=_cases,
    hint="what providers send differs from what they document",
    mend="read what the provider sends, and not only what it documents",
    source="the recording itself, read by the decoder of its wire (docs/wires.md)",
)
def answer_is_as_recorded(probe: Probe, case: Case) -> None:
    recorded = _recorded(probe, case)
    told = _answer(probe, recorded)
    if why := _must_raise(recorded):
        if isinstance(told, AIMessage):
            raise Broken(f"{_method(probe, recorded)} raises: {why}", f"it gave {brief(told)}")
        return
    if isinstance(told, Broken):
        if recorded.is_complete and recorded.ended_well:
            raise told
        return
    reply = recorded.decoded.reply
    _same_texts(reply, told)
    lacks = {need for need in ("tools", "usage") if probe.target.lacks(need, probe.form)}
    if not recorded.asks_usage or unasked(probe.exchanges):
        lacks.add("usage")
    different = list(_differences(recorded, told, lacks))
    if different:
        expected = "; ".join(f"{what} {wanted}" for what, wanted, _ in different)
        raise Broken(expected, "; ".join(f"{what} {got}" for what, _, got in different), frame=different[0][0])


def _must_raise(recorded: Recorded) -> str:
    """Why a call that is answered with this recording must fail; `""` where it need not."""
    if recorded.error:
        return f"the provider's answer is an error, {recorded.error}"
    if not recorded.ended_well and not recorded.is_complete:
        return f"the recording breaks off ({recorded.interaction.ended})"
    return ""


def _method(probe: Probe, recorded: Recorded) -> str:
    return probe.name("stream" if recorded.streams else "invoke")


def _answer(probe: Probe, recorded: Recorded, *, cuts: Cuts = "frame", events: bool = False) -> AIMessage | Broken:
    """The sum of what the model gives when it is answered with this recording, or what it raises.

    Raises:
        Broken: it neither gives a message nor raises, or asks for something that the provider refuses.
        NotApplicable: it asks for another kind of answer.
    """
    probe.play(recorded.turn(cuts))
    try:
        told: Any = _ask(probe, recorded, events=events)
    except Broken as broken:
        if broken.__cause__ is None:
            raise
        told = broken
    _check_requests(probe, recorded)
    if not isinstance(told, AIMessage | Broken):
        raise Broken("an AIMessage", brief(told))
    return told


def _ask(probe: Probe, recorded: Recorded, *, events: bool) -> Any:
    # An answer that is an error must surface at once; whether the call is sent again is for other rules to say.
    fields = probe.target.with_settings(retries=0)
    model: Any = probe.model(**fields)
    tools = list(_tools(recorded.decoded.reply))
    if tools and not probe.target.lacks("tools", probe.form):
        model = probe.with_tools(tools, **fields)
    if events:
        return model_output(probe.iterate("stream_events", PROMPT, on=model, version="v2").rest())
    return total(probe.stream(on=model)) if recorded.streams else probe.invoke(on=model)


def _tools(reply: Reply) -> Iterator[dict[str, Any]]:
    """Tools that are called in the reply: some packages read calls only where tools were bound."""
    names = (block.name for block in reply.blocks if isinstance(block, ToolCall | ServerToolCall))
    for name in dict.fromkeys(re.sub("[^A-Za-z0-9_-]", "_", name)[:64] for name in names):
        schema = {"type": "object", "properties": {}}
        yield {"type": "function", "function": {"name": name, "description": "A tool.", "parameters": schema}}


def _check_requests(probe: Probe, recorded: Recorded) -> None:
    """Whether the model has asked for what was recorded."""
    for exchange in probe.exchanges:
        asked = exchange.asked
        if asked and WIRES[asked.wire].family != recorded.wire.family:
            raise NotApplicable(f"{probe.target.label} asks on {asked.wire}")
        if asked and asked.stream and WIRES[asked.wire].stream_type != recorded.wire.stream_type:
            raise NotApplicable(f"{probe.target.label} asks for another framing, that of {asked.wire}")
        if asked and asked.stream != recorded.streams:
            raise NotApplicable(
                f"{_method(probe, recorded)} of {probe.target.label} asks for {'a' if asked.stream else 'no'} stream"
            )
        if exchange.refused:
            raise Broken("a request that the provider accepts", exchange.describe())


def _same_texts(reply: Reply, message: AIMessage) -> None:
    """Compare the text. A refusal may count as text."""
    with_refusals = "".join(block.joined for block in reply.blocks if isinstance(block, Text | Refusal))
    if text_of(message) != with_refusals:
        same_text(reply.text, text_of(message))


def _differences(recorded: Recorded, message: AIMessage, lacks: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """What else differs: its name, what the recording says, what the message says.

    What the model `lacks` may be missing: tool calls that it does not claim, and usage that it does not claim or for
    which one of the two requests did not ask. So may reasoning and details of usage, which REPLAY-04 tells; wrong they
    may not be. Of a stream that never came to its end, calls and counts are not settled.
    """
    reply = recorded.decoded.reply
    thought, shown = _reasoning(reply), reasoning_of(message)
    if shown and shown != thought:
        yield "reasoning", _apart(thought, shown), _apart(shown, thought)
    if not recorded.is_complete:
        return
    for what, wanted, got in _call_differences(recorded, message):
        if "tools" in lacks and not got:
            continue
        yield what, repr(wanted), repr(got)
    if not _same_finish(recorded, finish_of(message)):
        yield "finish", repr(_word(recorded)), repr(finish_of(message))
    counted = usage_of(message)
    if counted is None and ("usage" in lacks or reply.usage is None):
        return
    wanted_usage = _usage(reply.usage, counted or {})
    if counted != wanted_usage:
        yield "usage", repr(wanted_usage), repr(counted)


def _reasoning(reply: Reply) -> str:
    return "".join(block.joined for block in reply.blocks if isinstance(block, Reasoning))


def _apart(text: str, other: str) -> str:
    """A text from just before the place where it differs from another."""
    same = next((at for at, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
    start = max(0, same - 15)
    return f"{'…' if start else ''}{text[start : start + 60]!r} ({len(text)} characters)"


def _call_differences(recorded: Recorded, message: AIMessage) -> Iterator[tuple[str, Any, Any]]:
    wanted, invalid = [], []
    for call in recorded.decoded.reply.tool_calls:
        id = call.id if _holds(recorded, call.id) else None
        args = _arguments(call)
        if args is None:
            invalid.append((call.name, call.joined, id))
        else:
            wanted.append((call.name, args, id))
    places = (
        ("tool calls", wanted, message.tool_calls),
        ("invalid tool calls", invalid, invalid_tool_calls(message)),
    )
    for what, told, found in places:
        got = [(call["name"], call["args"], call["id"]) for call in found]
        known = [(*call[:2], call[2] if id else None) for call, (*_, id) in zip(got, told, strict=False)]
        if known != told or len(got) != len(told):
            yield what, told, got


def _holds(recorded: Recorded, id: object) -> bool:
    """Whether the id of a call was recorded, and is kept; packages make one up where the provider needs none."""
    return recorded.wire.call_ids and _is_recorded(recorded, id)


def _is_recorded(recorded: Recorded, id: object) -> bool:
    """Whether an id was recorded; decoders make one up where the provider sent none."""
    return isinstance(id, str) and id.encode() in recorded.interaction.body


def _arguments(call: ToolCall | ServerToolCall) -> dict[str, Any] | None:
    """The arguments of a call; `None` where they are no JSON object."""
    try:
        args = json.loads(call.joined or "{}")
    except ValueError:
        return None
    return args if isinstance(args, dict) else None


def _word(recorded: Recorded) -> str:
    """The provider's word for why the answer ended."""
    reason = recorded.decoded.reply.finish_reason
    return recorded.wire.finish_reasons.get(reason, reason)


def _same_finish(recorded: Recorded, found: Any) -> bool:
    """Whether this is the recorded finish reason; one that never came cannot be told wrong."""
    reason = recorded.decoded.reply.finish_reason
    return reason == "unfinished" or found == _word(recorded)


_DETAILS: Final = (
    ("input_token_details", "cache_read", "cache_read"),
    ("input_token_details", "cache_creation", "cache_creation"),
    ("output_token_details", "reasoning", "reasoning"),
)
"""Where `usage_metadata` has a detail, its name there, and its name in a recorded usage."""


def _usage(usage: Usage | None, counted: dict[str, Any]) -> dict[str, Any] | None:
    """The usage as a message would tell it, of the details those that it does tell."""
    if usage is None:
        return None
    told: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    for group, details in counted.items():
        if isinstance(details, dict):
            counts = {key: _recorded_count(usage, group, key) for key in details}
            told[group] = {key: details[key] if count is None else count for key, count in counts.items()}
    return told


def _recorded_count(usage: Usage, group: str, key: str) -> int | None:
    """The recorded count of a detail; packages put the service tier before its name (``flex_cache_read``)."""
    fields = (field for where, name, field in _DETAILS if where == group and _is_named(key, name))
    return next((getattr(usage, field) for field in fields), None)


def _is_named(key: str, name: str) -> bool:
    return key == name or key.endswith(f"_{name}")


@rule(
    "REPLAY-02",
    MUST,
    "stream, astream and astream_events agree on a recorded answer; invoke and ainvoke on one that came whole",
    forms="a",
    cases=_cases,
    hint="a second reader for one form forgets what the first learnt",
    mend="share the reader of events between `_stream` and `_astream`",
    source="the recording itself; `stream`, `astream` and `astream_events` are views of one answer",
)
def forms_agree(probe: Probe, case: Case) -> None:
    recorded = _recorded(probe, case)
    sync = Probe(probe.target, "sync", probe.bench)
    method = _method(sync, recorded)
    wanted = _answer(sync, recorded)
    others = {_method(probe, recorded): _answer(probe, recorded)}
    if recorded.streams:
        others["astream_events"] = _answer(probe, recorded, events=True)
    for name, got in others.items():
        _agree(recorded, wanted, got, names=(method, name))


def _agree(recorded: Recorded, wanted: AIMessage | Broken, got: AIMessage | Broken, *, names: tuple[str, str]) -> None:
    """Two answers are equal, or both raise. Whether a break after the end is seen, is for chance to say."""
    if isinstance(wanted, AIMessage) and isinstance(got, AIMessage):
        agree(_without_own_ids(recorded, wanted), _without_own_ids(recorded, got), names=names)
        one, other = reasoning_of(wanted), reasoning_of(got)
        if one != other:
            raise Broken(f"reasoning {_apart(one, other)} (as {names[0]})", f"{_apart(other, one)} ({names[1]})")
    elif type(wanted) is not type(got) and (recorded.ended_well or not recorded.is_complete):
        raise Broken(f"{_outcome(wanted)} (as {names[0]})", f"{_outcome(got)} ({names[1]})")


def _without_own_ids(recorded: Recorded, message: AIMessage) -> AIMessage:
    """A copy in which the ids that the package made up, other ones each time, are left out."""
    parts = (message.content, message.tool_calls, invalid_tool_calls(message))
    content, calls, invalid = (_with_recorded_ids(recorded, part) for part in parts)
    return message.model_copy(update={"content": content, "tool_calls": calls, "invalid_tool_calls": invalid})


def _with_recorded_ids(recorded: Recorded, value: Any) -> Any:
    if isinstance(value, list):
        return [_with_recorded_ids(recorded, each) for each in value]
    if isinstance(value, dict):
        return {
            name: None if name in _IDS and not _holds(recorded, each) else _with_recorded_ids(recorded, each)
            for name, each in value.items()
        }
    return value


_IDS: Final = ("id", "tool_call_id", "call_id")
"""Keys under which calls have their ids, and their results refer to them."""


def _outcome(told: AIMessage | Broken) -> str:
    if isinstance(told, AIMessage):
        return brief(told)
    assert told.__cause__
    return f"an error, {describe_error(told.__cause__)}"


@rule(
    "REPLAY-03",
    MUST,
    "the answer does not depend on how the recorded bytes are cut: as recorded, frame by frame, whole, in bytes",
    cases=_cases,
    hint="networks cut lines and characters anywhere; decode and split only what is complete",
    mend="use an incremental decoder and a line buffer, or the SDK's own stream",
    source="https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream: the format knows "
    "nothing of segments",
)
def cuts_do_not_matter(probe: Probe, case: Case) -> None:
    recorded = _recorded(probe, case)
    wanted = _answer(probe, recorded)
    for name, cuts in _cuts(recorded, few=probe.target.cassettes.is_own(recorded)):
        _agree(recorded, wanted, _answer(probe, recorded, cuts=cuts), names=("cut into frames", name))


def _cuts(recorded: Recorded, *, few: bool) -> Iterator[tuple[str, Cuts]]:
    """How the bytes are cut; in few ways where the recordings are those of every run."""
    if few:
        yield from (("sent whole", "whole"), ("cut every 7 bytes", 7))
        return
    if recorded.recording.arrivals:
        yield "cut as recorded", "recorded"
    yield "sent whole", "whole"
    size = 1 if len(recorded.interaction.body) <= _SMALL else 7
    yield f"cut every {size} byte{'s' if size > 1 else ''}", size
    for seed in (1, 2):
        yield f"cut at random, seed {seed}", Random(seed)


@rule(
    "REPLAY-04",
    SHOULD,
    "nothing in a recorded answer is dropped silently: what the message does not show is listed",
    forms="s",
    cases=_answers,
    hint="seals on reasoning, results of the provider's tools and citations must be sent back with the next request",
    mend="put what has no place of its own into `response_metadata` or `additional_kwargs`",
    source="the recording itself, read by the decoder of its wire (docs/wires.md)",
)
def nothing_is_dropped(probe: Probe, case: Case) -> None:
    recorded = _recorded(probe, case)
    told = _answer(probe, recorded)
    if isinstance(told, Broken):
        raise NotApplicable(f"{_method(probe, recorded)} raises, which REPLAY-01 tells")
    texts = [*leaves(told), text_of(told)]
    reply, unknown = recorded.decoded.reply, recorded.decoded.unknown
    if probe.target.lacks("usage", probe.form):
        reply = replace(reply, usage=None)
    made = {
        each.id for each in reply.blocks if isinstance(each, ServerToolCall) and not _is_recorded(recorded, each.id)
    }
    missing = [*_not_shown(reply, told, texts, made), *_not_known(unknown, texts)]
    if missing:
        raise Broken("all of the recorded answer", f"not in the message: {'; '.join(dict.fromkeys(missing))}")


def _not_shown(reply: Reply, message: AIMessage, texts: list[str], made: Collection[str] = ()) -> Iterator[str]:
    """What of the reply does not stand in the message; `made`: ids that the decoder made up."""
    thought = _reasoning(reply)
    if thought and not reasoning_of(message):
        yield f"reasoning ({len(thought)} characters)"
    for block in reply.blocks:
        if isinstance(block, Reasoning | ToolCall) and block.signature and not _stands(block.signature, texts):
            yield "the signature of reasoning" if isinstance(block, Reasoning) else f"the signature of {block.name}"
        if isinstance(block, Refusal) and not _stands(block.joined, texts):
            yield f"refusal {block.joined[:40]!r}"
        if isinstance(block, ServerToolCall):
            yield from _lost_of(block, texts, has_id=block.id not in made)
        if isinstance(block, ServerToolResult) and not _has_result(block, texts):
            yield f"result of the provider's tool ({block.kind})"
        if isinstance(block, Media) and not _stands(block.data, texts):
            yield f"media ({block.mime_type})"
        if isinstance(block, Text):
            lost = [each for each in block.citations if not _is_cited(each, texts)]
            yield from (f"citation of {each.url or each.title or each.quote}" for each in lost)
    yield from _not_counted(reply.usage, usage_of(message))


def _stands(said: str, texts: Iterable[str]) -> bool:
    return any(said in text for text in texts)


def _lost_of(call: ServerToolCall, texts: list[str], *, has_id: bool) -> Iterator[str]:
    """What does not stand in the message of a call of the provider's tool: all of it, or its id alone."""
    if has_id and _stands(call.id, texts):
        return
    arguments = leaves(list((_arguments(call) or {}).values()))
    if not any(_stands(text, texts) for text in arguments if text):
        yield f"call of the provider's tool {call.name}"
    elif has_id:
        yield f"the id of the call of the provider's tool {call.name}"


def _has_result(result: ServerToolResult, texts: list[str]) -> bool:
    """Whether a text of the result stands in the message; its id, where the result has no texts."""
    found = [text for text in leaves(json.loads(result.output)) if len(text) > 8]
    stands = any(_stands(text, texts) or _is_known(text, texts) for text in found)
    return stands if found else _stands(result.call_id, texts)


def _is_cited(citation: Citation, texts: list[str]) -> bool:
    return any(_stands(each, texts) for each in (citation.url, citation.quote, citation.title) if each)


def _not_counted(usage: Usage | None, counted: dict[str, Any] | None) -> Iterator[str]:
    if usage and counted is None:
        yield "usage"
    elif usage and counted:
        for group, name, field in _DETAILS:
            count = getattr(usage, field)
            if count and not any(_is_named(key, name) for key in counted.get(group, {})):
                yield f"{name} tokens ({count})"


def _not_known(unknown: Iterable[str], texts: list[str]) -> Iterator[str]:
    """What the decoder does not know either, unless its name stands in the message."""
    for line in unknown:
        names = re.findall("'([^']+)'", line)
        if not names or not all(_is_known(name, texts) for name in names):
            yield line


def _is_known(name: str, texts: Iterable[str]) -> bool:
    return any(_plain(name) == _plain(text) for text in texts)


def _plain(name: str) -> str:
    """A name without what tells `toolUse` from `tool_use` and `TOOL_USE`; packages write names in their own way."""
    return name.replace("_", "").casefold()
