"""Replies with tool calls, fitted to a wire, and how calls are compared: shared by the rules of TOOL."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, tool

from mockserver import Asked, Recording, Refused, Reply, Text, ToolCall, Turn, Unencodable, Wire
from mockserver.frames import join
from mockserver.reply import Block
from mockserver.wires import Variant

from ..catalogue import SHOULD, Case, Level
from ..compat import invalid_tool_calls
from ..drive import Probe
from ..observe import total
from ..target import Target
from ..verdict import Broken
from ..wording import brief
from . import scripts

How = Literal["invoke", "stream"]
_LONG: Final = 160
"""How many characters of a call's arguments are shown."""
HOWS: Final[tuple[How, ...]] = ("invoke", "stream")


@tool
def get_time() -> str:
    """Tell the time."""
    return "noon"


@tool
def plan_trip(plan: dict[str, Any]) -> str:
    """Plan a trip."""
    return f"planned {plan}"


TOOLS: Final[list[BaseTool]] = [*scripts.TOOLS, get_time, plan_trip]

PARIS: Final = ToolCall.of("get_weather", {"city": "Paris"}, id="call_paris", size=5)
ZURICH: Final = ToolCall.of("get_weather", {"city": "Zürich"}, id="call_zurich", size=5)
MALFORMED: Final = ToolCall(('{"city": ', "Paris", "}"), id="call_bad", name="get_weather")
"""Its arguments are no JSON, however much is added at their end."""
CUT: Final = ToolCall(('{"city": ', '"Par'), id="call_cut", name="get_weather")
"""Its arguments end in the middle, as where the limit of tokens is met."""
SAID: Final = Text((" Let me ", "look.\n"))


@dataclass(frozen=True, slots=True)
class Asking:
    """What a case scripts, and how it asks. `variant`: the stream that says it, where it is not the wire's own."""

    how: How
    reply: Reply
    variant: Variant | None = None


def calling(wire: Wire, *blocks: Block, finish: str = "tool_calls", order: tuple[int, ...] | None = None) -> Reply:
    """A reply of these blocks; on a wire that has no word for `tool_calls`, it ends in `stop`."""
    fitting = finish if finish in wire.finish_reasons else "stop"
    return Reply(blocks=blocks, finish_reason=fitting, model=scripts.PLAIN.model, order=order)


def is_carried(target: Target, reply: Reply, how: How) -> bool:
    """Whether the target's wire can say this in all forms in which the target may ask for it.

    `invoke` may stream inside, and a model without token streaming asks for a whole answer whatever is called.
    """
    streams = how == "stream" and target.native("_stream")
    return _says(target.wire, reply, whole=False) and (streams or _says(target.wire, reply, whole=True))


def _says(wire: Wire, reply: Reply, *, whole: bool) -> bool:
    try:
        return bool(wire.whole(scripts.named(reply)) if whole else wire.frames(scripts.named(reply)))
    except Unencodable:
        return False


def carries_text(wire: Wire) -> bool:
    """Whether streams of the wire carry the arguments of a call as text, and not as an object."""
    return _says(wire, calling(wire, MALFORMED), whole=False)


def asked_both_ways(
    target: Target, replies: Mapping[str, Reply], *, level: Level | None = None, why: str = ""
) -> list[Case]:
    """A case for each reply (by the name of its case) and each way to ask, where the wire can carry it."""
    return [
        Case("-".join(part for part in (name, how) if part), Asking(how, reply), level, why)
        for name, reply in replies.items()
        for how in HOWS
        if is_carried(target, reply, how)
    ]


def variants(target: Target, reply: Reply) -> Mapping[str, Variant]:
    """The streams that make the same calls otherwise; none where the wire cannot carry the reply."""
    named = scripts.named(reply)
    return target.wire.call_variants(named) if is_carried(target, reply, "stream") else {}


def case_of(target: Target, name: str, reply: Reply, variant: Variant) -> Case:
    """A case for a stream that says the reply otherwise; SHOULD where only others than the wire's provider send it."""
    level: Level | None = None if variant.source else SHOULD
    why = variant.source or f"SHOULD here: {target.wire.name} is not known to send calls so; servers like it do"
    return Case(name, Asking("stream", reply, variant), level, why)


