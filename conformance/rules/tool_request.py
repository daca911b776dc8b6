"""TOOL: tools, calls and their results in what is sent."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool
from pydantic import BaseModel, Field

from mockserver import Asked, ToolCall
from mockserver.wires import Offered

from ..catalogue import MUST, SHOULD, Case, Level, rule
from ..compat import invalid_tool_calls
from ..drive import PROMPT, Probe
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief, describe_error
from . import scripts
from . import tool_scripts as script
from .asking import asked_by
from .tool_scripts import HOWS, MALFORMED, PARIS, SAID, How, calling, is_carried

_ABOUT: Final = "Find places near a point."
_QUERY: Final = "what to look for"


class Circle(BaseModel):
    """Where to look."""

    radius: float = Field(description="metres")


class find_places(BaseModel):  # noqa: N801 - the name of the class is the name of the tool
    """Find places near a point."""

    query: str = Field(description=_QUERY)
    within: Circle
    kinds: list[str] = Field(description="kinds of places")
    limit: int = Field(default=5, description="how many at most")


def _found(**places: Any) -> str:
    return str(places)


_AS_TOOL: Final = StructuredTool.from_function(_found, name="find_places", description=_ABOUT, args_schema=find_places)


def _as_function() -> Any:
    def find_places(
        query: Annotated[str, _QUERY], within: Circle, kinds: Annotated[list[str], "kinds of places"], limit: int = 5
    ) -> str:
        """Find places near a point.

        Args:
            query: what to look for
            within: where to look
            kinds: kinds of places
            limit: how many at most
        """
        return f"{limit} {kinds} {query} {within}"

    return find_places


_AS_DICT: Final[dict[str, Any]] = {
    "type": "function",
    "function": {
        "name": "find_places",
        "description": _ABOUT,
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": _QUERY},
                "within": {"type": "object", "properties": {"radius": {"type": "number"}}, "required": ["radius"]},
                "kinds": {"type": "array", "items": {"type": "string"}, "description": "kinds of places"},
                "limit": {"type": "integer", "description": "how many at most", "default": 5},
            },
            "required": ["query", "within", "kinds"],
        },
    },
}
_TYPES: Final = {"query": "string", "kinds": "array", "limit": "integer"}
_NEEDED: Final = {"query", "within", "kinds"}


def _bound(target: Target) -> list[Case]:
    spelled: dict[str, Any] = {"tool": _AS_TOOL, "pydantic": find_places, "function": _as_function()}
    why = "SHOULD: bind_tools takes mappings, and says of no form that they have"
    choices = [
        Case("choose-any", ([_AS_TOOL, script.get_time], "any")),
        Case("choose-one", ([script.get_time], "get_time")),
        Case("choose-among", ([_AS_TOOL, script.get_time], "get_time"), SHOULD, "SHOULD: not each API can name a tool"),
    ]
    return [
        *(Case(name, ([each], None)) for name, each in spelled.items()),
        Case("mapping", ([_AS_DICT], None), SHOULD, why),
        *(choices if target.wire.chooses_tools else ()),
    ]


@rule(
    "TOOL-09",
    MUST,
    "name, description and schema of bound tools, and tool_choice, are sent, alike by invoke and stream, sync or async",
    needs=("tools",),
    cases=_bound,
    hint="what the provider is not told of a tool, its model cannot use",
    mend="convert tools once, where they are bound, and send them in each request",
    source="langchain-core, BaseChatModel.bind_tools, convert_to_openai_tool",
)
def tools_are_sent(probe: Probe, case: Case) -> None:
    tools, choice = case.value
    model = _bind(probe, tools, choice)
    asked = {probe.name(how): _asked(probe, how, model) for how in HOWS}
    if probe.is_async:
        asked["invoke"] = _asked(probe.beside("sync"), "invoke", model)
    names = [getattr(each, "name", None) or "find_places" for each in tools]
    for method, found in asked.items():
        if [each.name for each in found.offered] != names:
            raise Broken(f"tools {names} in the request of {method}", brief([each.name for each in found.offered]))
        for offered in found.offered:
            if offered.name == "find_places" and (fault := _fault(offered)):
                raise Broken(f"the tool as it was bound, in the request of {method}", f"{fault}: {offered}")
        if choice and not _is_chosen(found, choice, alone=len(tools) == 1):
            raise Broken(f"tool_choice {choice!r} in the request of {method}", repr(found.tool_choice))
    first, *others = asked.items()
    for method, found in others:
        if (found.offered, found.tool_choice) != (first[1].offered, first[1].tool_choice):
            raise Broken(f"the tools of {first[0]}: {brief(first[1].offered)}", f"{method} {brief(found.offered)}")


def _bind(probe: Probe, tools: list[Any], choice: str | None) -> Any:
    if choice is None:
        return probe.with_tools(tools)
    try:
        return probe.model().bind_tools(tools, tool_choice=choice)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise NotApplicable(f"bind_tools refuses tool_choice={choice!r}: {describe_error(error)}") from error


def _is_chosen(asked: Asked, choice: str, *, alone: bool) -> bool:
    """Whether the request chooses so; the only tool is chosen by its name, and by any."""
    return asked.tool_choice == choice or (alone and asked.tool_choice == "any")


def _asked(probe: Probe, how: How, model: Any) -> Asked:
    """The request of one call."""
    probe.play(scripts.PLAIN)
    return asked_by(probe, how, on=model)


def _fault(offered: Offered) -> str:
    """What is missing of the tool in a request; types may be written in capitals, and parts under `$defs`."""
    if _ABOUT not in offered.description:
        return f"its description is {offered.description!r}"
    properties = offered.schema.get("properties") or {}
    if set(properties) != {*_TYPES, "within"}:
        return f"its arguments are {sorted(properties)}"
    for name, kind in _TYPES.items():
        if str(properties[name].get("type")).lower() != kind:
            return f"the type of {name} is {properties[name].get('type')!r}"
    if _QUERY not in str(properties["query"].get("description")):
        return f"the description of query is {properties['query'].get('description')!r}"
    if not _has_property(offered.schema, "radius"):
        return "the argument within has no radius"
    missing = _NEEDED - set(offered.schema.get("required") or ())
    return f"{sorted(missing)} not required" if missing else ""


def _has_property(schema: object, name: str) -> bool:
    """Whether an object of this schema, at any depth, has a property of this name."""
    if isinstance(schema, Mapping):
        known = schema.get("properties")
        return (isinstance(known, Mapping) and name in known) or any(
            _has_property(each, name) for each in schema.values()
        )
    return isinstance(schema, list) and any(_has_property(each, name) for each in schema)


_TIME: Final = ToolCall.of("get_time", {}, id="call_time")
_RESULTS: Final = ("fine in Paris", "noon sharp")


def _conversations(target: Target) -> list[Case]:
    # Without ids of the provider's, results may be told by their order.
    level: Level | None = None if target.wire.call_ids else SHOULD
    why = "" if target.wire.call_ids else f"SHOULD here: calls of {target.wire.name} need no ids"
    made = [Case(name, name, level, why) for name in ("strings", "parts", "error")]
    calls = calling(target.wire, SAID, PARIS, _TIME)
    broken = calling(target.wire, SAID, PARIS, MALFORMED)
    returned = [
        Case(f"{name}-{how}", script.Asking(how, reply), level, why)
        for name, reply in {"returned": calls, "returned-invalid": broken}.items()
        for how in HOWS
        if is_carried(target, reply, how)
    ]
    return [*made, *returned]


@rule(
    "TOOL-10",
    MUST,
    "an AIMessage with tool calls and its ToolMessages reach the wire with matching ids, in order",
    forms="s",
    needs=("tools",),
    cases=_conversations,
    hint="providers refuse a result without its call, and a call without its result; the conversation is then lost",
    mend="send each call of a message, invalid ones too, and each result under the id of its call",
    source="langchain-core, ToolMessage; langchain-ai/langchain#40372, #39803; langchain-ai/langchain-aws#1289",
)
def results_follow_their_calls(probe: Probe, case: Case) -> None:
    model = probe.with_tools(script.TOOLS)
    if isinstance(case.value, script.Asking):
        said = script.answer(probe, case.value)
    else:
        calls = [{"name": each.name, "args": json.loads(each.joined), "id": each.id} for each in (PARIS, _TIME)]
        said = AIMessage(content=SAID.joined, tool_calls=calls)
    probe.play(scripts.PLAIN)
    asked = asked_by(probe, "invoke", [HumanMessage(PROMPT), said, *_results(said, str(case.value))], on=model)
    _same_ids(asked)
    body = json.dumps(asked.body, ensure_ascii=False)
    places = [body.find(text) for text in _RESULTS]
    if min(places) < 0 or places != sorted(places):
        raise Broken(f"the results {_RESULTS}, in this order", brief(asked.messages[-2:]))


def _results(said: AIMessage, form: str) -> list[AnyMessage]:
    """A result for each call of a message, as a string, as a list of parts, or as that of a failure."""
    calls = [*said.tool_calls, *invalid_tool_calls(said)]
    if len(calls) != len(_RESULTS):
        raise Broken(f"{len(_RESULTS)} calls, valid or not", f"{brief(calls)}")
    status = "error" if form == "error" else "success"
    return [
        ToolMessage(
            content=[{"type": "text", "text": text}] if form == "parts" else text,
            tool_call_id=call["id"],
            name=call["name"],
            status=status,
        )
        for text, call in zip(_RESULTS, calls, strict=True)
    ]


def _same_ids(asked: Asked) -> None:
    """Each call has its result, under the same id, in whatever order; ids may be others than the reply's."""
    calls = [id for message in asked.messages for id in message.tool_calls]
    results = [id for message in asked.messages for id in message.tool_results]
    if len(calls) != len(_RESULTS) or sorted(calls) != sorted(results):
        raise Broken(f"{len(_RESULTS)} calls, and their results by the same ids", f"calls {calls}, results {results}")
