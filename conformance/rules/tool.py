"""TOOL: what the calls of an answer are, in `invoke` and in the sum of the stream."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from langchain_core.messages import AIMessage

from mockserver import Reply, Text, ToolCall

from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import content_blocks, repairs_cut_arguments, text_of
from ..drive import Probe
from ..observe import finish_of, same_text, summed
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief
from . import tool_scripts as script
from .tool_scripts import CUT, MALFORMED, PARIS, SAID, ZURICH, Asking, asked_both_ways, calling, same_calls

_MESSAGES: Final = "langchain-core, docstrings of ToolCall, InvalidToolCall and ToolCallChunk"
_REPAIRS: Final = "https://github.com/langchain-ai/langchain/issues/39275"


@rule(
    "TOOL-01",
    MUST,
    "name, parsed arguments and id of a call are the reply's, in invoke and in the sum of the stream",
    needs=("tools",),
    cases=lambda target: asked_both_ways(target, {"": calling(target.wire, PARIS)}),
    hint="agents run what stands in tool_calls, and answer under its id",
    mend="fill tool_calls of a whole answer and tool_call_chunks of a streamed one from the provider's call",
    source=_MESSAGES,
)
def call_is_the_replys(probe: Probe, case: Case) -> None:
    same_calls(probe, script.answer(probe, case.value), (PARIS,))


@rule(
    "TOOL-02",
    MUST,
    "the arguments of tool_call_chunks, joined per index, are the reply's argument text; name and id stand once",
    needs=("tools", "stream"),
    cases=lambda target: [
        Case(name, Asking("stream", calling(target.wire, *blocks)))
        for name, blocks in {"one": (PARIS,), "two": (PARIS, ZURICH), "after-text": (SAID, PARIS)}.items()
        if script.is_carried(target, calling(target.wire, *blocks), "stream")
    ],
    hint="consumers that show a call while it streams add its chunks up by their index; strings are glued",
    mend="give each fragment the index of its call, its own part of the text, and name and id on the first alone",
    source="langchain-core, docstring of ToolCallChunk: equal indexes are merged, and strings concatenated",
)
def fragments_are_the_text(probe: Probe, case: Case) -> None:
    reply = case.value.reply
    probe.play(reply)
    chunks = probe.stream(on=probe.with_tools(script.TOOLS))
    fragments = [fragment for chunk in chunks for fragment in getattr(chunk, "tool_call_chunks", ())]
    merged = getattr(summed(chunks), "tool_call_chunks", [])
    heads = [(fragment["name"], fragment["id"]) for fragment in merged]
    if [name for name, _ in heads] != [call.name for call in reply.tool_calls] or not _told_once(probe, reply, heads):
        wanted = [(call.name, call.id) for call in reply.tool_calls]
        raise Broken(f"name and id of each call, once: {wanted}", f"the sum has {brief(heads)}", frame="piece")
    for told, joined in (("in the sum", [each["args"] or "" for each in merged]), ("by index", _by_index(fragments))):
        _same_arguments(probe, reply.tool_calls, joined, told)


def _told_once(probe: Probe, reply: Reply, heads: list[tuple[Any, Any]]) -> bool:
    """Whether the ids are the reply's, or where the provider's say nothing, are there."""
    ids = [id for _, id in heads]
    return ids == [call.id for call in reply.tool_calls] if script.has_ids(probe.wire, reply.tool_calls) else all(ids)


def _by_index(fragments: list[Mapping[str, Any]]) -> list[str]:
    """The argument texts joined per index; a fragment without an index is a call of its own."""
    joined: defaultdict[object, str] = defaultdict(str)
    for number, fragment in enumerate(fragments):
        index = fragment["index"]
        joined[("alone", number) if index is None else index] += fragment["args"] or ""
    return list(joined.values())


def _same_arguments(probe: Probe, calls: tuple[ToolCall, ...], joined: list[str], told: str) -> None:
    """The texts are the reply's, character for character where the wire carries text, and else as JSON."""
    wanted = [call.joined for call in calls]
    if joined == wanted:
        return
    if not script.carries_text(probe.wire) and [_read(text) for text in joined] == [_read(text) for text in wanted]:
        return
    raise Broken(f"arguments {wanted}", f"{joined} ({told})", frame="piece")


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _without_arguments(target: Target) -> list[Case]:
    empty = calling(target.wire, ToolCall(id="call_time", name="get_time"))
    braces = calling(target.wire, ToolCall.of("get_time", {}, id="call_time"))
    cases = asked_both_ways(target, {"braces": braces, "empty": empty})
    found = script.variants(target, empty)
    absent = {"absent": "absent-arguments", "null": "null-arguments"}
    return cases + [
        script.case_of(target, f"{name}-stream", empty, found[variant])
        for name, variant in absent.items()
        if variant in found
    ]