def answer(probe: Probe, asking: Asking) -> AIMessage:
    """The model's message for what a case scripts: invoke's, or the sum of the stream."""
    play(probe, asking)
    model = probe.with_tools(TOOLS)
    message = probe.invoke(on=model) if asking.how == "invoke" else total(probe.stream(on=model))
    if not isinstance(message, AIMessage):
        raise Broken("an AIMessage", brief(message))
    return message


def play(probe: Probe, asking: Asking) -> None:
    """Script the server. A model that asks for no stream gets the reply whole, or is told that it had to."""
    wire, reply = probe.wire, asking.reply
    streamed = Turn(reply=reply)
    if asking.variant:
        headers = {"content-type": wire.stream_type, **wire.headers(scripts.named(reply))}
        streamed = Turn(recording=Recording(200, headers, asking.variant.frames))

    def answered(asked: Asked) -> Turn | Reply | Refused:
        if asked.stream:
            return streamed
        return reply if _says(wire, reply, whole=True) else Refused(400, f"{asking.how} asked for no stream")

    probe.play(answered)


def same_calls(probe: Probe, message: AIMessage, wanted: tuple[ToolCall, ...]) -> None:
    """Compare a message's calls with those of the reply: names, arguments with their types, ids, order.

    Raises:
        Broken: they differ, or some are invalid.
    """
    got = [(call["name"], call["args"]) for call in message.tool_calls]
    expected = [(call.name, json.loads(call.joined or "{}")) for call in wanted]
    if _json(got) != _json(expected):
        one, other = _differing(expected, got)
        raise Broken(f"calls {one}", f"calls {other}{_invalid(message)}", frame="piece")
    ids = [call["id"] for call in message.tool_calls]
    if has_ids(probe.wire, wanted):
        if ids != [call.id for call in wanted]:
            raise Broken(f"ids {[call.id for call in wanted]}", f"ids {ids}", frame="piece")
    elif not all(ids) or len(set(ids)) != len(ids):
        raise Broken("an id on each call, none of them twice", f"ids {ids}")
    if message.invalid_tool_calls:
        raise Broken("no invalid calls", f"calls {_told(got)}{_invalid(message)}")


def has_ids(wire: Wire, calls: tuple[ToolCall, ...]) -> bool:
    """Whether the wire's provider gives calls ids that its clients keep."""
    if not wire.call_ids or not calls:
        return wire.call_ids
    frames = join(wire.frames(scripts.named(calling(wire, *calls))))
    return all(call.id.encode() in frames for call in calls)


def invalid_of(message: AIMessage) -> list[tuple[Any, Any, Any]]:
    """Name, argument text and id of each invalid call."""
    return [(call["name"], call["args"], call["id"]) for call in invalid_tool_calls(message)]


def _json(value: object) -> str:
    """A form in which 1, 1.0, "1" and true are not the same, and the order of keys says nothing."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=repr)


_Call: TypeAlias = tuple[str, Any]


def _differing(wanted: list[_Call], got: list[_Call]) -> tuple[str, str]:
    """What of the calls is to be shown: all of them, or of a single long one what differs."""
    if len(wanted) == len(got) == 1 and wanted[0][0] == got[0][0] and len(_json(wanted)) > _LONG:
        path, one, other = _difference(wanted[0][1], got[0][1])
        return (f"{wanted[0][0]}({path}={_json(one)})", f"{got[0][0]}({path}={_json(other)})")
    return _told(wanted), _told(got)


def _difference(one: Any, other: Any, path: str = "") -> tuple[str, Any, Any]:
    """Path and values of the first difference."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        key = next(key for key in one if _json(one[key]) != _json(other[key]))
        return _difference(one[key], other[key], f"{path}.{key}".lstrip("."))
    return path, one, other


def _told(calls: list[_Call]) -> str:
    return (
        ", ".join(
            f"{name}({text if len(text := _json(args)) <= _LONG else text[:_LONG] + '…'})" for name, args in calls
        )
        or "none"
    )


def _invalid(message: AIMessage) -> str:
    return f"; invalid {brief(invalid_of(message))}" if invalid_of(message) else ""


def pieces_in_turn(*calls: ToolCall) -> tuple[int, ...]:
    """The order in which the calls' pieces take turns, for `Reply.order`; the calls are its first blocks."""
    return tuple(_in_turn(*calls))


def _in_turn(*calls: ToolCall) -> Iterator[int]:
    for number in range(max(len(call.pieces) for call in calls)):
        yield from (index for index, call in enumerate(calls) if number < len(call.pieces))
