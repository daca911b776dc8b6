"""What the rules of REPLAY share: recordings as cases, what a model makes of them, and how both are read."""

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any, Final

from langchain_core.messages import AIMessage

from mockserver import Reasoning, Reply, ServerToolCall, ToolCall
from mockserver.sending.delivery import Cuts
from mockserver.wires import WIRES

from ..cassettes import Recorded
from ..catalogue import SHOULD, Case
from ..drive import PROMPT, Probe
from ..in_process import played
from ..observe import total, unasked
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief
from .events_read import model_output


def cases(target: Target) -> list[Case]:
    """One for each recording of the model's wires, or one that says why there is none."""
    cases = [_case(target, each) for each in target.cassettes.of(target.families)]
    return cases or [Case("", target.cassettes.others(target.families) or "there are no cassettes")]


def _case(target: Target, recorded: Recorded) -> Case:
    spoken = target.families[recorded.wire.family]
    if recorded.wire.name == spoken:
        return Case(recorded.label, recorded)
    why = f"SHOULD here: it was recorded on {recorded.wire.name}, and {target.label} is for {spoken}"
    return Case(recorded.label, recorded, level=SHOULD, why=why)


def recorded_of(probe: Probe, case: Case) -> Recorded:
    """The recording of a case, for which the model is built from now on."""
    if not isinstance(case.value, Recorded):
        raise NotApplicable(f"no recording for {probe.target.label} ({', '.join(probe.target.families)}): {case.value}")
    probe.speak(case.value.wire.family)
    return case.value


def method_of(probe: Probe, recorded: Recorded) -> str:
    return probe.name("stream" if recorded.streams else "invoke")


def answer(probe: Probe, recorded: Recorded, *, cuts: Cuts = "frame", events: bool = False) -> AIMessage | Broken:
    """The sum of what the model gives when it is answered with this recording, or what it raises.

    A provider sends nothing that was not asked for. So an error counts only where it comes without usage too, if the
    model did not ask for that, and where the model can be given the tools that are called.

    Raises:
        Broken: it neither gives a message nor raises, or asks for something that the provider refuses.
        NotApplicable: it asks for another kind of answer, or takes no URL, and vcrpy cannot play it to its client.
    """
    told = _answer(probe, recorded, cuts=cuts, events=events)
    if isinstance(told, Broken) and recorded.asks_usage and unasked(probe.exchanges):
        told = _answer(probe, recorded.uncounted, cuts=cuts, events=events)
    untold = recorded.decoded.reply.tool_calls and probe.target.lacks("tools", probe.form)
    if isinstance(told, Broken) and untold and not recorded.error:
        raise NotApplicable(f"{method_of(probe, recorded)} raises on calls that it was never to get: {untold}")
    return told


def _answer(probe: Probe, recorded: Recorded, *, cuts: Cuts, events: bool) -> AIMessage | Broken:
    """What comes of this recording, whatever was asked for."""
    probe.play(recorded.turn(cuts))
    in_process = probe.target.stanza.in_process
    try:
        with played(probe, recorded) if in_process else nullcontext():
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
    if reasoning_in(recorded.decoded.reply):
        fields |= probe.target.reasoning
    model: Any = probe.model(**fields)
    tools = list(_tools(recorded.decoded.reply))
    if tools and not probe.target.lacks("tools", probe.form):
        # Whether it takes tools that are described so is for TOOL-09 to say.
        with suppress(Broken):
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
                f"{method_of(probe, recorded)} of {probe.target.label} asks for {'a' if asked.stream else 'no'} stream"
            )
        if exchange.refused:
            raise Broken("a request that the provider accepts", exchange.describe())


def reasoning_in(reply: Reply) -> str:
    return "".join(block.joined for block in reply.blocks if isinstance(block, Reasoning))


def apart(text: str, other: str) -> str:
    """A text from just before the place where it differs from another."""
    same = next((at for at, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
    start = max(0, same - 15)
    return f"{'…' if start else ''}{text[start : start + 60]!r} ({len(text)} characters)"


def arguments_of(call: ToolCall | ServerToolCall) -> dict[str, Any] | None:
    """The arguments of a call; `None` where they are no JSON object."""
    try:
        args = json.loads(call.joined or "{}")
    except ValueError:
        return None
    return args if isinstance(args, dict) else None


def keeps_id(recorded: Recorded, id: object) -> bool:
    """Whether the id of a call was recorded, and is kept; packages make one up where the provider needs none."""
    return recorded.wire.call_ids and is_recorded(recorded, id)


def is_recorded(recorded: Recorded, id: object) -> bool:
    """Whether an id was recorded; decoders make one up where the provider sent none."""
    return isinstance(id, str) and id.encode() in recorded.interaction.body


DETAILS: Final = (
    ("input_token_details", "cache_read", "cache_read"),
    ("input_token_details", "cache_creation", "cache_creation"),
    ("output_token_details", "reasoning", "reasoning"),
)
"""Where `usage_metadata` has a detail, its name there, and its name in a recorded usage."""


def is_named(key: str, name: str) -> bool:
    return key == name or key.endswith(f"_{name}")