@rule(
    "TOOL-04",
    MUST,
    "a call without arguments becomes {}, whether their text is empty, absent or {}",
    needs=("tools",),
    cases=_without_arguments,
    hint="an empty text is no JSON; read as such, a right call becomes an invalid one that no agent runs",
    mend="take no argument text for {} before parsing",
    source="langchain-ai/langchain#23911; langchain-core, parse_tool_call; openai/openai-python#3502",
)
def no_arguments_are_an_object(probe: Probe, case: Case) -> None:
    same_calls(probe, script.answer(probe, case.value), case.value.reply.tool_calls)


def _wrong(target: Target) -> list[Case]:
    wire = target.wire
    array = calling(wire, SAID, PARIS, ToolCall(('["Paris"]',), id="call_array", name="get_weather"))
    return [
        *asked_both_ways(target, {"malformed": calling(wire, SAID, PARIS, MALFORMED)}),
        *asked_both_ways(target, {"cut": calling(wire, SAID, PARIS, CUT, finish="length")}),
        *asked_both_ways(
            target, {"array": array}, level=SHOULD, why="SHOULD: it is JSON, though not what arguments are"
        ),
    ]


@rule(
    "TOOL-05",
    MUST,
    "malformed argument JSON becomes an invalid_tool_calls entry with the raw text; the message still arrives",
    needs=("tools",),
    cases=_wrong,
    hint="what the model meant is in the raw text; a call with made-up arguments is run, and an error loses the rest",
    mend="put a call whose arguments are no JSON object into invalid_tool_calls with their text, and go on",
    source=f"langchain-core, docstring of InvalidToolCall; {_REPAIRS}",
)
def malformed_calls_are_kept(probe: Probe, case: Case) -> None:
    message = script.answer(probe, case.value)
    same_text(SAID.joined, text_of(message))
    [good, bad] = case.value.reply.tool_calls
    if bad is CUT and probe.exchange.asked and probe.exchange.asked.stream:
        _tells_that_it_is_cut(probe, case.value, message)
    wanted = [(bad.name, bad.joined, bad.id)]
    if script.invalid_of(message) != wanted:
        raise Broken(
            f"invalid_tool_calls {wanted}",
            f"{brief(script.invalid_of(message))}; tool_calls {brief(message.tool_calls)}",
            frame="piece",
        )
    same_calls(probe, message.model_copy(update={"invalid_tool_calls": []}), (good,))


def _tells_that_it_is_cut(probe: Probe, asking: Asking, message: AIMessage) -> None:
    """What a model can do while langchain-core repairs cut arguments whenever chunks are added.

    Raises:
        Broken: the text or the finish reason is lost.
        NotApplicable: that is kept, and langchain-core makes a call of it all the same.
    """
    if not repairs_cut_arguments():
        return
    texts = [fragment["args"] for fragment in getattr(message, "tool_call_chunks", ())]
    if texts and CUT.joined not in texts:
        raise Broken(f"argument text {CUT.joined!r} in tool_call_chunks", brief(texts), frame="piece")
    word = probe.wire.finish_word(asking.reply)
    if finish_of(message) != word:
        raise Broken(f"finish reason {word!r}, which says that the call is cut", repr(finish_of(message)))
    raise NotApplicable(
        f"langchain-core completes cut arguments when it adds chunks, whatever a model does: {_REPAIRS}"
    )


