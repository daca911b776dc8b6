"""REPLAY: a recorded answer is the same in each form, and however its bytes are cut."""

from collections.abc import Iterator
from typing import Any, Final

from langchain_core.messages import AIMessage

from mockserver.sending.delivery import Cuts, Random

from ..cassettes import Recorded
from ..catalogue import MUST, Case, rule
from ..compat import invalid_tool_calls
from ..drive import Probe
from ..observe import agree, reasoning_of
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import PLAYED, brief, describe_error
from .replay_answers import answer, apart, cases, keeps_id, method_of, recorded_of

_SMALL: Final = 32 * 1024
"""Bytes of a recording up to which it is sent byte by byte; a larger one is sent in parts of 7 bytes."""


@rule(
    "REPLAY-02",
    MUST,
    "stream, astream and astream_events agree on a recorded answer; invoke and ainvoke on one that came whole",
    forms="a",
    cases=cases,
    hint="a second reader for one form forgets what the first learnt",
    mend="share the reader of events between `_stream` and `_astream`",
    source="the recording itself; `stream`, `astream` and `astream_events` are views of one answer",
)
def forms_agree(probe: Probe, case: Case) -> None:
    recorded = recorded_of(probe, case)
    sync = probe.beside("sync")
    method = method_of(sync, recorded)
    wanted = answer(sync, recorded)
    others = {method_of(probe, recorded): answer(probe, recorded)}
    if recorded.streams:
        others["astream_events"] = answer(probe, recorded, events=True)
    for name, got in others.items():
        _agree(recorded, wanted, got, names=(method, name))


def _agree(recorded: Recorded, wanted: AIMessage | Broken, got: AIMessage | Broken, *, names: tuple[str, str]) -> None:
    """Two answers are equal, or both raise. Whether a break after the end is seen, is for chance to say."""
    if isinstance(wanted, AIMessage) and isinstance(got, AIMessage):
        agree(_without_own_ids(recorded, wanted), _without_own_ids(recorded, got), names=names)
        one, other = reasoning_of(wanted), reasoning_of(got)
        if one != other:
            raise Broken(f"reasoning {apart(one, other)} (as {names[0]})", f"{apart(other, one)} ({names[1]})")
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
            name: None if name in _IDS and not keeps_id(recorded, each) else _with_recorded_ids(recorded, each)
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


def _cut(target: Target) -> list[Case]:
    """One for each recording, and one in all where none can be cut."""
    return [Case()] if target.stanza.in_process else cases(target)


@rule(
    "REPLAY-03",
    MUST,
    "the answer does not depend on how the recorded bytes are cut: as recorded, frame by frame, whole, in bytes",
    cases=_cut,
    hint="networks cut lines and characters anywhere; decode and split only what is complete",
    mend="use an incremental decoder and a line buffer, or the SDK's own stream",
    source="https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream: the format knows "
    "nothing of segments",
)
def cuts_do_not_matter(probe: Probe, case: Case) -> None:
    if probe.target.stanza.in_process:
        raise NotApplicable(f"answers of {probe.target.label} are played {PLAYED}")
    recorded = recorded_of(probe, case)
    wanted = answer(probe, recorded)
    for name, cuts in _cuts(recorded, few=probe.target.cassettes.is_own(recorded)):
        _agree(recorded, wanted, answer(probe, recorded, cuts=cuts), names=("cut into frames", name))


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
