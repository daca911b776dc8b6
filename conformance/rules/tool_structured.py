"""TOOL: structured output, by whichever means a package asks for it."""

import inspect
import json
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from pydantic import BaseModel, Field, field_validator
from typing_extensions import TypedDict

from mockserver import Asked, Reply, ToolCall, Wire

from ..catalogue import MUST, Case, rule
from ..drive import Probe
from ..target import Target
from ..verdict import Broken
from ..wording import brief, describe_error
from . import scripts
from .tool_scripts import HOWS, calling

QUESTION: Final = "Tell me of a place, as JSON"
PLACE: Final[dict[str, Any]] = {"city": "Zürich", "height": 408, "by_a_lake": True}
PIECES: Final = ('{"city":"Zürich"', ',"height"', ":408", ',"by_a_lake":true}')
"""The text of `PLACE` as it streams."""


NOWHERE: Final = "Nowhere"


class Place(BaseModel):
    """A place."""

    city: str = Field(description="its name")
    height: int = Field(description="metres above the sea")
    by_a_lake: bool = Field(description="whether it lies by a lake")

    @field_validator("city")
    @classmethod
    def _is_somewhere(cls, city: str) -> str:
        """What no JSON Schema says, so that a provider that keeps to the schema may send it."""
        if city == NOWHERE:
            raise ValueError(f"{city} is no place")
        return city


class PlaceDict(TypedDict):
    """A place."""

    city: Annotated[str, ..., "its name"]
    height: Annotated[int, ..., "metres above the sea"]
    by_a_lake: Annotated[bool, ..., "whether it lies by a lake"]


SCHEMA: Final[dict[str, Any]] = {
    "title": "Place",
    "description": "A place.",
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "its name"},
        "height": {"type": "integer", "description": "metres above the sea"},
        "by_a_lake": {"type": "boolean", "description": "whether it lies by a lake"},
    },
    "required": ["city", "height", "by_a_lake"],
}
_SPELLINGS: Final[dict[str, Any]] = {"pydantic": Place, "typed-dict": PlaceDict, "json-schema": SCHEMA}


def reply_to(wire: Wire, asked: Asked, pieces: tuple[str, ...] = PIECES) -> Reply:
    """What the provider answers: a call of the tool that is offered, or text where the request has none."""
    if asked.tools:
        return calling(wire, ToolCall(pieces, id="call_place", name=asked.tools[0]))
    return Reply.of(*pieces, model=scripts.PLAIN.model)


def structured(probe: Probe, schema: Any, **kwargs: Any) -> Runnable[Any, Any]:
    """The model with structured output."""
    try:
        return probe.model().with_structured_output(schema, **kwargs)
    except Exception as error:
        raise Broken("with_structured_output takes the schema", f"it raised {describe_error(error)}") from error


def methods(target: Target) -> tuple[str, ...]:
    """The methods that the class says it knows, but for the one that it takes unasked."""
    found = target.model_class.with_structured_output
    parameter = inspect.signature(found).parameters.get("method")
    if parameter is None:
        return ()
    try:
        said = get_type_hints(found).get("method")
    except Exception:  # noqa: BLE001 - annotations of packages may name what is imported for type checkers alone
        return ()
    known = get_args(said) if get_origin(said) is Literal else ()
    return tuple(each for each in known if isinstance(each, str) and each != parameter.default)


def _cases(target: Target) -> list[Case]:
    # langchain-core's parsers lose the calls of a message that is no chunk, and so of a model that does not stream.
    hows = HOWS if target.native("_stream") else HOWS[:1]
    spelled = [Case(f"{name}-{how}", (how, schema, {})) for name, schema in _SPELLINGS.items() for how in hows]
    raw = [Case(f"include-raw-{how}", (how, Place, {"include_raw": True})) for how in hows]
    by_method = [
        Case(f"by-{method.replace('_', '-')}-{how}", (how, Place, {"method": method}))
        for method in methods(target)
        for how in hows
    ]
    return [*spelled, *raw, *by_method, Case("unfit"), Case("unfit-include-raw")]


@rule(
    "TOOL-11",
    MUST,
    "with_structured_output parses the reply, in invoke and in stream, and tells of one that does not fit",
    needs=("tools", "structured output"),
    cases=_cases,
    hint="applications read the fields of what they get, and cannot look at the text behind it",
    mend="parse what the request asked for: the call of the tool, or the text as JSON",
    source="langchain-core, docstring of BaseChatModel.with_structured_output",
)
def structured_output_is_parsed(probe: Probe, case: Case) -> None:
    if case.name.startswith("unfit"):
        _tells_what_does_not_fit(probe, include_raw=case.name != "unfit")
        return
    how, schema, kwargs = case.value
    probe.play(lambda asked: reply_to(probe.wire, asked))
    found = _asked(probe, how, structured(probe, schema, **kwargs))
    if kwargs.get("include_raw"):
        found = _parsed(found)
    wanted = Place(**PLACE) if schema is Place else PLACE
    if type(found) is not type(wanted) or found != wanted:
        raise Broken(repr(wanted), f"{type(found).__name__} {brief(found)}")


def _asked(probe: Probe, how: str, model: Runnable[Any, Any]) -> Any:
    """What `invoke` gives, or the last item of the stream; of a stream of mappings, the last value of each key."""
    if how == "invoke":
        return probe.call("invoke", QUESTION, on=model).value()
    items = probe.iterate("stream", QUESTION, on=model).rest()
    if not items:
        raise Broken("at least one item", "none")
    if all(isinstance(item, dict) and item.keys() <= _RAW for item in items):
        return {key: value for item in items for key, value in item.items()}
    return items[-1]


_RAW: Final = {"raw", "parsed", "parsing_error"}


def _parsed(found: Any) -> Any:
    if not isinstance(found, dict) or set(found) != _RAW:
        raise Broken(f"a mapping of {', '.join(sorted(_RAW))}", brief(found))
    if not isinstance(found["raw"], AIMessage) or found["parsing_error"]:
        raise Broken("the message under 'raw' and no 'parsing_error'", brief({**found, "raw": type(found["raw"])}))
    return found["parsed"]


def _tells_what_does_not_fit(probe: Probe, *, include_raw: bool) -> None:
    unfit = json.dumps({**PLACE, "city": NOWHERE})
    probe.play(lambda asked: reply_to(probe.wire, asked, (unfit,)))
    model = structured(probe, Place, include_raw=include_raw)
    call = probe.call("invoke", QUESTION, on=model)
    if not include_raw:
        call.raised("the reply does not fit the schema")
        return
    found = call.value()
    if not isinstance(found, dict) or set(found) != _RAW:
        raise Broken(f"a mapping of {', '.join(sorted(_RAW))}", brief(found))
    if found["parsed"] is not None or not isinstance(found["parsing_error"], Exception):
        raise Broken("an error under 'parsing_error', and nothing under 'parsed'", brief(found))