def _texts(target: Target) -> list[Case]:
    wire = target.wire
    after, middle = Text((" That ", "is all.\n")), Text(("\nAnd ", "now "))
    between = calling(wire, SAID, PARIS, middle, ZURICH, after)
    cases = asked_both_ways(
        target,
        {"before": calling(wire, SAID, PARIS), "after": calling(wire, PARIS, after), "between": between},
    )
    if not script.is_carried(target, between, "invoke"):
        return cases
    why = "SHOULD: content may be a string, which has no place for calls"
    return cases + asked_both_ways(target, {"place": between}, level=SHOULD, why=why)


@rule(
    "TOOL-06",
    MUST,
    "text before, between and after calls keeps its characters, and its place where the provider tells it",
    needs=("tools",),
    cases=_texts,
    hint="what the model says beside its calls is part of the answer",
    mend="keep text and calls of one answer, in the order in which they come",
    source="langchain-core, AIMessage.content_blocks: blocks stand in order",
)
def text_beside_calls_is_kept(probe: Probe, case: Case) -> None:
    message = script.answer(probe, case.value)
    reply = case.value.reply
    same_text(reply.text, text_of(message))
    same_calls(probe, message, reply.tool_calls)
    if not case.name.startswith("place"):
        return
    if not (blocks := content_blocks(message)):
        raise NotApplicable("there are no content blocks")
    kinds = [_kind(block) for block in blocks]
    wanted = ["text" if isinstance(block, Text) else "tool_call" for block in reply.blocks]
    if [kind for kind in kinds if kind in wanted] != wanted:
        raise Broken(f"content_blocks {wanted}", f"{kinds}")


def _kind(block: Mapping[str, Any]) -> str:
    kind = str(block.get("type"))
    return "tool_call" if kind == "tool_call_chunk" else kind


_FISH: Final = "\U0001f420"
_VALUES: Final[Mapping[str, dict[str, Any]]] = {
    "numbers": {"zero": 0, "minus": -7, "half": 0.5, "tiny": -2.5e-07, "many": 12_345_678, "list": [1, 2.5, -3]},
    "literals": {
        "yes": True,
        "no": False,
        "nothing": None,
        "text": "",
        "list": [],
        "object": {},
        "mixed": [None, True],
    },
    "strings": {"zip": "007", "year": "2026", "yes": "true", "no": "null", "number": "1e5", "json": '{"a": [1]}'},
    "nested": {"stops": [{"at": {"place": {"names": ["a", ["b", []]]}}}, {"at": {"place": {}}}]},
    "unicode": {"fish": _FISH, "umlaut ü": "Zürich, e\u0301", "lines": "a\u2028b", "日本": "語"},
    "escapes": {
        "quote": 'say "hi"',
        "path": "C:\\temp\\new",
        "lines": "a\r\n\tb\x1f",
        "slash": "</a>",
        "half": "\\u00e9",
    },
}
_LARGE: Final = {"beyond doubles": 2**53 + 1, "beyond 64 bits": 2**64 + 1, "a float": 3.0}


def _plan(value: object, *, escaped: bool = False) -> ToolCall:
    """A call with this value in pieces of seven characters; `escaped`: with all but ASCII as escapes."""
    text = json.dumps({"plan": value}, ensure_ascii=escaped)
    return ToolCall(tuple(text[at : at + 7] for at in range(0, len(text), 7)), id="call_plan", name="plan_trip")


def _typed(target: Target) -> list[Case]:
    calls = {"values": _plan(_VALUES), "escaped": _plan(_VALUES, escaped=True)}
    if script.carries_text(target.wire):
        calls["large"] = _plan(_LARGE)
    return asked_both_ways(target, {name: calling(target.wire, call) for name, call in calls.items()})


@rule(
    "TOOL-07",
    MUST,
    "nested arguments, numbers, booleans, nulls, numeric strings, Unicode and escapes keep type and value",
    needs=("tools",),
    cases=_typed,
    hint="a postcode read as a number loses its zeros; fragments decoded one by one break escapes",
    mend="join the argument text first, and parse it once, as JSON",
    source="RFC 8259; langchain-core, docstring of ToolCall",
)
def values_keep_their_types(probe: Probe, case: Case) -> None:
    same_calls(probe, script.answer(probe, case.value), case.value.reply.tool_calls)
