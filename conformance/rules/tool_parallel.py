"""TOOL: several calls in one answer, and one call in the many ways in which servers send it."""

from typing import Final

from mockserver import ToolCall

from ..catalogue import MUST, SHOULD, Case, rule
from ..drive import Probe
from ..target import Target
from . import scripts
from . import tool_scripts as script
from .tool_scripts import PARIS, SAID, ZURICH, Asking, asked_both_ways, calling, pieces_in_turn, same_calls

_AGAIN: Final = ToolCall.of("get_weather", {"city": "Paris"}, id="call_again", size=5)
"""The same as another call, but for its id."""
_ARGUMENTS: Final = ("absent-arguments", "null-arguments")


def _parallel(target: Target) -> list[Case]:
    wire = target.wire
    plain = calling(wire, PARIS, ZURICH)
    replies = {
        "in-turn": plain,
        "same-arguments": calling(wire, PARIS, _AGAIN),
        "after-text": calling(wire, SAID, PARIS, ZURICH),
    }
    sent = [
        script.case_of(target, name, plain, variant)
        for name, variant in script.variants(target, plain).items()
        if name not in _ARGUMENTS
    ]
    return [*asked_both_ways(target, replies), *_interleaved(target), *sent]


def _interleaved(target: Target) -> list[Case]:
    """Calls whose pieces take turns; on a wire that sends calls whole, as servers like it send them.

    A reader that goes by the index of each fragment, as providers' guides do, reads them; but no recording has them.
    """
    reply = calling(target.wire, PARIS, ZURICH, order=pieces_in_turn(PARIS, ZURICH))
    if not script.is_carried(target, reply, "stream"):
        return []
    pieces = script.variants(target, reply).get("in-pieces")
    if pieces:
        return [script.case_of(target, "interleaved", reply, pieces)]
    named = [scripts.named(each) for each in (reply, calling(target.wire, PARIS, ZURICH))]
    frames = [target.wire.frames(each) for each in named]
    why = f"SHOULD here: {target.wire.name} numbers the fragments of calls, but is not known to let calls take turns"
    return [Case("interleaved", Asking("stream", reply), SHOULD, why)] if frames[0] != frames[1] else []


@rule(
    "TOOL-03",
    MUST,
    "parallel calls stay separate and in order, however their fragments are sent",
    needs=("tools",),
    cases=_parallel,
    hint="fragments belong together by the provider's index and id; counted or guessed, calls are glued or split",
    mend="keep the provider's index for each fragment, and give a new one where another id comes under the same",
    source="https://platform.openai.com/docs/guides/function-calling#streaming; langchain-ai/langchain#34807",
)
def parallel_calls_stay_apart(probe: Probe, case: Case) -> None:
    same_calls(probe, script.answer(probe, case.value), case.value.reply.tool_calls)
